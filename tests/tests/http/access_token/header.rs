//! Other members of the header: `crit`, keys and the key id.

use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::tokens::{TokenError, TokenPart};
use tower_jwt_auth::{Algorithm, KeySet, SigningKey, TrustedIssuer, Verifier, VerifyingKey};
use tower_jwt_auth_tests::token_builder::encode;
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TokenSigner};

use super::fixture::{Fixture, KEY_ID};
use super::test_keys::{OTHER_SECRET, SECRET, der, key, signer_of_another, signer_with};

#[tokio::test]
async fn every_critical_extension_is_refused() {
    let fixture = Fixture::own().await;
    // The extensions themselves are unknown members, which are ignored (RFC 7515 §4).
    fixture.accepts(&fixture.builder().header("b64", true).header("x", json!({ "y": [1] }))).await;
    for crit in [
        json!(["x"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["exp", "typ"]),
        json!([]),
        json!([""]),
        json!(null),
        json!(false),
        json!(1),
        json!("x"),
        json!({}),
    ] {
        let builder = fixture.builder().header("b64", true).header("x", 1).header("crit", crit);
        fixture.refuses(&builder, TokenError::Critical).await;
    }
    let escaped = fixture.builder.header_json().replacen('{', r#"{"x":1,"\u0063rit":["x"],"#, 1);
    let token = fixture.signer.token(&escaped, &fixture.builder.claims_json());
    fixture.refuses_token(&token, TokenError::Critical).await;
    // As a claim, `crit` has no special meaning.
    fixture.accepts(&fixture.builder().claim("crit", json!(["x"]))).await;
}

#[tokio::test]
async fn keys_in_the_header_are_never_used_and_never_fetched() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let fixture = Fixture::own_for(Algorithm::EdDSA).await;
    let attacker = signer_of_another(Algorithm::EdDSA);
    let attackers = SigningKey::from_pem(Algorithm::EdDSA, key!("ed25519-other")).unwrap();
    let set = KeySet::new([attackers.verifying_key().clone()]).unwrap().to_jwks();
    let set: Value = serde_json::from_str(&set).unwrap();
    let jwk = set["keys"][0].clone();
    assert_eq!(jwk["kty"], "OKP");
    let certificate = base64_simd::STANDARD.encode_to_string(der(key!("rsa-certificate")));
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!([certificate])),
        ("x5t", json!("x")),
        ("x5t#S256", json!("x")),
        ("jwks", set.clone()),
        ("jwk", json!("garbage")),
        ("jku", json!(1)),
    ] {
        let builder = fixture.builder().header(name, value);
        fixture.accepts(&builder).await;
        fixture.refuses_token(&builder.sign(&attacker), TokenError::Signature).await;
        for id in [jwk["kid"].clone(), json!(url), json!("")] {
            let named = builder.clone().header("kid", id);
            fixture.refuses_token(&named.sign(&attacker), TokenError::UnknownKey).await;
        }
        let nameless = builder.without_header("kid");
        fixture.refuses_token(&nameless.sign(&attacker), TokenError::Signature).await;
    }
    // The header contains a secret and names its algorithm.
    let secret = json!({ "kty": "oct", "k": encode(&OTHER_SECRET), "alg": "HS256" });
    let builder = fixture.builder().header("alg", "HS256").header("jwk", secret);
    let token = builder.sign(&TokenSigner::hs256(&OTHER_SECRET));
    fixture.refuses_token(&token, TokenError::UnknownKey).await;
    let fetched = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(fetched.is_err(), "nobody has called");
}

/// Creates a layer that trusts these keys of the issuer.
fn trusting_keys(keys: impl IntoIterator<Item = VerifyingKey>) -> Fixture {
    let keys = KeySet::new(keys).unwrap();
    Fixture::trusting(Verifier::new(TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap()))
}

pub(crate) fn secret_key(algorithm: Algorithm, secret: &[u8], key_id: &str) -> VerifyingKey {
    VerifyingKey::from_secret(algorithm, secret).unwrap().with_key_id(key_id)
}

#[tokio::test]
async fn a_missing_key_id_is_accepted_only_where_one_key_fits() {
    let fixture = Fixture::own().await;
    fixture.accepts(&fixture.builder().without_header("kid")).await;
    let forged = fixture.builder().without_header("kid").sign(&TokenSigner::hs256(&OTHER_SECRET));
    fixture.refuses_token(&forged, TokenError::Signature).await;

    // With one key per algorithm, exactly one fits.
    let fixture = trusting_keys([
        secret_key(Algorithm::HS384, &OTHER_SECRET, "other"),
        secret_key(Algorithm::HS256, &SECRET, KEY_ID),
    ]);
    fixture.accepts(&fixture.builder()).await;
    fixture.accepts(&fixture.builder().without_header("kid")).await;

    // With two keys of the algorithm, neither is tried.
    let fixture = trusting_keys([
        secret_key(Algorithm::HS256, &SECRET, KEY_ID),
        secret_key(Algorithm::HS256, &OTHER_SECRET, "other"),
    ]);
    fixture.accepts(&fixture.builder()).await;
    fixture.refuses(&fixture.builder().without_header("kid"), TokenError::UnknownKey).await;
}

#[tokio::test]
async fn only_the_key_with_the_key_id_of_the_token_is_tried() {
    let fixture = trusting_keys([
        secret_key(Algorithm::HS256, &OTHER_SECRET, "other"),
        secret_key(Algorithm::HS256, &SECRET, KEY_ID),
        secret_key(Algorithm::HS384, &SECRET, "longer"),
    ])
    .checked()
    .await;
    let other = fixture.builder().header("kid", "other");
    fixture.accepts_token(&other.sign(&TokenSigner::hs256(&OTHER_SECRET))).await;
    fixture.refuses(&other, TokenError::Signature).await;
    let forged = fixture.builder().sign(&TokenSigner::hs256(&OTHER_SECRET));
    fixture.refuses_token(&forged, TokenError::Signature).await;
    // These are the id of a key for another algorithm, and ids of no key.
    for unknown in ["longer", "", "KEY", "key ", "ke", "keys", "../key", "key\0", "*", "0"] {
        fixture.refuses(&fixture.builder().header("kid", unknown), TokenError::UnknownKey).await;
    }
    for mistyped in [json!(null), json!(0), json!(["key"]), json!({}), json!(true)] {
        let builder = fixture.builder().header("kid", mistyped);
        fixture.refuses(&builder, TokenError::Json(TokenPart::Header)).await;
    }
}

#[tokio::test]
async fn keys_with_the_same_id_are_distinguished_by_algorithm() {
    let fixture = trusting_keys([
        secret_key(Algorithm::HS384, &OTHER_SECRET, KEY_ID),
        secret_key(Algorithm::HS256, &SECRET, KEY_ID),
    ])
    .checked()
    .await;
    let longer = fixture.builder().header("alg", "HS384");
    let signer_384 = |secret: &[u8]| signer_with(Algorithm::HS384, secret, b"");
    fixture.accepts_token(&longer.sign(&signer_384(&OTHER_SECRET))).await;
    fixture.refuses_token(&longer.sign(&signer_384(&SECRET)), TokenError::Signature).await;
    let forged = fixture.builder().sign(&TokenSigner::hs256(&OTHER_SECRET));
    fixture.refuses_token(&forged, TokenError::Signature).await;
}

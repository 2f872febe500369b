//! The keys of other issuers' JWK sets: which of them verify tokens, and with which algorithms.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{Algorithm, ConfigError, KeySet, SigningKey, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::token_builder::{TokenBuilder, encode};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TokenSigner, log_capture};

use super::fixture::{Fixture, KEY_ID};
use super::test_keys::{
    public_pem, signer, signer_of_another, signing_key_of_another, verifying_key,
};

/// Returns the JWK of a key under [`KEY_ID`].
fn jwk(key: &tower_jwt_auth::VerifyingKey) -> Value {
    let set = KeySet::from(key.clone().with_key_id(KEY_ID)).to_jwks();
    serde_json::from_str::<Value>(&set).unwrap()["keys"][0].take()
}

fn without_alg(algorithm: Algorithm) -> Value {
    let mut jwk = jwk(&verifying_key(algorithm));
    jwk.as_object_mut().unwrap().remove("alg").unwrap();
    jwk
}

/// Creates a layer that trusts an issuer with this JWK set.
fn publishing(keys: &[Value]) -> Fixture {
    let keys = KeySet::from_jwks(&json!({ "keys": keys }).to_string()).unwrap();
    Fixture::trusting(Verifier::new(TrustedIssuer::new(ISSUER, AUDIENCE, keys).unwrap()))
}

fn token(algorithm: Algorithm) -> TokenBuilder {
    TokenBuilder::access(algorithm.as_str(), KEY_ID)
}

#[tokio::test]
async fn a_key_without_alg_verifies_with_the_algorithms_of_its_kind_alone() {
    let rsa = [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ];
    let ed25519 = [Algorithm::EdDSA, Algorithm::Ed25519];
    for family in [&rsa[..], &ed25519] {
        let fixture = publishing(&[without_alg(family[0])]);
        for algorithm in Algorithm::ALL.iter().copied() {
            let builder = token(algorithm);
            for builder in [&builder, &builder.clone().without_header("kid")] {
                let signed = builder.sign(&signer(algorithm));
                if family.contains(&algorithm) {
                    fixture.accepts_token(&signed).await;
                    let forged = builder.sign(&signer_of_another(algorithm));
                    fixture.refuses_token(&forged, TokenError::Signature).await;
                } else {
                    fixture.refuses_token(&signed, TokenError::UnknownKey).await;
                }
            }
        }
        // The header names another algorithm of the same kind than that of the signature.
        if family.len() == rsa.len() {
            let confused = token(Algorithm::RS256).sign(&signer(Algorithm::PS256));
            fixture.refuses_token(&confused, TokenError::Signature).await;
        }
        let secret = TokenSigner::hs256(public_pem(family[0]));
        fixture.refuses_token(&token(Algorithm::HS256).sign(&secret), TokenError::UnknownKey).await;
        let secret = TokenSigner::new(
            jsonwebtoken::Algorithm::HS512,
            EncodingKey::from_secret(public_pem(family[0])),
        );
        fixture.refuses_token(&token(Algorithm::HS512).sign(&secret), TokenError::UnknownKey).await;
    }
}

#[tokio::test]
async fn a_key_with_alg_verifies_with_that_algorithm_alone() {
    for (own, other) in [
        (Algorithm::EdDSA, Algorithm::Ed25519),
        (Algorithm::Ed25519, Algorithm::EdDSA),
        (Algorithm::RS384, Algorithm::PS384),
        (Algorithm::RS384, Algorithm::RS256),
    ] {
        let fixture = publishing(&[jwk(&verifying_key(own))]);
        fixture.accepts_token(&token(own).sign(&signer(own))).await;
        let signed = token(other).sign(&signer(other));
        fixture.refuses_token(&signed, TokenError::UnknownKey).await;
    }
}

#[tokio::test]
async fn two_keys_of_one_kid_and_algorithm_both_verify() {
    for algorithm in [Algorithm::RS256, Algorithm::ES512, Algorithm::EdDSA, Algorithm::MlDsa44] {
        let (one, another) = (verifying_key(algorithm), signing_key_of_another(algorithm));
        let mut keys = [jwk(&one), jwk(another.verifying_key())];
        for _ in 0..2 {
            let fixture = publishing(&keys);
            fixture.accepts_token(&token(algorithm).sign(&signer(algorithm))).await;
            fixture.accepts_token(&token(algorithm).sign(&signer_of_another(algorithm))).await;
            // Without `kid` it is unknown which of them signed the token.
            let nameless = token(algorithm).without_header("kid").sign(&signer(algorithm));
            fixture.refuses_token(&nameless, TokenError::UnknownKey).await;
            keys.reverse();
        }
        let third = SigningKey::generate_for(algorithm).unwrap();
        let fixture = publishing(&[jwk(&one), jwk(third.verifying_key())]);
        let forged = token(algorithm).sign(&signer_of_another(algorithm));
        fixture.refuses_token(&forged, TokenError::Signature).await;
    }
}

#[tokio::test]
async fn a_key_for_encryption_verifies_nothing() {
    let good = jwk(&verifying_key(Algorithm::ES256));
    for (name, value) in [("key_ops", json!(["encrypt", "wrapKey"])), ("use", json!("enc"))] {
        let mut key = jwk(&verifying_key(Algorithm::RS256));
        key[name] = value;
        let fixture = publishing(&[key, good.clone()]);
        fixture.accepts_token(&token(Algorithm::ES256).sign(&signer(Algorithm::ES256))).await;
        let signed = token(Algorithm::RS256).sign(&signer(Algorithm::RS256));
        fixture.refuses_token(&signed, TokenError::UnknownKey).await;
    }
}

/// Returns a token with a signature that nobody's private key made: zeros match the key of zeros for one of some ids.
fn forged() -> String {
    let identity_or_other = [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }];
    for id in 0..64 {
        let builder = token(Algorithm::EdDSA).claim("jti", format!("forged-{id}"));
        let input = format!(
            "{}.{}",
            encode(builder.header_json().as_bytes()),
            encode(builder.claims_json().as_bytes())
        );
        for r in identity_or_other {
            let signature = [r, [0; 32]].concat();
            let key = UnparsedPublicKey::new(&ED25519, [0; 32]);
            if key.verify(input.as_bytes(), &signature).is_ok() {
                return format!("{input}.{}", encode(&signature));
            }
        }
    }
    panic!("one of four ids should match");
}

#[tokio::test]
async fn a_token_that_anyone_could_sign_is_refused() {
    let forged = forged();
    let mut zero = jwk(&verifying_key(Algorithm::EdDSA));
    zero["x"] = json!(encode(&[0; 32]));
    let error = KeySet::from_jwks(&json!({ "keys": [zero] }).to_string()).unwrap_err();
    assert!(
        matches!(&error, ConfigError::NoUsableKey { ignored } if ignored.contains("small order"))
    );
    let fixture = publishing(&[zero.clone(), jwk(&verifying_key(Algorithm::EdDSA))]);
    fixture.accepts_token(&token(Algorithm::EdDSA).sign(&signer(Algorithm::EdDSA))).await;
    fixture.refuses_token(&forged, TokenError::Signature).await;
    let fixture = publishing(&[zero, jwk(&verifying_key(Algorithm::ES256))]);
    fixture.refuses_token(&forged, TokenError::UnknownKey).await;
}

#[test]
fn each_ignored_key_leaves_a_line_in_the_log() {
    log_capture::install();
    let keys = json!({ "keys": [
        { "kty": "RSA", "use": "enc", "kid": "logged-encryption", "n": "AQAB", "e": "AQAB" },
        { "kty": "oct", "kid": "logged-secret", "k": "bm90IGZvciB0aGUgbG9n" },
        jwk(&verifying_key(Algorithm::ES256)),
    ]});
    log_capture::watch_for("bm90IGZvciB0aGUgbG9n");
    assert_eq!(KeySet::from_jwks(&keys.to_string()).unwrap().keys().count(), 1);
    for (key_id, reason) in [
        ("logged-encryption", "its use is not sig"),
        ("logged-secret", "it is a secret, and a JWK set is public"),
    ] {
        let lines = log_capture::lines_containing(key_id);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("WARN") && lines[0].contains(reason), "{lines:?}");
    }
}

#[test]
fn a_set_of_very_many_ignored_keys_leaves_a_bounded_number_of_lines() {
    log_capture::install();
    let junk: Vec<_> = (0..1000)
        .map(|n| json!({ "kty": "oct", "kid": format!("junk-of-a-large-set-{n}") }))
        .collect();
    let error = KeySet::from_jwks(&json!({ "keys": junk }).to_string()).unwrap_err();
    assert!(matches!(error, ConfigError::NoUsableKey { .. }), "{error}");
    assert_eq!(log_capture::lines_containing("junk-of-a-large-set-").len(), 32);
    let summary = log_capture::lines_containing("further keys of a JWK set are ignored");
    assert_eq!(summary.len(), 1);
    assert!(summary[0].contains("further=968"), "{}", summary[0]);
}

#[test]
fn a_key_that_is_published_with_its_private_part_is_ignored() {
    for member in ["d", "p", "priv"] {
        let mut key = jwk(&verifying_key(Algorithm::ES256));
        key[member] = json!("AQAB");
        let error = KeySet::from_jwks(&json!({ "keys": [key] }).to_string()).unwrap_err();
        assert!(error.to_string().contains("private member"), "{member}: {error}");
    }
}

#[test]
fn a_set_of_more_than_a_thousand_keys_is_rejected() {
    let set =
        |keys| json!({ "keys": vec![jwk(&verifying_key(Algorithm::ES256)); keys] }).to_string();
    assert!(KeySet::from_jwks(&set(1000)).is_ok());
    assert!(matches!(KeySet::from_jwks(&set(1001)), Err(ConfigError::Jwks { .. })));
}

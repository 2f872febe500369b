//! The `alg` of the header, and confusion of algorithms and keys.

use jsonwebtoken::EncodingKey;
use serde_json::json;
use tower_jwt_auth::tokens::{TokenError, TokenPart};
use tower_jwt_auth::{Algorithm, KeySet, TrustedIssuer, Verifier};
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TokenSigner};

use super::fixture::{Fixture, KEY_ID};
use super::signatures::resigned;
use super::test_keys::{der, key, public_pem, signer, verifying_key};

#[tokio::test]
async fn alg_none_is_refused_in_any_case_with_and_without_a_signature() {
    for algorithm in [Algorithm::HS256, Algorithm::EdDSA] {
        let fixture = Fixture::own_for(algorithm).await;
        for none in ["none", "None", "NONE", "nOnE", "", " ", "null", "false", "none "] {
            for builder in [
                fixture.builder().header("alg", none),
                fixture.builder().header("alg", none).without_header("kid"),
            ] {
                fixture.refuses(&builder, TokenError::Algorithm).await;
                let unsigned = resigned(&builder.sign(&fixture.signer), &[]);
                fixture.refuses_token(&unsigned, TokenError::Algorithm).await;
            }
        }
        let without = fixture.builder().without_header("alg");
        fixture.refuses(&without, TokenError::Algorithm).await;
        let unsigned = resigned(&without.sign(&fixture.signer), &[]);
        fixture.refuses_token(&unsigned, TokenError::Algorithm).await;
        for mistyped in [json!(null), json!(0), json!(false), json!(["HS256"]), json!({})] {
            let builder = fixture.builder().header("alg", mistyped);
            fixture.refuses(&builder, TokenError::Json(TokenPart::Header)).await;
        }
    }
}

#[tokio::test]
async fn algorithm_names_are_matched_exactly_and_case_sensitively() {
    let fixture = Fixture::own().await;
    for other in ["hs256", "Hs256", "HS256 ", " HS256", "HS-256", "HS2560", "HMAC", "ES256K"] {
        fixture.refuses(&fixture.builder().header("alg", other), TokenError::Algorithm).await;
    }
}

#[tokio::test]
async fn an_algorithm_other_than_that_of_the_key_is_refused() {
    for (own, other) in [
        (Algorithm::HS256, Algorithm::HS384),
        (Algorithm::HS256, Algorithm::HS512),
        (Algorithm::HS512, Algorithm::HS256),
        // The RSA key is the same.
        (Algorithm::RS256, Algorithm::PS256),
        (Algorithm::PS256, Algorithm::RS256),
        (Algorithm::RS256, Algorithm::RS512),
        (Algorithm::RS512, Algorithm::RS256),
        (Algorithm::PS384, Algorithm::PS256),
        (Algorithm::ES256, Algorithm::ES384),
        (Algorithm::ES384, Algorithm::ES256),
        (Algorithm::ES256, Algorithm::EdDSA),
        (Algorithm::EdDSA, Algorithm::RS256),
        (Algorithm::ES512, Algorithm::ES384),
        (Algorithm::ES384, Algorithm::ES512),
        (Algorithm::MlDsa44, Algorithm::MlDsa65),
        (Algorithm::MlDsa65, Algorithm::EdDSA),
        (Algorithm::RS256, Algorithm::MlDsa87),
    ] {
        let fixture = Fixture::own_for(own).await;
        let builder = fixture.builder().header("alg", other.as_str());
        // The token is signed with the algorithm of its header, and then with that of the key.
        for signer in [&signer(other), &fixture.signer] {
            for builder in [&builder, &builder.clone().without_header("kid")] {
                assert_eq!(fixture.refusal(&builder.sign(signer)).await, TokenError::UnknownKey);
            }
        }
        // The token is signed with the other algorithm, but its header names the right one.
        let forged = fixture.builder().sign(&signer(other));
        assert_eq!(fixture.refusal(&forged).await, TokenError::Signature, "{own} by {other}");
    }
}

#[tokio::test]
async fn a_public_key_is_not_accepted_as_a_secret() {
    for algorithm in [
        Algorithm::EdDSA,
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::ES512,
        Algorithm::MlDsa44,
    ] {
        let fixture = Fixture::own_for(algorithm).await;
        let pem = public_pem(algorithm);
        let (spki, text) = (der(pem), std::str::from_utf8(pem).unwrap());
        let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let secrets: [&[u8]; 9] = [
            pem,
            text.trim_end().as_bytes(),
            base64.as_bytes(),
            &spki,
            // These are the raw key or point, and its coordinates.
            &spki[spki.len() - 32..],
            &spki[spki.len().saturating_sub(65)..],
            &spki[spki.len().saturating_sub(64)..],
            key!("rsa-public-pkcs1"),
            b"",
        ];
        for secret in secrets {
            for (hmac, signer) in [
                ("HS256", jsonwebtoken::Algorithm::HS256),
                ("HS384", jsonwebtoken::Algorithm::HS384),
                ("HS512", jsonwebtoken::Algorithm::HS512),
            ] {
                let signer = TokenSigner::new(signer, EncodingKey::from_secret(secret));
                let builder = fixture.builder().header("alg", hmac);
                let error = fixture.refusal(&builder.sign(&signer)).await;
                assert_eq!(error, TokenError::UnknownKey, "{algorithm} by {hmac}");
                let without = builder.without_header("kid");
                assert_eq!(fixture.refusal(&without.sign(&signer)).await, TokenError::UnknownKey);
                let named_right = fixture.builder().sign(&signer);
                assert_eq!(fixture.refusal(&named_right).await, TokenError::Signature);
            }
        }
    }
}

#[tokio::test]
async fn a_public_key_is_not_accepted_as_a_secret_beside_a_trusted_secret() {
    let pem = key!("ed25519-public");
    let keys = [verifying_key(Algorithm::EdDSA), verifying_key(Algorithm::HS256)]
        .map(|key| key.with_key_id(KEY_ID));
    let trusted = TrustedIssuer::new(ISSUER, AUDIENCE, KeySet::new(keys).unwrap()).unwrap();
    let fixture = Fixture::trusting(Verifier::new(trusted)).checked().await;
    let spki = der(pem);
    for secret in [&pem[..], &spki, &spki[spki.len() - 32..]] {
        let forged = fixture.builder().sign(&TokenSigner::hs256(secret));
        fixture.refuses_token(&forged, TokenError::Signature).await;
    }
    let ed25519 = fixture.builder().header("alg", "EdDSA");
    fixture.accepts_token(&ed25519.sign(&signer(Algorithm::EdDSA))).await;
    fixture.refuses(&ed25519, TokenError::Signature).await;
}

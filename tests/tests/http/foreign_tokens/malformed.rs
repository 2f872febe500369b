//! Registered claims of another JSON type.

use serde_json::{Value, json};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{TrustedIssuer, Verifier};
use tower_jwt_auth_tests::START;

use super::{fixture, trusted};

const OPTIONAL: [&str; 5] = ["jti", "sid", "client_id", "auth_time", "scope"];

fn tolerant(trusted: TrustedIssuer) -> TrustedIssuer {
    trusted
        .allow_missing_profile_claims()
        .allow_missing_token_id()
        .ignore_malformed_optional_claims()
}

fn others() -> [Value; 5] {
    [json!(null), json!(true), json!(["x"]), json!({ "x": 1 }), json!([])]
}

#[tokio::test]
async fn malformed_optional_claims_are_refused_unless_they_are_ignored() {
    let strict = fixture(|trusted| trusted.allow_missing_profile_claims().allow_missing_token_id());
    let tolerant = fixture(tolerant);
    for name in OPTIONAL {
        for other in others() {
            let builder = strict.builder().claim(name, other);
            let error = strict.refusal(&builder.sign(&strict.signer)).await;
            assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{error}");
            tolerant.accepts(&builder).await;
        }
    }
    tolerant.accepts(&tolerant.builder().claim("auth_time", "2023-11-14T22:13:20Z")).await;
    for name in ["jti", "sid", "client_id"] {
        tolerant.accepts(&tolerant.builder().claim(name, "")).await;
    }
}

#[tokio::test]
async fn an_ignored_claim_counts_as_absent() {
    let fixture = fixture(tolerant);
    let mut builder = fixture.builder();
    for name in OPTIONAL {
        builder = builder.claim(name, json!({}));
    }
    let token = builder.sign(&fixture.signer);
    let identity = Verifier::new(tolerant(trusted())).verify(&token, START).unwrap();
    assert_eq!((identity.token_id(), identity.session_id()), (None, None));
    assert_eq!((identity.client_id(), identity.auth_time()), (None, None));
    assert_eq!(identity.scope(), "");
}

#[tokio::test]
async fn a_required_claim_is_never_ignored() {
    let tolerant = fixture(tolerant);
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat"] {
        for other in [json!(null), json!({})] {
            let builder = tolerant.builder().claim(name, other);
            let error = tolerant.refusal(&builder.sign(&tolerant.signer)).await;
            assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{error}");
        }
    }
    let strict = fixture(TrustedIssuer::ignore_malformed_optional_claims);
    for name in ["jti", "client_id"] {
        let builder = strict.builder().claim(name, json!(null));
        let error = strict.refusal(&builder.sign(&strict.signer)).await;
        assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{error}");
    }
    // A time in the future is not malformed.
    let early = tolerant.builder().claim("auth_time", START.unix_seconds() + 31);
    tolerant.refuses(&early, TokenError::Early("auth_time")).await;
}

#[tokio::test]
async fn a_claim_that_is_required_has_exactly_the_value() {
    let fixture = fixture(|trusted| {
        trusted
            .with_required_claim("token_use", "access")
            .unwrap()
            .with_required_claim("ver", "2.0")
            .unwrap()
    });
    let good = fixture.builder().claim("token_use", "access").claim("ver", "2.0");
    fixture.accepts(&good).await;
    for bad in [json!("id"), json!("Access"), json!(""), json!(["access"]), json!(null)] {
        fixture.refuses(&good.clone().claim("token_use", bad), TokenError::RequiredClaim).await;
    }
    fixture.refuses(&good.clone().claim("ver", 2), TokenError::RequiredClaim).await;
    fixture.refuses(&good.without_claim("ver"), TokenError::RequiredClaim).await;
}

//! Issuer, audience, subject, and the application's own claims.

use serde_json::{Value, json};
use tower_jwt_auth::TrustedIssuer;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth_tests::harness::call_behind;
use tower_jwt_auth_tests::token_builder::TokenBuilder;
use tower_jwt_auth_tests::{AUDIENCE, ISSUER, TokenSigner};

use super::fixture::Fixture;
use super::test_keys::OTHER_SECRET;

#[tokio::test]
async fn a_missing_or_different_issuer_is_refused() {
    for fixture in [Fixture::own().await, Fixture::foreign(|trusted| trusted).await] {
        fixture.refuses(&fixture.builder().without_claim("iss"), TokenError::Missing("iss")).await;
        for other in [
            "",
            "https://issuer.exampl",
            "https://issuer.example/",
            "https://issuer.examplf",
            "Https://issuer.example",
            "https://Issuer.example",
            "HTTPS://ISSUER.EXAMPLE",
            "http://issuer.example",
            " https://issuer.example",
            "https://issuer.example ",
            "https://issuer.example\0",
            "https://issuer.example.evil.example",
            "issuer.example",
            AUDIENCE,
            "*",
        ] {
            fixture.refuses(&fixture.builder().claim("iss", other), TokenError::Issuer).await;
        }
        for mistyped in [json!([ISSUER]), json!(null), json!(1), json!(true), json!({}), json!([])]
        {
            let builder = fixture.builder().claim("iss", mistyped);
            fixture.refuses(&builder, TokenError::Mistyped("iss")).await;
        }
    }
    // Another JSON encoding gives the same text.
    let fixture = Fixture::own().await;
    let claims = fixture.builder.claims_json().replacen("https://i", r"https:\/\/\u0069", 1);
    fixture.accepts_token(&fixture.signer.token(&fixture.builder.header_json(), &claims)).await;
}

#[tokio::test]
async fn one_matching_audience_of_several_is_enough_and_others_are_refused() {
    for fixture in [Fixture::own().await, Fixture::foreign(|trusted| trusted).await] {
        for good in [json!([AUDIENCE]), json!(["x", AUDIENCE]), json!([AUDIENCE, "x", ""])] {
            fixture.accepts(&fixture.builder().claim("aud", good)).await;
        }
        for bad in [
            json!(""),
            json!([]),
            json!([""]),
            json!(["x"]),
            json!(ISSUER),
            json!("https://api.example/"),
            json!("https://API.example"),
            json!("https://api.exampl"),
            json!(" https://api.example"),
            json!("https://api.example https://x.example"),
            json!(["https://api.example/", "https://api.exampl"]),
            json!("*"),
        ] {
            fixture.refuses(&fixture.builder().claim("aud", bad), TokenError::Audience).await;
        }
        fixture.refuses(&fixture.builder().without_claim("aud"), TokenError::Missing("aud")).await;
        for mistyped in [
            json!(null),
            json!(1),
            json!(true),
            json!({ AUDIENCE: AUDIENCE }),
            json!([[AUDIENCE]]),
            json!([AUDIENCE, 1]),
            json!([AUDIENCE, null]),
            json!([1, AUDIENCE]),
        ] {
            let builder = fixture.builder().claim("aud", mistyped);
            fixture.refuses(&builder, TokenError::Mistyped("aud")).await;
        }
    }
}

const NO_TEXT: [&str; 6] = ["null", "1", "true", r#"["alice"]"#, "{}", "[]"];

#[tokio::test]
async fn a_missing_empty_or_non_string_subject_is_refused() {
    for fixture in [
        Fixture::own().await,
        Fixture::foreign(|trusted| trusted).await,
        Fixture::foreign(TrustedIssuer::dangerous_allow_plain_jwt_type).await,
    ] {
        fixture.refuses(&fixture.builder().without_claim("sub"), TokenError::Missing("sub")).await;
        fixture.refuses(&fixture.builder().claim("sub", ""), TokenError::Mistyped("sub")).await;
        for bad in NO_TEXT {
            let bad: Value = serde_json::from_str(bad).unwrap();
            fixture
                .refuses(&fixture.builder().claim("sub", bad), TokenError::Mistyped("sub"))
                .await;
        }
    }
}

#[tokio::test]
async fn an_own_token_must_have_jti_sid_and_client_id() {
    let fixture = Fixture::own().await;
    for name in ["jti", "sid", "client_id"] {
        let error =
            fixture.refusal(&fixture.builder().without_claim(name).sign(&fixture.signer)).await;
        assert!(matches!(error, TokenError::Missing(missing) if missing == name), "{error}");
        for bad in NO_TEXT.into_iter().chain([r#""""#]) {
            let bad: Value = serde_json::from_str(bad).unwrap();
            let error =
                fixture.refusal(&fixture.builder().claim(name, bad).sign(&fixture.signer)).await;
            assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{error}");
        }
    }
}

#[tokio::test]
async fn a_foreign_token_must_have_the_configured_claims() {
    // `sid` and `auth_time` are optional. The other claims of RFC 9068 §2.2 are required.
    let strict = Fixture::foreign(|trusted| trusted).await;
    strict.accepts(&strict.builder().without_claim("sid")).await;
    strict.accepts(&strict.builder().without_claim("auth_time")).await;
    strict.refuses(&strict.builder().without_claim("jti"), TokenError::Missing("jti")).await;
    let without = strict.builder().without_claim("client_id");
    strict.refuses(&without, TokenError::Missing("client_id")).await;

    let nameless = Fixture::foreign(TrustedIssuer::allow_missing_token_id).await;
    nameless.accepts(&nameless.builder().without_claim("jti")).await;
    let without = nameless.builder().without_claim("jti").without_claim("client_id");
    nameless.refuses(&without, TokenError::Missing("client_id")).await;
    nameless.refuses(&nameless.builder().header("typ", "JWT"), TokenError::Type).await;

    let plain =
        Fixture::foreign(|trusted| trusted.allow_missing_profile_claims().allow_missing_token_id())
            .await;
    let bare = ["jti", "sid", "client_id", "iat", "auth_time", "scope"]
        .into_iter()
        .fold(plain.builder(), TokenBuilder::without_claim);
    plain.accepts(&bare).await;
    for name in ["jti", "sid", "client_id"] {
        for fixture in [&strict, &nameless, &plain] {
            let builder = fixture.builder().claim(name, "");
            let error = fixture.refusal(&builder.sign(&fixture.signer)).await;
            assert!(matches!(error, TokenError::Mistyped(claim) if claim == name), "{error}");
        }
    }
}

#[tokio::test]
async fn the_applications_own_claims_must_fit_its_type() {
    let fixture = Fixture::own().await;
    fixture.accepts(&fixture.builder().claim("more", json!({ "than": ["expected"] }))).await;
    let error = TokenError::Claims { field: Some("name") };
    fixture.refuses(&fixture.builder().without_claim("name"), error).await;
    fixture.refuses(&fixture.builder().claim("name", 1), error).await;
}

#[tokio::test]
async fn all_invalid_tokens_get_the_same_response() {
    let fixture = Fixture::own().await;
    let mut responses = Vec::new();
    for token in [
        "x".to_owned(),
        fixture.builder().sign(&TokenSigner::hs256(&OTHER_SECRET)),
        fixture.builder().header("typ", "JWT").sign(&fixture.signer),
        fixture.builder().claim("iss", "x").sign(&fixture.signer),
        fixture.builder().claim("exp", 1).sign(&fixture.signer),
        fixture.builder().without_claim("sub").sign(&fixture.signer),
    ] {
        let response = call_behind(&fixture.auth, &token).await;
        let mut headers: Vec<_> = response
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect();
        headers.sort_by(|a, b| a.0.cmp(&b.0));
        responses.push((response.status, headers, response.body));
    }
    assert!(responses.iter().all(|one| *one == responses[0]));
}

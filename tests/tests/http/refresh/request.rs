//! Requests that the endpoint refuses before it queries the store.

use http::{Method, StatusCode};
use tower_jwt_auth::sessions::RefreshRejection;
use tower_jwt_auth::{Issuer, RefreshSecrets, Sessions};
use tower_jwt_auth_tests::harness::{REFRESH_SECRET, assert_rejected, request, send_to};
use tower_jwt_auth_tests::{AUDIENCE, Harness, ISSUER, Profile};

#[tokio::test]
async fn only_post_is_allowed() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let mut request = harness.with_cookie(tokens.refresh().as_str());
        *request.method_mut() = method.parse::<Method>().unwrap();
        let response = send_to(harness.refresh_service(), request).await;
        assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(response.header("allow"), Some("POST"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        match method {
            "HEAD" => assert!(response.body.is_empty()),
            _ => assert_eq!(response.json()["error"], "method_not_allowed"),
        }
    }
    assert_eq!(harness.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_cookie_is_401_with_a_bare_challenge() {
    let harness = Harness::new();
    let response =
        send_to(harness.refresh_service(), request("POST", &[("cookie", "other=1")])).await;
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    assert_eq!(response.challenge(), Some(r#"Bearer realm="api""#));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    // Like other refusals, the response is JSON, so that scripts read it in the same way.
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.json()["error"], "missing_token");
}

#[tokio::test]
async fn an_invalid_refresh_token_is_401_without_a_store_call() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let good = tokens.refresh().as_str().to_owned();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other_secret = RefreshSecrets::new(b"a secret that the harness does not know").unwrap();
    let issuer = |name: &str| Issuer::new(name, AUDIENCE, harness.key.clone()).unwrap();
    let stranger = Sessions::builder(issuer(ISSUER), other_secret, harness.store.clone())
        .claims::<Profile>()
        .build()
        .unwrap();
    let other_issuer = Sessions::builder(
        issuer("https://other.example"),
        RefreshSecrets::new(&REFRESH_SECRET).unwrap(),
        harness.store.clone(),
    )
    .claims::<Profile>()
    .build()
    .unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let bad = [
        String::new(),
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{signed}.{flipped}{}", &signature[1..]),
        format!("{good}A"),
        format!("{good}.x"),
        "A".repeat(5000),
        stranger.start(Harness::alice()).await.unwrap().refresh().as_str().to_owned(),
        other_issuer.start(Harness::alice()).await.unwrap().refresh().as_str().to_owned(),
    ];
    let calls = harness.store.session_calls();
    for bad in bad {
        let response = harness.refresh(&bad).await;
        assert_rejected(&response, RefreshRejection::Invalid);
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
    assert_eq!(harness.store.session_calls(), calls, "a bad signature costs no store call");
    assert_eq!(harness.refresh(&good).await.status, StatusCode::OK, "the session continues");
}

#[tokio::test]
async fn every_character_of_a_refresh_token_counts() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let good = tokens.refresh().as_str();
    for at in 0..good.len() {
        let mut bad = good.as_bytes().to_vec();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        let response = harness.refresh(std::str::from_utf8(&bad).unwrap()).await;
        assert_rejected(&response, RefreshRejection::Invalid);
    }
    assert_eq!(harness.refresh(good).await.status, StatusCode::OK);
}

//! The `Authorization` header (RFC 6750 §2.1).

use tower_jwt_auth::tokens::RequestError;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::request;

use super::{
    ALICE, access_token, assert_accepted, assert_bad_request, assert_without_credentials, bearer,
    send_optional,
};

#[tokio::test]
async fn a_request_without_credentials_gets_401_a_bare_challenge_and_no_error_code() {
    let harness = Harness::new();
    assert_without_credentials(&harness.send(request("GET", &[])).await);
    assert_without_credentials(&harness.send(request("POST", &[])).await);
}

#[tokio::test]
async fn the_challenge_names_the_configured_realm() {
    let mut harness = Harness::new();
    harness.auth = harness.auth.with_realm(r#"the "shop""#).unwrap();
    let response = harness.send(request("GET", &[])).await;
    assert_eq!(response.challenge(), Some(r#"Bearer realm="the \"shop\"""#));
    let response = harness.call("x.y.z").await;
    assert!(response.challenge().unwrap().starts_with(r#"Bearer realm="the \"shop\"", error="#));
}

#[tokio::test]
async fn another_scheme_counts_as_missing_credentials_and_is_anonymous_in_optional_mode() {
    let harness = Harness::new();
    let token = access_token(&harness).await;
    for other in [
        "Basic x",
        "Digest a=b",
        "Negotiate",
        "",
        &token,
        &format!("Token {token}"),
        &format!("JWT {token}"),
        &format!("Bearer-{token}"),
        &format!("Bearer:{token}"),
        &format!("XBearer {token}"),
        &format!("Bear er {token}"),
    ] {
        let headers = [("authorization", other)];
        assert_without_credentials(&harness.send(request("GET", &headers)).await);
        assert_accepted(&send_optional(&harness, request("GET", &headers)).await, "anonymous");
    }
}

#[tokio::test]
async fn a_malformed_bearer_header_is_a_bad_request_in_both_modes() {
    let harness = Harness::new();
    let token = access_token(&harness).await;
    assert_accepted(&harness.call(&token).await, ALICE);
    for bad in [
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearer\t",
        "Bearer a b",
        "Bearer ,",
        &format!("Bearer {token} {token}"),
        &format!("Bearer {token},{token}"),
        &format!("Bearer {token}, Bearer {token}"),
        &format!("Bearer {token}, Basic x"),
        &format!("Bearer {token},"),
        &format!("Bearer ,{token}"),
        &format!("Bearer {token};"),
        &format!("Bearer {token} "),
        &format!("Bearer {token}\t"),
        &format!("Bearer \t{token}"),
        &format!("Bearer\t{token}"),
        &format!("Bearer \"{token}\""),
        &format!("Bearer {token}é"),
    ] {
        let headers = [("authorization", bad)];
        let response = harness.send(request("GET", &headers)).await;
        assert_bad_request(&response, RequestError::Malformed);
        let response = send_optional(&harness, request("GET", &headers)).await;
        assert_bad_request(&response, RequestError::Malformed);
    }
}

#[tokio::test]
async fn the_scheme_is_bearer_in_any_case() {
    let harness = Harness::new();
    let token = access_token(&harness).await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "] {
        let value = format!("{scheme} {token}");
        let response = harness.send(request("GET", &[("authorization", &value)])).await;
        assert_accepted(&response, ALICE);
    }
}

#[tokio::test]
async fn two_authorization_headers_are_always_a_bad_request() {
    let harness = Harness::new();
    let good = bearer(&access_token(&harness).await);
    for (first, second) in
        [(&*good, &*good), (&good, "Basic x"), ("Basic x", &good), ("Basic x", "Basic x")]
    {
        let headers = [("authorization", first), ("authorization", second)];
        let response = harness.send(request("GET", &headers)).await;
        assert_bad_request(&response, RequestError::SeveralTokens);
        let response = send_optional(&harness, request("GET", &headers)).await;
        assert_bad_request(&response, RequestError::SeveralTokens);
    }
}

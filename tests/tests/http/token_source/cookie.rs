//! A cookie with the access token.

use http::StatusCode;
use tower_jwt_auth::tokens::RequestError;

use super::{
    ALICE, COOKIE, access_token, assert_accepted, assert_bad_request, assert_without_credentials,
    at, send_optional, with_cookies,
};

#[tokio::test]
async fn two_cookies_of_the_name_are_a_bad_request() {
    let harness = with_cookies();
    let cookie = format!("{COOKIE}={}", access_token(&harness).await);
    assert_accepted(&harness.send(at("/", &[("cookie", &cookie)])).await, ALICE);
    let in_one = format!("{cookie}; {cookie}");
    for headers in [&[("cookie", &*in_one)][..], &[("cookie", &cookie), ("cookie", &cookie)]] {
        assert_bad_request(&harness.send(at("/", headers)).await, RequestError::SeveralTokens);
    }
}

#[tokio::test]
async fn a_cookie_is_checked_where_enabled() {
    let harness = with_cookies();
    let token = access_token(&harness).await;
    for good in ["{name}={}", "a=b; {name}={}; c=d", "{name}=\"{}\"", "a=\u{e9}; {name}={}"] {
        let cookie = good.replace("{name}", COOKIE).replace("{}", &token);
        assert_accepted(&harness.send(at("/", &[("cookie", &cookie)])).await, ALICE);
    }
    let split = [("cookie", "a=b"), ("cookie", &*format!("{COOKIE}={token}"))];
    assert_accepted(&harness.send(at("/", &split)).await, ALICE);
    for other in ["access_token={}", "x__Host-access_token={}", "__host-access_token={}"] {
        let cookie = other.replace("{}", &token);
        assert_without_credentials(&harness.send(at("/", &[("cookie", &cookie)])).await);
    }
    // With another scheme in the header, the cookie is still the only credential.
    let beside = [("authorization", "Basic x"), ("cookie", &*format!("{COOKIE}={token}"))];
    assert_accepted(&harness.send(at("/", &beside)).await, ALICE);
    let response = harness.send(at("/", &[("cookie", &format!("{COOKIE}=x.y.z"))])).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

// Some clients keep an empty cookie after it was cleared.
#[tokio::test]
async fn an_empty_cookie_counts_as_missing_credentials() {
    let harness = with_cookies();
    for empty in [format!("{COOKIE}="), format!("{COOKIE}=\"\""), format!("{COOKIE}=; a=b")] {
        let headers = [("cookie", &*empty)];
        assert_without_credentials(&harness.send(at("/", &headers)).await);
        assert_accepted(&send_optional(&harness, at("/", &headers)).await, "anonymous");
        let beside = format!("{empty}; {COOKIE}={}", access_token(&harness).await);
        assert_accepted(&harness.send(at("/", &[("cookie", &beside)])).await, ALICE);
    }
}

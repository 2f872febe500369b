//! Optional credentials.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_jwt_auth::auth::Anonymous;
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{AuthError, TokenSource};
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::{echo, reason, request, send_to};

use super::{
    ALICE, COOKIE, access_token, assert_accepted, assert_cross_site, at, bearer, send_optional,
};

#[tokio::test]
async fn in_optional_mode_missing_credentials_are_anonymous_and_good_ones_are_not() {
    let harness = Harness::new();
    assert_accepted(&send_optional(&harness, request("GET", &[])).await, "anonymous");
    let token = bearer(&access_token(&harness).await);
    let response = send_optional(&harness, request("GET", &[("authorization", &token)])).await;
    assert_accepted(&response, ALICE);
}

#[tokio::test]
async fn in_optional_mode_bad_expired_and_revoked_tokens_are_refused_and_never_anonymous() {
    let harness = Harness::new();
    let refused = async |token: &str, error: TokenError| {
        let token = bearer(token);
        let response = send_optional(&harness, request("GET", &[("authorization", &token)])).await;
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(reason(&response), AuthError::Token(error));
    };
    let tokens = harness.sign_in().await;
    let token = tokens.access().as_str();
    refused("x", TokenError::Encoding).await;
    let (signed, _) = token.rsplit_once('.').unwrap();
    refused(&format!("{signed}."), TokenError::Signature).await;
    harness.logout(tokens.refresh().as_str()).await;
    refused(token, TokenError::Revoked).await;
    let other = access_token(&harness).await;
    harness.advance(305);
    refused(&other, TokenError::Expired).await;
}

#[tokio::test]
async fn in_optional_mode_a_bad_cookie_or_query_parameter_is_refused() {
    let source = TokenSource::authorization_header().or_cookie(COOKIE).unwrap();
    let harness = Harness::new().with_source(source.dangerous_or_query());
    let cookie = format!("{COOKIE}={}", access_token(&harness).await);
    assert_accepted(&send_optional(&harness, at("/", &[("cookie", &cookie)])).await, ALICE);
    let response =
        send_optional(&harness, at("/", &[("cookie", &format!("{COOKIE}=x.y.z"))])).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    let response = send_optional(&harness, at("/?access_token=x.y.z", &[])).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
    let headers = [("cookie", &*cookie), ("sec-fetch-site", "cross-site")];
    assert_cross_site(&send_optional(&harness, request("POST", &headers)).await);
}

#[tokio::test]
async fn the_inner_layer_ignores_the_result_of_an_outer_one() {
    let harness = Harness::new();
    let token = bearer(&access_token(&harness).await);
    let headers = [("authorization", &*token)];
    let forget = tower::util::MapRequestLayer::new(|mut request: Request<Full<Bytes>>| {
        request.headers_mut().remove("authorization");
        request
    });
    let inner = harness.auth.clone().optional().layer(service_fn(echo));
    let service = harness.auth.layer(forget.layer(inner));
    assert_accepted(&send_to(service, request("GET", &headers)).await, "anonymous");
    // The same holds for the anonymous result of an outer layer.
    async fn is_anonymous(
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let anonymous = request.extensions().get::<Anonymous>().is_some();
        Ok(Response::new(Full::from(format!("anonymous: {anonymous}"))))
    }
    let value: http::HeaderValue = token.parse().unwrap();
    let add = tower::util::MapRequestLayer::new(move |mut request: Request<Full<Bytes>>| {
        request.headers_mut().insert("authorization", value.clone());
        request
    });
    let inner = harness.auth.layer(service_fn(is_anonymous));
    let service = harness.auth.clone().optional().layer(add.layer(inner));
    assert_accepted(&send_to(service, request("GET", &[])).await, "anonymous: false");
    let optional = harness.auth.clone().optional().layer(service_fn(is_anonymous));
    assert_accepted(&send_to(optional, request("GET", &[])).await, "anonymous: true");
}

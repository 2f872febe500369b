//! The cookie that carries the refresh token.

mod attributes;
mod ended_sessions;
mod moved;
mod origin;
mod several;

use tower_jwt_auth::LogoutService;
use tower_jwt_auth::sessions::SessionId;
use tower_jwt_auth_tests::harness::{REFRESH_SECRET, request, send_to};
use tower_jwt_auth_tests::token_builder::decode;
use tower_jwt_auth_tests::{Harness, TestResponse, TokenSigner};

/// Returns the `Cookie` header of a browser that has these tokens in several scopes.
fn cookies(harness: &Harness, tokens: &[&str]) -> String {
    let cookie = |token: &&str| format!("{}={token}", harness.cookie.name());
    tokens.iter().map(cookie).collect::<Vec<_>>().join("; ")
}

async fn refresh(harness: &Harness, tokens: &[&str]) -> TestResponse {
    let header = cookies(harness, tokens);
    send_to(harness.refresh_service(), request("POST", &[("cookie", &header)])).await
}

async fn logout_everywhere(harness: &Harness, tokens: &[&str]) -> TestResponse {
    let service = LogoutService::everywhere(&harness.sessions, harness.cookie.clone());
    send_to(service, request("POST", &[("cookie", &cookies(harness, tokens))])).await
}

async fn logout_others(harness: &Harness, tokens: &[&str]) -> TestResponse {
    let service = LogoutService::others(&harness.sessions, harness.cookie.clone());
    send_to(service, request("POST", &[("cookie", &cookies(harness, tokens))])).await
}

/// Returns the session of the refresh token in a response.
fn session_of(response: &TestResponse) -> SessionId {
    let claims = decode(response.cookie_value().expect("the response should set the cookie"), 1);
    claims["sid"].as_str().unwrap().parse().unwrap()
}

/// Returns the refresh token with another session secret, as an attacker with only the signing secret forges it.
fn forged(token: &str, generation: u64) -> String {
    let key = TokenSigner::hs256(&REFRESH_SECRET).signature("tower-jwt-auth refresh token v1");
    let (header, mut claims) = (decode(token, 0), decode(token, 1));
    let sid: SessionId = claims["sid"].as_str().unwrap().parse().unwrap();
    let sec = [7; 16];
    claims["sec"] = tower_jwt_auth_tests::token_builder::encode(&sec).into();
    claims["gen"] = generation.into();
    claims["jti"] = crate::refresh::forged_id(sid.as_bytes(), generation, &sec).into();
    TokenSigner::hs256(&key).token(&header.to_string(), &claims.to_string())
}

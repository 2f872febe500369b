//! The program of the README: sign-in, a protected route, refresh and logout.
//!
//! `cargo run -p tower-jwt-auth --features axum --example axum`

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Result};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tower_jwt_auth::{
    Claims, ConfigError, Identity, Issuer, JwtAuthLayer, LogoutService, MemoryStore, OriginPolicy,
    RefreshCookie, RefreshSecrets, RefreshService, Sessions, SignIn, SigningKey,
};

#[derive(Serialize, Deserialize)]
struct Profile {
    name: String,
}

type App = (Sessions<Profile>, RefreshCookie);

async fn login(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<impl IntoResponse> {
    OriginPolicy::same_origin().check(&headers, &uri)?; // other sites must not sign visitors in
    let (sessions, cookie) = app;
    // Check the user's password here.
    let user = SignIn::new("alice").with_claims(Profile { name: "Alice Liddell".to_owned() });
    let tokens = sessions.start(user.with_request(&headers, &cookie)).await?;
    Ok(tokens.into_token_response(&cookie))
}

async fn me(user: Identity, profile: Claims<Profile>) -> String {
    format!("{} is {}", user.subject(), profile.name)
}

pub(crate) fn app() -> Result<Router, ConfigError> {
    let key = SigningKey::generate()?;
    let issuer = Issuer::new("https://shop.example", "https://api.shop.example", key)?;
    let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new());
    let sessions = sessions.claims::<Profile>().build()?;
    let cookie = RefreshCookie::host();
    Ok(Router::new()
        .route("/me", get(me))
        .route_layer(JwtAuthLayer::for_sessions(&sessions)) // the routes above require a token
        .route("/login", post(login))
        .route_service("/refresh", RefreshService::new(&sessions, cookie.clone()))
        .route_service("/logout", LogoutService::this_session(&sessions, cookie.clone()))
        .with_state((sessions, cookie)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("localhost:3000").await?;
    Ok(axum::serve(listener, app()?).await?)
}

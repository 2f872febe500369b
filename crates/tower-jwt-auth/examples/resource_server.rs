//! A service that verifies the access tokens of an OAuth 2.0 or OpenID provider, with the keys that it publishes.
//!
//! `ISSUER` is the `iss` of the tokens, below which the provider's metadata is found, and `AUDIENCE` their `aud`:
//!
//! `ISSUER=https://login.example AUDIENCE=https://api.example \
//!     cargo run -p tower-jwt-auth --features axum,jwks --example resource_server`
//!
//! Without them it accepts the tokens of `cargo run -p axum-app`. That application has no metadata, and `JWKS_URL` is
//! the URL of its keys: `JWKS_URL=http://localhost:3000/.well-known/jwks.json`.

use std::env;
use std::error::Error;

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_jwt_auth::keys::{KeySource, RemoteKeySet};
use tower_jwt_auth::{
    ConfigError, Identity, JwtAuthLayer, RequireScopeLayer, RevocationList, TrustedIssuer, Verifier,
};

pub(crate) const ISSUER: &str = "http://localhost:3000";
pub(crate) const AUDIENCE: &str = "http://localhost:3000/api";

/// Creates the service. Until the first keys arrive, and after they have become too old, it responds 503.
pub(crate) fn app(iss: &str, aud: &str, keys: impl Into<KeySource>) -> Result<Router, ConfigError> {
    let issuer = TrustedIssuer::new(iss, aud, keys)?;
    // Without access to the issuer's store this service sees no logout: a token is valid until it expires, after five
    // minutes by default. With access, `RevocationList::follow(store)?` rejects the tokens of ended sessions.
    let auth = JwtAuthLayer::new(Verifier::new(issuer), RevocationList::none());
    Ok(Router::new()
        .route("/orders", get(orders))
        .route("/reports", get(orders).layer(RequireScopeLayer::new("admin")?))
        .route_layer(auth))
}

async fn orders(user: Identity) -> String {
    format!("the orders of {}", user.subject())
}

/// Serves until the process ends. A provider that is down at the start does not stop the service.
pub(crate) async fn serve(
    listener: TcpListener,
    setting: impl Fn(&str) -> Option<String>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let issuer = setting("ISSUER").unwrap_or_else(|| ISSUER.to_owned());
    let audience = setting("AUDIENCE").unwrap_or_else(|| AUDIENCE.to_owned());
    let keys = match setting("JWKS_URL") {
        Some(url) => RemoteKeySet::from_jwks_url(&url).build()?,
        None => RemoteKeySet::discover(&issuer).build()?,
    };
    Ok(axum::serve(listener, app(&issuer, &audience, keys)?).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("localhost:3001").await?;
    serve(listener, |name| env::var(name).ok()).await
}

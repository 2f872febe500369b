//! A service that verifies the access tokens of another one, with the public keys that the other one publishes.
//!
//! Run it beside `cargo run -p axum-app`, whose tokens it accepts:
//! `curl http://localhost:3000/.well-known/jwks.json |
//!     cargo run -p tower-jwt-auth --features axum --example resource_server`

use std::io;

use axum::{Router, routing::get};
use tower_jwt_auth::{
    ConfigError, Identity, JwtAuthLayer, KeySet, RequireScopeLayer, RevocationList, TrustedIssuer,
    Verifier,
};

/// The `iss` and `aud` of the tokens, as the issuer is configured.
pub(crate) const ISSUER: &str = "http://localhost:3000";
pub(crate) const AUDIENCE: &str = "http://localhost:3000/api";

/// `jwks` is the JWK set of the issuer: read it at the start and, if the issuer changes its keys, again.
pub(crate) fn app(jwks: &str) -> Result<Router, ConfigError> {
    let issuer = TrustedIssuer::new(ISSUER, AUDIENCE, KeySet::from_jwks(jwks)?)?;
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = app(&io::read_to_string(io::stdin())?)?;
    let listener = tokio::net::TcpListener::bind("localhost:3001").await?;
    Ok(axum::serve(listener, app).await?)
}

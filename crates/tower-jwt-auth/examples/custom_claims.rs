//! The role of a user as a claim of the application, which each refresh reads again:
//! `cargo run -p tower-jwt-auth --features axum --example custom_claims`
use std::{collections::BTreeMap, error::Error, sync::Mutex};

use axum::{Router, routing::get};
use serde::{Deserialize, Serialize};
use tower_jwt_auth::sessions::{HookError, RefreshContext, Renewal};
use tower_jwt_auth::{
    Claims, ConfigError, Identity, Issuer, JwtAuthLayer, MemoryStore, RefreshHook, RefreshSecrets,
    RequireLayer, Sessions, SignIn, SigningKey, async_trait,
};

/// Stands for the application's table of users and roles.
pub(crate) static USERS: Mutex<BTreeMap<&str, &str>> = Mutex::new(BTreeMap::new());

/// The application's claims. The holder of an access token can read them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) role: String,
}

struct RereadRole;

#[async_trait]
impl RefreshHook<Profile> for RereadRole {
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        _: Profile, // the claims of the sign-in
    ) -> Result<Renewal<Profile>, HookError> {
        let users = USERS.lock().map_err(|error| HookError::unavailable(error.to_string()))?;
        // The session of a user who was removed ends.
        let role = users.get(refresh.session().subject()).ok_or(HookError::Refuse)?;
        Ok(Renewal::of(refresh.session(), Profile { role: role.to_string() }))
    }
}

pub(crate) fn app() -> Result<(Sessions<Profile>, Router), ConfigError> {
    let key = SigningKey::generate()?;
    let issuer = Issuer::new("https://shop.example", "https://api.shop.example", key)?;
    let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new());
    let sessions = sessions.claims().refresh_hook(RereadRole).build()?;
    let is_editor = |user: &Identity| user.claims().is_some_and(|p: &Profile| p.role == "editor");
    let router = Router::new()
        .route("/role", get(async |profile: Claims<Profile>| profile.role.clone()))
        .route("/drafts", get("drafts").layer(RequireLayer::new(is_editor)))
        .route_layer(JwtAuthLayer::for_sessions(&sessions));
    Ok((sessions, router))
}

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    USERS.lock()?.insert("alice", "editor");
    let (sessions, app) = app()?;
    let user = SignIn::new("alice").with_claims(Profile { role: "editor".to_owned() });
    let tokens = sessions.start(user).await?;
    println!("curl localhost:3000/role -H 'Authorization: Bearer {}'", tokens.access().as_str());
    Ok(axum::serve(tokio::net::TcpListener::bind("localhost:3000").await?, app).await?)
}

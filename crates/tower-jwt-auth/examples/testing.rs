//! Tests of protected routes without a server and without waiting:
//! `cargo test -p tower-jwt-auth --features axum --example testing`

use axum::{Router, routing::get};
use tower_jwt_auth::{ConfigError, Identity, JwtAuthLayer, RequireScopeLayer, Sessions};

#[allow(dead_code, reason = "only the tests call it")]
fn app(sessions: &Sessions) -> Result<Router, ConfigError> {
    Ok(Router::new()
        .route("/me", get(async |user: Identity| user.subject().to_owned()))
        .route("/admin", get("reports").layer(RequireScopeLayer::new("admin")?))
        .route_layer(JwtAuthLayer::for_sessions(sessions)))
}

fn main() {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt as _;
    use tower_jwt_auth::store::ManualClock;
    use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, SignIn, SigningKey, Timestamp};

    use super::*;

    fn sessions(clock: &Arc<ManualClock>) -> Sessions {
        let issuer = Issuer::new("issuer", "audience", SigningKey::generate().unwrap()).unwrap();
        let store = MemoryStore::with_clock(clock.clone());
        let secrets = RefreshSecrets::generate().unwrap();
        Sessions::builder(issuer.with_clock(clock.clone()), secrets, store).build().unwrap()
    }

    async fn status(app: &Router, path: &str, token: &str) -> StatusCode {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_token_is_valid_for_five_minutes_and_for_its_scope() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000)));
        let sessions = sessions(&clock);
        let (app, user) = (app(&sessions).unwrap(), SignIn::new("alice").with_scope("read"));
        let tokens = sessions.start(user).await.unwrap();
        let token = tokens.access().as_str();
        assert_eq!(status(&app, "/me", token).await, StatusCode::OK);
        assert_eq!(status(&app, "/admin", token).await, StatusCode::FORBIDDEN);
        clock.advance(Duration::from_secs(305)); // five minutes, and the leeway for clocks
        assert_eq!(status(&app, "/me", token).await, StatusCode::UNAUTHORIZED);
    }
}

//! The readiness check for load balancers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;

#[derive(Serialize)]
pub(crate) struct Ready {
    ready: bool,
}

/// `GET /readyz`: ready while the list of revocations is fresh. With an older list the layer queries the store at each
/// request.
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Ready>, ApiError> {
    match app.sessions.revocations().staleness() {
        Some(staleness) if staleness <= app.max_staleness => Ok(Json(Ready { ready: true })),
        Some(_) | None => Err(ApiError::UNAVAILABLE),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::response::IntoResponse as _;
    use tower_jwt_auth::store::ManualClock;
    use tower_jwt_auth::{
        Issuer, MemoryStore, OriginPolicy, RefreshCookie, RefreshSecrets, Sessions, SigningKey,
        Timestamp,
    };

    use super::*;
    use crate::users::Users;

    #[tokio::test]
    async fn a_server_with_a_stale_list_of_revocations_is_not_ready() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000)));
        let issuer = Issuer::new("i", "a", SigningKey::generate().unwrap()).unwrap();
        let issuer = issuer.with_clock(Arc::clone(&clock));
        let secrets = RefreshSecrets::generate().unwrap();
        let app = App {
            sessions: Sessions::builder(issuer, secrets, MemoryStore::new())
                .claims()
                .build()
                .unwrap(),
            cookie: RefreshCookie::host(),
            origins: OriginPolicy::same_origin(),
            users: Users::new(),
            max_staleness: Duration::from_secs(7),
        };
        app.sessions.revocations().ready().await;
        clock.advance(Duration::from_secs(7));
        assert_eq!(ready(State(app.clone())).await.into_response().status(), 200);
        clock.advance(Duration::from_millis(1));
        let response = ready(State(app)).await.into_response();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
    }
}

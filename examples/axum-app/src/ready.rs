//! Whether requests should be sent here.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;

/// What the layer believes too: an older list has the store asked at every request.
const MOST_STALE: Duration = Duration::from_secs(30);

#[derive(Serialize)]
pub(crate) struct Ready {
    ready: bool,
}

/// `GET /readyz`
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Ready>, ApiError> {
    match app.sessions.revocations().staleness() {
        Some(staleness) if staleness <= MOST_STALE => Ok(Json(Ready { ready: true })),
        Some(_) | None => Err(ApiError::UNAVAILABLE),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::response::IntoResponse as _;
    use tower_jwt_auth::{
        Issuer, ManualClock, MemoryStore, OriginPolicy, RefreshCookie, RefreshSecrets, Sessions,
        SigningKey, Timestamp,
    };

    use super::*;
    use crate::users::Users;

    #[tokio::test]
    async fn a_server_that_has_not_heard_of_the_log_for_long_is_not_ready() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000)));
        let issuer = Issuer::new("i", "a", SigningKey::generate().unwrap()).unwrap();
        let issuer = issuer.with_clock(Arc::clone(&clock));
        let secrets = RefreshSecrets::generate().unwrap();
        let app = App {
            sessions: Sessions::new(issuer, secrets, MemoryStore::new()).unwrap(),
            cookie: RefreshCookie::host(),
            origins: OriginPolicy::same_origin(),
            users: Users::new(),
        };
        app.sessions.revocations().ready().await;
        clock.advance(MOST_STALE);
        assert_eq!(ready(State(app.clone())).await.into_response().status(), 200);
        clock.advance(Duration::from_millis(1));
        let response = ready(State(app)).await.into_response();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
    }
}

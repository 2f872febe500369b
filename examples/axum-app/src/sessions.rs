//! Where a user sees where they are signed in, and ends what they do not recognise.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use tower_jwt_auth::{Identity, Session, SessionId};

use crate::app::App;
use crate::error::ApiError;
use crate::users::Profile;

#[derive(Serialize)]
pub(crate) struct List {
    sessions: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    created_at: i64,
    last_seen: i64,
    user_agent: Option<String>,
    address: Option<String>,
    current: bool,
}

impl Entry {
    fn new(session: &Session, current: Option<&str>) -> Self {
        let id = session.id().to_string();
        let device = session.device();
        Self {
            current: current == Some(id.as_str()),
            id,
            created_at: session.created_at().unix_seconds(),
            last_seen: session.last_seen().unix_seconds(),
            user_agent: device.user_agent().map(str::to_owned),
            address: device.address().map(str::to_owned),
        }
    }
}

/// `GET /auth/sessions`
pub(crate) async fn list(
    State(app): State<App>,
    user: Identity<Profile>,
) -> Result<Json<List>, ApiError> {
    let sessions = app.sessions.list(user.subject()).await?;
    let entry = |session| Entry::new(session, user.session_id());
    Ok(Json(List { sessions: sessions.iter().map(entry).collect() }))
}

/// `DELETE /auth/sessions/{id}`; what is no id, nobody's or someone else's all looks the same.
pub(crate) async fn end(
    State(app): State<App>,
    user: Identity<Profile>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let id = id.ok().and_then(|Path(id)| id.parse::<SessionId>().ok());
    let id = id.ok_or(ApiError::NOT_FOUND)?;
    match app.sessions.end(user.subject(), id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NOT_FOUND),
    }
}

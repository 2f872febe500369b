//! Where a user sees where they are signed in, and ends what they do not recognise.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tower_jwt_auth::{Identity, Session, SessionId};

use crate::app::App;
use crate::error::ApiError;
use crate::users::Profile;

#[derive(Serialize)]
pub(crate) struct List {
    sessions: Vec<Entry>,
    /// What `after` is for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Where a page begins.
#[derive(Deserialize)]
pub(crate) struct Page {
    after: Option<String>,
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
        let device = session.client_info();
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

/// `GET /auth/sessions`, and `GET /auth/sessions?after=…` for the pages after the first.
pub(crate) async fn list(
    State(app): State<App>,
    user: Identity<Profile>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<List>, ApiError> {
    let Query(Page { after }) = page.map_err(|_| ApiError::NOT_FOUND)?;
    let after = after.map(|after| after.parse()).transpose().map_err(|_| ApiError::NOT_FOUND)?;
    let page = app.sessions.list(user.subject(), after).await?;
    let entry = |session| Entry::new(session, user.session_id());
    let sessions = page.sessions.iter().map(entry).collect();
    Ok(Json(List { sessions, next: page.next.map(|next| next.to_string()) }))
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

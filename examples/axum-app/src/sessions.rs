//! The sessions of a user, who can list them and end those they do not recognise.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tower_jwt_auth::Identity;
use tower_jwt_auth::sessions::{Session, SessionId};

use crate::app::App;
use crate::error::ApiError;

#[derive(Serialize)]
pub(crate) struct List {
    sessions: Vec<Entry>,
    /// The `after` of the next page. The last page has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The query of a page.
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
        let client = session.client_info();
        Self {
            current: current == Some(id.as_str()),
            id,
            created_at: session.created_at().unix_seconds(),
            last_seen: session.last_seen().unix_seconds(),
            user_agent: client.user_agent().map(str::to_owned),
            address: client.address().map(str::to_owned),
        }
    }
}

/// `GET /auth/sessions`: returns the first page, or with `?after=…` the one after that position.
pub(crate) async fn list(
    State(app): State<App>,
    user: Identity,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<List>, ApiError> {
    let Query(Page { after }) = page.map_err(|_| ApiError::NOT_FOUND)?;
    let after = after.map(|after| after.parse()).transpose().map_err(|_| ApiError::NOT_FOUND)?;
    let page = app.sessions.list_for(&user, after).await?;
    let entry = |session| Entry::new(session, user.session_id());
    let sessions = page.sessions.iter().map(entry).collect();
    Ok(Json(List { sessions, next: page.next.map(|next| next.to_string()) }))
}

/// `DELETE /auth/sessions/{id}`: ends a session. A malformed id, an unknown one and one of another user have the same
/// response.
pub(crate) async fn end(
    State(app): State<App>,
    user: Identity,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let id = id.ok().and_then(|Path(id)| id.parse::<SessionId>().ok());
    let id = id.ok_or(ApiError::NOT_FOUND)?;
    match app.sessions.end_for(&user, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NOT_FOUND),
    }
}

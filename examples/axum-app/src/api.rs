//! The API, which requires access tokens.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use tower_jwt_auth::{Claims, Identity, Timestamp};

use crate::error::ApiError;
use crate::users::Profile;

#[derive(Serialize)]
pub(crate) struct Me {
    subject: String,
    name: String,
    scope: String,
    session_id: Option<String>,
    auth_time: Option<i64>,
    expires_at: i64,
}

#[derive(Serialize)]
pub(crate) struct Message {
    message: String,
}

#[derive(Deserialize)]
pub(crate) struct Transfer {
    to: String,
    amount: u64,
}

/// `GET /api/me`: returns the contents of the access token.
pub(crate) async fn me(user: Identity, profile: Claims<Profile>) -> Json<Me> {
    Json(Me {
        subject: user.subject().to_owned(),
        name: profile.name.clone(),
        scope: user.scope().to_owned(),
        session_id: user.session_id().map(str::to_owned),
        auth_time: user.auth_time().map(Timestamp::unix_seconds),
        expires_at: user.expires_at().unix_seconds(),
    })
}

/// `GET /api/admin`: requires the scope `admin`.
pub(crate) async fn admin(profile: Claims<Profile>) -> Json<Message> {
    Json(Message { message: format!("Welcome, {}.", profile.name) })
}

/// `POST /api/transfer`: requires a fresh login.
pub(crate) async fn transfer(
    user: Identity,
    body: Result<Json<Transfer>, JsonRejection>,
) -> Result<Json<Message>, ApiError> {
    let Json(Transfer { to, amount }) = body?;
    tracing::info!(subject = user.subject(), amount, "transferred");
    Ok(Json(Message { message: format!("Sent {amount} to {to}.") }))
}

//! Where sessions begin.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tower_jwt_auth::{ClientInfo, SignIn};

use crate::app::App;
use crate::error::ApiError;
use crate::users::Profile;

/// Without `Debug`, so that no log line can show the password.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    username: String,
    password: String,
}

/// `POST /auth/login`
pub(crate) async fn login(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Result<Response, ApiError> {
    // First of all: another site must not be able to sign its visitors in as someone else.
    app.origins.check(&headers, &uri).map_err(|_| ApiError::CROSS_SITE)?;
    let Json(Credentials { username, password }) = body?;

    let Some(user) = app.users.authenticate(&username, password).await? else {
        // Not the name that was typed: at times it is the password.
        tracing::info!(address = %peer.ip(), "refused a sign-in");
        return Err(ApiError::INVALID_CREDENTIALS);
    };

    // Behind a proxy the address is in a header that the proxy sets, and only that proxy may be believed.
    let address = ClientInfo::default().with_address(peer.ip().to_string());
    // The browser forgets the sessions of its cookies now, so the server is to forget them too.
    let who = SignIn::new(user.subject, Profile { name: user.name.to_owned() })
        .with_scope(user.scope)
        .with_client_info(address)
        .with_request(&headers, &app.cookie);
    let tokens = app.sessions.start(who).await?;
    tracing::info!(subject = user.subject, address = %peer.ip(), "signed in");
    Ok(tokens.into_response(&app.cookie).into_response())
}

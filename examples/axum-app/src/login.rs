//! The sign-in, which starts a session.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tower_jwt_auth::SignIn;
use tower_jwt_auth::sessions::ClientInfo;

use crate::app::App;
use crate::error::ApiError;
use crate::users::Profile;

/// The body of a sign-in. It has no `Debug`, so that no log line can contain the password.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    username: String,
    password: String,
}

/// `POST /auth/login`: checks the password and starts a session.
pub(crate) async fn login(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Result<Response, ApiError> {
    // Checked first: another site must not sign its visitors in as someone else.
    app.origins.check(&headers, &uri).map_err(|_| ApiError::CROSS_SITE)?;
    let Json(Credentials { username, password }) = body?;

    let Some(user) = app.users.authenticate(&username, password).await? else {
        // Without the user name: users sometimes type their password in its field.
        tracing::info!(address = %peer.ip(), "refused a sign-in");
        return Err(ApiError::INVALID_CREDENTIALS);
    };

    // Behind a proxy, the address is in a header of that proxy, which is the only one to trust for it.
    let address = ClientInfo::default().with_address(peer.ip().to_string());
    // The response replaces the cookies of the browser, so the sessions of those cookies end.
    let sign_in = SignIn::new(user.subject)
        .with_claims(Profile { name: user.name.to_owned() })
        .with_scope(user.scope)
        .with_client_info(address)
        .with_request(&headers, &app.cookie);
    let tokens = app.sessions.start(sign_in).await?;
    tracing::info!(subject = user.subject, address = %peer.ip(), "signed in");
    Ok(tokens.into_token_response(&app.cookie).into_response())
}

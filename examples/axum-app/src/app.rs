//! The routes and their shared state.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::DefaultBodyLimit;
use axum::middleware::map_response_with_state;
use axum::routing::{delete, get, post};
use tower::timeout::TimeoutLayer;
use tower::{BoxError, ServiceBuilder};
use tower_jwt_auth::revocation::SyncOptions;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth::{
    ConfigError, Issuer, JwtAuthLayer, LogoutService, OriginPolicy, RefreshCookie, RefreshService,
    RequireFreshLoginLayer, RequireScopeLayer, Sessions,
};

use crate::config::{Config, StartError};
use crate::error::ApiError;
use crate::keys::Keys;
use crate::users::{Profile, Users};
use crate::{api, assets, headers, login, ready, sessions};

/// The `iss` of the tokens: an identifier, which does not depend on the address of the server.
const ISSUER: &str = "http://localhost:3000";
/// The `aud` of the tokens.
const AUDIENCE: &str = "http://localhost:3000/api";

/// The max size of a request's body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// The time from the head of a request to its response. It bounds clients that send their body slowly: the calls
/// of the store have shorter timeouts.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The state of the handlers. A clone copies pointers.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) sessions: Sessions<Profile>,
    pub(crate) cookie: RefreshCookie,
    pub(crate) origins: OriginPolicy,
    pub(crate) users: Users,
    pub(crate) max_staleness: Duration,
}

/// Builds the application with its keys, and connects it to its store. Returns its routes and its sessions.
pub(crate) async fn build(config: &Config) -> Result<(Router, Sessions<Profile>), StartError> {
    let (keys, watcher) = match config.keys() {
        None => (Keys::generate()?, None),
        Some(path) => Keys::watched(path).map(|(keys, watcher)| (keys, Some(watcher)))?,
    };
    let follow = SyncOptions::default().with_heartbeat(config.heartbeat());
    let follow = follow.map_err(|source| StartError::new("cannot use HEARTBEAT", source))?;
    let store = config.store().connect().await?;
    if config.store().is_durable() && config.keys().is_none() {
        tracing::warn!(
            "KEYS is not set: a restart signs everyone out, and other processes reject these tokens"
        );
    }
    let app = set_up(config, keys, store, follow).map_err(|source| {
        let (lifetime, grace) = (config.access_lifetime(), config.rotation().grace());
        let (lifetime, grace) = (lifetime.as_secs(), grace.as_secs());
        let message =
            format!("cannot set up sessions with ACCESS_LIFETIME={lifetime}, GRACE={grace}");
        StartError::new(message, source)
    })?;
    let sessions = app.sessions.clone();
    if let Some(watcher) = watcher {
        // It ends with the runtime.
        tokio::spawn(watcher.watch(sessions.clone()));
    }
    let router = router(app, config);
    let router = router.map_err(|source| StartError::new("cannot set up the routes", source))?;
    Ok((router, sessions))
}

fn set_up(
    config: &Config,
    keys: Keys,
    store: Arc<dyn SessionStore>,
    follow: SyncOptions,
) -> Result<App, ConfigError> {
    let issuer =
        Issuer::new(ISSUER, AUDIENCE, keys.ring)?.with_access_lifetime(config.access_lifetime())?;
    Ok(App {
        sessions: Sessions::builder(issuer, keys.refresh_secrets, store)
            .claims::<Profile>()
            .sync_options(follow)
            .rotation(config.rotation())
            .build()?,
        cookie: RefreshCookie::host(),
        origins: OriginPolicy::same_origin(),
        users: Users::new(),
        max_staleness: config.max_staleness(),
    })
}

fn router(app: App, config: &Config) -> Result<Router, ConfigError> {
    let auth = JwtAuthLayer::for_sessions(&app.sessions).with_max_staleness(app.max_staleness);
    let (sessions, cookie) = (&app.sessions, &app.cookie);
    let admin = get(api::admin).layer(RequireScopeLayer::new("admin")?);
    let transfer = post(api::transfer).layer(RequireFreshLoginLayer::new(config.login_max_age())?);

    let timeout = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_: BoxError| async { ApiError::REQUEST_TIMEOUT }))
        .layer(TimeoutLayer::new(REQUEST_TIMEOUT));
    Ok(Router::new()
        .route("/api/me", get(api::me))
        .route("/api/admin", admin)
        .route("/api/transfer", transfer)
        .route("/auth/sessions", get(sessions::list))
        .route("/auth/sessions/{id}", delete(sessions::end))
        // The routes above require an access token, those below do not.
        .route_layer(auth)
        .route("/auth/login", post(login::login))
        .route_service("/auth/refresh", RefreshService::new(sessions, cookie.clone()))
        .route_service("/auth/logout", LogoutService::this_session(sessions, cookie.clone()))
        .route_service("/auth/logout-all", LogoutService::everywhere(sessions, cookie.clone()))
        .route_service("/.well-known/jwks.json", sessions.issuer().jwks())
        .route("/readyz", get(ready::ready))
        .merge(assets::routes())
        .fallback(|| async { ApiError::NOT_FOUND })
        .layer(timeout)
        .layer(map_response_with_state(headers::security(config.hsts_max_age()), headers::add))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app))
}

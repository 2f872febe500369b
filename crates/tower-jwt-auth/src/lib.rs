//! Tower middleware that issues, checks, refreshes, rotates and revokes JWT access and refresh tokens.
//!
//! - [`JwtAuthLayer`] checks the access token of every request and puts an [`Identity<C>`] into its extensions;
//!   [`RequireScope`] and [`RequireFreshLogin`] ask for more of it.
//! - [`Sessions`] starts, refreshes, ends and lists sessions. [`RefreshService`] and [`LogoutService`] are its
//!   HTTP faces, [`SignIn::with_request`] and [`Tokens::into_response`] are what a login takes and answers,
//!   [`RefreshCookie`] is what carries the refresh token.
//! - [`RevocationList`] is the copy in memory of what has been revoked.
//! - [`SessionStore`] is where sessions are kept: [`MemoryStore`] here, others in crates of their own.
//!
//! # Examples
//!
//! ```
//! use axum::http::{HeaderMap, StatusCode, Uri};
//! use axum::{Router, extract::State, response::{IntoResponse, Response}, routing::{get, post}};
//! use tower_jwt_auth::{
//!     Identity, Issuer, JwtAuthLayer, LogoutService, MemoryStore, OriginPolicy, RefreshCookie,
//!     RefreshSecrets, RefreshService, Sessions, SignIn, SigningKey,
//! };
//!
//! #[derive(Clone, serde::Serialize, serde::Deserialize)]
//! struct Profile { name: String }
//!
//! async fn login(
//!     State((sessions, cookie)): State<(Sessions<Profile>, RefreshCookie)>,
//!     uri: Uri,
//!     headers: HeaderMap,
//! ) -> Response {
//!     // First of all: another site must not be able to sign its visitors in as someone else.
//!     if let Err(cross_site) = OriginPolicy::same_origin().check(&headers, &uri) {
//!         return cross_site.into_response().into_response();
//!     }
//!     // … after the password has been checked. The session of a cookie that came along ends.
//!     let who = SignIn::new("alice", Profile { name: "Alice".into() }).with_request(&headers, &cookie);
//!     match sessions.start(who).await {
//!         Ok(tokens) => tokens.into_response(&cookie).into_response(),
//!         Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
//!     }
//! }
//!
//! # #[cfg(feature = "axum")]
//! async fn me(user: Identity<Profile>) -> String {
//!     format!("{} is {}", user.subject(), user.claims().name)
//! }
//! # #[cfg(not(feature = "axum"))] async fn me() -> String { String::new() }
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
//! let sessions = Sessions::<Profile>::new(issuer, RefreshSecrets::generate()?, MemoryStore::new())?;
//! let auth = JwtAuthLayer::for_sessions(&sessions);
//! let cookie = RefreshCookie::host();
//!
//! let app: Router = Router::new()
//!     .route("/api/me", get(me))
//!     .route("/api/admin", get(me).layer(auth.require_scope("admin")?))
//!     .route_layer(auth)
//!     .route("/auth/login", post(login))
//!     .route_service("/auth/refresh", RefreshService::new(&sessions, cookie.clone()))
//!     .route_service("/auth/logout", LogoutService::this_session(&sessions, cookie.clone()))
//!     .with_state((sessions, cookie));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `axum`: extractors for axum handlers.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod algorithm;
mod auth;
mod background;
mod claims;
mod endpoints;
mod error;
mod http;
mod identity;
mod issuer;
mod jws;
mod keys;
mod refresh_token;
mod revocation;
mod scope;
mod sessions;
mod store_guard;
mod verifier;

/// What the author of a store, or of a layer around one, works with: the whole of `tower-jwt-auth-core`.
pub mod store {
    pub use tower_jwt_auth_core::*;
}

/// The attribute that implementations of [`RefreshHook`], [`SessionStore`] and [`RevocationLog`] need.
pub use async_trait::async_trait;
pub use tower_jwt_auth_core::{
    ClientInfo, Clock, EndReason, ManualClock, MemoryStore, Revocation, RevocationLog,
    RotationPolicy, Session, SessionId, SessionLimit, SessionPage, SessionPosition, SessionStore,
    StoreError, SystemClock, Timestamp, TokenId,
};

pub use self::algorithm::Algorithm;
#[cfg(feature = "axum")]
pub use self::auth::IdentityRejection;
pub use self::auth::{
    Anonymous, AuthBody, JwtAuth, JwtAuthLayer, OptionalJwtAuthLayer, RequireFreshLogin,
    RequireScope, Required, RequiredFuture, ResponseFuture,
};
pub use self::claims::ClaimsError;
pub use self::endpoints::{
    EndpointFuture, JwksService, LogoutService, RefreshCookie, RefreshService, SameSite,
};
pub use self::error::{ConfigError, RequestError, TokenError, TokenPart};
pub use self::http::challenge::AuthError;
pub use self::http::origin::OriginPolicy;
pub use self::http::token_source::TokenSource;
pub use self::identity::Identity;
pub use self::issuer::{AccessToken, IssueError, Issuer};
pub use self::keys::{KeyRing, KeySet, KeySource, RefreshSecrets, SigningKey, VerifyingKey};
pub use self::refresh_token::RefreshToken;
pub use self::revocation::{RevocationList, SyncOptions, TokenStatus};
pub use self::sessions::{
    HookError, RefreshContext, RefreshError, RefreshHook, RefreshKind, RefreshRejection, Renewal,
    SessionError, Sessions, SignIn, Tokens,
};
pub use self::verifier::{TrustedIssuer, Verifier};

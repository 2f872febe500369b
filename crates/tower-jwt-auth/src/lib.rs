//! Tower middleware that issues, checks, refreshes, rotates and revokes JWT access and refresh tokens.
//!
//! - [`JwtAuthLayer`] checks the access token of every request and puts an [`Identity`] into its extensions.
//!   [`RequireScopeLayer`], [`RequireFreshLoginLayer`] and the other layers in [`auth`] require more of it.
//! - [`Sessions`] starts, refreshes, ends and lists sessions. [`RefreshService`] and [`LogoutService`] expose it over
//!   HTTP. [`SignIn::with_request`] reads the request of a login, [`Tokens::into_token_response`] writes its response,
//!   and [`RefreshCookie`] carries the refresh token.
//! - [`RevocationList`] is the copy of the revocations in memory.
//! - [`SessionStore`](store::SessionStore) keeps the sessions: [`MemoryStore`] here, others in crates of their own.
//!
//! # Examples
//!
//! ```
//! use axum::http::{HeaderMap, Uri};
//! use axum::{Router, extract::State, response::{IntoResponse, Result}, routing::{get, post}};
//! use tower_jwt_auth::{
//!     Claims, Identity, Issuer, JwtAuthLayer, LogoutService, MemoryStore, OriginPolicy, RefreshCookie,
//!     RefreshSecrets, RefreshService, RequireScopeLayer, Sessions, SignIn, SigningKey,
//! };
//!
//! #[derive(Clone, serde::Serialize, serde::Deserialize)]
//! struct Profile { name: String }
//!
//! # #[cfg(feature = "axum")]
//! async fn login(
//!     State((sessions, cookie)): State<(Sessions<Profile>, RefreshCookie)>,
//!     uri: Uri,
//!     headers: HeaderMap,
//! ) -> Result<impl IntoResponse> {
//!     // Checked first: another site must not sign its visitors in as someone else.
//!     OriginPolicy::same_origin().check(&headers, &uri)?;
//!     // … after the check of the password. The session of a cookie in the request ends.
//!     let sign_in = SignIn::new("alice")
//!         .with_claims(Profile { name: "Alice".into() })
//!         .with_request(&headers, &cookie);
//!     Ok(sessions.start(sign_in).await?.into_token_response(&cookie))
//! }
//!
//! # #[cfg(feature = "axum")]
//! async fn me(user: Identity, profile: Claims<Profile>) -> String {
//!     format!("{} is {}", user.subject(), profile.name)
//! }
//! # #[cfg(not(feature = "axum"))] async fn login() {}
//! # #[cfg(not(feature = "axum"))] async fn me() {}
//!
//! # #[tokio::main] async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
//! let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new())
//!     .claims::<Profile>()
//!     .build()?;
//! let auth = JwtAuthLayer::for_sessions(&sessions);
//! let cookie = RefreshCookie::host();
//!
//! let app: Router = Router::new()
//!     .route("/api/me", get(me))
//!     .route("/api/admin", get(me).layer(RequireScopeLayer::new("admin")?))
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
//! No feature is enabled by default.
//!
//! - `axum`: extractors for axum handlers, and the errors as responses of handlers.
//! - `serde`: `Serialize` and `Deserialize` for [`Algorithm`], ids and times, and `Serialize` for lists of sessions.
#![cfg_attr(docsrs, feature(doc_cfg))]
// The docs of docs.rs have all features. Others lack the items that some links name.
#![cfg_attr(not(all(feature = "axum", feature = "jwks")), allow(rustdoc::broken_intra_doc_links))]

mod algorithm;
pub mod auth;
mod background;
mod base64url;
mod claims;
pub mod endpoints;
mod error;
pub mod guide;
mod http;
mod identity;
mod issuer;
mod jws;
pub mod keys;
mod prehashed;
mod refresh_token;
mod revision;
pub mod revocation;
mod scope;
pub mod sessions;
pub mod store;
mod store_guard;
pub mod tokens;
mod url;
mod verifier;

/// The attribute that implementations of [`RefreshHook`], [`SessionStore`](store::SessionStore) and
/// [`RevocationLog`](store::RevocationLog) need.
pub use async_trait::async_trait;

#[doc(inline)]
pub use self::auth::{
    AuthError, JwtAuthLayer, OriginPolicy, RequireAnyScopeLayer, RequireFreshLoginLayer,
    RequireLayer, RequireScopeLayer, TokenSource,
};
#[doc(inline)]
pub use self::endpoints::{JwksService, LogoutService, RefreshCookie, RefreshService};
pub use self::error::ConfigError;
#[doc(inline)]
pub use self::keys::{Algorithm, KeySet, RefreshSecrets, SigningKey, VerifyingKey};
#[doc(inline)]
pub use self::revocation::RevocationList;
#[doc(inline)]
pub use self::sessions::{RefreshHook, RotationPolicy, Sessions, SignIn, Tokens};
#[doc(inline)]
pub use self::store::{MemoryStore, Timestamp};
#[doc(inline)]
pub use self::tokens::{Claims, Identity, Issuer, TrustedIssuer, Verifier};

use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use tower_jwt_auth_core::{ClientInfo, Session};

use super::RefreshKind;

/// Asked when a refresh token is answered: may the session go on, and with which claims. It is asked for replays and
/// late retries too ([`RefreshContext::kind`]), and once for the requests of one client that bring the same token at
/// the same time.
///
/// It is the place to notice that a user was disabled or changed the password, and to bring fresh claims into
/// the next access token. Its answer concerns that token alone; the session keeps what it was started with.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::{HookError, RefreshContext, RefreshKind, Renewal};
/// use tower_jwt_auth::{RefreshHook, async_trait};
///
/// struct OnlyActive;
///
/// #[async_trait]
/// impl RefreshHook for OnlyActive {
///     async fn on_refresh(
///         &self,
///         refresh: &RefreshContext<'_>,
///         claims: (),
///     ) -> Result<Renewal, HookError> {
///         if refresh.kind() == RefreshKind::RetriedLate {
///             println!("{} retried late", refresh.session().subject());
///         }
///         match refresh.session().subject() {
///             "mallory" => Err(HookError::Refuse),
///             _ => Ok(Renewal::of(refresh.session(), claims)),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait RefreshHook<C = ()>: Send + Sync + 'static {
    /// Judges a refresh of a session whose claims were these at sign-in.
    ///
    /// # Errors
    ///
    /// [`HookError::Refuse`] ends the session. [`HookError::Unavailable`] answers 503 with the successor of the
    /// refresh token, so that the client can try again; so does a hook that takes longer than 5 seconds.
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        claims: C,
    ) -> Result<Renewal<C>, HookError>;
}

/// What a [`RefreshHook`] knows of a refresh.
#[derive(Clone, Copy, Debug)]
pub struct RefreshContext<'r> {
    pub(super) session: &'r Session,
    pub(super) kind: RefreshKind,
    pub(super) client: &'r ClientInfo,
}

impl RefreshContext<'_> {
    /// Returns the session, as it is after the refresh.
    pub fn session(&self) -> &Session {
        self.session
    }

    /// Returns how the refresh token came to be answered.
    pub fn kind(&self) -> RefreshKind {
        self.kind
    }

    /// Returns the user agent and address of the client that refreshes, as far as they are known.
    /// [`Session::client_info`] is where the session was started from.
    pub fn client(&self) -> &ClientInfo {
        self.client
    }
}

/// What the next access token is to say.
#[must_use]
pub struct Renewal<C = ()> {
    pub(super) claims: C,
    pub(super) scope: String,
}

impl<C> Renewal<C> {
    /// The session's own scope, and these claims.
    pub fn of(session: &Session, claims: C) -> Self {
        Self { claims, scope: session.scope().to_owned() }
    }

    /// Another scope, space-separated.
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }
}

impl<C> fmt::Debug for Renewal<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Why a session is not renewed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// It must not go on: it ends.
    #[error("the application refused to renew the session")]
    Refuse,
    /// It cannot be told just now.
    #[error("the application cannot tell whether the session may be renewed")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
}

impl HookError {
    /// It cannot be told just now, for this reason.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

/// The hook of those who set none: everything stays as it was at sign-in.
pub(super) struct KeepClaims;

#[async_trait]
impl<C: Send + 'static> RefreshHook<C> for KeepClaims {
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        claims: C,
    ) -> Result<Renewal<C>, HookError> {
        Ok(Renewal::of(refresh.session, claims))
    }
}

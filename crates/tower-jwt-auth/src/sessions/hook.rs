use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use tower_jwt_auth_core::{ClientInfo, Session};

use super::RefreshKind;

/// Decides at each refresh whether the session continues, and with which claims.
///
/// A hook can reject a user who was disabled, and put current claims into the next access token. The renewal applies to
/// that token alone: the session keeps the claims and the scope of the sign-in.
///
/// Replays and late retries also call the hook ([`RefreshContext::kind`]). Requests of one client with the same token
/// at the same time share one call.
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
    /// Decides about a refresh. The claims are those of the sign-in. Registered claims that their type names are those
    /// of the next access token, with the scope of the session.
    ///
    /// # Errors
    ///
    /// - [`HookError::Refuse`] ends the session. The response is 401.
    /// - [`HookError::Unavailable`] does not end the session. The response is 503 with the successor of the refresh
    ///   token, so that the client can retry. A hook that takes longer than
    ///   [`STORE_TIMEOUT`](crate::store::STORE_TIMEOUT) has the same effect.
    async fn on_refresh(
        &self,
        refresh: &RefreshContext<'_>,
        claims: C,
    ) -> Result<Renewal<C>, HookError>;
}

/// A refresh, as a [`RefreshHook`] sees it.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::{RefreshContext, RefreshKind};
///
/// fn log(refresh: &RefreshContext<'_>) {
///     if refresh.kind() == RefreshKind::RetriedLate {
///         println!("{} retried from {:?}", refresh.session().subject(), refresh.client().address());
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RefreshContext<'r> {
    pub(super) session: &'r Session,
    pub(super) kind: RefreshKind,
    pub(super) client: &'r ClientInfo,
}

impl RefreshContext<'_> {
    /// Returns the session after the refresh.
    pub fn session(&self) -> &Session {
        self.session
    }

    /// Returns how the refresh responds to the refresh token.
    pub fn kind(&self) -> RefreshKind {
        self.kind
    }

    /// Returns the user agent and the address of the client that refreshes, as far as they are known. Those of the
    /// sign-in are in [`Session::client_info`].
    pub fn client(&self) -> &ClientInfo {
        self.client
    }
}

/// The claims and the scope of the next access token.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::{RefreshContext, Renewal};
///
/// /// Renews a session without the scope `write`.
/// fn read_only(refresh: &RefreshContext<'_>) -> Renewal {
///     Renewal::of(refresh.session(), ()).with_scope("read")
/// }
/// ```
#[must_use]
pub struct Renewal<C = ()> {
    pub(super) claims: C,
    pub(super) scope: String,
}

impl<C> Renewal<C> {
    /// Creates a renewal with the scope of the session and these claims.
    pub fn of(session: &Session, claims: C) -> Self {
        Self { claims, scope: session.scope().to_owned() }
    }

    /// Sets another scope: words separated by spaces (RFC 6749 §3.3).
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

/// The reason for which a hook does not renew a session.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::sessions::HookError;
///
/// let error = HookError::unavailable("the user database does not respond");
/// assert!(matches!(error, HookError::Unavailable(_)));
/// assert!(error.to_string().ends_with("the user database does not respond"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// The application refuses the renewal. The session ends.
    #[error("the application refuses to renew the session")]
    Refuse,
    /// The application cannot decide at the moment. The session continues, and the client can retry.
    #[error("the application cannot decide about the session at the moment: {0}")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
}

impl HookError {
    /// Creates the error of a hook that cannot decide at the moment, from its cause.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

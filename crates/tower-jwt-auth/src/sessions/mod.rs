//! Sessions: start, refresh, end, list. The HTTP services are thin faces of this.

mod end;
mod hook;
mod in_flight;
mod permits;
mod presented;
mod refresh;
mod refresh_error;
mod rotate;
mod sign_in;
mod start;
mod sweeper;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tower_jwt_auth_core::{Clock, RotationPolicy, SessionLimit, SessionStore, StoreError};

pub(crate) use self::end::LogoutScope;
pub use self::hook::{HookError, RefreshContext, RefreshHook, Renewal};
pub(crate) use self::permits::Work;
pub use self::refresh_error::{RefreshError, RefreshRejection};
pub use self::rotate::RefreshKind;
pub use self::sign_in::SignIn;

use self::end::LostEndings;
use self::hook::KeepClaims;
use self::in_flight::InFlight;
use self::permits::InFlightLimits;
use self::sweeper::SessionSweeper;
use crate::background;
use crate::error::ConfigError;
use crate::issuer::{AccessToken, IssueError, Issuer};
use crate::keys::RefreshSecrets;
use crate::refresh_token::RefreshToken;
use crate::revocation::{RevocationList, SyncOptions};
use crate::store_guard::GuardedStore;

/// Starts, refreshes, ends and lists sessions whose access tokens carry the application's claims `C`.
///
/// Cloning it copies pointers.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let sessions = Sessions::<()>::new(issuer, RefreshSecrets::generate()?, MemoryStore::new())?;
///
/// let first = sessions.start(SignIn::new("alice", ())).await?;
/// let second = sessions.refresh(first.refresh().as_str()).await?;
/// assert_eq!(second.refresh().generation(), 1);
/// assert_eq!(sessions.end_all("alice").await?, 1);
/// assert!(sessions.refresh(second.refresh().as_str()).await.is_err());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Sessions<C> {
    issuer: Issuer,
    secrets: RefreshSecrets,
    store: Arc<dyn SessionStore>,
    revocations: RevocationList,
    policy: RotationPolicy,
    limit: SessionLimit,
    hook: Arc<dyn RefreshHook<C>>,
    sweeper: SessionSweeper,
    runtime: Handle,
    places: InFlightLimits,
    in_flight: Arc<InFlight>,
    lost_endings: Arc<LostEndings>,
    claims: PhantomData<fn() -> C>,
}

impl<C> Sessions<C>
where
    C: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Sessions of this issuer, kept in this store. Their refresh tokens are signed with these secrets.
    ///
    /// Starts two background tasks, which end with the last clone: one follows the store's revocation log, the
    /// other removes sessions that are long over. A store that takes longer than 5 seconds to answer counts as
    /// out of reach.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRuntime`] outside a tokio runtime, which must have its timers enabled.
    pub fn new(
        issuer: Issuer,
        secrets: RefreshSecrets,
        store: impl SessionStore,
    ) -> Result<Self, ConfigError> {
        Self::new_with(issuer, secrets, store, SyncOptions::default())
    }

    /// As [`new`](Self::new), with a policy of how the revocation log is followed; its clock is the issuer's.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn new_with(
        issuer: Issuer,
        secrets: RefreshSecrets,
        store: impl SessionStore,
        follow: SyncOptions,
    ) -> Result<Self, ConfigError> {
        let runtime = background::runtime()?;
        let store: Arc<dyn SessionStore> = Arc::new(GuardedStore::new(store));
        let log = Arc::clone(&store);
        // Everything here goes by one clock.
        let follow = follow.with_clock(Arc::clone(issuer.clock()));
        let revocations = RevocationList::follow_shared(log, follow)?;
        let sweeper = SessionSweeper::start(&runtime, Arc::clone(&store));
        let sessions = Self {
            issuer,
            secrets,
            store,
            revocations,
            policy: RotationPolicy::default(),
            limit: SessionLimit::default(),
            hook: Arc::new(KeepClaims),
            sweeper,
            runtime,
            places: InFlightLimits::new(),
            in_flight: Arc::default(),
            lost_endings: Arc::default(),
            claims: PhantomData,
        };
        let default = RotationPolicy::default();
        let grace = default.grace().min(sessions.issuer.access_lifetime() / 2);
        sessions.with_policy(default.with_grace(grace))
    }

    /// How refresh tokens rotate and how long sessions live; as [`RotationPolicy::default`] unless set, with a
    /// grace window of half an access token's life where that is less than 10 seconds.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Duration`] when sessions would be over before they are idle, or access tokens before the
    /// grace window: an answer replayed in it would bring a dead token. Also when a session would be idle after less
    /// than a second or within the grace window, and when its absolute lifetime is above ten years.
    pub fn with_policy(mut self, policy: RotationPolicy) -> Result<Self, ConfigError> {
        let refuse = |what, given, hint| Err(ConfigError::Duration { what, given, hint });
        if policy.idle() < Duration::from_secs(1) || policy.idle() > policy.absolute() {
            let hint = "give at least a second and no more than the absolute lifetime";
            return refuse("idle lifetime of sessions", policy.idle(), hint);
        }
        if policy.absolute() > Duration::from_secs(10 * 366 * 24 * 3600) {
            return refuse(
                "absolute lifetime of sessions",
                policy.absolute(),
                "give ten years at most",
            );
        }
        if policy.grace() >= policy.idle() {
            return refuse("grace window", policy.grace(), "give less than the idle lifetime");
        }
        if policy.grace() >= self.issuer.access_lifetime() {
            let hint = "give less than the life of access tokens, or let those live longer";
            return refuse("grace window", policy.grace(), hint);
        }
        self.policy = policy;
        self.in_flight = Arc::default();
        Ok(self)
    }

    /// How many live sessions a subject may have: 100 unless set, of which the oldest ends;
    /// [`SessionLimit::none`] for any number.
    pub fn with_session_limit(mut self, limit: SessionLimit) -> Self {
        self.limit = limit;
        self
    }

    /// What is asked when a session is refreshed: whether it may go on, and with which claims.
    pub fn with_refresh_hook(mut self, hook: impl RefreshHook<C>) -> Self {
        self.hook = Arc::new(hook);
        // What is under way elsewhere is judged by another hook.
        self.in_flight = Arc::default();
        self
    }

    /// Stops removing sessions that are long over from the store, for those who do that elsewhere.
    pub fn without_housekeeping(mut self) -> Self {
        self.sweeper = SessionSweeper::none();
        self
    }

    /// What has been revoked.
    pub fn revocations(&self) -> &RevocationList {
        &self.revocations
    }

    /// Who issues the access tokens.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }
}

impl<C> Sessions<C> {
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        self.issuer.clock()
    }

    /// The runtime in which what has been begun is brought to its end, though nobody waits for it any more.
    pub(crate) fn runtime(&self) -> Handle {
        Handle::try_current().unwrap_or_else(|_| self.runtime.clone())
    }

    /// A place among the requests that are worked on; none when there are too many.
    pub(crate) fn try_acquire_permit(&self, work: Work) -> Option<OwnedSemaphorePermit> {
        self.places.take(work)
    }
}

impl<C> Clone for Sessions<C> {
    fn clone(&self) -> Self {
        Self {
            issuer: self.issuer.clone(),
            secrets: self.secrets.clone(),
            store: Arc::clone(&self.store),
            revocations: self.revocations.clone(),
            policy: self.policy.clone(),
            limit: self.limit,
            hook: Arc::clone(&self.hook),
            sweeper: self.sweeper.clone(),
            runtime: self.runtime.clone(),
            places: self.places.clone(),
            in_flight: Arc::clone(&self.in_flight),
            lost_endings: Arc::clone(&self.lost_endings),
            claims: PhantomData,
        }
    }
}

impl<C> fmt::Debug for Sessions<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("issuer", &self.issuer)
            .field("policy", &self.policy)
            .field("revocations", &self.revocations)
            .finish_non_exhaustive()
    }
}

/// What a sign-in or a refresh gives: an access token and a refresh token.
#[derive(Clone, Debug)]
#[must_use]
pub struct Tokens {
    pub(crate) access: AccessToken,
    pub(crate) refresh: RefreshToken,
}

impl Tokens {
    /// The access token.
    pub fn access(&self) -> &AccessToken {
        &self.access
    }

    /// The refresh token.
    pub fn refresh(&self) -> &RefreshToken {
        &self.refresh
    }
}

/// Why a session could not be started, ended or listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The subject is empty.
    #[error("the subject is empty")]
    NoSubject,
    /// The scope is none (RFC 6749 §3.3).
    #[error("the scope is not made of words of visible ASCII without quote or backslash")]
    Scope,
    /// The client id is empty.
    #[error("the client id is empty")]
    NoClientId,
    /// The subject has as many sessions as allowed.
    #[error("the subject has as many sessions as allowed")]
    Limit,
    /// The tokens could not be made.
    #[error("the tokens could not be made")]
    Issue(#[from] IssueError),
    /// The store did not do it. It may or may not have happened, but not by halves.
    #[error("the store did not do it")]
    Store(#[source] StoreError),
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Limit => Self::Limit,
            other => Self::Store(other),
        }
    }
}

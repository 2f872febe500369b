//! Starts, refreshes, ends and lists sessions. The [endpoints](crate::endpoints) expose refresh and logout over HTTP.

mod builder;
mod by_identity;
mod end;
mod error;
mod hook;
mod in_flight;
mod presented;
mod refresh;
mod refresh_error;
mod rotate;
mod sign_in;
mod start;
mod sweeper;
mod tasks;
mod tokens;

use std::fmt;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tower_jwt_auth_core::{Clock, SessionStore};

pub use tower_jwt_auth_core::{
    ClientInfo, EndReason, RotationPolicy, Session, SessionId, SessionLimit, SessionPage,
    SessionPosition,
};

pub use self::builder::SessionsBuilder;
pub(crate) use self::end::LogoutScope;
pub use self::error::SessionError;
pub use self::hook::{HookError, RefreshContext, RefreshHook, Renewal};
pub use self::refresh_error::{RefreshError, RefreshRejection};
pub use self::rotate::RefreshKind;
pub use self::sign_in::SignIn;
pub use self::tokens::Tokens;

use self::end::LostBatches;
use self::in_flight::InFlight;
use self::sweeper::SessionSweeper;
use self::tasks::Tasks;
use crate::issuer::Issuer;
use crate::keys::{KeyHandle, RefreshSecrets};
use crate::revocation::RevocationList;
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
/// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
///
/// let first = sessions.start(SignIn::new("alice")).await?;
/// let second = sessions.refresh(first.refresh().as_str()).await?;
/// assert_eq!(second.refresh().generation(), 1);
/// assert_eq!(sessions.end_all("alice").await?, 1);
/// assert!(sessions.refresh(second.refresh().as_str()).await.is_err());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Sessions<C = ()> {
    inner: Arc<SessionsInner<C>>,
}

struct SessionsInner<C> {
    issuer: Issuer,
    secrets: KeyHandle<RefreshSecrets>,
    store: Arc<GuardedStore<dyn SessionStore>>,
    revocations: RevocationList,
    rotation: RotationPolicy,
    limit: SessionLimit,
    hook: Option<Arc<dyn RefreshHook<C>>>,
    /// Ends with the last clone.
    _sweeper: Option<SessionSweeper>,
    tasks: Tasks,
    in_flight: InFlight,
    lost_batches: LostBatches,
}

impl Sessions {
    /// Returns a builder of sessions of this issuer in this store. The secrets sign the refresh tokens.
    ///
    /// A store that takes longer than [`STORE_TIMEOUT`](crate::store::STORE_TIMEOUT) counts as unavailable.
    pub fn builder(
        issuer: Issuer,
        secrets: RefreshSecrets,
        store: impl SessionStore,
    ) -> SessionsBuilder {
        SessionsBuilder::new(issuer, secrets, store)
    }
}

impl<C> Sessions<C> {
    /// Returns the list of revocations.
    pub fn revocations(&self) -> &RevocationList {
        &self.inner.revocations
    }

    /// Returns the issuer of the access tokens.
    pub fn issuer(&self) -> &Issuer {
        &self.inner.issuer
    }

    /// Returns the secrets of the refresh tokens, to replace them while the service runs. Clones share them.
    pub fn refresh_secrets(&self) -> &KeyHandle<RefreshSecrets> {
        &self.inner.secrets
    }

    /// Waits until the refreshes and logouts that have begun are complete, including those whose client has left.
    ///
    /// Call it once the server has stopped and before the runtime ends.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SigningKey};
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
    /// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
    /// // … axum::serve(listener, app).with_graceful_shutdown(signal).await?;
    /// sessions.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self) {
        self.inner.tasks.completed().await;
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        self.inner.issuer.clock()
    }

    /// Runs an operation in a separate task, which completes even if the caller leaves.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        operation: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.inner.tasks.spawn(operation)
    }
}

impl<C> Clone for Sessions<C> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<C> fmt::Debug for Sessions<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("issuer", &self.inner.issuer)
            .field("rotation", &self.inner.rotation)
            .field("revocations", &self.inner.revocations)
            .finish_non_exhaustive()
    }
}

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth_core::{RevocationLog, RotationPolicy, SessionLimit, SessionStore};

use super::in_flight::InFlight;
use super::sweeper::SessionSweeper;
use super::tasks::Tasks;
use super::{RefreshHook, Sessions, SessionsInner};
use crate::error::ConfigError;
use crate::issuer::Issuer;
use crate::keys::{KeyHandle, RefreshSecrets};
use crate::revocation::{RevocationList, SyncOptions};
use crate::store_guard::GuardedStore;

/// The maximum absolute lifetime of a session.
const MAX_ABSOLUTE_LIFETIME: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// A builder of [`Sessions`], created by [`Sessions::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::sessions::{RotationPolicy, SessionLimit};
/// use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SigningKey};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new())
///     .rotation(RotationPolicy::default().with_idle(Duration::from_secs(7 * 24 * 3600)))
///     .session_limit(SessionLimit::end_oldest(10))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct SessionsBuilder<C = ()> {
    issuer: Issuer,
    secrets: RefreshSecrets,
    store: Arc<GuardedStore<dyn SessionStore>>,
    log: Arc<dyn RevocationLog>,
    rotation: Option<RotationPolicy>,
    limit: SessionLimit,
    hook: Option<Arc<dyn RefreshHook<C>>>,
    /// Whether the type of the claims was set after the hook, which the change of the type has dropped.
    has_dropped_hook: bool,
    sync_options: SyncOptions,
    sweeps: bool,
}

impl SessionsBuilder {
    pub(super) fn new(issuer: Issuer, secrets: RefreshSecrets, store: impl SessionStore) -> Self {
        let store = Arc::new(GuardedStore::new(store));
        Self {
            issuer,
            secrets,
            log: store.clone(),
            store,
            rotation: None,
            limit: SessionLimit::default(),
            hook: None,
            has_dropped_hook: false,
            sync_options: SyncOptions::default(),
            sweeps: true,
        }
    }
}

impl<C> SessionsBuilder<C> {
    /// Sets the type of the application's own claims, which every access token carries. It comes before
    /// [`refresh_hook`](Self::refresh_hook).
    pub fn claims<D>(self) -> SessionsBuilder<D> {
        SessionsBuilder {
            issuer: self.issuer,
            secrets: self.secrets,
            store: self.store,
            log: self.log,
            rotation: self.rotation,
            limit: self.limit,
            hook: None,
            has_dropped_hook: self.has_dropped_hook || self.hook.is_some(),
            sync_options: self.sync_options,
            sweeps: self.sweeps,
        }
    }

    /// Sets how refresh tokens rotate and how long sessions live. The default is [`RotationPolicy::default`], with a
    /// grace window of half an access token's lifetime if that is less than 10 seconds.
    pub fn rotation(mut self, rotation: RotationPolicy) -> Self {
        self.rotation = Some(rotation);
        self
    }

    /// Sets how many live sessions a subject may have. The default is 100: a further session ends the oldest one.
    /// [`SessionLimit::none`] allows any number.
    pub fn session_limit(mut self, limit: SessionLimit) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the hook that decides at each refresh whether the session continues, and with which claims.
    pub fn refresh_hook(mut self, hook: impl RefreshHook<C>) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// Sets how the revocation log is followed. The clock of the options is replaced with the issuer's.
    pub fn sync_options(mut self, options: SyncOptions) -> Self {
        self.sync_options = options;
        self
    }

    /// Sets whether a task removes sessions from the store that ended or expired long ago, once a minute. The default
    /// is `true`.
    pub fn sweep(mut self, sweeps: bool) -> Self {
        self.sweeps = sweeps;
        self
    }
}

impl<C: Send + 'static> SessionsBuilder<C> {
    /// Checks the settings together and starts the background tasks: one follows the store's revocation log, one
    /// removes old sessions. They end with the last clone.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::NoRuntime`] outside of a tokio runtime, which must have its timers enabled.
    /// - [`ConfigError::Duration`] if the idle lifetime is less than a second or more than the absolute lifetime, if
    ///   the absolute lifetime is above ten years, or if the grace window is not shorter than the idle lifetime and
    ///   than the lifetime of access tokens (a replayed response would contain an expired token).
    /// - [`ConfigError::ClaimsAfterHook`] if the type of the claims was set after the hook.
    pub fn build(self) -> Result<Sessions<C>, ConfigError> {
        if self.has_dropped_hook {
            return Err(ConfigError::ClaimsAfterHook);
        }
        let rotation = self.rotation.unwrap_or_else(|| {
            let default = RotationPolicy::default();
            let grace = default.grace().min(self.issuer.access_lifetime() / 2);
            default.with_grace(grace)
        });
        check_rotation(&rotation, self.issuer.access_lifetime())?;
        let tasks = Tasks::new()?;
        // The sessions, the list and the tokens use one clock.
        let sync_options = self.sync_options.with_clock(Arc::clone(self.issuer.clock()));
        let revocations = RevocationList::follow_shared(self.log, sync_options)?;
        let sweeps = self.sweeps.then(|| Arc::clone(&self.store));
        let sweeper = sweeps.map(|store| SessionSweeper::start(tasks.runtime(), store));
        Ok(Sessions {
            inner: Arc::new(SessionsInner {
                issuer: self.issuer,
                secrets: KeyHandle::new(self.secrets),
                store: self.store,
                revocations,
                rotation,
                limit: self.limit,
                hook: self.hook,
                _sweeper: sweeper,
                tasks,
                in_flight: InFlight::new()?,
                lost_batches: Default::default(),
            }),
        })
    }
}

fn check_rotation(rotation: &RotationPolicy, access_lifetime: Duration) -> Result<(), ConfigError> {
    let reject = |what, given, hint| Err(ConfigError::Duration { what, given, hint });
    if rotation.idle() < Duration::from_secs(1) || rotation.idle() > rotation.absolute() {
        let hint = "use at least a second and at most the absolute lifetime";
        return reject("idle lifetime of sessions", rotation.idle(), hint);
    }
    if rotation.absolute() > MAX_ABSOLUTE_LIFETIME {
        let hint = "use at most ten years";
        return reject("absolute lifetime of sessions", rotation.absolute(), hint);
    }
    if rotation.grace() >= rotation.idle() {
        return reject("grace window", rotation.grace(), "use less than the idle lifetime");
    }
    if rotation.grace() >= access_lifetime {
        let hint = "use less than the lifetime of access tokens, or raise that";
        return reject("grace window", rotation.grace(), hint);
    }
    Ok(())
}

impl<C> Clone for SessionsBuilder<C> {
    fn clone(&self) -> Self {
        Self {
            issuer: self.issuer.clone(),
            secrets: self.secrets.clone(),
            store: Arc::clone(&self.store),
            log: Arc::clone(&self.log),
            rotation: self.rotation.clone(),
            limit: self.limit,
            hook: self.hook.clone(),
            has_dropped_hook: self.has_dropped_hook,
            sync_options: self.sync_options.clone(),
            sweeps: self.sweeps,
        }
    }
}

impl<C> fmt::Debug for SessionsBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsBuilder")
            .field("issuer", &self.issuer)
            .field("rotation", &self.rotation)
            .field("limit", &self.limit)
            .field("sync_options", &self.sync_options)
            .field("sweeps", &self.sweeps)
            .finish_non_exhaustive()
    }
}

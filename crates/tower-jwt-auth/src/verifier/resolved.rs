use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::trusted::TrustedIssuer;
use crate::error::TokenError;

/// Decides whether the issuer of this name is trusted, and with which settings.
pub(super) type Resolver = Arc<dyn Fn(&str) -> Option<TrustedIssuer> + Send + Sync>;

/// How long an issuer that has signed no accepted token keeps its place. Its keys may still be on their way.
const PROBATION: Duration = Duration::from_secs(30);
/// The maximum length of an issuer's name in bytes. The names come from tokens that are not verified yet.
const MAX_NAME_LENGTH: usize = 512;

/// There is no place for another issuer on probation. A place becomes free within [`PROBATION`].
const NO_PLACE: TokenError = TokenError::KeysUnavailable { retry_after: Duration::from_secs(10) };

type Issuers = HashMap<Box<str>, Arc<Resolved>>;

/// Issuers that the application resolves when their first token comes, in a bounded number.
///
/// The name in a token is not verified when its issuer is resolved. If the application's rule accepts made-up names,
/// these must neither displace the issuers in use nor cause fetches without a bound. So an issuer is on probation until
/// its keys have verified a token: at most a quarter of the places are for issuers on probation, and each of them keeps
/// its place for [`PROBATION`]. An issuer that is no longer on probation gives way only to another that has ended its
/// own probation, the least recently used first.
pub(super) struct ResolvedIssuers {
    resolver: Resolver,
    max: usize,
    issuers: ArcSwap<Issuers>,
    writer: Mutex<()>,
    /// Counts uses, for the order of the last ones.
    uses: AtomicU64,
}

struct Resolved {
    trusted: TrustedIssuer,
    resolved_at: Instant,
    on_probation: AtomicBool,
    last_use: AtomicU64,
}

impl ResolvedIssuers {
    pub(super) fn new(resolver: Resolver, max: usize) -> Self {
        Self {
            resolver,
            max,
            issuers: ArcSwap::default(),
            writer: Mutex::new(()),
            uses: AtomicU64::new(0),
        }
    }

    /// Returns an empty set with the same settings.
    pub(super) fn emptied(&self) -> Self {
        Self::new(Arc::clone(&self.resolver), self.max)
    }

    pub(super) fn remove(&self, name: &str) -> bool {
        let _writer = self.lock();
        let mut issuers = HashMap::clone(&self.issuers.load());
        let removed = issuers.remove(name).is_some();
        self.issuers.store(Arc::new(issuers));
        removed
    }

    /// Calls `verify` with the issuer of this name, which is resolved first if it is unknown.
    pub(super) fn verify_with<T, E: From<TokenError>>(
        &self,
        name: &str,
        now: Instant,
        verify: impl FnOnce(&TrustedIssuer) -> Result<T, E>,
    ) -> Result<T, E> {
        let known = self.issuers.load().get(name).cloned();
        let resolved = match known {
            Some(resolved) => resolved,
            None => self.resolve(name, now)?,
        };
        let verified = verify(&resolved.trusted)?;
        resolved.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        if resolved.on_probation.load(Ordering::Relaxed) {
            self.end_probation(&resolved);
        }
        Ok(verified)
    }

    /// Calls the application for the issuer of this name, and puts the issuer on probation.
    fn resolve(&self, name: &str, now: Instant) -> Result<Arc<Resolved>, TokenError> {
        // The application's code may be slow, or build a key set: it is not called without a free place.
        if name.len() > MAX_NAME_LENGTH {
            return Err(TokenError::Issuer);
        }
        if !self.has_place(&self.issuers.load(), now) {
            return Err(NO_PLACE);
        }
        // Not under the lock. Two threads may resolve one name: one result is kept.
        let trusted = (self.resolver)(name).ok_or(TokenError::Issuer)?;
        if trusted.name() != name {
            tracing::error!(
                resolved = trusted.name(),
                "an issuer was resolved to one of another name: its token is rejected"
            );
            return Err(TokenError::Issuer);
        }
        let _writer = self.lock();
        let mut issuers = HashMap::clone(&self.issuers.load());
        if let Some(resolved) = issuers.get(name) {
            return Ok(Arc::clone(resolved));
        }
        if !self.has_place(&issuers, now) {
            return Err(NO_PLACE);
        }
        let on_probation = |resolved: &Resolved| resolved.on_probation.load(Ordering::Relaxed);
        while issuers.values().filter(|resolved| on_probation(resolved)).count()
            >= self.probation_places()
        {
            evict_first(&mut issuers, on_probation, |resolved| resolved.resolved_at);
        }
        let resolved = Arc::new(Resolved {
            trusted: trusted.granting_listed_scopes(),
            resolved_at: now,
            on_probation: AtomicBool::new(true),
            last_use: AtomicU64::new(0),
        });
        issuers.insert(name.into(), Arc::clone(&resolved));
        self.issuers.store(Arc::new(issuers));
        tracing::info!(issuer = name, "an issuer was resolved");
        Ok(resolved)
    }

    /// Returns whether there is a place for another issuer on probation.
    fn has_place(&self, issuers: &Issuers, now: Instant) -> bool {
        let keeps_place = |resolved: &&Arc<Resolved>| {
            let age = now.saturating_duration_since(resolved.resolved_at);
            resolved.on_probation.load(Ordering::Relaxed) && age < PROBATION
        };
        issuers.values().filter(keeps_place).count() < self.probation_places()
    }

    fn probation_places(&self) -> usize {
        (self.max / 4).max(1)
    }

    /// Gives an issuer whose keys have verified a token a lasting place.
    #[cold]
    fn end_probation(&self, resolved: &Arc<Resolved>) {
        let _writer = self.lock();
        let mut issuers = HashMap::clone(&self.issuers.load());
        let current = issuers.get(resolved.trusted.name());
        if !current.is_some_and(|current| Arc::ptr_eq(current, resolved)) {
            // It has been removed in the meantime.
            return;
        }
        resolved.on_probation.store(false, Ordering::Relaxed);
        let lasts = |resolved: &Resolved| !resolved.on_probation.load(Ordering::Relaxed);
        let places = self.max - self.probation_places();
        while issuers.values().filter(|resolved| lasts(resolved)).count() > places {
            evict_first(&mut issuers, lasts, |resolved| resolved.last_use.load(Ordering::Relaxed));
        }
        self.issuers.store(Arc::new(issuers));
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the issuer that comes first in this order, of those that may be removed.
fn evict_first<K: Ord>(
    issuers: &mut Issuers,
    may_be_removed: impl Fn(&Resolved) -> bool,
    order: impl Fn(&Resolved) -> K,
) {
    let candidates = issuers.iter().filter(|(_, resolved)| may_be_removed(resolved));
    let first =
        candidates.min_by_key(|(_, resolved)| order(resolved)).map(|(name, _)| name.clone());
    if let Some(name) = first {
        tracing::info!(issuer = &*name, "an issuer gives its place to another");
        issuers.remove(&name);
    }
}

impl fmt::Debug for ResolvedIssuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolvedIssuers")
            .field("max", &self.max)
            .field("names", &self.issuers.load().keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::keys::SigningKey;

    struct Tenants {
        issuers: ResolvedIssuers,
        calls: Arc<AtomicUsize>,
        start: Instant,
    }

    impl Tenants {
        fn new(max: usize) -> Self {
            let key = SigningKey::generate().unwrap().verifying_key().clone();
            let calls = Arc::new(AtomicUsize::new(0));
            let resolver = {
                let calls = Arc::clone(&calls);
                move |name: &str| {
                    calls.fetch_add(1, Ordering::SeqCst);
                    let tenant = name.strip_prefix("https://login.example/")?;
                    let name = if tenant == "alias" { "https://login.example/1" } else { name };
                    Some(TrustedIssuer::new(name, "api", key.clone()).unwrap())
                }
            };
            let issuers = ResolvedIssuers::new(Arc::new(resolver), max);
            Self { issuers, calls, start: Instant::now() }
        }

        /// Presents a token of this tenant.
        fn present(&self, tenant: &str, is_signed: bool, seconds: u64) -> Result<(), TokenError> {
            let now = self.start + Duration::from_secs(seconds);
            let name = format!("https://login.example/{tenant}");
            let verdict = if is_signed { Ok(()) } else { Err(TokenError::Signature) };
            self.issuers.verify_with(&name, now, |_| verdict)
        }

        fn has(&self, tenant: &str) -> bool {
            self.issuers.issuers.load().contains_key(&*format!("https://login.example/{tenant}"))
        }

        fn calls(&self) -> usize {
            self.calls.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn an_issuer_is_resolved_once() {
        let tenants = Tenants::new(64);
        for _ in 0..3 {
            assert_eq!(tenants.present("a", true, 0), Ok(()));
        }
        assert_eq!(tenants.calls(), 1);
        assert!(tenants.issuers.remove("https://login.example/a"));
        assert!(!tenants.issuers.remove("https://login.example/a"));
        assert_eq!(tenants.present("a", true, 0), Ok(()));
        assert_eq!(tenants.calls(), 2);
    }

    #[test]
    fn names_that_the_application_does_not_trust_are_rejected_and_not_kept() {
        let tenants = Tenants::new(64);
        let other = |name: &str| {
            tenants.issuers.verify_with(name, tenants.start, |_| Ok::<_, TokenError>(()))
        };
        assert_eq!(other("https://evil.example/a"), Err(TokenError::Issuer));
        // An issuer must not be kept under the name of another.
        assert_eq!(tenants.present("alias", true, 0), Err(TokenError::Issuer));
        assert_eq!(tenants.present(&"x".repeat(MAX_NAME_LENGTH), true, 0), Err(TokenError::Issuer));
        assert_eq!(tenants.calls(), 2, "a name that is too long does not reach the application");
        assert!(tenants.issuers.issuers.load().is_empty());
    }

    #[test]
    fn made_up_names_take_the_places_of_probation_alone() {
        let tenants = Tenants::new(8);
        for tenant in ["a", "b", "c"] {
            assert_eq!(tenants.present(tenant, true, 0), Ok(()));
        }
        let calls = tenants.calls();
        let mut rejected = 0;
        for n in 0..1000 {
            // 1,000 names in 100 seconds.
            match tenants.present(&format!("made-up-{n}"), false, n / 10) {
                Err(TokenError::KeysUnavailable { .. }) => rejected += 1,
                result => assert_eq!(result, Err(TokenError::Signature)),
            }
        }
        // Two places, each for 30 seconds at least.
        assert_eq!(tenants.calls() - calls, 2 * 4);
        assert_eq!(rejected, 1000 - 8);
        for tenant in ["a", "b", "c"] {
            assert!(tenants.has(tenant), "{tenant}");
        }
        assert_eq!(tenants.issuers.issuers.load().len(), 3 + 2);
        // A new issuer finds a place once a probation is over.
        assert_eq!(tenants.present("d", true, 200), Ok(()));
    }

    #[test]
    fn the_least_recently_used_issuer_gives_way() {
        let tenants = Tenants::new(4);
        for tenant in ["a", "b", "c"] {
            assert_eq!(tenants.present(tenant, true, 0), Ok(()));
        }
        assert_eq!(tenants.present("a", true, 1), Ok(()));
        // A token that is not accepted is not a use.
        assert_eq!(tenants.present("b", false, 1), Err(TokenError::Signature));
        assert_eq!(tenants.present("d", true, 1), Ok(()));
        assert_eq!(
            ["a", "b", "c", "d"].map(|tenant| tenants.has(tenant)),
            [true, false, true, true]
        );
    }
}

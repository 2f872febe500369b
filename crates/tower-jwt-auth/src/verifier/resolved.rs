use std::collections::{HashMap, VecDeque};
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

/// There is no place for another issuer on probation. One becomes free within [`PROBATION`]; clients may ask earlier.
const NO_PLACE: TokenError = TokenError::KeysUnavailable { retry_after: Duration::from_secs(10) };

type Issuers = HashMap<Box<str>, Arc<Resolved>>;

/// Issuers that the application resolves when their first token comes, in a bounded number.
///
/// The name in a token is not verified when its issuer is resolved. If the application's rule accepts made-up names,
/// these must neither displace the issuers in use nor cause fetches without a bound. So an issuer is on probation until
/// its keys have verified a token. It then holds its place for [`PROBATION`], and gives way only to others on probation.
/// An issuer that has passed its probation gives way only to others that have, the least recently used first. It may
/// take three quarters of the places; probation has those that are left.
pub(super) struct ResolvedIssuers {
    resolver: Resolver,
    max: usize,
    issuers: ArcSwap<Issuers>,
    changes: Mutex<Changes>,
    /// Counts uses, for the order of the last ones.
    uses: AtomicU64,
}

/// The state of those that change the issuers.
#[derive(Default)]
struct Changes {
    /// The issuers on probation, in the order in which they were resolved.
    probation: VecDeque<(Instant, Box<str>)>,
    /// The calls of the application that are running. Each has a place.
    resolving: usize,
    /// The number of removals. An issuer that was resolved before one of them may have been meant by it.
    removals: u64,
}

struct Resolved {
    /// `None` if the application returned an issuer of another name.
    trusted: Option<TrustedIssuer>,
    resolved_at: Instant,
    on_probation: AtomicBool,
    place: Arc<ResolvedPlace>,
}

/// The place of an issuer among the resolved ones.
#[derive(Debug, Default)]
pub(super) struct ResolvedPlace {
    is_given_up: AtomicBool,
    last_use: AtomicU64,
}

impl ResolvedIssuers {
    pub(super) fn new(resolver: Resolver, max: usize) -> Self {
        Self {
            resolver,
            max,
            issuers: ArcSwap::default(),
            changes: Mutex::default(),
            uses: AtomicU64::new(0),
        }
    }

    /// Returns an empty set with the same settings.
    pub(super) fn emptied(&self) -> Self {
        Self::new(Arc::clone(&self.resolver), self.max)
    }

    pub(super) fn remove(&self, name: &str) -> bool {
        let mut changes = self.lock();
        changes.removals += 1;
        changes.probation.retain(|(_, other)| **other != *name);
        let mut issuers = HashMap::clone(&self.issuers.load());
        let removed = take(&mut issuers, name);
        self.issuers.store(Arc::new(issuers));
        removed.is_some_and(|removed| removed.trusted.is_some())
    }

    /// Calls `verify` with the issuer of this name, which is resolved first if it is unknown. The clock `now` is not read
    /// for an issuer that is trusted.
    pub(super) fn verify_with<T, E: From<TokenError>>(
        &self,
        name: &str,
        now: impl Fn() -> Instant,
        verify: impl FnOnce(&TrustedIssuer, &Arc<ResolvedPlace>) -> Result<T, E>,
    ) -> Result<T, E> {
        let known = self.issuers.load().get(name).cloned();
        let resolved = match known {
            Some(resolved) if resolved.is_current(&now) => resolved,
            _ => self.resolve(name, now())?,
        };
        let Some(trusted) = &resolved.trusted else { return Err(TokenError::Issuer.into()) };
        let verified = verify(trusted, &resolved.place)?;
        resolved.place.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        if resolved.on_probation.load(Ordering::Relaxed) {
            self.end_probation(name, &resolved);
        }
        Ok(verified)
    }

    /// Calls the application for the issuer of this name, and puts the issuer on probation.
    fn resolve(&self, name: &str, now: Instant) -> Result<Arc<Resolved>, TokenError> {
        if name.len() > MAX_NAME_LENGTH {
            return Err(TokenError::Issuer);
        }
        // The place is reserved before the call, which may build a key set, and the call is not under the lock.
        let place = Place::reserve(self, now)?;
        let trusted = (self.resolver)(name).ok_or(TokenError::Issuer)?;
        let mut changes = self.lock();
        if changes.removals != place.removals {
            // The application may have decided before it withdrew this issuer.
            return Err(NO_PLACE);
        }
        let mut issuers = HashMap::clone(&self.issuers.load());
        if let Some(resolved) = issuers.get(name).filter(|resolved| resolved.is_current(|| now)) {
            return Ok(Arc::clone(resolved));
        }
        changes.probation.retain(|(_, other)| **other != *name);
        take(&mut issuers, name);
        while issuers.len() >= self.max
            && let Some((_, oldest)) = changes.probation.pop_front()
        {
            tracing::info!(issuer = &*oldest, "an issuer gives its place to another");
            take(&mut issuers, &oldest);
        }
        let is_same = trusted.name() == name;
        if is_same {
            tracing::info!(issuer = name, "an issuer was resolved");
        } else {
            tracing::error!(
                resolved = trusted.name(),
                "an issuer was resolved to one of another name: its tokens are rejected"
            );
        }
        let resolved = Arc::new(Resolved {
            trusted: is_same.then(|| trusted.granting_listed_scopes()),
            resolved_at: now,
            on_probation: AtomicBool::new(true),
            place: Arc::default(),
        });
        changes.probation.push_back((now, name.into()));
        issuers.insert(name.into(), Arc::clone(&resolved));
        self.issuers.store(Arc::new(issuers));
        drop(changes);
        Ok(resolved)
    }

    /// Gives an issuer whose keys have verified a token a lasting place.
    #[cold]
    fn end_probation(&self, name: &str, resolved: &Arc<Resolved>) {
        let mut changes = self.lock();
        let mut issuers = HashMap::clone(&self.issuers.load());
        if !issuers.get(name).is_some_and(|current| Arc::ptr_eq(current, resolved)) {
            // It has been removed in the meantime.
            return;
        }
        resolved.on_probation.store(false, Ordering::Relaxed);
        changes.probation.retain(|(_, other)| **other != *name);
        while issuers.len() - changes.probation.len() > self.max - self.max / 4 {
            let lasting =
                issuers.iter().filter(|(_, other)| !other.on_probation.load(Ordering::Relaxed));
            let oldest =
                lasting.min_by_key(|(_, other)| other.place.last_use.load(Ordering::Relaxed));
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { break };
            tracing::info!(issuer = &*name, "an issuer gives its place to another");
            take(&mut issuers, &name);
        }
        self.issuers.store(Arc::new(issuers));
    }

    /// Returns whether an issuer still has its place, and counts a use of it. Requests with cached tokens between two
    /// verifications count as one time.
    pub(super) fn is_kept(&self, place: &ResolvedPlace) -> bool {
        let uses = self.uses.load(Ordering::Relaxed);
        // A token that is repeated writes nothing while no other token is verified.
        if place.last_use.load(Ordering::Relaxed) < uses {
            place.last_use.store(uses, Ordering::Relaxed);
        }
        !place.is_given_up.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes an issuer, whose place is then given up.
fn take(issuers: &mut Issuers, name: &str) -> Option<Arc<Resolved>> {
    let removed = issuers.remove(name)?;
    removed.place.is_given_up.store(true, Ordering::Release);
    Some(removed)
}

impl Resolved {
    /// Returns whether the application's answer holds. An answer of another name is asked for again after a while.
    fn is_current(&self, now: impl Fn() -> Instant) -> bool {
        self.trusted.is_some() || now().saturating_duration_since(self.resolved_at) < PROBATION
    }
}

/// A place for an issuer that is being resolved.
struct Place<'i> {
    issuers: &'i ResolvedIssuers,
    /// The number of removals when it was reserved.
    removals: u64,
}

impl<'i> Place<'i> {
    fn reserve(issuers: &'i ResolvedIssuers, now: Instant) -> Result<Self, TokenError> {
        let mut changes = issuers.lock();
        let holds_place =
            |(since, _): &(Instant, Box<str>)| now.saturating_duration_since(*since) < PROBATION;
        // In the order of time: those whose probation has lasted long enough come first.
        let over = changes.probation.partition_point(|issuer| !holds_place(issuer));
        let held = changes.probation.len() - over + changes.resolving;
        let lasting = issuers.issuers.load().len() - changes.probation.len();
        if held + lasting >= issuers.max {
            return Err(NO_PLACE);
        }
        changes.resolving += 1;
        let removals = changes.removals;
        drop(changes);
        Ok(Self { issuers, removals })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Also if the application's code panics.
        self.issuers.lock().resolving -= 1;
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
            self.issuers.verify_with(&name, || now, |_, _| verdict)
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
            tenants.issuers.verify_with(name, || tenants.start, |_, _| Ok::<_, TokenError>(()))
        };
        assert_eq!(other("https://evil.example/a"), Err(TokenError::Issuer));
        // An issuer must not be kept under the name of another.
        assert_eq!(tenants.present("alias", true, 0), Err(TokenError::Issuer));
        assert_eq!(tenants.present(&"x".repeat(MAX_NAME_LENGTH), true, 0), Err(TokenError::Issuer));
        assert_eq!(tenants.calls(), 2, "a name that is too long does not reach the application");
        // The answer is kept for a while, so that the application is not called for each token.
        for _ in 0..100 {
            assert_eq!(tenants.present("alias", true, 29), Err(TokenError::Issuer));
        }
        assert_eq!(tenants.calls(), 2);
        assert_eq!(tenants.present("alias", true, 30), Err(TokenError::Issuer));
        assert_eq!(tenants.calls(), 3);
    }

    #[test]
    fn an_issuer_that_is_removed_while_it_is_resolved_is_not_trusted() {
        let key = SigningKey::generate().unwrap().verifying_key().clone();
        let issuers = Arc::new_cyclic(|this: &std::sync::Weak<ResolvedIssuers>| {
            let (this, is_withdrawn) = (this.clone(), AtomicBool::new(false));
            let resolver = move |name: &str| {
                if is_withdrawn.swap(true, Ordering::SeqCst) {
                    return None;
                }
                // The application withdraws the issuer after this call has decided.
                assert!(!this.upgrade().unwrap().remove(name));
                Some(TrustedIssuer::new(name, "api", key.clone()).unwrap())
            };
            ResolvedIssuers::new(Arc::new(resolver), 8)
        });
        let present = || {
            issuers.verify_with("https://login.example/a", Instant::now, |_, _| {
                Ok::<_, TokenError>(())
            })
        };
        assert_eq!(present(), Err(NO_PLACE));
        assert_eq!(present(), Err(TokenError::Issuer));
    }

    #[test]
    fn a_list_that_fits_is_never_refused() {
        let tenants = Tenants::new(8);
        for n in 0..7 {
            assert_eq!(tenants.present(&format!("idle-{n}"), false, 0), Err(TokenError::Signature));
        }
        assert_eq!(tenants.present("honest", true, 0), Ok(()));
    }

    #[test]
    fn made_up_names_take_the_places_that_are_left_alone() {
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
        // Five places, each for 30 seconds at least.
        assert_eq!(tenants.calls() - calls, 5 * 4);
        assert_eq!(rejected, 1000 - 20);
        for tenant in ["a", "b", "c"] {
            assert!(tenants.has(tenant), "{tenant}");
        }
        assert_eq!(tenants.issuers.issuers.load().len(), 3 + 5);
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

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;

use super::resolved::{ResolvedIssuers, ResolvedPlace, Resolver};
use super::trusted::TrustedIssuer;
use crate::error::{ConfigError, TokenError};
use crate::revision::Revision;

/// The issuers that a [`Verifier`](super::Verifier) and its clones trust. They can be changed while it serves.
///
/// Requests read them without a lock. A change holds for every request that begins after it, also for tokens that a layer
/// has in its cache.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{KeySet, SigningKey, TrustedIssuer, Verifier};
///
/// let keys = || KeySet::new([SigningKey::generate()?.verifying_key().clone()]);
/// let own = TrustedIssuer::new("https://login.example", "https://api.example", keys()?)?;
/// let verifier = Verifier::new(own);
/// let issuers = verifier.issuers().clone();
///
/// issuers.insert(TrustedIssuer::new("https://partner.example", "https://api.example", keys()?)?)?;
/// assert_eq!(issuers.names().len(), 2);
/// assert!(issuers.remove("https://partner.example"));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct TrustedIssuers {
    shared: Arc<Shared>,
}

struct Shared {
    /// Sorted by name.
    listed: ArcSwap<Vec<Arc<TrustedIssuer>>>,
    /// Serializes changes.
    writer: Mutex<()>,
    resolved: Option<ResolvedIssuers>,
    /// Counts the calls of `insert` and `remove`.
    revision: Revision,
}

/// The state of the issuers when a token was verified.
#[derive(Debug)]
pub(super) struct IssuerStamp {
    revision: u64,
    /// The place of an issuer that the application has resolved.
    resolved: Option<Arc<ResolvedPlace>>,
}

impl TrustedIssuers {
    pub(super) fn new(first: TrustedIssuer) -> Self {
        Self::from_parts(vec![Arc::new(first)], None)
    }

    fn from_parts(listed: Vec<Arc<TrustedIssuer>>, resolved: Option<ResolvedIssuers>) -> Self {
        let listed = ArcSwap::from_pointee(listed);
        let (writer, revision) = (Mutex::new(()), Revision::default());
        Self { shared: Arc::new(Shared { listed, writer, resolved, revision }) }
    }

    /// Returns a copy that changes of this one do not affect, with these issuers of other names.
    pub(super) fn with_resolver(&self, resolver: Resolver, max: usize) -> Self {
        let resolved = ResolvedIssuers::new(resolver, max);
        Self::from_parts(self.shared.listed.load().to_vec(), Some(resolved))
    }

    /// Returns a copy that changes of this one do not affect.
    pub(super) fn detached(&self) -> Self {
        let resolved = self.shared.resolved.as_ref().map(ResolvedIssuers::emptied);
        Self::from_parts(self.shared.listed.load().to_vec(), resolved)
    }

    /// Trusts this issuer. It grants only the scopes that [`TrustedIssuer::with_scopes`] lists, as one of
    /// [`Verifier::and_trust`](super::Verifier::and_trust) does.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::DuplicateIssuer`] if an issuer of this name is trusted. The keys
    /// of an issuer that fetches or replaces them change without a change here. To change a fixed set, [`remove`](Self::remove)
    /// the issuer and insert it again: its tokens are rejected in between.
    pub fn insert(&self, trusted: impl Into<TrustedIssuer>) -> Result<(), ConfigError> {
        let trusted = Arc::new(trusted.into().granting_listed_scopes());
        let _writer = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listed = self.shared.listed.load().to_vec();
        let names = [Some(trusted.name()), trusted.alias()];
        if names.into_iter().flatten().any(|name| index(&listed, name).is_some()) {
            return Err(ConfigError::DuplicateIssuer { issuer: trusted.name().to_owned() });
        }
        let name = trusted.shared_name();
        let at = listed.partition_point(|other| other.name() < trusted.name());
        listed.insert(at, trusted);
        self.replace(listed);
        tracing::info!(issuer = &*name, "an issuer is trusted");
        Ok(())
    }

    /// No longer trusts the issuer of this name. Returns whether it was trusted.
    ///
    /// An issuer that [`Verifier::and_trust_where`](super::Verifier::and_trust_where) has resolved is forgotten: its
    /// next token causes the next decision on it.
    pub fn remove(&self, name: &str) -> bool {
        let _writer = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let was_resolved =
            self.shared.resolved.as_ref().is_some_and(|resolved| resolved.remove(name));
        let mut listed = self.shared.listed.load().to_vec();
        let listed_at = index(&listed, name);
        if let Some(at) = listed_at {
            listed.remove(at);
        }
        self.replace(listed);
        if listed_at.is_some() {
            tracing::info!(issuer = name, "an issuer is no longer trusted");
        }
        was_resolved || listed_at.is_some()
    }

    /// Replaces the issuers and raises the revision. Other code, which may panic, runs after both.
    fn replace(&self, listed: Vec<Arc<TrustedIssuer>>) {
        let before = self.shared.listed.swap(Arc::new(listed));
        self.shared.revision.raise();
        drop(before);
    }

    /// Returns the names of the issuers in alphabetical order, without those that
    /// [`Verifier::and_trust_where`](super::Verifier::and_trust_where) has resolved.
    pub fn names(&self) -> Vec<String> {
        self.shared.listed.load().iter().map(|trusted| trusted.name().to_owned()).collect()
    }

    /// Returns whether the issuer with this stamp is trusted by the same rules, and counts a use of it.
    pub(super) fn is_current(&self, stamp: &IssuerStamp) -> bool {
        self.shared.revision.current() == stamp.revision
            && match (&stamp.resolved, &self.shared.resolved) {
                (Some(place), Some(resolved)) => resolved.is_kept(place),
                (Some(_), None) => false,
                (None, _) => true,
            }
    }

    /// Calls `verify` with the issuer of this name, which is the unverified `iss` of a token. `verify` returns `Ok`
    /// only if the issuer has signed the token. The stamp was read before the issuer.
    pub(super) fn verify_with<T, E: From<TokenError>>(
        &self,
        name: &str,
        verify: impl FnOnce(&TrustedIssuer, IssuerStamp) -> Result<T, E>,
    ) -> Result<T, E> {
        let revision = self.shared.revision.current();
        let listed = self.shared.listed.load();
        match (index(&listed, name), &self.shared.resolved) {
            (Some(at), _) => verify(&listed[at], IssuerStamp { revision, resolved: None }),
            (None, Some(resolved)) => {
                drop(listed);
                resolved.verify_with(name, Instant::now, |trusted, place| {
                    let resolved = Some(Arc::clone(place));
                    verify(trusted, IssuerStamp { revision, resolved })
                })
            }
            (None, None) => Err(TokenError::Issuer.into()),
        }
    }
}

/// Returns where the issuer of this name is, which may be its alias.
fn index(listed: &[Arc<TrustedIssuer>], name: &str) -> Option<usize> {
    let by_name = listed.binary_search_by(|trusted| trusted.name().cmp(name)).ok();
    by_name.or_else(|| listed.iter().position(|trusted| trusted.alias() == Some(name)))
}

impl fmt::Debug for TrustedIssuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedIssuers")
            .field("listed", &self.shared.listed.load())
            .field("resolved", &self.shared.resolved)
            .finish()
    }
}

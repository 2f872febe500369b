use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONNECTION, COOKIE, ORIGIN, UPGRADE,
};
use http::{Extensions, HeaderMap, Method, Request};
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{Clock, Timestamp};

use super::caching::Caching;
use super::token_cache::{CachedToken, Lookup, TokenCache};
use super::verification_limit::VerificationLimit;
use crate::error::TokenError;
use crate::http::challenge::{AuthError, Challenge};
use crate::http::origin::OriginPolicy;
use crate::http::token_source::{TokenLocation, TokenSource, UncheckedToken};
use crate::identity::Identity;
use crate::keys::{NewerKeys, VerifyError};
use crate::revocation::{RevocationList, RevocationStatus};
use crate::verifier::{VerifiedToken, Verifier};

/// The configuration of the layer. A decision depends on it, the request and the time.
#[derive(Debug)]
pub(super) struct AuthConfig<C> {
    pub(super) verifier: Verifier<C>,
    /// The tokens that the verifier has verified and the list does not revoke. It belongs to these two.
    pub(super) tokens: Option<Arc<TokenCache>>,
    pub(super) verifications: Arc<VerificationLimit>,
    pub(super) revocations: RevocationList,
    pub(super) source: TokenSource,
    pub(super) origins: OriginPolicy,
    pub(super) challenge: Challenge,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) max_staleness: Duration,
    pub(super) on_unknown: OnUnknown,
    pub(super) preflights: PreflightMode,
    pub(super) mode: Mode,
}

impl<C> Clone for AuthConfig<C> {
    fn clone(&self) -> Self {
        Self {
            verifier: self.verifier.clone(),
            tokens: self.tokens.clone(),
            verifications: Arc::clone(&self.verifications),
            revocations: self.revocations.clone(),
            source: self.source.clone(),
            origins: self.origins.clone(),
            challenge: self.challenge.clone(),
            clock: Arc::clone(&self.clock),
            max_staleness: self.max_staleness,
            on_unknown: self.on_unknown,
            preflights: self.preflights,
            mode: self.mode,
        }
    }
}

/// Whether a request without a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Required,
    Optional,
}

/// The treatment of CORS preflights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PreflightMode {
    /// They need a token like any other request.
    Authenticate,
    /// They pass without a check.
    Pass,
}

/// The treatment of a token whose revocation status is unknown, since the revocation list is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnUnknown {
    QueryStore,
    Accept,
}

/// Marks, in the extensions of a request, that it carries no token and that the layer is
/// [optional](super::JwtAuthLayer::optional).
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{Identity, auth::Anonymous};
///
/// fn greeting<B>(request: &http::Request<B>) -> String {
///     let extensions = request.extensions();
///     match (extensions.get::<Identity>(), extensions.get::<Anonymous>()) {
///         (Some(identity), _) => format!("Hello, {}", identity.subject()),
///         (None, Some(_)) => "Hello, guest".to_owned(),
///         (None, None) => "The route is outside of a JwtAuthLayer".to_owned(),
///     }
/// }
/// assert_eq!(greeting(&http::Request::new(())), "The route is outside of a JwtAuthLayer");
/// ```
#[derive(Clone, Debug)]
pub struct Anonymous {
    pub(crate) challenge: Challenge,
}

/// Marks, in the extensions of a request, a preflight that the layer lets pass without a check.
#[derive(Clone, Debug)]
pub(super) struct Preflight {
    pub(super) challenge: Challenge,
}

/// Returns the rejection of a request without an identity by a layer or an extractor that needs one: 401 if a layer let
/// the request pass as anonymous or as a preflight, otherwise 500.
pub(super) fn reject_without_identity(
    extensions: &Extensions,
    required_by: &'static str,
) -> (AuthError, Challenge) {
    let anonymous = extensions.get::<Anonymous>().map(|anonymous| &anonymous.challenge);
    let preflight = || extensions.get::<Preflight>().map(|preflight| &preflight.challenge);
    match anonymous.or_else(preflight) {
        Some(challenge) => (AuthError::Missing, challenge.clone()),
        None => {
            let error = AuthError::MissingLayer { required_by };
            tracing::error!("{error}");
            (error, Challenge::default())
        }
    }
}

/// The decision on a request.
pub(super) enum Decision {
    /// The request continues with this identity.
    Accept(Identity),
    /// The request continues without an identity.
    AcceptAnonymous,
    /// The request is a preflight and continues without a check.
    AcceptPreflight,
    /// The request is rejected.
    Reject(AuthError),
    /// The store must be queried whether this identity is revoked.
    QueryStore(Identity),
    /// The token must wait before it can be verified.
    Wait(WaitingToken),
}

/// A token that waits before it can be verified.
pub(super) struct WaitingToken {
    pub(super) token: String,
    pub(super) wait: Wait,
    /// Whether it was in the cache before.
    pub(super) is_known: bool,
}

/// The reason why a token waits before it can be verified.
pub(super) enum Wait {
    /// The issuer's keys must be fetched once more.
    ForKeys(NewerKeys),
    /// The maximum number of signatures is being verified.
    ForPermit,
}

/// The decision on a token that is verified.
pub(super) enum VerifiedDecision {
    Accept(Identity),
    Reject(AuthError),
    QueryStore(Identity),
}

impl From<VerifiedDecision> for Decision {
    fn from(decision: VerifiedDecision) -> Self {
        match decision {
            VerifiedDecision::Accept(identity) => Self::Accept(identity),
            VerifiedDecision::Reject(error) => Self::Reject(error),
            VerifiedDecision::QueryStore(identity) => Self::QueryStore(identity),
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> AuthConfig<C> {
    /// Decides on a request without waiting.
    pub(super) fn decide<B>(&self, request: &Request<B>, now: Timestamp) -> (Decision, Caching) {
        let headers = request.headers();
        if self.preflights == PreflightMode::Pass && is_preflight(request.method(), headers) {
            return (Decision::AcceptPreflight, Caching::NONE);
        }
        let search = self.source.find(headers, request.uri(), self.verifier.max_token_length());
        let decision = match search.token {
            Err(error) => Decision::Reject(error.into()),
            Ok(None) => match self.mode {
                Mode::Required => Decision::Reject(AuthError::Missing),
                Mode::Optional => Decision::AcceptAnonymous,
            },
            Ok(Some(token)) => {
                if search.location == TokenLocation::Cookie
                    && is_unsafe(request.method(), headers)
                    && let Err(error) = self.origins.check(headers, request.uri())
                {
                    Decision::Reject(error.into())
                } else {
                    self.authenticate(token, now)
                }
            }
        };
        (decision, Caching::of(&search))
    }

    fn authenticate(&self, token: UncheckedToken<'_>, now: Timestamp) -> Decision {
        let mut is_outdated = false;
        if let Some(tokens) = &self.tokens {
            match tokens.lookup(token.as_bytes(), |cached| self.decide_cached(cached, now)) {
                Lookup::Found(decision) => return decision.into(),
                Lookup::Outdated => is_outdated = true,
                Lookup::Absent => {}
            }
        }
        let token = match token.check() {
            Ok(token) => token,
            Err(error) => return Decision::Reject(error.into()),
        };
        let wait = |wait| {
            let token = token.to_owned();
            Decision::Wait(WaitingToken { token, wait, is_known: is_outdated })
        };
        match self.verifier.verify_with_present_keys(token, &*self.verifications, now) {
            Ok(verified) => self.decide_verified(token, verified, is_outdated, now).into(),
            Err(VerifyError::NeedsKeys(newer)) => wait(Wait::ForKeys(newer)),
            Err(VerifyError::AtLimit) if self.verifications.has_room() => wait(Wait::ForPermit),
            Err(VerifyError::AtLimit) => Decision::Reject(AuthError::Unavailable),
            Err(VerifyError::Rejected(error)) => {
                if let (true, Some(tokens)) = (is_outdated, &self.tokens) {
                    tokens.remove(token.as_bytes());
                }
                Decision::Reject(error.into())
            }
        }
    }

    /// Decides on a token that has been accepted before, or returns `None` if it must be verified again.
    fn decide_cached(&self, cached: &CachedToken, now: Timestamp) -> Option<VerifiedDecision> {
        if !self.verifier.would_verify(&cached.stamp, now) {
            return None;
        }
        let keys = &cached.revocation_keys;
        let status = self.revocations.lookup_prepared(keys, self.max_staleness, now);
        Some(self.decide_by_status(status, || cached.identity.for_repeated_request(now)))
    }

    /// Decides on a token that has just been verified, and remembers it unless it is revoked. `is_known` if it was in the
    /// cache before.
    pub(super) fn decide_verified(
        &self,
        token: &str,
        verified: VerifiedToken,
        is_known: bool,
        now: Timestamp,
    ) -> VerifiedDecision {
        let keys = self.revocations.prepare(verified.identity.revocation_keys());
        let status = self.revocations.lookup_prepared(&keys, self.max_staleness, now);
        let decision = self.decide_by_status(status, || verified.identity.clone());
        // Also where the store decides: an entry has no revocation status.
        if let (true, Some(tokens)) = (status != RevocationStatus::Revoked, &self.tokens) {
            tokens.insert(token, verified, keys, is_known, now);
        }
        decision
    }

    fn decide_by_status(
        &self,
        status: RevocationStatus,
        identity: impl FnOnce() -> Identity,
    ) -> VerifiedDecision {
        match status {
            RevocationStatus::NotRevoked => VerifiedDecision::Accept(identity()),
            RevocationStatus::Revoked => VerifiedDecision::Reject(TokenError::Revoked.into()),
            RevocationStatus::Unknown => match self.on_unknown {
                OnUnknown::QueryStore => VerifiedDecision::QueryStore(identity()),
                OnUnknown::Accept => VerifiedDecision::Accept(identity()),
            },
        }
    }
}

/// Returns whether a request is a CORS preflight (Fetch standard), which never carries credentials.
fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns whether a request may change state, or opens a WebSocket, over which later messages may.
fn is_unsafe(method: &Method, headers: &HeaderMap) -> bool {
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let requests_upgrade = headers.contains_key(UPGRADE)
        || headers.get_all(CONNECTION).iter().any(|value| {
            value
                .as_bytes()
                .split(|byte| *byte == b',')
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        })
        || headers.contains_key("sec-websocket-key");
    // WebSockets over HTTP/2 are opened with CONNECT (RFC 8441 §4), which is not a safe method.
    !is_safe || requests_upgrade
}

/// Marks credentials as sensitive, so that they do not appear in logs that show headers.
pub(super) fn mark_sensitive(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE] {
        if let Some(value) = headers.get_mut(&name) {
            value.set_sensitive(true);
        }
        // Most requests have no field twice, and need not search for a second value.
        if headers.len() == headers.keys_len() {
            continue;
        }
        if let http::header::Entry::Occupied(mut entry) = headers.entry(name) {
            for value in entry.iter_mut() {
                value.set_sensitive(true);
            }
        }
    }
}

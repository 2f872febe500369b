use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONNECTION, COOKIE, ORIGIN, UPGRADE,
};
use http::{HeaderMap, Method, Request};
use serde::de::DeserializeOwned;
use tower_jwt_auth_core::{Clock, RevocationKey, Timestamp};

use super::caching::Caching;
use crate::error::TokenError;
use crate::http::challenge::{AuthError, Realm};
use crate::http::origin::OriginPolicy;
use crate::http::token_source::{Place, TokenSource};
use crate::identity::Identity;
use crate::revocation::{RevocationList, RevocationStatus};
use crate::verifier::Verifier;

/// Everything that a decision depends on beside the request and the time.
#[derive(Debug)]
pub(super) struct AuthConfig<C> {
    pub(super) verifier: Verifier<C>,
    pub(super) revocations: RevocationList,
    pub(super) source: TokenSource,
    pub(super) origins: OriginPolicy,
    pub(super) realm: Realm,
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
            revocations: self.revocations.clone(),
            source: self.source.clone(),
            origins: self.origins.clone(),
            realm: self.realm.clone(),
            clock: Arc::clone(&self.clock),
            max_staleness: self.max_staleness,
            on_unknown: self.on_unknown,
            preflights: self.preflights,
            mode: self.mode,
        }
    }
}

/// Whether a request needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Required,
    Optional,
}

/// What becomes of CORS preflights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PreflightMode {
    Judge,
    Pass,
}

/// What becomes of a token when the revocation list is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnUnknown {
    QueryStore,
    Accept,
}

/// In the extensions of a request that carried no token where none is required.
#[derive(Clone, Debug)]
pub struct Anonymous {
    pub(crate) realm: Realm,
}

/// Marks, in the extensions of a request, a preflight that the layer lets pass without a check.
#[derive(Clone, Debug)]
pub(super) struct Preflight {
    pub(super) realm: Realm,
}

/// What becomes of a request.
pub(super) enum Decision {
    /// It goes on, as this identity.
    Accept(Identity),
    /// It goes on without an identity.
    AcceptAnonymous,
    /// It goes on unjudged: a preflight.
    Pass,
    /// It is refused.
    Refuse(AuthError),
    /// The store has to be asked whether this identity has been revoked.
    QueryStore(Identity),
}

impl<C: DeserializeOwned + Send + Sync + 'static> AuthConfig<C> {
    /// Decides from what is at hand, without waiting.
    pub(super) fn decide<B>(&self, request: &Request<B>, now: Timestamp) -> (Decision, Caching) {
        let headers = request.headers();
        if self.preflights == PreflightMode::Pass && is_preflight(request.method(), headers) {
            return (Decision::Pass, Caching::UNTOUCHED);
        }
        let sought = self.source.find(headers, request.uri());
        let decision = match sought.token {
            Err(error) => Decision::Refuse(error.into()),
            Ok(None) => match self.mode {
                Mode::Required => Decision::Refuse(AuthError::Missing),
                Mode::Optional => Decision::AcceptAnonymous,
            },
            Ok(Some(token)) => {
                if sought.place == Place::Cookie
                    && is_unsafe(request.method(), headers)
                    && let Err(error) = self.origins.check(headers, request.uri())
                {
                    Decision::Refuse(error.into())
                } else {
                    self.judge(token, now)
                }
            }
        };
        (decision, Caching::of(&sought))
    }

    fn judge(&self, token: &str, now: Timestamp) -> Decision {
        match self.verifier.verify(token, now) {
            Err(error) => Decision::Refuse(error.into()),
            Ok(identity) => self.judge_revocation(identity, now),
        }
    }

    fn judge_revocation(&self, identity: Identity, now: Timestamp) -> Decision {
        let keys = identity.revocation_keys();
        match self.revocations.lookup(keys, self.max_staleness, now) {
            RevocationStatus::NotRevoked => Decision::Accept(identity),
            RevocationStatus::Revoked => Decision::Refuse(TokenError::Revoked.into()),
            RevocationStatus::Unknown => match self.on_unknown {
                OnUnknown::QueryStore => Decision::QueryStore(identity),
                OnUnknown::Accept => Decision::Accept(identity),
            },
        }
    }
}

/// Asks the store what the list cannot tell.
pub(super) async fn query_store(
    revocations: RevocationList,
    identity: Identity,
) -> Result<Identity, AuthError> {
    let keys: Vec<RevocationKey<'_>> = identity.revocation_keys().collect();
    match revocations.query_store(&keys).await {
        Ok(false) => Ok(identity),
        Ok(true) => Err(TokenError::Revoked.into()),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the revocation list is behind and the store does not answer"
            );
            Err(AuthError::Unavailable)
        }
    }
}

/// A CORS preflight (of the Fetch standard); it never carries credentials.
fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether a request may change something, or opens a WebSocket, through which it may later.
fn is_unsafe(method: &Method, headers: &HeaderMap) -> bool {
    let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let asks_upgrade = headers.contains_key(UPGRADE)
        || headers.get_all(CONNECTION).iter().any(|value| {
            value
                .as_bytes()
                .split(|byte| *byte == b',')
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        })
        || headers.contains_key("sec-websocket-key");
    // WebSockets over HTTP/2 are opened with CONNECT (RFC 8441 §4), which is no read.
    !is_read || asks_upgrade
}

/// Keeps what authenticates out of logs that show headers.
pub(super) fn mark_sensitive(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE] {
        if let http::header::Entry::Occupied(mut entry) = headers.entry(name) {
            for value in entry.iter_mut() {
                value.set_sensitive(true);
            }
        }
    }
}

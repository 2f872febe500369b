use std::collections::HashMap;
use std::collections::hash_map::{Entry, OccupiedEntry};
use std::hash::Hash as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use siphasher::sip128::{Hasher128 as _, SipHasher13};
use tokio::sync::OnceCell;
use tower_jwt_auth_core::{ClientInfo, Session, Timestamp};

use super::{RefreshError, RefreshKind, Tokens};
use crate::error::ConfigError;
use crate::keys::crypto;
use crate::refresh_token::VerifiedRefreshToken;

/// The maximum number of requests that wait for one refresh: more than a browser has tabs, and a small part of the
/// requests in flight.
const MAX_WAITERS: usize = 256;

/// The result of a successful refresh.
pub(super) struct Refreshed {
    pub(super) tokens: Tokens,
    pub(super) session: Session,
    pub(super) kind: RefreshKind,
}

/// The result of a refresh, shared by all requests that wait for it.
pub(super) type SharedResult = Result<Refreshed, RefreshError>;

/// The refreshes in progress. Requests of one client with the same token wait for the refresh of that token, which
/// calls the store and the hook once for all of them.
///
/// A request waits only for a refresh that began less than a grace window ago, so that a spent token is accepted no
/// longer than the rotation rule allows. Without a grace window no request waits. Clients that differ in user agent or
/// address do not share a refresh, because the hook may distinguish them.
pub(super) struct InFlight {
    hash_key: [u8; 16],
    refreshes: Mutex<HashMap<Key, Flight>>,
}

/// A keyed hash of a refresh token and its client. Its size does not depend on them, and a client cannot choose values
/// whose hashes collide.
type Key = u128;

struct Flight {
    begun: Timestamp,
    result: Arc<OnceCell<SharedResult>>,
    waiters: usize,
}

/// The maximum number of requests wait for this refresh.
pub(super) struct TooManyWaiters;

impl InFlight {
    /// Creates the empty map.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Entropy`] if the operating system returns no random bytes.
    pub(super) fn new() -> Result<Self, ConfigError> {
        let hash_key = *crypto::random().map_err(|_| ConfigError::Entropy)?;
        Ok(Self { hash_key, refreshes: Mutex::default() })
    }

    /// Waits for the refresh of this token that is in progress, or does the work. Calls `inspect` with the result, and
    /// whether it is that of the caller's own work, and returns it.
    ///
    /// If the future that does the work is dropped, one of those that wait does its own work instead.
    pub(super) async fn join(
        &self,
        token: &VerifiedRefreshToken,
        client: &ClientInfo,
        (now, grace): (Timestamp, Duration),
        work: Pin<Box<impl Future<Output = SharedResult>>>,
        inspect: impl FnOnce(&SharedResult, bool),
    ) -> Result<Result<Tokens, RefreshError>, TooManyWaiters> {
        let waiter = self.enter(self.key(token, client), now, grace)?;
        let mut is_own = false;
        let working = async {
            is_own = true;
            let result = work.await;
            // A request that arrives from now on must not receive an older result.
            waiter.close();
            result
        };
        let result = waiter.result.get_or_init(|| working).await;
        inspect(result, is_own);
        let mut shared = Arc::clone(&waiter.result);
        drop(waiter);
        // The last one that holds the result takes it, which is the only one for most refreshes.
        if let Some(result) = Arc::get_mut(&mut shared).and_then(OnceCell::take) {
            return Ok(result.map(|refreshed| refreshed.tokens));
        }
        match shared.get().ok_or(TooManyWaiters)? {
            Ok(refreshed) => Ok(Ok(refreshed.tokens.clone())),
            Err(error) => Ok(Err(error.clone())),
        }
    }

    /// Returns the key of a token and its client. Tokens of one session id with different secrets are different tokens.
    fn key(&self, token: &VerifiedRefreshToken, client: &ClientInfo) -> Key {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        token.session_id.hash(&mut hasher);
        token.generation.hash(&mut hasher);
        token.secret_hash().as_bytes().hash(&mut hasher);
        client.hash(&mut hasher);
        hasher.finish128().as_u128()
    }

    fn enter(
        &self,
        key: Key,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Waiter<'_>, TooManyWaiters> {
        let mut refreshes = self.refreshes();
        let new = || Flight { begun: now, result: Arc::default(), waiters: 0 };
        let flight = refreshes.entry(key).or_insert_with(new);
        if flight.waiters > 0 && now.since(flight.begun) >= grace {
            // The requests that wait for the older refresh still receive its result.
            *flight = new();
        }
        if flight.waiters >= MAX_WAITERS {
            return Err(TooManyWaiters);
        }
        flight.waiters += 1;
        Ok(Waiter { in_flight: self, key, result: Arc::clone(&flight.result) })
    }

    fn refreshes(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        // No code that can panic runs under the lock.
        self.refreshes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for a refresh.
struct Waiter<'f> {
    in_flight: &'f InFlight,
    key: Key,
    result: Arc<OnceCell<SharedResult>>,
}

impl Waiter<'_> {
    /// Removes the flight, so that further requests begin another refresh.
    fn close(&self) {
        self.with_flight(|flight| {
            flight.remove();
        });
    }

    /// Calls the function with the flight, unless it was removed or replaced.
    fn with_flight(&self, change: impl FnOnce(OccupiedEntry<'_, Key, Flight>)) {
        if let Entry::Occupied(flight) = self.in_flight.refreshes().entry(self.key)
            && Arc::ptr_eq(&flight.get().result, &self.result)
        {
            change(flight);
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.with_flight(|mut flight| {
            flight.get_mut().waiters -= 1;
            if flight.get().waiters == 0 {
                flight.remove();
            }
        });
    }
}

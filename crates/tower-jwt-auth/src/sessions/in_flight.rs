use std::collections::HashMap;
use std::collections::hash_map::{Entry, OccupiedEntry};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tower_jwt_auth_core::{ClientInfo, Session, SessionId, Timestamp};

use super::{RefreshError, RefreshKind, Tokens};
use crate::refresh_token::VerifiedRefreshToken;

/// The maximum number of requests that wait for one refresh: more than a browser has tabs, and a small part of the
/// requests in flight.
const MAX_WAITERS: usize = 256;

/// The result of a successful refresh.
#[derive(Clone)]
pub(super) struct Refreshed {
    pub(super) tokens: Tokens,
    pub(super) session: Arc<Session>,
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
#[derive(Default)]
pub(super) struct InFlight {
    refreshes: Mutex<HashMap<Key, Flight>>,
}

/// A refresh token and its client. Tokens of one session id with different secrets are different tokens.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    session: SessionId,
    generation: u64,
    secret_hash: [u8; 32],
    client: ClientInfo,
}

struct Flight {
    begun: Timestamp,
    result: Arc<OnceCell<SharedResult>>,
    waiters: usize,
}

/// The maximum number of requests wait for this refresh.
pub(super) struct TooManyWaiters;

impl InFlight {
    /// Waits for the refresh of this token that is in progress, or does the work. Returns the result, and whether it is
    /// that of the caller's own work.
    ///
    /// If the future that does the work is dropped, one of those that wait does its own work instead.
    pub(super) async fn join(
        &self,
        token: &VerifiedRefreshToken,
        client: &ClientInfo,
        (now, grace): (Timestamp, Duration),
        work: impl Future<Output = SharedResult>,
    ) -> Result<(SharedResult, bool), TooManyWaiters> {
        let key = Key {
            session: token.session_id,
            generation: token.generation,
            secret_hash: *token.secret.hash().as_bytes(),
            client: client.clone(),
        };
        let waiter = self.enter(key, now, grace)?;
        let mut is_own = false;
        let working = async {
            is_own = true;
            let result = work.await;
            // A request that arrives from now on must not receive an older result.
            waiter.close();
            result
        };
        let result = waiter.result.get_or_init(|| working).await.clone();
        Ok((result, is_own))
    }

    fn enter(
        &self,
        key: Key,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Waiter<'_>, TooManyWaiters> {
        let mut refreshes = self.refreshes();
        let new = || Flight { begun: now, result: Arc::default(), waiters: 0 };
        let flight = refreshes.entry(key.clone()).or_insert_with(new);
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
        if let Entry::Occupied(flight) = self.in_flight.refreshes().entry(self.key.clone())
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

use std::collections::HashMap;
use std::collections::hash_map::{Entry, OccupiedEntry};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tower_jwt_auth_core::{ClientInfo, Session, SessionId, Timestamp};

use super::{RefreshError, RefreshKind, Tokens};
use crate::refresh_token::VerifiedRefreshToken;

/// How many requests may wait for one refresh: more than a browser has tabs, and few of the places that there are.
const MAX_WAITING: usize = 256;

/// What a refresh gave.
#[derive(Clone)]
pub(super) struct Refreshed {
    pub(super) tokens: Tokens,
    pub(super) session: Arc<Session>,
    pub(super) kind: RefreshKind,
}

/// The answer of a refresh, for all who wait for it.
pub(super) type Answer = Result<Refreshed, RefreshError>;

/// The refreshes that are under way. Requests of one client that bring the same token while it is being refreshed
/// wait for that refresh: the store and the hook are asked once for all of them.
///
/// They wait only for one that began less than a grace window ago, so that a spent token is answered no longer than
/// the rule allows; without a window nobody waits. Clients that differ in user agent or address do not wait for each
/// other: the hook may tell them apart.
#[derive(Default)]
pub(super) struct InFlight {
    refreshes: Mutex<HashMap<Key, Flight>>,
}

/// A refresh token and who brings it. The secret is a part of it: a token with another one is another token.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    session: SessionId,
    generation: u64,
    secret_hash: [u8; 32],
    client: ClientInfo,
}

struct Flight {
    begun: Timestamp,
    answer: Arc<OnceCell<Answer>>,
    waiting: usize,
}

/// More requests wait for this refresh than may.
pub(super) struct TooMany;

impl InFlight {
    /// Waits for the refresh of this token that is under way, or does the work. Returns the answer, and whether
    /// it is of the caller's own work.
    ///
    /// Should the one who works be dropped, another one who waits works in its place.
    pub(super) async fn join(
        &self,
        verified: &VerifiedRefreshToken,
        client: &ClientInfo,
        (now, grace): (Timestamp, Duration),
        work: impl Future<Output = Answer>,
    ) -> Result<(Answer, bool), TooMany> {
        let key = Key {
            session: verified.session_id,
            generation: verified.generation,
            secret_hash: *verified.secret.hash().as_bytes(),
            client: client.clone(),
        };
        let waiter = self.enter(key, now, grace)?;
        let mut is_own = false;
        let working = async {
            is_own = true;
            let answer = work.await;
            // Whoever comes from now on has not seen what came of it.
            waiter.close();
            answer
        };
        let answer = waiter.answer.get_or_init(|| working).await.clone();
        Ok((answer, is_own))
    }

    fn enter(&self, key: Key, now: Timestamp, grace: Duration) -> Result<Waiter<'_>, TooMany> {
        let mut refreshes = self.refreshes();
        let new = || Flight { begun: now, answer: Arc::default(), waiting: 0 };
        let flight = refreshes.entry(key.clone()).or_insert_with(new);
        if flight.waiting > 0 && now.since(flight.begun) >= grace {
            // Those who wait for the older one go on to do so.
            *flight = new();
        }
        if flight.waiting >= MAX_WAITING {
            return Err(TooMany);
        }
        flight.waiting += 1;
        Ok(Waiter { in_flight: self, key, answer: Arc::clone(&flight.answer) })
    }

    fn refreshes(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        // No code that can panic runs under the lock.
        self.refreshes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits for a refresh.
struct Waiter<'f> {
    in_flight: &'f InFlight,
    key: Key,
    answer: Arc<OnceCell<Answer>>,
}

impl Waiter<'_> {
    fn close(&self) {
        self.with_flight(|flight| {
            flight.remove();
        });
    }

    /// Does this with the flight, unless it is closed.
    fn with_flight(&self, change: impl FnOnce(OccupiedEntry<'_, Key, Flight>)) {
        if let Entry::Occupied(flight) = self.in_flight.refreshes().entry(self.key.clone())
            && Arc::ptr_eq(&flight.get().answer, &self.answer)
        {
            change(flight);
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.with_flight(|mut flight| {
            flight.get_mut().waiting -= 1;
            if flight.get().waiting == 0 {
                flight.remove();
            }
        });
    }
}

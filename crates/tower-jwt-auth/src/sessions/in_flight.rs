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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use tower_jwt_auth_core::{SessionId, SessionRecord};

    use super::*;
    use crate::keys::RefreshSecrets;
    use crate::refresh_token::{SessionSecret, issue, verify};
    use crate::sessions::RefreshRejection;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn token(id: u8, generation: u64, secret: &SessionSecret) -> VerifiedRefreshToken {
        let secrets = RefreshSecrets::new(b"fnYmDE0Zx1n2Vq5QeVjWJ8o0iY3kUuT4").unwrap();
        let id = SessionId::from_bytes([id; 16]);
        let mut record = SessionRecord::new(id, "issuer", "alice", secret.hash(), NOW);
        record.generation = generation;
        let issued = issue(&secrets, &Session::from_record(record), secret, NOW).unwrap();
        verify(&secrets, "issuer", issued.as_str()).unwrap()
    }

    // A holder of the signing secret alone must not receive the tokens of a session by waiting for its refresh.
    #[test]
    fn a_refresh_is_shared_by_the_same_token_of_the_same_client_alone() {
        let in_flight = InFlight::new().unwrap();
        let (secret, other) = (SessionSecret::random().unwrap(), SessionSecret::random().unwrap());
        let client = ClientInfo::default().with_user_agent("agent");
        let key = in_flight.key(&token(1, 0, &secret), &client);
        assert_eq!(in_flight.key(&token(1, 0, &secret), &client.clone()), key);
        for (token, client) in [
            (token(2, 0, &secret), client.clone()),
            (token(1, 1, &secret), client.clone()),
            (token(1, 0, &other), client.clone()),
            (token(1, 0, &secret), ClientInfo::default()),
            (token(1, 0, &secret), ClientInfo::default().with_address("agent")),
            (token(1, 0, &secret), client.clone().with_address("address")),
        ] {
            assert_ne!(in_flight.key(&token, &client), key);
        }
        let other_process = InFlight::new().unwrap();
        assert_ne!(other_process.key(&token(1, 0, &secret), &client), key);
    }

    // The flight is removed before its result is shared, although a request still waits for it.
    #[tokio::test]
    async fn a_request_after_the_work_does_its_own() {
        let in_flight = InFlight::new().unwrap();
        let token = token(1, 0, &SessionSecret::random().unwrap());
        let client = ClientInfo::default();
        let times = (NOW, Duration::from_secs(10));
        let (begin, done) = (AtomicUsize::new(0), tokio::sync::Notify::new());
        let join = || {
            let work = Box::pin(async {
                if begin.fetch_add(1, Ordering::Relaxed) == 0 {
                    done.notified().await;
                }
                Err(RefreshRejection::Unknown.into())
            });
            Box::pin(in_flight.join(&token, &client, times, work, |_, _| {}))
        };
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut waiting) = (join(), join());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert_eq!(begin.load(Ordering::Relaxed), 1);
        done.notify_one();
        assert!(first.as_mut().poll(&mut context).is_ready());
        assert!(join().await.is_ok_and(|result| result.is_err()));
        assert_eq!(begin.load(Ordering::Relaxed), 2);
        assert!(waiting.as_mut().poll(&mut context).is_ready());
        assert_eq!(begin.load(Ordering::Relaxed), 2);
    }
}

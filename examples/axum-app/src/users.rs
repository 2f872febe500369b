//! The users. Your application has them in its database.

use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// The application's own claims, which each access token has beside the registered ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) name: String,
}

/// A user, as a row of a table.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) subject: &'static str,
    pub(crate) name: &'static str,
    pub(crate) scope: &'static str,
    password_hash: &'static str,
}

static USERS: [User; 3] = [
    User {
        subject: "alice",
        name: "Alice Liddell",
        scope: "",
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$iwUp/fyDAGI1knvN/vXlyA$DOLpuWJqCBgs8C+kzHFOdXS/f57pdkqVfpT2gcbi/2c",
    },
    User {
        subject: "bob",
        name: "Bob Builder",
        scope: "",
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$Dhwc5YJlfeDeavTDcM/6TQ$L0Bd3/KpKW3AMwAZ+J5E4S90PYBgyKTSERczJSQWpEs",
    },
    User {
        subject: "admin",
        name: "The Admin",
        scope: "admin",
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$ZGFNwQQxtxbcAXYSibUa1A$KRjXw4C9BdZBPEmT8svahdW6rGwU0zhtd/K+0CRPUZ0",
    },
];

/// The hash of an unknown password. It is checked for users who do not exist, so that the response time does not
/// reveal who has an account.
const UNKNOWN_USER: &str = "$argon2id$v=19$m=19456,t=2,p=1$/Dn0zQ33AMdQea/Ya+/CLA$rQwvWIEKtSjdr4ffL04XF75/K0ql26bj8BN/GwsSvws";

/// The max number of sign-ins that wait for a core. A core checks about 30 a second.
const MAX_WAITING: usize = 32;

/// The table of users.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    /// One permit for each hash that is computed. A hash takes 19 MiB and a whole core, so more hashes at a time than
    /// cores only make each of them slower.
    hashing: Arc<Semaphore>,
    /// One permit for each sign-in that waits for a core or has one.
    queue: Arc<Semaphore>,
}

impl Users {
    pub(crate) fn new() -> Self {
        Self::with_cores(available_parallelism().map_or(1, usize::from))
    }

    fn with_cores(cores: usize) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { hashing: semaphore(cores), queue: semaphore(cores + MAX_WAITING) }
    }

    /// Returns the user of this name if the password is right.
    ///
    /// # Errors
    ///
    /// [`ApiError::UNAVAILABLE`] at once if too many sign-ins wait.
    pub(crate) async fn authenticate(
        &self,
        username: &str,
        password: String,
    ) -> Result<Option<&'static User>, ApiError> {
        let user = USERS.iter().find(|user| user.subject == username);
        let hash = user.map_or(UNKNOWN_USER, |user| user.password_hash);
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| {
            tracing::warn!("refused a sign-in: too many wait");
            ApiError::UNAVAILABLE
        })?;
        let hashing = Arc::clone(&self.hashing).acquire_owned().await.map_err(not_checked)?;
        let checking = tokio::task::spawn_blocking(move || {
            // Held in here: the hashing continues after the client has disconnected. The ConcurrencyLimit of tower
            // would release its permit then.
            let _permits = (queued, hashing);
            is_password(&password, hash)
        });
        let is_right = checking.await.map_err(not_checked)?;
        Ok(user.filter(|_| is_right))
    }
}

fn is_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn not_checked(error: impl std::error::Error + 'static) -> ApiError {
    tracing::error!(error = &error as &dyn std::error::Error, "a password could not be checked");
    ApiError::SERVER_ERROR
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::response::IntoResponse as _;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn sign_ins_beyond_the_queue_are_refused_at_once() {
        const CORES: usize = 2;
        let users = Users::with_cores(CORES);
        let sign_in = || {
            let users = users.clone();
            tokio::spawn(async move { users.authenticate("alice", "wonderland".to_owned()).await })
        };
        // Nothing is hashed while the test has the cores.
        let cores = users.hashing.acquire_many(CORES as u32).await.unwrap();
        let free = users.queue.available_permits();
        let accepted: Vec<_> = (0..CORES + MAX_WAITING).map(|_| sign_in()).collect();
        while users.queue.available_permits() > free - accepted.len() {
            tokio::task::yield_now().await;
        }
        let refused = timeout(Duration::from_secs(30), sign_in()).await.expect("it waits");
        let response = refused.unwrap().unwrap_err().into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");

        // A client that disconnects leaves the queue.
        accepted[0].abort();
        while users.queue.available_permits() == free - accepted.len() {
            tokio::task::yield_now().await;
        }
        let next = sign_in();
        drop(cores);
        for accepted in accepted.into_iter().skip(1).chain([next]) {
            assert_eq!(accepted.await.unwrap().unwrap().unwrap().subject, "alice");
        }
        assert_eq!(users.queue.available_permits(), free);
    }

    #[test]
    fn the_password_of_an_unknown_user_takes_the_same_work() {
        let work = |hash: &str| {
            let hash = PasswordHash::new(hash).unwrap();
            (hash.algorithm.to_string(), hash.version, hash.params.to_string())
        };
        for user in &USERS {
            assert_eq!(work(user.password_hash), work(UNKNOWN_USER), "{}", user.subject);
        }
    }
}

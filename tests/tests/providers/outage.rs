//! A provider that is killed under load, and comes back with other keys.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::EncodingKey;
use tokio::task::JoinSet;
use tower_jwt_auth::Timestamp;
use tower_jwt_auth::keys::RemoteKeySet;
use tower_jwt_auth::store::{Clock, ManualClock, SystemClock};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth_tests::TokenSigner;
use tower_jwt_auth_tests::servers::{OidcProvider, ProviderKey};
use tower_jwt_auth_tests::token_builder::{TokenBuilder, decode};
use tower_jwt_auth_tests::util::until;

use crate::client::{client_token, resource};
use crate::service::{SECOND, Service, discover_with};
use crate::test_keys::{P256, P256_OTHER};

/// The time between the requests of one client.
const PAUSE: Duration = Duration::from_millis(2);

/// The state of the provider as the clients know it.
#[derive(Clone, Default)]
struct Known {
    /// The token of the withdrawn key, and of the new one.
    old: String,
    new: Option<String>,
    /// Whether the provider may be up with the new key.
    is_restarting: bool,
    /// The time when the provider was up with the new key alone.
    restarted: Option<Timestamp>,
}

/// Clients that send requests, and judge each response.
struct Load {
    service: Service,
    keys: RemoteKeySet,
    known: Mutex<Known>,
    /// The responses to tokens of the old key, of the new key, and of keys that do not exist.
    counts: [AtomicU64; 3],
}

impl Load {
    fn known(&self) -> Known {
        self.known.lock().unwrap().clone()
    }

    /// Whether the keys in use are those of the restarted provider.
    fn has_new_keys(&self, known: &Known) -> bool {
        known.restarted.is_some_and(|at| self.keys.status().last_success() >= Some(at))
    }

    async fn send_old(&self) {
        let known = self.known();
        let has_new_keys = self.has_new_keys(&known);
        let status = self.service.call(&known.old).await.status;
        if has_new_keys {
            assert_eq!(status, StatusCode::UNAUTHORIZED, "a withdrawn key is accepted");
        } else if !self.known().is_restarting {
            assert_eq!(status, StatusCode::OK, "a token is rejected while the provider is away");
        }
        self.counts[0].fetch_add(1, Ordering::Relaxed);
    }

    async fn send_new(&self) {
        let known = self.known();
        let Some(new) = &known.new else { return };
        let has_new_keys = self.has_new_keys(&known);
        let status = self.service.call(new).await.status;
        if has_new_keys {
            assert_eq!(status, StatusCode::OK, "a token of the new key is rejected");
        } else {
            // The cool-down may forbid the fetch.
            assert!([StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&status), "{status}");
        }
        self.counts[1].fetch_add(1, Ordering::Relaxed);
    }

    /// Sends a token of a key that does not exist. Its id was never used.
    async fn send_forged(&self, signer: &TokenSigner) {
        let number = self.counts[2].fetch_add(1, Ordering::Relaxed);
        let old = self.known().old;
        let forged = TokenBuilder::of(decode(&old, 0), decode(&old, 1));
        let forged = forged.header("kid", format!("forged-{number}")).sign(signer);
        assert_eq!(self.service.call(&forged).await.status, StatusCode::UNAUTHORIZED);
    }

    fn count(&self, index: usize) -> u64 {
        self.counts[index].load(Ordering::Relaxed)
    }

    /// Waits until the clients have sent this many more requests of a kind.
    async fn wait_for_more(&self, index: usize, requests: u64) {
        let before = self.count(index);
        until("the clients send requests", async || self.count(index) >= before + requests).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_another_key_rejects_nobody_once_the_keys_are_fetched() {
    let Some(mut provider) = OidcProvider::start(&[ProviderKey::new("one", P256)]) else { return };
    let audience = resource("ES256");
    let keys = discover_with(&provider, |keys| {
        keys.min_refresh_interval(SECOND).max_refresh_interval(2 * SECOND).cool_down(SECOND)
    })
    .await;
    let load = Arc::new(Load {
        service: Service::new(&provider, &audience, keys.clone()),
        keys: keys.clone(),
        known: Mutex::new(Known {
            old: client_token(&provider, &audience).await,
            ..Known::default()
        }),
        counts: Default::default(),
    });
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let load = Arc::clone(&load);
        clients.spawn(async move {
            loop {
                load.send_old().await;
                load.send_new().await;
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    for _ in 0..2 {
        let load = Arc::clone(&load);
        let key = EncodingKey::from_ec_pem(P256_OTHER.as_bytes()).unwrap();
        let signer = TokenSigner::new(jsonwebtoken::Algorithm::ES256, key);
        clients.spawn(async move {
            loop {
                load.send_forged(&signer).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    load.wait_for_more(0, 200).await;

    provider.kill();
    until("fetches fail", async || keys.status().consecutive_failures() >= 2).await;
    load.wait_for_more(0, 200).await;

    load.known.lock().unwrap().is_restarting = true;
    provider.start_again(&[ProviderKey::new("two", P256_OTHER)]);
    let new = client_token(&provider, &audience).await;
    {
        let mut known = load.known.lock().unwrap();
        (known.new, known.restarted) = (Some(new), Some(SystemClock::new().now()));
    }
    let failures = keys.status().failures();
    until("the keys are fetched", async || load.has_new_keys(&load.known())).await;
    // The first fetch brings the new key. One that began before the restart may have failed.
    assert!(keys.status().failures() <= failures + 1, "{:?}", keys.status());
    load.wait_for_more(0, 200).await;
    load.wait_for_more(1, 200).await;
    // The clients run until they panic.
    assert!(clients.try_join_next().is_none(), "a client has failed");
    // Forged tokens wait for a fetch, but cause at most one in the cool-down.
    assert!(keys.status().fetches() < load.count(2) / 10, "{:?}", keys.status());
}

#[tokio::test]
async fn keys_stay_in_use_while_the_provider_is_away_until_they_are_too_old() {
    let one = [ProviderKey::new("one", P256)];
    let Some(mut provider) = OidcProvider::start(&one) else { return };
    let audience = resource("ES256");
    let clock = Arc::new(ManualClock::at(SystemClock::new().now()));
    let hour = 3600 * SECOND;
    let keys = discover_with(&provider, |keys| keys.max_age(2 * hour).clock(clock.clone())).await;
    let service = Service::new(&provider, &audience, keys.clone());
    let token = client_token(&provider, &audience).await;
    provider.rotate(&[ProviderKey::new("two", P256_OTHER)]);
    let other = client_token(&provider, &audience).await;
    provider.kill();
    // Its key is not known, so that a fetch is tried.
    assert_eq!(service.rejects(&other).await, TokenError::UnknownKey);
    assert_eq!(keys.status().failures(), 1);
    clock.advance(2 * hour);
    service.accepts(&token).await;
    clock.advance(SECOND);
    let response = service.call(&token).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.header("retry-after").is_some());

    provider.start_again(&one);
    until("the token is accepted", async || service.call(&token).await.status == StatusCode::OK)
        .await;
}

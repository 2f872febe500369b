use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::StatusCode;
use tower_jwt_auth::keys::KeyRing;
use tower_jwt_auth::store::Clock;
use tower_jwt_auth::{RefreshSecrets, SignIn, SigningKey};

use super::{Node, Nodes};

/// The changes of both keys while the clients call.
const ROTATIONS: usize = 6;
const CLIENTS: usize = 8;

/// Signs in, calls and refreshes in turns at both nodes, until it is stopped. Returns the number of its calls.
async fn client(nodes: [Node; 2], is_stopped: Arc<AtomicBool>, calls: Arc<AtomicUsize>) {
    let mut turn = 0;
    let mut node = || {
        turn += 1;
        nodes[turn % 2].clone()
    };
    while !is_stopped.load(Ordering::SeqCst) {
        let tokens = node().sessions.start(SignIn::new("alice")).await.unwrap();
        let mut access = tokens.access().as_str().to_owned();
        let mut refresh = tokens.refresh().as_str().to_owned();
        for _ in 0..5 {
            for _ in 0..3 {
                assert_eq!(node().call(&access).await, StatusCode::OK);
                calls.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
            let response = node().refresh(&refresh).await;
            assert_eq!(response.status, StatusCode::OK);
            calls.fetch_add(1, Ordering::SeqCst);
            access = response.access_token();
            refresh = response.cookie_value().unwrap().to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_both_keys_reject_no_request_of_concurrent_clients() {
    let mut key = SigningKey::generate().unwrap();
    let mut secret = *b"the secret of all refresh tokens";
    let nodes = Nodes::new(&key);
    let (is_stopped, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (is_stopped, calls) = (Arc::clone(&is_stopped), Arc::clone(&calls));
            tokio::spawn(client(nodes.nodes.clone(), is_stopped, calls))
        })
        .collect();
    for rotation in 0..ROTATIONS {
        let next = SigningKey::generate().unwrap();
        let mut next_secret = secret;
        next_secret[0] = b'a' + u8::try_from(rotation).unwrap();
        let (old_public, new_public) = (key.verifying_key(), next.verifying_key());
        let retired_at = nodes.clock.now();
        let rings = [
            KeyRing::new(key.clone()).with_next(new_public.clone()).unwrap(),
            KeyRing::new(next.clone()).with_previous(old_public.clone(), retired_at).unwrap(),
        ];
        let secrets = |current: &[u8]| RefreshSecrets::new(current).unwrap();
        let secrets = [
            secrets(&secret).with_next(&next_secret).unwrap(),
            secrets(&next_secret).with_previous(&secret).unwrap(),
        ];
        for (ring, secrets) in rings.into_iter().zip(secrets) {
            for node in &nodes.nodes {
                node.sessions.issuer().key_ring().replace(ring.clone());
                node.sessions.refresh_secrets().replace(secrets.clone());
                // Every client goes on in between.
                let before = calls.load(Ordering::SeqCst);
                while calls.load(Ordering::SeqCst) < before + 4 * CLIENTS * 30
                    && !clients.iter().any(tokio::task::JoinHandle::is_finished)
                {
                    tokio::task::yield_now().await;
                }
            }
        }
        (key, secret) = (next, next_secret);
    }
    is_stopped.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let calls = calls.load(Ordering::SeqCst);
    assert!(calls > ROTATIONS * 4 * CLIENTS, "{calls} calls");
}

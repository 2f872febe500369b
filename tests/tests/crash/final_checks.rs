use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::time::sleep;
use tower_jwt_auth::sessions::{RefreshError, RefreshRejection};
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth::{JwtAuthLayer, Sessions};
use tower_jwt_auth_tests::Profile;
use tower_jwt_auth_tests::harness::call_behind;

use crate::audit::audit;
use crate::client::Client;
use crate::history::{SharedHistory, lock, record_to};

/// The time within which a node must read the log to its end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Checks the nodes after the last crash. The first node is new and has only the store. The others lived through all
/// crashes.
pub(crate) async fn final_checks(
    store: &dyn SessionStore,
    nodes: &[Sessions<Profile>],
    history: &SharedHistory,
) {
    audit(store, history).await;
    lock(history).assert_nothing_wrong();
    assert_nobody_is_locked_out(nodes, history).await;
    for node in nodes {
        wait_until_fresh(node).await;
    }
    let [new, old @ ..] = nodes else { panic!("there should be a new node") };
    check_logouts(new, old, history).await;
    audit(store, history).await;
    lock(history).assert_nothing_wrong();
}

/// Checks that no client with a token is locked out.
async fn assert_nobody_is_locked_out(nodes: &[Sessions<Profile>], history: &SharedHistory) {
    let jars = lock(history).jars.clone();
    let clients = jars.into_iter().enumerate().map(|(client_index, jar)| async move {
        let mut client = Client::new(client_index, jar, nodes.to_vec(), record_to(history));
        assert!(client.settle().await, "client {client_index} is locked out");
    });
    futures_util::future::join_all(clients).await;
    lock(history).assert_nothing_wrong();
}

/// Waits until the node has read every entry of the log that was written before this call: a list of an earlier time may
/// lack the last logouts of other nodes, however fresh it counts.
async fn wait_until_fresh(node: &Sessions<Profile>) {
    let begun = Instant::now();
    let is_fresh = |age: Duration| age < begun.elapsed() && age < Duration::from_secs(2);
    while !node.revocations().staleness().is_some_and(is_fresh) {
        assert!(begun.elapsed() < TIMEOUT, "the list stays stale: {:?}", node.revocations());
        sleep(Duration::from_millis(20)).await;
    }
}

/// Checks that all refresh and access tokens of a session are refused after its logout.
async fn check_logouts(
    new: &Sessions<Profile>,
    old: &[Sessions<Profile>],
    history: &SharedHistory,
) {
    let sessions: Vec<_> = lock(history)
        .sessions
        .iter()
        .map(|(sid, known)| {
            let access = known.access.last().cloned().unwrap();
            (sid.clone(), known.tokens.clone(), access, known.logged_out)
        })
        .collect();
    let [new_layer] = [new].map(JwtAuthLayer::for_sessions);
    let old: Vec<_> = old.iter().map(JwtAuthLayer::for_sessions).collect();
    for (sid, refresh, access, logged_out) in sessions {
        let wanted = if logged_out { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
        for layer in old.iter().chain([&new_layer]) {
            let status = call_behind(layer, &access).await.status;
            if status != wanted {
                lock(history).wrong(&sid, &format!("its access token is answered with {status}"));
            }
        }
        for (generation, token) in refresh.iter().enumerate().filter(|_| logged_out) {
            match new.refresh(token).await {
                Err(RefreshError::Rejected(
                    RefreshRejection::Revoked | RefreshRejection::Ended,
                )) => {}
                answer => {
                    let answer = answer.map(drop);
                    let wrong = format!("its generation {generation} is answered with {answer:?}");
                    lock(history).wrong(&sid, &wrong);
                }
            }
        }
    }
}

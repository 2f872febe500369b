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

/// How long a node may take to have the log up to its end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is true when the last crash is over: of the nodes that lived through all of them, and of the first of
/// these, which is new and knows nothing but the store.
pub(crate) async fn final_checks(
    store: &dyn SessionStore,
    nodes: &[Sessions<Profile>],
    history: &SharedHistory,
) {
    audit(store, history).await;
    lock(history).assert_nothing_wrong();
    everyone_comes_back(nodes, history).await;
    for node in nodes {
        follows(node).await;
    }
    let [new, old @ ..] = nodes else { panic!("there is a new node") };
    logouts_hold(new, old, history).await;
    audit(store, history).await;
    lock(history).assert_nothing_wrong();
}

/// Nobody who holds a token is locked out.
async fn everyone_comes_back(nodes: &[Sessions<Profile>], history: &SharedHistory) {
    let jars = lock(history).jars.clone();
    let clients = jars.into_iter().enumerate().map(|(client_index, jar)| async move {
        let mut client = Client::new(client_index, jar, nodes.to_vec(), record_to(history));
        assert!(client.settle().await, "client {client_index} is locked out");
    });
    futures_util::future::join_all(clients).await;
    lock(history).assert_nothing_wrong();
}

/// The node follows the log, by itself, and is not behind.
async fn follows(node: &Sessions<Profile>) {
    let deadline = Instant::now() + TIMEOUT;
    let is_fresh = |age| age < Duration::from_secs(2);
    while !node.revocations().staleness().is_some_and(is_fresh) {
        assert!(Instant::now() < deadline, "the list stays behind: {:?}", node.revocations());
        sleep(Duration::from_millis(20)).await;
    }
}

/// No refresh token of a session that was logged out opens anything, and no access token.
async fn logouts_hold(new: &Sessions<Profile>, old: &[Sessions<Profile>], history: &SharedHistory) {
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

//! A client whose answer was lost, and that comes back when the grace window is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::block_in_place;
use tokio::time::sleep;
use tower_jwt_auth::sessions::RefreshError;
use tower_jwt_auth::store::LateRetryRun;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth::{Sessions, SignIn, Tokens};
use tower_jwt_auth_tests::Profile;

use crate::audit::answer;
use crate::node::node;
use crate::server_crashes::Server;

const TIMEOUT: Duration = Duration::from_secs(60);
/// A grace window that is over at once.
pub(crate) const SHORT: Duration = Duration::from_millis(1);
/// One that no machine is slow enough to leave.
const LONG: Duration = Duration::from_secs(120);

/// The store has taken the refresh, the client got no answer, the server crashed: the one who comes back late is
/// given the successor, and goes on from there.
pub(crate) async fn late_retry_after_crash(server: &mut impl Server, store: Arc<dyn SessionStore>) {
    let node = node(Arc::clone(&store), SHORT);
    let first = start(&node).await;
    let lost = node.refresh(first.refresh().as_str()).await.unwrap();
    block_in_place(|| server.kill());
    block_in_place(|| server.start_again());
    expect_successor(store, first.refresh().as_str(), lost.refresh().as_str()).await;
}

/// The same from there on.
pub(crate) async fn expect_successor(store: Arc<dyn SessionStore>, held: &str, lost: &str) {
    // One node whose every retry is late, one that still takes it for a replay.
    let (hasty, patient) = (node(Arc::clone(&store), SHORT), node(Arc::clone(&store), LONG));
    sleep(SHORT).await;
    let second = refresh(&hasty, held).await;
    assert_eq!(second.refresh().generation(), 1);
    assert!(second.refresh().as_str() == lost, "there are two successors");
    let id = second.refresh().session_id();
    let row = answer(async || store.load(id).await).await.unwrap().session;
    let run = LateRetryRun { generation: 0, length: 1 };
    assert_eq!((row.generation(), row.record().late_retry), (1, Some(run)), "it was a late retry");
    let again = refresh(&patient, held).await;
    assert!(again.refresh().as_str() == lost, "there are two successors");
    sleep(SHORT).await;
    assert_eq!(refresh(&hasty, second.refresh().as_str()).await.refresh().generation(), 2);
}

pub(crate) async fn start(node: &Sessions<Profile>) -> Tokens {
    node.start(SignIn::new("alice").with_claims(Profile { name: "Alice".into() })).await.unwrap()
}

/// Tries for a while, as long as the store is out of reach.
async fn refresh(node: &Sessions<Profile>, token: &str) -> Tokens {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match node.refresh(token).await {
            Ok(tokens) => return tokens,
            Err(error @ RefreshError::Unavailable { .. }) => {
                assert!(Instant::now() < deadline, "the store does not come back: {error:?}");
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

//! A client whose response was lost, and that retries after the grace window.

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
/// A grace window that ends at once.
pub(crate) const SHORT: Duration = Duration::from_millis(1);
/// A grace window that is longer than any test takes.
const LONG: Duration = Duration::from_secs(120);

/// The store has written the refresh, the response is lost, and the server crashes. A client that retries late gets the
/// successor and continues with it.
pub(crate) async fn late_retry_after_crash(server: &mut impl Server, store: Arc<dyn SessionStore>) {
    let node = node(Arc::clone(&store), SHORT);
    let first = start(&node).await;
    let lost = node.refresh(first.refresh().as_str()).await.unwrap();
    block_in_place(|| server.kill());
    block_in_place(|| server.start_again());
    expect_successor(store, first.refresh().as_str(), lost.refresh().as_str()).await;
}

/// Checks the late retry after the crash.
pub(crate) async fn expect_successor(store: Arc<dyn SessionStore>, held: &str, lost: &str) {
    // For one node every retry is late. For the other one it is still a replay.
    let (short, long) = (node(Arc::clone(&store), SHORT), node(Arc::clone(&store), LONG));
    sleep(SHORT).await;
    let second = refresh(&short, held).await;
    assert_eq!(second.refresh().generation(), 1);
    assert!(second.refresh().as_str() == lost, "there are two successors");
    let id = second.refresh().session_id();
    let row = answer(async || store.load(id).await).await.unwrap().session;
    let run = LateRetryRun { generation: 0, length: 1 };
    assert_eq!((row.generation(), row.record().late_retry), (1, Some(run)), "it was a late retry");
    let again = refresh(&long, held).await;
    assert!(again.refresh().as_str() == lost, "there are two successors");
    sleep(SHORT).await;
    assert_eq!(refresh(&short, second.refresh().as_str()).await.refresh().generation(), 2);
}

pub(crate) async fn start(node: &Sessions<Profile>) -> Tokens {
    node.start(SignIn::new("alice").with_claims(Profile { name: "Alice".into() })).await.unwrap()
}

/// Refreshes, and retries for a limited time while the store is unavailable.
async fn refresh(node: &Sessions<Profile>, token: &str) -> Tokens {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match node.refresh(token).await {
            Ok(tokens) => return tokens,
            Err(error @ RefreshError::Unavailable { .. }) => {
                assert!(Instant::now() < deadline, "the store stays unavailable: {error:?}");
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

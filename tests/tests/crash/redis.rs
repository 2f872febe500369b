//! Redis, which syncs its append-only file before each answer: the server is killed, and the nodes keep running.

use std::sync::Arc;

use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth_redis::RedisStore;
use tower_jwt_auth_tests::servers::Redis;

use crate::late_retry::late_retry_after_crash;
use crate::server_crashes::crash_repeatedly;

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_undoes_no_logout_locks_nobody_out_and_forks_no_session() {
    let Some(mut server) = Redis::start(&DURABLE) else { return };
    let url = server.url();
    let stores = [open(&url).await, open(&url).await];
    crash_repeatedly(&mut server, 20, stores, async || open(&url).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_response_was_lost_with_the_server_can_retry_late() {
    let Some(mut server) = Redis::start(&DURABLE) else { return };
    let store = open(&server.url()).await;
    late_retry_after_crash(&mut server, store).await;
}

async fn open(url: &str) -> Arc<dyn SessionStore> {
    Arc::new(RedisStore::connect(url).await.unwrap())
}

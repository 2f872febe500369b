use std::time::Duration;

use tower_jwt_auth_tests::servers;

use crate::cookie_jar::generation;
use crate::guard::Guard;
use crate::server::Server;
use crate::window::{Refresh, Window};
use crate::{pause, print};

/// How often the tabs of each window refresh together.
const ROUNDS: usize = 67;
/// How often each tab refreshes in a round.
const REFRESHES: usize = 3;

/// The counts of one window.
#[derive(Debug, Default)]
struct Counts {
    refreshes: usize,
    rotations: u64,
    sign_outs: usize,
    slowest: Duration,
}

/// Lets the tabs refresh at the same time, in rounds that begin within a grace window, at its end, or after it.
async fn refresh_in_rounds(window: &Window, user: &str) -> Counts {
    let mut counts = Counts::default();
    let mut before = generation(&window.refresh_token().await);
    for _ in 0..ROUNDS {
        let refreshes = window.refresh(REFRESHES, Duration::from_millis(40)).await;
        let refreshes: Vec<_> = refreshes.into_iter().flatten().collect();
        let calls = window.call().await;
        counts.refreshes += refreshes.len();
        counts.slowest = refreshes.iter().map(Refresh::took).fold(counts.slowest, Duration::max);
        let current = generation(&window.refresh_token().await);
        counts.rotations += current.saturating_sub(before);
        before = current;
        let statuses = refreshes.iter().map(|refresh| refresh.status);
        let statuses: Vec<_> = statuses.chain(calls.iter().map(|call| call.status)).collect();
        if statuses.iter().any(|status| *status != 200) {
            counts.sign_outs += 1;
            window.sign_in_again(user).await;
            before = 0;
        }
        tokio::time::sleep(pause()).await;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_that_refresh_at_the_same_time_without_a_lock_stay_signed_in() {
    let Some(chromium) = servers::chromium() else { return };
    let server = Server::start(&[("BIND", "localhost:0"), ("GRACE", "1")]);
    let _guard = Guard::of(&server);
    let run = async |user, tabs| {
        let window = Window::sign_in(chromium, server.address(), user, tabs).await;
        let counts = refresh_in_rounds(&window, user).await;
        window.close().await;
        (tabs, counts)
    };
    let (two, five, ten) = tokio::join!(run("alice", 2), run("bob", 5), run("admin", 10));
    let all = [two, five, ten];
    for (tabs, counts) in &all {
        let Counts { refreshes, rotations, sign_outs, slowest } = counts;
        let replays = *refreshes as u64 - rotations;
        print(&format!(
            "{tabs} tabs: {sign_outs} sign-outs in {ROUNDS} rounds; {refreshes} refreshes: {rotations} rotations \
             and {replays} replays, the slowest after {slowest:?}"
        ));
        assert!(*rotations >= 10, "the rounds must lead out of grace windows");
    }
    assert!(all.iter().all(|(_, counts)| counts.sign_outs == 0), "{all:?}");
}

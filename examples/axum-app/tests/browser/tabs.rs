use std::time::Duration;

use tower_jwt_auth_tests::servers;

use crate::guard::Guard;
use crate::jar::generation;
use crate::server::Server;
use crate::window::{Refresh, Window};
use crate::{pause, say};

/// So many times the tabs of each window refresh together.
const ROUNDS: usize = 67;
/// So often each tab does in a round.
const REFRESHES: usize = 3;

/// What has been seen of one window.
#[derive(Debug, Default)]
struct Seen {
    refreshes: usize,
    rotations: u64,
    sign_outs: usize,
    slowest: Duration,
}

/// Lets the tabs refresh at once, in rounds that begin within a grace window, at its end, or after it.
async fn storm(window: &Window, user: &str) -> Seen {
    let mut seen = Seen::default();
    let mut before = generation(&window.refresh_token().await);
    for _ in 0..ROUNDS {
        let answers = window.refresh(REFRESHES, Duration::from_millis(40)).await;
        let answers: Vec<_> = answers.into_iter().flatten().collect();
        let calls = window.call().await;
        seen.refreshes += answers.len();
        seen.slowest = answers.iter().map(Refresh::took).fold(seen.slowest, Duration::max);
        let current = generation(&window.refresh_token().await);
        seen.rotations += current.saturating_sub(before);
        before = current;
        let statuses = answers.iter().map(|answer| answer.status);
        let statuses: Vec<_> = statuses.chain(calls.iter().map(|call| call.status)).collect();
        if statuses.iter().any(|status| *status != 200) {
            seen.sign_outs += 1;
            window.sign_in_again(user).await;
            before = 0;
        }
        tokio::time::sleep(pause()).await;
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_that_refresh_at_once_without_a_lock_stay_signed_in() {
    let Some(chromium) = servers::chromium() else { return };
    let server = Server::start(&[("BIND", "localhost:0"), ("GRACE", "1")]);
    let _guard = Guard::of(&server);
    let storm_of = async |user, tabs| {
        let window = Window::sign_in(chromium, server.address(), user, tabs).await;
        let seen = storm(&window, user).await;
        window.close().await;
        (tabs, seen)
    };
    let (two, five, ten) =
        tokio::join!(storm_of("alice", 2), storm_of("bob", 5), storm_of("admin", 10));
    let all = [two, five, ten];
    for (tabs, seen) in &all {
        let Seen { refreshes, rotations, sign_outs, slowest } = seen;
        let replays = *refreshes as u64 - rotations;
        say(&format!(
            "{tabs} tabs: {sign_outs} sign-outs in {ROUNDS} rounds; {refreshes} refreshes: {rotations} rotations \
             and {replays} replays, the slowest after {slowest:?}"
        ));
        assert!(*rotations >= 10, "the rounds have to lead out of windows");
    }
    assert!(all.iter().all(|(_, seen)| seen.sign_outs == 0), "{all:?}");
}

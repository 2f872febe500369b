use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_jwt_auth_tests::servers;

use crate::guard::Guard;
use crate::jar::generation;
use crate::relay::{Fate, Relay};
use crate::server::{MAX_WAIT, Server};
use crate::window::Window;
use crate::{pause, say};

/// The tabs that refresh without a lock; one more has the application's own page, which takes a lock.
const PLAIN: usize = 4;
const TABS: usize = PLAIN + 1;
/// So often the window is closed and restored.
const RESTORED: usize = 5;

/// What a tab shows of itself, whichever page is in it.
const SHOWN: &str = "
    const is_shown = (id) => document.getElementById(id)?.hidden === false;
    if (is_shown('signed-in')) return 'signed in';
    if (is_shown('signed-out')) return 'signed out: the page';
    return document.title;";

/// What the tabs show, once all of them have come to an end.
async fn shown(window: &Window) -> Vec<String> {
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        let mut shown = window.execute_in_each(SHOWN).await;
        shown.retain(|shown| shown.starts_with("signed"));
        if shown.len() >= TABS {
            return shown;
        }
        assert!(Instant::now() < deadline, "{shown:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_is_restored_with_all_its_tabs_is_signed_in_in_each() {
    let Some(chromium) = servers::chromium() else { return };
    let server = Server::start(&[("BIND", "localhost:0"), ("GRACE", "1")]);
    let _guard = Guard::of(&server);
    let relay = Relay::start(server.address(), || Fate::Arrives(Duration::ZERO)).await;

    let profile = chromium.new_profile();
    let mut window = Window::open(chromium, &profile, &[]).await;
    window.goto(&format!("{}/readyz", relay.address())).await;
    window.sign_in_again("alice").await;
    window.goto(relay.address()).await;
    for _ in 0..PLAIN {
        window.new_window().await;
        window.goto(&format!("{}/load", relay.address())).await;
    }
    assert_eq!(shown(&window).await, ["signed in"; TABS]);

    let first = generation(&window.refresh_token().await);
    for _ in 0..RESTORED {
        window.close().await;
        sleep(pause()).await;
        window = Window::open(chromium, &profile, &["--restore-last-session"]).await;
        assert_eq!(shown(&window).await, ["signed in"; TABS]);
    }
    let rotations = generation(&window.refresh_token().await) - first;
    say(&format!(
        "a window of {TABS} tabs: 0 sign-outs in {RESTORED} restorations; {} refreshes, {rotations} rotations",
        RESTORED * (PLAIN * 3 + 1)
    ));
    window.close().await;
}

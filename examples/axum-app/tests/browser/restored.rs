use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_jwt_auth_tests::servers;

use crate::cookie_jar::generation;
use crate::guard::Guard;
use crate::relay::{Delivery, Relay};
use crate::server::{MAX_WAIT, Server};
use crate::window::Window;
use crate::{pause, print};

/// The number of tabs that refresh without a lock. One more has the page of the application, which takes a lock.
const PLAIN: usize = 4;
const TABS: usize = PLAIN + 1;
/// How often the window is closed and restored.
const RESTORED: usize = 5;

/// Returns the state that a tab shows, for either page.
const SHOWN: &str = "
    const is_shown = (id) => document.getElementById(id)?.hidden === false;
    if (is_shown('signed-in')) return 'signed in';
    if (is_shown('signed-out')) return 'signed out: the page';
    return document.title;";

/// Returns the states of the tabs once each of them is final.
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
async fn each_tab_of_a_restored_window_is_signed_in() {
    let Some(chromium) = servers::chromium() else { return };
    let server = Server::start(&[("BIND", "localhost:0"), ("GRACE", "1")]);
    let _guard = Guard::of(&server);
    let relay = Relay::start(server.address(), || Delivery::After(Duration::ZERO)).await;

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
    print(&format!(
        "a window of {TABS} tabs: 0 sign-outs in {RESTORED} restorations; {} refreshes, {rotations} rotations",
        RESTORED * (PLAIN * 3 + 1)
    ));
    window.close().await;
}

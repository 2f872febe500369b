use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;
use tower_jwt_auth_tests::servers;

use crate::cookie_jar::generation;
use crate::guard::Guard;
use crate::relay::{Delivery, Relay};
use crate::server::Server;
use crate::window::Window;
use crate::{GRACE, pause, print, random_below};

const TABS: usize = 5;
const ROUNDS: usize = 30;
const REFRESHES: usize = 2;

/// The state of the network in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// Responses arrive in their order.
    Good,
    /// Some responses are dropped. The others arrive in any order, all of them within the grace window.
    Lossy,
    /// No response arrives.
    Down,
}

impl Network {
    fn delivery(self) -> Delivery {
        match self {
            Self::Good => Delivery::After(Duration::ZERO),
            Self::Lossy if random_below(3) > 0 => {
                Delivery::After(Duration::from_millis(random_below(300)))
            }
            Self::Lossy | Self::Down => Delivery::Dropped,
        }
    }

    /// The statuses that a tab may see. 0 stands for a missing response.
    fn statuses(self) -> &'static [u16] {
        match self {
            Self::Good => &[200],
            Self::Lossy => &[0, 200],
            Self::Down => &[0],
        }
    }
}

// With one late retry, a client may miss a generation, but not two of them running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_that_are_dropped_or_reordered_sign_nobody_out() {
    let Some(chromium) = servers::chromium() else { return };
    let mut server = Server::start(&[
        ("BIND", "localhost:0"),
        ("GRACE", "1"),
        ("LATE_RETRIES", "1"),
        ("RUST_LOG", "info"),
    ]);
    let guard = Guard::of(&server);
    let network = Arc::new(Mutex::new(Network::Good));
    let now = Arc::clone(&network);
    let relay = Relay::start(server.address(), move || now.lock().unwrap().delivery()).await;
    let window = Window::sign_in(chromium, relay.address(), "alice", TABS).await;

    let (mut behind, mut last_behind) = (0, 0);
    let mut states = [Network::Down, Network::Lossy, Network::Lossy].into_iter().cycle();
    for round in 0..ROUNDS {
        // The generation after a missed one must arrive before another may be missed.
        let has_caught_up = generation(&window.refresh_token().await) > last_behind;
        let next = if has_caught_up { states.next().unwrap() } else { Network::Good };
        *network.lock().unwrap() = next;
        if next == Network::Down {
            // After this pause the server rotates.
            sleep(GRACE).await;
        }
        let refreshes = window.refresh(REFRESHES, Duration::from_millis(100)).await;
        let statuses: Vec<_> = refreshes.iter().flatten().map(|refresh| refresh.status).collect();
        let is_expected = statuses.iter().all(|status| next.statuses().contains(status));
        assert!(is_expected, "round {round}, {next:?}: {statuses:?}");
        let current = relay.counts().generation;
        if generation(&window.refresh_token().await) < current {
            behind += 1;
            last_behind = current;
            // Every other time the next round begins after the grace window.
            sleep(GRACE * (behind % 2)).await;
        }
        sleep(pause()).await;
    }

    *network.lock().unwrap() = Network::Good;
    window.refresh(1, GRACE).await;
    let calls = window.call().await;
    assert!(calls.iter().all(|call| call.status == 200), "{calls:?}");
    let counts = relay.counts();
    assert_eq!(generation(&window.refresh_token().await), counts.generation);
    window.close().await;
    drop(guard);
    server.stop();
    let late_retries = server.log().matches("a refresh was retried late").count();
    print(&format!(
        "{TABS} tabs behind a bad network: 0 sign-outs in {ROUNDS} rounds; of {} responses {} were dropped and {} \
         reordered, {} rotations, {late_retries} late retries, {behind} rounds left the client a generation behind",
        counts.responses, counts.dropped, counts.overtaken, counts.generation
    ));
    assert!(counts.overtaken > 0 && late_retries > 0, "{counts:?}, {late_retries} late retries");
}

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;
use tower_jwt_auth_tests::servers;

use crate::guard::Guard;
use crate::jar::generation;
use crate::relay::{Fate, Relay};
use crate::server::Server;
use crate::window::Window;
use crate::{GRACE, below, pause, say};

const TABS: usize = 5;
const ROUNDS: usize = 30;
const REFRESHES: usize = 2;

/// What becomes of the answers of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    /// They arrive in their order.
    Fair,
    /// Some are lost, the others arrive in any order, all of them before the grace window ends.
    Foul,
    /// None arrives.
    Dead,
}

impl Weather {
    fn fate(self) -> Fate {
        match self {
            Self::Fair => Fate::Arrives(Duration::ZERO),
            Self::Foul if below(3) > 0 => Fate::Arrives(Duration::from_millis(below(300))),
            Self::Foul | Self::Dead => Fate::IsLost,
        }
    }

    /// What a tab may see; 0 is no answer.
    fn statuses(self) -> &'static [u16] {
        match self {
            Self::Fair => &[200],
            Self::Foul => &[0, 200],
            Self::Dead => &[0],
        }
    }
}

// A client may miss a generation, but not the next one too: that is what one late retry is good for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_or_overtake_each_other_sign_nobody_out() {
    let Some(chromium) = servers::chromium() else { return };
    let mut server = Server::start(&[
        ("BIND", "localhost:0"),
        ("GRACE", "1"),
        ("LATE_RETRIES", "1"),
        ("RUST_LOG", "info"),
    ]);
    let guard = Guard::of(&server);
    let weather = Arc::new(Mutex::new(Weather::Fair));
    let now = Arc::clone(&weather);
    let relay = Relay::start(server.address(), move || now.lock().unwrap().fate()).await;
    let window = Window::sign_in(chromium, relay.address(), "alice", TABS).await;

    let (mut behind, mut last_behind) = (0, 0);
    let mut kinds = [Weather::Dead, Weather::Foul, Weather::Foul].into_iter().cycle();
    for round in 0..ROUNDS {
        // The generation after the one that was missed has to arrive, before another may be missed.
        let has_caught_up = generation(&window.refresh_token().await) > last_behind;
        let next = if has_caught_up { kinds.next().unwrap() } else { Weather::Fair };
        *weather.lock().unwrap() = next;
        if next == Weather::Dead {
            // So that the server rotates in this round.
            sleep(GRACE).await;
        }
        let answers = window.refresh(REFRESHES, Duration::from_millis(100)).await;
        let statuses: Vec<_> = answers.iter().flatten().map(|answer| answer.status).collect();
        let is_expected = statuses.iter().all(|status| next.statuses().contains(status));
        assert!(is_expected, "round {round}, {next:?}: {statuses:?}");
        let current = relay.passed().generation;
        if generation(&window.refresh_token().await) < current {
            behind += 1;
            last_behind = current;
            // Every other time the next round comes too late for the window.
            sleep(GRACE * (behind % 2)).await;
        }
        sleep(pause()).await;
    }

    *weather.lock().unwrap() = Weather::Fair;
    window.refresh(1, GRACE).await;
    let calls = window.call().await;
    assert!(calls.iter().all(|call| call.status == 200), "{calls:?}");
    let passed = relay.passed();
    assert_eq!(generation(&window.refresh_token().await), passed.generation);
    window.close().await;
    drop(guard);
    server.stop();
    let late_retries = server.log().matches("a refresh was retried late").count();
    say(&format!(
        "{TABS} tabs behind a bad network: 0 sign-outs in {ROUNDS} rounds; of {} answers {} were lost and {} \
         overtaken, {} rotations, {late_retries} late retries, {behind} rounds left the client a generation behind",
        passed.answers, passed.lost, passed.overtaken, passed.generation
    ));
    assert!(passed.overtaken > 0 && late_retries > 0, "{passed:?}, {late_retries} late retries");
}

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::RwLock;
use tokio::time::sleep;
use tower_jwt_auth::sessions::{RefreshError, RefreshRejection, SessionError};
use tower_jwt_auth::store::StoreError;
use tower_jwt_auth::{Sessions, SignIn, Tokens};
use tower_jwt_auth_tests::Profile;

use crate::event::{CookieJar, Event, EventKind, HeldToken};
use crate::node::GRACE;
use crate::rng::Rng;

/// Receives events.
pub(crate) type Recorder = Arc<dyn Fn(Event) + Send + Sync>;

/// The time within which a client must get an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A user with a browser: signs in, refreshes, logs out and signs in again.
///
/// If a response is an error or does not arrive, the client keeps its refresh token and sends it again.
pub(crate) struct Client {
    client_index: usize,
    jar: CookieJar,
    nodes: Vec<Sessions<Profile>>,
    recorder: Recorder,
    rng: Rng,
}

impl Client {
    pub(crate) fn new(
        client_index: usize,
        jar: CookieJar,
        nodes: Vec<Sessions<Profile>>,
        recorder: Recorder,
    ) -> Self {
        Self { client_index, jar, nodes, recorder, rng: Rng::new() }
    }

    /// Runs until the gate is `false`. While the gate is locked for writing, no call is in progress.
    pub(crate) async fn run(mut self, gate: Arc<RwLock<bool>>) {
        loop {
            let open = gate.read().await;
            if !*open {
                return;
            }
            let is_answered = self.step().await;
            drop(open);
            let pause = if is_answered { self.rng.millis(0, 5) } else { self.rng.millis(20, 120) };
            sleep(pause).await;
        }
    }

    /// Makes one call and returns whether it was answered.
    async fn step(&mut self) -> bool {
        if let Some(ended) = self.jar.ended.clone()
            && self.rng.one_in(8)
        {
            self.retry_ended(&ended).await;
        }
        match self.jar.held.clone() {
            None => self.sign_in().await,
            Some(held) if held.leaving || self.rng.one_in(20) => self.log_out(held).await,
            Some(held) => self.refresh(&held).await,
        }
    }

    /// Completes a logout that has begun, or else refreshes twice, with retries. Returns `false` if the client is
    /// locked out.
    pub(crate) async fn settle(&mut self) -> bool {
        let deadline = Instant::now() + TIMEOUT;
        let aim = self.jar.held.as_ref().map_or(0, |held| held.generation + 2);
        while let Some(held) = self.jar.held.clone()
            && held.generation < aim
        {
            if Instant::now() > deadline {
                return false;
            }
            let is_answered =
                if held.leaving { self.log_out(held).await } else { self.refresh(&held).await };
            // A session rotates at most once in a grace window.
            sleep(if is_answered { GRACE / 5 } else { Duration::from_millis(50) }).await;
        }
        true
    }

    async fn sign_in(&mut self) -> bool {
        let subject = self.subject();
        let who = SignIn::new(subject.clone()).with_claims(Profile { name: subject });
        match self.any_node().start(who).await {
            Ok(tokens) => {
                let (held, access) = (HeldToken::of(&tokens), tokens.access().as_str().to_owned());
                self.jar.held = Some(held.clone());
                self.record(EventKind::Started { held, access });
                true
            }
            Err(error) => self.failed("-", &error),
        }
    }

    /// Refreshes in one tab, or in two tabs at the same time.
    async fn refresh(&mut self, held: &HeldToken) -> bool {
        let tabs = if self.rng.one_in(4) { 2 } else { 1 };
        let nodes: Vec<_> = (0..tabs).map(|_| self.any_node()).collect();
        let answers = join_all(nodes.iter().map(|node| node.refresh(&held.token))).await;
        // Every response is checked, even after a successful one.
        let answers = answers.into_iter().map(|answer| self.take(held, answer));
        answers.fold(false, |some, answered| some | answered)
    }

    fn take(&mut self, held: &HeldToken, answer: Result<Tokens, RefreshError>) -> bool {
        match answer {
            Ok(tokens) => {
                let arrived = !self.rng.one_in(8);
                let (next, access) = (HeldToken::of(&tokens), tokens.access().as_str().to_owned());
                // Of two responses at the end of a window, one may be of the previous generation.
                if arrived && self.jar.is_behind(&next) {
                    self.jar.held = Some(next.clone());
                }
                self.record(EventKind::Refreshed {
                    from: held.generation,
                    held: next,
                    access,
                    arrived,
                });
                true
            }
            Err(RefreshError::Unavailable { successor, .. }) => {
                assert!(successor.is_none(), "without a hook, no successor comes with an error");
                self.record(EventKind::TryLater);
                false
            }
            Err(error) => {
                self.jar.held = None;
                let answer = format!("generation {} was answered: {error}", held.generation);
                self.record(EventKind::Wrong { sid: held.sid.clone(), answer });
                true
            }
        }
    }

    /// Logs out in one of three ways. The client repeats the logout until it is acknowledged.
    async fn log_out(&mut self, held: HeldToken) -> bool {
        if !held.leaving {
            self.jar.held = Some(HeldToken { leaving: true, ..held.clone() });
            self.record(EventKind::Leaving { sid: held.sid.clone() });
        }
        let (node, subject) = (self.any_node(), self.subject());
        let outcome = match self.rng.below(3) {
            0 => node.end(&subject, held.sid.parse().unwrap()).await.map(drop),
            1 => node.end_all(&subject).await.map(drop),
            _ => node.end_presented(&held.token).await.map(drop),
        };
        match outcome {
            Ok(()) => {
                self.record(EventKind::LoggedOut { sid: held.sid.clone() });
                self.jar = CookieJar { held: None, ended: Some(held) };
                true
            }
            Err(error) => self.failed(&held.sid, &error),
        }
    }

    /// Refreshes an ended session, like a thief or a tab that was suspended.
    async fn retry_ended(&mut self, ended: &HeldToken) {
        let answer = match self.any_node().refresh(&ended.token).await {
            Err(RefreshError::Rejected(RefreshRejection::Ended | RefreshRejection::Revoked)) => {
                return self.record(EventKind::StaysEnded);
            }
            Err(RefreshError::Unavailable { .. }) => return self.record(EventKind::TryLater),
            Ok(_) => "a refresh succeeded after its logout".to_owned(),
            Err(error) => format!("a refresh after its logout was answered: {error}"),
        };
        self.record(EventKind::Wrong { sid: ended.sid.clone(), answer });
    }

    /// Records an error. An unavailable store is expected, and any other error is wrong.
    fn failed(&self, sid: &str, error: &SessionError) -> bool {
        match error {
            SessionError::Store(StoreError::Unavailable(_)) => self.record(EventKind::TryLater),
            error => {
                let answer = format!("{error}: {:?}", std::error::Error::source(error));
                self.record(EventKind::Wrong { sid: sid.to_owned(), answer });
            }
        }
        false
    }

    fn any_node(&mut self) -> Sessions<Profile> {
        let any = usize::try_from(self.rng.below(self.nodes.len() as u64)).unwrap();
        self.nodes[any].clone()
    }

    fn subject(&self) -> String {
        format!("user-{}", self.client_index)
    }

    fn record(&self, kind: EventKind) {
        (self.recorder)(Event { client_index: self.client_index, kind });
    }
}

//! Plays a history and compares every response and every row with the reference.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tower_jwt_auth::revocation::SyncOptions;
use tower_jwt_auth::sessions::SessionLimit;
use tower_jwt_auth::store::SessionStore;
use tower_jwt_auth::{Issuer, JwtAuthLayer, RefreshSecrets, RotationPolicy, Sessions, SigningKey};
use tower_jwt_auth_tests::harness::REFRESH_SECRET;
use tower_jwt_auth_tests::{AUDIENCE, Fault, FaultyStore, ISSUER, Profile};

use crate::clients::{Client, row_of};
use crate::clocks::Clocks;
use crate::reference::{Millis, Rules, Span};
use crate::steps::{FaultKind, History, Step};

pub(crate) type Checked = Result<(), TestCaseError>;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());
pub(crate) const SUBJECTS: [&str; 2] = ["alice", "bob"];
/// The time after the end of a session before the store may remove it.
const PURGE_AFTER: Duration = Duration::from_secs(3600);

pub(crate) struct Node {
    pub(crate) sessions: Sessions<Profile>,
    pub(crate) auth: JwtAuthLayer<Profile>,
}

pub(crate) struct Run {
    pub(crate) clocks: Clocks,
    pub(crate) rules: Rules,
    /// The store without faults, to read rows.
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) faulty: FaultyStore,
    pub(crate) nodes: [Node; 2],
    /// The clients, in the order in which their sessions were added.
    pub(crate) clients: Vec<Client>,
    /// Whether the store has hung. A node then makes one call at a time and fails the others at once.
    pub(crate) has_hung: bool,
    /// How often each event occurred, to show that the histories reach it.
    pub(crate) seen: BTreeMap<&'static str, usize>,
}

impl Run {
    pub(crate) async fn new(
        history: &History,
        store: Arc<dyn SessionStore>,
        clocks: Clocks,
    ) -> Self {
        // After a jump of a manual clock, a list is stale until its next heartbeat.
        let (grace, slack, often) = match &clocks {
            Clocks::Manual { .. } => (Duration::from_secs(10), 0, Duration::from_millis(10)),
            Clocks::Wall { grace } => (*grace, 2, Duration::from_secs(1)),
        };
        let grace = if history.has_grace { grace } else { Duration::ZERO };
        let policy =
            RotationPolicy::default().with_grace(grace).with_late_retries(history.late_retries);
        let rules = Rules {
            grace: millis(grace),
            late_retries: history.late_retries,
            idle: millis(policy.idle()),
            absolute: millis(policy.absolute()),
            access: 300_000,
            leeway: 5000,
            max_sessions: 2,
            slack,
        };
        let faulty = FaultyStore::new(Arc::clone(&store));
        let node = |number| {
            let issuer = Issuer::new(ISSUER, AUDIENCE, KEY.clone()).unwrap();
            let issuer = issuer.with_clock(clocks.of_node(number));
            let secrets = RefreshSecrets::new(&REFRESH_SECRET).unwrap();
            let follow = SyncOptions::default().with_heartbeat(often).unwrap();
            let follow = follow.with_full_resync_interval(often * 10).unwrap();
            let sessions = Sessions::builder(issuer, secrets, faulty.clone())
                .claims::<Profile>()
                .sync_options(follow)
                .rotation(policy.clone())
                .session_limit(SessionLimit::end_oldest(rules.max_sessions))
                .build()
                .unwrap();
            let auth = JwtAuthLayer::for_sessions(&sessions);
            Node { sessions, auth }
        };
        let nodes = [node(0), node(1)];
        for node in &nodes {
            node.sessions.revocations().ready().await;
        }
        Self {
            clocks,
            rules,
            store,
            faulty,
            nodes,
            clients: Vec::new(),
            has_hung: false,
            seen: BTreeMap::new(),
        }
    }

    /// Plays the steps, and then calls both nodes with every access token.
    pub(crate) async fn play(&mut self, history: &History) -> Checked {
        self.step(Step::SignIn { subject: 0, node: 0 }).await?;
        for step in &history.steps {
            self.step(*step).await?;
        }
        self.step(Step::Settle).await?;
        for session in 0..self.clients.len() {
            for node in 0..2 {
                self.call_all(session, node).await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Checked {
        self.faulty.take_hits();
        let known: Vec<_> = self.clients.iter().map(|client| client.end).collect();
        match step {
            Step::SignIn { subject, node } => self.sign_in(subject, node).await?,
            Step::Refresh(refresh) => self.refresh(refresh).await?,
            Step::Lapse(refresh) => {
                self.clocks.advance(10).await;
                self.refresh(refresh).await?;
            }
            Step::Race(one, other) => self.race(one, other).await?,
            Step::Logout { session, back, node } => self.log_out(session, back, node).await?,
            Step::EndOne { session, is_own, node } => self.end(session, is_own, node).await?,
            Step::EndAll { subject, node } => self.end_all(subject, node).await?,
            Step::EndOthers { session, node } => self.end_others(session, node).await?,
            Step::RevokeAccess { session, node } => self.revoke(session, node).await?,
            Step::Call { session, back, node } => self.call_back(session, back, node).await?,
            Step::List { subject, node } => self.list(subject, node).await?,
            Step::Advance(seconds) => self.clocks.advance(seconds).await,
            Step::ClockBack(by) => self.clocks.back(by),
            Step::Skew { node, by } => self.clocks.skew(node, by),
            Step::Fault(method, fault_kind) => {
                self.faulty.fail_once(method, fault(fault_kind, &self.clocks));
            }
            Step::Settle => self.settle().await?,
            Step::Purge => {
                self.store.purge_sessions(PURGE_AFTER, 1000).await.unwrap();
                // This is longer than a list keeps an entry after the tokens have expired.
                self.store.purge_log(PURGE_AFTER * 2, 1000).await.unwrap();
            }
        }
        self.check_rows().await?;
        // An end that a node has acknowledged takes effect on that node at once.
        for (session, known) in known.into_iter().enumerate() {
            for (node, known) in known.into_iter().enumerate() {
                if self.clients[session].end[node] > known {
                    self.call_all(session, node).await?;
                }
            }
        }
        Ok(())
    }

    /// Returns the index of a session, counted from the one that was added last.
    pub(crate) fn pick(&self, number: usize) -> usize {
        self.clients.len() - 1 - number % self.clients.len()
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Returns whether one of these methods has failed since the last call of this function.
    pub(crate) fn failed(&mut self, methods: &[&str]) -> bool {
        let hits = self.faulty.take_hits();
        self.has_hung |= hits.iter().any(|(_, fault)| *fault == Fault::Hang);
        hits.iter()
            .any(|(method, fault)| methods.contains(method) && !matches!(fault, Fault::Slow(_)))
    }

    /// Checks that a call failed if the store failed, and only then.
    pub(crate) fn check_failure(&mut self, methods: &[&str], is_failure: bool) -> Checked {
        let failed = self.failed(methods);
        prop_assert!(is_failure || !failed, "a failure of the store is not reported");
        prop_assert!(!is_failure || failed || self.has_hung, "a call failed without a fault");
        Ok(())
    }

    /// Checks that the reference allows every row.
    async fn check_rows(&mut self) -> Checked {
        let now = self.clocks.now();
        let mut seen = Vec::new();
        for client in &mut self.clients {
            let snapshot = self.store.load(client.id).await.unwrap();
            let expected = std::mem::take(&mut client.expected);
            let Some(snapshot) = snapshot else {
                let before = &client.row;
                let over = before.idle_until.min(before.expires_at);
                let over = if before.is_ended { before.access_until } else { over };
                let is_long_over = before.access_until.max(over) + millis(PURGE_AFTER) < now;
                prop_assert!(
                    is_long_over || client.is_removed,
                    "a row was removed too early: {before:?}"
                );
                client.is_removed = true;
                seen.push("removal");
                continue;
            };
            let row = row_of(&snapshot.session);
            let is_expected = expected.iter().any(|span| span.holds(&row, &self.rules));
            prop_assert!(is_expected, "the row is {row:?}, but the reference allows {expected:?}");
            let before = &client.row;
            if row.generation > before.generation && before.generation > 0 {
                let age = row.rotated_at - before.rotated_at + self.rules.slack;
                prop_assert!(
                    age.abs() >= self.rules.grace,
                    "the session rotated twice in a window"
                );
            }
            prop_assert!(row.generation >= before.generation, "the generation decreased");
            prop_assert!(row.is_ended || !before.is_ended, "an ended session is live again");
            let latest = client.access.iter().map(|access| access.expires_at).max();
            prop_assert!(
                latest.is_none_or(|latest| latest <= row.access_until),
                "an access token expires later than the row records"
            );
            client.expected = vec![Span::exactly(&row)];
            let changes = [
                ("rotation", row.generation > client.row.generation),
                ("late retry", row.late != client.row.late),
                ("end", row.is_ended && !client.row.is_ended),
            ];
            seen.extend(changes.iter().filter(|(_, is_so)| *is_so).map(|(what, _)| *what));
            client.row = row;
        }
        seen.into_iter().for_each(|what| self.note(what));
        Ok(())
    }
}

fn millis(duration: Duration) -> Millis {
    i64::try_from(duration.as_millis()).unwrap()
}

/// Returns the fault. With the system clock no call hangs, because that would take the whole timeout of the store.
fn fault(fault_kind: FaultKind, clocks: &Clocks) -> Fault {
    let is_real = matches!(clocks, Clocks::Wall { .. });
    match fault_kind {
        FaultKind::Hang if !is_real => Fault::Hang,
        FaultKind::Before | FaultKind::Hang => Fault::Before,
        FaultKind::After => Fault::After,
        FaultKind::Slow => Fault::Slow(Duration::from_millis(if is_real { 20 } else { 500 })),
    }
}

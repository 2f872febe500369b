use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::Recorder;
use crate::event::{CookieJar, Event, EventKind, HeldToken};

/// All responses to clients so far, and the errors found in them.
pub(crate) struct History {
    /// What each client holds.
    pub(crate) jars: Vec<CookieJar>,
    /// How many answers that arrived each client has had.
    pub(crate) answers: Vec<usize>,
    pub(crate) sessions: BTreeMap<String, SessionHistory>,
    pub(crate) counts: Counts,
    wrong: Vec<String>,
}

/// A session that somebody got an answer about.
#[derive(Default)]
pub(crate) struct SessionHistory {
    /// The refresh token of each generation that was handed out.
    pub(crate) tokens: Vec<String>,
    pub(crate) access: Vec<String>,
    /// A logout was begun: it may have happened.
    pub(crate) leaving: bool,
    /// The logout was acknowledged.
    pub(crate) logged_out: bool,
}

impl SessionHistory {
    /// The highest generation that was handed out.
    pub(crate) fn generation(&self) -> u64 {
        self.tokens.len() as u64 - 1
    }
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) sign_ins: usize,
    pub(crate) refreshes: usize,
    /// Those of the refreshes that were answered with a token that had been handed out before.
    pub(crate) repeated: usize,
    pub(crate) logouts: usize,
    pub(crate) errors: usize,
    /// How often a token of an ended session was refused for that.
    pub(crate) refused: usize,
    pub(crate) kills: usize,
    /// The sessions whose rows were found to have moved on without an answer, and how far.
    pub(crate) unanswered: BTreeSet<(String, u64)>,
}

/// A history that all clients record to.
pub(crate) type SharedHistory = Arc<Mutex<History>>;

impl History {
    pub(crate) fn shared(clients: usize) -> SharedHistory {
        Arc::new(Mutex::new(Self {
            jars: vec![CookieJar::default(); clients],
            answers: vec![0; clients],
            sessions: BTreeMap::new(),
            counts: Counts::default(),
            wrong: Vec::new(),
        }))
    }

    /// How many refreshes and logouts have been acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.counts.refreshes + self.counts.logouts
    }

    pub(crate) fn record(&mut self, Event { client_index, kind }: Event) {
        match kind {
            EventKind::Started { held, access } => {
                self.counts.sign_ins += 1;
                let known = self.sessions.entry(held.sid.clone()).or_default();
                known.tokens.push(held.token.clone());
                known.access.push(access);
                self.arrived(client_index, &held);
            }
            EventKind::Refreshed { from, held, access, arrived } => {
                self.counts.refreshes += 1;
                self.handed_out(from, &held, access);
                if arrived {
                    self.arrived(client_index, &held);
                }
            }
            EventKind::Leaving { sid } => {
                self.sessions.entry(sid).or_default().leaving = true;
                if let Some(held) = &mut self.jars[client_index].held {
                    held.leaving = true;
                }
            }
            EventKind::LoggedOut { sid } => {
                self.counts.logouts += 1;
                self.answers[client_index] += 1;
                self.sessions.entry(sid).or_default().logged_out = true;
                let ended = self.jars[client_index].held.take();
                self.jars[client_index] = CookieJar { held: None, ended };
            }
            EventKind::TryLater => self.counts.errors += 1,
            EventKind::StaysEnded => self.counts.refused += 1,
            EventKind::Wrong { sid, answer } => self.wrong(&sid, &answer),
        }
    }

    fn arrived(&mut self, client_index: usize, held: &HeldToken) {
        self.answers[client_index] += 1;
        if self.jars[client_index].is_behind(held) {
            self.jars[client_index].held = Some(held.clone());
        }
    }

    /// One token in one generation, and one generation after the other.
    fn handed_out(&mut self, from: u64, held: &HeldToken, access: String) {
        let known = self.sessions.entry(held.sid.clone()).or_default();
        known.access.push(access);
        let place = usize::try_from(held.generation).unwrap();
        let wrong = match known.tokens.get(place) {
            _ if known.logged_out => "a refresh was granted after its logout".to_owned(),
            // The next one, or within the window the same.
            _ if held.generation != from + 1 && held.generation != from => {
                format!("generation {from} was answered with {}", held.generation)
            }
            Some(before) if *before == held.token => {
                self.counts.repeated += 1;
                return;
            }
            Some(_) => format!("there are two tokens of generation {place}: a fork"),
            None if place == known.tokens.len() => {
                known.tokens.push(held.token.clone());
                return;
            }
            None => format!("generation {place} came after {}", known.tokens.len()),
        };
        self.wrong(&held.sid, &wrong);
    }

    pub(crate) fn wrong(&mut self, sid: &str, problem: &str) {
        self.wrong.push(format!("session {sid}: {problem}"));
    }

    #[track_caller]
    pub(crate) fn assert_nothing_wrong(&self) {
        let wrong = &self.wrong[..self.wrong.len().min(10)];
        let number = self.wrong.len();
        assert!(wrong.is_empty(), "{number} things are wrong ({self}):\n{}", wrong.join("\n"));
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        write!(
            f,
            "{} kills; acknowledged {} refreshes ({} of them again), {} logouts, {} sign-ins; {} errors; {} \
             refusals after a logout; {} rows had moved on without an answer",
            counts.kills,
            counts.refreshes,
            counts.repeated,
            counts.logouts,
            counts.sign_ins,
            counts.errors,
            counts.refused,
            counts.unanswered.len(),
        )
    }
}

pub(crate) fn lock(history: &SharedHistory) -> MutexGuard<'_, History> {
    // Whoever panicked has said why, and nobody else needs to.
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a recorder of this history.
pub(crate) fn record_to(history: &SharedHistory) -> Recorder {
    let history = Arc::clone(history);
    Arc::new(move |event| lock(&history).record(event))
}

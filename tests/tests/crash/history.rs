use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::Recorder;
use crate::event::{CookieJar, Event, EventKind, HeldToken};

/// All responses to clients so far, and the errors found in them.
pub(crate) struct History {
    /// What each client holds.
    pub(crate) jars: Vec<CookieJar>,
    /// The number of responses that each client has received.
    pub(crate) answers: Vec<usize>,
    pub(crate) sessions: BTreeMap<String, SessionHistory>,
    pub(crate) counts: Counts,
    wrong: Vec<String>,
}

/// A session that occurred in a response.
#[derive(Default)]
pub(crate) struct SessionHistory {
    /// The refresh token of each issued generation.
    pub(crate) tokens: Vec<String>,
    pub(crate) access: Vec<String>,
    /// A logout has begun and may have taken effect.
    pub(crate) leaving: bool,
    /// The logout was acknowledged.
    pub(crate) logged_out: bool,
}

impl SessionHistory {
    /// Returns the highest issued generation.
    pub(crate) fn generation(&self) -> u64 {
        self.tokens.len() as u64 - 1
    }
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) sign_ins: usize,
    pub(crate) refreshes: usize,
    /// The number of refreshes that returned a token that had been issued before.
    pub(crate) repeated: usize,
    pub(crate) logouts: usize,
    pub(crate) errors: usize,
    /// The number of refusals because the session had ended.
    pub(crate) refused: usize,
    pub(crate) kills: usize,
    /// The sessions and generations of rows that advanced without a response.
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

    /// Returns the number of acknowledged refreshes and logouts.
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

    /// Checks that each generation has one token, and that generations are consecutive.
    fn handed_out(&mut self, from: u64, held: &HeldToken, access: String) {
        let known = self.sessions.entry(held.sid.clone()).or_default();
        known.access.push(access);
        let place = usize::try_from(held.generation).unwrap();
        let wrong = match known.tokens.get(place) {
            _ if known.logged_out => "a refresh succeeded after its logout".to_owned(),
            // The next generation, or the same one within the window.
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
        assert!(wrong.is_empty(), "{number} errors ({self}):\n{}", wrong.join("\n"));
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        write!(
            f,
            "{} kills; acknowledged {} refreshes ({} of them replays), {} logouts, {} sign-ins; {} errors; {} \
             refusals after a logout; {} rows advanced without a response",
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
    // The panic that poisoned the lock has already reported the error.
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a recorder of this history.
pub(crate) fn record_to(history: &SharedHistory) -> Recorder {
    let history = Arc::clone(history);
    Arc::new(move |event| lock(&history).record(event))
}

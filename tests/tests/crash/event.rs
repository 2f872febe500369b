use serde::{Deserialize, Serialize};
use tower_jwt_auth::Tokens;

/// A refresh token as a cookie jar holds it. No `Debug`: it is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) sid: String,
    pub(crate) generation: u64,
    pub(crate) token: String,
    /// The user has asked to be logged out, and no answer has come so far.
    pub(crate) leaving: bool,
}

impl Held {
    pub(crate) fn of(tokens: &Tokens) -> Self {
        let refresh = tokens.refresh();
        Self {
            sid: refresh.session_id().to_string(),
            generation: refresh.generation(),
            token: refresh.as_str().to_owned(),
            leaving: false,
        }
    }
}

/// What a client has: its session, and the one that it was logged out of last.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Jar {
    pub(crate) held: Option<Held>,
    pub(crate) ended: Option<Held>,
}

impl Jar {
    /// Whether this token is of another session than the one held, or of a later generation.
    pub(crate) fn is_behind(&self, next: &Held) -> bool {
        let held = self.held.as_ref().filter(|held| held.sid == next.sid);
        held.is_none_or(|held| held.generation < next.generation)
    }
}

/// What happened to the client of a seat; told after the answer of the store, unless it says otherwise.
#[derive(Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) seat: usize,
    pub(crate) what: What,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum What {
    Started {
        held: Held,
        access: String,
    },
    /// Handed out; where it has not arrived, the client goes on with what it held.
    Refreshed {
        from: u64,
        held: Held,
        access: String,
        arrived: bool,
    },
    /// The logout begins: told before the store is asked.
    Leaving {
        sid: String,
    },
    LoggedOut {
        sid: String,
    },
    /// An answer that asks to try again later.
    TryLater,
    /// The refresh token of a session that was ended was refused for that.
    StaysEnded,
    /// Something that must never be answered.
    Wrong {
        sid: String,
        answer: String,
    },
}

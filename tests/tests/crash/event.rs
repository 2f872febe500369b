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

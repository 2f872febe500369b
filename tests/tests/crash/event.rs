use serde::{Deserialize, Serialize};
use tower_jwt_auth::Tokens;

/// A refresh token as a cookie jar holds it. No `Debug`: it is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct HeldToken {
    pub(crate) sid: String,
    pub(crate) generation: u64,
    pub(crate) token: String,
    /// The user has asked to be logged out, and no answer has come so far.
    pub(crate) leaving: bool,
}

impl HeldToken {
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

/// The session of a client, and the one that it was logged out of last.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct CookieJar {
    pub(crate) held: Option<HeldToken>,
    pub(crate) ended: Option<HeldToken>,
}

impl CookieJar {
    /// Whether this token is of another session than the one held, or of a later generation.
    pub(crate) fn is_behind(&self, next: &HeldToken) -> bool {
        let held = self.held.as_ref().filter(|held| held.sid == next.sid);
        held.is_none_or(|held| held.generation < next.generation)
    }
}

/// An event of a client. It is recorded after the response of the store, unless its kind says otherwise.
#[derive(Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) client_index: usize,
    pub(crate) kind: EventKind,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum EventKind {
    Started {
        held: HeldToken,
        access: String,
    },
    /// Handed out; where it has not arrived, the client goes on with what it held.
    Refreshed {
        from: u64,
        held: HeldToken,
        access: String,
        arrived: bool,
    },
    /// The logout begins. This event is recorded before the store is called.
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

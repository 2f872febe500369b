use serde::{Deserialize, Serialize};
use tower_jwt_auth::Tokens;

/// A refresh token as a cookie jar holds it. It is secret, so it does not implement `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct HeldToken {
    pub(crate) sid: String,
    pub(crate) generation: u64,
    pub(crate) token: String,
    /// The user has started a logout that is not acknowledged yet.
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

/// The current session of a client, and the last one that it was logged out of.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct CookieJar {
    pub(crate) held: Option<HeldToken>,
    pub(crate) ended: Option<HeldToken>,
}

impl CookieJar {
    /// Returns whether this token belongs to another session than the current one, or to a later generation.
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
    /// The store issued a token. If it has not arrived, the client keeps its previous one.
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
    /// The response asks to try again later.
    TryLater,
    /// A refresh token was refused because its session had ended.
    StaysEnded,
    /// The response is never correct.
    Wrong {
        sid: String,
        answer: String,
    },
}

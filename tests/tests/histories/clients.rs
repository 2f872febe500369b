//! What the clients hold, and what is known of their sessions.

use std::collections::BTreeMap;

use tower_jwt_auth::Tokens;
use tower_jwt_auth::sessions::{Session, SessionId};

use crate::reference::{Millis, Row, Span};

/// The client of one session.
pub(crate) struct Client {
    pub(crate) id: SessionId,
    pub(crate) subject: usize,
    /// The row as it was last seen.
    pub(crate) row: Row,
    /// What the row may be by now: the reference's word.
    pub(crate) expected: Vec<Span>,
    /// Whether the store has removed the row.
    pub(crate) is_removed: bool,
    /// The refresh tokens that were answered, by generation.
    pub(crate) tokens: BTreeMap<u64, String>,
    pub(crate) access: Vec<Access>,
    /// What each node knows of the session's end.
    pub(crate) end: [Knowledge; 2],
}

/// What a node knows of an end or a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Knowledge {
    None,
    /// It has refused a token for it, perhaps by asking the store.
    Found,
    /// It has answered for it: its own list has it.
    Answered,
}

/// An access token.
pub(crate) struct Access {
    pub(crate) text: String,
    pub(crate) jti: String,
    pub(crate) expires_at: Millis,
    /// Whether the log has its `jti`.
    pub(crate) is_revoked: bool,
    /// What each node knows of that.
    pub(crate) revocation: [Knowledge; 2],
}

impl Access {
    pub(crate) fn new(tokens: &Tokens) -> Self {
        let access = tokens.access();
        Self {
            text: access.as_str().to_owned(),
            jti: access.id().to_string(),
            expires_at: access.expires_at().unix_millis(),
            is_revoked: false,
            revocation: [Knowledge::None; 2],
        }
    }
}

impl Client {
    pub(crate) fn new(id: SessionId, subject: usize, row: Row, expected: Span) -> Self {
        Self {
            id,
            subject,
            row,
            expected: vec![expected],
            is_removed: false,
            tokens: BTreeMap::new(),
            access: Vec::new(),
            end: [Knowledge::None; 2],
        }
    }

    /// A refresh token, by how many of them are newer, and its generation.
    pub(crate) fn token(&self, back: usize) -> Option<(u64, String)> {
        let (generation, text) = self.tokens.iter().rev().nth(back)?;
        Some((*generation, text.clone()))
    }

    /// Whether the session is there to be ended.
    pub(crate) fn can_end(&self) -> bool {
        !self.is_removed && !self.row.is_ended
    }

    /// The row is ended, or may be.
    pub(crate) fn expect_end(&mut self, is_certain: bool) {
        let ended: Vec<_> = self.expected.iter().map(Span::ended).collect();
        if is_certain {
            self.expected = ended;
        } else {
            self.expected.extend(ended);
        }
    }
}

/// What the reference looks at of a row.
pub(crate) fn row_of(session: &Session) -> Row {
    let parts = session.record();
    Row {
        generation: parts.generation,
        rotated_at: parts.rotated_at.unix_millis(),
        late: parts.late_retry.map(|run| (run.generation, run.length)),
        idle_until: parts.idle_until.unix_millis(),
        expires_at: parts.expires_at.unix_millis(),
        access_until: parts.access_until.unix_millis(),
        is_ended: parts.ended.is_some(),
    }
}

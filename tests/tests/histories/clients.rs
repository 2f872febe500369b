//! The tokens of the clients, and the state of their sessions.

use std::collections::BTreeMap;

use tower_jwt_auth::Tokens;
use tower_jwt_auth::sessions::{Session, SessionId};

use crate::reference::{Millis, Row, Span};

/// The client of one session.
pub(crate) struct Client {
    pub(crate) id: SessionId,
    pub(crate) subject: usize,
    /// The last observed row.
    pub(crate) row: Row,
    /// The rows that the reference allows now.
    pub(crate) expected: Vec<Span>,
    /// Whether the store has removed the row.
    pub(crate) is_removed: bool,
    /// The refresh tokens from responses, by generation.
    pub(crate) tokens: BTreeMap<u64, String>,
    pub(crate) access: Vec<Access>,
    /// The knowledge of each node about the end of the session.
    pub(crate) end: [Knowledge; 2],
}

/// The knowledge of a node about an end or a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Knowledge {
    None,
    /// The node has refused a token for it, perhaps after a query of the store.
    Found,
    /// The node has acknowledged it, so its own list has the entry.
    Answered,
}

/// An access token.
pub(crate) struct Access {
    pub(crate) text: String,
    pub(crate) jti: String,
    pub(crate) expires_at: Millis,
    /// Whether the log has an entry for its `jti`.
    pub(crate) is_revoked: bool,
    /// The knowledge of each node about that entry.
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

    /// Returns the refresh token that is `back` generations older than the newest one, with its generation.
    pub(crate) fn token(&self, back: usize) -> Option<(u64, String)> {
        let (generation, text) = self.tokens.iter().rev().nth(back)?;
        Some((*generation, text.clone()))
    }

    /// Returns whether the session can be ended.
    pub(crate) fn can_end(&self) -> bool {
        !self.is_removed && !self.row.is_ended
    }

    /// Expects that the row has ended, or may have ended.
    pub(crate) fn expect_end(&mut self, is_certain: bool) {
        let ended: Vec<_> = self.expected.iter().map(Span::ended).collect();
        if is_certain {
            self.expected = ended;
        } else {
            self.expected.extend(ended);
        }
    }
}

/// Returns the fields of a session that the reference uses.
pub(crate) fn row_of(session: &Session) -> Row {
    let record = session.record();
    Row {
        generation: record.generation,
        rotated_at: record.rotated_at.unix_millis(),
        late: record.late_retry.map(|run| (run.generation, run.length)),
        idle_until: record.idle_until.unix_millis(),
        expires_at: record.expires_at.unix_millis(),
        access_until: record.access_until.unix_millis(),
        is_ended: record.ended.is_some(),
    }
}

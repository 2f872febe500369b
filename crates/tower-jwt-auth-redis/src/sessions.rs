use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth_core::{
    AdvanceRequest, EndBatch, EndReason, EndedBatch, LateRetryRequest, Revocation, Session,
    SessionId, SessionLimit, SessionPage, SessionPosition, SessionSelector, SessionSnapshot,
    SessionStore, StoreError,
};

use crate::convert::{malformed_response, millis, optional, parse, parse_time};
use crate::scripts::{ADVANCE, END, END_BATCH, INSERT, LATE_RETRY, LIST, LOAD, PURGE_SESSIONS};
use crate::session_row::{
    EndedSession, Fields, bind_session, hash_text, read_ended_session, read_session,
};
use crate::store::RedisStore;

/// The maximum number of sessions that one script ends or lists. A script blocks the server.
const MAX_END_BATCH: usize = 8;
const MAX_PAGE: usize = 200;

#[async_trait]
impl SessionStore for RedisStore {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        let mut call = self.call(&INSERT);
        call.arg(new.id().to_string());
        call.arg(optional(limit.max())).arg(u8::from(limit.rejects_new()));
        call.arg(SessionLimit::MAX_ENDED).arg(limit.max_counted());
        bind_session(&mut call, new.record());
        let may_end = limit.max().is_some() && !limit.rejects_new();
        let (outcome, ended): (String, Vec<EndedSession>) =
            if may_end { self.run_durably(&call).await? } else { self.run(&call).await? };
        match &*outcome {
            "inserted" => self.revocations(ended),
            "conflict" => Err(StoreError::Conflict),
            "limit" => Err(StoreError::Limit),
            _ => Err(malformed_response()),
        }
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        let mut call = self.call(&LOAD);
        call.arg(id.to_string());
        let (now, fields): (String, Fields) = self.run(&call).await?;
        let now = parse_time("time", &now)?;
        Ok(read_session(id, fields)?.map(|session| SessionSnapshot { session, now }))
    }

    async fn advance(&self, request: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        let Some(next) = request.from_generation.checked_add(1) else { return Ok(None) };
        let mut call = self.call(&ADVANCE);
        call.arg(request.id.to_string());
        call.arg(hash_text(&request.secret_hash)).arg(request.from_generation);
        call.arg(millis(request.grace)).arg(next).arg(millis(request.idle));
        call.arg(request.access_until.unix_millis());
        let fields: Option<Fields> = self.run(&call).await?;
        read_session(request.id, fields.unwrap_or_default())
    }

    async fn late_retry(&self, request: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        let Some(current) = request.generation.checked_add(1) else { return Ok(None) };
        let mut call = self.call(&LATE_RETRY);
        call.arg(request.id.to_string());
        call.arg(hash_text(&request.secret_hash)).arg(current);
        call.arg(millis(request.grace)).arg(request.generation);
        call.arg(optional(request.generation.checked_sub(1)));
        call.arg(request.access_until.unix_millis()).arg(request.max_running);
        let fields: Option<Fields> = self.run(&call).await?;
        read_session(request.id, fields.unwrap_or_default())
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let (name, id, hash, issuer, subject) = match selector {
            SessionSelector::ById { id } => ("by_id", id, None, "", ""),
            SessionSelector::ByToken { id, secret_hash } => {
                ("by_token", id, Some(hash_text(secret_hash)), "", "")
            }
            SessionSelector::Owned { issuer, subject, id } => {
                ("owned", id, None, *issuer, *subject)
            }
        };
        let mut call = self.call(&END);
        call.arg(name).arg(id.to_string()).arg(optional(hash));
        call.arg(issuer).arg(subject).arg(reason.as_str());
        let ended = self.run_durably(&call).await?;
        Ok(self.revocations(ended)?.into_iter().next())
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        let mut call = self.call(&END_BATCH);
        call.arg(batch.issuer).arg(batch.subject).arg(optional(batch.keep));
        call.arg(lower_bound(batch.after)).arg(optional(batch.through));
        call.arg(batch.limit.clamp(1, MAX_END_BATCH)).arg(batch.reason.as_str());
        let (through, next, ended): (String, String, Vec<EndedSession>) =
            self.run_durably(&call).await?;
        let next = Some(next).filter(|next| !next.is_empty());
        Ok(EndedBatch {
            revocations: self.revocations(ended)?,
            through: parse("number", &through)?,
            next: next.map(|next| parse("number", &next)).transpose()?,
        })
    }

    async fn list(
        &self,
        issuer: &str,
        subject: &str,
        after: Option<SessionPosition>,
        limit: usize,
    ) -> Result<SessionPage, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut call = self.call(&LIST);
        call.arg(issuer).arg(subject).arg(lower_bound(after)).arg(limit);
        let mut rows: Vec<(String, String, Fields)> = self.run(&call).await?;
        // The script returns one row more if there is a next page.
        let is_last_page = rows.len() <= limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| !is_last_page);
        let next = last.map(|(number, ..)| parse("number", number)).transpose()?;
        let mut sessions = Vec::with_capacity(rows.len());
        for (_, id, fields) in rows {
            sessions.extend(read_session(parse("id", &id)?, fields)?);
        }
        Ok(SessionPage { sessions, next })
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.purge(&PURGE_SESSIONS, older_than, limit).await
    }
}

impl RedisStore {
    /// Returns the log entries of the sessions that a script has ended. Wakes the readers of the log if there are any.
    fn revocations(&self, ended: Vec<EndedSession>) -> Result<Vec<Revocation>, StoreError> {
        if !ended.is_empty() {
            self.signal.notify();
        }
        ended.into_iter().map(read_ended_session).collect()
    }
}

/// Converts a position to the number after which a script reads.
fn lower_bound(position: Option<SessionPosition>) -> String {
    position.map_or_else(|| "-inf".to_owned(), |position| position.to_string())
}

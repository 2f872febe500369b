use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth_core::{
    AdvanceRequest, EndBatch, EndReason, EndedBatch, LateRetryRequest, Revocation, Session,
    SessionId, SessionLimit, SessionPage, SessionPosition, SessionSelector, SessionSnapshot,
    SessionStore, StoreError,
};

use crate::row::{self, Fields};
use crate::scripts::{ADVANCE, END, END_BATCH, INSERT, LATE_RETRY, LIST, LOAD, PURGE_SESSIONS};
use crate::store::{RedisStore, millis};

/// Issuer, `sid` and until when of a session that was ended.
type EndedRow = (String, String, String);

impl RedisStore {
    fn announce(&self, ended: Vec<EndedRow>) -> Result<Vec<Revocation>, StoreError> {
        if !ended.is_empty() {
            self.signal.notify();
        }
        let revocation = |(issuer, sid, until): EndedRow| {
            let until = row::time("access_until", &until)?;
            Ok(Revocation::Session { issuer, sid, until })
        };
        ended.into_iter().map(revocation).collect()
    }
}

/// How many sessions end in one script, and how many are listed: nobody else is served while it runs.
const MAX_BATCH: usize = 8;
const MAX_PAGE: usize = 200;

/// The number after which to read, as a script takes it.
fn after(position: Option<SessionPosition>) -> String {
    position.map_or_else(|| "-inf".to_owned(), |position| position.to_string())
}

/// The session of this name, where there are any fields of it.
fn found(id: SessionId, fields: Option<Fields>) -> Result<Option<Session>, StoreError> {
    let fields = fields.filter(|fields| !fields.is_empty());
    fields.map(|fields| row::read(id, fields)).transpose()
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn insert(
        &self,
        new: &Session,
        limit: SessionLimit,
    ) -> Result<Vec<Revocation>, StoreError> {
        let mut call = self.call(&INSERT);
        call.arg(new.id().to_string());
        call.arg(limit.max().map(|most| most.to_string()).unwrap_or_default());
        call.arg(u8::from(limit.rejects_new()));
        call.arg(SessionLimit::MAX_ENDED).arg(limit.max_counted());
        row::write(&mut call, new.record());
        let may_end = limit.max().is_some() && !limit.rejects_new();
        let (outcome, ended): (String, Vec<EndedRow>) =
            if may_end { self.run_carefully(&call).await? } else { self.run(&call).await? };
        match &*outcome {
            "added" => self.announce(ended),
            "conflict" => Err(StoreError::Conflict),
            "limit" => Err(StoreError::Limit),
            _ => Err(StoreError::corrupt("the server's answer cannot be read")),
        }
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionSnapshot>, StoreError> {
        let mut call = self.call(&LOAD);
        call.arg(id.to_string());
        let (now, fields): (String, Fields) = self.run(&call).await?;
        let now = row::time("time", &now)?;
        Ok(found(id, Some(fields))?.map(|session| SessionSnapshot { session, now }))
    }

    async fn advance(&self, step: &AdvanceRequest) -> Result<Option<Session>, StoreError> {
        let Some(next) = step.from_generation.checked_add(1) else { return Ok(None) };
        let mut call = self.call(&ADVANCE);
        call.arg(step.id.to_string())
            .arg(row::hash_text(&step.secret_hash))
            .arg(step.from_generation)
            .arg(next)
            .arg(millis(step.idle))
            .arg(step.access_until.unix_millis())
            .arg(millis(step.grace));
        found(step.id, self.run(&call).await?)
    }

    async fn late_retry(&self, retry: &LateRetryRequest) -> Result<Option<Session>, StoreError> {
        let Some(current) = retry.generation.checked_add(1) else { return Ok(None) };
        let mut call = self.call(&LATE_RETRY);
        call.arg(retry.id.to_string())
            .arg(row::hash_text(&retry.secret_hash))
            .arg(retry.generation)
            .arg(
                retry
                    .generation
                    .checked_sub(1)
                    .map(|before| before.to_string())
                    .unwrap_or_default(),
            )
            .arg(current)
            .arg(retry.access_until.unix_millis())
            .arg(millis(retry.grace))
            .arg(retry.max_running);
        found(retry.id, self.run(&call).await?)
    }

    async fn end(
        &self,
        selector: &SessionSelector<'_>,
        reason: EndReason,
    ) -> Result<Option<Revocation>, StoreError> {
        let none = String::new;
        let (kind, id, hash, issuer, subject) = match selector {
            SessionSelector::ById { id } => ("one", id, none(), "", ""),
            SessionSelector::ByToken { id, secret_hash } => {
                ("presented", id, row::hash_text(secret_hash), "", "")
            }
            SessionSelector::Owned { issuer, subject, id } => {
                ("owned", id, none(), *issuer, *subject)
            }
        };
        let mut call = self.call(&END);
        call.arg(kind).arg(id.to_string()).arg(hash);
        call.arg(issuer).arg(subject).arg(reason.as_str());
        let ended = self.run_carefully(&call).await?;
        Ok(self.announce(ended)?.into_iter().next())
    }

    async fn end_batch(&self, batch: &EndBatch<'_>) -> Result<EndedBatch, StoreError> {
        let mut call = self.call(&END_BATCH);
        call.arg(batch.issuer).arg(batch.subject);
        call.arg(batch.keep.map(|keep| keep.to_string()).unwrap_or_default());
        call.arg(after(batch.after));
        call.arg(batch.through.map(|through| through.to_string()).unwrap_or_default());
        call.arg(batch.limit.clamp(1, MAX_BATCH)).arg(batch.reason.as_str());
        let (through, next, ended): (String, String, Vec<EndedRow>) =
            self.run_carefully(&call).await?;
        let next = Some(next).filter(|next| !next.is_empty());
        Ok(EndedBatch {
            revocations: self.announce(ended)?,
            through: row::parse("number", &through)?,
            next: next.map(|next| row::parse("number", &next)).transpose()?,
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
        call.arg(issuer).arg(subject).arg(self::after(after)).arg(limit);
        let mut listed: Vec<(String, String, Fields)> = self.run(&call).await?;
        let is_last = listed.len() <= limit;
        listed.truncate(limit);
        let last = listed.last().filter(|_| !is_last);
        let next = last.map(|(number, ..)| row::parse("number", number)).transpose()?;
        let session = |(_, id, fields): (String, String, Fields)| {
            row::read(id.parse().map_err(StoreError::corrupt)?, fields)
        };
        let sessions = listed.into_iter().map(session).collect::<Result<_, _>>()?;
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

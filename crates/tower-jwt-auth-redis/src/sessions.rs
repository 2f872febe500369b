use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth_core::{
    Advance, EndReason, LateRetry, Loaded, Revocation, Session, SessionId, SessionLimit,
    SessionStore, StoreError, Which,
};

use crate::row::{self, Fields};
use crate::scripts::{ADVANCE, END, INSERT, LATE_RETRY, LIST, LOAD, PURGE_SESSIONS};
use crate::store::{RedisStore, millis};

/// Issuer, `sid` and until when of a session that was ended.
type EndedRow = (String, String, String);

impl RedisStore {
    fn announce(&self, ended: Vec<EndedRow>) -> Result<Vec<Revocation>, StoreError> {
        if !ended.is_empty() {
            self.bell.ring();
        }
        let revocation = |(issuer, sid, until): EndedRow| {
            let until = row::time("access_until", &until)?;
            Ok(Revocation::Session { issuer, sid, until })
        };
        ended.into_iter().map(revocation).collect()
    }
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
        call.arg(limit.most().map(|most| most.to_string()).unwrap_or_default());
        call.arg(u8::from(limit.refuses()));
        row::write(&mut call, new.parts());
        let may_end = limit.most().is_some() && !limit.refuses();
        let (outcome, ended): (String, Vec<EndedRow>) =
            if may_end { self.run_carefully(&call).await? } else { self.run(&call).await? };
        match &*outcome {
            "added" => self.announce(ended),
            "conflict" => Err(StoreError::Conflict),
            "limit" => Err(StoreError::Limit),
            _ => Err(StoreError::corrupt("the server's answer cannot be read")),
        }
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let mut call = self.call(&LOAD);
        call.arg(id.to_string());
        let (now, fields): (String, Fields) = self.run(&call).await?;
        let now = row::time("time", &now)?;
        Ok(found(id, Some(fields))?.map(|session| Loaded { session, now }))
    }

    async fn advance(&self, step: &Advance) -> Result<Option<Session>, StoreError> {
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

    async fn late_retry(&self, retry: &LateRetry) -> Result<Option<Session>, StoreError> {
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
        which: &Which<'_>,
        reason: EndReason,
    ) -> Result<Vec<Revocation>, StoreError> {
        let name = |id: &SessionId| id.to_string();
        let none = String::new;
        let (kind, id, hash, issuer, subject) = match which {
            Which::One { id } => ("one", name(id), none(), "", ""),
            Which::Presented { id, secret_hash } => {
                ("presented", name(id), row::hash_text(secret_hash), "", "")
            }
            Which::Owned { issuer, subject, id } => ("owned", name(id), none(), *issuer, *subject),
            Which::All { issuer, subject } => ("all", none(), none(), *issuer, *subject),
            Which::Others { issuer, subject, keep } => {
                ("others", name(keep), none(), *issuer, *subject)
            }
        };
        let mut call = self.call(&END);
        call.arg(kind).arg(id).arg(hash).arg(issuer).arg(subject).arg(reason.as_str());
        let ended = self.run_carefully(&call).await?;
        self.announce(ended)
    }

    async fn list(&self, issuer: &str, subject: &str) -> Result<Vec<Session>, StoreError> {
        let mut call = self.call(&LIST);
        call.arg(issuer).arg(subject);
        let listed: Vec<(String, Fields)> = self.run(&call).await?;
        let session = |(id, fields): (String, Fields)| {
            row::read(id.parse().map_err(StoreError::corrupt)?, fields)
        };
        listed.into_iter().map(session).collect()
    }

    async fn purge_sessions(
        &self,
        older_than: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.purge(&PURGE_SESSIONS, older_than, limit).await
    }
}

use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, Revocation, RevocationKey, RevocationKind, RevocationLog,
    StoreError, Timestamp,
};

use crate::convert::{malformed, optional, parse, parse_time};
use crate::cursor::LogPosition;
use crate::scripts::{APPEND, IS_REVOKED, PURGE_LOG, READ};
use crate::session_row::Fields;
use crate::store::{MAX_BATCH, RedisStore, random_incarnation};

/// The interval at which the log is read without a signal.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The incarnation, the ID of the last entry, whether there are more entries, the entries with their IDs, and the
/// heartbeats of the nodes.
type Page = (String, String, bool, Vec<(String, Fields)>, Vec<(String, String)>);

#[async_trait]
impl RevocationLog for RedisStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let mut call = self.call(&APPEND);
        let mut has_revocation = false;
        for entry in entries {
            match entry {
                LogEntry::Heartbeat(Heartbeat { node, beat, at }) => {
                    call.arg("heartbeat").arg(node.to_string()).arg(beat);
                    call.arg(at.unix_millis()).arg("");
                }
                LogEntry::Revocation(revocation) => {
                    has_revocation = true;
                    let (kind, issuer, target_id) = revocation.target();
                    call.arg(kind.as_str()).arg(issuer).arg(target_id);
                    call.arg(revocation.until().unix_millis());
                    call.arg(optional_millis(revocation.issued_before()));
                }
            }
        }
        if !has_revocation {
            // A heartbeat shows whether this server answers. Its loss does no harm.
            return self.run(&call).await;
        }
        self.run_durably::<()>(&call).await?;
        self.signal.notify();
        Ok(())
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        let position = match after.map(LogPosition::from_cursor) {
            None => None,
            Some(Some(position)) => Some(position),
            Some(None) => return Ok(LogPage::CursorLost),
        };
        // Taken before the read: an entry that is written during the read wakes the reader again.
        let signal_version = self.signal.version();
        let (incarnation, id) =
            position.map_or(("", ""), |position| (position.incarnation, position.id));
        let mut call = self.call(&READ);
        call.arg(limit.clamp(1, MAX_BATCH)).arg(incarnation).arg(id);
        call.arg(random_incarnation().map_err(StoreError::unavailable)?);
        let page: Option<Page> = self.run(&call).await?;
        let Some((incarnation, id, more, entries, heartbeats)) = page else {
            return Ok(LogPage::CursorLost);
        };
        let next = LogPosition { incarnation: &incarnation, id: &id, signal_version }.to_cursor();
        let revocations = entries.into_iter().map(|(_, fields)| read_revocation(fields));
        let entries = revocations.chain(heartbeats.into_iter().map(read_heartbeat));
        Ok(LogPage::Entries { entries: entries.collect::<Result<_, _>>()?, next, more })
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        if let Some(position) = after.and_then(LogPosition::from_cursor) {
            // Without a signal, the reader reads after the interval.
            let changed = self.signal.wait(position.signal_version);
            let _ = tokio::time::timeout(POLL_INTERVAL, changed).await;
        }
        Ok(())
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        if keys.is_empty() {
            return Ok(false);
        }
        let mut call = self.call(&IS_REVOKED);
        for key in keys {
            let (kind, issuer, target_id) = key.target();
            call.arg(kind.as_str()).arg(issuer).arg(target_id);
            call.arg(optional_millis(key.issued_at()));
        }
        self.run(&call).await
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        self.purge(&PURGE_LOG, older_than, limit).await
    }
}

fn optional_millis(time: Option<Timestamp>) -> String {
    optional(time.map(Timestamp::unix_millis))
}

/// Reads a revocation from the fields of its entry.
fn read_revocation(mut fields: Fields) -> Result<LogEntry, StoreError> {
    // Entries of version 1 have a field `name` instead.
    let target_id = fields.remove("target_id").or_else(|| fields.remove("name"));
    let target_id = target_id.ok_or_else(|| malformed("target_id"))?;
    let mut text = |name| fields.remove(name).ok_or_else(|| malformed(name));
    let issuer = text("issuer")?;
    let until = parse_time("until", &text("until")?)?;
    Ok(LogEntry::Revocation(match parse("kind", &text("kind")?)? {
        RevocationKind::Token => Revocation::Token { issuer, jti: target_id, until },
        RevocationKind::Session => Revocation::Session { issuer, sid: target_id, until },
        RevocationKind::Subject => {
            let issued_before = parse_time("issued_before", &text("issued_before")?)?;
            Revocation::Subject { issuer, sub: target_id, issued_before, until }
        }
    }))
}

/// Reads a heartbeat from its node and its value, `beat:at`.
fn read_heartbeat((node, value): (String, String)) -> Result<LogEntry, StoreError> {
    let (beat, at) = value.split_once(':').ok_or_else(|| malformed("heartbeat"))?;
    Ok(LogEntry::Heartbeat(Heartbeat {
        node: parse("node", &node)?,
        beat: parse("beat", beat)?,
        at: parse_time("at", at)?,
    }))
}

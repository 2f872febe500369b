use std::time::Duration;

use async_trait::async_trait;
use redis::Value;
use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, Revocation, RevocationKey, RevocationKind, RevocationLog,
    StoreError, Timestamp,
};

use crate::convert::{malformed, optional, parse, parse_time};
use crate::cursor::LogPosition;
use crate::scripts::{APPEND, IS_REVOKED, LOG_STATE, PURGE_LOG};
use crate::store::{MAX_BATCH, RedisStore, decode, malformed_response, random_incarnation};

/// The interval at which the log is read without a signal.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The incarnation of the log, the ID of its last entry, and the heartbeats of the nodes.
type LogState = (String, String, Vec<(String, String)>);

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
        let limit = limit.clamp(1, MAX_BATCH);
        let mut state = self.command(&LOG_STATE);
        state.arg(incarnation).arg(id).arg(random_incarnation().map_err(StoreError::unavailable)?);
        let mut entries = redis::cmd("XRANGE");
        let from = if id.is_empty() { "-".to_owned() } else { format!("({id}") };
        entries.arg(self.log_key()).arg(from).arg("+").arg("COUNT").arg(limit + 1);
        let commands = [state.clone(), entries, state];
        let [before, entries, after] = self.run_pipeline(&LOG_STATE, commands).await?;
        let (before, after): (Option<LogState>, Option<LogState>) =
            (decode(before)?, decode(after)?);
        // The heartbeats were read before the entries: the page has all entries from before them.
        let (Some((incarnation, last_id, heartbeats)), Some((incarnation_after, ..))) =
            (before, after)
        else {
            return Ok(LogPage::CursorLost);
        };
        if incarnation != incarnation_after {
            return Ok(LogPage::CursorLost);
        }
        let page = read_page(entries, limit, last_id, heartbeats)?;
        let next = LogPosition { incarnation: &incarnation, id: &page.next_id, signal_version };
        Ok(LogPage::Entries { entries: page.entries, next: next.to_cursor(), more: page.more })
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

/// A page of the log.
struct Page {
    entries: Vec<LogEntry>,
    /// The ID after which the next page begins.
    next_id: String,
    more: bool,
}

/// Reads a page from the response to `XRANGE`, which has one entry more than `limit` if there are more.
fn read_page(
    response: Value,
    limit: usize,
    last_id: String,
    heartbeats: Vec<(String, String)>,
) -> Result<Page, StoreError> {
    let Value::Array(mut rows) = response else { return Err(malformed_response()) };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut entries = Vec::with_capacity(rows.len() + heartbeats.len());
    let mut last_read = None;
    for row in rows {
        let (id, fields) = read_row(row)?;
        entries.push(read_revocation(fields)?);
        last_read = Some(id);
    }
    if more {
        let next_id = last_read.ok_or_else(malformed_response)?;
        return Ok(Page { entries, next_id, more });
    }
    for heartbeat in heartbeats {
        entries.push(read_heartbeat(heartbeat)?);
    }
    // The last entry may have been appended after the state was read, or removed before.
    let next_id = match last_read {
        Some(id) if entry_number(&id)? > entry_number(&last_id)? => id,
        _ => last_id,
    };
    Ok(Page { entries, next_id, more })
}

/// Returns the ID of an entry, and its fields, each name before its value.
fn read_row(row: Value) -> Result<(String, Vec<Value>), StoreError> {
    let Value::Array(row) = row else { return Err(malformed_response()) };
    match <[Value; 2]>::try_from(row) {
        Ok([id, Value::Array(fields)]) => Ok((text(id)?, fields)),
        _ => Err(malformed_response()),
    }
}

/// Converts a text without copying it.
fn text(value: Value) -> Result<String, StoreError> {
    let Value::BulkString(bytes) = value else { return Err(malformed_response()) };
    String::from_utf8(bytes).map_err(|_| malformed_response())
}

/// Returns the parts of an entry's ID, by which entries are ordered.
fn entry_number(id: &str) -> Result<(u64, u64), StoreError> {
    let (time, number) = id.split_once('-').ok_or_else(malformed_response)?;
    Ok((parse("id", time)?, parse("id", number)?))
}

/// Reads a revocation from the fields of its entry.
fn read_revocation(fields: Vec<Value>) -> Result<LogEntry, StoreError> {
    let (mut kind, mut issuer, mut target_id) = (None, None, None);
    let (mut until, mut issued_before) = (None, None);
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let Value::BulkString(name) = name else { return Err(malformed_response()) };
        match &*name {
            b"kind" => kind = Some(parse("kind", &text(value)?)?),
            b"issuer" => issuer = Some(text(value)?),
            // Entries of version 1 have a field `name` instead.
            b"target_id" | b"name" => target_id = Some(text(value)?),
            b"until" => until = Some(parse_time("until", &text(value)?)?),
            b"issued_before" => issued_before = Some(parse_time("issued_before", &text(value)?)?),
            _ => {}
        }
    }
    let target_id = target_id.ok_or_else(|| malformed("target_id"))?;
    let issuer = issuer.ok_or_else(|| malformed("issuer"))?;
    let until = until.ok_or_else(|| malformed("until"))?;
    Ok(LogEntry::Revocation(match kind.ok_or_else(|| malformed("kind"))? {
        RevocationKind::Token => Revocation::Token { issuer, jti: target_id, until },
        RevocationKind::Session => Revocation::Session { issuer, sid: target_id, until },
        RevocationKind::Subject => {
            let issued_before = issued_before.ok_or_else(|| malformed("issued_before"))?;
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

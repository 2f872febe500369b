use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, RevocationKey, RevocationLog, StoreError, Timestamp,
};

use crate::convert::optional;
use crate::cursor::LogPosition;
use crate::log_page::{read_page, state_during};
use crate::scripts::{APPEND, IS_REVOKED, LOG_STATE, PURGE_LOG};
use crate::store::{MAX_BATCH, RedisStore, decode, random_incarnation};

/// The interval at which the log is read without a signal.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

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
        let Some((incarnation, last_id, heartbeats)) =
            state_during(decode(before)?, decode(after)?)
        else {
            return Ok(LogPage::CursorLost);
        };
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

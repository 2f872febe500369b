use std::time::Duration;

use async_trait::async_trait;
use tower_jwt_auth_core::{
    Cursor, Heartbeat, LogEntry, LogPage, Revocation, RevocationKey, RevocationKind, RevocationLog,
    StoreError, Timestamp,
};

use crate::row::{self, Fields, senseless};
use crate::scripts::{APPEND, IS_REVOKED, PURGE_LOG, READ};
use crate::store::{BATCH, RedisStore, random};

/// How long to wait for the bell at most, should nobody ring it.
const UNATTENDED: Duration = Duration::from_secs(1);

#[async_trait]
impl RevocationLog for RedisStore {
    async fn append(&self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let mut call = self.call(&APPEND);
        let mut revokes = false;
        for entry in entries {
            match entry {
                LogEntry::Heartbeat(Heartbeat { node, beat, at }) => {
                    call.arg("heartbeat").arg(node.to_string()).arg(beat);
                    call.arg(at.unix_millis()).arg("");
                }
                LogEntry::Revocation(revocation) => {
                    revokes = true;
                    let (kind, issuer, name) = revocation.target();
                    call.arg(kind.as_str()).arg(issuer).arg(name);
                    call.arg(revocation.until().unix_millis())
                        .arg(written(revocation.issued_before()));
                }
            }
        }
        if !revokes {
            // A sign of life is to show whether this server answers, and is no loss.
            return self.run(&call).await;
        }
        self.run_carefully::<()>(&call).await?;
        self.signal.notify();
        Ok(())
    }

    async fn read(&self, after: Option<&Cursor>, limit: usize) -> Result<LogPage, StoreError> {
        let place = match after.map(Place::read) {
            None => None,
            Some(Some(place)) => Some(place),
            Some(None) => return Ok(LogPage::CursorLost),
        };
        // Before the reading, so that what comes after it rings once more.
        let rung = self.signal.version();
        let (incarnation, id) = place.map_or(("", ""), |place| (place.incarnation, place.id));
        let mut call = self.call(&READ);
        call.arg(limit.clamp(1, BATCH)).arg(incarnation).arg(id);
        call.arg(random().map_err(StoreError::unavailable)?);
        let page: Option<Page> = self.run(&call).await?;
        let Some((incarnation, id, more, entries, beats)) = page else {
            return Ok(LogPage::CursorLost);
        };
        let next = Place { incarnation: &incarnation, id: &id, rung }.write();
        let revocations = entries.into_iter().map(|(_, fields)| revocation(fields));
        let entries = revocations.chain(beats.into_iter().map(heartbeat));
        Ok(LogPage::Entries { entries: entries.collect::<Result<_, _>>()?, next, more })
    }

    async fn changed(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        if let Some(place) = after.and_then(Place::read) {
            // A bell that nobody rings costs time, no more.
            let _ = tokio::time::timeout(UNATTENDED, self.signal.wait(place.rung)).await;
        }
        Ok(())
    }

    async fn is_revoked(&self, keys: &[RevocationKey<'_>]) -> Result<bool, StoreError> {
        if keys.is_empty() {
            return Ok(false);
        }
        let mut call = self.call(&IS_REVOKED);
        for key in keys {
            let (kind, issuer, name) = key.target();
            call.arg(kind.as_str()).arg(issuer).arg(name).arg(written(key.issued_at()));
        }
        self.run(&call).await
    }

    async fn purge_log(&self, older_than: Duration, limit: usize) -> Result<usize, StoreError> {
        self.purge(&PURGE_LOG, older_than, limit).await
    }
}

/// Incarnation, where to read on, whether there is more, the entries with their ids, the heartbeats.
type Page = (String, String, bool, Vec<(String, Fields)>, Vec<(String, String)>);

/// A time as scripts take it; empty where there is none.
fn written(time: Option<Timestamp>) -> String {
    time.map(|time| time.unix_millis().to_string()).unwrap_or_default()
}

fn revocation(mut fields: Fields) -> Result<LogEntry, StoreError> {
    let mut text = |name| fields.remove(name).ok_or_else(|| senseless(name));
    let (kind, issuer, name) = (text("kind")?, text("issuer")?, text("name")?);
    let until = row::time("until", &text("until")?)?;
    let kind = kind.parse().map_err(|_| senseless("kind"))?;
    Ok(LogEntry::Revocation(match kind {
        RevocationKind::Token => Revocation::Token { issuer, jti: name, until },
        RevocationKind::Session => Revocation::Session { issuer, sid: name, until },
        RevocationKind::Subject => {
            let issued_before = row::time("issued_before", &text("issued_before")?)?;
            Revocation::Subject { issuer, sub: name, issued_before, until }
        }
    }))
}

fn heartbeat((node, beat): (String, String)) -> Result<LogEntry, StoreError> {
    let (beat, at) = beat.split_once(':').ok_or_else(|| senseless("heartbeat"))?;
    let node = node.parse().map_err(StoreError::corrupt)?;
    let at: Timestamp = row::time("heartbeat", at)?;
    Ok(LogEntry::Heartbeat(Heartbeat { node, beat: row::parse("heartbeat", beat)?, at }))
}

/// What a cursor says: the incarnation of the log, the id of the entry that was read last, and how often the bell
/// had been rung then.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    incarnation: &'a str,
    id: &'a str,
    rung: u64,
}

impl<'a> Place<'a> {
    fn write(&self) -> Cursor {
        let Self { incarnation, id, rung } = self;
        Cursor::new(format!("{incarnation} {id} {rung}").into_bytes())
    }

    fn read(cursor: &'a Cursor) -> Option<Self> {
        let text = std::str::from_utf8(cursor.as_bytes()).ok()?;
        let (incarnation, rest) = text.split_once(' ')?;
        let (id, rung) = rest.split_once(' ')?;
        let (time, number) = id.split_once('-')?;
        let is_number = |text: &str| text.parse::<u64>().is_ok() && !text.starts_with('+');
        if incarnation.is_empty() || !is_number(time) || !is_number(number) {
            return None;
        }
        Some(Self { incarnation, id, rung: rung.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_one_of_another_store_is_not() {
        let place = Place { incarnation: "a.b.c", id: "17-3", rung: 5 };
        assert_eq!(Place::read(&place.write()), Some(place));
        for odd in
            ["", "a", "a 1-1", " 1-1 5", "a 1 5", "a 1-x 5", "a +1-1 5", "a 1-1 x", "a 1-1 5 6"]
        {
            assert_eq!(Place::read(&Cursor::new(odd.as_bytes())), None, "{odd}");
        }
        assert_eq!(Place::read(&Cursor::new([0xff, b' ', b'1'])), None);
    }
}

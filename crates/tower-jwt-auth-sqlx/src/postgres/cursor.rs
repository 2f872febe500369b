use tower_jwt_auth_core::Cursor;

/// A snapshot in which no transaction was committed.
pub(super) const EMPTY_SNAPSHOT: &str = "1:1:";

/// The position of a reader in the log.
///
/// Transactions do not commit in the order of their IDs, so a reader that remembered the last ID would miss the
/// transactions that were open. A reader remembers the snapshot of its last complete read instead, and reads the
/// entries that the snapshot does not contain.
///
/// A read of several pages goes in the order of IDs. The reader then remembers the snapshot of the first page:
/// entries that commit during the scan are read by the next one, some of them for the second time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogPosition {
    /// The run of the server since its last start or crash.
    pub(super) incarnation: String,
    /// The snapshot of the last complete read, as the text of a `pg_snapshot`.
    pub(super) seen_snapshot: String,
    /// The scan that is not complete.
    pub(super) scan: Option<PagedScan>,
    /// The version of the change signal before the read.
    pub(super) signal_version: u64,
}

/// A read of new entries that takes several pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PagedScan {
    /// The snapshot of the first page.
    pub(super) snapshot: String,
    /// The transaction ID of the last entry that was read.
    pub(super) xid: String,
    /// The number of the last entry that was read.
    pub(super) number: i64,
}

impl LogPosition {
    /// Returns the latest snapshot of this position. A server that is behind it is another server.
    pub(super) fn latest_snapshot(&self) -> &str {
        self.scan.as_ref().map_or(&self.seen_snapshot, |scan| &scan.snapshot)
    }

    /// Encodes the position.
    pub(super) fn to_cursor(&self) -> Cursor {
        let Self { incarnation, seen_snapshot, scan, signal_version } = self;
        let mut text = format!("{incarnation} {seen_snapshot} {signal_version}");
        if let Some(PagedScan { snapshot, xid, number }) = scan {
            text.push_str(&format!(" {snapshot} {xid} {number}"));
        }
        Cursor::new(text.into_bytes())
    }

    /// Decodes a position. Returns `None` for cursors of other stores.
    pub(super) fn from_cursor(cursor: &Cursor) -> Option<Self> {
        let text = std::str::from_utf8(cursor.as_bytes()).ok()?;
        let parts: Vec<&str> = text.split(' ').collect();
        let (incarnation, seen_snapshot, signal_version, scan) = match *parts {
            [incarnation, seen, version] => (incarnation, seen, version, None),
            [incarnation, seen, version, snapshot, xid, number] => {
                let number = number.parse().ok()?;
                let scan = PagedScan { snapshot: snapshot.into(), xid: xid.into(), number };
                (incarnation, seen, version, Some(scan))
            }
            _ => return None,
        };
        Some(Self {
            incarnation: incarnation.into(),
            seen_snapshot: seen_snapshot.into(),
            scan,
            signal_version: signal_version.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_decoded_to_the_position_that_it_encodes() {
        let scan = PagedScan { snapshot: "12:15:13,14".into(), xid: "11".into(), number: -7 };
        for scan in [None, Some(scan)] {
            let position = LogPosition {
                incarnation: "a-b".into(),
                seen_snapshot: "9:10:".into(),
                scan,
                signal_version: 3,
            };
            assert_eq!(LogPosition::from_cursor(&position.to_cursor()), Some(position));
        }
        for foreign in ["", "a", "a 9:10: x", "a 9:10: 1 2", "a 9:10: 1 9:10: 1 x", "\u{ff}"] {
            assert_eq!(
                LogPosition::from_cursor(&Cursor::new(foreign.as_bytes())),
                None,
                "{foreign}"
            );
        }
    }
}

use tower_jwt_auth_core::Cursor;

/// The position of a reader in the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogPosition {
    /// The incarnation of the log, which changes when a backup is restored.
    pub(super) incarnation: String,
    /// The number of the last entry that was read.
    pub(super) number: i64,
    /// The version of the change signal before the read.
    pub(super) signal_version: u64,
}

impl LogPosition {
    /// Encodes the position.
    pub(super) fn to_cursor(&self) -> Cursor {
        let Self { incarnation, number, signal_version } = self;
        Cursor::new(format!("{incarnation} {number} {signal_version}").into_bytes())
    }

    /// Decodes a position. Returns `None` for cursors of other stores.
    pub(super) fn from_cursor(cursor: &Cursor) -> Option<Self> {
        let mut parts = std::str::from_utf8(cursor.as_bytes()).ok()?.split(' ');
        let position = Self {
            incarnation: parts.next()?.to_owned(),
            number: parts.next()?.parse().ok()?,
            signal_version: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_decoded_to_the_position_that_it_encodes() {
        let position = LogPosition { incarnation: "ab".into(), number: 7, signal_version: 3 };
        assert_eq!(LogPosition::from_cursor(&position.to_cursor()), Some(position));
        for foreign in ["", "a", "a 1", "a x 1", "a 1 x", "a 1 -1", "a 1 1 1"] {
            assert_eq!(
                LogPosition::from_cursor(&Cursor::new(foreign.as_bytes())),
                None,
                "{foreign}"
            );
        }
        assert_eq!(LogPosition::from_cursor(&Cursor::new([0xff, b' ', b'1'])), None);
    }
}

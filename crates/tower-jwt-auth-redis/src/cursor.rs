use tower_jwt_auth_core::Cursor;

/// The position of a reader in the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogPosition<'a> {
    /// The incarnation of the log, which changes with each run of the server.
    pub(crate) incarnation: &'a str,
    /// The ID of the last entry that was read.
    pub(crate) id: &'a str,
    /// The version of the change signal before the read.
    pub(crate) signal_version: u64,
}

impl<'a> LogPosition<'a> {
    /// Encodes the position.
    pub(crate) fn to_cursor(&self) -> Cursor {
        let Self { incarnation, id, signal_version } = self;
        Cursor::new(format!("{incarnation} {id} {signal_version}").into_bytes())
    }

    /// Decodes a position. Returns `None` for cursors of other stores.
    pub(crate) fn from_cursor(cursor: &'a Cursor) -> Option<Self> {
        let text = std::str::from_utf8(cursor.as_bytes()).ok()?;
        let (incarnation, rest) = text.split_once(' ')?;
        let (id, signal_version) = rest.split_once(' ')?;
        let (time, number) = id.split_once('-')?;
        let is_number = |text: &str| text.parse::<u64>().is_ok() && !text.starts_with('+');
        if incarnation.is_empty() || !is_number(time) || !is_number(number) {
            return None;
        }
        Some(Self { incarnation, id, signal_version: signal_version.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_decoded_to_the_position_that_it_encodes() {
        let position = LogPosition { incarnation: "a.b.c", id: "17-3", signal_version: 5 };
        assert_eq!(LogPosition::from_cursor(&position.to_cursor()), Some(position));
        for foreign in
            ["", "a", "a 1-1", " 1-1 5", "a 1 5", "a 1-x 5", "a +1-1 5", "a 1-1 x", "a 1-1 5 6"]
        {
            let cursor = Cursor::new(foreign.as_bytes());
            assert_eq!(LogPosition::from_cursor(&cursor), None, "{foreign}");
        }
        assert_eq!(LogPosition::from_cursor(&Cursor::new([0xff, b' ', b'1'])), None);
    }
}

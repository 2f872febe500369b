use tower_jwt_auth_core::Cursor;

/// The snapshot in which nothing had been committed.
pub(super) const NOTHING: &str = "1:1:";

/// Where a reader is in the log.
///
/// Transactions commit in another order than their ids, so a number alone would miss those that were open. A
/// reader therefore remembers the snapshot of what it has seen to the end, and asks for what that does not hold.
/// What takes several pages is read in the order of ids, and the snapshot of the first page is the one to
/// remember: whatever commits meanwhile is read, perhaps again, in the next round.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The run of the server, from its last start or crash on.
    pub(super) incarnation: String,
    /// What was read to the end (`pg_snapshot`).
    pub(super) seen: String,
    /// Where a round stands that is not at its end.
    pub(super) round: Option<Round>,
    /// How often the bell had been rung.
    pub(super) rung: u64,
}

/// A round through what is new, of several pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// The snapshot of its first page.
    pub(super) begun: String,
    /// The last row read.
    pub(super) xid: String,
    pub(super) number: i64,
}

impl Place {
    /// The newest snapshot that it names: a server that knows less is another one.
    pub(super) fn newest(&self) -> &str {
        self.round.as_ref().map_or(&self.seen, |round| &round.begun)
    }

    pub(super) fn cursor(&self) -> Cursor {
        let Self { incarnation, seen, round, rung } = self;
        let mut text = format!("{incarnation} {seen} {rung}");
        if let Some(Round { begun, xid, number }) = round {
            text.push_str(&format!(" {begun} {xid} {number}"));
        }
        Cursor::new(text.into_bytes())
    }

    pub(super) fn read(cursor: &Cursor) -> Option<Self> {
        let text = std::str::from_utf8(cursor.as_bytes()).ok()?;
        let parts: Vec<&str> = text.split(' ').collect();
        let (incarnation, seen, rung, round) = match *parts {
            [incarnation, seen, rung] => (incarnation, seen, rung, None),
            [incarnation, seen, rung, begun, xid, number] => {
                let number = number.parse().ok()?;
                (
                    incarnation,
                    seen,
                    rung,
                    Some(Round { begun: begun.into(), xid: xid.into(), number }),
                )
            }
            _ => return None,
        };
        let rung = rung.parse().ok()?;
        Some(Self { incarnation: incarnation.into(), seen: seen.into(), round, rung })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_the_place_it_was_made_of() {
        let round = Round { begun: "12:15:13,14".into(), xid: "11".into(), number: -7 };
        for round in [None, Some(round)] {
            let place = Place { incarnation: "a-b".into(), seen: "9:10:".into(), round, rung: 3 };
            assert_eq!(Place::read(&place.cursor()), Some(place));
        }
        for foreign in ["", "a", "a 9:10: x", "a 9:10: 1 2", "a 9:10: 1 9:10: 1 x", "\u{ff}"] {
            assert_eq!(Place::read(&Cursor::new(foreign.as_bytes())), None, "{foreign}");
        }
    }
}

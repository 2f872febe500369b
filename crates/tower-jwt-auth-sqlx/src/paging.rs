//! Sessions of one subject, a part at a time.

use sqlx::{ColumnIndex, Decode, Row, Type};
use tower_jwt_auth_core::{EndedBatch, Revocation, SessionPage, SessionPosition, StoreError};

use crate::error::store_error;
use crate::row::{read_session, unsigned};

/// A position as the tables keep it. There is no row beyond what they can hold.
pub(crate) fn number(position: SessionPosition) -> i64 {
    i64::try_from(position.number()).unwrap_or(i64::MAX)
}

fn position(number: i64) -> Result<SessionPosition, StoreError> {
    unsigned(number).map(SessionPosition::new)
}

/// The page that these rows make up, of which one more than `limit` was asked for.
pub(crate) fn session_page<'r, R>(rows: &'r [R], limit: usize) -> Result<SessionPage, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let page = &rows[..rows.len().min(limit)];
    let next = match page.last() {
        Some(last) if rows.len() > limit => {
            Some(position(last.try_get("number").map_err(store_error)?)?)
        }
        _ => None,
    };
    Ok(SessionPage { sessions: page.iter().map(read_session).collect::<Result<_, _>>()?, next })
}

/// The batch of sessions that were ended, in the order of their numbers. Where there are as many as were asked
/// for, there may be more.
pub(crate) fn ended_batch(
    ended: Vec<(i64, Revocation)>,
    through: i64,
    limit: usize,
) -> Result<EndedBatch, StoreError> {
    let last = ended.last().map(|(number, _)| position(*number)).transpose()?;
    let next = last.filter(|_| ended.len() >= limit);
    let revocations = ended.into_iter().map(|(_, revocation)| revocation).collect();
    Ok(EndedBatch { revocations, through: position(through)?, next })
}

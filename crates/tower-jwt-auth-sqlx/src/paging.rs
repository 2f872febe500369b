//! Pages and batches of the sessions of a subject.

use sqlx::{ColumnIndex, Decode, Row, Type};
use tower_jwt_auth_core::{EndedBatch, Revocation, SessionPage, SessionPosition, StoreError};

use crate::convert::to_u64;
use crate::query_error::store_error;
use crate::session_row::read_session;

/// Converts a position to the column `number`. A position beyond the column's range is after all rows.
pub(crate) fn row_number(position: SessionPosition) -> i64 {
    i64::try_from(position.number()).unwrap_or(i64::MAX)
}

fn session_position(number: i64) -> Result<SessionPosition, StoreError> {
    to_u64(number).map(SessionPosition::new)
}

/// Builds a page from the result of a query for one row more than `limit`.
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
            Some(session_position(last.try_get("number").map_err(store_error)?)?)
        }
        _ => None,
    };
    Ok(SessionPage { sessions: page.iter().map(read_session).collect::<Result<_, _>>()?, next })
}

/// Builds a batch from the sessions that were ended, in the order of their numbers. A batch of `limit` sessions has a
/// next one.
pub(crate) fn ended_batch(
    ended: Vec<(i64, Revocation)>,
    through: i64,
    limit: usize,
) -> Result<EndedBatch, StoreError> {
    let last = ended.last().map(|(number, _)| session_position(*number)).transpose()?;
    let next = last.filter(|_| ended.len() >= limit);
    let revocations = ended.into_iter().map(|(_, revocation)| revocation).collect();
    Ok(EndedBatch { revocations, through: session_position(through)?, next })
}

//! JSON Web Keys (RFC 7517).

mod read;
mod write;

pub(super) use self::read::read;
pub(super) use self::write::write;

/// The maximum number of keys of a set that have the same `kid` and algorithm. It bounds the work for one token.
pub(super) const MAX_CANDIDATES: usize = 4;

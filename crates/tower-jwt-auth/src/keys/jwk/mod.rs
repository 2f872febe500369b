//! JSON Web Keys (RFC 7517).

mod read;
mod write;

pub(super) use self::read::read;
pub(super) use self::write::write;

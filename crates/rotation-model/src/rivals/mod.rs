//! The rules of other projects, from their public sources; `docs/rotation.md` lists the sources.

mod family;
mod linear;

pub(crate) use self::family::{Family, FamilyRule};
pub(crate) use self::linear::{Linear, LinearRule};

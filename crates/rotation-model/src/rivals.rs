//! The rules of others, from what their public sources say; `docs/rotation.md` names the sources.

mod family;
mod linear;

pub use self::family::{Family, FamilyRule};
pub use self::linear::{Linear, LinearRule};

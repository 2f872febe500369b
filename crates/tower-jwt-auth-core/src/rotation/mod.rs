//! The rotation of refresh tokens: the rule, and the two writes that follow from it.

mod rule;
mod write;

pub use self::rule::{PresentedToken, RotationOutcome, RotationRejection};
pub use self::write::{AdvanceRequest, LateRetryRequest};

#[cfg(test)]
mod tests;

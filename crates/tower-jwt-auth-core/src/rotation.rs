//! The rotation of refresh tokens: its settings, the rule, and the two writes that the rule leads to.

mod policy;
mod rule;
mod write;

pub use self::policy::RotationPolicy;
pub use self::rule::{PresentedToken, RotationOutcome, RotationRejection};
pub use self::write::{AdvanceRequest, LateRetryRequest, LateRetryRun};

#[cfg(test)]
mod tests;

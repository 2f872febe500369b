//! The rotation of refresh tokens: its settings, the rule, and the two writes that the rule leads to.

mod policy;
mod rule;
mod write;

pub use self::policy::RotationPolicy;
pub use self::rule::{Presented, Refusal, Verdict};
pub use self::write::{Advance, LateRetry, LateRetryRun};

#[cfg(test)]
mod tests;

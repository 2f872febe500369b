/// The text names no value of the type.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{EndReason, ParseNameError};
///
/// assert_eq!("logout".parse(), Ok(EndReason::Logout));
/// assert_eq!("Logout".parse::<EndReason>(), Err(ParseNameError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown name")]
pub struct ParseNameError;

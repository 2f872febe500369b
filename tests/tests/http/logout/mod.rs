//! The logout endpoints.

mod everywhere;
mod many_sessions;
mod this_session;
mod token_check;

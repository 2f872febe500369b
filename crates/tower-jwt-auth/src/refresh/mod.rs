//! The HTTP services around [`Sessions`](crate::Sessions): refresh, logout, and a login's request and answer.

mod cookie;
mod logout;
mod response;
mod service;
mod sign_in;

pub use self::cookie::{RefreshCookie, SameSite};
pub use self::logout::LogoutService;
pub use self::response::AnswerFuture;
pub use self::service::RefreshService;

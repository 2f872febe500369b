//! The HTTP services around [`Sessions`](crate::Sessions): refresh, logout, and the answer to a login.

mod cookie;
mod logout;
mod response;
mod service;

pub use self::cookie::{RefreshCookie, SameSite};
pub use self::logout::LogoutService;
pub use self::response::AnswerFuture;
pub use self::service::RefreshService;

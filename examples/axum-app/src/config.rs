//! What can be set from outside, and what is said when it cannot be used.

use std::env::{self, VarError};
use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// What the environment variables ask for.
#[derive(Debug)]
pub(crate) struct Config {
    bind: String,
    access_lifetime: Duration,
    login_max_age: Duration,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, StartError> {
        Ok(Self {
            bind: text("BIND")?.unwrap_or_else(|| "localhost:3000".to_owned()),
            access_lifetime: seconds("ACCESS_LIFETIME", 300)?,
            login_max_age: seconds("LOGIN_MAX_AGE", 300)?,
        })
    }

    /// The host and port to listen at.
    pub(crate) fn bind(&self) -> &str {
        &self.bind
    }

    /// How long an access token lives.
    pub(crate) fn access_lifetime(&self) -> Duration {
        self.access_lifetime
    }

    /// How old the login may be for a transfer.
    pub(crate) fn login_max_age(&self) -> Duration {
        self.login_max_age
    }
}

fn text(name: &str) -> Result<Option<String>, StartError> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(error) => Err(StartError::new(format!("{name} cannot be read"), error)),
    }
}

fn seconds(name: &str, default: u64) -> Result<Duration, StartError> {
    let Some(value) = text(name)? else { return Ok(Duration::from_secs(default)) };
    let seconds: NonZeroU32 = value.parse().map_err(|source| {
        let what = format!("{name} is {value:?}, give a number of seconds from 1");
        StartError::new(what, source)
    })?;
    Ok(Duration::from_secs(u64::from(seconds.get())))
}

/// Why the application does not start.
#[derive(Debug)]
pub(crate) struct StartError {
    what: String,
    source: Box<dyn Error>,
}

impl StartError {
    pub(crate) fn new(what: impl Into<String>, source: impl Into<Box<dyn Error>>) -> Self {
        Self { what: what.into(), source: source.into() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

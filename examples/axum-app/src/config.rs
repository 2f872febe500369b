//! The settings, which are environment variables, and the error of an invalid one.

use std::env::{self, VarError};
use std::error::Error;
use std::fmt;
use std::num::{NonZeroU32, ParseIntError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tower_jwt_auth::RotationPolicy;

use crate::store::StoreUrl;

/// The settings.
#[derive(Debug)]
pub(crate) struct Config {
    bind: String,
    store: StoreUrl,
    keys: Option<PathBuf>,
    access_lifetime: Duration,
    grace: Option<Duration>,
    late_retries: u32,
    login_max_age: Duration,
    max_staleness: Duration,
    heartbeat: Duration,
    hsts_max_age: Option<Duration>,
}

impl Config {
    /// Reads the environment variables.
    pub(crate) fn from_env() -> Result<Self, StartError> {
        let config = Self {
            bind: text("BIND")?.unwrap_or_else(|| "localhost:3000".to_owned()),
            store: text("STORE")?.map_or(Ok(StoreUrl::Memory), |store| StoreUrl::parse(&store))?,
            keys: text("KEYS")?.map(PathBuf::from),
            access_lifetime: seconds("ACCESS_LIFETIME", 300)?,
            grace: optional_seconds("GRACE")?,
            late_retries: count("LATE_RETRIES", "generations")?.unwrap_or(1),
            login_max_age: seconds("LOGIN_MAX_AGE", 300)?,
            max_staleness: seconds("MAX_STALENESS", 30)?,
            heartbeat: milliseconds("HEARTBEAT", 5000)?,
            hsts_max_age: optional_seconds("HSTS_MAX_AGE")?,
        };
        config.check()?;
        Ok(config)
    }

    /// Checks the settings that depend on each other.
    fn check(&self) -> Result<(), StartError> {
        match (&self.store, &self.keys) {
            (_, Some(path)) if path.as_os_str().is_empty() => {
                return Err(StartError::new("KEYS is empty", "give the path of a file"));
            }
            // After a restart the access tokens would be valid, and the revocations would be lost.
            (StoreUrl::Memory, Some(_)) => {
                let hint = "set STORE, as in STORE=sqlite:sessions.db, since a restart loses the logouts in memory";
                return Err(StartError::new("KEYS is set but sessions are kept in memory", hint));
            }
            _ => {}
        }
        if self.heartbeat >= self.max_staleness {
            let message = format!("HEARTBEAT is {} milliseconds", self.heartbeat.as_millis());
            let hint = format!("give less than MAX_STALENESS, {} s", self.max_staleness.as_secs());
            return Err(StartError::new(message, hint));
        }
        Ok(())
    }

    /// Returns the host and port to listen at.
    pub(crate) fn bind(&self) -> &str {
        &self.bind
    }

    /// Returns the store of the sessions.
    pub(crate) fn store(&self) -> &StoreUrl {
        &self.store
    }

    /// Returns the file of the keys. Without one they last as long as the process.
    pub(crate) fn keys(&self) -> Option<&Path> {
        self.keys.as_deref()
    }

    /// Returns the lifetime of access tokens.
    pub(crate) fn access_lifetime(&self) -> Duration {
        self.access_lifetime
    }

    /// Returns the rotation policy. Unless set, the grace window is 10 seconds, or half the lifetime of an access
    /// token if that is less.
    pub(crate) fn rotation(&self) -> RotationPolicy {
        let policy = RotationPolicy::default().with_late_retries(self.late_retries);
        let max_grace = self.access_lifetime / 2;
        let grace = self.grace.unwrap_or_else(|| policy.grace().min(max_grace));
        policy.with_grace(grace)
    }

    /// Returns the max age of the login for a transfer.
    pub(crate) fn login_max_age(&self) -> Duration {
        self.login_max_age
    }

    /// Returns the max time since the last read of the revocation log for which its entries suffice.
    pub(crate) fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    /// Returns the interval of the heartbeats, which show that the revocation log can be written and read.
    pub(crate) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Returns the lifetime of `Strict-Transport-Security`, for an application that is served over https.
    pub(crate) fn hsts_max_age(&self) -> Option<Duration> {
        self.hsts_max_age
    }
}

fn text(name: &str) -> Result<Option<String>, StartError> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        // The error contains the value, and some values contain passwords.
        Err(VarError::NotUnicode(_)) => {
            Err(StartError::new(format!("{name} cannot be read"), "give it in UTF-8"))
        }
    }
}

fn seconds(name: &str, default: u32) -> Result<Duration, StartError> {
    Ok(Duration::from_secs(number(name, "seconds", default)?.into()))
}

/// Reads a number of seconds, which may be 0.
fn optional_seconds(name: &str) -> Result<Option<Duration>, StartError> {
    Ok(count(name, "seconds")?.map(|seconds| Duration::from_secs(seconds.into())))
}

fn milliseconds(name: &str, default: u32) -> Result<Duration, StartError> {
    Ok(Duration::from_millis(number(name, "milliseconds", default)?.into()))
}

/// Reads a number, which may be 0.
fn count(name: &str, of: &str) -> Result<Option<u32>, StartError> {
    let Some(value) = text(name)? else { return Ok(None) };
    let number = value.parse().map_err(|source: ParseIntError| {
        StartError::new(format!("{name} is {value:?}, give a number of {of} from 0"), source)
    })?;
    Ok(Some(number))
}

fn number(name: &str, of: &str, default: u32) -> Result<u32, StartError> {
    let Some(value) = text(name)? else { return Ok(default) };
    let number: NonZeroU32 = value.parse().map_err(|source| {
        StartError::new(format!("{name} is {value:?}, give a number of {of} from 1"), source)
    })?;
    Ok(number.get())
}

/// The reason why the application does not start, with a remedy.
#[derive(Debug)]
pub(crate) struct StartError {
    message: String,
    source: Box<dyn Error>,
}

impl StartError {
    pub(crate) fn new(message: impl Into<String>, source: impl Into<Box<dyn Error>>) -> Self {
        Self { message: message.into(), source: source.into() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

//! What can be set from outside, and what is said when it cannot be used.

use std::env::{self, VarError};
use std::error::Error;
use std::fmt;
use std::num::{NonZeroU32, ParseIntError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tower_jwt_auth::RotationPolicy;

use crate::store::StoreUrl;

/// What the environment variables ask for.
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

    /// What is wrong with one in the company of another.
    fn check(&self) -> Result<(), StartError> {
        match (&self.store, &self.keys) {
            (_, Some(path)) if path.as_os_str().is_empty() => {
                return Err(StartError::new("KEYS is empty", "give the path of a file"));
            }
            // After a restart its tokens would be accepted, and nobody would know which had been revoked.
            (StoreUrl::Memory, Some(_)) => {
                let hint =
                    "give STORE too, as sqlite:sessions.db, or logouts are forgotten at a restart";
                return Err(StartError::new("KEYS is set but sessions are kept in memory", hint));
            }
            _ => {}
        }
        if self.heartbeat >= self.max_staleness {
            let what = format!("HEARTBEAT is {} milliseconds", self.heartbeat.as_millis());
            let hint = format!("give less than MAX_STALENESS, {} s", self.max_staleness.as_secs());
            return Err(StartError::new(what, hint));
        }
        Ok(())
    }

    /// The host and port to listen at.
    pub(crate) fn bind(&self) -> &str {
        &self.bind
    }

    /// Where sessions are kept.
    pub(crate) fn store(&self) -> &StoreUrl {
        &self.store
    }

    /// The file with the keys, unless they are to be gone with the process.
    pub(crate) fn keys(&self) -> Option<&Path> {
        self.keys.as_deref()
    }

    /// How long an access token lives.
    pub(crate) fn access_lifetime(&self) -> Duration {
        self.access_lifetime
    }

    /// How sessions rotate: with a grace window of 10 seconds unless set, or half an access token's life where that
    /// is less.
    pub(crate) fn rotation(&self) -> RotationPolicy {
        let policy = RotationPolicy::default().with_late_retries(self.late_retries);
        let longest = self.access_lifetime / 2;
        let grace = self.grace.unwrap_or_else(|| policy.grace().min(longest));
        policy.with_grace(grace)
    }

    /// How old the login may be for a transfer.
    pub(crate) fn login_max_age(&self) -> Duration {
        self.login_max_age
    }

    /// How long ago the revocation log may have been read for the list of revocations to be believed.
    pub(crate) fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    /// How often it is seen whether the revocation log takes entries and gives them back.
    pub(crate) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// The lifetime of `Strict-Transport-Security`, for an application that is served over https.
    pub(crate) fn hsts_max_age(&self) -> Option<Duration> {
        self.hsts_max_age
    }
}

fn text(name: &str) -> Result<Option<String>, StartError> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        // That error shows the value, and some values have passwords.
        Err(VarError::NotUnicode(_)) => {
            Err(StartError::new(format!("{name} cannot be read"), "give it in UTF-8"))
        }
    }
}

fn seconds(name: &str, default: u32) -> Result<Duration, StartError> {
    Ok(Duration::from_secs(number(name, "seconds", default)?.into()))
}

/// A number of seconds that may be 0.
fn optional_seconds(name: &str) -> Result<Option<Duration>, StartError> {
    Ok(count(name, "seconds")?.map(|seconds| Duration::from_secs(seconds.into())))
}

fn milliseconds(name: &str, default: u32) -> Result<Duration, StartError> {
    Ok(Duration::from_millis(number(name, "milliseconds", default)?.into()))
}

/// A number that may be 0.
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

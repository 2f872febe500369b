//! The steps of a change of keys, as commands.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{KeyFile, failed, file, load};
use crate::config::{Config, StartError};

/// The time in which every process has read the file, in seconds. They check it every 2 seconds.
const SPREAD: u64 = 60;

/// Does one step, `publish`, `sign` or `remove`, and returns the text that describes the next one.
pub(crate) fn rotate(config: &Config, step: &str) -> Result<String, StartError> {
    let usage = || StartError::new("cannot change the keys", "give publish, sign or remove");
    let path = config.keys();
    let path = path.ok_or_else(|| StartError::new("cannot change the keys", "set KEYS"))?;
    let mut keys = load(path)?;
    let (done, next) = match step {
        "publish" => (
            keys.publish(),
            "published the next keys. Copy the file to every machine, wait 5 minutes, and run: \
             rotate-keys sign"
                .to_owned(),
        ),
        "sign" => (
            keys.sign(now() + SPREAD as i64),
            format!(
                "the new keys sign now. Copy the file to every machine within {SPREAD} seconds. The old signing key \
                 is accepted until its last token has expired. After 30 days run: rotate-keys remove"
            ),
        ),
        "remove" => (keys.remove(), "removed the previous keys.".to_owned()),
        _ => return Err(usage()),
    };
    done.map_err(|error| failed(path, "change", error))?;
    write(path, &keys)?;
    Ok(next)
}

fn write(path: &Path, keys: &KeyFile) -> Result<(), StartError> {
    // Also checks that the processes will accept it.
    let text = keys.keys().and_then(|_| keys.to_text());
    let text = text.map_err(|error| failed(path, "change", error))?;
    file::replace(path, &text).map_err(|error| failed(path, "change", error.into()))
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

//! Every test runs with all logging on, down to TRACE, and every line is searched for secrets.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Installs the capture. Later calls do nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Searched)
            .init();
    });
}

/// Searches every line for this secret from now on.
pub fn watch_for(secret: impl Into<String>) {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).push(secret.into());
}

/// Returns every line so far that contains this text.
pub fn lines_containing(text: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter(|line| line.contains(text)).cloned().collect()
}

/// Returns whether a text contains a secret: a token of any kind, or a secret passed to [`watch_for`].
pub fn contains_secret(text: &str) -> bool {
    // A JSON object that begins with `{"` begins with this in base64url.
    let token = text.match_indices("eyJ").any(|(at, _)| {
        let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let length = text.as_bytes()[at..].iter().take_while(|byte| is_base64url(byte)).count();
        // An id is not secret. It has 22 characters and may begin with the same ones by chance.
        length > 22 || (length >= 16 && text[at + length..].starts_with('.'))
    });
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    token || secrets.iter().any(|secret| text.contains(secret.as_str()))
}

struct Searched;

impl io::Write for Searched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        if contains_secret(&line) {
            // A panic would only end the task that logged.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("a secret was logged: {line}");
            }
            std::process::abort();
        }
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

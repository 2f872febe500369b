//! Scopes (RFC 6749 §3.3).

use crate::error::ConfigError;

/// Returns whether this is one or more scope tokens, separated by single spaces.
fn is_scope(scope: &str) -> bool {
    scope.split(' ').all(is_token)
}

fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// As [`is_scope`], and also accepts an empty string, which grants no scope.
pub(crate) fn is_scope_or_none(scope: &str) -> bool {
    scope.is_empty() || is_scope(scope)
}

/// Checks a scope: one or more scope tokens.
pub(crate) fn check(scope: &str) -> Result<(), ConfigError> {
    if is_scope(scope) { Ok(()) } else { Err(ConfigError::Scope { scope: scope.to_owned() }) }
}

/// Checks a single scope token.
pub(crate) fn check_token(scope: &str) -> Result<(), ConfigError> {
    if is_token(scope) { Ok(()) } else { Err(ConfigError::Scope { scope: scope.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words_of_visible_ascii() {
        for good in ["admin", "read write", "a:b/c.d!#$~", "https://x.example/y"] {
            assert!(is_scope(good), "{good}");
        }
        for bad in ["", " ", "a  b", " a", "a ", "a\"b", "a\\b", "ä", "a\nb", "a\tb"] {
            assert!(!is_scope(bad), "{bad:?}");
        }
    }
}

//! The keys of a prefix. All have the same hash tag, so that they are in one slot of a cluster.

use redis::{Cmd, Script, ScriptInvocation};

/// The version of the data under the keys.
pub(crate) const SCHEMA_VERSION: &str = "2";

/// The keys of which a prefix has one each, in the order in which scripts take them.
const NAMES: [&str; 6] = ["meta", "over", "log", "until", "revoked", "heartbeats"];

/// The keys of a prefix.
pub(crate) struct Keys {
    root: String,
    fixed: [String; 6],
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        let root = format!("{{{prefix}}}:");
        let fixed = NAMES.map(|name| format!("{root}{name}"));
        Self { root, fixed }
    }

    /// Returns the beginning of all keys: `{prefix}:`.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// Returns the key of the revocation log, a stream.
    pub(crate) fn log(&self) -> &str {
        let [_, _, log, ..] = &self.fixed;
        log
    }

    /// Creates a call of a script with the keys and arguments that every script takes first.
    pub(crate) fn invocation<'s>(&self, script: &'s Script) -> ScriptInvocation<'s> {
        let mut call = script.prepare_invoke();
        call.key(&self.fixed).arg(&self.root).arg(SCHEMA_VERSION);
        call
    }

    /// Creates the same call as a command for a pipeline. The script must be loaded.
    pub(crate) fn command(&self, script: &Script) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(self.fixed.len()).arg(&self.fixed);
        command.arg(&self.root).arg(SCHEMA_VERSION);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_have_one_hash_tag() {
        let keys = Keys::new("shop");
        assert_eq!(keys.root(), "{shop}:");
        assert_eq!(keys.log(), "{shop}:log");
    }
}

//! The keys. All have one hash tag, so that they are in one slot of a cluster.

use redis::ScriptInvocation;

/// The version of what is kept under the keys.
pub(crate) const SCHEMA: &str = "1";

/// The keys that there is one of each, in the order in which scripts take them.
const NAMES: [&str; 6] = ["meta", "over", "log", "until", "revoked", "beats"];

/// The names of the keys under a prefix.
pub(crate) struct Keys {
    /// What all begin with: `{prefix}:`.
    root: String,
    fixed: [String; 6],
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        let root = format!("{{{prefix}}}:");
        let fixed = NAMES.map(|name| format!("{root}{name}"));
        Self { root, fixed }
    }

    /// What all keys begin with.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The stream of revocations.
    pub(crate) fn log(&self) -> &str {
        let [_, _, log, ..] = &self.fixed;
        log
    }

    /// Gives a script what all of them begin with.
    pub(crate) fn begin<'s>(&self, script: &'s redis::Script) -> ScriptInvocation<'s> {
        let mut call = script.prepare_invoke();
        call.key(&self.fixed).arg(&self.root).arg(SCHEMA);
        call
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

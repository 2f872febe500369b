//! The levels of the modules of each crate: imports point to lower levels only, so that no two modules depend on each
//! other. Each module has the lowest level that its imports allow, and docs/architecture.md shows these levels.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate's modules, the lowest level first. Modules of one level do not import each other.
struct Levels {
    source: &'static str,
    levels: &'static [&'static [&'static str]],
    /// The minimum number of imports between modules, to check that the search finds any.
    min_imports: usize,
}

const TOWER_JWT_AUTH: Levels = Levels {
    source: "crates/tower-jwt-auth/src",
    levels: &[
        &[
            "algorithm",
            "base64url",
            "guide",
            "prehashed",
            "revision",
            "store",
            "store_guard",
            "url",
        ],
        &["error"],
        &["background", "http", "jws", "scope"],
        &["claims", "keys"],
        &["identity", "issuer"],
        &["refresh_token", "revocation", "verifier"],
        &["sessions", "tokens"],
        &["auth", "endpoints"],
    ],
    min_imports: 50,
};

const CORE: Levels = Levels {
    source: "crates/tower-jwt-auth-core/src",
    levels: &[
        &["change_signal", "error", "id", "rotation_policy", "session_limit", "time"],
        &["clock", "revocation"],
        &["log", "session"],
        &["paging", "rotation"],
        &["serde", "store"],
        &["conformance", "memory"],
    ],
    min_imports: 50,
};

const ROTATION_MODEL: Levels = Levels {
    source: "crates/rotation-model/src",
    levels: &[
        &["rule"],
        &["linear_session", "model"],
        &["check", "rivals", "shipped"],
        &["scenarios"],
        &["report"],
    ],
    min_imports: 20,
};

const SQLX: Levels = Levels {
    source: "crates/tower-jwt-auth-sqlx/src",
    levels: &[
        &["convert", "error", "escape", "query_error"],
        &["log_row", "migrations", "pool", "session_row"],
        &["paging"],
        &["postgres", "sqlite"],
    ],
    min_imports: 40,
};

const REDIS: Levels = Levels {
    source: "crates/tower-jwt-auth-redis/src",
    levels: &[
        &["convert", "cursor", "keys", "scripts", "timeouts"],
        &["durability", "error", "log_page", "session_row", "watch"],
        &["connection", "options", "preflight"],
        &["store"],
        &["log", "sessions"],
    ],
    min_imports: 20,
};

/// The crates whose modules have levels.
const CRATES: &[Levels] = &[CORE, TOWER_JWT_AUTH, ROTATION_MODEL, SQLX, REDIS];
/// The directories of modules with their own levels.
const DIRECTORIES: &[Levels] =
    &[AUTH, CLAIMS, ENDPOINTS, HTTP, KEYS, REVOCATION, VERIFIER, POSTGRES, SQLITE];

const AUTH: Levels = Levels {
    source: "crates/tower-jwt-auth/src/auth",
    levels: &[
        &["body", "caching", "verification_limit", "token_cache"],
        &["decision", "future"],
        &["extract", "pending", "require"],
        &["service"],
        &["layer"],
    ],
    min_imports: 6,
};

const CLAIMS: Levels = Levels {
    source: "crates/tower-jwt-auth/src/claims",
    levels: &[
        &["claim", "values"],
        &["member", "registered"],
        &["application", "compact", "read", "validate"],
        &["parse"],
    ],
    min_imports: 3,
};

const KEYS: Levels = Levels {
    source: "crates/tower-jwt-auth/src/keys",
    levels: &[
        &["crypto", "handle", "pem", "signer", "stamp"],
        &["hygiene", "spki", "thumbprint"],
        &["verifying"],
        &["jwk", "signing"],
        &["set"],
        &["remote", "ring"],
        &["source"],
    ],
    min_imports: 6,
};

const VERIFIER: Levels = Levels {
    source: "crates/tower-jwt-auth/src/verifier",
    levels: &[&["trusted"], &["profiles", "resolved", "settings"], &["issuers"], &["stamp"]],
    min_imports: 3,
};

const ENDPOINTS: Levels = Levels {
    source: "crates/tower-jwt-auth/src/endpoints",
    levels: &[
        &["cookie", "entity_tag", "errors", "headers"],
        &["document", "responder", "sign_in", "token_response"],
        &["future", "jwks", "metadata"],
        &["endpoint"],
        &["logout", "refresh"],
    ],
    min_imports: 10,
};

const HTTP: Levels = Levels {
    source: "crates/tower-jwt-auth/src/http",
    levels: &[&["cookies", "origin"], &["challenge", "token_source"]],
    min_imports: 2,
};

const REVOCATION: Levels = Levels {
    source: "crates/tower-jwt-auth/src/revocation",
    levels: &[
        &["freshness", "options", "sweep_clock", "target_table"],
        &["cache"],
        &["follower", "prepared"],
        &["list"],
        &["status"],
    ],
    min_imports: 7,
};

const POSTGRES: Levels = Levels {
    source: "crates/tower-jwt-auth-sqlx/src/postgres",
    levels: &[
        &["cursor", "notify", "statements"],
        &["connect"],
        &["migrations"],
        &["store"],
        &["log", "sessions"],
    ],
    min_imports: 10,
};

const SQLITE: Levels = Levels {
    source: "crates/tower-jwt-auth-sqlx/src/sqlite",
    levels: &[
        &["connect", "cursor", "statements", "watch"],
        &["migrations"],
        &["store"],
        &["log"],
        &["sessions"],
    ],
    min_imports: 10,
};

#[test]
fn imports_point_to_lower_levels() {
    for levels in CRATES {
        levels.check("crate");
    }
}

#[test]
fn imports_within_a_directory_point_to_lower_levels() {
    for levels in DIRECTORIES {
        let (_, directory) = levels.source.rsplit_once('/').unwrap();
        levels.check(&format!("crate::{directory}"));
    }
}

#[test]
fn the_page_shows_the_levels() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.md");
    let page = fs::read_to_string(page).unwrap();
    for levels in CRATES.iter().chain(DIRECTORIES) {
        let shown = levels_on(&page, levels.source);
        let expected: Vec<Vec<&str>> = levels.levels.iter().map(|level| level.to_vec()).collect();
        assert_eq!(shown, expected, "docs/architecture.md on {}", levels.source);
    }
}

impl Levels {
    fn check(&self, root: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(self.source);
        let mut imports = 0;
        // The level of each module, and the lowest that its imports allow.
        let mut modules: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for path in sources(&folder) {
            let inside = path.strip_prefix(&folder).unwrap().with_extension("");
            let module = inside.iter().next().unwrap().to_str().unwrap().to_owned();
            if ["lib", "main", "mod"].contains(&module.as_str()) || is_test(&inside) {
                continue;
            }
            let code = absolute(&code(&path), &inside, root);
            assert!(!imports_from(&code, root), "{path:?} imports from {root} without a module");
            let from = self.level(&module);
            let (_, lowest) = modules.entry(module.clone()).or_insert((from, 0));
            for imported in imported(&code, root) {
                if imported == module {
                    continue;
                }
                imports += 1;
                let to = self.level(&imported);
                assert!(
                    to < from,
                    "{module} (level {from}) imports {imported} (level {to}): {path:?}"
                );
                *lowest = (*lowest).max(to + 1);
            }
        }
        let min = self.min_imports;
        assert!(imports >= min, "{imports} imports were found in {}", self.source);
        for (module, (level, lowest)) in &modules {
            assert_eq!(level, lowest, "the imports of {module} allow a lower level");
        }
        let listed = self.levels.iter().map(|level| level.len()).sum::<usize>();
        assert_eq!(modules.len(), listed, "{} lacks modules that have a level", self.source);
    }

    /// Returns the level of a module, from 0.
    fn level(&self, module: &str) -> usize {
        let level = self.levels.iter().position(|level| level.contains(&module));
        level.unwrap_or_else(|| panic!("{module} has no level in {}", self.source))
    }
}

/// Returns the levels in the table of the page below the path of the sources, the lowest first. Each row of the table
/// is a level with the names of its modules in backticks. Names in parentheses are not modules of the level.
fn levels_on<'p>(page: &'p str, source: &str) -> Vec<Vec<&'p str>> {
    let (_, after) = page.split_once(&format!("`{source}`")).unwrap_or_else(|| panic!("{source}"));
    let lines = after.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let mut levels: Vec<Vec<&str>> = rows
        .map(|row| {
            let modules = row.split('|').nth(2).unwrap();
            let outside = modules.split('(').enumerate().map(|(at, part)| match at {
                0 => part,
                _ => part.split_once(')').unwrap().1,
            });
            outside.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
        })
        .collect();
    levels.reverse();
    levels
}

fn is_test(module: &Path) -> bool {
    module.iter().any(|part| part == "tests")
}

/// Returns the code of a file without comments and without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    code.lines().filter(is_code).map(|line| format!("{line}\n")).collect()
}

/// Replaces the `super::…` that leads to the root by its path. `inside` is the path of the file below the root.
fn absolute(code: &str, inside: &Path, root: &str) -> String {
    let is_mod = inside.file_name().is_some_and(|name| name == "mod");
    let depth = inside.iter().count() - usize::from(is_mod);
    let up = format!(" {}", "super::".repeat(depth));
    // A further `super::` leads out of the root.
    code.replace(&format!("{up}super::"), " outside::").replace(&up, &format!(" {root}::"))
}

/// Returns whether the code imports from a root without the name of a module, as in `crate::{…}` or `crate::Item`.
/// The level of such an import would be unknown. Paths of macros (`$crate::Item`) are exempt.
fn imports_from(code: &str, root: &str) -> bool {
    let prefix = format!("{root}::");
    code.match_indices(&prefix).any(|(at, _)| {
        let is_module = |c: char| c.is_ascii_lowercase() || c == '_';
        !code[..at].ends_with('$') && !code[at + prefix.len()..].starts_with(is_module)
    })
}

/// Returns the modules that the code names under a root, such as `tower` in `crate::tower::Service`. Macros are not
/// modules.
fn imported(code: &str, root: &str) -> Vec<String> {
    let prefix = format!("{root}::");
    let names = code.match_indices(&prefix).filter_map(|(at, _)| {
        let path = &code[at + prefix.len()..];
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let end = path.find(|c| !is_name(c)).unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        (!name.is_empty() && !rest.starts_with('!')).then(|| name.to_owned())
    });
    names.collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

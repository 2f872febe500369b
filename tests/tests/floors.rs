//! The four floors of `tower-jwt-auth` (docs/architecture.md): imports point downwards only.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules, from the ground up.
const FLOORS: [&[&str]; 4] = [
    &[
        "background",
        "bearer",
        "challenge",
        "claims",
        "cookies",
        "error",
        "jose",
        "keys",
        "origin",
        "patience",
        "scope",
    ],
    &["identity", "issuer", "refresh_token", "revocation", "verifier"],
    &["sessions"],
    &["auth", "jwks", "refresh"],
];

fn floor(module: &str) -> usize {
    let is_there = |floor: &&[&str]| floor.contains(&module);
    FLOORS.iter().position(is_there).unwrap_or_else(|| panic!("{module}: which floor?"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

#[test]
fn imports_point_downwards_and_the_services_do_not_know_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/tower-jwt-auth/src");
    let mut seen = 0;
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        if module == "lib" || path.ends_with("tests.rs") {
            continue;
        }
        for (at, _) in text.match_indices("use crate::") {
            let rest = &text[at + "use crate::".len()..];
            let imported: String =
                rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if imported.is_empty() || imported == module {
                continue;
            }
            seen += 1;
            assert!(floor(&imported) <= floor(&module), "{module} imports {imported}: {path:?}");
            let both_services = floor(&imported) == 3 && floor(&module) == 3;
            assert!(!both_services, "{module} knows {imported}: {path:?}");
        }
    }
    assert!(seen > 50, "the imports were found: {seen}");
}

//! Packages of the npm registry and of PyPI, in the versions that `tests/providers` pins.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Once, OnceLock};
use std::time::Duration;

use super::process;

const PACKAGE_JSON: &str = include_str!("../../providers/package.json");
const PACKAGE_LOCK: &str = include_str!("../../providers/package-lock.json");
const REQUIREMENTS: &str = include_str!("../../providers/requirements.txt");

/// The time for the download of all packages.
const INSTALL: Duration = Duration::from_secs(300);
/// The first version of Node.js in which the packages work.
const MIN_NODE: u32 = 20;

/// A program that runs scripts, with the packages that they import.
pub struct Interpreter {
    kind: Kind,
    program: PathBuf,
    packages: PathBuf,
}

#[derive(Clone, Copy)]
enum Kind {
    Node,
    Python,
}

impl Interpreter {
    /// Returns Node.js with `oidc-provider` and `jose`.
    ///
    /// The first process that needs the packages installs them, into a directory below that of the build.
    pub fn node() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Interpreter>> = OnceLock::new();
        SHARED.get_or_init(|| Self::find(Kind::Node)).as_ref()
    }

    /// Returns Python with PyJWT and joserfc.
    ///
    /// The first process that needs the packages installs them, into a directory below that of the build.
    pub fn python() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Interpreter>> = OnceLock::new();
        SHARED.get_or_init(|| Self::find(Kind::Python)).as_ref()
    }

    fn find(kind: Kind) -> Option<Self> {
        static SAID: [Once; 2] = [const { Once::new() }; 2];
        let (result, needs) = match kind {
            Kind::Node => (
                find_node(),
                format!("oidc-provider and jose need Node.js {MIN_NODE} or later with npm"),
            ),
            Kind::Python => (find_python(), "PyJWT and joserfc need Python 3 with pip".to_owned()),
        };
        match result {
            Ok((program, packages)) => Some(Self { kind, program, packages }),
            Err(error) => {
                super::skip_because(
                    &SAID[kind as usize],
                    &format!("{error}; the tests with {needs}"),
                );
                None
            }
        }
    }

    /// Returns the path of the program.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Writes a script into a directory, so that it finds the packages.
    ///
    /// Node.js resolves them from the directory of the script, Python by a variable.
    pub(super) fn write_script(&self, directory: &Path, name: &str, text: &str) -> PathBuf {
        let script = directory.join(name);
        fs::write(&script, text).expect("the script should be written");
        #[cfg(unix)]
        if matches!(self.kind, Kind::Node) {
            let modules = self.packages.join("node_modules");
            std::os::unix::fs::symlink(modules, directory.join("node_modules"))
                .expect("the packages should be linked");
        }
        script
    }

    /// Runs a script with an input, and returns its output.
    ///
    /// # Panics
    /// If the script fails.
    #[track_caller]
    pub fn run(&self, name: &str, script: &str, input: &str) -> String {
        let directory = tempfile::tempdir().expect("a directory should be created");
        let file = directory.path().join("input");
        fs::write(&file, input).expect("the input should be written");
        let script = self.write_script(directory.path(), name, script);
        let mut command = process::command(&self.program, None);
        command.arg(script).arg(file);
        if matches!(self.kind, Kind::Python) {
            command.env("PYTHONPATH", &self.packages);
        }
        process::run(&mut command)
    }
}

/// Returns the program and its packages.
fn find_node() -> Result<(PathBuf, PathBuf), String> {
    let program = process::in_path("node").ok_or("no node found")?;
    let npm = process::in_path("npm").ok_or("no npm found")?;
    let version = version(&program)?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|v| v.parse().ok());
    if major.is_none_or(|major: u32| major < MIN_NODE) {
        return Err(format!("Node.js {version} found"));
    }
    let packages = install(&format!("{PACKAGE_JSON}{PACKAGE_LOCK}"), "node", |directory| {
        fs::write(directory.join("package.json"), PACKAGE_JSON)?;
        fs::write(directory.join("package-lock.json"), PACKAGE_LOCK)?;
        let mut command = process::command(&npm, None);
        command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        command.current_dir(directory);
        Ok(command)
    })?;
    Ok((program, packages))
}

/// Returns the program and its packages.
fn find_python() -> Result<(PathBuf, PathBuf), String> {
    let program = process::in_path("python3").ok_or("no python3 found")?;
    // Packages with native code are for one version of Python.
    let key = format!("{} {REQUIREMENTS}", version(&program)?);
    let packages = install(&key, "python", |directory| {
        fs::write(directory.join("requirements.txt"), REQUIREMENTS)?;
        let mut command = process::command(&program, None);
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        // A package without a build for this machine would need a compiler.
        command.args(["--only-binary", ":all:", "--no-deps"]);
        command.args(["--requirement", "requirements.txt", "--target", "."]);
        command.current_dir(directory);
        Ok(command)
    })?;
    Ok((program, packages))
}

fn version(program: &Path) -> Result<String, String> {
    process::try_run(process::command(program, None).arg("--version"), INSTALL)
}

/// Installs packages, once for all processes and runs.
fn install(
    key: &str,
    name: &str,
    command: impl Fn(&Path) -> std::io::Result<Command>,
) -> Result<PathBuf, String> {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let parent = build_directory().join("test-packages");
    let directory = parent.join(format!("{name}-{:016x}", hasher.finish()));
    let attempt = || -> std::io::Result<Result<String, String>> {
        fs::create_dir_all(&parent)?;
        // Of several test processes, one installs.
        let lock = File::create(parent.join(format!("{name}.lock")))?;
        lock.lock()?;
        if directory.exists() {
            return Ok(Ok(String::new()));
        }
        let unfinished = tempfile::tempdir_in(&parent)?;
        let result = process::try_run(&mut command(unfinished.path())?, INSTALL);
        if result.is_ok() {
            fs::rename(unfinished.keep(), &directory)?;
        }
        Ok(result)
    };
    let result = attempt().unwrap_or_else(|error| Err(error.to_string()));
    result.map_err(|error| format!("packages could not be installed ({error}); connect"))?;
    Ok(directory)
}

/// Returns the directory of the build, which has a tag of its own.
fn build_directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let tagged = program.ancestors().find(|directory| directory.join("CACHEDIR.TAG").exists());
    tagged.map_or_else(std::env::temp_dir, Path::to_owned)
}

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::process::{self, Process, User};

/// A PostgreSQL server of its own, whose superuser `postgres` needs no password.
pub struct Postgres {
    process: Process,
    client: PathBuf,
    data: PathBuf,
    port: u16,
    databases: AtomicUsize,
}

impl Postgres {
    /// Starts a server that is as safe as a default one: `fsync` is on.
    ///
    /// `None`: it is not installed.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with these further settings (`("max_connections", "10")`).
    ///
    /// `None`: it is not installed.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        static SAID: Once = Once::new();
        let Some(programs) = Programs::find() else {
            super::skip(&SAID, "initdb", "postgresql", "PostgreSQL");
            return None;
        };
        Some(process::attempts(|| Self::attempt(&programs, settings)))
    }

    fn attempt(programs: &Programs, settings: &[(&str, &str)]) -> Result<Self, String> {
        let directory = process::directory();
        let data = directory.join("data");
        let user = user(&directory);
        let port = process::free_port();
        let server = &programs.server;
        let arguments = ["-D".as_ref(), data.as_os_str()];
        // First, for it also removes the directory if what follows fails.
        let mut process = Process::new(&directory, user, server, &arguments);
        let mut initdb = process::command(&programs.initdb, user);
        // A crash of the machine in the next second may take the new files along.
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale"]);
        process::run(initdb.args(["--no-sync", "-D"]).arg(&data));
        let sockets = directory.display().to_string();
        let port_setting = port.to_string();
        let ours = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port_setting),
            ("unix_socket_directories", &sockets),
            ("max_connections", "200"),
            // Files in its directory, which go with it; others would stay when it is killed.
            ("dynamic_shared_memory_type", "mmap"),
        ];
        let file = OpenOptions::new().append(true).open(data.join("postgresql.conf"));
        let mut file = file.expect("initdb makes it");
        for (name, value) in ours.iter().chain(settings) {
            writeln!(file, "{name} = '{}'", value.replace('\'', "''")).expect("a line fits");
        }
        process.start(|pid| is_ready(&data, pid))?;
        let client = programs.client.clone();
        Ok(Self { process, client, data, port, databases: AtomicUsize::new(0) })
    }

    /// The URL of the maintenance database.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a new, empty database.
    pub fn new_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.psql(&self.url(), &format!("CREATE DATABASE {name}"));
        self.url_of(&name)
    }

    /// What psql prints for one or several commands: a line for each row, `|` between the columns.
    ///
    /// # Panics
    /// If one of them fails.
    #[track_caller]
    pub fn psql(&self, url: &str, sql: &str) -> String {
        let mut client = process::command(&self.client, None);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                client.env_remove(name);
            }
        }
        client.env("PGCONNECT_TIMEOUT", "10");
        client.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
        process::run(&mut client)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its files.
    pub fn dir(&self) -> &Path {
        &self.data
    }

    /// The id of its first process; another one after [`Postgres::start_again`].
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends all its processes at once, as a crash of the machine would (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it in order; connections are closed (a "fast" shutdown, SIGINT).
    pub fn stop(&mut self) {
        self.process.stop("INT");
    }

    /// Starts it on the same port and files, after [`Postgres::kill`] or [`Postgres::stop`], and waits until it
    /// answers.
    pub fn start_again(&mut self) {
        let data = &self.data;
        self.process.start_again(|pid| is_ready(data, pid));
    }

    /// Lets all its processes stand still, their connections open (SIGSTOP).
    pub fn pause(&mut self) {
        self.process.pause();
    }

    /// Lets it go on after [`Postgres::pause`].
    pub fn resume(&mut self) {
        self.process.resume();
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("port", &self.port).finish_non_exhaustive()
    }
}

struct Programs {
    initdb: PathBuf,
    server: PathBuf,
    client: PathBuf,
}

impl Programs {
    fn find() -> Option<Self> {
        let initdb = process::in_path("initdb").or_else(newest)?;
        // Behind a link in PATH, the others are beside the file itself.
        let initdb = initdb.canonicalize().ok()?;
        let beside = |name: &str| {
            let file = initdb.with_file_name(name);
            if file.is_file() { Some(file) } else { process::in_path(name) }
        };
        Some(Self { server: beside("postgres")?, client: beside("psql")?, initdb })
    }
}

/// Where Debian puts it, outside of PATH.
fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = versions.map(|version| version.path());
    let installed = installed.filter(|version| version.join("bin/initdb").is_file());
    Some(installed.max_by_key(number)?.join("bin/initdb"))
}

/// Whom to run as: PostgreSQL refuses root. Gives them the directory.
#[cfg(unix)]
fn user(directory: &Path) -> Option<User> {
    let owner = fs::metadata(directory).expect("it has been made").uid();
    if owner != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("root can read who there is");
    let find = |name: &str| {
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut user = fields.filter(|fields| fields.first() == Some(&name));
        let user = user.next()?;
        Some((user.get(2)?.parse().ok()?, user.get(3)?.parse().ok()?))
    };
    let user: User = find("postgres").or_else(|| find("nobody")).expect(
        "PostgreSQL does not run as root: add a user postgres, or run the tests as another user",
    );
    chown(directory, Some(user.0), Some(user.1)).expect("root can give a directory away");
    Some(user)
}

#[cfg(not(unix))]
fn user(_: &Path) -> Option<User> {
    None
}

/// Whether the server with this id takes connections: it says so in the eighth line of its lock file.
fn is_ready(data: &Path, pid: u32) -> bool {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = file.lines().map(str::trim);
    lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
}

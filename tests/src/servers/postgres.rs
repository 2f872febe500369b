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

/// A PostgreSQL server whose superuser `postgres` needs no password.
pub struct Postgres {
    process: Process,
    client: PathBuf,
    data: PathBuf,
    port: u16,
    databases: AtomicUsize,
}

impl Postgres {
    /// Starts a server with the default durability: `fsync` is on.
    ///
    /// Returns `None` if PostgreSQL is not installed.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with additional settings, for example `("max_connections", "10")`.
    ///
    /// Returns `None` if PostgreSQL is not installed.
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
        // The watchdog starts first, because it also removes the directory if a later step fails.
        let mut process = Process::new(&directory, user, server, &arguments);
        let mut initdb = process::command(&programs.initdb, user);
        // The new files need not survive a crash of the machine.
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale"]);
        process::run(initdb.args(["--no-sync", "-D"]).arg(&data));
        let sockets = directory.display().to_string();
        let port_setting = port.to_string();
        let ours = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port_setting),
            ("unix_socket_directories", &sockets),
            ("max_connections", "200"),
            // Files in its directory are removed with it. Other kinds of shared memory would remain after a kill.
            ("dynamic_shared_memory_type", "mmap"),
        ];
        let file = OpenOptions::new().append(true).open(data.join("postgresql.conf"));
        let mut file = file.expect("initdb should create the file");
        for (name, value) in ours.iter().chain(settings) {
            writeln!(file, "{name} = '{}'", value.replace('\'', "''"))
                .expect("a line should be written");
        }
        process.start(|pid| is_ready(&data, pid))?;
        let client = programs.client.clone();
        Ok(Self { process, client, data, port, databases: AtomicUsize::new(0) })
    }

    /// Returns the URL of the maintenance database.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database and returns its URL.
    pub fn new_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.psql(&self.url(), &format!("CREATE DATABASE {name}"));
        self.url_of(&name)
    }

    /// Returns the output of psql for one or several commands: a line for each row, with `|` between the columns.
    ///
    /// # Panics
    /// If a command fails.
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

    /// Returns the address of the server.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the data directory.
    pub fn dir(&self) -> &Path {
        &self.data
    }

    /// Returns the id of the first server process. It changes with [`Postgres::start_again`].
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills all processes of the server at once (SIGKILL), as a crash of the machine does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Shuts the server down and closes its connections (a "fast" shutdown, SIGINT).
    pub fn stop(&mut self) {
        self.process.stop("INT");
    }

    /// Starts the server with the same port and files, after [`Postgres::kill`] or [`Postgres::stop`], and waits until
    /// it answers.
    pub fn start_again(&mut self) {
        let data = &self.data;
        self.process.start_again(|pid| is_ready(data, pid));
    }

    /// Pauses all processes of the server (SIGSTOP). Their connections stay open.
    pub fn pause(&mut self) {
        self.process.pause();
    }

    /// Resumes the server after [`Postgres::pause`].
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
        // If the entry in PATH is a link, the other programs are beside its target.
        let initdb = initdb.canonicalize().ok()?;
        let beside = |name: &str| {
            let file = initdb.with_file_name(name);
            if file.is_file() { Some(file) } else { process::in_path(name) }
        };
        Some(Self { server: beside("postgres")?, client: beside("psql")?, initdb })
    }
}

/// Returns the directory where Debian installs PostgreSQL, outside of PATH.
fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = versions.map(|version| version.path());
    let installed = installed.filter(|version| version.join("bin/initdb").is_file());
    Some(installed.max_by_key(number)?.join("bin/initdb"))
}

/// Returns the user to run as, because PostgreSQL refuses root, and gives this user the directory.
#[cfg(unix)]
fn user(directory: &Path) -> Option<User> {
    let owner = fs::metadata(directory).expect("the directory exists").uid();
    if owner != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("root should be able to read the users");
    let find = |name: &str| {
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut user = fields.filter(|fields| fields.first() == Some(&name));
        let user = user.next()?;
        Some((user.get(2)?.parse().ok()?, user.get(3)?.parse().ok()?))
    };
    let user: User = find("postgres").or_else(|| find("nobody")).expect(
        "PostgreSQL does not run as root: add a user postgres, or run the tests as another user",
    );
    chown(directory, Some(user.0), Some(user.1)).expect("root should be able to change the owner");
    Some(user)
}

#[cfg(not(unix))]
fn user(_: &Path) -> Option<User> {
    None
}

/// Returns whether the server with this process id accepts connections, from the eighth line of its lock file.
fn is_ready(data: &Path, pid: u32) -> bool {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = file.lines().map(str::trim);
    lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
}

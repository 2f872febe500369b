use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use super::process::{self, Process};

/// A Redis or Valkey server of its own.
pub struct Redis {
    process: Process,
    client: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Redis {
    /// Starts a server with these further options (`"--appendonly", "yes"`); without any it keeps nothing on disk.
    ///
    /// `None`: it is not installed.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn start(options: &[&str]) -> Option<Self> {
        static SAID: Once = Once::new();
        let Some((server, client)) = programs() else {
            super::skip(&SAID, "redis-server", "redis-server", "Redis");
            return None;
        };
        Some(process::attempts(|| Self::attempt(&server, &client, options)))
    }

    fn attempt(server: &Path, client: &Path, options: &[&str]) -> Result<Self, String> {
        let directory = process::directory();
        let data = directory.join("data");
        std::fs::create_dir(&data).expect("a directory can be made");
        let port = process::free_port();
        let mut arguments: Vec<String> =
            ["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"].map(str::to_owned).into();
        arguments.push(data.display().to_string());
        for (name, value) in [("--save", ""), ("--appendonly", "no")] {
            if !options.iter().any(|option| option.eq_ignore_ascii_case(name)) {
                arguments.extend([name.to_owned(), value.to_owned()]);
            }
        }
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        let mut process = Process::new(&directory, None, server, &arguments);
        process.start(|pid| answers(port, pid))?;
        Ok(Self { process, client: client.to_owned(), data, port })
    }

    /// `redis://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
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

    /// The id of its process; another one after [`Redis::start_again`].
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What redis-cli prints for a command.
    ///
    /// # Panics
    /// If the server does not answer, or with an error.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut client = process::command(&self.client, None);
        client.args(["-e", "-h", "127.0.0.1", "-p"]).arg(self.port.to_string()).args(arguments);
        process::run(&mut client)
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it in order (SIGTERM).
    pub fn stop(&mut self) {
        self.process.stop("TERM");
    }

    /// Starts it on the same port and files, after [`Redis::kill`] or [`Redis::stop`], and waits until it answers.
    pub fn start_again(&mut self) {
        let port = self.port;
        self.process.start_again(|pid| answers(port, pid));
    }

    /// Lets it stand still, its connections open (SIGSTOP).
    pub fn pause(&mut self) {
        self.process.pause();
    }

    /// Lets it go on after [`Redis::pause`].
    pub fn resume(&mut self) {
        self.process.resume();
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("port", &self.port).finish_non_exhaustive()
    }
}

fn programs() -> Option<(PathBuf, PathBuf)> {
    let both = |engine: &str| {
        let server = process::in_path(&format!("{engine}-server"))?;
        Some((server, process::in_path(&format!("{engine}-cli"))?))
    };
    both("redis").or_else(|| both("valkey"))
}

/// Whether the server with this id answers there, and has read its files.
fn answers(port: u16, pid: u32) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let limit = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.write_all(b"PING\r\nINFO server\r\nQUIT\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer);
    // One that wants a password tells nothing of itself.
    let is_ours = answer.contains(&format!("process_id:{pid}\r\n"));
    (answer.starts_with("+PONG") && is_ours) || answer.starts_with("-NOAUTH")
}

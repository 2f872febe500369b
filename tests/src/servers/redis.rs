use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use super::process::{self, Process};

/// A Redis or Valkey server.
pub struct Redis {
    process: Process,
    client: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Redis {
    /// Starts a server with additional options, for example `"--appendonly", "yes"`. Without any, it writes nothing to
    /// the disk.
    ///
    /// Returns `None` if neither Redis nor Valkey is installed.
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
        std::fs::create_dir(&data).expect("a directory should be created");
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

    /// Returns the URL `redis://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
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

    /// Returns the id of the server process. It changes with [`Redis::start_again`].
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns the output of redis-cli for a command.
    ///
    /// # Panics
    /// If the server does not answer, or answers with an error.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut client = process::command(&self.client, None);
        client.args(["-e", "-h", "127.0.0.1", "-p"]).arg(self.port.to_string()).args(arguments);
        process::run(&mut client)
    }

    /// Kills the server (SIGKILL), as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Shuts the server down (SIGTERM).
    pub fn stop(&mut self) {
        self.process.stop("TERM");
    }

    /// Starts the server with the same port and files, after [`Redis::kill`] or [`Redis::stop`], and waits until it
    /// answers.
    pub fn start_again(&mut self) {
        let port = self.port;
        self.process.start_again(|pid| answers(port, pid));
    }

    /// Pauses the server (SIGSTOP). Its connections stay open.
    pub fn pause(&mut self) {
        self.process.pause();
    }

    /// Resumes the server after [`Redis::pause`].
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

/// Returns whether the server with this process id answers at this address and has read its files.
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
    // A server that requires a password does not report its process id.
    let is_ours = answer.contains(&format!("process_id:{pid}\r\n"));
    (answer.starts_with("+PONG") && is_ours) || answer.starts_with("-NOAUTH")
}

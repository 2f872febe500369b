use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::packages::Interpreter;
use super::process::{self, Process};

/// The time for one request.
const LIMIT: Duration = Duration::from_secs(5);

/// A private key of an [`OidcProvider`].
#[derive(Clone, Debug, Serialize)]
pub struct ProviderKey {
    pem: String,
    kid: String,
    /// The `alg` of the JWK. Without it, the key serves all algorithms of its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
}

impl ProviderKey {
    /// Creates a key for all algorithms of its type. Its JWK has no `alg`.
    pub fn new(kid: &str, pem: impl Into<String>) -> Self {
        Self { pem: pem.into(), kid: kid.to_owned(), alg: None }
    }

    #[must_use]
    pub fn with_algorithm(mut self, alg: &str) -> Self {
        self.alg = Some(alg.to_owned());
        self
    }
}

/// The OpenID provider `oidc-provider` of npm, by the script `tests/providers/provider.mjs`.
pub struct OidcProvider {
    process: Process,
    data: PathBuf,
    port: u16,
}

impl OidcProvider {
    /// Starts a provider with these keys.
    ///
    /// Returns `None` if Node.js is not installed, or its packages cannot be.
    ///
    /// # Panics
    /// If the provider does not start.
    pub fn start(keys: &[ProviderKey]) -> Option<Self> {
        let node = Interpreter::node()?;
        Some(process::attempts(|| Self::attempt(node, keys)))
    }

    fn attempt(node: &Interpreter, keys: &[ProviderKey]) -> Result<Self, String> {
        let directory = process::directory();
        let data = directory.join("data");
        fs::create_dir(&data).expect("a directory should be created");
        let port = process::free_port();
        write_keys(&data, keys);
        let script = include_str!("../../providers/provider.mjs");
        let script = node.write_script(&data, "provider.mjs", script);
        let arguments =
            [script.as_os_str(), port.to_string().as_ref(), data.join(KEYS).as_os_str()]
                .map(ToOwned::to_owned);
        let mut process = Process::new(&directory, None, node.program(), &arguments);
        process.start(|pid| answers(port, pid))?;
        Ok(Self { process, data, port })
    }

    /// Returns the issuer, `http://127.0.0.1:PORT`.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Returns the address of the provider.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Returns the data directory.
    pub fn dir(&self) -> &Path {
        &self.data
    }

    /// Returns the id of the process. It changes with [`OidcProvider::start_again`].
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Replaces the keys without a restart: the provider signs with the new ones and publishes only them.
    pub fn rotate(&self, keys: &[ProviderKey]) {
        write_keys(&self.data, keys);
        let answer = request(self.port, "POST", "/control/keys");
        assert_eq!(answer.as_deref(), Some("done"));
    }

    /// Kills the provider (SIGKILL), as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the provider with the same port and these keys, after [`OidcProvider::kill`].
    pub fn start_again(&mut self, keys: &[ProviderKey]) {
        write_keys(&self.data, keys);
        let port = self.port;
        self.process.start_again(|pid| answers(port, pid));
    }
}

impl fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcProvider").field("port", &self.port).finish_non_exhaustive()
    }
}

/// The name of the file with the keys.
const KEYS: &str = "keys.json";

fn write_keys(data: &Path, keys: &[ProviderKey]) {
    let keys = serde_json::to_string(keys).expect("strings should serialize");
    fs::write(data.join(KEYS), keys).expect("the keys should be written");
}

/// Returns whether the provider with this process id answers at this port.
fn answers(port: u16, pid: u32) -> bool {
    request(port, "GET", "/control/pid") == Some(pid.to_string())
}

/// Returns the body of a response with status 200.
fn request(port: u16, method: &str, path: &str) -> Option<String> {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        // With HTTP/1.0, the response is not chunked and ends with the connection.
        write!(stream, "{method} {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n")?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        Ok(response)
    };
    let response = exchange().ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    head.split(' ').nth(1).filter(|status| *status == "200").map(|_| body.to_owned())
}

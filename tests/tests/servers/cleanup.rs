use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use tower_jwt_auth_tests::servers::{self, OidcProvider, ProviderKey, Redis};
use tower_jwt_auth_tests::util::becomes_true;

use crate::chromium::browser;
use crate::{TIMEOUT, sh};

/// The environment variable of the process that is going to be killed.
const ROLE: &str = "TOWER_JWT_AUTH_TESTS_HOLDS_SERVERS";

#[test]
fn no_server_outlives_a_test_process_that_is_killed() {
    if std::env::var_os(ROLE).is_some() {
        hold();
    }
    let mut holder = Holder::start();
    let servers = holder.servers();
    for (address, data) in &servers {
        assert!(TcpStream::connect(address).is_ok() && data.exists(), "{address} {data:?}");
    }
    // Test runners also kill the whole process group.
    assert!(sh(&format!("kill -KILL -{}", holder.0.id())));
    holder.0.wait().unwrap();
    for (address, data) in servers {
        assert!(becomes_true(|| TcpStream::connect(address).is_err()), "{address} is alive");
        let directory = data.parent().unwrap();
        assert!(becomes_true(|| !directory.exists()), "{directory:?} is left behind");
    }
}

/// Starts a server of each kind, shared ones and a paused one, prints their addresses, and waits to be killed.
fn hold() -> ! {
    let mut still = Redis::start(&[]);
    if let Some(still) = &mut still {
        still.pause();
    }
    let redis = [still.as_ref(), servers::redis()];
    let redis = redis.into_iter().flatten().map(|redis| (redis.address(), redis.dir()));
    let postgres = servers::postgres().into_iter();
    let postgres = postgres.map(|postgres| (postgres.address(), postgres.dir()));
    let key = ProviderKey::new("one", include_str!("../../keys/ed25519.pem"));
    let provider = OidcProvider::start(&[key]);
    let providers = provider.iter().map(|provider| (provider.address(), provider.dir()));
    let chromium = servers::chromium().into_iter();
    let browsers = chromium.map(|chromium| (browser(chromium).1, chromium.dir()));
    let mut output = io::stdout();
    for (address, data) in redis.chain(postgres).chain(providers).chain(browsers) {
        writeln!(output, "SERVER {address} {}", data.display()).unwrap();
    }
    writeln!(output, "SERVERS END").unwrap();
    thread::sleep(4 * TIMEOUT);
    panic!("nobody killed this process");
}

/// A copy of this test's process with servers.
struct Holder(Child);

impl Holder {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let name = "cleanup::no_server_outlives_a_test_process_that_is_killed";
        command.args(["--exact", name, "--nocapture"]).env(ROLE, "yes").process_group(0);
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Returns the addresses and directories of its servers.
    fn servers(&mut self) -> Vec<(SocketAddr, PathBuf)> {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let (sender, received) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|it| sender.send(it)));
        let mut lines: Vec<String> = Vec::new();
        while lines.last().is_none_or(|line| !line.contains("SERVERS END")) {
            let line = received.recv_timeout(2 * TIMEOUT);
            lines.push(line.expect("all servers should start"));
        }
        let servers = lines.iter().filter_map(|line| line.split_once("SERVER ")?.1.split_once(' '));
        servers.map(|(address, data)| (address.parse().unwrap(), data.into())).collect()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

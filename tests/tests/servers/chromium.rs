use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;

use serde_json::{Value, json};
use tower_jwt_auth_tests::servers::Chromium;

use crate::{TIMEOUT, is_alive, sh};

/// A running browser: its process, and the address of its debugger.
pub(crate) fn browser(chromium: &Chromium) -> (u32, SocketAddr) {
    let options = json!({
        "binary": chromium.browser(),
        "args": chromium.arguments(&chromium.new_profile()),
    });
    let options = json!({ "goog:chromeOptions": options });
    let body = json!({ "capabilities": { "alwaysMatch": options } });
    let answer: Value = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(2 * TIMEOUT).build().unwrap();
        let request = client.post(format!("{}/session", chromium.url())).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    });
    let of = &answer["value"]["capabilities"];
    let debugger = of["goog:chromeOptions"]["debuggerAddress"].as_str();
    let debugger = debugger.unwrap_or_else(|| panic!("no browser: {answer}"));
    let port: u16 = debugger.rsplit_once(':').unwrap().1.parse().unwrap();
    let pid = of["goog:processID"].as_u64().unwrap();
    (u32::try_from(pid).unwrap(), (Ipv4Addr::LOCALHOST, port).into())
}

/// Returns the processes whose command contains all of these words, on systems with `/proc`.
fn processes(words: &[&str]) -> Vec<String> {
    let is_one = |process: &PathBuf| {
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command);
        words.iter().all(|word| command.contains(word))
    };
    let all = fs::read_dir("/proc").into_iter().flatten().map(|process| process.unwrap().path());
    all.filter(is_one).map(|one| one.file_name().unwrap().display().to_string()).collect()
}

#[test]
fn dropping_a_driver_ends_its_browsers_and_removes_their_profiles() {
    let Some(chromium) = Chromium::start() else { return };
    let [one, other] = [browser(&chromium), browser(&chromium)];
    assert_ne!(one, other);
    for (pid, debugger) in [one, other] {
        assert!(is_alive(pid) && TcpStream::connect(debugger).is_ok(), "{pid} {debugger}");
    }
    let (driver, directory) = (chromium.pid(), chromium.dir().parent().unwrap().to_owned());
    // A paused process does not notice that the browser that forked it has ended.
    let name = directory.display().to_string();
    for process in processes(&[&name, "--type="]) {
        // The process may have just ended.
        sh(&format!("kill -STOP {process}"));
    }
    drop(chromium);
    assert_eq!(processes(&[&name]), [""; 0]);
    let left: Vec<_> = [driver, one.0, other.0].into_iter().filter(|pid| is_alive(*pid)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!directory.exists(), "{directory:?} is left behind");
}

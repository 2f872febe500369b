use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

use tower_jwt_auth_tests::servers::{self, Redis};
use tower_jwt_auth_tests::util::becomes_true;

use crate::{assert_silent, connect, exchange, expect};

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[test]
fn it_answers_and_persists_nothing_by_default() {
    let Some(redis) = servers::redis() else { return };
    assert_eq!(redis.cli(&["ping"]), "PONG");
    assert_eq!(redis.url(), format!("redis://127.0.0.1:{}/", redis.port()));
    assert_eq!(redis.cli(&["config", "get", "appendonly"]), "appendonly\nno");
    assert_eq!(redis.cli(&["config", "get", "save"]), "save");
}

#[test]
fn a_command_that_fails_ends_the_test() {
    let Some(redis) = servers::redis() else { return };
    let failed = std::panic::catch_unwind(|| redis.cli(&["nonsense"])).unwrap_err();
    let message = failed.downcast::<String>().unwrap();
    assert!(message.contains("unknown command"), "{message}");
}

#[test]
fn writes_survive_a_crash() {
    let Some(mut redis) = Redis::start(&DURABLE) else { return };
    redis.cli(&["set", "note", "a"]);
    let before = redis.pid();
    redis.kill();
    assert!(TcpStream::connect(redis.address()).is_err());
    assert!(redis.dir().join("appendonlydir").is_dir());
    redis.start_again();
    assert_ne!(redis.pid(), before);
    assert_eq!(redis.cli(&["get", "note"]), "a");
    redis.stop();
    assert!(TcpStream::connect(redis.address()).is_err());
    redis.start_again();
    assert_eq!(redis.cli(&["get", "note"]), "a");
}

#[test]
fn it_does_not_answer_while_paused_and_answers_afterwards() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let mut client = connect(redis.address());
    exchange(&mut client, b"PING\r\n", b"+PONG\r\n");
    redis.pause();
    client.write_all(b"PING\r\n").unwrap();
    assert_silent(&mut client);
    redis.resume();
    expect(&mut client, b"+PONG\r\n");
}

#[test]
fn it_starts_again_as_soon_as_its_port_is_free() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    redis.kill();
    let other = TcpListener::bind(redis.address()).unwrap();
    let log = redis.dir().with_file_name("log");
    let waits = thread::spawn(move || {
        redis.start_again();
        redis.cli(&["ping"])
    });
    let says = || std::fs::read_to_string(&log).unwrap_or_default();
    assert!(becomes_true(|| says().contains("already in use")), "{}", says());
    assert!(!waits.is_finished());
    drop(other);
    assert_eq!(waits.join().unwrap(), "PONG");
}

#[test]
fn a_server_that_does_not_start_reports_why() {
    let options = ["--maxmemory-policy", "nonsense"];
    let Some(started) = std::panic::catch_unwind(|| Redis::start(&options)).transpose() else {
        return;
    };
    let message = started.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("maxmemory-policy"), "{message}");
}

#[test]
fn it_can_be_killed_while_paused() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    redis.pause();
    redis.stop();
    redis.start_again();
    redis.pause();
    let (address, data) = (redis.address(), redis.dir().to_owned());
    drop(redis);
    assert!(TcpStream::connect(address).is_err());
    assert!(!data.parent().unwrap().exists());
}

#[test]
fn a_cluster_node_a_replica_and_a_server_with_a_password_can_start() {
    let Some(cluster) = Redis::start(&["--cluster-enabled", "yes"]) else { return };
    cluster.cli(&["cluster", "addslotsrange", "0", "16383"]);
    let state = || cluster.cli(&["cluster", "info"]);
    assert!(becomes_true(|| state().contains("cluster_state:ok")), "{}", state());

    let primary = Redis::start(&["--requirepass", "sesame"]).unwrap();
    let port = primary.port().to_string();
    let replica = ["--replicaof", "127.0.0.1", &port, "--masterauth", "sesame"];
    let replica = Redis::start(&replica).unwrap();
    primary.cli(&["-a", "sesame", "set", "note", "a"]);
    assert!(becomes_true(|| replica.cli(&["get", "note"]) == "a"));
}

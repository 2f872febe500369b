use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use tower_jwt_auth_tests::servers::{self, Postgres};

use crate::{assert_silent, connect, expect, is_alive};

#[test]
fn every_test_has_an_empty_database_of_its_own() {
    let Some(postgres) = servers::postgres() else { return };
    let [one, other] = [postgres.new_database(), postgres.new_database()];
    assert_ne!(one, other);
    postgres.psql(&one, "CREATE TABLE notes (note text)");
    assert_eq!(postgres.psql(&other, "SELECT to_regclass('notes') IS NULL"), "t");
    let maintenance = format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port());
    assert_eq!(postgres.url(), maintenance);
}

#[test]
fn settings_apply_and_writes_are_durable_by_default() {
    let Some(postgres) = Postgres::start_with(&[("cluster_name", "it's")]) else { return };
    let show = |setting| postgres.psql(&postgres.url(), &format!("SHOW {setting}"));
    assert_eq!(show("cluster_name"), "it's");
    assert_eq!(show("fsync"), "on");
    assert_eq!(show("max_connections"), "200");
}

#[test]
fn writes_survive_a_crash() {
    let Some(mut postgres) = Postgres::start() else { return };
    let database = postgres.new_database();
    postgres.psql(&database, "CREATE TABLE notes (note text); INSERT INTO notes VALUES ('a')");
    let before = postgres.pid();
    postgres.kill();
    assert!(TcpStream::connect(postgres.address()).is_err());
    postgres.start_again();
    assert_ne!(postgres.pid(), before);
    assert_eq!(postgres.psql(&database, "SELECT note FROM notes"), "a");
    postgres.stop();
    assert!(TcpStream::connect(postgres.address()).is_err());
    postgres.start_again();
    assert_eq!(postgres.psql(&database, "SELECT note FROM notes"), "a");
}

#[test]
fn a_crash_ends_all_its_processes() {
    let Some(mut postgres) = Postgres::start() else { return };
    let mut client = start_up(postgres.address());
    expect(&mut client, b"R");
    let processes = postgres.psql(&postgres.url(), "SELECT pid FROM pg_stat_activity");
    let processes: Vec<_> = processes.lines().map(|pid| pid.parse().unwrap()).collect();
    assert!(processes.len() > 2, "{processes:?}");
    // A running child process would end by itself when it notices the end of the first one.
    postgres.pause();
    postgres.kill();
    let left: Vec<_> = processes.into_iter().filter(|pid| is_alive(*pid)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn it_does_not_answer_while_paused_and_answers_afterwards() {
    let Some(mut postgres) = Postgres::start() else { return };
    let mut before = start_up(postgres.address());
    let mut answer = [0; 4096];
    let ready = |answer: &[u8]| answer.ends_with(b"Z\0\0\0\x05I");
    let mut read = 0;
    while !ready(&answer[..read]) {
        match before.read(&mut answer[read..]).unwrap() {
            0 => panic!("the connection has been closed"),
            more => read += more,
        }
    }
    postgres.pause();
    let query = b"Q\0\0\0\x0dSELECT 1\0";
    before.write_all(query).unwrap();
    assert_silent(&mut before);
    let mut new = start_up(postgres.address());
    assert_silent(&mut new);
    postgres.resume();
    expect(&mut before, b"T");
    expect(&mut new, b"R");
}

#[test]
fn it_can_be_killed_while_paused() {
    let Some(mut postgres) = Postgres::start() else { return };
    postgres.pause();
    postgres.stop();
    postgres.start_again();
    postgres.pause();
    let (address, data) = (postgres.address(), postgres.dir().to_owned());
    drop(postgres);
    assert!(TcpStream::connect(address).is_err());
    assert!(!data.parent().unwrap().exists());
}

/// Opens a connection that has requested the maintenance database.
fn start_up(address: SocketAddr) -> TcpStream {
    let parameters = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    let mut stream = connect(address);
    let length = u32::try_from(parameters.len() + 4).unwrap();
    stream.write_all(&length.to_be_bytes()).unwrap();
    stream.write_all(parameters).unwrap();
    stream
}

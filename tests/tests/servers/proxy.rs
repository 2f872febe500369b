use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tower_jwt_auth_tests::servers::Proxy;
use tower_jwt_auth_tests::util::becomes_true;

use crate::{SILENCE, TIMEOUT, assert_silent, connect, exchange, expect};

/// Answers every byte with two bytes, the second one a little later.
fn doubling() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() {
                    stream.write_all(&byte).unwrap();
                    thread::sleep(Duration::from_millis(20));
                    stream.write_all(&byte).unwrap();
                }
            });
        }
    });
    address
}

#[test]
fn it_counts_answered_requests_not_packets() {
    let proxy = Proxy::start(doubling());
    let mut one = connect(proxy.address());
    let mut other = connect(proxy.address());
    exchange(&mut one, b"a", b"aa");
    exchange(&mut one, b"b", b"bb");
    exchange(&mut other, b"c", b"cc");
    assert_eq!(proxy.round_trips(), 3);
    assert_eq!(proxy.connections(), 2);
    drop(one);
    assert!(becomes_true(|| proxy.connections() == 1), "{}", proxy.connections());
}

#[test]
fn while_cut_it_closes_connections_and_refuses_new_ones() {
    let proxy = Proxy::start(doubling());
    let mut client = connect(proxy.address());
    exchange(&mut client, b"a", b"aa");
    proxy.cut();
    assert_eq!(proxy.connections(), 0);
    assert!(!matches!(client.read(&mut [0]), Ok(1..)), "the connection is open");
    let error = TcpStream::connect(proxy.address()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    proxy.mend();
    exchange(&mut connect(proxy.address()), b"b", b"bb");
}

#[test]
fn while_frozen_it_accepts_connections_and_forwards_nothing() {
    let proxy = Proxy::start(doubling());
    let mut old = connect(proxy.address());
    exchange(&mut old, b"a", b"aa");
    proxy.freeze();
    let mut new = connect(proxy.address());
    old.write_all(b"b").unwrap();
    new.write_all(b"c").unwrap();
    assert_silent(&mut old);
    assert_silent(&mut new);
    assert_eq!((proxy.round_trips(), proxy.connections()), (1, 2));
    proxy.mend();
    expect(&mut old, b"bb");
    expect(&mut new, b"cc");
    assert_eq!(proxy.round_trips(), 3);
}

#[test]
fn large_answers_arrive_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap());
    let large = vec![b'x'; 8 << 20];
    let sent = large.clone();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream.write_all(&sent).unwrap();
    });
    let mut client = connect(proxy.address());
    client.write_all(b"a").unwrap();
    // Send until all buffers on the way are full and writes are partial.
    thread::sleep(SILENCE);
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    server.join().unwrap();
    assert!(received == large, "{} bytes arrived", received.len());
    assert_eq!(proxy.round_trips(), 1);
}

#[tokio::test]
async fn it_may_be_used_on_a_runtime_of_one_thread() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    let proxy = Proxy::start(doubling());
    let mut client = tokio::net::TcpStream::connect(proxy.address()).await.unwrap();
    client.write_all(b"a").await.unwrap();
    timeout(TIMEOUT, client.read_exact(&mut [0; 2])).await.unwrap().unwrap();
    proxy.cut();
    proxy.mend();
    let rest = timeout(TIMEOUT, client.read(&mut [0])).await.expect("it is closed");
    assert!(!matches!(rest, Ok(1..)));
    assert_eq!(proxy.round_trips(), 1);
}

#[test]
fn dropping_it_closes_its_connections() {
    let proxy = Proxy::start(doubling());
    let address = proxy.address();
    let mut client = connect(address);
    exchange(&mut client, b"a", b"aa");
    drop(proxy);
    assert!(!matches!(client.read(&mut [0]), Ok(1..)));
    assert!(TcpStream::connect(address).is_err());
}

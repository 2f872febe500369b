//! The default client verifies certificates, in real time.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, Stream};
use tokio::time::timeout;

use super::*;
use crate::keys::FetchErrorKind;
use crate::keys::remote::client::{self, Client};
use crate::keys::remote::error::FetchError;
use crate::keys::remote::request::Requester;

// An authority of the tests and the certificate of localhost that it has issued, valid from 2020 to 2120.
const AUTHORITY: &str = "\
    MIIBSTCB76ADAgECAhQ4FieOVImjO7GAULABYbR8SeiGwDAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA50ZXN0IGF1\
    dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowGTEXMBUGA1UEAwwOdGVzdCBhdXRob3Jp\
    dHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASymdLcWY4MNzZoS9LWAi7bacut0SEt1/h+2ZQWQr8TH6+qOwre\
    OQfuaW25TFNEGwn7XpURQ6oj6mZ7ZJO/3UPFoxMwETAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYC\
    IQD/ESozMYoI1wysSLM9oVCo49Y0YUGdCpwTrIQl5wvFxAIhAKLZlXpzgqK3EiQ0gUYhTXLJJVtE0PuJwuVv2moI\
    bjWc";
const CERTIFICATE: &str = "\
    MIIBbTCCARKgAwIBAgIUckZ9zWDUsC9faUEJKRjFHtOdl+IwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAwwOdGVzdCBh\
    dXRob3JpdHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZ\
    MBMGByqGSM49AgEGCCqGSM49AwEHA0IABMToDRJqneoTfGxNZRO7XwdOwviUHGll+iA0vP1BxoICV6pUsWT2qxg0\
    mkkvMLC6vdZn/54c+jYf7VteEPekbVajOzA5MAwGA1UdEwEB/wQCMAAwFAYDVR0RBA0wC4IJbG9jYWxob3N0MBMG\
    A1UdJQQMMAoGCCsGAQUFBwMBMAoGCCqGSM49BAMCA0kAMEYCIQDl/EB5aQvm7Nifs88cDcDZzeSnNQqMIPoyB8I+\
    7R/vZwIhAMJS6G5yqiSnf+kNOpEVqGadTry5lexJNCMUHI25cg9n";
const KEY: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8ZrlrP8FX07oZX+8v/pmF5mwURX1iDY8XDYbMlE2\
    wEyhRANCAATE6A0Sap3qE3xsTWUTu18HTsL4lBxpZfogNLz9QcaCAleqVLFk9qsYNJpJLzCwur3WZ/+eHPo2H+1b\
    XhD3pG1W";

fn der(base64: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(base64).unwrap()
}

/// Serves a JWK set over TLS to connections until the test ends. Returns the port.
fn serve(set: String) -> u16 {
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(der(CERTIFICATE))],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der(KEY))),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut session, &mut connection);
            // Fails when the client does not trust the certificate.
            if stream.read(&mut [0; 4096]).is_ok() {
                let length = set.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all(format!("{head}{set}").as_bytes());
            }
        }
    });
    port
}

/// The client of the default settings, which trusts this authority alone.
fn trusting(authority: &str) -> Arc<dyn Client> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(der(authority))).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client::connect_with(config, SECOND)
}

async fn get(client: Arc<dyn Client>, url: String) -> Result<Bytes, FetchError> {
    let requester = Requester { client, timeout: 10 * SECOND, max_body_size: 1024 };
    let now = std::time::SystemTime::now();
    Ok(requester.get(&url.parse().unwrap(), now).await?.body)
}

#[tokio::test]
async fn a_trusted_certificate_is_accepted_for_its_host_alone() {
    let set = set_of("key");
    let port = serve(set.clone());
    let body = get(trusting(AUTHORITY), format!("https://localhost:{port}/jwks")).await;
    assert_eq!(body.unwrap(), set);
    let error = get(trusting(AUTHORITY), format!("https://127.0.0.1:{port}/jwks")).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), FetchErrorKind::Connection);
    assert!(format!("{error:?}").contains("NotValidForName"), "{error:?}");
}

#[tokio::test]
async fn the_default_client_refuses_an_unknown_authority() {
    let port = serve(set_of("key"));
    let client = client::https(SECOND).expect("root certificates of the operating system");
    let error = get(client, format!("https://localhost:{port}/jwks")).await.unwrap_err();
    assert_eq!(error.kind(), FetchErrorKind::Connection);
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");

    let keys =
        RemoteKeySet::from_jwks_url(&format!("https://localhost:{port}/jwks")).build().unwrap();
    assert!(timeout(SECOND, keys.ready()).await.is_err());
    assert_eq!(keys.status().last_error(), Some(FetchErrorKind::Connection));
}

use reqwest::{Method, StatusCode};

use crate::client::{Browser, login_request, send};
use crate::server::Server;

#[cfg(unix)]
#[tokio::test]
async fn no_password_and_no_token_is_ever_logged() {
    let mut server = Server::start(&[("RUST_LOG", "trace")]);
    let mut secrets = vec!["wonderland".to_owned(), "looking-glass".to_owned()];
    {
        send(login_request(&server, "alice", "looking-glass")).await;
        // The password in the field of the user name.
        send(login_request(&server, "wonderland", "")).await;
        let mut alice = Browser::sign_in(&server, "alice").await;
        secrets.extend([alice.access.clone(), alice.cookie.clone()]);
        alice.call(Method::GET, "/api/me").await;
        let refreshed = alice.post("/auth/refresh").await;
        alice.keep(&refreshed);
        secrets.extend([alice.access.clone(), alice.cookie.clone()]);
        alice.call(Method::GET, "/api/admin").await;
        assert_eq!(alice.post("/auth/logout").await.status, StatusCode::NO_CONTENT);
        alice.call(Method::GET, "/api/me").await;
        alice.post("/auth/refresh").await;
    }
    server.stop();
    let log = server.log();
    assert!(log.contains("signed in") && log.contains("refused a sign-in"), "{log}");
    for secret in secrets {
        // Without its signature a token is useless, so the end of it suffices.
        let tail = &secret[secret.len().saturating_sub(20)..];
        assert!(!log.contains(&secret) && !log.contains(tail), "a secret is in the log");
    }
}

use reqwest::{Method, StatusCode};

use crate::client::{get, request, send};
use crate::server::Server;

#[tokio::test]
async fn the_page_and_its_files_are_served_with_their_types() {
    let server = Server::start(&[]);
    let files = [
        ("/", "text/html; charset=utf-8", include_str!("../../assets/index.html")),
        ("/app.js", "text/javascript; charset=utf-8", include_str!("../../assets/app.js")),
        ("/style.css", "text/css; charset=utf-8", include_str!("../../assets/style.css")),
    ];
    for (path, content_type, text) in files {
        let response = get(&server, path).await;
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.header("content-type"), content_type);
        assert_eq!(response.header("cache-control"), "no-cache");
        assert_eq!(response.text, text);
    }
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let server = Server::start(&[]);
    for path in ["/", "/app.js", "/nothing", "/api/me", "/auth/refresh", "/readyz"] {
        let response = get(&server, path).await;
        assert_eq!(
            response.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert_eq!(response.header("x-content-type-options"), "nosniff");
        assert_eq!(response.header("referrer-policy"), "same-origin");
        assert_eq!(response.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(response.header("cross-origin-resource-policy"), "same-origin");
        // RFC 6797 §7.2: not over http.
        assert!(!response.headers.contains_key("strict-transport-security"), "{path}");
    }
}

#[tokio::test]
async fn a_server_with_hsts_max_age_has_strict_transport_security_in_every_response() {
    for max_age in ["31536000", "0"] {
        let server = Server::start(&[("HSTS_MAX_AGE", max_age)]);
        for path in ["/", "/app.js", "/nothing", "/api/me", "/auth/refresh", "/readyz"] {
            let response = get(&server, path).await;
            let expected = format!("max-age={max_age}");
            assert_eq!(response.header("strict-transport-security"), expected, "{path}");
            assert_eq!(response.header("x-content-type-options"), "nosniff");
        }
    }
}

#[tokio::test]
async fn a_server_that_has_read_the_revocation_log_is_ready() {
    let server = Server::start(&[]);
    // The first heartbeat is written at the start and read back a moment later.
    for _ in 0..100 {
        let response = get(&server, "/readyz").await;
        if response.status == StatusCode::OK {
            assert_eq!(response.text, r#"{"ready":true}"#);
            return;
        }
        response.assert_error(503, "temporarily_unavailable");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the server does not become ready");
}

#[tokio::test]
async fn the_public_key_is_published() {
    let server = Server::start(&[]);
    let response = get(&server, "/.well-known/jwks.json").await;
    assert_eq!(response.status, StatusCode::OK);
    let key = &response.json()["keys"][0];
    assert_eq!((&key["kty"], &key["alg"]), (&"OKP".into(), &"EdDSA".into()));
    assert!(key["x"].is_string() && key["kid"].is_string() && key["d"].is_null());
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let server = Server::start(&[]);
    for path in ["/nothing", "/api", "/auth/", "/app.js/x"] {
        get(&server, path).await.assert_error(404, "not_found");
    }
    let response = send(request(&server, Method::GET, "/auth/login")).await;
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.header("cache-control"), "no-store");
}

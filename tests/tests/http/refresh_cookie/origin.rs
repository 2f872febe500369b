//! Cross-site requests to the endpoints.

use http::StatusCode;
use tower_jwt_auth::{LogoutService, OriginPolicy};
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::{request, send_to};

#[tokio::test]
async fn cross_site_requests_are_refused_before_the_cookie_is_read() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    harness.sessions.revocations().ready().await;
    let cookie = format!("{}={}", harness.cookie.name(), tokens.refresh().as_str());
    let foreign: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("origin", "https://evil.example"), ("host", "api.example")],
        &[("origin", "null"), ("host", "api.example")],
        &[("origin", "https://api.example.evil.example"), ("host", "api.example")],
        // Anyone on the network can serve a page at this origin.
        &[("origin", "http://api.example"), ("host", "api.example")],
    ];
    let calls = harness.store.session_calls();
    for headers in foreign {
        let post = || {
            let mut headers = headers.to_vec();
            headers.push(("cookie", &cookie));
            request("POST", &headers)
        };
        let (sessions, cookie) = (&harness.sessions, || harness.cookie.clone());
        for response in [
            send_to(harness.refresh_service(), post()).await,
            send_to(LogoutService::this_session(sessions, cookie()), post()).await,
            send_to(LogoutService::everywhere(sessions, cookie()), post()).await,
            send_to(LogoutService::others(sessions, cookie()), post()).await,
        ] {
            response.assert_refused(StatusCode::FORBIDDEN, "cross_site_request");
            assert_eq!(response.header("cache-control"), Some("no-store"));
            assert_eq!(response.set_cookie(), None);
        }
    }
    assert_eq!(harness.store.session_calls(), calls, "the store was not called");
    assert_eq!(harness.call(tokens.access().as_str()).await.status, StatusCode::OK);
    let row = &harness.sessions.list("alice", None).await.unwrap().sessions[0];
    assert_eq!(row.generation(), 0, "the session did not change");
}

#[tokio::test]
async fn requests_from_the_same_and_from_listed_origins_are_accepted() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let cookie = format!("{}={}", harness.cookie.name(), tokens.refresh().as_str());
    let origins = OriginPolicy::same_origin()
        .with_trusted_origin("https://app.example")
        .and_then(|origins| origins.with_trusted_origin("capacitor://localhost"))
        .unwrap();
    let service = harness.refresh_service().with_origins(origins);
    let own: [&[(&str, &str)]; 8] = [
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://api.example"), ("host", "api.example")],
        &[("origin", "https://api.example"), ("host", "api.example:443")],
        &[("origin", "http://localhost:3000"), ("host", "localhost:3000")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://app.example")],
        &[("sec-fetch-site", "cross-site"), ("origin", "capacitor://localhost")],
    ];
    for headers in own {
        let mut headers = headers.to_vec();
        headers.push(("cookie", &cookie));
        let response = send_to(service.clone(), request("POST", &headers)).await;
        assert_eq!(response.status, StatusCode::OK, "{headers:?}");
    }
}

// A proxy in front of the service rewrites `Host`.
#[tokio::test]
async fn a_public_origin_is_compared_instead_of_the_host() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let cookie = format!("{}={}", harness.cookie.name(), tokens.refresh().as_str());
    let origins = OriginPolicy::same_origin().with_public_origin("https://shop.example").unwrap();
    let service = harness.refresh_service().with_origins(origins);
    for (origin, status) in [
        ("https://shop.example", StatusCode::OK),
        ("http://10.0.0.7:8080", StatusCode::FORBIDDEN),
        ("https://10.0.0.7:8080", StatusCode::FORBIDDEN),
    ] {
        let headers = [("origin", origin), ("host", "10.0.0.7:8080"), ("cookie", &cookie)];
        let response = send_to(service.clone(), request("POST", &headers)).await;
        assert_eq!(response.status, status, "{origin}");
    }
}

//! The example `resource_server`, on a real provider.

#[allow(dead_code, reason = "its `main` serves on a port")]
#[path = "../../../crates/tower-jwt-auth/examples/resource_server.rs"]
mod example;

use http::StatusCode;
use reqwest::{Client, Response};
use tokio::net::TcpListener;
use tower_jwt_auth_tests::log_capture;
use tower_jwt_auth_tests::servers::OidcProvider;
use tower_jwt_auth_tests::util::until;

use crate::client::{client_token, resource, sign_in};
use crate::test_keys::provider;

/// Runs the example with these settings, and returns its URL.
async fn run(settings: &[(&'static str, String)]) -> String {
    log_capture::install();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = settings.to_vec();
    tokio::spawn(async move {
        let setting = |name: &str| {
            let (_, value) = settings.iter().find(|(other, _)| *other == name)?;
            Some(value.clone())
        };
        example::serve(listener, setting).await
    });
    url
}

async fn get(url: &str, token: &str) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    client.get(url).bearer_auth(token).send().await.unwrap()
}

async fn serves_the_users_of(provider: &OidcProvider, settings: &[(&'static str, String)]) {
    let audience = resource("EdDSA");
    let server = run(settings).await;
    let (orders, reports) = (format!("{server}/orders"), format!("{server}/reports"));
    let tokens = sign_in(provider, "alice", &audience).await;
    // The service accepts connections before it has keys.
    until("the service has keys", async || {
        get(&orders, &tokens.access_token).await.status() != StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let response = get(&orders, &tokens.access_token).await;
    assert_eq!(response.text().await.unwrap(), "the orders of alice");
    let response = get(&orders, &client_token(provider, &audience).await).await;
    assert_eq!(response.text().await.unwrap(), "the orders of service");
    assert_eq!(get(&reports, &tokens.access_token).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(get(&orders, &tokens.id_token).await.status(), StatusCode::UNAUTHORIZED);
    let other = client_token(provider, &resource("ES256")).await;
    assert_eq!(get(&orders, &other).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_example_discovers_the_keys_of_its_issuer() {
    let Some(provider) = provider() else { return };
    let settings = [("ISSUER", provider.issuer()), ("AUDIENCE", resource("EdDSA"))];
    serves_the_users_of(provider, &settings).await;
}

#[tokio::test]
async fn the_example_takes_the_url_of_the_keys() {
    let Some(provider) = provider() else { return };
    let with_keys_at = |path: &str| {
        let url = format!("{}{path}", provider.issuer());
        [("ISSUER", provider.issuer()), ("AUDIENCE", resource("EdDSA")), ("JWKS_URL", url)]
    };
    serves_the_users_of(provider, &with_keys_at("/jwks")).await;

    // It does not fall back to the metadata.
    let server = run(&with_keys_at("/elsewhere")).await;
    let token = client_token(provider, &resource("EdDSA")).await;
    let response = get(&format!("{server}/orders"), &token).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

//! The tokio runtime of the endpoints.

use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::{ConfigError, RefreshSecrets, Sessions};
use tower_jwt_auth_tests::Harness;

use crate::config_errors::issuer;

#[test]
fn sessions_outside_of_a_runtime_are_an_error() {
    let secrets = RefreshSecrets::generate().unwrap();
    let store = tower_jwt_auth::MemoryStore::new();
    let error = Sessions::builder(issuer(), secrets, store).build().unwrap_err();
    assert_eq!(error, ConfigError::NoRuntime);
}

// The runtime in which the sessions were created may have ended. The runtime of the server still runs.
#[test]
fn requests_run_on_the_runtime_of_the_server() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let (harness, token) = first.block_on(async {
        let harness = Harness::new();
        let token = harness.sign_in().await.refresh().as_str().to_owned();
        (harness, token)
    });
    let response = second.block_on(async {
        tokio::time::timeout(Duration::from_secs(10), harness.refresh(&token)).await
    });
    assert_eq!(response.expect("the request should be answered").status, StatusCode::OK);
    drop(first);
    let response = second.block_on(async { harness.logout(&token).await });
    assert_eq!(response.status, StatusCode::NO_CONTENT);
}

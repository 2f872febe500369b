use http::StatusCode;

use tower_jwt_auth::{RefreshSecrets, SignIn, SigningKey};
use tower_jwt_auth_tests::harness::REFRESH_SECRET;

use super::Nodes;

const NEW_SECRET: [u8; 32] = *b"the next secret of refresh token";

fn secrets(current: &[u8]) -> RefreshSecrets {
    RefreshSecrets::new(current).unwrap()
}

#[tokio::test]
async fn a_rolling_change_of_the_refresh_secret_rejects_nothing() {
    let nodes = Nodes::new(&SigningKey::generate().unwrap());
    let tokens = nodes.nodes[0].sessions.start(SignIn::new("alice")).await.unwrap();
    let mut token = tokens.refresh().as_str().to_owned();
    let accept = secrets(&REFRESH_SECRET).with_next(&NEW_SECRET).unwrap();
    let sign = secrets(&NEW_SECRET).with_previous(&REFRESH_SECRET).unwrap();
    for step in [accept, sign] {
        for node in &nodes.nodes {
            node.sessions.refresh_secrets().replace(step.clone());
            nodes.assert_nothing_is_rejected().await;
            for node in &nodes.nodes {
                let response = node.refresh(&token).await;
                assert_eq!(response.status, StatusCode::OK);
                token = response.cookie_value().unwrap().to_owned();
            }
        }
    }
    // Nobody has refreshed this session since the first step.
    let idle = tokens.refresh().as_str();
    for node in &nodes.nodes {
        node.sessions.refresh_secrets().replace(secrets(&NEW_SECRET));
        nodes.assert_nothing_is_rejected().await;
        assert_eq!(node.refresh(&token).await.status, StatusCode::OK);
        assert_eq!(node.refresh(idle).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_secret_that_signs_before_it_is_accepted_everywhere_is_rejected_by_the_other_node() {
    let nodes = Nodes::new(&SigningKey::generate().unwrap());
    let [one, other] = &nodes.nodes;
    let step = secrets(&NEW_SECRET).with_previous(&REFRESH_SECRET).unwrap();
    one.sessions.refresh_secrets().replace(step);
    let tokens = one.sessions.start(SignIn::new("alice")).await.unwrap();
    let response = other.refresh(tokens.refresh().as_str()).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn the_next_secret_does_not_sign() {
    let nodes = Nodes::new(&SigningKey::generate().unwrap());
    let [one, other] = &nodes.nodes;
    let step = secrets(&REFRESH_SECRET).with_next(&NEW_SECRET).unwrap();
    one.sessions.refresh_secrets().replace(step);
    let tokens = one.sessions.start(SignIn::new("alice")).await.unwrap();
    assert_eq!(other.refresh(tokens.refresh().as_str()).await.status, StatusCode::OK);
}

use std::time::Duration;

use http::StatusCode;
use tower_jwt_auth::keys::KeyRing;
use tower_jwt_auth::store::Clock;
use tower_jwt_auth::{SignIn, SigningKey};

use super::Nodes;

fn keys() -> (SigningKey, SigningKey) {
    let key = |id| SigningKey::generate().unwrap().with_key_id(id);
    (key("old"), key("new"))
}

#[tokio::test]
async fn a_rolling_change_of_the_signing_key_rejects_nothing() {
    let (old, new) = keys();
    let nodes = Nodes::new(&old);
    nodes.assert_nothing_is_rejected().await;
    for node in &nodes.nodes {
        assert_eq!(node.published().await, ["old"]);
    }
    let publish = KeyRing::new(old.clone()).with_next(new.verifying_key().clone()).unwrap();
    for node in &nodes.nodes {
        node.sessions.issuer().key_ring().replace(publish.clone());
        assert_eq!(node.published().await, ["old", "new"]);
        nodes.assert_nothing_is_rejected().await;
    }
    let retired_at = nodes.clock.now() + Duration::from_secs(10);
    let sign = KeyRing::new(new.clone());
    let sign = sign.with_previous(old.verifying_key().clone(), retired_at).unwrap();
    let mut last = None;
    for node in &nodes.nodes {
        let tokens = nodes.nodes[1].sessions.start(SignIn::new("alice")).await.unwrap();
        node.sessions.issuer().key_ring().replace(sign.clone());
        assert_eq!(node.published().await, ["new", "old"]);
        nodes.assert_nothing_is_rejected().await;
        last = Some(tokens.access().as_str().to_owned());
        nodes.clock.advance(Duration::from_secs(10));
    }
    // The last token of the old key is accepted until it has expired.
    let last = last.unwrap();
    nodes.clock.advance(Duration::from_secs(285));
    for node in &nodes.nodes {
        assert_eq!(node.call(&last).await, StatusCode::OK);
        assert_eq!(node.published().await, ["new", "old"]);
    }
    nodes.clock.advance(Duration::from_secs(30));
    let forged = Nodes::new(&old);
    forged.clock.advance(nodes.clock.now().since(forged.clock.now()));
    let forged = forged.nodes[0].sessions.start(SignIn::new("alice")).await.unwrap();
    for node in &nodes.nodes {
        assert_eq!(node.published().await, ["new"]);
        // A token that is still valid, as somebody who has found the old key could make it.
        assert_eq!(node.call(forged.access().as_str()).await, StatusCode::UNAUTHORIZED);
        node.sessions.issuer().key_ring().replace(KeyRing::new(new.clone()));
        assert_eq!(node.published().await, ["new"]);
    }
    nodes.assert_nothing_is_rejected().await;
}

#[tokio::test]
async fn a_key_that_signs_before_it_is_published_is_rejected_by_the_other_node() {
    let (old, new) = keys();
    let nodes = Nodes::new(&old);
    let [one, other] = &nodes.nodes;
    one.sessions.issuer().key_ring().replace(KeyRing::new(new));
    let tokens = one.sessions.start(SignIn::new("alice")).await.unwrap();
    assert_eq!(one.call(tokens.access().as_str()).await, StatusCode::OK);
    assert_eq!(other.call(tokens.access().as_str()).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_key_that_is_removed_is_rejected_at_once() {
    let (old, new) = keys();
    let nodes = Nodes::new(&old);
    let [node, _] = &nodes.nodes;
    let jwks = node.published().await;
    let tokens = node.sessions.start(SignIn::new("alice")).await.unwrap();
    assert_eq!(node.call(tokens.access().as_str()).await, StatusCode::OK);
    node.sessions.issuer().key_ring().replace(KeyRing::new(new));
    assert_eq!(node.call(tokens.access().as_str()).await, StatusCode::UNAUTHORIZED);
    assert_ne!(node.published().await, jwks);
}

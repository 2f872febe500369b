//! What a login takes from its request.

use http::StatusCode;
use tower_jwt_auth::{ClientInfo, RefreshCookie};
use tower_jwt_auth_tests::World;
use tower_jwt_auth_tests::world::request;

#[tokio::test]
async fn a_sign_in_with_its_request_ends_every_session_whose_cookie_came_along() {
    let world = World::new();
    let (first, second) = (world.sign_in().await, world.sign_in().await);
    let elsewhere = world.sign_in().await;
    let name = world.cookie.name();
    let [one, two] = [&first, &second].map(|tokens| tokens.refresh().as_str());
    let (split, other) = (format!("{name}=junk; {name}={one}"), elsewhere.refresh().as_str());
    let rest = format!("other={other}; {name}={two}");
    let login = request("POST", &[("cookie", &split), ("cookie", &rest)]);
    let who = World::alice().with_request(login.headers(), &world.cookie);
    let new = world.sign_in_as(who).await;
    for (tokens, status) in [
        (first, StatusCode::UNAUTHORIZED),
        (second, StatusCode::UNAUTHORIZED),
        (elsewhere, StatusCode::OK),
        (new, StatusCode::OK),
    ] {
        assert_eq!(world.call(tokens.access().as_str()).await.status, status);
    }
}

#[tokio::test]
async fn a_sign_in_with_its_request_notes_the_user_agent_and_keeps_the_address() {
    let known = ClientInfo::default().with_user_agent("unknown").with_address("192.0.2.7");
    for (headers, user_agent) in
        [(&[("user-agent", "Browser/1")][..], "Browser/1"), (&[], "unknown")]
    {
        let world = World::new();
        let login = request("POST", headers);
        let who = World::alice().with_client_info(known.clone());
        let _tokens =
            world.sign_in_as(who.with_request(login.headers(), &RefreshCookie::host())).await;
        let listed = world.sessions.list("alice", None).await.unwrap().sessions;
        assert_eq!(listed[0].client_info().user_agent(), Some(user_agent));
        assert_eq!(listed[0].client_info().address(), Some("192.0.2.7"));
    }
}

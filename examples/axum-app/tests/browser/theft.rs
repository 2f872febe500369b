use reqwest::StatusCode;
use reqwest::header::COOKIE;
use tokio::time::sleep;
use tower_jwt_auth_tests::servers;

use crate::cookie_jar::{COOKIE_NAME, generation};
use crate::guard::Guard;
use crate::server::Server;
use crate::window::Window;
use crate::{GRACE, print};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replay_of_a_stolen_cookie_is_logged_and_ends_the_session() {
    let Some(chromium) = servers::chromium() else { return };
    let mut server =
        Server::start(&[("BIND", "localhost:0"), ("GRACE", "1"), ("RUST_LOG", "info")]);
    let guard = Guard::of(&server);
    let window = Window::sign_in(chromium, server.address(), "alice", 1).await;
    let stolen = window.refresh_token().await;
    while generation(&window.refresh_token().await) < generation(&stolen) + 2 {
        assert_eq!(window.refresh(1, GRACE).await[0][0].status, 200);
        sleep(GRACE / 4).await;
    }
    let session = window.call().await.remove(0).session.unwrap();

    let thief = reqwest::Client::builder().no_proxy().build().unwrap();
    let replayed = thief.post(format!("{}/auth/refresh", server.address()));
    let replayed = replayed.header(COOKIE, format!("{COOKIE_NAME}={stolen}")).send().await.unwrap();
    assert_eq!(replayed.status(), StatusCode::UNAUTHORIZED);
    assert!(replayed.headers().get("set-cookie").is_none());

    assert_eq!(window.call().await[0].status, 401, "the access token is revoked");
    assert_eq!(window.refresh(1, GRACE).await[0][0].status, 401, "the session is over");
    window.close().await;
    drop(guard);
    server.stop();
    let log = server.log();
    let found = log.lines().find(|line| line.contains("WARN") && line.contains("spent"));
    let found = found.unwrap_or_else(|| panic!("the replay is not in the log: {log}"));
    assert!(found.contains(&session) && found.contains("alice"), "{found}");
    print(&format!("the replay of a stolen cookie is logged: {found}"));
}

//! Log events of refreshes.

use http::StatusCode;
use tower_jwt_auth::sessions::ClientInfo;
use tower_jwt_auth_tests::Harness;
use tower_jwt_auth_tests::harness::{request, send_to};

#[tokio::test]
async fn each_refresh_logs_an_event_with_session_subject_and_client() {
    let harness = Harness::new();
    let tokens = harness.sign_in().await;
    let session = tokens.refresh().session_id().to_string();
    let refresh = async |agent: &str| {
        let cookie = format!("{}={}", harness.cookie.name(), tokens.refresh().as_str());
        let headers = [("cookie", &*cookie), ("user-agent", agent)];
        let response = send_to(harness.refresh_service(), request("POST", &headers)).await;
        assert_eq!(response.status, StatusCode::OK);
    };
    let assert_event = |text: &str, level: &str, agent: &str| {
        let client = format!("user_agent=\"{agent}\"");
        let parts = [level, &*session, "subject=\"alice\"", &*client];
        let events = tower_jwt_auth_tests::log_capture::lines_containing(text);
        assert!(events.iter().any(|line| parts.iter().all(|part| line.contains(part))), "{text}");
    };
    refresh("first").await;
    assert_event("a session was refreshed", "DEBUG", "first");
    refresh("second").await;
    assert_event("a refresh was replayed", "DEBUG", "second");
    harness.advance(10);
    refresh("third").await;
    assert_event("a refresh was retried late", "INFO", "third");
}

#[tokio::test]
async fn a_retry_from_another_user_agent_or_address_is_a_warning() {
    let harness = Harness::new();
    let home = ClientInfo::default().with_user_agent("Browser/1").with_address("192.0.2.1");
    for other in [home.clone().with_user_agent("Thief/1"), home.clone().with_address("192.0.2.2")] {
        let tokens = harness.sign_in_as(Harness::alice().with_client_info(home.clone())).await;
        let session = tokens.refresh().session_id().to_string();
        for client in [&home, &home, &other] {
            let token = tokens.refresh().as_str();
            let _ = harness.sessions.refresh_from(token, client).await.unwrap();
        }
        let text = "a refresh was retried from another user agent or address";
        let events = tower_jwt_auth_tests::log_capture::lines_containing(text);
        let mut events = events.iter().filter(|line| line.contains(&session));
        assert!(events.next().is_some_and(|line| line.contains("WARN")));
        assert!(events.next().is_none(), "the others came from where the session is");
    }
}

#[tokio::test]
async fn a_retry_without_a_user_agent_is_a_warning_where_the_session_has_one() {
    let harness = Harness::new();
    let home = ClientInfo::default().with_user_agent("Browser/1");
    let tokens = harness.sign_in_as(Harness::alice().with_client_info(home)).await;
    let session = tokens.refresh().session_id().to_string();
    for _ in 0..2 {
        harness.refresh(tokens.refresh().as_str()).await;
    }
    let text = "a refresh was retried from another user agent or address";
    let events = tower_jwt_auth_tests::log_capture::lines_containing(text);
    assert!(events.iter().any(|line| line.contains(&session)));
}

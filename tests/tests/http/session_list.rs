//! The list of sessions that a user sees.

use http::StatusCode;
use tower_jwt_auth::sessions::ClientInfo;
use tower_jwt_auth_tests::Harness;

use crate::revocation::assert_dead;

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_only() {
    let harness = Harness::new();
    let device = ClientInfo::default().with_user_agent("Browser/1").with_address("192.0.2.1");
    let first = harness.sign_in_as(Harness::alice().with_client_info(device.clone())).await;
    harness.advance(60);
    let second = harness.sign_in().await;
    harness.advance(60);
    let refreshed = harness.refresh(first.refresh().as_str()).await;

    let listed = harness.sessions.list("alice", None).await.unwrap().sessions;
    let ids: Vec<_> = listed.iter().map(tower_jwt_auth::sessions::Session::id).collect();
    assert_eq!(ids, [first.refresh().session_id(), second.refresh().session_id()]);
    assert_eq!(listed[0].client_info(), &device);
    let times = |n: usize| {
        let session = &listed[n];
        (
            session
                .created_at()
                .since(harness.now() - std::time::Duration::from_secs(120))
                .as_secs(),
            harness.now().since(session.last_seen()).as_secs(),
        )
    };
    assert_eq!(times(0), (0, 0), "created two minutes ago, seen just now");
    assert_eq!(times(1), (60, 60));

    assert!(!harness.sessions.end("bob", ids[0]).await.unwrap());
    assert_eq!(harness.call(&refreshed.access_token()).await.status, StatusCode::OK);
    assert!(harness.sessions.end("alice", ids[0]).await.unwrap());
    assert!(!harness.sessions.end("alice", ids[0]).await.unwrap());
    assert_dead(&harness.call(&refreshed.access_token()).await);
    assert_eq!(harness.call(second.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(harness.sessions.list("alice", None).await.unwrap().sessions.len(), 1);
}

//! Refresh cookies of sessions that have ended, beside those of live ones.

use http::StatusCode;
use tower_jwt_auth::Tokens;
use tower_jwt_auth::sessions::{EndReason, RefreshRejection, Session};
use tower_jwt_auth::store::{Revocation, SessionStore};
use tower_jwt_auth_tests::harness::{DAY, request, send_to};
use tower_jwt_auth_tests::{Fault, Harness, ISSUER};

use super::{forged, logout_everywhere, logout_others, refresh, session_of};

/// Ways in which a session can be over while its cookie is still sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    LoggedOut,
    LoggedOutOnAnotherNode,
    Replaced,
    Idle,
    PastItsEnd,
    Removed,
    RevokedByName,
    OfAnotherSecret,
}

const ALL: [Over; 8] = [
    Over::LoggedOut,
    Over::LoggedOutOnAnotherNode,
    Over::Replaced,
    Over::Idle,
    Over::PastItsEnd,
    Over::Removed,
    Over::RevokedByName,
    Over::OfAnotherSecret,
];

/// Returns a refresh token whose session is over in this way, and the tokens of a live session.
pub(crate) async fn dead_and_live(harness: &Harness, over: Over) -> (String, Tokens) {
    let dead = harness.sign_in().await;
    let token = dead.refresh().as_str().to_owned();
    match over {
        Over::LoggedOut => {
            harness.logout(&token).await;
        }
        Over::LoggedOutOnAnotherNode => {
            // This node does not learn of the end.
            harness.store.fail("read", Fault::Before);
            harness.store.fail("changed", Fault::Hang);
            harness.another_node().logout(&token).await;
        }
        Over::Replaced => {
            return (
                token.clone(),
                harness.sign_in_as(Harness::alice().replacing_token(&token)).await,
            );
        }
        Over::Idle => harness.advance(31 * DAY),
        Over::PastItsEnd => harness.advance(91 * DAY),
        Over::Removed => {
            harness.logout(&token).await;
            harness.advance(2 * DAY);
            let removed = harness.store.purge_sessions(std::time::Duration::ZERO, 10).await;
            assert_eq!(removed.unwrap(), 1);
        }
        Over::RevokedByName => {
            let revocation = Revocation::Token {
                issuer: ISSUER.into(),
                jti: dead.refresh().id().to_string(),
                until: harness.now() + dead.refresh().valid_for(),
            };
            harness.sessions.revoke(revocation).await.unwrap();
        }
        Over::OfAnotherSecret => return (forged(&token, 9), harness.sign_in().await),
    }
    (token, harness.sign_in().await)
}

#[tokio::test]
async fn a_cookie_of_an_ended_session_does_not_hide_a_live_one() {
    for over in ALL {
        for live_first in [false, true] {
            let harness = Harness::without_sweeper();
            harness.sessions.revocations().ready().await;
            let (dead, live) = dead_and_live(&harness, over).await;
            let id = live.refresh().session_id();
            let order = |live: &str| {
                let mut both = [dead.clone(), live.to_owned()];
                both[..].rotate_left(usize::from(live_first));
                both
            };
            let both = order(live.refresh().as_str());
            let response = refresh(&harness, &both.each_ref().map(String::as_str)).await;
            assert_eq!(response.status, StatusCode::OK, "{over:?}, live first: {live_first}");
            assert_eq!(session_of(&response), id);

            let both = order(response.cookie_value().unwrap());
            let response = logout_others(&harness, &both.each_ref().map(String::as_str)).await;
            assert_eq!(response.status, StatusCode::NO_CONTENT, "{over:?}");
            let listed = harness.sessions.list("alice", None).await.unwrap().sessions;
            assert_eq!(listed.iter().map(Session::id).collect::<Vec<_>>(), [id], "{over:?}");
            let response = logout_everywhere(&harness, &both.each_ref().map(String::as_str)).await;
            assert_eq!(response.status, StatusCode::NO_CONTENT, "{over:?}");
            assert!(
                harness.sessions.list("alice", None).await.unwrap().sessions.is_empty(),
                "{over:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_end_found_in_the_store_is_remembered_on_this_node() {
    let harness = Harness::without_sweeper();
    harness.sessions.revocations().ready().await;
    let (dead, live) = (harness.sign_in().await, harness.sign_in().await);
    harness.store.fail("read", Fault::Before);
    harness.store.fail("changed", Fault::Hang);
    harness.another_node().logout(dead.refresh().as_str()).await;
    assert_eq!(harness.call(dead.access().as_str()).await.status, StatusCode::OK);
    refresh(&harness, &[dead.refresh().as_str(), live.refresh().as_str()]).await;
    let response = harness.call(dead.access().as_str()).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn cookies_of_ended_sessions_alone_are_refused_and_kept() {
    let harness = Harness::without_sweeper();
    let (idle, ended) = (harness.sign_in().await, harness.sign_in().await);
    harness.advance(31 * DAY);
    harness.logout(ended.refresh().as_str()).await;
    let tokens = [ended.refresh().as_str(), idle.refresh().as_str()];
    for response in [refresh(&harness, &tokens).await, logout_everywhere(&harness, &tokens).await] {
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(
            response.extensions.get(),
            Some(&RefreshRejection::Idle),
            "the rejection of the last one"
        );
        assert_eq!(response.set_cookie(), None);
    }
}

#[tokio::test]
async fn two_live_sessions_beside_an_ended_one_are_refused_without_effect() {
    let harness = Harness::without_sweeper();
    let (mine, over, planted) =
        (harness.sign_in().await, harness.sign_in().await, harness.sign_in().await);
    harness.logout(over.refresh().as_str()).await;
    let all = [&mine, &over, &planted].map(|tokens| tokens.refresh().as_str());
    for response in [
        refresh(&harness, &all).await,
        logout_everywhere(&harness, &all).await,
        logout_others(&harness, &all).await,
    ] {
        response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(response.extensions.get(), Some(&RefreshRejection::Ambiguous));
        assert_eq!(response.set_cookie(), None);
    }
    let rows = harness.sessions.list("alice", None).await.unwrap().sessions;
    assert_eq!(rows.iter().map(Session::generation).collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn a_store_failure_while_cookies_are_checked_is_503_and_keeps_them() {
    for fault in [Fault::Before, Fault::After] {
        let harness = Harness::without_sweeper();
        let (dead, live) = dead_and_live(&harness, Over::Idle).await;
        let both = [dead.as_str(), live.refresh().as_str()];
        harness.sessions.revocations().ready().await;
        harness.store.fail("load", fault);
        for response in [refresh(&harness, &both).await, logout_everywhere(&harness, &both).await] {
            response.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
            assert_eq!(response.header("retry-after"), Some("1"));
            assert_eq!(response.set_cookie(), None);
        }
        harness.store.heal();
        assert_eq!(refresh(&harness, &both).await.status, StatusCode::OK);
    }
}

/// A request with a spent token must have consequences. If the other cookie belongs to the thief, the response would
/// otherwise reveal whether the session is live.
#[tokio::test]
async fn a_spent_token_beside_a_live_one_ends_its_session() {
    let harness = Harness::new();
    let (victim, other) = (harness.sign_in().await, harness.sign_in().await);
    let mut token = victim.refresh().as_str().to_owned();
    for _ in 0..2 {
        token = harness.refresh(&token).await.cookie_value().unwrap().to_owned();
        harness.advance(11);
    }
    let name = harness.cookie.name();
    let (spent, live) = (victim.refresh().as_str(), other.refresh().as_str());
    let header = format!("{name}={spent}; {name}={live}");
    let response =
        send_to(harness.refresh_service(), request("POST", &[("cookie", &header)])).await;
    assert_eq!(response.status, StatusCode::OK, "the other cookie is used");
    let ended = harness.store.load(victim.refresh().session_id()).await.unwrap().unwrap().session;
    assert_eq!(ended.record().ended.map(|ended| ended.reason), Some(EndReason::Reuse));
}

#[tokio::test]
async fn any_number_of_known_ended_sessions_hides_no_live_one() {
    let harness = Harness::new();
    let mut header = String::new();
    for _ in 0..9 {
        let tokens = harness.sign_in().await;
        header.push_str(&format!("{}={}; ", harness.cookie.name(), tokens.refresh().as_str()));
    }
    harness.sessions.end_all("alice").await.unwrap();
    let mine = harness.sign_in().await;
    header.push_str(&format!("{}={}", harness.cookie.name(), mine.refresh().as_str()));
    let response =
        send_to(harness.refresh_service(), request("POST", &[("cookie", &header)])).await;
    assert_eq!(response.status, StatusCode::OK);
}

//! Revocation and logout: lines 29 to 32, 34 and 35.

use http::StatusCode;
use tower_jwt_auth::{
    ClientInfo, EndReason, LogoutService, RefreshRejection, Revocation, SessionStore, Timestamp,
};
use tower_jwt_auth_tests::forge::decode;
use tower_jwt_auth_tests::world::send_to;
use tower_jwt_auth_tests::{Answer, Fault, ISSUER, World};

fn assert_dead(answer: &Answer) {
    answer.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}

#[tokio::test]
async fn a_revoked_access_token_is_dead_on_the_next_request_and_no_other_is() {
    let world = World::new();
    let (first, second) = (world.sign_in().await, world.sign_in().await);
    assert_eq!(world.call(first.access().as_str()).await.status, StatusCode::OK);
    let revocation = Revocation::Token {
        issuer: ISSUER.into(),
        jti: first.access().id().to_string(),
        until: first.access().expires_at(),
    };
    world.sessions.revoke(revocation).await.unwrap();
    assert_dead(&world.call(first.access().as_str()).await);
    assert_eq!(world.call(second.access().as_str()).await.status, StatusCode::OK);
    let refreshed = world.refresh(first.refresh().as_str()).await;
    assert_eq!(world.call(&refreshed.access_token()).await.status, StatusCode::OK);
}

// Revoked by `jti`, refused without a question to the store.
#[tokio::test]
async fn a_revoked_refresh_token_is_dead_at_once() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.sessions.revocations().ready().await;
    let claims = decode(tokens.refresh().as_str(), 1);
    assert_eq!(claims["jti"], tokens.refresh().id().to_string());
    let revocation = Revocation::Token {
        issuer: ISSUER.into(),
        jti: tokens.refresh().id().to_string(),
        until: Timestamp::from_unix_seconds(claims["exp"].as_i64().unwrap()),
    };
    world.sessions.revoke(revocation).await.unwrap();
    let asked = world.store.asked();
    let answer = world.refresh(tokens.refresh().as_str()).await;
    assert_dead(&answer);
    assert_eq!(answer.extensions.get(), Some(&RefreshRejection::Revoked));
    assert_eq!(world.store.asked(), asked);
}

// Another node that follows the same log.
#[tokio::test]
async fn a_revocation_reaches_the_other_node() {
    let world = World::new();
    let sibling = world.sibling();
    let tokens = world.sign_in().await;
    world.sessions.revocations().ready().await;
    sibling.sessions.revocations().ready().await;
    assert_eq!(sibling.call(tokens.access().as_str()).await.status, StatusCode::OK);
    world.logout(tokens.refresh().as_str()).await;
    sibling.until_refused(tokens.access().as_str()).await;
}

#[tokio::test]
async fn logout_ends_the_session_and_clears_the_cookie_it_set() {
    let world = World::new();
    let tokens = world.sign_in().await;
    let set = world.refresh(tokens.refresh().as_str()).await;
    let answer = world.logout(set.cookie_value().unwrap()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let attributes = |cookie: &str| {
        let (name, rest) = cookie.split_once('=').unwrap();
        let (_, attributes) = rest.split_once("; ").unwrap();
        let kept: Vec<_> =
            attributes.split("; ").filter(|part| !part.starts_with("Max-Age")).collect();
        (name.to_owned(), kept.join("; "))
    };
    let cleared = answer.set_cookie().unwrap();
    assert!(cleared.starts_with("__Host-refresh_token=;"), "{cleared}");
    assert!(cleared.contains("Max-Age=0"), "{cleared}");
    assert_eq!(attributes(cleared), attributes(set.set_cookie().unwrap()));

    assert_dead(&world.call(tokens.access().as_str()).await);
    assert_dead(&world.call(&set.access_token()).await);
    assert_dead(&world.refresh(set.cookie_value().unwrap()).await);
    let ended = world.store.load(tokens.refresh().session_id()).await.unwrap().unwrap().session;
    assert_eq!(ended.into_record().ended.unwrap().reason, EndReason::Logout);
}

#[tokio::test]
async fn logout_takes_a_refresh_token_of_any_generation_and_age() {
    for refreshes in [1, 5] {
        let world = World::new();
        let tokens = world.sign_in().await;
        let mut last = tokens.refresh().as_str().to_owned();
        for _ in 0..refreshes {
            last = world.refresh(&last).await.cookie_value().unwrap().to_owned();
            world.advance(10);
        }
        assert_eq!(world.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
        assert_dead(&world.refresh(&last).await);
    }
    let world = World::new();
    let tokens = world.sign_in().await;
    world.advance(100 * 24 * 3600);
    assert_eq!(world.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logout_wins_against_a_tab_that_refreshes_at_the_same_moment() {
    for _ in 0..50 {
        let world = World::new();
        let tokens = world.sign_in().await;
        let token = tokens.refresh().as_str().to_owned();
        let refreshing = tokio::spawn({
            let (world, token) = (world.clone(), token.clone());
            async move { world.refresh(&token).await }
        });
        assert_eq!(world.logout(&token).await.status, StatusCode::NO_CONTENT);
        let refreshed = refreshing.await.unwrap();
        if refreshed.status == StatusCode::OK {
            assert_dead(&world.call(&refreshed.access_token()).await);
            assert_dead(&world.refresh(refreshed.cookie_value().unwrap()).await);
        }
        assert_dead(&world.refresh(&token).await);
    }
}

#[tokio::test]
async fn logout_twice_or_without_a_valid_cookie_is_204() {
    let world = World::new();
    let tokens = world.sign_in().await;
    for _ in 0..2 {
        assert_eq!(world.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
    }
    let logout = LogoutService::this_session(&world.sessions, world.cookie.clone());
    for cookie in ["other=1", "__Host-refresh_token=garbage"] {
        let request = tower_jwt_auth_tests::world::request("POST", &[("cookie", cookie)]);
        let answer = send_to(logout.clone(), request).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert!(answer.set_cookie().unwrap().contains("Max-Age=0"));
    }
    let get = tower_jwt_auth_tests::world::request("GET", &[]);
    let answer = send_to(logout, get).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_of_the_subject_and_no_one_elses() {
    let world = World::new();
    let (first, second) = (world.sign_in().await, world.sign_in().await);
    let bob =
        tower_jwt_auth::SignIn::new("bob", tower_jwt_auth_tests::Profile { name: "Bob".into() });
    let bob = world.sign_in_as(bob).await;
    let answer = world.logout_everywhere(first.refresh().as_str()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.set_cookie().unwrap().contains("Max-Age=0"));
    for tokens in [&first, &second] {
        assert_dead(&world.call(tokens.access().as_str()).await);
        assert_dead(&world.refresh(tokens.refresh().as_str()).await);
    }
    assert_eq!(world.call(bob.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(world.refresh(bob.refresh().as_str()).await.status, StatusCode::OK);

    // The clock has not moved: a whole-second `iat` could not tell these apart.
    let again = world.sign_in().await;
    assert_eq!(world.call(again.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(world.refresh(again.refresh().as_str()).await.status, StatusCode::OK);
}

// Without a valid token it would be a silent non-event.
#[tokio::test]
async fn logging_out_everywhere_needs_the_token_of_a_live_session() {
    let world = World::new();
    let (first, second) = (world.sign_in().await, world.sign_in().await);
    world.logout(first.refresh().as_str()).await;
    for token in [first.refresh().as_str(), "garbage"] {
        let answer = world.logout_everywhere(token).await;
        assert_dead(&answer);
        assert_eq!(answer.set_cookie(), None);
    }
    let everywhere = LogoutService::everywhere(&world.sessions, world.cookie.clone());
    let nothing = tower_jwt_auth_tests::world::request("POST", &[]);
    let answer = send_to(everywhere, nothing).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.challenge(), Some(r#"Bearer realm="api""#));
    assert_eq!(world.call(second.access().as_str()).await.status, StatusCode::OK);
}

// All others.
#[tokio::test]
async fn logging_out_all_others_keeps_this_session_and_its_cookie() {
    let world = World::new();
    let (first, second) = (world.sign_in().await, world.sign_in().await);
    let others = LogoutService::others(&world.sessions, world.cookie.clone());
    let answer = send_to(others, world.with_cookie(first.refresh().as_str())).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.set_cookie(), None);
    assert_eq!(world.call(first.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(world.refresh(first.refresh().as_str()).await.status, StatusCode::OK);
    assert_dead(&world.call(second.access().as_str()).await);
    assert_dead(&world.refresh(second.refresh().as_str()).await);
}

#[tokio::test]
async fn reuse_kills_the_successor_and_all_access_tokens_and_they_stay_dead() {
    let world = World::new();
    let sibling = world.sibling();
    let tokens = world.sign_in().await;
    let first = world.refresh(tokens.refresh().as_str()).await;
    world.advance(10);
    let second = world.refresh(first.cookie_value().unwrap()).await;
    assert_dead(&world.refresh(tokens.refresh().as_str()).await);
    let access = [tokens.access().as_str().to_owned(), first.access_token(), second.access_token()];
    assert_dead(&world.call(&access[0]).await);
    sibling.until_refused(&access[0]).await;
    for _ in 0..4 {
        for node in [&world, &sibling] {
            for token in &access {
                assert_dead(&node.call(token).await);
            }
            for refresh in [&first, &second] {
                assert_dead(&node.refresh(refresh.cookie_value().unwrap()).await);
            }
        }
        world.advance(100);
    }
    let events = tower_jwt_auth_tests::logs::lines_with("a spent refresh token was presented");
    let session = tokens.refresh().session_id().to_string();
    assert!(events.iter().any(|line| {
        line.contains(&session) && line.contains("WARN") && line.contains("subject=\"alice\"")
    }));
}

// Someone who holds the signing secret but never held a token of the session.
#[tokio::test]
async fn a_token_with_another_secret_of_the_session_is_refused_and_ends_nothing() {
    use tower_jwt_auth_tests::Forge;
    let world = World::new();
    let tokens = world.sign_in().await;
    let good = tokens.refresh().as_str();
    let derive = |secret: &[u8], label: &[u8]| {
        Forge::hs256(secret).signature(std::str::from_utf8(label).unwrap())
    };
    let key =
        derive(&tower_jwt_auth_tests::world::REFRESH_SECRET, b"tower-jwt-auth refresh token v1");
    let forge = Forge::hs256(&key);
    let (header, claims) = (decode(good, 0), decode(good, 1));
    let sec = [7_u8; 16];
    let sid = tokens.refresh().session_id();
    for generation in [0_u64, 1, 9] {
        let mut forged = claims.clone();
        forged["sec"] = tower_jwt_auth_tests::forge::encode(&sec).into();
        forged["gen"] = generation.into();
        forged["jti"] = forged_id(sid.as_bytes(), generation, &sec).into();
        let token = forge.token(&header.to_string(), &forged.to_string());
        let answer = world.refresh(&token).await;
        assert_dead(&answer);
        assert_eq!(answer.extensions.get(), Some(&RefreshRejection::WrongSecret));
        assert_eq!(world.logout(&token).await.status, StatusCode::NO_CONTENT);
        assert_dead(&world.logout_everywhere(&token).await);
    }
    assert_eq!(world.call(tokens.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(world.refresh(good).await.status, StatusCode::OK);
}

/// The `jti` of a refresh token, computed by another implementation of SHA-256.
pub(crate) fn forged_id(sid: &[u8], generation: u64, sec: &[u8]) -> String {
    use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
    let bytes = [b"jti", sid, &generation.to_be_bytes(), sec].concat();
    let digest = DEFAULT_PROVIDER.key_utils.compute_digest;
    let hash = digest(&bytes, jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
    tower_jwt_auth_tests::forge::encode(&hash[..16])
}

#[tokio::test]
async fn revoking_while_the_store_is_out_of_reach_is_an_error() {
    let world = World::new();
    let tokens = world.sign_in().await;
    world.sessions.revocations().ready().await;
    for fault in [Fault::Before, Fault::After] {
        world.store.fail("*", fault);
        let revocation =
            Revocation::Token { issuer: ISSUER.into(), jti: "x".into(), until: world.now() };
        assert!(world.sessions.revoke(revocation).await.is_err());
        assert!(world.sessions.end_all("bob").await.is_err());
        world.store.heal();
    }
    world.store.fail("*", Fault::Before);
    for answer in [
        world.logout(tokens.refresh().as_str()).await,
        world.logout_everywhere(tokens.refresh().as_str()).await,
    ] {
        answer.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.set_cookie(), None, "the client must be able to try again");
    }
    world.store.heal();
    assert_eq!(world.call(tokens.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(world.logout(tokens.refresh().as_str()).await.status, StatusCode::NO_CONTENT);
}

// A list that is behind asks the store; a store out of reach is 503, not 401.
#[tokio::test]
async fn a_stale_list_asks_the_store_and_fails_closed() {
    let world = World::new();
    let sibling = world.sibling();
    let tokens = world.sign_in().await;
    world.sessions.revocations().ready().await;
    world.store.fail("read", Fault::Before);
    world.store.fail("changed", Fault::Before);
    world.advance(31);
    assert_eq!(world.call(tokens.access().as_str()).await.status, StatusCode::OK, "it was asked");
    sibling.logout(tokens.refresh().as_str()).await;
    assert_dead(&world.call(tokens.access().as_str()).await);

    let other = world.sign_in().await;
    world.store.fail("is_revoked", Fault::Before);
    let answer = world.call(other.access().as_str()).await;
    answer.assert_refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.challenge(), None);

    use tower::Layer;
    let brave = world.auth.clone().dangerous_accept_stale_revocations();
    let service = brave.layer(tower::service_fn(tower_jwt_auth_tests::world::echo));
    let bearer = format!("Bearer {}", other.access().as_str());
    let request = tower_jwt_auth_tests::world::request("GET", &[("authorization", &bearer)]);
    assert_eq!(send_to(service, request).await.status, StatusCode::OK, "by name only");

    world.store.heal();
    assert_eq!(world.call(other.access().as_str()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_by_their_owner_only() {
    let world = World::new();
    let device = ClientInfo::default().with_user_agent("Browser/1").with_address("192.0.2.1");
    let first = world.sign_in_as(World::alice().with_client_info(device.clone())).await;
    world.advance(60);
    let second = world.sign_in().await;
    world.advance(60);
    let refreshed = world.refresh(first.refresh().as_str()).await;

    let listed = world.sessions.list("alice", None).await.unwrap().sessions;
    let ids: Vec<_> = listed.iter().map(tower_jwt_auth::Session::id).collect();
    assert_eq!(ids, [first.refresh().session_id(), second.refresh().session_id()]);
    assert_eq!(listed[0].client_info(), &device);
    let times = |n: usize| {
        let session = &listed[n];
        (
            session.created_at().since(world.now() - std::time::Duration::from_secs(120)).as_secs(),
            world.now().since(session.last_seen()).as_secs(),
        )
    };
    assert_eq!(times(0), (0, 0), "created two minutes ago, seen just now");
    assert_eq!(times(1), (60, 60));

    assert!(!world.sessions.end("bob", ids[0]).await.unwrap());
    assert_eq!(world.call(&refreshed.access_token()).await.status, StatusCode::OK);
    assert!(world.sessions.end("alice", ids[0]).await.unwrap());
    assert!(!world.sessions.end("alice", ids[0]).await.unwrap());
    assert_dead(&world.call(&refreshed.access_token()).await);
    assert_eq!(world.call(second.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(world.sessions.list("alice", None).await.unwrap().sessions.len(), 1);
}

// Design §4: signing in again on the same client leaves no orphan behind.
#[tokio::test]
async fn a_sign_in_can_replace_the_session_whose_cookie_came_along() {
    let world = World::new();
    let first = world.sign_in().await;
    let second = world.sign_in_as(World::alice().replacing_token(first.refresh().as_str())).await;
    assert_dead(&world.call(first.access().as_str()).await);
    assert_eq!(world.call(second.access().as_str()).await.status, StatusCode::OK);
    assert_eq!(world.sessions.list("alice", None).await.unwrap().sessions.len(), 1);
    let third = world.sign_in_as(World::alice().replacing_token("garbage")).await;
    assert_eq!(world.call(third.access().as_str()).await.status, StatusCode::OK);
}

// A configured life that was shortened since.
#[tokio::test]
async fn a_long_token_made_before_lifetimes_were_shortened_stays_dead() {
    use tower_jwt_auth::{Issuer, JwtAuthLayer, RefreshSecrets, Sessions};
    use tower_jwt_auth_tests::world::REFRESH_SECRET;
    let world = World::new();
    let issuer = |seconds| {
        Issuer::new(ISSUER, tower_jwt_auth_tests::AUDIENCE, world.key.clone())
            .unwrap()
            .with_clock(world.clock.clone())
            .with_access_lifetime(std::time::Duration::from_secs(seconds))
            .unwrap()
    };
    let secrets = || RefreshSecrets::new(&REFRESH_SECRET).unwrap();
    let long = Sessions::<tower_jwt_auth_tests::Profile>::new(
        issuer(24 * 3600),
        secrets(),
        world.store.clone(),
    )
    .unwrap();
    let tokens = long.start(World::alice()).await.unwrap();
    let short = Sessions::new(issuer(60), secrets(), world.store.clone()).unwrap();
    let refreshed = short.refresh(tokens.refresh().as_str()).await.unwrap();
    assert!(short.end_presented(refreshed.refresh().as_str()).await.unwrap());
    let mut node = world.clone();
    node.auth = JwtAuthLayer::for_sessions(&short);
    for _ in 0..24 {
        assert_dead(&node.call(tokens.access().as_str()).await);
        world.advance(3600);
    }
}

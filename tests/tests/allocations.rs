//! The number of allocations on the access path and of a refresh. An increase deserves a review.
//!
//! This is a separate test binary, because the counter is the global allocator.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::future::{Ready, ready};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_jwt_auth::{
    Algorithm, Identity, Issuer, JwtAuthLayer, MemoryStore, RefreshCookie, RefreshSecrets,
    RefreshService, Sessions, SignIn, SigningKey, Timestamp, Verifier,
};
use tower_jwt_auth_tests::harness::{Profile, rotating_sessions};

fn inner(_: Request<Full<Bytes>>) -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
    ready(Ok(Response::new(Full::default())))
}

async fn sessions(algorithm: Algorithm) -> (Sessions<Profile>, String) {
    let key = SigningKey::generate_for(algorithm).unwrap();
    let issuer = Issuer::new("https://i.example", "https://a.example", key).unwrap();
    let secrets = RefreshSecrets::generate().unwrap();
    let sessions =
        Sessions::builder(issuer, secrets, MemoryStore::new()).claims::<Profile>().build().unwrap();
    sessions.revocations().ready().await;
    let who =
        SignIn::new("alice").with_claims(Profile { name: "Alice".into() }).with_scope("read write");
    let tokens = sessions.start(who).await.unwrap();
    (sessions, tokens.access().as_str().to_owned())
}

/// Counts the allocations of a request that is accepted.
struct Requests<S> {
    service: S,
    token: String,
    /// Whether the request has extensions before it reaches the layer, as behind a router.
    has_extensions: bool,
}

impl<S> Requests<S>
where
    S: Service<Request<Full<Bytes>>, Response: IsSuccess, Error = Infallible>,
{
    fn allocations(&mut self) -> u64 {
        let mut request = Request::builder()
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::<Bytes>::default())
            .unwrap();
        if self.has_extensions {
            request.extensions_mut().insert(1_u8);
        }
        let mut ok = false;
        let counted = allocation_counter::measure(|| {
            let answer = self.service.call(request).now_or_never();
            ok = answer.expect("the service should not wait").unwrap().is_success();
        });
        assert!(ok);
        counted.count_total
    }
}

trait IsSuccess {
    fn is_success(&self) -> bool;
}

impl<B> IsSuccess for Response<B> {
    fn is_success(&self) -> bool {
        self.status().is_success()
    }
}

#[tokio::test]
async fn a_repeated_token_allocates_for_the_extensions_alone() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let (sessions, token) = sessions(algorithm).await;
        let service = JwtAuthLayer::for_sessions(&sessions).layer(service_fn(inner));
        let mut requests = Requests { service, token, has_extensions: false };
        requests.allocations();
        requests.allocations();
        // The map, its table and the box of the identity.
        assert!(requests.allocations() <= 3, "{algorithm}");
        requests.has_extensions = true;
        assert!(requests.allocations() <= 2, "{algorithm}");
    }
}

#[tokio::test]
async fn a_token_that_is_verified_allocates_six_times() {
    let (sessions, token) = sessions(Algorithm::HS256).await;
    let layer = JwtAuthLayer::for_sessions(&sessions);
    let service = layer.clone().without_token_cache().layer(service_fn(inner));
    let mut requests = Requests { service, token: token.clone(), has_extensions: false };
    requests.allocations();
    // Three allocations for the identity, as below, and three for the request's extensions.
    assert!(requests.allocations() <= 6);
}

/// The second time, the token is copied into the cache, whose tables have grown. Now and then a table is cleaned.
#[tokio::test]
async fn a_token_that_is_seen_first_allocates_six_times_and_then_seven_times() {
    let (sessions, _) = sessions(Algorithm::HS256).await;
    let layer = JwtAuthLayer::for_sessions(&sessions).with_token_cache(100, 1 << 20).unwrap();
    let service = layer.layer(service_fn(inner));
    let mut requests = Requests { service, token: String::new(), has_extensions: false };
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        let who = SignIn::new("alice").with_claims(Profile { name: "Alice".into() });
        requests.token = sessions.start(who).await.unwrap().access().as_str().to_owned();
        first.push(requests.allocations());
        second.push(requests.allocations());
    }
    for (mut counts, max) in [(first, 6), (second, 7)] {
        let counts = &mut counts[200..];
        counts.sort_unstable();
        assert!(counts[180] <= max, "{counts:?}");
    }
}

/// The size covers the tokens, their identities and claims, and the tables. It does not count what an empty cache takes.
#[tokio::test]
async fn a_cache_takes_no_more_bytes_than_its_size() {
    const SIZE: usize = 2 << 20;
    let (sessions, _) = sessions(Algorithm::HS256).await;
    let mut tokens = Vec::new();
    for n in 0..5000 {
        let name = format!("Alice {n} {}", "x".repeat(n % 300));
        let who = SignIn::new(format!("alice-{n}")).with_claims(Profile { name });
        tokens.push(sessions.start(who).await.unwrap().access().as_str().to_owned());
    }
    let layer = JwtAuthLayer::for_sessions(&sessions).with_token_cache(1_000_000, SIZE).unwrap();
    let service = layer.layer(service_fn(inner));
    let mut requests = Requests { service, token: tokens[0].clone(), has_extensions: false };
    requests.allocations();
    let counted = allocation_counter::measure(|| {
        for token in &tokens {
            requests.token.clone_from(token);
            requests.allocations();
            requests.allocations();
        }
    });
    let bytes = usize::try_from(counted.bytes_current).unwrap();
    assert!(bytes <= SIZE, "{bytes}");
    assert!(bytes > SIZE / 2, "the bound should not be much too low: {bytes}");
}

#[tokio::test]
async fn verifying_alone_allocates_three_times() {
    for algorithm in Algorithm::ALL.iter().copied() {
        assert_eq!(allocations_to_verify(algorithm).await, 3, "{algorithm}");
    }
}

/// Returns the number of allocations for the verification of a token of this algorithm.
async fn allocations_to_verify(algorithm: Algorithm) -> u64 {
    let (sessions, token) = sessions(algorithm).await;
    let verifier = Verifier::new(sessions.issuer()).with_claims::<Profile>();
    let now = Timestamp::from(std::time::SystemTime::now());
    let verify = || {
        let mut identity: Option<Identity> = None;
        let counted = allocation_counter::measure(|| {
            identity = verifier.verify(&token, now).ok();
        });
        assert_eq!(identity.unwrap().claims::<Profile>().unwrap().name, "Alice");
        counted.count_total
    };
    verify();
    // The text of the application's one claim, the token's own texts in one allocation, and the shared identity that
    // holds them.
    verify()
}

#[tokio::test]
async fn verifying_without_claims_of_the_application_allocates_twice() {
    let (sessions, token) = sessions(Algorithm::EdDSA).await;
    let verifier = Verifier::new(sessions.issuer());
    let now = Timestamp::from(std::time::SystemTime::now());
    let verify = || {
        let mut identity: Option<Identity> = None;
        let counted = allocation_counter::measure(|| {
            identity = verifier.verify(&token, now).ok();
        });
        assert_eq!(identity.unwrap().subject(), "alice");
        counted.count_total
    };
    verify();
    // As above, without the text of the application's claim.
    assert_eq!(verify(), 2);
}

#[tokio::test]
async fn cloning_an_identity_allocates_nothing() {
    let (sessions, token) = sessions(Algorithm::EdDSA).await;
    let verifier = Verifier::new(sessions.issuer()).with_claims::<Profile>();
    let identity = verifier.verify(&token, std::time::SystemTime::now().into()).unwrap();
    let counted = allocation_counter::measure(|| drop(identity.clone()));
    assert_eq!(counted.count_total, 0);
}

/// Returns the number of allocations of the refresh that allocates least: the cache of revocations collects its garbage
/// during others.
fn fewest(mut refresh: impl FnMut() -> u64) -> u64 {
    (0..100).map(|_| refresh()).min().unwrap()
}

#[tokio::test]
async fn a_refresh_allocates_at_most_sixteen_times() {
    let (sessions, mut token) = rotating_sessions().await;
    let fewest = fewest(|| {
        let mut tokens = None;
        let counted = allocation_counter::measure(|| {
            tokens = sessions.refresh(&token).now_or_never();
        });
        token = tokens.unwrap().unwrap().refresh().as_str().to_owned();
        counted.count_total
    });
    // The presented token, decoded. The future of the work and its shared result. The session of the store with its five
    // texts, and the future of the store. The claims and the text of the refresh token. All claims of the access token,
    // the application's claim, all of them as text, the text of the access token, and its signature in aws-lc-rs.
    assert!(fewest <= 16, "{fewest} allocations");
}

#[test]
fn a_refresh_over_http_allocates_at_most_twenty_seven_times() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (sessions, mut token) = runtime.block_on(rotating_sessions());
    let mut service = RefreshService::new(&sessions, RefreshCookie::host());
    let fewest = fewest(|| {
        let request = Request::post("https://i.example/refresh")
            .header("cookie", format!("__Host-refresh_token={token}"))
            .header("sec-fetch-site", "same-origin")
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101")
            .body(Full::<Bytes>::default())
            .unwrap();
        let mut response = None;
        let counted = allocation_counter::measure(|| {
            response = Some(runtime.block_on(service.call(request)));
        });
        let response = response.unwrap().unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        token = cookie.split_once('=').unwrap().1.split_once(';').unwrap().0.to_owned();
        counted.count_total
    });
    // A refresh, and: the cookies, the verified tokens, the user agent, the task, the body with its length, the cookie
    // with its lifetime and its list, the shared body, and the two tables of the headers.
    assert!(fewest <= 27, "{fewest} allocations");
}

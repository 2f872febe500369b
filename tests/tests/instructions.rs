//! The number of instructions of an operation, counted by callgrind, as upper bounds. An increase deserves a review.
//!
//! The counts are those of the test profile, in which Rust code is not optimized, and include what the test does to make
//! a request: a release build takes a quarter to a twentieth. Two runs differ by less than 0.3 %, and the bounds leave
//! 8 % for other versions of the compiler. A new case is a line in [`CASES`] and a function that
//! prepares it.
//!
//! Each case runs in a process of its own, in which callgrind counts inside of [`measured`] alone: when a process makes
//! its first key, the cryptographic library measures the jitter of the processor, with a random number of instructions
//! that is larger than all cases together.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::StatusCode;
use http_body_util::Full;
use tokio::runtime::Runtime;
use tower::{Layer, Service as _, service_fn};
use tower_jwt_auth::store::{Clock, ManualClock, SystemClock};
use tower_jwt_auth::{
    Algorithm, Issuer, JwtAuthLayer, MemoryStore, RefreshCookie, RefreshSecrets, RefreshService,
    Sessions, SignIn, SigningKey,
};
use tower_jwt_auth_tests::harness::rotating_sessions;
use tower_jwt_auth_tests::servers;

/// The environment variable that names the case for the process that runs it.
const CASE: &str = "TOWER_JWT_AUTH_TESTS_CASE";
/// How often an operation runs while callgrind counts.
const ITERATIONS: u64 = 50;
/// How often it runs before, so that lazy statics are set and tables have grown.
const WARM_UPS: u64 = 10;

/// An operation, repeated as often as the argument says.
type Operation<'r> = Box<dyn FnMut(u64) + 'r>;

struct Case {
    name: &'static str,
    prepare: for<'r> fn(&'r Runtime) -> Operation<'r>,
    /// The maximum number of instructions of one operation.
    max: u64,
}

const CASES: [Case; 5] = [
    Case { name: "a repeated token", prepare: repeated_token, max: 62_000 },
    Case { name: "a token that is seen first", prepare: first_seen_token, max: 285_000 },
    Case {
        name: "a token that is rejected without a signature",
        prepare: expired_token,
        max: 250_000,
    },
    Case { name: "Sessions::refresh", prepare: refresh, max: 790_000 },
    Case { name: "RefreshService", prepare: refresh_service, max: 995_000 },
];

#[test]
fn no_operation_takes_more_instructions_than_its_bound() {
    let counts = std::thread::scope(|scope| {
        let count = |case: &'static Case| {
            scope.spawn(move || {
                servers::instructions("run_case", (CASE, case.name), "instructions::measured")
            })
        };
        let running: Vec<_> = CASES.iter().map(count).collect();
        running.into_iter().map(|case| case.join().unwrap()).collect::<Vec<_>>()
    });
    let mut exceeded = Vec::new();
    for (case, count) in CASES.iter().zip(counts) {
        let Some(count) = count.map(|count| count / ITERATIONS) else { continue };
        println!("{}: {count} of {}", case.name, case.max);
        if count > case.max {
            exceeded.push(format!("{}: {count} instructions, more than {}", case.name, case.max));
        }
    }
    assert!(exceeded.is_empty(), "{}", exceeded.join("\n"));
}

/// Runs the case that the environment names, in the process under callgrind.
#[test]
fn run_case() {
    let Ok(name) = std::env::var(CASE) else { return };
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut operation = (case.prepare)(&runtime);
    operation(WARM_UPS);
    measured(&mut operation);
}

/// Callgrind counts while this runs.
#[inline(never)]
fn measured(operation: &mut dyn FnMut(u64)) {
    operation(ITERATIONS);
}

type Request = http::Request<Full<Bytes>>;

/// Returns an operation that sends one of these tokens after the other through a layer. HS256, because its check takes
/// less than the rest.
fn access<'r>(
    runtime: &'r Runtime,
    clock: impl Clock,
    tokens: usize,
    expected: StatusCode,
) -> Operation<'r> {
    let (layer, tokens) = runtime.block_on(async {
        let secret = b"0123456789abcdefghijklmnopqrstuv";
        let key = SigningKey::from_secret(Algorithm::HS256, secret).unwrap();
        let issuer = Issuer::new("https://i.example", "https://a.example", key).unwrap();
        let secrets = RefreshSecrets::generate().unwrap();
        let sessions = Sessions::builder(issuer, secrets, MemoryStore::new()).build().unwrap();
        sessions.revocations().ready().await;
        let mut all = Vec::new();
        for n in 0..tokens {
            let who = SignIn::new(format!("user-{n}")).with_scope("read write");
            all.push(sessions.start(who).await.unwrap().access().as_str().to_owned());
        }
        (JwtAuthLayer::for_sessions(&sessions).with_clock(clock), all)
    });
    let mut service = layer.layer(service_fn(|_: Request| {
        ready(Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default())))
    }));
    let mut next = tokens.into_iter().cycle();
    Box::new(move |times| {
        for token in next.by_ref().take(usize::try_from(times).unwrap()) {
            let request = http::Request::get("https://i.example/")
                .header("authorization", format!("Bearer {token}"))
                .body(Full::default())
                .unwrap();
            let response = service.call(request).now_or_never().expect("it should not wait");
            assert_eq!(response.unwrap().status(), expected);
        }
    })
}

fn repeated_token(runtime: &Runtime) -> Operation<'_> {
    access(runtime, SystemClock::new(), 1, StatusCode::OK)
}

fn first_seen_token(runtime: &Runtime) -> Operation<'_> {
    access(runtime, SystemClock::new(), 100, StatusCode::OK)
}

fn expired_token(runtime: &Runtime) -> Operation<'_> {
    let later = SystemClock::new().now() + Duration::from_secs(3600);
    access(runtime, ManualClock::at(later), 1, StatusCode::UNAUTHORIZED)
}

fn refresh(runtime: &Runtime) -> Operation<'_> {
    let (sessions, mut token) = runtime.block_on(rotating_sessions());
    Box::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let tokens = sessions.refresh(&token).await.unwrap();
                token.replace_range(.., tokens.refresh().as_str());
            }
        });
    })
}

fn refresh_service(runtime: &Runtime) -> Operation<'_> {
    let (sessions, mut token) = runtime.block_on(rotating_sessions());
    let mut service = RefreshService::new(&sessions, RefreshCookie::host());
    Box::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let request = http::Request::post("https://i.example/refresh")
                    .header("cookie", format!("__Host-refresh_token={token}"))
                    .header("sec-fetch-site", "same-origin")
                    .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:131.0)")
                    .body(Full::<Bytes>::default())
                    .unwrap();
                let response = service.call(request).await.unwrap();
                let cookie = response.headers()["set-cookie"].to_str().unwrap();
                let (_, value) = cookie.split_once('=').unwrap();
                token.replace_range(.., value.split_once(';').unwrap().0);
            }
        });
    })
}

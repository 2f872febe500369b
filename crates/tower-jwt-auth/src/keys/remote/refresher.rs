//! The task that fetches the set.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::error::FetchError;
use super::shared::Shared;
use super::source::{Fetched, KeyFetcher};
use super::url;

/// Fetches the set whenever that is due or requested, until it is aborted.
pub(super) async fn run(shared: Arc<Shared>, mut source: KeyFetcher) {
    shared.recover();
    loop {
        shared.next_turn().await;
        let number = shared.begin();
        let (begun, at) = (Instant::now(), shared.clock.now());
        let now = SystemTime::try_from(at).unwrap_or_else(|_| SystemTime::now());
        let outcome = source.fetch(now).await;
        // The keys may have been withdrawn while the response was on its way: they are as old as the request.
        let next = match &outcome {
            Ok(fetched) => shared.succeed(number, fetched, at),
            Err(error) => shared.fail(number, error.kind(), at),
        };
        let url = url::for_log(&source.url);
        match &outcome {
            Ok(fetched) => log_success(&url, fetched, begun.elapsed(), next),
            Err(error) => log_failure(&url, error, begun.elapsed(), next, &shared),
        }
    }
}

fn log_success(url: &str, fetched: &Fetched, elapsed: Duration, next: Duration) {
    let (keys, elapsed_ms, next_secs) =
        (fetched.keys.keys().count(), millis(elapsed), next.as_secs());
    // Two events, since the level is part of their place in the code.
    if fetched.is_changed {
        tracing::info!(
            url,
            outcome = "changed",
            status = 200,
            keys,
            elapsed_ms,
            next_secs,
            "the JWK set of an issuer was fetched"
        );
    } else {
        tracing::debug!(
            url,
            outcome = "unchanged",
            status = 200,
            keys,
            elapsed_ms,
            next_secs,
            "the JWK set of an issuer was fetched"
        );
    }
}

fn log_failure(url: &str, error: &FetchError, elapsed: Duration, next: Duration, shared: &Shared) {
    let status = shared.status();
    tracing::warn!(
        url,
        outcome = error.kind().as_str(),
        status = error.status().map(|status| status.as_u16()),
        keys = status.keys(),
        age_secs = status.age().map(|age| age.as_secs()),
        elapsed_ms = millis(elapsed),
        next_secs = next.as_secs(),
        error = error as &dyn std::error::Error,
        "the JWK set of an issuer could not be fetched"
    );
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

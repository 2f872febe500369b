//! Each fetch leaves an event.

use std::io;

use tracing::subscriber::DefaultGuard;

use super::*;

/// Captures the lines that the current thread logs.
async fn capture() -> (Arc<Mutex<Vec<u8>>>, DefaultGuard) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || Lines(Arc::clone(&writer)))
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    // Another thread may be about to register an event as one that nobody wants. Each is registered here first.
    let provider = Provider::with_set(set_of("key"));
    let keys = provider.keys();
    sleep(6 * MINUTE).await;
    provider.answer(|_| Reply::Refused);
    sleep(6 * MINUTE).await;
    drop(keys);
    tracing::callsite::rebuild_interest_cache();
    take(&log);
    (log, guard)
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn take(log: &Mutex<Vec<u8>>) -> String {
    String::from_utf8(std::mem::take(&mut *log.lock().unwrap())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_url_outcome_status_keys_and_time() {
    let (log, _guard) = capture().await;
    let set = set_of("key");
    let provider = Provider::new(move |_| Reply::json(set.clone()).after(SECOND));
    let url = "https://login.example/jwks?key=secret";
    let keys = provider.configure(RemoteKeySet::from_jwks_url(url)).build().unwrap();
    keys.ready().await;
    settle().await;
    let first = take(&log);
    for part in [
        "INFO",
        "url=\"https://login.example/jwks\"",
        "outcome=\"changed\"",
        "status=200",
        "keys=1",
        "elapsed_ms=1000",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }

    sleep(6 * MINUTE).await;
    let second = take(&log);
    assert!(second.contains("DEBUG") && second.contains("outcome=\"unchanged\""), "{second}");

    provider.answer(|_| Reply::status(StatusCode::BAD_GATEWAY));
    sleep(6 * MINUTE).await;
    let third = take(&log);
    for part in
        ["WARN", "outcome=\"status\"", "status=502", "keys=1", "age_secs=", "502 Bad Gateway"]
    {
        assert!(third.contains(part), "{part}: {third}");
    }

    provider.answer(|_| Reply::Refused);
    sleep(MINUTE).await;
    let fourth = take(&log);
    assert!(fourth.contains("outcome=\"connection\""), "{fourth}");
    assert!(fourth.contains("connection refused"), "the cause is logged: {fourth}");

    for log in [first, second, third, fourth] {
        assert!(!log.contains("secret"), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_text_of_the_provider_is_cut() {
    let (log, _guard) = capture().await;
    let metadata = format!(r#"{{"issuer":"{}","jwks_uri":"x"}}"#, "A".repeat(100_000));
    let provider = Provider::new(move |_| Reply::json(metadata.clone()));
    let keys = provider.configure(RemoteKeySet::discover("https://login.example")).build().unwrap();
    settle().await;
    drop(keys);
    let log = take(&log);
    assert!(log.contains("outcome=\"issuer\"") && log.contains("AAA"), "{log}");
    assert!(log.len() < 2000, "{} bytes", log.len());
}

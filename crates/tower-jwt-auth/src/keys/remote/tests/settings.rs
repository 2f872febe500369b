//! Settings are checked when the set is built.

use super::*;
use crate::error::ConfigError;

fn build(builder: RemoteKeySetBuilder) -> Result<RemoteKeySet, ConfigError> {
    Provider::new(|_| Reply::Never).configure(builder).build()
}

fn jwks() -> RemoteKeySetBuilder {
    RemoteKeySet::from_jwks_url(JWKS_URL)
}

#[tokio::test(start_paused = true)]
async fn urls_are_checked() {
    for (url, what) in [
        (RemoteKeySet::from_jwks_url("http://login.example/jwks"), "JWK set URL"),
        (RemoteKeySet::from_jwks_url("login.example/jwks"), "JWK set URL"),
        (RemoteKeySet::discover("http://login.example"), "issuer URL"),
        (RemoteKeySet::discover("https://login.example?tenant=1"), "issuer URL"),
        (RemoteKeySet::discover("https://user:secret@login.example"), "issuer URL"),
    ] {
        let error = build(url).unwrap_err();
        assert!(matches!(error, ConfigError::Url { what: given, .. } if given == what), "{error}");
        assert!(!error.to_string().contains("secret"));
    }
    for url in [
        jwks(),
        RemoteKeySet::discover("https://login.example"),
        RemoteKeySet::discover("http://[::1]:3000/realms/shop"),
    ] {
        assert!(build(url).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn durations_have_bounds() {
    let milli = Duration::from_millis(1);
    let day = 24 * HOUR;
    for (what, given, builder) in [
        ("request timeout", 9 * milli, jwks().timeout(9 * milli)),
        ("request timeout", MINUTE + milli, jwks().timeout(MINUTE + milli)),
        ("connect timeout", Duration::ZERO, jwks().connect_timeout(Duration::ZERO)),
        ("cool-down", 999 * milli, jwks().cool_down(999 * milli)),
        ("cool-down", HOUR + milli, jwks().cool_down(HOUR + milli)),
        ("wait timeout", 31 * SECOND, jwks().wait_timeout(31 * SECOND)),
        ("minimum refresh interval", 999 * milli, jwks().min_refresh_interval(999 * milli)),
        ("maximum refresh interval", HOUR, jwks().min_refresh_interval(HOUR + milli)),
        ("maximum refresh interval", day + milli, jwks().max_refresh_interval(day + milli)),
        ("maximum age of the keys", HOUR - milli, jwks().max_age(HOUR - milli)),
        ("maximum age of the keys", 31 * day, jwks().max_age(31 * day)),
    ] {
        let error = build(builder).unwrap_err();
        let ConfigError::Duration { what: found, given: value, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((found, value), (what, given));
    }
    let lowest = jwks().cool_down(SECOND).wait_timeout(Duration::ZERO).max_age(HOUR);
    assert!(build(lowest).is_ok());
}

#[test]
fn a_runtime_is_needed() {
    let builder = jwks().client(tower::service_fn(async |_| {
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
    }));
    assert_eq!(builder.build().unwrap_err(), ConfigError::NoRuntime);
}

#[tokio::test(start_paused = true)]
async fn debug_output_has_no_url() {
    let builder = RemoteKeySet::from_jwks_url("https://login.example/jwks?key=secret");
    let builder = Provider::with_set(set_of("key")).configure(builder);
    assert!(!format!("{builder:?}").contains("secret"));
    let keys = builder.build().unwrap();
    keys.ready().await;
    assert!(!format!("{keys:?}").contains("secret"));
}

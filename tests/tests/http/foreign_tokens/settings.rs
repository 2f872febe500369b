//! Invalid settings.

use std::time::Duration;

use tower_jwt_auth::{Algorithm, ConfigError, Verifier};

use super::trusted;

#[test]
fn an_empty_list_is_rejected() {
    let none: [&str; 0] = [];
    for (error, what) in [
        (trusted().with_types(none).unwrap_err(), "types"),
        (trusted().with_audiences(none).unwrap_err(), "audiences"),
        (trusted().with_client_ids(none).unwrap_err(), "client ids"),
        (trusted().with_algorithms([]).unwrap_err(), "algorithms"),
    ] {
        assert_eq!(error, ConfigError::Empty { what });
    }
    assert!(trusted().with_algorithms(Algorithm::ALL.iter().copied()).is_ok());
}

#[test]
fn names_that_tokens_cannot_carry_are_rejected() {
    for bad in ["", "a\n"] {
        let error = trusted().with_audiences([bad]).unwrap_err();
        assert!(matches!(error, ConfigError::Name { what: "audience", .. }), "{error}");
        let error = trusted().with_client_ids(["web", bad]).unwrap_err();
        assert!(matches!(error, ConfigError::Name { what: "client id", .. }), "{error}");
        for error in [
            trusted().with_client_id_claim(bad).unwrap_err(),
            trusted().with_scope_claim(bad).unwrap_err(),
            trusted().with_required_claim(bad, "x").unwrap_err(),
        ] {
            assert!(matches!(error, ConfigError::Setting { what: "claim", .. }), "{error}");
        }
    }
}

#[test]
fn a_registered_claim_does_not_get_another_meaning() {
    for name in ["iss", "sub", "aud", "exp", "jti", "sid", "scope"] {
        assert!(trusted().with_client_id_claim(name).is_err(), "{name}");
    }
    for name in ["iss", "sub", "aud", "exp", "jti", "sid", "client_id"] {
        assert!(trusted().with_scope_claim(name).is_err(), "{name}");
    }
    assert!(trusted().with_client_id_claim("client_id").is_ok());
    assert!(trusted().with_scope_claim("scope").is_ok());
}

#[test]
fn a_type_is_a_subtype_of_application_and_not_jwt() {
    for bad in ["", "application/", "text/at+jwt", "a b", "é", "application/a/b"] {
        let error = trusted().with_types([bad]).unwrap_err();
        assert!(error.to_string().contains("subtype"), "{error}");
    }
    for plain in ["JWT", "jwt", "application/JWT"] {
        let error = trusted().with_types(["at+jwt", plain]).unwrap_err();
        assert!(error.to_string().contains("dangerous_allow_plain_jwt_type"), "{error}");
    }
}

#[test]
fn lifetimes_and_lengths_are_bounded() {
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    assert!(trusted().with_max_token_lifetime(days(366)).is_ok());
    for given in [Duration::ZERO, days(366) + Duration::from_nanos(1), Duration::MAX] {
        let error = trusted().with_max_token_lifetime(given).unwrap_err();
        assert!(matches!(error, ConfigError::Duration { .. }), "{error}");
    }
    let verifier = || Verifier::new(trusted());
    for good in [1024, 65_536] {
        assert!(verifier().with_max_token_length(good).is_ok());
    }
    for given in [0, 1023, 65_537, usize::MAX] {
        let error = verifier().with_max_token_length(given).unwrap_err();
        assert!(matches!(error, ConfigError::Number { .. }), "{error}");
        assert!(error.to_string().contains("65536"), "{error}");
    }
}

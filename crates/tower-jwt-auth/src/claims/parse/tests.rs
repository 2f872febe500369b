use std::collections::BTreeMap;

use super::*;

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Profile {
    name: String,
    age: Option<u8>,
}

fn profile(json: &str) -> Result<Profile, TokenError> {
    parse::<Profile>(json).map(|(_, profile)| profile)
}

fn error<C: for<'s> Deserialize<'s>>(json: &str) -> Option<TokenError> {
    parse::<C>(json).err()
}

#[test]
fn registered_claims_are_separated_from_the_applications_own() {
    let json =
        r#"{"iss":"i","name":"A","sub":"s","aud":"a","exp":1,"age":3,"iat":2.5,"scope":"x"}"#;
    let (registered, profile) = parse::<Profile>(json).unwrap();
    assert_eq!(profile, Profile { name: "A".into(), age: Some(3) });
    assert_eq!(registered.iss.as_deref(), Some("i"));
    assert_eq!(registered.sub.as_deref(), Some("s"));
    assert_eq!(registered.exp, Some(Timestamp::from_unix_seconds(1)));
    assert_eq!(registered.iat, Some(Timestamp::from_unix_millis(2500)));
    assert_eq!(registered.scope.as_deref(), Some("x"));
    assert!(registered.nbf.is_none() && registered.jti.is_none());
}

#[test]
fn types_of_every_shape_see_only_their_own_claims() {
    let json = r#"{"iss":"i","a":{"iss":1},"b":[2]}"#;
    let (_, map) = parse::<BTreeMap<String, serde_json::Value>>(json).unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "b"]);
    let (_, value) = parse::<serde_json::Value>(json).unwrap();
    assert_eq!(value, serde_json::json!({"a": {"iss": 1}, "b": [2]}));
    assert!(parse::<()>(json).is_ok());
    assert!(parse::<Option<serde_json::Value>>(json).unwrap().1.is_some());

    #[derive(Debug, serde::Deserialize)]
    struct Nothing {}
    assert!(parse::<Nothing>(json).is_ok());

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Exact {
        #[serde(rename = "a")]
        _a: serde_json::Value,
        #[serde(rename = "b")]
        _b: Vec<u8>,
    }
    assert!(parse::<Exact>(json).is_ok());
    assert_eq!(error::<Exact>(r#"{"a":1,"b":[],"c":1}"#), Some(TokenError::Claims));

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Kind {
        User { name: String },
        Robot,
    }
    assert_eq!(parse::<Kind>(r#"{"kind":"robot","sub":"s"}"#).unwrap().1, Kind::Robot);
    let user = parse::<Kind>(r#"{"name":"A","sub":"s","kind":"user"}"#).unwrap().1;
    assert_eq!(user, Kind::User { name: "A".into() });

    #[derive(Debug, serde::Deserialize)]
    struct Wrapper(Profile);
    assert_eq!(parse::<Wrapper>(r#"{"name":"A"}"#).unwrap().1.0.name, "A");

    #[derive(Debug, serde::Deserialize)]
    struct Outer {
        #[serde(flatten)]
        inner: Profile,
    }
    assert_eq!(parse::<Outer>(r#"{"name":"A","sub":"s"}"#).unwrap().1.inner.name, "A");
}

#[test]
fn a_type_that_stops_reading_early_hides_nothing() {
    #[derive(Debug)]
    struct First;
    impl<'s> Deserialize<'s> for First {
        fn deserialize<D: Deserializer<'s>>(deserializer: D) -> Result<Self, D::Error> {
            struct Once;
            impl<'s> Visitor<'s> for Once {
                type Value = First;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("one entry")
                }
                fn visit_map<A: MapAccess<'s>>(self, mut map: A) -> Result<First, A::Error> {
                    map.next_entry::<IgnoredAny, IgnoredAny>()?;
                    Ok(First)
                }
            }
            deserializer.deserialize_map(Once)
        }
    }
    let (registered, First) = parse(r#"{"x":1,"y":2,"exp":7}"#).unwrap();
    assert_eq!(registered.exp, Some(Timestamp::from_unix_seconds(7)));
    assert_eq!(error::<First>(r#"{"x":1,"y":2,"y":3}"#), Some(TokenError::Json(TokenPart::Claims)));

    #[derive(Debug)]
    struct Careless;
    impl<'s> Deserialize<'s> for Careless {
        fn deserialize<D: Deserializer<'s>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }
    assert!(error::<Careless>(r#"{"x":1}"#).is_some(), "the registered claims were not parsed");
}

#[test]
fn only_an_object_with_distinct_names_is_accepted() {
    for bad in [
        "",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{",
        r#"{"name":"A"} {}"#,
        r#"{"name":"A","name":"B"}"#,
        r#"{"name":"A","iss":"i","iss":"i"}"#,
        r#"{"name":"A","iss":"i","\u0069ss":"i"}"#,
        r#"{"name":"A","other":1,"other":1}"#,
        r#"{"name":"A","exp":1e999}"#,
    ] {
        assert_eq!(error::<Profile>(bad), Some(TokenError::Json(TokenPart::Claims)), "{bad}");
        assert!(parse::<()>(bad).is_err(), "{bad}");
    }
    for repeated in [r#"{"x":1,"x":1}"#, r#"{"sub":"s","sub":"s"}"#] {
        assert_eq!(error::<()>(repeated), Some(TokenError::Json(TokenPart::Claims)), "{repeated}");
    }
}

#[test]
fn a_claim_of_the_wrong_type_is_named() {
    for (json, claim) in [
        (r#"{"iss":["i"]}"#, "iss"),
        (r#"{"sub":1}"#, "sub"),
        (r#"{"jti":null}"#, "jti"),
        (r#"{"aud":1}"#, "aud"),
        (r#"{"aud":["a",1]}"#, "aud"),
        (r#"{"exp":"1"}"#, "exp"),
        (r#"{"nbf":null}"#, "nbf"),
        (r#"{"iat":true}"#, "iat"),
        (r#"{"auth_time":{}}"#, "auth_time"),
        (r#"{"scope":["a"]}"#, "scope"),
        (r#"{"sid":7}"#, "sid"),
        (r#"{"client_id":7}"#, "client_id"),
    ] {
        assert_eq!(error::<()>(json), Some(TokenError::Mistyped(claim)), "{json}");
    }
    assert_eq!(profile(r#"{"name":1}"#), Err(TokenError::Claims));
    assert_eq!(profile("{}"), Err(TokenError::Claims));
}

#[test]
fn dates_of_every_size_are_parsed() {
    let exp = |number: &str| {
        let json = format!(r#"{{"exp":{number}}}"#);
        parse::<()>(&json).ok().and_then(|(registered, ())| registered.exp)
    };
    let millis = |millis| Some(Timestamp::from_unix_millis(millis));
    assert_eq!(exp("0"), millis(0));
    assert_eq!(exp("-1"), millis(-1000));
    assert_eq!(exp("1.9999"), millis(1999));
    assert_eq!(exp("-0.5"), millis(-500));
    assert_eq!(exp("1e3"), millis(1_000_000));
    assert_eq!(exp("18446744073709551615"), Some(Timestamp::MAX));
    assert_eq!(exp("99999999999999999999999"), Some(Timestamp::MAX));
    assert_eq!(exp("1e300"), Some(Timestamp::MAX));
    assert_eq!(exp("-1e300"), millis(i64::MIN));
    assert_eq!(exp("1e400"), None);
}

#[test]
fn no_registered_claim_reaches_the_application() {
    for name in crate::claims::REGISTERED {
        let json = format!(r#"{{"{name}":{{}}}}"#);
        assert_eq!(error::<serde_json::Value>(&json), Some(TokenError::Mistyped(name)));
    }
}

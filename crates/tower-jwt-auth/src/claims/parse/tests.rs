use super::*;

fn error(json: &str) -> Option<TokenError> {
    parse(json).err()
}

fn text<'c>(claim: &'c Claim<Cow<'_, str>>) -> Claim<&'c str> {
    match claim {
        Claim::Value(text) => Claim::Value(text),
        Claim::Absent => Claim::Absent,
        Claim::Mistyped => Claim::Mistyped,
    }
}

#[test]
fn registered_claims_are_parsed_among_others() {
    let json =
        r#"{"iss":"i","name":"A","sub":"s","aud":"a","exp":1,"age":3,"iat":2.5,"scope":"x"}"#;
    let registered = parse(json).unwrap();
    assert_eq!(text(&registered.iss), Claim::Value("i"));
    assert_eq!(text(&registered.sub), Claim::Value("s"));
    assert_eq!(registered.exp, Claim::Value(Timestamp::from_unix_seconds(1)));
    assert_eq!(registered.iat, Claim::Value(Timestamp::from_unix_millis(2500)));
    assert_eq!(text(&registered.scope), Claim::Value("x"));
    assert_eq!((registered.nbf, text(&registered.jti)), (Claim::Absent, Claim::Absent));
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
        r#"{"x":1,"x":1}"#,
        r#"{"sub":"s","sub":"s"}"#,
        r#"{"sub":1,"sub":1}"#,
        r#"{"aud":null,"aud":"a"}"#,
        r#"{"sub":"\ud800"}"#,
        r#"{"sub":[}}"#,
    ] {
        assert_eq!(error(bad), Some(TokenError::Json(TokenPart::Claims)), "{bad}");
    }
}

#[test]
fn a_claim_of_another_type_is_kept_as_such() {
    let wrong = ["null", "true", "[1]", "{}", "[[]]"];
    for value in wrong.into_iter().chain(["1", r#"["i"]"#]) {
        let claims = |name: &str| format!(r#"{{"{name}":{value},"other":1}}"#);
        for name in ["iss", "sub", "jti", "sid", "client_id", "scope"] {
            let json = claims(name);
            let parsed = parse(&json).unwrap();
            let all =
                [parsed.iss, parsed.sub, parsed.jti, parsed.sid, parsed.client_id, parsed.scope];
            let mistyped = all.iter().filter(|claim| **claim == Claim::Mistyped).count();
            assert_eq!(mistyped, 1, "{json}");
        }
    }
    for value in wrong.into_iter().chain([r#""1""#, r#""2026-01-01T00:00:00Z""#]) {
        for name in ["exp", "nbf", "iat", "auth_time"] {
            let json = format!(r#"{{"{name}":{value}}}"#);
            let parsed = parse(&json).unwrap();
            let all = [parsed.exp, parsed.nbf, parsed.iat, parsed.auth_time];
            assert!(all.contains(&Claim::Mistyped), "{json}");
        }
    }
    for value in ["1", r#"["a",1]"#, "null", "{}"] {
        let json = format!(r#"{{"aud":{value}}}"#);
        assert!(matches!(parse(&json).unwrap().aud, Claim::Mistyped), "{json}");
    }
}

#[test]
fn dates_of_every_size_are_parsed() {
    let exp = |number: &str| match parse(&format!(r#"{{"exp":{number}}}"#)).map(|all| all.exp) {
        Ok(Claim::Value(exp)) => Some(exp),
        _ => None,
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
fn names_by_which_serde_json_marks_other_json_are_refused() {
    for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        let json = format!(r#"{{"{name}":"{{\"sub\":\"admin\"}}","sub":"s"}}"#);
        assert!(matches!(parse(&json), Err(TokenError::Json(TokenPart::Claims))), "{name}");
    }
}

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

/// Texts that the parser of compact claims sets accepts, and some that it leaves to the other one.
const TEXTS: &[&str] = &[
    r#"{"iss":"https://i.example","sub":"alice","aud":"a","client_id":"c","jti":"j","sid":"s","iat":1700000000,"exp":1700000300,"auth_time":1,"scope":"read write"}"#,
    r#"{"exp":123456789012345,"nbf":0,"aud":["a","b"],"name":"A","admin":true,"x":null,"y":false}"#,
    "{\"sub\":\"ä😀\u{7f}\"}",
    r#"{"aud":"a","aud":"a"}"#,
    r#"{"name":"A","name":"B"}"#,
    r#"{"sub":1,"exp":"1","aud":1,"iat":null,"scope":["a"]}"#,
    r#"{"a":{"b":[1]},"sub":"s"}"#,
    r#"{"exp":1.5,"iat":-1,"nbf":1e3,"auth_time":01}"#,
    r#"{"sub":"\u0041","na\u006de":1}"#,
    r#"{ "sub" : "s" }"#,
    r#"{"$serde_json::private::RawValue":"1"}"#,
    r#"{"aud":[],"b":[""],"c":[[]],"d":[1]}"#,
    "{}",
    r#"{"exp":9999999999999999}"#,
];

#[test]
fn claims_sets_as_issuers_write_them_take_the_short_path() {
    assert!(TEXTS[..3].iter().all(|text| compact::parse(text).is_some()));
    assert!(TEXTS[3..5].iter().all(|text| compact::parse(text).is_none()));
    assert!(compact::parse(TEXTS[5]).is_some(), "mistyped claims");
    assert!(TEXTS[6..].iter().all(|text| compact::parse(text).is_none()));
}

/// Every text that differs from one of these in one character is parsed as by `serde_json`.
#[test]
fn the_short_path_accepts_nothing_that_the_other_one_parses_differently() {
    let mut accepted = 0;
    let mut check = |text: &str| {
        if let Some(claims) = compact::parse(text) {
            accepted += 1;
            assert_eq!(Ok(claims), parse_any(text), "{text}");
        }
    };
    let characters: Vec<char> = "\"\\{}[]:,.-+eEtfn019aA$ \t\n\0\u{1f}\u{7f}é".chars().collect();
    for text in TEXTS {
        for (at, old) in text.char_indices() {
            let (before, after) = (&text[..at], &text[at + old.len_utf8()..]);
            check(&format!("{before}{after}"));
            for new in &characters {
                check(&format!("{before}{new}{after}"));
                check(&format!("{before}{new}{old}{after}"));
            }
        }
        check(&format!("{text}{text}"));
        check(&format!("{text} "));
        check(&text[..text.len() - 1]);
    }
    assert!(accepted > 5000, "{accepted}");
}

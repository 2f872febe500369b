use std::collections::BTreeMap;

use super::*;

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Profile {
    name: String,
    age: Option<u8>,
}

fn field<C: fmt::Debug + for<'s> Deserialize<'s>>(json: &str) -> Option<&'static str> {
    read::<C>(json).unwrap_err().field
}

#[test]
fn a_struct_sees_the_registered_claims_that_it_names() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct User {
        sub: String,
        exp: u64,
        scope: Option<String>,
        name: String,
    }
    let json = r#"{"iss":"i","sub":"s","exp":7,"scope":"read","name":"A","iat":1}"#;
    let user = User { sub: "s".into(), exp: 7, scope: Some("read".into()), name: "A".into() };
    assert_eq!(read::<User>(json).unwrap(), user);
    assert_eq!(read_stored::<User>(json).unwrap(), user);

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Exact {
        #[serde(rename = "name")]
        _name: String,
    }
    assert!(read::<Exact>(r#"{"sub":"s","exp":7,"name":"A"}"#).is_ok());
    assert!(read::<Exact>(r#"{"sub":"s","name":"A","other":1}"#).is_err());
}

#[test]
fn types_of_every_shape_see_the_whole_set() {
    let json = r#"{"iss":"i","a":{"iss":1},"b":[2]}"#;
    let map = read::<BTreeMap<String, serde_json::Value>>(json).unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "b", "iss"]);
    let value = read::<serde_json::Value>(json).unwrap();
    assert_eq!(value, serde_json::json!({"iss": "i", "a": {"iss": 1}, "b": [2]}));
    assert!(read::<Option<serde_json::Value>>(json).unwrap().is_some());

    #[derive(Debug, serde::Deserialize)]
    struct Nothing {}
    assert!(read::<Nothing>(json).is_ok());
    #[derive(Debug, serde::Deserialize)]
    struct Unit;
    assert!(read::<Unit>(json).is_ok());

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Kind {
        User { name: String },
        Robot,
    }
    assert_eq!(read::<Kind>(r#"{"kind":"robot","sub":"s"}"#).unwrap(), Kind::Robot);
    let user = read::<Kind>(r#"{"name":"A","sub":"s","kind":"user"}"#).unwrap();
    assert_eq!(user, Kind::User { name: "A".into() });

    #[derive(Debug, serde::Deserialize)]
    struct Wrapper(Profile);
    assert_eq!(read::<Wrapper>(r#"{"name":"A"}"#).unwrap().0.name, "A");

    #[derive(Debug, serde::Deserialize)]
    struct Outer {
        sub: String,
        #[serde(flatten)]
        inner: Profile,
    }
    let outer = read::<Outer>(r#"{"name":"A","sub":"s"}"#).unwrap();
    assert_eq!((&*outer.sub, &*outer.inner.name), ("s", "A"));
}

#[test]
fn a_type_that_does_not_fit_the_whole_set_is_read_from_the_other_claims() {
    let json = r#"{"sub":"s","exp":7,"plan":"basic","team":"x"}"#;
    let map = read::<BTreeMap<String, String>>(json).unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["plan", "team"]);
    // A stored map must not contain registered claims when it is stored again.
    let map = read_stored::<BTreeMap<String, serde_json::Value>>(json).unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["plan", "team"]);
}

#[test]
fn a_type_may_stop_early_or_read_nothing() {
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
    assert!(read::<First>(r#"{"x":1,"y":2,"exp":7}"#).is_ok());

    #[derive(Debug)]
    struct Careless;
    impl<'s> Deserialize<'s> for Careless {
        fn deserialize<D: Deserializer<'s>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }
    assert!(read::<Careless>(r#"{"x":1}"#).is_ok());
}

#[test]
fn an_error_names_the_field_and_never_a_name_of_the_token() {
    assert_eq!(field::<Profile>("{}"), Some("name"));
    assert_eq!(field::<Profile>(r#"{"name":1}"#), Some("name"));
    assert_eq!(field::<Profile>(r#"{"name":"A","age":"old"}"#), Some("age"));
    assert_eq!(field::<Profile>(r#"{"age":{"secret":1}}"#), Some("age"));

    #[derive(Debug, serde::Deserialize)]
    struct Nested {
        #[serde(rename = "profile")]
        _profile: Profile,
    }
    assert_eq!(field::<Nested>(r#"{"profile":{"secret":1}}"#), Some("profile"));

    #[derive(Debug, serde::Deserialize)]
    struct Flat {
        #[serde(flatten)]
        _inner: Profile,
    }
    assert_eq!(field::<Flat>(r#"{"age":1}"#), Some("name"));
    assert_eq!(field::<BTreeMap<String, u8>>(r#"{"secret":"x"}"#), None);
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Exact {}
    assert_eq!(field::<Exact>(r#"{"secret":"x"}"#), None);
}

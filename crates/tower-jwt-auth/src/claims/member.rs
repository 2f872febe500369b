use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer as _, IgnoredAny, MapAccess, Visitor};

use super::claim::Claim;
use crate::jws::Text;

/// Returns the claim of this name in a claims set that [`parse`](super::parse()) has accepted. For the claims that only
/// some issuers have.
pub(super) fn claim<'s, T: Deserialize<'s>>(json: &'s str, name: &str) -> Claim<T> {
    let mut found = Claim::Absent;
    // Stops at the claim, which is an error here alone.
    let _ = serde_json::Deserializer::from_str(json)
        .deserialize_map(Search { name, found: &mut found });
    found
}

/// As [`claim`], for a text.
pub(super) fn text<'s>(json: &'s str, name: &str) -> Claim<Cow<'s, str>> {
    claim(json, name).map(|Text(text)| text)
}

struct Search<'n, T> {
    name: &'n str,
    found: &'n mut Claim<T>,
}

impl<'s, T: Deserialize<'s>> Visitor<'s> for Search<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claims set")
    }

    fn visit_map<A: MapAccess<'s>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            if name == self.name {
                *self.found = map.next_value().unwrap_or(Claim::Mistyped);
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_wherever_it_is() {
        let json = r#"{"a":{"azp":"x"},"\u0061zp":"y","b":[1],"last":"z","odd":1e999}"#;
        assert_eq!(text(json, "azp"), Claim::Value("y".into()));
        assert_eq!(text(json, "last"), Claim::Value("z".into()));
        assert_eq!(text(json, "b"), Claim::Mistyped);
        assert_eq!(claim::<f64>(json, "odd"), Claim::Mistyped);
        assert_eq!(text(json, "x"), Claim::Absent);
    }
}

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use tower_jwt_auth_core::Timestamp;

use super::claim::Claim;
use super::compact;
use super::registered::RegisteredClaims;
use super::values::NumericDate;
use crate::error::{TokenError, TokenPart};
use crate::jws::{SeenNames, Text};

/// Parses the registered claims. Their types are not checked, but the whole claims set must be a JSON object with
/// distinct member names.
pub(crate) fn parse(json: &str) -> Result<RegisteredClaims<'_>, TokenError> {
    compact::parse(json).map_or_else(|| parse_any(json), Ok)
}

fn parse_any(json: &str) -> Result<RegisteredClaims<'_>, TokenError> {
    let malformed = |_| TokenError::Json(TokenPart::Claims);
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let claims = deserializer.deserialize_map(ClaimsVisitor).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(claims)
}

struct ClaimsVisitor;

impl<'s> Visitor<'s> for ClaimsVisitor {
    type Value = RegisteredClaims<'s>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claims set")
    }

    fn visit_map<A: MapAccess<'s>>(self, mut map: A) -> Result<RegisteredClaims<'s>, A::Error> {
        let mut claims = RegisteredClaims::default();
        let mut others = SeenNames::default();
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "iss" => claims.iss.set(text(&mut map)?)?,
                "sub" => claims.sub.set(text(&mut map)?)?,
                "aud" => claims.aud.set(map.next_value()?)?,
                "exp" => claims.exp.set(date(&mut map)?)?,
                "nbf" => claims.nbf.set(date(&mut map)?)?,
                "iat" => claims.iat.set(date(&mut map)?)?,
                "jti" => claims.jti.set(text(&mut map)?)?,
                "sid" => claims.sid.set(text(&mut map)?)?,
                "client_id" => claims.client_id.set(text(&mut map)?)?,
                "auth_time" => claims.auth_time.set(date(&mut map)?)?,
                "scope" => claims.scope.set(text(&mut map)?)?,
                // Markers of serde_json, by which a text becomes other JSON if a feature of it is on.
                _ if name.starts_with("$serde_json::private::") => {
                    return Err(de::Error::custom("a member has a name of serde_json"));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    others.add(name)?;
                }
            }
        }
        Ok(claims)
    }
}

fn text<'s, A: MapAccess<'s>>(map: &mut A) -> Result<Claim<Cow<'s, str>>, A::Error> {
    Ok(map.next_value::<Claim<Text<'s>>>()?.map(|Text(text)| text))
}

fn date<'s, A: MapAccess<'s>>(map: &mut A) -> Result<Claim<Timestamp>, A::Error> {
    Ok(map.next_value::<Claim<NumericDate>>()?.map(|NumericDate(date)| date))
}

#[cfg(test)]
mod tests;

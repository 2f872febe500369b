//! The check of a token without a request: by jsonwebtoken, and the signature alone.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

use super::Row;
use crate::BoxError;
use crate::case::{Case, FnCase};
use crate::keys::Key;
use crate::tokens::{AUDIENCE, AccessClaims, ISSUER};

pub(super) fn case(row: Row, key: &Key) -> Result<Option<Box<dyn Case>>, BoxError> {
    if row == Row::Signature {
        let parsed = key.parsed()?;
        let check = move |(input, signature): &(String, Vec<u8>)| {
            parsed.verifies(input.as_bytes(), signature)
        };
        return Ok(Some(Box::new(FnCase::new(|token| token.signed().unwrap_or_default(), check))));
    }
    let Ok(algorithm) = key.algorithm().as_str().parse::<Algorithm>() else { return Ok(None) };
    let jwks: JwkSet = serde_json::from_str(&key.jwks()?)?;
    let jwk = jwks.keys.first().ok_or("the set is empty")?;
    let key = DecodingKey::from_jwk(jwk)?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    let check =
        move |token: &String| decode::<AccessClaims>(token.as_str(), &key, &validation).is_ok();
    Ok(Some(Box::new(FnCase::new(|token| token.text().to_owned(), check))))
}

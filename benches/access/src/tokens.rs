//! The tokens of a run. All have the same claims, apart from ids and subjects.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use http::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::BoxError;
use crate::keys::{Key, base64};

pub(crate) const ISSUER: &str = "https://shop.example";
pub(crate) const AUDIENCE: &str = "https://api.shop.example";

/// The claims of an access token (RFC 9068 §2.2), as the other middleware deserializes them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct AccessClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) exp: u64,
    pub(crate) iat: u64,
    pub(crate) jti: String,
    pub(crate) client_id: String,
    pub(crate) sid: String,
    pub(crate) scope: String,
}

/// A token in the header that carries it. Clones share the text.
#[derive(Clone, Debug)]
pub(crate) struct Token(HeaderValue);

impl Token {
    fn new(text: &str) -> Result<Self, BoxError> {
        Ok(Self(HeaderValue::try_from(format!("Bearer {text}"))?))
    }

    /// Returns a copy of the header, which is in the caches of the processor as one that has just been received.
    pub(crate) fn received(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.0.as_bytes()).unwrap_or_else(|_| self.0.clone())
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default()
    }

    /// Returns the signing input and the decoded signature.
    pub(crate) fn signed(&self) -> Result<(String, Vec<u8>), BoxError> {
        let (input, signature) = self.text().rsplit_once('.').ok_or("the token has no dot")?;
        let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature)?;
        Ok((input.to_owned(), signature))
    }

    /// Returns this token with the signature of another one.
    pub(crate) fn with_signature_of(&self, other: &Self) -> Result<Self, BoxError> {
        let (input, _) = self.text().rsplit_once('.').ok_or("the token has no dot")?;
        let (_, signature) = other.text().rsplit_once('.').ok_or("the token has no dot")?;
        Self::new(&format!("{input}.{signature}"))
    }
}

/// Issues this number of distinct tokens that are valid for an hour.
pub(crate) fn issue(key: &Key, number: usize) -> Result<Arc<[Token]>, BoxError> {
    issue_expiring(key, number, now() + 3600)
}

/// Issues this number of tokens whose lifetime is over.
pub(crate) fn issue_expired(key: &Key, number: usize) -> Result<Arc<[Token]>, BoxError> {
    issue_expiring(key, number, now() - 600)
}

/// Returns as many tokens as are given, each with the signature of another one.
pub(crate) fn forge(tokens: &[Token]) -> Result<Arc<[Token]>, BoxError> {
    let others = tokens.iter().cycle().skip(1);
    tokens.iter().zip(others).map(|(token, other)| token.with_signature_of(other)).collect()
}

fn issue_expiring(key: &Key, number: usize, exp: u64) -> Result<Arc<[Token]>, BoxError> {
    let header =
        format!(r#"{{"typ":"at+jwt","alg":"{}","kid":"{}"}}"#, key.algorithm().as_str(), key.id());
    let header = base64(header.as_bytes());
    (0..number)
        .map(|number| {
            let claims = AccessClaims {
                iss: ISSUER.to_owned(),
                sub: format!("user-{number:07}"),
                aud: AUDIENCE.to_owned(),
                exp,
                iat: exp - 3600,
                jti: random_id()?,
                client_id: AUDIENCE.to_owned(),
                sid: random_id()?,
                scope: "read write".to_owned(),
            };
            let input = format!("{header}.{}", base64(&serde_json::to_vec(&claims)?));
            let signature = base64(&key.sign(input.as_bytes())?);
            Token::new(&format!("{input}.{signature}"))
        })
        .collect()
}

/// Returns an id of 128 random bits.
fn random_id() -> Result<String, BoxError> {
    let mut random = [0; 16];
    rand::fill(&mut random)?;
    Ok(base64(&random))
}

/// Returns the Unix time in seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

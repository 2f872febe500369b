//! Refresh tokens: their claims, how they are issued and verified.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_jwt_auth_core::{PresentedToken, SecretHash, Session, SessionId, Timestamp, TokenId};
use zeroize::Zeroizing;

use crate::base64url::{Text128, decode_128};
use crate::claims::ClaimsError;
use crate::issuer::{IssueError, sign};
use crate::jws::{self, DecodeBuffer, Header};
use crate::keys::crypto::{self, CryptoError, sha256};
use crate::keys::{RefreshSecrets, SigningKey};

/// The `typ` of refresh tokens. No other kind of token has it.
const TYPE: &str = "refresh+jwt";
/// The maximum length of a token in bytes. Browsers accept 4096 bytes for the name and the value of a cookie (RFC
/// 6265bis §5.6), and a name has at most 64.
pub(crate) const MAX_LENGTH: usize = 4096 - 64;

/// The 128 random bits of a session. Its refresh tokens contain them; the store has only their hash. They are wiped on
/// drop.
#[derive(Clone)]
pub(crate) struct SessionSecret(Zeroizing<[u8; 16]>);

impl SessionSecret {
    pub(crate) fn random() -> Result<Self, IssueError> {
        crypto::random().map(Self).map_err(|_| IssueError::Entropy)
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut bits = Zeroizing::new([0; 16]);
        decode_128(text, &mut bits).then_some(Self(bits))
    }

    pub(crate) fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(sha256(&[self.0.as_slice()]))
    }
}

/// The claims. During a session only the generation and the `jti`, which depends on it, change: any node that receives
/// a token can issue the same successor.
///
/// They are borrowed from a text that is wiped: base64url has no escapes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefreshClaims<'t> {
    #[serde(borrow)]
    iss: Cow<'t, str>,
    #[serde(borrow)]
    sid: Cow<'t, str>,
    #[serde(rename = "gen")]
    generation: u64,
    #[serde(borrow)]
    sec: Cow<'t, str>,
    #[serde(borrow)]
    jti: Cow<'t, str>,
    exp: i64,
}

impl RefreshClaims<'_> {
    /// Serializes the claims into a buffer that is wiped.
    fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, IssueError> {
        // With room for the longest claims: a buffer that grows leaves copies behind. A character of the issuer takes at
        // most 6 bytes (RFC 8259 §7).
        let capacity = 192 + 6 * self.iss.len();
        let mut json = Zeroizing::new(Vec::with_capacity(capacity));
        serde_json::to_writer(&mut *json, self).map_err(ClaimsError::Serialize)?;
        Ok(json)
    }
}

/// Returns the id of the refresh token of a generation. Only a holder of one of the session's tokens can compute it.
fn token_id(sid: SessionId, generation: u64, secret: &SessionSecret) -> TokenId {
    let generation = generation.to_be_bytes();
    let hash = sha256(&[b"jti", sid.as_bytes(), &generation, secret.0.as_slice()]);
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    TokenId::from_bytes(id)
}

/// Issues the refresh token of the session's current generation.
pub(crate) fn issue(
    secrets: &RefreshSecrets,
    session: &Session,
    secret: &SessionSecret,
    now: Timestamp,
) -> Result<RefreshToken, IssueError> {
    let record = session.record();
    let id = token_id(record.id, record.generation, secret);
    let (sid, jti) = (Text128::new(record.id.as_bytes()), Text128::new(id.as_bytes()));
    let mut sec = Zeroizing::new(Text128::default());
    sec.set(&secret.0);
    let claims = RefreshClaims {
        iss: record.issuer.as_str().into(),
        sid: (*sid).into(),
        generation: record.generation,
        sec: (**sec).into(),
        jti: (*jti).into(),
        exp: record.expires_at.unix_seconds(),
    };
    let json = claims.to_json()?;
    let text = sign(secrets.current(), TYPE, &json);
    let text = Zeroizing::new(text.map_err(|CryptoError| IssueError::Signature)?);
    if text.len() > MAX_LENGTH {
        return Err(IssueError::TooLong { length: text.len(), max: MAX_LENGTH });
    }
    let valid_for = session.valid_until().since(now);
    Ok(RefreshToken { text, id, session_id: record.id, generation: record.generation, valid_for })
}

/// A refresh token whose signature, type, issuer and id have been verified.
#[derive(Clone)]
pub(crate) struct VerifiedRefreshToken {
    pub(crate) session_id: SessionId,
    pub(crate) generation: u64,
    pub(crate) secret: SessionSecret,
    /// The hash of the secret, computed once.
    secret_hash: SecretHash,
    pub(crate) id: TokenId,
    /// The absolute expiry of the session.
    pub(crate) expires_at: Timestamp,
}

impl VerifiedRefreshToken {
    /// Returns the hash of the session's secret, as the store has it.
    pub(crate) fn secret_hash(&self) -> SecretHash {
        self.secret_hash
    }

    pub(crate) fn presented(&self) -> PresentedToken {
        PresentedToken { generation: self.generation, secret_hash: self.secret_hash }
    }

    /// Returns the id of the token of another generation of this session.
    pub(crate) fn id_at(&self, generation: u64) -> TokenId {
        token_id(self.session_id, generation, &self.secret)
    }

    /// Returns whether both are tokens of the same session. A token with the same `sid` and another secret is not.
    pub(crate) fn is_of_same_session_as(&self, other: &Self) -> bool {
        self.session_id == other.session_id && self.secret_hash == other.secret_hash
    }
}

/// The token is not a refresh token of this issuer: it is malformed, has another type or issuer, or its signature does
/// not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidRefreshToken;

/// Returns the key that a header names, if it is the header of a refresh token.
fn key_of<'s>(secrets: &'s RefreshSecrets, header: &str) -> Option<&'s SigningKey> {
    let header = Header::parse(header).ok()?;
    let key = secrets.find(header.key_id.as_deref()?)?;
    (header.has_type(TYPE) && header.algorithm == key.algorithm()).then_some(key)
}

/// Verifies a refresh token as far as this is possible without the store and the time.
pub(crate) fn verify(
    secrets: &RefreshSecrets,
    issuer: &str,
    token: &str,
) -> Result<VerifiedRefreshToken, InvalidRefreshToken> {
    if token.len() > MAX_LENGTH {
        return Err(InvalidRefreshToken);
    }
    let segments = jws::split(token).map_err(|_| InvalidRefreshToken)?;
    let mut buffer = Zeroizing::new(DecodeBuffer::default());
    // The header that this library writes needs no parser.
    let known = secrets.keys().find(|key| *key.header(TYPE) == *segments.header);
    let decoded = buffer.decode(segments, known.is_some()).map_err(|_| InvalidRefreshToken)?;
    let key = known
        .or_else(|| key_of(secrets, decoded.header.unwrap_or_default()))
        .ok_or(InvalidRefreshToken)?;
    key.verifying_key()
        .verify(key.algorithm(), segments.signing_input.as_bytes(), decoded.signature)
        .map_err(|_| InvalidRefreshToken)?;
    let claims: RefreshClaims<'_> =
        serde_json::from_str(decoded.claims).map_err(|_| InvalidRefreshToken)?;
    if claims.iss != issuer {
        return Err(InvalidRefreshToken);
    }
    let session_id: SessionId = claims.sid.parse().map_err(|_| InvalidRefreshToken)?;
    let secret = SessionSecret::from_text(&claims.sec).ok_or(InvalidRefreshToken)?;
    let id = token_id(session_id, claims.generation, &secret);
    if claims.jti != *Text128::new(id.as_bytes()) {
        return Err(InvalidRefreshToken);
    }
    let expires_at = Timestamp::from_unix_seconds(claims.exp);
    Ok(VerifiedRefreshToken {
        session_id,
        generation: claims.generation,
        secret_hash: secret.hash(),
        secret,
        id,
        expires_at,
    })
}

/// A refresh token, which is a secret. `Debug` does not show its text, which is wiped on drop. Copies in responses and
/// in the buffers of the HTTP server are not wiped.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth::{Issuer, MemoryStore, RefreshSecrets, Sessions, SignIn, SigningKey};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = Issuer::new("https://shop.example", "https://api.shop.example", SigningKey::generate()?)?;
/// # let sessions = Sessions::builder(issuer, RefreshSecrets::generate()?, MemoryStore::new()).build()?;
/// let tokens = sessions.start(SignIn::new("alice")).await?;
/// let refresh_token = tokens.refresh();
/// assert_eq!(refresh_token.generation(), 0);
/// assert!(!format!("{refresh_token:?}").contains(refresh_token.as_str()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RefreshToken {
    text: Zeroizing<String>,
    id: TokenId,
    session_id: SessionId,
    generation: u64,
    valid_for: Duration,
}

impl RefreshToken {
    /// Returns the text of the token. Only its client may receive it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns its id, the `jti` claim (RFC 7519 §4.1.7).
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// Returns the id of the session that it refreshes.
    pub fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// Returns its number in the session, which starts at 0 and increases with each rotation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns its lifetime from when it was issued. It becomes invalid earlier if its session is ended.
    pub fn valid_for(&self) -> Duration {
        self.valid_for
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken")
            .field("id", &self.id)
            .field("session_id", &self.session_id)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_of_the_claims_does_not_grow() {
        for issuer in ["", "https://shop.example", "\u{1}\u{1f}\"\\é😀"] {
            let text = Text128::new(&[0xff; 16]);
            let claims = RefreshClaims {
                iss: issuer.into(),
                sid: (*text).into(),
                generation: u64::MAX,
                sec: (*text).into(),
                jti: (*text).into(),
                exp: i64::MIN,
            };
            assert_eq!(claims.to_json().unwrap().capacity(), 192 + 6 * issuer.len(), "{issuer}");
        }
    }
}

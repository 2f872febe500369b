//! Refresh tokens: what they say, how they are made and opened.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_jwt_auth_core::{PresentedToken, SecretHash, Session, SessionId, Timestamp, TokenId};

use crate::claims::ClaimsError;
use crate::issuer::{IssueError, sign};
use crate::jws::{self, DecodeBuffer, Header};
use crate::keys::crypto::{self, sha256};
use crate::keys::{RefreshSecrets, decode_base64url, encode_base64url};

/// The type of refresh tokens; ours alone.
const TYPE: &str = "refresh+jwt";
/// The longest token: browsers take 4096 bytes of name and value (RFC 6265bis §5.6), and a name has 64 at most.
pub(crate) const MAX_LENGTH: usize = 4096 - 64;

/// The 128 random bits of a session that its refresh tokens carry and its row does not.
#[derive(Clone)]
pub(crate) struct SessionSecret([u8; 16]);

impl SessionSecret {
    pub(crate) fn random() -> Result<Self, IssueError> {
        crypto::random().map(Self).map_err(|_| IssueError::Entropy)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(sha256(&[&self.0]))
    }
}

/// The claims. Nothing in them but the generation, and what follows from it, changes while a session lives:
/// any node that is shown one can make the next again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefreshClaims<'t> {
    iss: std::borrow::Cow<'t, str>,
    sid: String,
    #[serde(rename = "gen")]
    generation: u64,
    sec: String,
    jti: String,
    exp: i64,
}

/// The name of the refresh token of a generation, which only those can compute who have seen one.
fn token_id(sid: SessionId, generation: u64, secret: &SessionSecret) -> TokenId {
    let generation = generation.to_be_bytes();
    let hash = sha256(&[b"jti", sid.as_bytes(), &generation, &secret.0]);
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    TokenId::from_bytes(id)
}

/// Makes the refresh token of a session's current generation.
pub(crate) fn issue(
    secrets: &RefreshSecrets,
    session: &Session,
    secret: &SessionSecret,
    now: Timestamp,
) -> Result<RefreshToken, IssueError> {
    let row = session.record();
    let id = token_id(row.id, row.generation, secret);
    let claims = RefreshClaims {
        iss: row.issuer.as_str().into(),
        sid: row.id.to_string(),
        generation: row.generation,
        sec: encode_base64url(&secret.0),
        jti: id.to_string(),
        exp: row.expires_at.unix_seconds(),
    };
    let claims = serde_json::to_vec(&claims).map_err(ClaimsError::Serialize)?;
    let text = sign(secrets.current(), TYPE, &claims)?;
    if text.len() > MAX_LENGTH {
        return Err(IssueError::TooLong { length: text.len(), most: MAX_LENGTH });
    }
    let valid_for = session.valid_until().since(now);
    Ok(RefreshToken { text, id, session_id: row.id, generation: row.generation, valid_for })
}

/// A refresh token whose signature is right.
#[derive(Clone)]
pub(crate) struct VerifiedRefreshToken {
    pub(crate) session_id: SessionId,
    pub(crate) generation: u64,
    pub(crate) secret: SessionSecret,
    pub(crate) id: TokenId,
    /// The session's absolute end.
    pub(crate) expires_at: Timestamp,
}

impl VerifiedRefreshToken {
    pub(crate) fn presented(&self) -> PresentedToken {
        PresentedToken { generation: self.generation, secret_hash: self.secret.hash() }
    }

    /// The name of the token of another generation of its session.
    pub(crate) fn id_at(&self, generation: u64) -> TokenId {
        token_id(self.session_id, generation, &self.secret)
    }

    /// Whether the two are of one session. One with another secret is not, though it names the session.
    pub(crate) fn is_of_one_session_with(&self, other: &Self) -> bool {
        self.session_id == other.session_id && self.secret.hash() == other.secret.hash()
    }
}

/// The token is none of ours: malformed, of another type or issuer, or with a signature that does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidRefreshToken;

/// Checks everything about a refresh token that can be told without the store and the time.
pub(crate) fn verify(
    secrets: &RefreshSecrets,
    issuer: &str,
    token: &str,
) -> Result<VerifiedRefreshToken, InvalidRefreshToken> {
    if token.len() > MAX_LENGTH {
        return Err(InvalidRefreshToken);
    }
    let segments = jws::split(token).map_err(|_| InvalidRefreshToken)?;
    let mut buffer = DecodeBuffer::default();
    let decoded = buffer.decode(segments).map_err(|_| InvalidRefreshToken)?;
    let header = Header::parse(decoded.header).map_err(|_| InvalidRefreshToken)?;
    let key =
        header.key_id.as_deref().and_then(|kid| secrets.find(kid)).ok_or(InvalidRefreshToken)?;
    if !header.has_type(TYPE) || header.algorithm != key.algorithm() {
        return Err(InvalidRefreshToken);
    }
    key.verifying_key()
        .verify(segments.signed.as_bytes(), decoded.signature)
        .map_err(|_| InvalidRefreshToken)?;
    let claims: RefreshClaims<'_> =
        serde_json::from_str(decoded.claims).map_err(|_| InvalidRefreshToken)?;
    if claims.iss != issuer {
        return Err(InvalidRefreshToken);
    }
    let session_id: SessionId = claims.sid.parse().map_err(|_| InvalidRefreshToken)?;
    let secret = decode_base64url(&claims.sec).ok_or(InvalidRefreshToken)?;
    let secret = SessionSecret::from_bytes(&secret).ok_or(InvalidRefreshToken)?;
    let id = token_id(session_id, claims.generation, &secret);
    if claims.jti != id.to_string() {
        return Err(InvalidRefreshToken);
    }
    let expires_at = Timestamp::from_unix_seconds(claims.exp);
    Ok(VerifiedRefreshToken { session_id, generation: claims.generation, secret, id, expires_at })
}

/// A refresh token: a secret. `Debug` does not show it.
#[derive(Clone)]
pub struct RefreshToken {
    text: String,
    id: TokenId,
    session_id: SessionId,
    generation: u64,
    valid_for: Duration,
}

impl RefreshToken {
    /// The token itself, for the client and nobody else.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its name: the `jti` claim.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// The session that it refreshes.
    pub fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// Which of the session's refresh tokens it is, the first one being 0.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How long it can be used from when it was made, unless the session ends before.
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

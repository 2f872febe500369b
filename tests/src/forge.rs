use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Map, Value, json};

use crate::{AUDIENCE, ISSUER, START};

/// Makes tokens by hand, with another implementation of the algorithms than the one under test: what it signs
/// and what that one accepts must agree.
pub struct Forge {
    algorithm: jsonwebtoken::Algorithm,
    key: EncodingKey,
}

impl Forge {
    pub fn new(algorithm: jsonwebtoken::Algorithm, key: EncodingKey) -> Self {
        Self { algorithm, key }
    }

    pub fn hs256(secret: &[u8]) -> Self {
        Self::new(jsonwebtoken::Algorithm::HS256, EncodingKey::from_secret(secret))
    }

    /// The signature of any text.
    pub fn signature(&self, signed: &str) -> Vec<u8> {
        let signer = (DEFAULT_PROVIDER.signer_factory)(&self.algorithm, &self.key).unwrap();
        signer.try_sign(signed.as_bytes()).unwrap()
    }

    /// A token of any two texts, which need not be JSON.
    pub fn token(&self, header: &str, claims: &str) -> String {
        self.segments(&encode(header.as_bytes()), &encode(claims.as_bytes()))
    }

    /// A token of any two segments, which need not be base64url.
    pub fn segments(&self, header: &str, claims: &str) -> String {
        let signed = format!("{header}.{claims}");
        let signature = encode(&self.signature(&signed));
        format!("{signed}.{signature}")
    }
}

pub fn encode(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// A segment of a token as JSON.
pub fn decode(token: &str, segment: usize) -> serde_json::Value {
    let segment = token.split('.').nth(segment).expect("a segment");
    let json = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(segment).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// Header and claims of an access token that lacks nothing, to be changed in one thing.
#[derive(Clone)]
pub struct Draft {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Draft {
    /// What [`crate::World`] issues to alice when it begins.
    pub fn access(algorithm: &str, key_id: &str) -> Self {
        let start = START.unix_seconds();
        Self::of(
            json!({ "typ": "at+jwt", "alg": algorithm, "kid": key_id }),
            json!({
                "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "client_id": AUDIENCE, "jti": "a-token",
                "sid": "a-session", "iat": start, "exp": start + 300, "auth_time": start,
                "scope": "read write", "name": "Alice",
            }),
        )
    }

    /// Takes two objects.
    pub fn of(header: Value, claims: Value) -> Self {
        let (Value::Object(header), Value::Object(claims)) = (header, claims) else {
            panic!("a header and claims are objects");
        };
        Self { header, claims }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name).expect("it was there");
        self
    }

    #[must_use]
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name).expect("it was there");
        self
    }

    #[must_use]
    pub fn without_claim_if_any(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    pub fn header_json(&self) -> String {
        serde_json::to_string(&self.header).unwrap()
    }

    pub fn claims_json(&self) -> String {
        serde_json::to_string(&self.claims).unwrap()
    }

    pub fn sign(&self, forge: &Forge) -> String {
        forge.token(&self.header_json(), &self.claims_json())
    }
}

/// Whether the other implementation accepts a token's signature.
pub fn verifies(algorithm: jsonwebtoken::Algorithm, key: &DecodingKey, token: &str) -> bool {
    let (signed, signature) = token.rsplit_once('.').expect("segments");
    let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap();
    let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm, key).unwrap();
    verifier.verify(signed.as_bytes(), &signature).is_ok()
}

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, PqdsaKeyPair, UnparsedPublicKey, VerificationAlgorithm};
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Map, Value, json};

use crate::{AUDIENCE, ISSUER, START};

/// Signs tokens with an implementation of the algorithms that is independent of the one under test. `jsonwebtoken` lacks
/// ES512 and ML-DSA: these use the library directly, and the vectors of the RFCs are tests of their own.
pub struct TokenSigner {
    key: SignerKey,
}

enum SignerKey {
    Independent(jsonwebtoken::Algorithm, EncodingKey),
    Ec(EcdsaKeyPair),
    MlDsa(PqdsaKeyPair),
}

impl TokenSigner {
    pub fn new(algorithm: jsonwebtoken::Algorithm, key: EncodingKey) -> Self {
        Self { key: SignerKey::Independent(algorithm, key) }
    }

    pub fn ec(key: EcdsaKeyPair) -> Self {
        Self { key: SignerKey::Ec(key) }
    }

    pub fn ml_dsa(key: PqdsaKeyPair) -> Self {
        Self { key: SignerKey::MlDsa(key) }
    }

    pub fn hs256(secret: &[u8]) -> Self {
        Self::new(jsonwebtoken::Algorithm::HS256, EncodingKey::from_secret(secret))
    }

    /// Returns the signature of a text.
    pub fn signature(&self, signed: &str) -> Vec<u8> {
        let signed = signed.as_bytes();
        match &self.key {
            SignerKey::Independent(algorithm, key) => {
                let signer = (DEFAULT_PROVIDER.signer_factory)(algorithm, key).unwrap();
                signer.try_sign(signed).unwrap()
            }
            SignerKey::Ec(key) => key.sign(&SystemRandom::new(), signed).unwrap().as_ref().to_vec(),
            SignerKey::MlDsa(key) => {
                let mut signature = vec![0; key.algorithm().signature_len()];
                key.sign(signed, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Returns a signed token of two texts, which need not be JSON.
    pub fn token(&self, header: &str, claims: &str) -> String {
        self.segments(&encode(header.as_bytes()), &encode(claims.as_bytes()))
    }

    /// Returns a signed token of two segments, which need not be base64url.
    pub fn segments(&self, header: &str, claims: &str) -> String {
        let signed = format!("{header}.{claims}");
        let signature = encode(&self.signature(&signed));
        format!("{signed}.{signature}")
    }
}

pub fn encode(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Decodes a segment of a token as JSON.
pub fn decode(token: &str, segment: usize) -> serde_json::Value {
    let segment = token.split('.').nth(segment).expect("a segment");
    let json = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(segment).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// The header and claims of a valid access token. A test changes one thing in them.
#[derive(Clone)]
pub struct TokenBuilder {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TokenBuilder {
    /// Creates the header and claims of the token that [`crate::Harness`] issues to alice at [`START`].
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

    /// Creates the header and claims from two JSON objects.
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

    /// Returns a token with this signature, in base64url, which may be that of another token.
    pub fn with_signature(&self, signature: &str) -> String {
        let (header, claims) = (self.header_json(), self.claims_json());
        format!("{}.{}.{signature}", encode(header.as_bytes()), encode(claims.as_bytes()))
    }

    pub fn sign(&self, signer: &TokenSigner) -> String {
        signer.token(&self.header_json(), &self.claims_json())
    }
}

/// Verifies signatures with the implementations of [`TokenSigner`].
pub enum TokenVerifier {
    Independent(jsonwebtoken::Algorithm, DecodingKey),
    /// A public key as SPKI.
    Direct(&'static dyn VerificationAlgorithm, Vec<u8>),
}

impl TokenVerifier {
    /// Returns whether the other implementation accepts the signature of a token.
    pub fn verifies(&self, token: &str) -> bool {
        let (signed, signature) = token.rsplit_once('.').expect("segments");
        let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap();
        match self {
            Self::Independent(algorithm, key) => {
                let verifier = (DEFAULT_PROVIDER.verifier_factory)(algorithm, key).unwrap();
                verifier.verify(signed.as_bytes(), &signature).is_ok()
            }
            Self::Direct(algorithm, spki) => UnparsedPublicKey::new(*algorithm, spki)
                .verify(signed.as_bytes(), &signature)
                .is_ok(),
        }
    }
}

use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;

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

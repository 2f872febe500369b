//! The contents of the file, and the steps of a change of keys.

use std::error::Error;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower_jwt_auth::keys::KeyRing;
use tower_jwt_auth::{Algorithm, KeySet, RefreshSecrets, SigningKey, Timestamp, VerifyingKey};
use zeroize::Zeroizing;

use super::{Keys, file};

/// The contents of the file. It has no `Debug`, which would show the keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    /// An Ed25519 private key as PKCS#8 in PEM.
    signing_key: Zeroizing<String>,
    /// At least 32 random bytes in base64url.
    refresh_secret: Zeroizing<String>,
    /// The key that signs next. It is published and accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_signing_key: Option<Zeroizing<String>>,
    /// The public part of the key that signs next, as a JWK (RFC 7517), if its private part is kept elsewhere until
    /// then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_public_key: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_refresh_secret: Option<Zeroizing<String>>,
    /// The key that signed before. It is accepted until its tokens have expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_signing_key: Option<PreviousKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_refresh_secret: Option<Zeroizing<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviousKey {
    /// The public key as a JWK (RFC 7517).
    jwk: Value,
    /// When the last process stopped signing with it, in seconds since 1970.
    retired_at: i64,
}

type BoxError = Box<dyn Error>;

impl KeyFile {
    pub(super) fn generate() -> Result<Self, BoxError> {
        Ok(Self {
            signing_key: SigningKey::generate_pem()?,
            refresh_secret: generate_secret()?,
            next_signing_key: None,
            next_public_key: None,
            next_refresh_secret: None,
            previous_signing_key: None,
            previous_refresh_secret: None,
        })
    }

    pub(super) fn parse(text: &str) -> Result<Self, BoxError> {
        // The error of serde_json quotes the text, which is secret. The position does not.
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let text = "it is not a JSON object of signing_key and refresh_secret";
            format!("{text}: see line {line}, column {column}").into()
        })
    }

    pub(super) fn to_text(&self) -> Result<Zeroizing<String>, BoxError> {
        // With room for all of it: a buffer that grows leaves copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(file::MAX_SIZE as usize));
        serde_json::to_writer_pretty(&mut *text, self)?;
        text.push(b'\n');
        Ok(Zeroizing::new(String::from_utf8(std::mem::take(&mut *text))?))
    }

    /// Returns the keys.
    pub(super) fn keys(&self) -> Result<Keys, BoxError> {
        let mut ring = KeyRing::new(signing_key("signing_key", &self.signing_key)?);
        // Of both, one would not be meant.
        if self.next_signing_key.is_some() && self.next_public_key.is_some() {
            return Err("next_public_key: remove it, next_signing_key contains it".into());
        }
        if let Some(next) = &self.next_signing_key {
            let next = signing_key("next_signing_key", next)?.verifying_key().clone();
            ring = ring.with_next(next).map_err(|error| format!("next_signing_key: {error}"))?;
        }
        if let Some(next) = &self.next_public_key {
            let next = public_key("next_public_key", next)?;
            ring = ring.with_next(next).map_err(|error| format!("next_public_key: {error}"))?;
        }
        if let Some(previous) = &self.previous_signing_key {
            let key = public_key("previous_signing_key", &previous.jwk)?;
            ring = ring
                .with_previous(key, Timestamp::from_unix_seconds(previous.retired_at))
                .map_err(|error| format!("previous_signing_key: {error}"))?;
        }
        let mut secrets = RefreshSecrets::new(&secret("refresh_secret", &self.refresh_secret)?)
            .map_err(|error| format!("refresh_secret: {error}"))?;
        if let Some(next) = &self.next_refresh_secret {
            secrets = secrets
                .with_next(&secret("next_refresh_secret", next)?)
                .map_err(|error| format!("next_refresh_secret: {error}"))?;
        }
        if let Some(previous) = &self.previous_refresh_secret {
            secrets = secrets
                .with_previous(&secret("previous_refresh_secret", previous)?)
                .map_err(|error| format!("previous_refresh_secret: {error}"))?;
        }
        Ok(Keys { ring, refresh_secrets: secrets })
    }

    /// Adds the next keys, which do not sign yet.
    pub(super) fn publish(&mut self) -> Result<(), BoxError> {
        let next = [self.next_signing_key.is_some(), self.next_public_key.is_some()];
        if next.contains(&true) || self.next_refresh_secret.is_some() {
            return Err("the next keys are published already".into());
        }
        if self.previous_refresh_secret.is_some() {
            return Err("the previous keys are still in use: remove them first".into());
        }
        self.next_signing_key = Some(SigningKey::generate_pem()?);
        self.next_refresh_secret = Some(generate_secret()?);
        Ok(())
    }

    /// Signs with the next keys. The present ones become the previous ones. Of the signing key only the public part is
    /// kept.
    pub(super) fn sign(&mut self, retired_at: i64) -> Result<(), BoxError> {
        if self.next_signing_key.is_none() && self.next_public_key.is_some() {
            return Err("replace next_public_key by next_signing_key, its private key".into());
        }
        self.keys()?;
        let (Some(key), Some(secret)) =
            (self.next_signing_key.take(), self.next_refresh_secret.take())
        else {
            return Err("there are no next keys: publish them first".into());
        };
        let old = signing_key("signing_key", &self.signing_key)?;
        let set: Value =
            serde_json::from_str(&KeySet::from(old.verifying_key().clone()).to_jwks())?;
        self.previous_signing_key = Some(PreviousKey { jwk: set["keys"][0].clone(), retired_at });
        self.signing_key = key;
        self.previous_refresh_secret = Some(std::mem::replace(&mut self.refresh_secret, secret));
        Ok(())
    }

    /// Removes the previous keys.
    pub(super) fn remove(&mut self) -> Result<(), BoxError> {
        let key = self.previous_signing_key.take().is_some();
        let secret = self.previous_refresh_secret.take().is_some();
        if key || secret { Ok(()) } else { Err("there are no previous keys".into()) }
    }
}

fn public_key(member: &str, jwk: &Value) -> Result<VerifyingKey, BoxError> {
    let set = KeySet::from_jwks(&json!({ "keys": [jwk] }).to_string());
    let set = set.map_err(|error| format!("{member}: {error}"))?;
    set.keys().next().cloned().ok_or_else(|| format!("{member}: it is not a JWK").into())
}

fn signing_key(member: &str, pem: &str) -> Result<SigningKey, BoxError> {
    let key = SigningKey::from_pem(Algorithm::EdDSA, pem.as_bytes());
    Ok(key.map_err(|error| format!("{member}: {error}"))?)
}

fn secret(member: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    let secret = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text);
    let secret = secret
        .map_err(|_| format!("{member}: give 32 random bytes in base64url without padding"))?;
    Ok(Zeroizing::new(secret))
}

fn generate_secret() -> Result<Zeroizing<String>, BoxError> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret)?;
    Ok(Zeroizing::new(base64_simd::URL_SAFE_NO_PAD.encode_to_string(*secret)))
}

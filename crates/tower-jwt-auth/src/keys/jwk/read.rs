use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::MAX_CANDIDATES;
use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::base64url;
use crate::error::ConfigError;
use crate::keys::crypto::PublicComponents;
use crate::keys::thumbprint::curve;
use crate::keys::verifying::VerifyingKey;

/// The maximum number of ignored keys that an error lists.
const MAX_LISTED: usize = 8;
/// The maximum number of ignored keys of one set that have a line of their own in the log. The set comes from another
/// party.
const MAX_LOGGED: usize = 32;
/// The maximum number of entries of a set, which bounds the time to read it.
const MAX_ENTRIES: usize = 1000;
/// The maximum length of a key id in messages, in characters.
const MAX_SHOWN: usize = 64;

/// The keys of a JWK set.
#[derive(Debug, Default)]
pub(in crate::keys) struct JwkSet {
    pub(in crate::keys) keys: Vec<VerifyingKey>,
    ignored: Vec<IgnoredKey>,
}

/// A key of a JWK set that is not used.
#[derive(Debug)]
struct IgnoredKey {
    key_id: String,
    reason: String,
}

/// Parses a JWK set. Keys that are not for signatures, that are of an unsupported kind, or that are malformed, are
/// ignored with a warning (RFC 7517 §5), so that one of them does not make the others unusable.
pub(in crate::keys) fn read(json: &str) -> Result<JwkSet, ConfigError> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }
    let document: Document = serde_json::from_str(json)
        .map_err(|_| ConfigError::Jwks { problem: "expected an object with the member keys" })?;
    if document.keys.len() > MAX_ENTRIES {
        return Err(ConfigError::Jwks { problem: "it has more than 1000 keys" });
    }
    let mut set = JwkSet::default();
    for jwk in document.keys {
        let key_id = shown_id(&jwk);
        if let Err(reason) = read_key(jwk).and_then(|key| set.add(key)) {
            if set.ignored.len() < MAX_LOGGED {
                tracing::warn!(key_id, reason, "a key of a JWK set is ignored");
            }
            set.ignored.push(IgnoredKey { key_id, reason });
        }
    }
    if set.ignored.len() > MAX_LOGGED {
        let further = set.ignored.len() - MAX_LOGGED;
        tracing::warn!(further, "further keys of a JWK set are ignored");
    }
    Ok(set)
}

impl JwkSet {
    /// Returns the error of a set without usable keys.
    pub(in crate::keys) fn into_error(self) -> ConfigError {
        if self.ignored.is_empty() {
            return ConfigError::NoKey;
        }
        let mut ignored = String::new();
        for (at, key) in self.ignored.iter().take(MAX_LISTED).enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            // Writing into a string does not fail.
            let _ = write!(ignored, "{separator}{}: {}", key.key_id, key.reason);
        }
        if self.ignored.len() > MAX_LISTED {
            let _ = write!(ignored, "; and {} more", self.ignored.len() - MAX_LISTED);
        }
        ConfigError::NoUsableKey { ignored }
    }

    /// Adds a key, unless it is there already. Different keys may have the same `kid`.
    fn add(&mut self, key: VerifyingKey) -> Result<(), String> {
        if self.keys.iter().any(|other| other.is_same(&key)) {
            return Ok(());
        }
        let rivals = self.keys.iter().filter(|other| other.collides_with(&key)).count();
        if rivals >= MAX_CANDIDATES {
            return Err(format!("{MAX_CANDIDATES} keys before it have the same kid"));
        }
        self.keys.push(key);
        Ok(())
    }
}

/// Returns the `kid` for messages, with quotation marks.
fn shown_id(jwk: &Value) -> String {
    match jwk.get("kid").and_then(Value::as_str) {
        Some(key_id) => format!("{:?}", key_id.chars().take(MAX_SHOWN).collect::<String>()),
        None => "a key without kid".to_owned(),
    }
}

/// The members that are used (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2, RFC 9964 §3). Private ones are not read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    r#pub: Option<String>,
    /// Private members (RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2, RFC 9964 §3), whose values are not kept.
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    r#priv: Option<IgnoredAny>,
}

fn read_key(jwk: Value) -> Result<VerifyingKey, String> {
    // Not the error itself: it may contain values.
    let jwk: Jwk = serde_json::from_value(jwk)
        .map_err(|_| "it is not an object with kty, or a member has another JSON type")?;
    if jwk.d.is_some() || jwk.p.is_some() || jwk.r#priv.is_some() {
        return Err("it has a private member: its private key is public".into());
    }
    if jwk.r#use.as_deref().is_some_and(|r#use| r#use != "sig") {
        return Err("its use is not sig".to_owned());
    }
    if jwk.key_ops.as_ref().is_some_and(|ops| ops.iter().all(|operation| operation != "verify")) {
        return Err("its key_ops lack verify".to_owned());
    }
    let (possible, components) = match &*jwk.kty {
        "RSA" => {
            let (n, e) = (octets("n", &jwk.n)?, octets("e", &jwk.e)?);
            (AlgorithmSet::RSA, PublicComponents::from_rsa_numbers(&n, &e))
        }
        "EC" => {
            let algorithms = [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512];
            let algorithm = algorithms
                .into_iter()
                .find(|algorithm| jwk.crv.as_deref() == Some(curve(*algorithm)))
                .ok_or("its crv is missing or not supported")?;
            let (x, y) = (octets("x", &jwk.x)?, octets("y", &jwk.y)?);
            (AlgorithmSet::of(&[algorithm]), PublicComponents::Ec { x, y })
        }
        "OKP" if jwk.crv.as_deref() == Some("Ed25519") => {
            (AlgorithmSet::ED25519, PublicComponents::Ed { x: octets("x", &jwk.x)? })
        }
        "OKP" => return Err("its crv is missing or not supported".to_owned()),
        "AKP" => {
            let public = octets("pub", &jwk.r#pub)?;
            (AlgorithmSet::ML_DSA, PublicComponents::MlDsa { public })
        }
        "oct" => return Err("it is a secret, and a JWK set is public".to_owned()),
        _ => return Err("its kty is not supported".to_owned()),
    };
    let algorithms = match jwk.alg.as_deref() {
        Some(name) => {
            let algorithm = name.parse().map_err(|_| "its alg is not supported")?;
            if !possible.contains(algorithm) {
                return Err("its alg does not fit its kty and crv".to_owned());
            }
            AlgorithmSet::of(&[algorithm])
        }
        // The key does not show its algorithm (RFC 9964 §3).
        None if possible == AlgorithmSet::ML_DSA => return Err("an AKP key needs alg".to_owned()),
        None => possible,
    };
    let key = VerifyingKey::from_public_components(algorithms, components)
        .map_err(|error| error.to_string())?;
    Ok(match jwk.kid {
        Some(key_id) => key.with_key_id(key_id),
        None => key,
    })
}

fn octets(name: &str, member: &Option<String>) -> Result<Vec<u8>, String> {
    let text = member.as_deref().ok_or_else(|| format!("its {name} is missing"))?;
    base64url::decode(text).ok_or_else(|| format!("its {name} is not base64url"))
}

#[cfg(test)]
mod tests;

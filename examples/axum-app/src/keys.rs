//! The keys: generated for one process, or stored in a file for several processes and restarts.

mod file;

use std::error::Error;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tower_jwt_auth::{Algorithm, ConfigError, RefreshSecrets, SigningKey};

use crate::config::StartError;

/// The keys that sign access tokens and refresh tokens.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) signing_key: SigningKey,
    pub(crate) refresh_secrets: RefreshSecrets,
}

/// The contents of the file. It has no `Debug`, which would show the keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    /// An Ed25519 private key as PKCS#8 in PEM.
    signing_key: String,
    /// At least 32 random bytes in base64url.
    refresh_secret: String,
}

impl Keys {
    /// Generates keys that last as long as the process.
    pub(crate) fn generate() -> Result<Self, StartError> {
        let generate = || {
            Ok(Self {
                signing_key: SigningKey::generate()?,
                refresh_secrets: RefreshSecrets::generate()?,
            })
        };
        generate().map_err(|source: ConfigError| StartError::new("cannot generate keys", source))
    }

    /// Loads the keys from this file, which it creates if it does not exist.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, StartError> {
        let failed = |doing: &str, source: Box<dyn Error>| {
            StartError::new(format!("cannot {doing} KEYS={path:?}"), source)
        };
        let read = || file::read(path).map_err(|error| failed("read", error.into()));
        if read()?.is_none() {
            let text = KeyFile::generate().map_err(|error| failed("create", error))?;
            if file::create(path, &text).map_err(|error| failed("create", error.into()))? {
                tracing::info!(path = %path.display(), "created new keys");
            }
        }
        // Read in either case: another process may have created it first.
        let text = read()?.ok_or_else(|| failed("read", "it has been removed".into()))?;
        KeyFile::parse(&text).map_err(|error| failed("use", error))
    }
}

impl KeyFile {
    fn generate() -> Result<String, Box<dyn Error>> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let file = Self {
            signing_key: SigningKey::generate_pem()?.to_string(),
            refresh_secret: base64_simd::URL_SAFE_NO_PAD.encode_to_string(secret),
        };
        Ok(serde_json::to_string_pretty(&file)? + "\n")
    }

    fn parse(text: &str) -> Result<Keys, Box<dyn Error>> {
        // The error of serde_json quotes the text, which is secret. The position does not.
        let file: Self = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!(
                "it is not a JSON object of signing_key and refresh_secret: see line {line}, column {column}"
            )
        })?;
        let signing_key = SigningKey::from_pem(Algorithm::EdDSA, file.signing_key.as_bytes())
            .map_err(|error| format!("signing_key: {error}"))?;
        let secret = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(&file.refresh_secret)
            .map_err(|_| "refresh_secret: give 32 random bytes in base64url without padding")?;
        let refresh_secrets =
            RefreshSecrets::new(&secret).map_err(|error| format!("refresh_secret: {error}"))?;
        Ok(Keys { signing_key, refresh_secrets })
    }
}

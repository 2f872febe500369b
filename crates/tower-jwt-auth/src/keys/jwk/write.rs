use serde::Serialize;

use crate::base64url;
use crate::keys::crypto::PublicComponents;
use crate::keys::thumbprint::curve;
use crate::keys::verifying::VerifyingKey;

#[derive(Serialize)]
struct SerializedSet<'k> {
    keys: Vec<SerializedJwk<'k>>,
}

#[derive(Serialize)]
struct SerializedJwk<'k> {
    r#use: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    kid: &'k str,
    #[serde(flatten)]
    parameters: Parameters,
}

#[derive(Serialize)]
#[serde(tag = "kty")]
enum Parameters {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: &'static str, x: String, y: String },
    #[serde(rename = "OKP")]
    Okp { crv: &'static str, x: String },
    #[serde(rename = "AKP")]
    Akp {
        #[serde(rename = "pub")]
        public: String,
    },
}

/// Returns the JWK set of the public keys.
pub(in crate::keys) fn write<'k>(keys: impl Iterator<Item = &'k VerifyingKey>) -> String {
    let set = SerializedSet { keys: keys.filter_map(jwk).collect() };
    // A struct of strings always serializes.
    serde_json::to_string(&set).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
}

/// Returns the JWK of a public key, or `None` for a secret.
fn jwk(key: &VerifyingKey) -> Option<SerializedJwk<'_>> {
    let crv = curve(key.algorithm());
    let parameters = match key.public_components()? {
        PublicComponents::Rsa { n, e } => {
            Parameters::Rsa { n: base64url::encode(n), e: base64url::encode(e) }
        }
        PublicComponents::Ec { x, y } => {
            Parameters::Ec { crv, x: base64url::encode(x), y: base64url::encode(y) }
        }
        PublicComponents::Ed { x } => Parameters::Okp { crv, x: base64url::encode(x) },
        PublicComponents::MlDsa { public } => Parameters::Akp { public: base64url::encode(public) },
    };
    let alg = key.has_one_algorithm().then(|| key.algorithm().as_str());
    Some(SerializedJwk { r#use: "sig", alg, kid: key.key_id(), parameters })
}

//! Vectors of the RFCs, and of other implementations.

use serde_json::Value;

use super::{Algorithm, KeySet, SigningKey};
use crate::base64url;

/// Checks that a key verifies a JWS with this algorithm, and no change of it.
#[track_caller]
fn assert_verifies(jwk: &str, jws: &str, algorithm: Algorithm) {
    let set = KeySet::from_jwks(&format!(r#"{{"keys":[{jwk}]}}"#)).unwrap();
    let key = set.candidates(None, algorithm).next().expect("the key serves the algorithm");
    let (input, signature) = jws.rsplit_once('.').unwrap();
    let mut signature = base64url::decode(signature).unwrap();
    assert!(key.verify(algorithm, input.as_bytes(), &signature).is_ok());
    assert!(key.verify(algorithm, &input.as_bytes()[1..], &signature).is_err());
    signature[9] ^= 1;
    assert!(key.verify(algorithm, input.as_bytes(), &signature).is_err());
}

const RFC_8037: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

#[test]
fn rfc_8037_appendix_a() {
    let set = KeySet::from_jwks(&format!(r#"{{"keys":[{RFC_8037}]}}"#)).unwrap();
    let thumbprint = set.keys().next().map(super::VerifyingKey::key_id);
    assert_eq!(thumbprint, Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    let jws = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR\
               6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_verifies(RFC_8037, jws, Algorithm::EdDSA);
}

// RFC 9864 has no examples. `cryptography` 48 for Python signed this with the private key of RFC 8037 A.1.
#[test]
fn rfc_9864_ed25519() {
    let jws = "eyJhbGciOiJFZDI1NTE5In0.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.UxhIYLHGg39NVCLpQAVD_UcfOmnGSCzLFZoXYkLi\
               IbFccmOb_qObsgjzLKsfJw-4NlccUgvYrEHrRbNV0HcZAQ";
    assert_verifies(RFC_8037, jws, Algorithm::Ed25519);
    let named = RFC_8037.replace("{", r#"{"alg":"Ed25519","#);
    assert_verifies(&named, jws, Algorithm::Ed25519);
}

#[test]
fn rfc_7515_appendix_a_4() {
    let jwk = r#"{"kty":"EC","crv":"P-521",
        "x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;
    let jws = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2\
               SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXo\
               lLzeO_Jn";
    assert_verifies(jwk, jws, Algorithm::ES512);
}

/// The examples of draft-ietf-cose-dilithium, which became RFC 9964: the key of the seed of zeros and a JWS that circl
/// signed. The `kid` is the thumbprint.
const ML_DSA: [(Algorithm, u8, &str); 3] = [
    (Algorithm::MlDsa44, 17, include_str!("vectors/ml-dsa-44.json")),
    (Algorithm::MlDsa65, 18, include_str!("vectors/ml-dsa-65.json")),
    (Algorithm::MlDsa87, 19, include_str!("vectors/ml-dsa-87.json")),
];

#[test]
fn rfc_9964_appendix_a() {
    for (algorithm, kind, vector) in ML_DSA {
        let vector: Value = serde_json::from_str(vector).unwrap();
        let jwk = &vector["jwk"];
        let mut public = jwk.clone();
        // A set ignores a key that is published with its private part.
        public.as_object_mut().unwrap().remove("priv");
        assert_verifies(&public.to_string(), vector["jws"].as_str().unwrap(), algorithm);
        // The private key is the seed. In PKCS#8 it is the octet string [0] (RFC 9881 §6).
        let seed = base64url::decode(jwk["priv"].as_str().unwrap()).unwrap();
        let head = b"\x30\x34\x02\x01\x00\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03";
        let der = [&head[..], &[kind], b"\x04\x22\x80\x20", &seed].concat();
        let key = SigningKey::from_der(algorithm, &der).unwrap();
        assert_eq!(key.key_id(), jwk["kid"].as_str().unwrap());
        let published = KeySet::from(key.verifying_key().clone()).to_jwks();
        let published: Value = serde_json::from_str(&published).unwrap();
        for member in ["kty", "alg", "pub", "kid"] {
            assert_eq!(published["keys"][0][member], jwk[member]);
        }
        assert_eq!(published["keys"][0].as_object().unwrap().len(), 5, "with use, without priv");
    }
}

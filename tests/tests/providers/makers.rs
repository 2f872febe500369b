//! Other implementations, as makers and verifiers of tokens.

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, SigningKey};
use tower_jwt_auth_tests::servers::Interpreter;

use crate::test_keys::{ML_DSA, SUPPORTED};

/// The secret for HMAC.
const SECRET: &str = "sixty-four bytes that only the issuer and its verifiers ever see";

/// An implementation of JWTs.
pub(crate) struct Maker {
    pub(crate) name: &'static str,
    interpreter: &'static Interpreter,
    script: &'static str,
    /// Whether it has an algorithm.
    has: fn(&str) -> bool,
}

impl Maker {
    /// Returns those whose interpreter is installed.
    pub(crate) fn all() -> Vec<Self> {
        let jose = Interpreter::node().map(|interpreter| Self {
            name: "jose.mjs",
            interpreter,
            script: include_str!("../../providers/tokens.mjs"),
            // With new versions of Node.js it has ML-DSA.
            has: |algorithm| !is_ml_dsa(algorithm),
        });
        jose.into_iter()
            .chain(Interpreter::python().into_iter().flat_map(Self::in_python))
            .collect()
    }

    fn in_python(interpreter: &'static Interpreter) -> [Self; 3] {
        [
            Self {
                name: "pyjwt.py",
                interpreter,
                script: include_str!("../../providers/tokens_pyjwt.py"),
                // It has the older name EdDSA alone.
                has: |algorithm| !is_ml_dsa(algorithm) && algorithm != "Ed25519",
            },
            Self {
                name: "joserfc.py",
                interpreter,
                script: include_str!("../../providers/tokens_joserfc.py"),
                has: |algorithm| !is_ml_dsa(algorithm),
            },
            Self {
                name: "mldsa.py",
                interpreter,
                script: include_str!("../../providers/tokens_mldsa.py"),
                has: is_ml_dsa,
            },
        ]
    }

    /// Returns a key for each algorithm that it has.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let mut keys = Key::all();
        keys.retain(|key| (self.has)(key.algorithm.as_str()));
        keys
    }

    /// Runs jobs, and returns their results.
    pub(crate) fn run(&self, jobs: &[Value]) -> Vec<Value> {
        let input = serde_json::to_string(jobs).unwrap();
        // The name of a module must not be that of a package.
        let output = self.interpreter.run(&format!("run_{}", self.name), self.script, &input);
        let results: Vec<Value> = serde_json::from_str(&output).unwrap();
        assert_eq!(results.len(), jobs.len());
        results
    }

    /// Signs tokens, and returns them.
    pub(crate) fn sign(&self, jobs: &[Value]) -> Vec<String> {
        let results = self.run(jobs);
        results.into_iter().map(|token| token.as_str().unwrap().to_owned()).collect()
    }
}

fn is_ml_dsa(algorithm: &str) -> bool {
    algorithm.starts_with("ML-DSA")
}

/// A private key or secret of an algorithm, for the library and for the others.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pem: Option<&'static str>,
}

impl Key {
    /// Returns a key for each algorithm.
    pub(crate) fn all() -> Vec<Self> {
        let pairs = SUPPORTED.into_iter().chain(ML_DSA).map(|(name, pem)| (name, Some(pem)));
        let secrets = ["HS256", "HS384", "HS512"].into_iter().map(|name| (name, None));
        let all = pairs.chain(secrets);
        all.map(|(name, pem)| Self { algorithm: name.parse().unwrap(), pem }).collect()
    }

    pub(crate) fn is_secret(self) -> bool {
        self.pem.is_none()
    }

    /// Returns the key for the library.
    pub(crate) fn signing_key(self) -> SigningKey {
        let key = match self.pem {
            Some(pem) => SigningKey::from_pem(self.algorithm, pem.as_bytes()),
            None => SigningKey::from_secret(self.algorithm, SECRET.as_bytes()),
        };
        key.unwrap().with_key_id(self.algorithm.as_str())
    }

    /// Returns the job to sign a token.
    pub(crate) fn sign(self, header: &Value, claims: &Value) -> Value {
        let mut job = json!({ "alg": self.algorithm.as_str(), "header": header, "claims": claims });
        match self.pem {
            Some(pem) => job["pem"] = pem.into(),
            None => job["secret"] = SECRET.into(),
        }
        json!({ "sign": job })
    }

    /// Returns the job to verify a token with a JWK set, or with the secret.
    pub(crate) fn verify(self, jwks: &Value, token: &str, issuer: &str, audience: &str) -> Value {
        let algorithm = self.algorithm.as_str();
        let mut job = json!({
            "alg": algorithm, "token": token, "issuer": issuer, "audience": audience,
        });
        if self.is_secret() {
            job["secret"] = SECRET.into();
        } else {
            job["jwks"] = jwks.clone();
        }
        json!({ "verify": job })
    }
}

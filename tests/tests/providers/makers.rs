//! Other implementations, as makers and verifiers of tokens.

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, SigningKey};
use tower_jwt_auth_tests::servers::Interpreter;

use crate::test_keys::SUPPORTED;

/// The secret for HMAC.
const SECRET: &str = "sixty-four bytes that only the issuer and its verifiers ever see";

/// An implementation of JWTs.
pub(crate) struct Maker {
    pub(crate) name: &'static str,
    interpreter: &'static Interpreter,
    script: &'static str,
    lacks: &'static [&'static str],
}

impl Maker {
    /// Returns those whose interpreter is installed.
    pub(crate) fn all() -> Vec<Self> {
        let (node, python) = (Interpreter::node(), Interpreter::python());
        let all = [
            ("jose.mjs", node, include_str!("../../providers/tokens.mjs"), [].as_slice()),
            // It has the older name EdDSA alone.
            ("pyjwt.py", python, include_str!("../../providers/tokens_pyjwt.py"), &["Ed25519"]),
            ("joserfc.py", python, include_str!("../../providers/tokens_joserfc.py"), &[]),
        ];
        let found = all.into_iter().filter_map(|(name, interpreter, script, lacks)| {
            Some(Self { name, interpreter: interpreter?, script, lacks })
        });
        found.collect()
    }

    /// Returns a key for each algorithm that it has.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let mut keys = Key::all();
        keys.retain(|key| !self.lacks.contains(&key.algorithm.as_str()));
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

/// A private key or secret of an algorithm, for the library and for the others.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pem: Option<&'static str>,
}

impl Key {
    /// Returns a key for each algorithm.
    pub(crate) fn all() -> Vec<Self> {
        let pairs = SUPPORTED.into_iter().map(|(name, pem)| (name, Some(pem)));
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

//! Decisions that wait: for keys, for a permit to verify a signature, or for the store.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tower_jwt_auth_core::RevocationKey;

use super::decision::{AuthConfig, VerifiedDecision, Wait, WaitingToken};
use crate::error::TokenError;
use crate::http::challenge::AuthError;
use crate::identity::Identity;
use crate::keys::VerifyError;
use crate::revocation::RevocationList;

/// Waits, and decides on the token. Waits for keys once: the decision with them is final.
pub(super) async fn decide_later<C: DeserializeOwned + Send + Sync + 'static>(
    config: Arc<AuthConfig<C>>,
    WaitingToken { token, mut wait, is_known }: WaitingToken,
) -> Result<Identity, AuthError> {
    let mut may_wait_for_keys = true;
    let (verified, now) = loop {
        let permit = match wait {
            Wait::ForKeys(newer) => {
                may_wait_for_keys = false;
                newer.fetched().await;
                None
            }
            Wait::ForPermit => {
                Some(config.verifications.acquire().await.ok_or(AuthError::Unavailable)?)
            }
        };
        let now = config.clock.now();
        let verified = match permit {
            Some(permit) => config.verifier.verify_with_present_keys(&token, permit, now),
            None => config.verifier.verify_with_present_keys(&token, &*config.verifications, now),
        };
        wait = match verified {
            Ok(verified) => break (verified, now),
            Err(VerifyError::NeedsKeys(newer)) if may_wait_for_keys => Wait::ForKeys(newer),
            Err(VerifyError::AtLimit) => Wait::ForPermit,
            Err(error) => return Err(error.without_waiting().into()),
        };
    };
    match config.decide_verified(&token, verified, is_known, now) {
        VerifiedDecision::Accept(identity) => Ok(identity),
        VerifiedDecision::Reject(error) => Err(error),
        VerifiedDecision::QueryStore(identity) => {
            query_store(config.revocations.clone(), identity).await
        }
    }
}

/// Queries the store for an identity whose status the revocation list does not know.
pub(super) async fn query_store(
    revocations: RevocationList,
    identity: Identity,
) -> Result<Identity, AuthError> {
    let keys: Vec<RevocationKey<'_>> = identity.revocation_keys().collect();
    match revocations.query_store(&keys).await {
        Ok(false) => Ok(identity),
        Ok(true) => Err(TokenError::Revoked.into()),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the revocation list is behind and the store is unavailable"
            );
            Err(AuthError::Unavailable)
        }
    }
}

use tower_jwt_auth_core::Timestamp;

use super::issuers::IssuerStamp;
use super::trusted::TrustedIssuer;
use crate::claims::ValidClaims;
use crate::identity::Identity;
use crate::keys::KeyStamp;

/// A token that has been verified, and the conditions under which it would be verified again with the same result.
#[derive(Debug)]
pub(crate) struct VerifiedToken {
    pub(crate) identity: Identity,
    pub(crate) stamp: Stamp,
}

/// The conditions under which the verification of a token holds: its issuer is trusted by the same rules, has the same
/// keys, and the token's times are valid.
///
/// Each part was read before the token was judged by it, so a change during the verification ends the stamp.
#[derive(Debug)]
pub(crate) struct Stamp {
    issuer: IssuerStamp,
    keys: KeyStamp,
    /// The first time at which no date of the token is in the future, by the issuer's leeway.
    valid_from: Timestamp,
    /// The time at which the token has expired, by the issuer's leeway.
    expired_at: Timestamp,
}

impl Stamp {
    pub(super) fn new(
        issuer: IssuerStamp,
        keys: KeyStamp,
        valid: &ValidClaims<'_>,
        trusted: &TrustedIssuer,
    ) -> Self {
        let leeway = trusted.leeway();
        let (valid_from, expired_at) = (valid.latest_start - leeway, valid.exp + leeway);
        Self { issuer, keys, valid_from, expired_at }
    }

    pub(super) fn issuer(&self) -> &IssuerStamp {
        &self.issuer
    }

    /// Returns whether the keys and the times of the token hold at this time.
    pub(super) fn is_current(&self, now: Timestamp) -> bool {
        self.valid_from <= now && !self.is_expired(now) && self.keys.is_current(now)
    }

    /// Returns whether the token has expired at this time.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expired_at
    }
}

//! The candidates of the comparison.

mod baseline;
mod floor;
pub(crate) mod ours;
pub(crate) mod peers;

use std::sync::Arc;

pub(crate) use self::baseline::{NoopLayer, inner, router};
use crate::BoxError;
use crate::case::{Case, Feed};
use crate::keys::Key;
use crate::tokens::{self, Token};

/// How a candidate is called, which decides what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As a tower service around a `service_fn`.
    Service,
    /// As an axum `Router` with one route.
    Router,
    /// As a function, without a request.
    Function,
}

/// What a row of the table measures. Its name is the row's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Row {
    NoAuth,
    Noop,
    Repeated,
    RepeatedWithExtension,
    Rotation,
    LargeRotation,
    FirstSeen,
    Uncached,
    Forged,
    Expired,
    JwtAuthorizer,
    OAuth2ResourceServer,
    Huskarl,
    RouterNoAuth,
    RouterNoop,
    RouterRepeated,
    RouterFirstSeen,
    RouterAxumJwtAuth,
    RouterAxumJwtAuthAwsLc,
    Decode,
    Signature,
}

impl Row {
    pub(crate) const ALL: [Self; 21] = [
        Self::NoAuth,
        Self::Noop,
        Self::Repeated,
        Self::RepeatedWithExtension,
        Self::Rotation,
        Self::LargeRotation,
        Self::FirstSeen,
        Self::Uncached,
        Self::Forged,
        Self::Expired,
        Self::JwtAuthorizer,
        Self::OAuth2ResourceServer,
        Self::Huskarl,
        Self::RouterNoAuth,
        Self::RouterNoop,
        Self::RouterRepeated,
        Self::RouterFirstSeen,
        Self::RouterAxumJwtAuth,
        Self::RouterAxumJwtAuthAwsLc,
        Self::Decode,
        Self::Signature,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NoAuth => "no auth",
            Self::Noop => "a layer that does nothing",
            Self::Repeated => "ours, repeated token",
            Self::RepeatedWithExtension => "ours, repeated, request has extensions",
            Self::Rotation => "ours, 10,000 tokens",
            Self::LargeRotation => "ours, 1,000,000 tokens",
            Self::FirstSeen => "ours, first-seen",
            Self::Uncached => "ours, without the cache of tokens",
            Self::Forged => "ours, forged signature: 401",
            Self::Expired => "ours, past exp: 401",
            Self::JwtAuthorizer => "jwt-authorizer",
            Self::OAuth2ResourceServer => "tower-oauth2-resource-server",
            Self::Huskarl => "huskarl-axum",
            Self::RouterNoAuth => "Router: no auth",
            Self::RouterNoop => "Router: a layer that does nothing",
            Self::RouterRepeated => "Router: ours, repeated token",
            Self::RouterFirstSeen => "Router: ours, first-seen",
            Self::RouterAxumJwtAuth => "Router: axum-jwt-auth",
            Self::RouterAxumJwtAuthAwsLc => "Router: axum-jwt-auth, aws-lc-rs installed",
            Self::Decode => "jsonwebtoken::decode",
            Self::Signature => "signature check",
        }
    }

    pub(crate) fn style(self) -> Style {
        match self {
            Self::Decode | Self::Signature => Style::Function,
            _ if self.label().starts_with("Router: ") => Style::Router,
            _ => Style::Service,
        }
    }

    /// Returns whether this is another middleware, or jsonwebtoken.
    pub(crate) fn is_peer(self) -> bool {
        matches!(
            self,
            Self::JwtAuthorizer
                | Self::OAuth2ResourceServer
                | Self::Huskarl
                | Self::RouterAxumJwtAuth
                | Self::RouterAxumJwtAuthAwsLc
        )
    }

    /// Returns whether a token is used only once.
    pub(crate) fn needs_fresh_tokens(self) -> bool {
        matches!(self, Self::FirstSeen | Self::RouterFirstSeen)
    }
}

/// A row and its work.
pub(crate) struct Candidate {
    pub(crate) row: Row,
    pub(crate) case: Box<dyn Case>,
    pub(crate) feed: Feed,
}

/// The tokens of one algorithm. Those that are used only once are in `fresh`.
#[derive(Debug)]
pub(crate) struct TokenSets {
    one: Arc<[Token]>,
    rotation: Arc<[Token]>,
    /// Empty if a rotation of this size is not measured.
    large_rotation: Arc<[Token]>,
    fresh: [Arc<[Token]>; 2],
    /// For candidates that verify each time. One token would let the processor predict the branches of its check.
    several: Arc<[Token]>,
    forged: Arc<[Token]>,
    expired: Arc<[Token]>,
}

/// The numbers of tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenCounts {
    pub(crate) rotation: usize,
    pub(crate) large_rotation: usize,
    pub(crate) fresh: usize,
    pub(crate) several: usize,
}

impl TokenSets {
    pub(crate) fn issue(key: &Key, counts: TokenCounts) -> Result<Self, BoxError> {
        let several = tokens::issue(key, counts.several)?;
        Ok(Self {
            one: tokens::issue(key, 1)?,
            rotation: tokens::issue(key, counts.rotation)?,
            large_rotation: tokens::issue(key, counts.large_rotation)?,
            fresh: [tokens::issue(key, counts.fresh)?, tokens::issue(key, counts.fresh)?],
            forged: tokens::forge(&several)?,
            expired: tokens::issue_expired(key, counts.several)?,
            several,
        })
    }
}

/// Builds the candidates that support the algorithm of the key.
pub(crate) async fn candidates(key: &Key, sets: &TokenSets) -> Result<Vec<Candidate>, BoxError> {
    let mut candidates = Vec::new();
    for row in Row::ALL {
        let tokens = match row {
            Row::Rotation => &sets.rotation,
            Row::LargeRotation => &sets.large_rotation,
            Row::FirstSeen => &sets.fresh[0],
            Row::RouterFirstSeen => &sets.fresh[1],
            Row::Forged => &sets.forged,
            Row::Expired => &sets.expired,
            Row::Uncached | Row::Decode | Row::Signature => &sets.several,
            _ if row.is_peer() => &sets.several,
            _ => &sets.one,
        };
        if tokens.is_empty() {
            continue;
        }
        let case = match row {
            Row::NoAuth | Row::Noop | Row::RouterNoAuth | Row::RouterNoop => {
                Some(baseline::case(row))
            }
            Row::Decode | Row::Signature => floor::case(row, key)?,
            _ if row.is_peer() => peers::case(row, key).await?,
            _ => Some(ours::case(row, key).await?),
        };
        if let Some(case) = case {
            candidates.push(Candidate { row, case, feed: Feed::new(Arc::clone(tokens)) });
        }
    }
    Ok(candidates)
}

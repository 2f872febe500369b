//! Validation of access tokens. Every test starts with an accepted token and changes one thing.

mod algorithms;
mod claims;
mod duplicates;
mod encoding;
pub(crate) mod fixture;
mod freshness;
mod header;
mod key_sets;
mod keys_config;
mod published_keys;
mod scope;
mod several_issuers;
mod signatures;
pub(crate) mod test_keys;
mod time;
mod typ;

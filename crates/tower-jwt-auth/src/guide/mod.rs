//! A guide in pages, from the terms to several machines. The pages have no items.
//!
//! | page | answers |
//! |---|---|
//! | [`concepts`] | What do session, generation, grace window, reuse and revocation list mean? |
//! | [`layer_order`] | Which routes does a layer protect? In which order do layers run? |
//! | [`testing`] | How do I test a handler that requires an identity? |
//! | [`errors`] | What do clients receive, and how do I return errors in the format of my application? |
//! | [`cookies`] | Which attributes does the refresh cookie have? Can a cookie carry the access token? |
//! | [`cors`] | How does a page on another origin call the service? |
//! | [`persistence`] | How do sessions outlive a restart? |
//! | [`key_rotation`] | How do keys change while the service runs? |
//! | [`several_machines`] | What do the nodes share, and when does a logout take effect on them? |
//! | [`discovery`] | How do others find my keys, and clients the authorization server of my API? |
//! | [`other_issuers`] | How do I accept tokens of Keycloak, Auth0, Entra, Okta, Cognito, Google or a partner? |
//! | [`remote_keys`] | How do I verify tokens of a provider that publishes its keys? |
//! | [`out_of_scope`] | What does the library leave to the application? |
//!
//! The blocks of code are tests of this crate.

#[doc = include_str!("concepts.md")]
pub mod concepts {}

#[doc = include_str!("layer_order.md")]
pub mod layer_order {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("cookies.md")]
pub mod cookies {}

#[doc = include_str!("cors.md")]
pub mod cors {}

#[doc = include_str!("other_issuers.md")]
pub mod other_issuers {}

#[doc = include_str!("persistence.md")]
pub mod persistence {}

#[doc = include_str!("key_rotation.md")]
pub mod key_rotation {}

#[doc = include_str!("several_machines.md")]
pub mod several_machines {}

#[doc = include_str!("discovery.md")]
pub mod discovery {}

#[cfg(feature = "jwks")]
#[doc = include_str!("remote_keys.md")]
pub mod remote_keys {}

#[doc = include_str!("out_of_scope.md")]
pub mod out_of_scope {}

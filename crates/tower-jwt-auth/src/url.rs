//! URLs that the library fetches or publishes.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;

/// Parses a URL that must be https, or http of a loopback host.
pub(crate) fn parse(text: &str) -> Result<Uri, &'static str> {
    let url: Uri = text.parse().map_err(|_| "it is not a URL")?;
    let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else {
        return Err("it is not absolute, as in https://login.example/jwks");
    };
    if authority.as_str().contains('@') {
        return Err("it has a user name or password, which would be logged or published");
    }
    if *scheme != Scheme::HTTPS && !(is_plain(&url) && is_loopback(authority.host())) {
        return Err("it is not https; plain http is only allowed for a loopback host");
    }
    Ok(url)
}

/// Parses an issuer, which has neither query nor fragment (RFC 8414 §2).
pub(crate) fn parse_issuer(text: &str) -> Result<Uri, &'static str> {
    if text.contains(['?', '#']) {
        return Err("an issuer has neither query nor fragment");
    }
    parse(text)
}

/// Parses a URL that clients receive. It must consist of the characters of RFC 3986 §2, and have no fragment.
pub(crate) fn parse_published(text: &str) -> Result<Uri, &'static str> {
    if text.contains('#') {
        return Err("it has a fragment");
    }
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte);
    if !text.bytes().all(is_allowed) {
        return Err("it has characters that a URL percent-encodes");
    }
    parse(text)
}

/// Returns whether connections to the URL are without TLS.
pub(crate) fn is_plain(url: &Uri) -> bool {
    url.scheme() == Some(&Scheme::HTTP)
}

/// Returns the path of an issuer's metadata for OAuth, which is inserted before the issuer's own (RFC 8414 §3.1).
pub(crate) fn oauth_metadata_path(issuer: &Uri) -> String {
    format!("/.well-known/oauth-authorization-server{}", issuer.path().trim_end_matches('/'))
}

/// Returns the path of an issuer's metadata for OpenID Connect, which is appended to the issuer's own (OpenID Connect
/// Discovery §4).
pub(crate) fn openid_configuration_path(issuer: &Uri) -> String {
    format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/'))
}

/// Returns the scheme and the authority of an absolute URL.
pub(crate) fn origin(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let authority = url.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}")
}

fn is_loopback(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || bracketed
            .is_some_and(|host| host.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_urls_are_accepted() {
        for good in [
            "https://login.example/jwks",
            "https://login.example:8443/jwks?p=policy",
            "HTTPS://login.example",
            "http://localhost:8080/jwks",
            "http://LOCALHOST/jwks",
            "http://127.0.0.1/jwks",
            "http://127.255.3.4:1/jwks",
            "http://[::1]:8080/jwks",
        ] {
            assert!(parse(good).is_ok(), "{good}");
            assert!(parse_published(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/jwks",
            "login.example",
            "login.example/jwks",
            "ftp://login.example/jwks",
            "file:///etc/jwks",
            "http://login.example/jwks",
            "http://localhost.example/jwks",
            "http://127.0.0.1.example/jwks",
            "http://127.1/jwks",
            "http://2130706433/jwks",
            "http://0x7f.0.0.1/jwks",
            "http://0.0.0.0/jwks",
            "http://10.0.0.1/jwks",
            "http://[::]/jwks",
            "http://[::ffff:127.0.0.1]/jwks",
            "http://localhost@login.example/jwks",
            "https://user:password@login.example/jwks",
            "https://login.example/white space",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
            assert!(parse_published(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_issuer_has_neither_query_nor_fragment() {
        assert!(parse_issuer("https://login.example/realm").is_ok());
        assert!(parse_issuer("https://login.example/realm?tenant=1").is_err());
        assert!(parse_issuer("https://login.example/realm#part").is_err());
    }

    // They stand in quoted strings of headers.
    #[test]
    fn published_urls_have_no_fragment_and_only_characters_of_urls() {
        assert!(parse_published("https://a.example/b%20c?d=e/f").is_ok());
        assert_eq!(parse_published("https://a.example/#f").unwrap_err(), "it has a fragment");
        for bad in ["#f", "/a#f", "/\"", "/\\", "/ä", "/a\tb", "/<a>", "/{a}", "/a|b", "/`"] {
            let url = format!("https://a.example{bad}");
            assert!(parse_published(&url).is_err(), "{url}");
        }
    }
}

//! The URLs that keys may be fetched from.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;

/// Where metadata is found below an issuer (OpenID Connect Discovery §4).
const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// Where metadata is found between an issuer's host and path (RFC 8414 §3.1).
const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

/// Parses a URL that must be https, or http of a loopback host.
pub(super) fn parse(text: &str) -> Result<Uri, &'static str> {
    let url: Uri = text.parse().map_err(|_| "it is not a URL")?;
    let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else {
        return Err("it is not absolute, as in https://login.example/jwks");
    };
    if authority.as_str().contains('@') {
        return Err("it has a user name or password, which would be logged");
    }
    if *scheme != Scheme::HTTPS && !(*scheme == Scheme::HTTP && is_loopback(authority.host())) {
        return Err("it is not https; plain http is only allowed for a loopback host");
    }
    Ok(url)
}

/// Parses an issuer, which has neither query nor fragment (RFC 8414 §2).
pub(super) fn parse_issuer(text: &str) -> Result<Uri, &'static str> {
    if text.contains(['?', '#']) {
        return Err("an issuer has neither query nor fragment");
    }
    parse(text)
}

/// Whether the connection stays on this machine without TLS.
pub(super) fn is_plain(url: &Uri) -> bool {
    url.scheme() == Some(&Scheme::HTTP)
}

fn is_loopback(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || bracketed
            .is_some_and(|host| host.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()))
}

/// Returns the URL of the metadata for OpenID Connect: the path is appended to the issuer.
pub(super) fn openid_configuration(issuer: &Uri) -> Result<Uri, &'static str> {
    let path = issuer.path().trim_end_matches('/');
    with_path(issuer, &format!("{path}{OPENID_CONFIGURATION}"))
}

/// Returns the URL of the metadata for OAuth: the path is inserted before the issuer's own.
pub(super) fn oauth_metadata(issuer: &Uri) -> Result<Uri, &'static str> {
    let path = issuer.path().trim_end_matches('/');
    with_path(issuer, &format!("{OAUTH_METADATA}{path}"))
}

fn with_path(url: &Uri, path: &str) -> Result<Uri, &'static str> {
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| "its path is not a URL path")?);
    Uri::from_parts(parts).map_err(|_| "it is not absolute")
}

/// Returns a URL without its query, which may hold a secret.
pub(super) fn for_log(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let authority = url.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}{}", url.path())
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
        }
    }

    #[test]
    fn issuer_has_neither_query_nor_fragment() {
        assert!(parse_issuer("https://login.example/realm").is_ok());
        assert!(parse_issuer("https://login.example/realm?tenant=1").is_err());
        assert!(parse_issuer("https://login.example/realm#part").is_err());
    }

    #[test]
    fn well_known_paths_follow_their_specifications() {
        for (issuer, openid, oauth) in [
            (
                "https://login.example",
                "https://login.example/.well-known/openid-configuration",
                "https://login.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://login.example/",
                "https://login.example/.well-known/openid-configuration",
                "https://login.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://login.example:8443/realms/shop",
                "https://login.example:8443/realms/shop/.well-known/openid-configuration",
                "https://login.example:8443/.well-known/oauth-authorization-server/realms/shop",
            ),
            (
                "https://login.example/realms/shop/",
                "https://login.example/realms/shop/.well-known/openid-configuration",
                "https://login.example/.well-known/oauth-authorization-server/realms/shop",
            ),
        ] {
            let issuer = parse_issuer(issuer).unwrap();
            assert_eq!(openid_configuration(&issuer).unwrap().to_string(), openid);
            assert_eq!(oauth_metadata(&issuer).unwrap().to_string(), oauth);
        }
    }

    #[test]
    fn query_is_not_logged() {
        let url = parse("https://login.example:8443/jwks?key=secret").unwrap();
        assert_eq!(for_log(&url), "https://login.example:8443/jwks");
    }
}

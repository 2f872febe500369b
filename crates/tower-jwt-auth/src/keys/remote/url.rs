//! The URLs of metadata, and URLs in the log.

use http::Uri;

pub(super) use crate::url::{is_plain, parse, parse_issuer};
use crate::url::{oauth_metadata_path, openid_configuration_path, origin};

/// Returns the URL of the metadata for OpenID Connect.
pub(super) fn openid_configuration(issuer: &Uri) -> Result<Uri, &'static str> {
    with_path(issuer, &openid_configuration_path(issuer))
}

/// Returns the URL of the metadata for OAuth.
pub(super) fn oauth_metadata(issuer: &Uri) -> Result<Uri, &'static str> {
    with_path(issuer, &oauth_metadata_path(issuer))
}

fn with_path(url: &Uri, path: &str) -> Result<Uri, &'static str> {
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| "its path is not a URL path")?);
    Uri::from_parts(parts).map_err(|_| "it is not absolute")
}

/// Returns a URL without its query, which may hold a secret.
pub(super) fn for_log(url: &Uri) -> String {
    format!("{}{}", origin(url), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

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

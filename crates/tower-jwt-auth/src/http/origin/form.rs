//! The form in which browsers send an origin (RFC 6454 §6.2). Trusted origins are compared in this form.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::ConfigError;

/// Schemes whose pages send `null` or the origin of another scheme: a trusted origin with one would never match.
const NEVER_SENT: [&str; 7] = ["about", "data", "file", "ftp", "javascript", "ws", "wss"];

/// Normalizes a web origin: `https` or `http`, in lower case, without a default port.
pub(super) fn normalize_web(origin: &str) -> Result<Box<str>, ConfigError> {
    web(origin).ok_or_else(|| ConfigError::Origin { origin: origin.to_owned() })
}

/// Normalizes a web origin, or one of an application or browser extension with its own scheme.
pub(super) fn normalize_any(origin: &str) -> Result<Box<str>, ConfigError> {
    web(origin)
        .or_else(|| custom(origin))
        .ok_or_else(|| ConfigError::Origin { origin: origin.to_owned() })
}

fn web(origin: &str) -> Option<Box<str>> {
    let lower = origin.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://")?;
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    let host = without_port(authority)?;
    (is_domain(host) || is_address(host)).then(|| format!("{scheme}://{authority}").into())
}

fn custom(origin: &str) -> Option<Box<str>> {
    let (scheme, authority) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(is_part)
        && !["https", "http"].contains(&&*scheme)
        && !NEVER_SENT.contains(&&*scheme);
    // Browsers differ in whether they keep the case of the host: it is compared as given.
    let host = without_port(authority)?;
    let is_host = !host.is_empty() && host.bytes().all(is_name_part);
    (is_scheme && is_host).then(|| format!("{scheme}://{authority}").into())
}

/// Returns the host of an authority, or `None` if its port does not have the form that browsers send.
fn without_port(authority: &str) -> Option<&str> {
    let end_of_address = authority.rfind(']').map_or(0, |at| at + 1);
    let (address, rest) = authority.split_at(end_of_address);
    let Some((host, port)) = rest.split_once(':') else { return Some(authority) };
    let is_port = port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port);
    is_port.then(|| &authority[..address.len() + host.len()])
}

fn is_name_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

/// Returns whether this is a host name. Browsers parse a name whose last label is a number as an address.
fn is_domain(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    name.bytes().all(is_name_part)
        && name.split('.').all(|label| !label.is_empty())
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether this is an IP address in the form that browsers send.
fn is_address(host: &str) -> bool {
    if let Some(host) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return host.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == host);
    }
    host.parse::<Ipv4Addr>().is_ok()
}

/// Returns whether the host is the local machine, so that no network can change its pages.
pub(super) fn is_loopback(authority: &str) -> bool {
    let Some(host) = without_port(authority) else { return false };
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_origins_are_normalized_to_the_form_that_browsers_send() {
        for (given, sent) in [
            ("HTTPS://App.example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("https://app.example:80", "https://app.example:80"),
            ("https://app_1.a-b.example:8443", "https://app_1.a-b.example:8443"),
            ("https://app.example.", "https://app.example."),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://192.168.1.5:3000", "http://192.168.1.5:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("https://[2001:db8::443]", "https://[2001:db8::443]"),
        ] {
            assert_eq!(normalize_web(given).as_deref(), Ok(sent));
            assert_eq!(normalize_any(given).as_deref(), Ok(sent));
        }
    }

    #[test]
    fn origins_of_applications_and_extensions_keep_their_host() {
        for (given, sent) in [
            ("capacitor://localhost", "capacitor://localhost"),
            ("Tauri://localhost", "tauri://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("app+x.y-z://Main:1420", "app+x.y-z://Main:1420"),
            (
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            ),
            (
                "moz-extension://0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
                "moz-extension://0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            ),
        ] {
            assert_eq!(normalize_any(given).as_deref(), Ok(sent));
            assert!(normalize_web(given).is_err(), "{given}: a service cannot have this origin");
        }
    }

    #[test]
    fn origins_that_no_browser_sends_are_rejected() {
        for bad in [
            "",
            "app.example",
            "://a",
            "https:",
            "https://",
            "https://:443",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "https://u:1@a",
            "https://ä.example",
            "https://a b",
            "https://a!b",
            "https://a,https://b",
            "https://.",
            "https://.a",
            "https://a..b",
            "*",
            "null",
            "https://*",
            "https://*.a.example",
            "https://a.*",
            "https://a.example:*",
            "*://a.example",
            "https://a:",
            "https://a:x",
            "https://a:99999",
            "https://a:080",
            "https://a:0",
            "https://a:1:2",
            "https://1.2.3",
            "https://01.2.3.4",
            "https://1.2.3.256",
            "https://[::1",
            "https://::1",
            "https://[::1]x",
            "https://[0:0::1]",
            "https://[::G]",
            "https://a[::1]",
            "capacitor://",
            "capacitor://*",
            "capacitor://localhost/",
            "capacitor://localhost?a",
            "capacitor://localhost#a",
            "capacitor://u@localhost",
            "capacitor:localhost",
            "capacitor://localhost:",
            "capacitor://[::1]",
            "chrome-extension://*",
            "1a://b",
            "a_b://c",
            "a b://c",
            "ftp://a",
            "file://a",
            "FILE://a",
            "file:///a",
            "data://a",
            "javascript://a",
            "about://blank",
            "blob:https://a",
            "ws://a",
            "wss://a",
        ] {
            let rejected = Err(ConfigError::Origin { origin: bad.to_owned() });
            assert_eq!(normalize_any(bad), rejected, "{bad}");
            assert_eq!(normalize_web(bad), rejected, "{bad}");
        }
    }

    #[test]
    fn loopback_is_the_local_machine_alone() {
        for here in ["localhost", "localhost:3000", "a.localhost:1", "127.0.0.1", "127.9.8.7:80"] {
            assert!(is_loopback(here), "{here}");
        }
        assert!(is_loopback("[::1]") && is_loopback("[::1]:3000"));
        for other in [
            "",
            "a.example",
            "localhost.a.example",
            "alocalhost",
            "127.0.0.1.a.example",
            "128.0.0.1",
            "192.168.1.5:3000",
            "0.0.0.0",
            "[::2]",
            "[::1",
            "x@localhost:y",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}

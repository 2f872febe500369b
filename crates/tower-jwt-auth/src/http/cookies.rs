//! The `Cookie` header, parsed as bytes so that a malformed cookie does not hide the others.

use http::HeaderMap;
use http::header::COOKIE;

/// Returns the values of all cookies of this name in one header.
fn values_in<'h, 'n>(
    header: &'h [u8],
    name: &'n str,
) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
    header.split(|byte| *byte == b';').filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some(unquoted.unwrap_or(value))
    })
}

/// Returns whether browsers accept this as the `Domain` of a cookie: at least two labels of a host name (RFC 1123 §2.1,
/// RFC 1035 §2.3.4). An address is not accepted, since cookies of an address have no domain.
pub(crate) fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(is_label)
        && !domain.rsplit('.').next().is_none_or(is_number)
}

/// Returns whether this is a valid name of a cookie: a token (RFC 6265 §4.1.1, RFC 9110 §5.6.2).
pub(crate) fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_part)
}

/// Returns the values of all cookies of this name in all `Cookie` headers. HTTP/2 may split them (RFC 9113 §8.2.3).
pub(crate) fn values<'h, 'n>(
    headers: &'h HeaderMap,
    name: &'n str,
) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
    let headers = headers.get_all(COOKIE).into_iter();
    headers.flat_map(move |header| values_in(header.as_bytes(), name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn domains_are_those_that_browsers_accept() {
        let long = "a".repeat(63);
        for good in ["a.b", "shop.example", "Shop-1.example", "xn--bcher-kva.example", "1.example"]
        {
            assert!(is_domain(good), "{good}");
        }
        assert!(is_domain(&format!("{long}.example")));
        for bad in [
            "",
            ".",
            "com",
            "localhost",
            ".shop.example",
            "shop.example.",
            "a..b",
            "-a.b",
            "a-.b",
            "a_b.c",
            "a b.c",
            "127.0.0.1",
            "1.2",
            "::1",
            "[::1]",
            "bücher.example",
            "*.example",
        ] {
            assert!(!is_domain(bad), "{bad}");
        }
        assert!(!is_domain(&format!("{long}a.example")));
        assert!(!is_domain(&format!("{}example", "a.".repeat(124))));
    }

    #[test]
    fn all_cookies_of_the_name_are_found_among_malformed_ones() {
        let mut headers = HeaderMap::new();
        headers
            .append(COOKIE, HeaderValue::from_bytes(b"a=\xff\xfe; t=1;t=\"2\"; tt=3;T=4").unwrap());
        headers.append(COOKIE, HeaderValue::from_static("t; =x; t=; t=a=b"));
        assert_eq!(values(&headers, "t").collect::<Vec<_>>(), [&b"1"[..], b"2", b"", b"a=b"]);
        assert_eq!(values(&headers, "missing").count(), 0);
    }
}

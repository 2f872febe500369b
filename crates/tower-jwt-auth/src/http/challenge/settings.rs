use std::fmt::Write as _;
use std::sync::Arc;

use http::HeaderValue;

use crate::error::ConfigError;
use crate::url::parse_published;

/// The part of challenges that does not depend on the error: the realm (RFC 9110 §11.5), `api` unless set, and the URL
/// of the resource's metadata (RFC 9728 §5.1). It travels with each request, so a clone copies a pointer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Challenge(Option<Arc<Settings>>);

#[derive(Clone, Debug)]
struct Settings {
    realm: Box<str>,
    resource_metadata: Option<Box<str>>,
    /// The challenge with both, without an error code.
    header: HeaderValue,
}

impl Settings {
    /// Creates the settings of these contents of quoted strings (RFC 9110 §5.6.4).
    fn new(realm: &str, resource_metadata: Option<&str>) -> Option<Self> {
        let mut text = format!(r#"Bearer realm="{realm}""#);
        if let Some(url) = resource_metadata {
            // Writing to a string does not fail.
            let _ = write!(text, r#", resource_metadata="{url}""#);
        }
        let header = HeaderValue::from_str(&text).ok()?;
        Some(Self {
            realm: realm.into(),
            resource_metadata: resource_metadata.map(Into::into),
            header,
        })
    }
}

impl Challenge {
    const DEFAULT_REALM: &str = "api";

    /// Checks a realm, which becomes a quoted string: quotes and backslashes are escaped.
    pub(crate) fn set_realm(&mut self, name: &str) -> Result<(), ConfigError> {
        let invalid = ConfigError::Name { what: "realm", hint: "give visible ASCII and spaces" };
        if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(invalid);
        }
        let realm = name.replace('\\', r"\\").replace('"', r#"\""#);
        let url = self.0.as_ref().and_then(|settings| settings.resource_metadata.as_deref());
        self.0 = Some(Arc::new(Settings::new(&realm, url).ok_or(invalid)?));
        Ok(())
    }

    /// Checks the URL of the resource's metadata, which has no characters to escape.
    pub(crate) fn set_resource_metadata(&mut self, url: &str) -> Result<(), ConfigError> {
        let invalid = |problem| ConfigError::Url { what: "URL of the resource metadata", problem };
        parse_published(url).map_err(invalid)?;
        let realm = self.0.as_ref().map_or(Self::DEFAULT_REALM, |settings| &settings.realm);
        let settings = Settings::new(realm, Some(url));
        self.0 = Some(Arc::new(settings.ok_or_else(|| invalid("it does not fit into a header"))?));
        Ok(())
    }

    /// Returns the header without an error code.
    pub(super) fn header(&self) -> HeaderValue {
        match &self.0 {
            Some(settings) => settings.header.clone(),
            None => HeaderValue::from_static(r#"Bearer realm="api""#),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_escaped_or_rejected() {
        let mut challenge = Challenge::default();
        challenge.set_realm(r#"a "b" \c"#).unwrap();
        assert_eq!(challenge.header(), r#"Bearer realm="a \"b\" \\c""#);
        for bad in ["", "a\r\nb", "ä", "\u{7f}"] {
            assert!(Challenge::default().set_realm(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_setters_keep_what_the_other_has_set() {
        let (realm, url) = (r#"the "shop""#, "https://api.example/.well-known/x");
        let header =
            r#"Bearer realm="the \"shop\"", resource_metadata="https://api.example/.well-known/x""#;
        let (mut one, mut other) = (Challenge::default(), Challenge::default());
        one.set_realm(realm).unwrap();
        one.set_resource_metadata(url).unwrap();
        other.set_resource_metadata(url).unwrap();
        assert_eq!(
            other.header(),
            r#"Bearer realm="api", resource_metadata="https://api.example/.well-known/x""#
        );
        other.set_realm(realm).unwrap();
        assert_eq!(
            (one.header(), other.header()),
            (header.parse().unwrap(), header.parse().unwrap())
        );
    }
}

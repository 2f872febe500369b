use http::Uri;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::ConfigError;
use crate::scope;
use crate::url::{is_plain, parse_published};

/// The members of a metadata document, with the rules that both kinds of documents have in common.
#[derive(Clone, Debug)]
pub(super) struct Members {
    map: Map<String, Value>,
    /// The members that have a setter, which checks their value.
    with_setter: &'static [&'static str],
    /// Whether URLs may be without TLS, because that of the document's subject is.
    allows_plain: bool,
}

impl Members {
    /// Creates the members of a document about the subject at this URL, in a member of its own.
    pub(super) fn new(
        name: &'static str,
        subject: &str,
        url: &Uri,
        with_setter: &'static [&'static str],
    ) -> Self {
        let mut members = Self { map: Map::new(), with_setter, allows_plain: is_plain(url) };
        members.set(name, subject.into());
        members
    }

    /// Sets a member. Without elements it is omitted (RFC 8414 §3.2, RFC 9728 §3.2).
    fn set(&mut self, name: &str, value: Value) {
        if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
            self.map.remove(name);
        } else {
            self.map.insert(name.to_owned(), value);
        }
    }

    pub(super) fn set_text(&mut self, name: &'static str, text: String) {
        self.set(name, text.into());
    }

    /// Sets a URL that programs use.
    pub(super) fn set_url(&mut self, name: &'static str, url: &str) -> Result<(), ConfigError> {
        self.check_url(name, url)?;
        self.set(name, url.into());
        Ok(())
    }

    /// Sets the URL of a page, which may have a fragment.
    pub(super) fn set_page(&mut self, name: &'static str, url: &str) -> Result<(), ConfigError> {
        let (page, fragment) = url.split_once('#').unwrap_or((url, ""));
        self.check_url(name, page)?;
        // The characters of a fragment are those of a query (RFC 3986 §3.5).
        self.check_url(name, &format!("{page}?{fragment}"))?;
        self.set(name, url.into());
        Ok(())
    }

    /// Checks a URL, which must not be without TLS if that of the document's subject is not.
    pub(super) fn check_url(&self, what: &'static str, url: &str) -> Result<(), ConfigError> {
        let invalid = |problem| ConfigError::Url { what, problem };
        let url = parse_published(url).map_err(invalid)?;
        if is_plain(&url) && !self.allows_plain {
            return Err(invalid("it is http, and the URL of the document's subject is https"));
        }
        Ok(())
    }

    pub(super) fn set_list(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) {
        self.set(name, strings(values));
    }

    /// Sets `scopes_supported`.
    pub(super) fn set_scopes(
        &mut self,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), ConfigError> {
        let scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
        scopes.iter().try_for_each(|scope| scope::check_token(scope))?;
        self.set_list("scopes_supported", scopes);
        Ok(())
    }

    /// Sets a member that has no setter.
    pub(super) fn set_other(
        &mut self,
        name: &str,
        value: &impl Serialize,
    ) -> Result<(), ConfigError> {
        let invalid = |problem| ConfigError::MetadataMember { name: name.to_owned(), problem };
        if name.is_empty() {
            return Err(invalid("give it a name"));
        }
        if self.with_setter.contains(&name) {
            return Err(invalid("it has a setter or an argument of its own"));
        }
        let value = serde_json::to_value(value).map_err(|_| invalid("its value is not JSON"))?;
        self.set(name, value);
        Ok(())
    }

    /// Sets a required list, which is a member also without elements.
    pub(super) fn set_required_list(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) {
        self.map.insert(name.to_owned(), strings(values));
    }

    pub(super) fn to_json(&self) -> String {
        Value::Object(self.map.clone()).to_string()
    }
}

/// Returns a list of strings.
fn strings(values: impl IntoIterator<Item = impl Into<String>>) -> Value {
    values.into_iter().map(|value| Value::String(value.into())).collect()
}

use std::borrow::Cow;

use tower_jwt_auth_core::Timestamp;

use super::claim::Claim;
use super::registered::RegisteredClaims;
use super::values::Audience;
use crate::jws::SeenNames;

/// Parses the registered claims of a claims set that is written as issuers write them: without white space, escapes and
/// nested objects, with strings, whole numbers, literals and lists of strings as values.
///
/// Returns `None` for any other text, be it JSON or not. The result is that of [`parse`](super::parse()), which accepts
/// all of JSON and takes several times as long.
pub(super) fn parse(json: &str) -> Option<RegisteredClaims<'_>> {
    // Within these characters, a string ends at the next quotation mark.
    let needs_parser = |byte: u8| u8::from(byte < b' ') | u8::from(byte == b'\\');
    if json.bytes().fold(0, |found, byte| found | needs_parser(byte)) != 0 {
        return None;
    }
    let mut claims = RegisteredClaims::default();
    let mut others = SeenNames::default();
    let mut text = Rest(json.strip_prefix('{')?);
    loop {
        let name = text.string()?;
        text.expect(b':')?;
        let value = text.value()?;
        let set = match name {
            "iss" => set(&mut claims.iss, value.text()),
            "sub" => set(&mut claims.sub, value.text()),
            "aud" => set(&mut claims.aud, value.audience()),
            "exp" => set(&mut claims.exp, value.date()),
            "nbf" => set(&mut claims.nbf, value.date()),
            "iat" => set(&mut claims.iat, value.date()),
            "jti" => set(&mut claims.jti, value.text()),
            "sid" => set(&mut claims.sid, value.text()),
            "client_id" => set(&mut claims.client_id, value.text()),
            "auth_time" => set(&mut claims.auth_time, value.date()),
            "scope" => set(&mut claims.scope, value.text()),
            _ if name.starts_with('$') => None,
            _ => others.add::<serde_json::Error>(Cow::Borrowed(name)).ok(),
        };
        set?;
        match text.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    text.0.is_empty().then_some(claims)
}

/// Sets a claim, or returns `None` for a second member of its name.
fn set<T>(claim: &mut Claim<T>, value: Claim<T>) -> Option<()> {
    claim.set::<serde_json::Error>(value).ok()
}

/// A value of a member.
enum Value<'s> {
    Text(&'s str),
    /// A number that is not negative, with at most 15 digits.
    Number(i64),
    Texts(Vec<Cow<'s, str>>),
    /// `true`, `false` or `null`.
    Literal,
}

impl<'s> Value<'s> {
    fn text(self) -> Claim<Cow<'s, str>> {
        match self {
            Self::Text(text) => Claim::Value(Cow::Borrowed(text)),
            Self::Number(_) | Self::Texts(_) | Self::Literal => Claim::Mistyped,
        }
    }

    fn date(self) -> Claim<Timestamp> {
        match self {
            Self::Number(seconds) => Claim::Value(Timestamp::from_unix_seconds(seconds)),
            Self::Text(_) | Self::Texts(_) | Self::Literal => Claim::Mistyped,
        }
    }

    fn audience(self) -> Claim<Audience<'s>> {
        match self {
            Self::Text(text) => Claim::Value(Audience::One(Cow::Borrowed(text))),
            Self::Texts(texts) => Claim::Value(Audience::Several(texts)),
            Self::Number(_) | Self::Literal => Claim::Mistyped,
        }
    }
}

/// The text that is left to parse.
struct Rest<'s>(&'s str);

impl<'s> Rest<'s> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.0.as_bytes().first()?;
        self.0 = self.0.get(1..)?;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn string(&mut self) -> Option<&'s str> {
        self.expect(b'"')?;
        let end = memchr::memchr(b'"', self.0.as_bytes())?;
        let (string, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(string)
    }

    fn value(&mut self) -> Option<Value<'s>> {
        match self.0.as_bytes().first()? {
            b'"' => self.string().map(Value::Text),
            b'0'..=b'9' => self.number().map(Value::Number),
            b'[' => self.strings().map(Value::Texts),
            _ => {
                let literal = |literal| self.0.strip_prefix(literal);
                self.0 =
                    literal("true").or_else(|| literal("false")).or_else(|| literal("null"))?;
                Some(Value::Literal)
            }
        }
    }

    /// Parses a whole number. A fraction or an exponent, and a leading zero, leave a character that nothing accepts.
    fn number(&mut self) -> Option<i64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 15 || (digits > 1 && self.0.starts_with('0')) {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        number.parse().ok()
    }

    fn strings(&mut self) -> Option<Vec<Cow<'s, str>>> {
        self.expect(b'[')?;
        let mut strings = Vec::new();
        loop {
            strings.push(Cow::Borrowed(self.string()?));
            match self.next()? {
                b',' => {}
                b']' => return Some(strings),
                _ => return None,
            }
        }
    }
}

//! base64url without padding (RFC 7515 §2).

use std::ops::Deref;

use base64_simd::{Out, URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};
use zeroize::Zeroize;

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(crate) fn append(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_append(bytes, text);
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// The length of 128 bits as text.
const TEXT_LENGTH: usize = 22;

/// The text of 128 bits, such as an ID, on the stack.
#[derive(Default)]
pub(crate) struct Text128([u8; TEXT_LENGTH]);

impl Text128 {
    pub(crate) fn new(bits: &[u8; 16]) -> Self {
        let mut text = Self::default();
        text.set(bits);
        text
    }

    /// Sets the text in place, so that no copy of a secret remains elsewhere.
    pub(crate) fn set(&mut self, bits: &[u8; 16]) {
        let _ = URL_SAFE_NO_PAD.encode(bits, Out::from_slice(&mut self.0));
    }
}

impl Deref for Text128 {
    type Target = str;

    fn deref(&self) -> &str {
        // The alphabet is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Serialize for Text128 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl Zeroize for Text128 {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// Decodes 128 bits. Returns `false` for any other text.
pub(crate) fn decode_128(text: &str, bits: &mut [u8; 16]) -> bool {
    text.len() == TEXT_LENGTH
        && URL_SAFE_NO_PAD
            .decode(text.as_bytes(), Out::from_slice(bits))
            .is_ok_and(|decoded| decoded.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_128_bits_is_that_of_the_general_form() {
        for bits in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            let text = Text128::new(&bits);
            assert_eq!(*text, encode(&bits));
            let mut decoded = [7; 16];
            assert!(decode_128(&text, &mut decoded));
            assert_eq!(decoded, bits);
        }
    }

    #[test]
    fn only_canonical_texts_of_128_bits_are_decoded() {
        for bad in [
            "",
            "_____________________x", // non-zero trailing bits
            "_____________________w==",
            "/////////////////////w",
            "____________________",
            "______________________w",
            "é____________________",
        ] {
            assert!(!decode_128(bad, &mut [0; 16]), "{bad}");
        }
    }
}

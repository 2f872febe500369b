//! Keys in PEM (RFC 7468).

use zeroize::Zeroizing;

/// The first block of a PEM document.
pub(super) struct PemBlock {
    label: String,
    /// Wiped on drop: it may be a private key.
    pub(super) der: Zeroizing<Vec<u8>>,
}

impl PemBlock {
    /// Parses the first block. Text before it and all that follows it are ignored (RFC 7468 §2).
    pub(super) fn parse(pem: &[u8]) -> Option<Self> {
        let mut lines = pem.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let label = lines.find_map(|line| boundary(line, b"-----BEGIN "))?;
        // The capacity is enough for the whole text: a vector that grows leaves copies behind.
        let mut der = Zeroizing::new(Vec::with_capacity(pem.len()));
        loop {
            let line = lines.next()?;
            match boundary(line, b"-----END ") {
                Some(end) if end == label => break,
                Some(_) => return None,
                None => der.extend_from_slice(line),
            }
        }
        let length = base64_simd::STANDARD.decode_inplace(&mut der).ok()?.len();
        der.truncate(length);
        Some(Self { label: String::from_utf8(label.to_vec()).ok()?, der })
    }

    /// Returns whether the label is this one, for RSA also with `RSA` before it.
    pub(super) fn has_label(&self, label: &str, is_rsa: bool) -> bool {
        self.label == label || is_rsa && self.label.strip_prefix("RSA ") == Some(label)
    }
}

/// Returns the label of an encapsulation boundary.
fn boundary<'l>(line: &'l [u8], begin: &[u8]) -> Option<&'l [u8]> {
    line.strip_prefix(begin)?.strip_suffix(b"-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN PUBLIC KEY-----\nAQID\nBA==\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_first_block_counts() {
        let other = BLOCK.replace("PUBLIC", "PRIVATE").replace("AQID", "BQYH");
        for text in [
            BLOCK.to_owned(),
            BLOCK.replace('\n', "\r\n"),
            format!("Bag Attributes: none\n{BLOCK}{other}"),
            format!("{BLOCK}-----BEGIN"),
            BLOCK.trim_end().to_owned(),
        ] {
            let block = PemBlock::parse(text.as_bytes()).unwrap();
            assert_eq!(*block.der, [1, 2, 3, 4], "{text}");
            assert!(block.has_label("PUBLIC KEY", false), "{text}");
        }
    }

    #[test]
    fn a_label_is_matched_exactly() {
        let labels =
            ["PUBLIC KEY", "RSA PUBLIC KEY", "PRIVATE KEY", "EC PRIVATE KEY", "CERTIFICATE"];
        for label in labels {
            let block = BLOCK.replace("PUBLIC KEY", label);
            let block = PemBlock::parse(block.as_bytes()).unwrap();
            assert_eq!(block.has_label("PUBLIC KEY", false), label == "PUBLIC KEY");
            assert_eq!(block.has_label("PUBLIC KEY", true), label.ends_with("PUBLIC KEY"));
        }
    }

    #[test]
    fn text_without_a_whole_block_is_not_pem() {
        for text in [
            String::new(),
            "AQIDBA==".to_owned(),
            BLOCK.replace("END PUBLIC", "END PRIVATE"),
            BLOCK.replace("-----END PUBLIC KEY-----", ""),
            BLOCK.replace("AQID", "AQI"),
            BLOCK.replace("AQID", "Proc-Type: 4,ENCRYPTED"),
            BLOCK.replace("AQID", "AQ_-"),
        ] {
            assert!(PemBlock::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}

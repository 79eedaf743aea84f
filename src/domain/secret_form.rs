//! How the secrets of drones look, so that each is known by its beginning: a token to join with, and a drone's own key.
//! Both hold 192 random bits; only their digests are kept.

use super::digest::Digest;

const TOKEN: &str = "chartly-join_";
const DRONE_KEY: &str = "chartly-drone_";
const HEX_DIGITS: usize = 48;

/// A token made of random bytes.
pub fn token_of(random: [u8; 24]) -> String {
    format!("{TOKEN}{}", hex::encode(random))
}

/// A drone's key made of random bytes.
pub fn drone_key_of(random: [u8; 24]) -> String {
    format!("{DRONE_KEY}{}", hex::encode(random))
}

/// The digest of a token; none where the text has not the form of one.
pub fn token_digest(text: &[u8]) -> Option<Digest> {
    has_form(TOKEN, text).then(|| Digest::of(text))
}

/// The digest of a drone's key; none where the text has not the form of one.
pub fn drone_key_digest(text: &[u8]) -> Option<Digest> {
    has_form(DRONE_KEY, text).then(|| Digest::of(text))
}

fn has_form(prefix: &str, text: &[u8]) -> bool {
    let digits = text.strip_prefix(prefix.as_bytes());
    digits.is_some_and(|digits| digits.len() == HEX_DIGITS && digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_form_and_by_no_other() {
        let (token, key) = (token_of([7; 24]), drone_key_of([7; 24]));
        assert_eq!(token_digest(token.as_bytes()), Some(Digest::of(token.as_bytes())));
        assert_eq!(drone_key_digest(key.as_bytes()), Some(Digest::of(key.as_bytes())));
        let long = format!("{key}0");
        for other in [token.as_str(), long.as_str(), &key[..key.len() - 1], "chartly-drone_", ""] {
            assert_eq!(drone_key_digest(other.as_bytes()), None, "{other}");
        }
        assert_eq!(token_digest(key.as_bytes()), None);
    }
}

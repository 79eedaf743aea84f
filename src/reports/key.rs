//! Join keys: the texts of the join dims as one run of bytes that no two lists of texts share, in the order of
//! the texts. A text ends with a zero byte, and a zero byte inside a text is followed by 0xFF, which UTF-8 never
//! holds; so a key can be compared, hashed and sorted as bytes, and no separator can be forged by a value.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

const END: u8 = 0;
const INNER: u8 = 0xff;

/// Appends one text of a key to `key`.
pub(super) fn write_part(key: &mut Vec<u8>, text: &[u8]) {
    for piece in text.split_inclusive(|byte| *byte == END) {
        key.extend_from_slice(piece);
        if piece.ends_with(&[END]) {
            key.push(INNER);
        }
    }
    key.push(END);
}

/// The texts that `key` was written from.
pub(super) fn read_parts(key: &[u8]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut bytes = key.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != END {
            part.push(byte);
        } else if bytes.next_if_eq(&INNER).is_some() {
            part.push(END);
        } else {
            parts.push(String::from_utf8_lossy(&part).into_owned());
            part.clear();
        }
    }
    parts
}

/// Distinct keys, numbered from 0 in the order in which they came, packed in one buffer.
#[derive(Debug, Default)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    numbers: HashTable<u32>,
    // Seeded at random: sources choose the texts, and must not be able to choose collisions.
    hasher: RandomState,
}

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes that the keys and their table take, without the spare room of growing buffers.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.len() + self.len() * (size_of::<usize>() + 2 * size_of::<u32>())
    }

    pub(super) fn get(&self, number: u32) -> &[u8] {
        key_at(&self.bytes, &self.ends, number as usize)
    }

    /// The number of `key`, a new one where it is new; `None` where there are too many to number.
    pub(super) fn number(&mut self, key: &[u8]) -> Option<u32> {
        let Self { bytes, ends, numbers, hasher } = self;
        let hash = hasher.hash_one(key);
        if let Some(found) = numbers.find(hash, |number| key_at(bytes, ends, *number as usize) == key) {
            return Some(*found);
        }
        let number = u32::try_from(ends.len()).ok()?;
        bytes.extend_from_slice(key);
        ends.push(bytes.len());
        numbers.insert_unique(hash, number, |number| hasher.hash_one(key_at(bytes, ends, *number as usize)));
        Some(number)
    }
}

fn key_at<'k>(bytes: &'k [u8], ends: &[usize], number: usize) -> &'k [u8] {
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key_of(texts: &[String]) -> Vec<u8> {
        let mut key = Vec::new();
        for text in texts {
            write_part(&mut key, text.as_bytes());
        }
        key
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[ab|\\.\u{0}\u{1}ü\u{10ffff}]{0,4}", 2..=2)
    }

    #[test]
    fn texts_that_hold_a_separator_stay_apart() {
        let apart = [["a|b", "c"], ["a", "b|c"], ["a\0", "bc"], ["a", "\0bc"], ["", "a\0b"]];
        let keys: Vec<_> = apart.map(|texts| key_of(&texts.map(String::from))).into();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{:?} collides", apart[index]);
        }
    }

    proptest! {
        #[test]
        fn keys_read_back_and_order_as_their_texts(left in texts(), right in texts()) {
            prop_assert_eq!(&read_parts(&key_of(&left)), &left);
            prop_assert_eq!(key_of(&left).cmp(&key_of(&right)), left.cmp(&right));
        }

        #[test]
        fn a_key_keeps_its_number(all in proptest::collection::vec(texts(), 1..40)) {
            let mut keys = Keys::default();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for key in all.iter().map(|texts| key_of(texts)) {
                let expected = model.iter().position(|known| *known == key).unwrap_or(model.len());
                if expected == model.len() {
                    model.push(key.clone());
                }
                let number = keys.number(&key).unwrap();
                prop_assert_eq!(number as usize, expected);
                prop_assert_eq!(keys.get(number), &key[..]);
            }
            prop_assert_eq!(keys.len(), model.len());
        }
    }
}

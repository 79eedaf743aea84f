//! A profile between its runs: what tells it from others, and its text, packed. Compiled, a profile takes ten times as
//! much memory, and it is compiled in less than a tenth of a millisecond; so a small box holds ten thousand of them.

use std::fmt;
use std::sync::Arc;

use super::{Problems, Profile, load};
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;

/// Profiles are short texts; more effort would gain little.
const ZSTD_LEVEL: i32 = 1;

/// Cheap to clone.
#[derive(Clone)]
pub struct Packed(Arc<Parts>);

struct Parts {
    id: ProfileId,
    digest: Digest,
    /// Bytes of the text.
    length: usize,
    zstd: Box<[u8]>,
}

impl Packed {
    /// Packs a text that is without problems; else tells all of them.
    pub fn new(text: &str) -> Result<Self, Problems> {
        let profile = load(text)?;
        let zstd = zstd::bulk::compress(text.as_bytes(), ZSTD_LEVEL).expect("a short text in memory can be compressed");
        let (id, digest) = (profile.id().clone(), *profile.digest());
        Ok(Self(Arc::new(Parts { id, digest, length: text.len(), zstd: zstd.into() })))
    }

    pub fn id(&self) -> &ProfileId {
        &self.0.id
    }

    /// Digest of the text.
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// Compiles it again.
    pub fn unpack(&self) -> Profile {
        let Parts { length, zstd, .. } = &*self.0;
        let text = zstd::bulk::decompress(zstd, *length).expect("what was compressed here can be decompressed");
        let text = String::from_utf8(text).expect("it was text when it was packed");
        load(&text).expect("it was without problems when it was packed")
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Packed").field(self.id()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_the_same_profile_and_much_smaller() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/finance");
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            let packed = Packed::new(&text).unwrap();
            let profile = packed.unpack();
            assert_eq!((packed.id(), packed.digest()), (profile.id(), profile.digest()));
            assert_eq!(*packed.digest(), Digest::of(text.as_bytes()));
            assert!(packed.0.zstd.len() < text.len(), "{}", file.display());
        }
    }

    #[test]
    fn what_has_problems_is_not_packed() {
        assert!(Packed::new("id: a\nsorce: {}\n").is_err());
    }
}

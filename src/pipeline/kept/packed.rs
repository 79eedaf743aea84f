//! Looks through packed files for secrets, without holding what they unpack to. Knows no profile: a file is packed when
//! it begins like one.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use memchr::memmem::Finder;

use crate::pipeline::decode::{zip_entries, zip_reader};

/// Bytes of one file that are looked through, unpacked.
pub const MAX_UNPACKED_BYTES: u64 = 256 << 20;
const CHUNK_BYTES: usize = 64 << 10;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zip,
    /// No profile reads it.
    Zstd,
}

impl Packing {
    /// Told by the first bytes.
    pub fn of(body: &[u8]) -> Option<Self> {
        [(&[0x1f, 0x8b][..], Self::Gzip), (b"PK\x03\x04", Self::Zip), (&[0x28, 0xb5, 0x2f, 0xfd], Self::Zstd)]
            .into_iter()
            .find(|(magic, _)| body.starts_with(magic))
            .map(|(_, packing)| packing)
    }
}

/// Whether one of the words is in the file or in what it unpacks to. `None`: it cannot be seen, since it is broken, larger
/// than what is looked through, or packed in a way that is not known.
pub fn holds(body: &[u8], packing: Packing, words: &[&String]) -> Option<bool> {
    let finders: Vec<Finder<'_>> = words.iter().map(|word| Finder::new(word.as_bytes())).collect();
    if finders.iter().any(|finder| finder.find(body).is_some()) {
        return Some(true);
    }
    let mut left = MAX_UNPACKED_BYTES;
    match packing {
        Packing::Zstd => None,
        Packing::Gzip => stream_holds(MultiGzDecoder::new(body), &finders, &mut left).ok(),
        Packing::Zip => {
            for (_, entry) in zip_entries(body).ok()? {
                if stream_holds(zip_reader(body, entry).ok()?, &finders, &mut left).ok()? {
                    return Some(true);
                }
            }
            Some(false)
        }
    }
}

/// A word may lie across two chunks, so the end of each stays for the next.
fn stream_holds(mut source: impl Read, finders: &[Finder<'_>], left: &mut u64) -> io::Result<bool> {
    let overlap = finders.iter().map(|finder| finder.needle().len()).max().unwrap_or(0).saturating_sub(1);
    let mut window = Vec::with_capacity(CHUNK_BYTES + overlap);
    loop {
        let kept = window.len();
        let read = source.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut window)? as u64;
        *left = left.checked_sub(read).ok_or_else(|| io::Error::other("larger than is looked through"))?;
        if finders.iter().any(|finder| finder.find(&window).is_some()) {
            return Ok(true);
        }
        if window.len() == kept {
            return Ok(false);
        }
        window.drain(..window.len().saturating_sub(overlap));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_lies_in_the_stream() {
        let word = "s3cret-word".to_owned();
        for before in [0, 1, CHUNK_BYTES - 12, CHUNK_BYTES - 11, CHUNK_BYTES - 5, CHUNK_BYTES, 3 * CHUNK_BYTES + 7] {
            let text = [vec![b'x'; before], word.as_bytes().to_vec(), vec![b'y'; 9]].concat();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&text).unwrap();
            let packed = encoder.finish().unwrap();
            assert_eq!(holds(&packed, Packing::Gzip, &[&word]), Some(true), "{before}");
            assert_eq!(holds(&packed, Packing::Gzip, &[&"another".to_owned()]), Some(false), "{before}");
            assert_eq!(holds(&packed[..packed.len() - 9], Packing::Gzip, &[&"another".to_owned()]), None, "{before}");
        }
    }
}

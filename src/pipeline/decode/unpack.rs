//! Files that come packed: gzip without saying so in HTTP, and zip.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder};

use crate::pipeline::page::PageError;
use crate::profiles::plan::Decoding;

/// Unpacks an answer into at most `max_bytes`.
pub fn unpack<'b>(body: &'b [u8], decoding: &Decoding, max_bytes: u64) -> Result<Cow<'b, [u8]>, PageError> {
    if let Some(name) = &decoding.zip {
        return zip_member(body, name, max_bytes).map(Cow::Owned);
    }
    if !decoding.gzip {
        return Ok(Cow::Borrowed(body));
    }
    if !body.starts_with(&[0x1f, 0x8b]) {
        let head = crate::pipeline::fetch::excerpt(body);
        return Err(PageError::Failed(format!("the answer is not a gzip file; it begins {head:?}")));
    }
    bounded(MultiGzDecoder::new(body), max_bytes, "gzip").map(Cow::Owned)
}

fn bounded(source: impl Read, max_bytes: u64, kind: &str) -> Result<Vec<u8>, PageError> {
    let mut bytes = Vec::new();
    let read = source.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| PageError::Broken(format!("the {kind} file is broken: {error}")))?;
    if bytes.len() as u64 > max_bytes {
        return Err(PageError::TooLarge);
    }
    Ok(bytes)
}

const END: &[u8] = b"PK\x05\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";

/// The file of a zip whose name fits; files that are encrypted or larger than 4 GiB are not read.
fn zip_member(body: &[u8], wanted: &str, max_bytes: u64) -> Result<Vec<u8>, PageError> {
    let entries = zip_entries(body)?;
    if let Some((_, at)) = entries.iter().find(|(name, _)| fits(wanted, name)) {
        return bounded(zip_reader(body, *at)?, max_bytes, "zip");
    }
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let listed: String = names.join(", ").chars().take(300).collect();
    Err(PageError::Failed(format!("the zip file has no {wanted:?}; it holds {listed}")))
}

/// The files of a zip: names, and the places of their entries.
pub fn zip_entries(body: &[u8]) -> Result<Vec<(String, usize)>, PageError> {
    let Some(end) = body.windows(4).rposition(|bytes| bytes == END) else {
        let head = crate::pipeline::fetch::excerpt(body);
        return Err(PageError::Failed(format!("the answer is not a zip file; it begins {head:?}")));
    };
    let broken = || PageError::Broken("the zip file is broken".into());
    let count = number(body, end + 10, 2).ok_or_else(broken)?;
    let mut at = number(body, end + 16, 4).ok_or_else(broken)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        if body.get(at..at + 4) != Some(ENTRY) {
            return Err(broken());
        }
        let [title, extra, comment] = [28, 30, 32].map(|place| number(body, at + place, 2));
        let (name_len, extra, comment) =
            (title.ok_or_else(broken)?, extra.ok_or_else(broken)?, comment.ok_or_else(broken)?);
        let name = body.get(at + 46..at + 46 + name_len).ok_or_else(broken)?;
        entries.push((String::from_utf8_lossy(name).into_owned(), at));
        at += 46 + name_len + extra + comment;
    }
    Ok(entries)
}

/// The unpacked file of an entry.
pub fn zip_reader(body: &[u8], entry: usize) -> Result<Box<dyn Read + '_>, PageError> {
    let broken = || PageError::Broken("the zip file is broken".into());
    let (method, packed) = packed_member(body, entry).ok_or_else(broken)?;
    match method {
        0 => Ok(Box::new(packed)),
        8 => Ok(Box::new(DeflateDecoder::new(packed))),
        other => Err(PageError::Failed(format!("the zip file is packed by method {other}, which is not read"))),
    }
}

/// The method of an entry, and its packed bytes.
fn packed_member(body: &[u8], entry: usize) -> Option<(usize, &[u8])> {
    let (method, size) = (number(body, entry + 10, 2)?, number(body, entry + 20, 4)?);
    let local = number(body, entry + 42, 4)?;
    if body.get(local..local + 4)? != LOCAL {
        return None;
    }
    let start = local + 30 + number(body, local + 26, 2)? + number(body, local + 28, 2)?;
    body.get(start..start.checked_add(size)?).map(|packed| (method, packed))
}

fn number(body: &[u8], at: usize, bytes: usize) -> Option<usize> {
    let part = body.get(at..at.checked_add(bytes)?)?;
    Some(part.iter().rev().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
}

/// Whether a name fits; `*` stands for anything.
fn fits(wanted: &str, name: &str) -> bool {
    let Some((start, rest)) = wanted.split_once('*') else { return wanted == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let Some((last, middle)) = parts.split_last() else { return true };
    for part in middle {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::testing;

    fn gzip(text: &str) -> Vec<u8> {
        testing::gzip(text.as_bytes())
    }

    /// A zip of one stored and one deflated file.
    fn zip() -> Vec<u8> {
        testing::zip(&[("read.me", false, b"hello"), ("API_x.csv", true, b"a,b\n1,2\n")])
    }

    fn unpacked(body: &[u8], decoding: &Decoding, max_bytes: u64) -> Result<String, String> {
        match unpack(body, decoding, max_bytes) {
            Ok(bytes) => Ok(String::from_utf8(bytes.into_owned()).unwrap()),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    #[test]
    fn gzip_files_are_unpacked_within_the_bound() {
        let decoding = Decoding { gzip: true, ..Decoding::default() };
        let twice = [gzip("hello "), gzip("world")].concat();
        assert_eq!(unpacked(&twice, &decoding, 100).unwrap(), "hello world");
        assert_eq!(unpacked(&twice, &decoding, 10).unwrap_err(), "TooLarge");
        assert!(unpacked(&twice[..20], &decoding, 100).unwrap_err().contains("broken"));
        assert!(unpacked(b"<html>", &decoding, 100).unwrap_err().contains("not a gzip file"));
    }

    #[test]
    fn a_file_of_a_zip_is_found_by_name() {
        let of = |name: &str| Decoding { zip: Some(name.into()), ..Decoding::default() };
        assert_eq!(unpacked(&zip(), &of("API_*.csv"), 100).unwrap(), "a,b\n1,2\n");
        assert_eq!(unpacked(&zip(), &of("read.me"), 100).unwrap(), "hello");
        assert_eq!(unpacked(&zip(), &of("API_*.csv"), 3).unwrap_err(), "TooLarge");
        assert!(unpacked(&zip(), &of("x"), 100).unwrap_err().contains("it holds read.me, API_x.csv"));
        for cut in 0..zip().len() {
            let _ = unpacked(&zip()[..cut], &of("API_*.csv"), 100);
        }
    }
}

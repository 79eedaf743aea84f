//! The bytes of an answer whose profile is not written yet, as a text that a proposal can be made of: unpacked, XML as
//! its tree. Knows no network.

use super::decode::{Room, decode, unpack, zip_entries};
use super::page::PageError;
use crate::profiles::plan::{Decoding, Format};
use crate::profiles::propose::Packing;

const MAX_BYTES: u64 = 16 << 20;

/// An answer as a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    pub text: String,
    /// The text is the tree of an XML document, as JSON.
    pub is_xml: bool,
    pub packing: Packing,
}

/// Unpacks and reads; the error is for the user.
pub fn sight(body: &[u8]) -> Result<Sight, String> {
    let (packing, decoding) = packing(body).map_err(told)?;
    let bytes = unpack(body, &decoding, MAX_BYTES).map_err(told)?;
    let text = super::page::text(&bytes).map_err(told)?;
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if !is_xml(start) {
        return Ok(Sight { text: text.to_owned(), is_xml: false, packing });
    }
    match decode(start.as_bytes(), &Format::Xml, Room::default()).map_err(told)? {
        super::decode::Document::Json(tree) => Ok(Sight { text: tree.into_owned(), is_xml: true, packing }),
        super::decode::Document::Grid(_) => Err("XML was not read as a tree".into()),
    }
}

/// A page is no XML that anyone wants.
fn is_xml(start: &str) -> bool {
    let head: String = start.chars().take(300).collect();
    start.starts_with('<') && !head.to_lowercase().contains("<html")
}

fn packing(body: &[u8]) -> Result<(Packing, Decoding), PageError> {
    if body.starts_with(&[0x1f, 0x8b]) {
        return Ok((Packing::Gzip, Decoding { gzip: true, ..Decoding::default() }));
    }
    if !body.starts_with(b"PK\x03\x04") {
        return Ok((Packing::Nothing, Decoding::default()));
    }
    let names: Vec<String> = zip_entries(body)?.into_iter().map(|(name, _)| name).collect();
    let name = likeliest(&names).ok_or_else(|| PageError::Failed("the zip file holds no files".into()))?;
    Ok((Packing::Zip(name.clone()), Decoding { zip: Some(name), ..Decoding::default() }))
}

/// The file of data, not the one of explanations.
fn likeliest(names: &[String]) -> Option<String> {
    let data = |name: &&String| {
        let name = name.to_lowercase();
        let is_data = [".csv", ".json", ".ndjson", ".xml", ".tsv", ".txt"].iter().any(|end| name.ends_with(end));
        is_data && !["readme", "meta", "license", "licence"].iter().any(|word| name.contains(word))
    };
    names.iter().find(data).or_else(|| names.iter().find(|name| !name.ends_with('/'))).cloned()
}

fn told(error: PageError) -> String {
    match error {
        PageError::Broken(message) | PageError::Failed(message) => message,
        PageError::TooLarge => format!("the answer has more than {} MiB once it is unpacked", MAX_BYTES >> 20),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn packed_files_and_xml_are_read() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"{\"a\":1}").unwrap();
        let seen = sight(&gzip.finish().unwrap()).unwrap();
        assert_eq!((seen.text.as_str(), seen.packing), ("{\"a\":1}", Packing::Gzip));
        let seen = sight(b"\xef\xbb\xbf <r><a v='1'/></r>").unwrap();
        assert_eq!((seen.text.as_str(), seen.is_xml), (r#"{"a":[{"@v":"1"}]}"#, true));
        assert!(!sight(b"<!doctype html><html>").unwrap().is_xml);
        for broken in [&b"\x1f\x8b\x08"[..], b"PK\x03\x04", b"\xff\xfe", b"<r>"] {
            assert!(sight(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn the_file_of_data_is_taken_from_a_zip() {
        let names = ["Metadata_Country.csv", "API_SP.csv", "readme.txt"].map(str::to_owned);
        assert_eq!(likeliest(&names).as_deref(), Some("API_SP.csv"));
        assert_eq!(likeliest(&["data/".to_owned(), "x.bin".to_owned()]).as_deref(), Some("x.bin"));
        assert_eq!(likeliest(&[]), None);
    }
}

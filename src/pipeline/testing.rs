//! Generators that several tests use.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use proptest::prelude::*;
use serde_json::Value;

/// Any JSON value of modest size.
pub fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z0-9.,%() -]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map("[a-d]{1,2}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A zip of files: name, whether it is deflated, and content.
pub fn zip(files: &[(&str, bool, &[u8])]) -> Vec<u8> {
    let short = |number: usize| u16::try_from(number).expect("a test is small").to_le_bytes();
    let long = |number: usize| u32::try_from(number).expect("a test is small").to_le_bytes();
    let (mut body, mut central) = (Vec::new(), Vec::new());
    for (name, is_deflated, content) in files {
        let mut packed = content.to_vec();
        if *is_deflated {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(content).expect("memory takes it");
            packed = encoder.finish().expect("memory takes it");
        }
        let local = body.len();
        body.extend_from_slice(b"PK\x03\x04");
        body.extend_from_slice(&[0; 22]);
        body.extend_from_slice(&short(name.len()));
        body.extend_from_slice(&[0; 2]);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&packed);
        central.extend_from_slice(b"PK\x01\x02");
        central.extend_from_slice(&[0; 6]);
        central.extend_from_slice(&short(if *is_deflated { 8 } else { 0 }));
        central.extend_from_slice(&[0; 8]);
        central.extend_from_slice(&long(packed.len()));
        central.extend_from_slice(&[0; 4]);
        central.extend_from_slice(&short(name.len()));
        central.extend_from_slice(&[0; 12]);
        central.extend_from_slice(&long(local));
        central.extend_from_slice(name.as_bytes());
    }
    let start = body.len();
    body.extend_from_slice(&central);
    body.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    body.extend_from_slice(&short(files.len()));
    body.extend_from_slice(&short(files.len()));
    body.extend_from_slice(&[0; 4]);
    body.extend_from_slice(&long(start));
    body.extend_from_slice(&[0, 0]);
    body
}

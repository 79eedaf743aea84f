//! What each fuzz target does with its bytes: real entry points, and what must hold whatever comes in. Knows no fuzzer,
//! so that the same functions play the kept corpus again as an ordinary test (`tests/corpus.rs`).

pub mod lines;
mod run;
mod texts;

pub use run::{ANSWER, Recipe, by_recipe, inflate, pipeline};
pub use texts::{path, record, time, yaml};

/// A name, and what is done with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target; the corpus has a folder for each.
pub const TARGETS: [Target; 11] = [
    ("yaml", yaml),
    ("path", path),
    ("time", time),
    ("record", record),
    ("decode_json", decode_json),
    ("decode_csv", decode_csv),
    ("decode_columns", decode_columns),
    ("decode_xml", decode_xml),
    ("decode_cube", decode_cube),
    ("inflate", inflate),
    ("pipeline", pipeline),
];

pub fn decode_json(data: &[u8]) {
    by_recipe(run::JSON, data);
}

pub fn decode_csv(data: &[u8]) {
    by_recipe(run::CSV, data);
}

pub fn decode_columns(data: &[u8]) {
    by_recipe(run::COLUMNS, data);
}

pub fn decode_xml(data: &[u8]) {
    by_recipe(run::XML, data);
}

pub fn decode_cube(data: &[u8]) {
    by_recipe(run::CUBE, data);
}

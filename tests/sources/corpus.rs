//! What the fuzzers found worth keeping, played again without them: every input keeps the promises that the fuzz
//! targets check.

#[allow(dead_code, unused_imports, reason = "what only the fuzzers use is not used here")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::{Path, PathBuf};

/// The corpus is kept small, so that it is played in seconds and costs the repository little.
const MAX_BYTES: u64 = 200 << 10;

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn the_corpus_of_the_fuzzers_keeps_every_promise() {
    let mut bytes = 0;
    for (name, target) in targets::TARGETS {
        let files = inputs(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let data = std::fs::read(&file).unwrap();
            bytes += data.len() as u64;
            let played = std::panic::catch_unwind(|| target(&data));
            assert!(played.is_ok(), "{} breaks a promise", file.display());
        }
    }
    assert!(bytes <= MAX_BYTES, "the corpus has {bytes} bytes; at most {MAX_BYTES} are kept");
}

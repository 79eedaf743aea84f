//! What it takes to compile a profile, and to validate ten thousand files. `cargo bench --bench profiles` prints the
//! median and the worst of the repository's own profiles, and the time of `chartly profile validate`.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends by panicking")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use chartly::profiles::load;

const FILES: usize = 10_000;
const TIMES: usize = 300;

fn main() {
    let mut texts = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles"), &mut texts);
    texts.sort();
    compile(&texts);
    validate(&texts);
}

/// Name and text of every profile below `folder`.
fn collect(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path: PathBuf = entry.path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            texts.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn compile(texts: &[(String, String)]) {
    let mut medians: Vec<(f64, &str, usize)> =
        texts.iter().map(|(name, text)| (time(text), &**name, text.len())).collect();
    medians.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (median, _, _) = medians[medians.len() / 2];
    let (worst, name, bytes) = *medians.last().unwrap();
    println!(
        "compiling {} profiles: median {median:.0} us, worst {worst:.0} us ({name}, {bytes} bytes); goal 200 us",
        texts.len()
    );
}

/// Microseconds to compile a text, the median of many times.
fn time(text: &str) -> f64 {
    let once = || {
        let begun = Instant::now();
        black_box(load(black_box(text)).unwrap());
        begun.elapsed().as_secs_f64() * 1e6
    };
    let mut times: Vec<f64> = (0..TIMES).map(|_| once()).collect();
    times.sort_by(f64::total_cmp);
    times[TIMES / 2]
}

/// Files that all differ, in folders of a hundred.
fn validate(texts: &[(String, String)]) {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..FILES {
        let below = folder.path().join(format!("{:03}", number / 100));
        std::fs::create_dir_all(&below).unwrap();
        let (name, text) = &texts[number % texts.len()];
        let own = format!("{name}-{number}");
        let text = text.replacen(&format!("id: {name}"), &format!("id: {own}"), 1);
        assert!(text.contains(&own), "{name} has its id on a line of its own");
        std::fs::write(below.join(format!("{own}.yaml")), text).unwrap();
    }
    let mut seconds: Vec<f64> = (0..5).map(|_| once(folder.path())).collect();
    seconds.sort_by(f64::total_cmp);
    println!("chartly profile validate, {FILES} files: {:.2} s (median of 5); goal 5 s", seconds[2]);
}

fn once(folder: &Path) -> f64 {
    let begun = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_chartly")).args(["profile", "validate"]).arg(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    begun.elapsed().as_secs_f64()
}

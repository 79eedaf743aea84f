//! From paths on the command line to profile files.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::profiles::MAX_TEXT_BYTES;

/// Folders below each other; deeper ones (a link that leads back) are not looked at.
const MAX_DEPTH: usize = 16;

/// All files that the paths name: a file itself, a folder's `*.yaml` and `*.yml` at any depth, in order.
/// Those that cannot be read come with the reason.
pub fn collect(paths: &[PathBuf]) -> Vec<(PathBuf, io::Result<String>)> {
    let mut found = Vec::new();
    for path in paths {
        if let Err(error) = walk(path, 0, &mut found) {
            found.push((path.clone(), Err(error)));
        }
    }
    found
}

/// The text of a profile. What is larger than any profile is not read to its end.
pub fn read(path: &Path) -> io::Result<String> {
    let most = MAX_TEXT_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_TEXT_BYTES {
        let size = std::fs::metadata(path).map_or(most, |about| about.len().max(most));
        return Err(io::Error::other(format!("the file has {size} bytes; a profile has at most {MAX_TEXT_BYTES}")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let column = before.chars().rev().take_while(|next| *next != '\n').count() + 1;
        let line = before.matches('\n').count() + 1;
        io::Error::other(format!("line {line}, column {column}: not UTF-8 text; save the file as UTF-8"))
    })
}

fn walk(path: &Path, depth: usize, found: &mut Vec<(PathBuf, io::Result<String>)>) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        found.push((path.to_owned(), read(path)));
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_profile = entry.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if hidden || !(is_profile || entry.is_dir()) || depth >= MAX_DEPTH {
            continue;
        }
        if let Err(error) = walk(&entry, depth + 1, found) {
            found.push((entry, Err(error)));
        }
    }
    Ok(())
}

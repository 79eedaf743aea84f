//! From paths on the command line to profile files.

use std::io;
use std::path::{Path, PathBuf};

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

fn walk(path: &Path, depth: usize, found: &mut Vec<(PathBuf, io::Result<String>)>) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        found.push((path.to_owned(), std::fs::read_to_string(path)));
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

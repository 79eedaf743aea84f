//! Linters from the registries: in `target/tools/bin` where .ci/tools puts them, or on the path.

use std::path::PathBuf;
use std::process::Command;

use crate::ended::repository;
use crate::support::skip;

/// The tool, ready for arguments. Without it the test is skipped, which fails under REQUIRE_ALL.
pub fn find(name: &str, test: &str) -> Option<Command> {
    let own = repository().join("target/tools/bin").join(name);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::iter::once(own).chain(std::env::split_paths(&paths).map(|folder| folder.join(name)));
    let found: Option<PathBuf> = candidates.into_iter().find(|path| path.is_file());
    if found.is_none() {
        skip(test, &format!("{name}; .ci/tools installs it"));
    }
    let mut command = Command::new(found?);
    command.current_dir(repository());
    Some(command)
}

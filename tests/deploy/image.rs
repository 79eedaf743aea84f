//! The Dockerfile as far as it decides how a container runs: a small reader of its instructions, and what must hold
//! of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ended::repository;
use crate::tools;

/// One stage, with what it inherits already in it.
#[derive(Debug, Clone, Default)]
pub struct Image {
    pub env: BTreeMap<String, String>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub health: Vec<String>,
    pub workdir: String,
    pub user: String,
    pub volumes: Vec<String>,
    pub labels: String,
    /// `(from a stage, sources, target)` of each COPY.
    pub copies: Vec<(Option<String>, Vec<String>, String)>,
}

/// Instruction and argument, lines joined, comments left out.
pub fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = joined.lines().filter_map(|line| line.trim().split_once(' '));
    split.map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).collect()
}

/// The image that a target stage makes.
pub fn image(target: &str) -> Image {
    let mut stages: BTreeMap<String, Image> = BTreeMap::new();
    let mut stage = String::new();
    for (name, rest) in instructions() {
        if name == "FROM" {
            let words: Vec<&str> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
            let inherited = stages.get(words[0]).cloned().unwrap_or_default();
            stage = words[2].to_owned();
            stages.insert(stage.clone(), inherited);
        } else if let Some(image) = stages.get_mut(&stage) {
            image.apply(&name, &rest);
        }
    }
    stages.remove(target).unwrap_or_else(|| panic!("there is a stage {target}"))
}

impl Image {
    fn apply(&mut self, name: &str, rest: &str) {
        match name {
            "ENV" => self.env.extend(rest.split_whitespace().filter_map(pair)),
            "WORKDIR" => self.workdir = rest.to_owned(),
            "USER" => self.user = rest.to_owned(),
            "ENTRYPOINT" => (self.entrypoint, self.command) = (words(rest), Vec::new()),
            "CMD" => self.command = words(rest),
            "VOLUME" => self.volumes = words(rest),
            "LABEL" => self.labels.push_str(rest),
            "HEALTHCHECK" => self.health = words(rest.split_once("CMD ").unwrap().1),
            "COPY" => self.copies.push(copy(rest)),
            _ => {}
        }
    }
}

fn pair(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    Some((name.to_owned(), value.trim_matches('"').to_owned()))
}

/// The exec form; the shell form needs a shell, and there is none in the image.
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|_| panic!("not in exec form: {json}"))
}

fn copy(rest: &str) -> (Option<String>, Vec<String>, String) {
    let from = rest.split_whitespace().find_map(|word| word.strip_prefix("--from=")).map(str::to_owned);
    let mut paths: Vec<String> =
        rest.split_whitespace().filter(|word| !word.starts_with("--")).map(str::to_owned).collect();
    let target = paths.pop().unwrap();
    (from, paths, target)
}

#[test]
fn both_images_run_without_rights_and_check_themselves() {
    for (target, program) in [("control", "chartly"), ("drone", "chartly-drone")] {
        let image = image(target);
        let (user, group) = image.user.split_once(':').unwrap();
        assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0, "{}", image.user);
        assert_eq!(image.entrypoint, [format!("/usr/local/bin/{program}")]);
        assert_eq!(image.health[0], image.entrypoint[0], "no curl and no shell");
        assert_eq!((image.workdir.as_str(), &*image.volumes), ("/app", &["/app/data".to_owned()][..]));
        for label in ["source", "licenses", "version", "revision", "created", "title", "description"] {
            assert!(image.labels.contains(&format!("org.opencontainers.image.{label}=")), "{label}");
        }
        assert!(image.copies.iter().any(|(_, _, to)| *to == format!("/usr/local/bin/{program}")));
        assert!(!image.copies.iter().any(|(_, _, to)| to == "./"), "no sources in the image");
    }
    let last = instructions().into_iter().rfind(|(name, _)| name == "FROM").unwrap();
    assert!(last.1.ends_with("AS control"), "the default target is the control plane");
}

#[test]
fn everything_that_is_copied_is_there_and_not_ignored() {
    let kept: Vec<String> = fs::read_to_string(repository().join(".dockerignore"))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix('!').map(|name| name.trim_end_matches('*').to_owned()))
        .collect();
    let copies = instructions().into_iter().filter(|(name, _)| name == "COPY").map(|(_, rest)| copy(&rest));
    for source in copies.filter(|(from, ..)| from.is_none()).flat_map(|(_, sources, _)| sources) {
        let name = source.trim_end_matches('*');
        assert!(source.ends_with('*') || repository().join(name).exists(), "{source} is not there");
        assert!(kept.iter().any(|kept| name.starts_with(kept.as_str())), "{source} is ignored");
    }
}

/// The RUN of the layer with the dependencies, with `cargo metadata` in place of the build: the manifest that it makes
/// is whole, and its lock file holds.
#[test]
fn the_layer_of_the_dependencies_has_a_manifest_that_cargo_takes() {
    let runs = instructions().into_iter().filter(|(name, _)| name == "RUN").map(|(_, rest)| rest);
    let layer = runs.into_iter().find(|run| run.contains("fn main() {}")).unwrap();
    let build = r#"cargo build --locked --release --lib --bins --target "$TRIPLE""#;
    assert!(layer.contains(build), "{layer}");
    let checked = layer.replace(build, "cargo metadata --locked --offline --no-deps --format-version 1 > made.json");
    let folder = tempfile::tempdir().unwrap();
    for name in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(repository().join(name), folder.path().join(name)).unwrap();
    }
    let script = checked.replace(". /target.sh;", "");
    let ran = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let made: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("made.json")).unwrap()).unwrap();
    let targets = made["packages"][0]["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 3, "the library and two programs: {targets:?}");
    let whole = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
    assert_eq!(whole, fs::read_to_string(repository().join("Cargo.toml")).unwrap(), "the real one is back");
}

/// Processors are build arguments; one that we do not know ends the build with a word.
#[test]
fn the_processor_is_an_argument() {
    let runs = instructions().into_iter().filter(|(name, _)| name == "RUN").map(|(_, rest)| rest);
    let choose = runs.into_iter().find(|run| run.contains("/target.sh") && run.contains("case")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("target.sh");
    for (processor, triple) in
        [("amd64", Some("x86_64-unknown-linux-gnu")), ("arm64", Some("aarch64-unknown-linux-gnu")), ("mips", None)]
    {
        let script = choose.replace("/target.sh", file.to_str().unwrap());
        let mut sh = Command::new("sh");
        let ran = sh.args(["-c", &script]).env("TARGETARCH", processor).env("BUILDARCH", processor).output().unwrap();
        let Some(triple) = triple else {
            assert!(!ran.status.success() && String::from_utf8_lossy(&ran.stderr).contains("expected amd64 or arm64"));
            continue;
        };
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert!(fs::read_to_string(&file).unwrap().contains(&format!("TRIPLE={triple} ")));
    }
}

#[test]
fn the_linter_finds_nothing() {
    let Some(mut hadolint) = tools::find("hadolint", "deploy::image") else { return };
    let file: &Path = &repository().join("Dockerfile");
    let found = hadolint.arg("--no-color").arg(file).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
}

//! The table of all settings in docs/configuration.md, made from the built-in file and its comments, so that it cannot
//! drift from the code.

use super::aliases::ALIASES;
use super::layers::DEFAULTS;
use super::variables::variable_of;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
const BEGIN: &str = "<!-- begin: made from config/default.yaml -->\n";
const END: &str = "<!-- end -->";

/// One setting as the file tells it.
struct Entry {
    key: String,
    default: String,
    text: String,
}

fn entries() -> Vec<Entry> {
    let (mut entries, mut section, mut text) = (Vec::new(), String::new(), String::new());
    for line in DEFAULTS.lines() {
        let inner = line.trim_start();
        if let Some(comment) = inner.strip_prefix('#') {
            text = format!("{text} {}", comment.trim());
        } else if let Some((name, default)) = inner.split_once(": ") {
            let above = if line.starts_with(' ') { format!("{section}.") } else { String::new() };
            let entry =
                Entry { key: format!("{above}{name}"), default: default.to_owned(), text: text.trim().to_owned() };
            entries.push(entry);
            text.clear();
        } else {
            section = inner.trim_end_matches(':').to_owned();
            text.clear();
        }
    }
    entries
}

fn table() -> String {
    let mut table = "| setting | default | variable | |\n| --- | --- | --- | --- |\n".to_owned();
    for Entry { key, default, text } in entries() {
        let alias = ALIASES.iter().find(|alias| alias.key == key);
        let alias = alias.map(|alias| format!(" or `{}`", alias.name)).unwrap_or_default();
        let (variable, text) = (variable_of(&key), text.replace('|', "\\|"));
        table.push_str(&format!("| `{key}` | `{default}` | `{variable}`{alias} | {text} |\n"));
    }
    table
}

#[test]
fn the_settings_in_the_docs_are_those_of_the_program() {
    let docs = std::fs::read_to_string(DOCS).expect("docs/configuration.md is there");
    let (before, rest) = docs.split_once(BEGIN).expect("it has the mark of the beginning");
    let (_, after) = rest.split_once(END).expect("it has the mark of the end");
    let made = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("CHARTLY_WRITE_REFERENCE").is_some() {
        return std::fs::write(DOCS, &made).expect("it can be written");
    }
    assert!(made == docs, "docs/configuration.md is not up to date: run with CHARTLY_WRITE_REFERENCE=1");
}

#[test]
fn every_alias_stands_in_the_docs() {
    let docs = std::fs::read_to_string(DOCS).expect("docs/configuration.md is there");
    for name in ALIASES.iter().map(|alias| alias.name).chain(["DB_DRIVER"]) {
        assert!(docs.contains(&format!("`{name}`")), "{name}");
    }
}

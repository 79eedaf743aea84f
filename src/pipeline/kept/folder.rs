//! Real answers as a folder of saved ones, in the form of a profile's own test: `index.json` and a file for each body.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{KeepError, KeptAnswer};

/// Answers of one folder; as many as a recording may hold.
const MAX_ANSWERS: usize = 10_000;

/// A folder that is being filled.
#[derive(Debug)]
pub struct SavedFolder {
    folder: PathBuf,
    entries: Vec<Value>,
}

impl SavedFolder {
    /// Makes the folder. One that holds an index is left as it is.
    pub fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        if folder.join("index.json").exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it holds saved answers; name another folder"));
        }
        Ok(Self { folder: folder.to_owned(), entries: Vec::new() })
    }

    pub(super) fn add(&mut self, answer: &KeptAnswer, body: &[u8]) -> Result<(), KeepError> {
        if self.entries.len() >= MAX_ANSWERS {
            return Err(KeepError::TooMany);
        }
        let name = format!("{:04}.{}", self.entries.len() + 1, ending(answer));
        fs::write(self.folder.join(&name), body)?;
        let mut request = json!({ "method": answer.method, "url": answer.url });
        if let Some(sent) = answer.body.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            request["body"] = sent;
        }
        let headers: Map<String, Value> =
            answer.headers.iter().map(|(header, value)| (header.clone(), value.as_str().into())).collect();
        self.entries.push(json!({ "request": request, "status": answer.status, "headers": headers, "file": name }));
        Ok(())
    }

    /// Writes the index; gives the number of answers.
    pub fn finish(self) -> io::Result<usize> {
        let text = serde_json::to_string_pretty(&self.entries)?;
        fs::write(self.folder.join("index.json"), text + "\n")?;
        Ok(self.entries.len())
    }
}

/// What an editor takes the body for.
fn ending(answer: &KeptAnswer) -> &'static str {
    let kind = answer.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value.as_str());
    [("json", "json"), ("csv", "csv"), ("xml", "xml"), ("html", "html"), ("text", "txt")]
        .iter()
        .find(|(word, _)| kind.contains(word))
        .map_or("bin", |(_, ending)| ending)
}

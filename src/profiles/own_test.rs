//! A profile's own test: what is played, and what must come out. Playing it is the pipeline's.

/// Saved answers and expected records, or where they lie.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileTest {
    /// Unix milliseconds at which the test runs; the real time unless said.
    pub now_ms: Option<i64>,
    /// Answers in the profile's own text.
    pub answers: Vec<TestAnswer>,
    /// Folder of saved answers, from the profile's own folder.
    pub pages: Option<String>,
    pub expected: Option<Expected>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A file, from the profile's own folder.
    File(String),
    /// `{"dims": …, "measures": …}` each.
    Records(Vec<serde_json::Value>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestAnswer {
    /// Method and URL; none: whatever is asked next.
    pub request: Option<(String, String)>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

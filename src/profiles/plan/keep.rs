//! Which answers a drone keeps.

/// The bounds of one profile's kept answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeepAnswers {
    /// Compressed, of all kept runs together.
    pub max_bytes: u64,
    pub max_age_ms: u64,
}

impl KeepAnswers {
    pub const DEFAULT: Self = Self { max_bytes: 50_000_000, max_age_ms: 30 * 86_400_000 };
}

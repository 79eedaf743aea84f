//! How the tools reach a source: the same guard and the same switches as a drone's.

use crate::pipeline::FetchSettings;

#[derive(Debug, clap::Args)]
pub struct Reach {
    /// Private addresses or networks that the source may be at, such as 192.168.7.0/24; may be given several times.
    #[arg(long)]
    allow_private: Vec<String>,
    /// Sends requests for a host elsewhere, such as api.example.org=http://127.0.0.1:8799/example; several times.
    #[arg(long)]
    rewrite: Vec<String>,
}

impl Reach {
    pub fn settings(&self) -> Result<FetchSettings, String> {
        FetchSettings {
            max_attempts: 2,
            max_pause: std::time::Duration::from_secs(10),
            max_run: std::time::Duration::from_secs(120),
            ..FetchSettings::default()
        }
        .reaching(&self.allow_private, &self.rewrite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::fetch::Network;

    #[test]
    fn wrong_words_are_told() {
        let reach = |private: &str, rewrite: &str| {
            Reach { allow_private: vec![private.into()], rewrite: vec![rewrite.into()] }.settings()
        };
        assert_eq!(reach("127.0.0.1", "h=http://x").unwrap().allow_private, [Network::parse("127.0.0.1").unwrap()]);
        assert!(reach("h", "h=http://x").unwrap_err().contains("--allow-private"));
        assert!(reach("127.0.0.1", "h").unwrap_err().contains("--rewrite"));
    }
}

//! Where the store is, as an operator writes it: a file for SQLite, or a server for PostgreSQL.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::problem::{did_you_mean, nearest};

/// What a URL of a server may say after its `?`; anything else is more likely a slip than a wish.
const PARAMETERS: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "application_name",
    "options",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "statement-cache-capacity",
];

/// A store's place.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    File(PathBuf),
    /// May hold a password, hence secret.
    Server(SecretString),
}

impl StoreUrl {
    /// Takes `sqlite:PATH` or `postgres://…`. The error says what is wrong, and never the whole text: it may hold a
    /// password.
    pub fn parse(text: &SecretString) -> Result<Self, String> {
        let shown = text.expose_secret();
        if let Some(path) = shown.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err("sqlite: without a path".into()) } else { Ok(Self::File(path.into())) };
        }
        let Some((scheme, _)) = shown.split_once(':') else {
            return Err("a text without sqlite: or postgres://".into());
        };
        if !matches!(scheme, "postgres" | "postgresql") {
            let mend = did_you_mean(nearest(scheme, ["sqlite", "postgres"]));
            return Err(format!("of the scheme {scheme:?}{mend}"));
        }
        let url = Url::parse(shown).map_err(|error| format!("a URL that cannot be read ({error})"))?;
        let unknown = url.query_pairs().find(|(name, _)| !is_parameter(name));
        if let Some((name, _)) = unknown {
            return Err(format!("a URL with the parameter {name:?}; known are {}", PARAMETERS.join(", ")));
        }
        Ok(Self::Server(text.clone()))
    }
}

fn is_parameter(name: &str) -> bool {
    PARAMETERS.contains(&name) || name.starts_with("options[")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<StoreUrl, String> {
        StoreUrl::parse(&SecretString::from(text))
    }

    #[test]
    fn a_file_and_a_server_are_told_apart() {
        for text in ["sqlite:/var/lib/x.db", "sqlite:///var/lib/x.db"] {
            assert!(matches!(parse(text), Ok(StoreUrl::File(path)) if path.as_os_str() == "/var/lib/x.db"), "{text}");
        }
        assert!(matches!(parse("postgres://chartly@db.example/chartly?sslmode=verify-full"), Ok(StoreUrl::Server(_))));
        assert!(matches!(parse("postgresql:///chartly?host=/run/postgresql"), Ok(StoreUrl::Server(_))));
    }

    #[test]
    fn a_slip_is_named_and_the_password_is_not() {
        for (text, said) in [
            ("mysql://u:hidden@h/d", "mysql"),
            ("/var/lib/x.db", "sqlite:"),
            ("sqlite:", "without a path"),
            ("postgres://u:hidden@h:port/d", "cannot be read"),
            ("postgres://u:hidden@h/d?sslmod=require", "sslmod"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said) && !error.contains("hidden"), "{error}");
        }
    }
}

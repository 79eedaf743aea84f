//! The commands of PostgreSQL's own tools for the database that the settings name, without its password.

use std::path::Path;

use secrecy::ExposeSecret;
use url::Url;

use crate::store::Server;

/// What `chartly restore` does to a file, for whoever restores by other tools.
pub(super) const NAME_ANEW: &str = "UPDATE identity SET store_id = replace(gen_random_uuid()::text, '-', '')";
/// What may stand in our URL and means nothing to PostgreSQL's own library, or must not be shown.
const LEFT_OUT: &[&str] = &["password", "statement-cache-capacity"];

pub(super) fn dump(server: &Server) -> String {
    let (url, schema) = place(server);
    let schema = schema.map(|schema| format!(" --schema={}", quoted(&schema))).unwrap_or_default();
    format!("pg_dump --format=custom --file=chartly.dump{schema} --dbname={}", quoted(&url))
}

pub(super) fn restore(server: &Server, from: &Path) -> String {
    let (url, _) = place(server);
    let from = quoted(&from.display().to_string());
    format!("pg_restore --exit-on-error --single-transaction --no-owner --dbname={} {from}", quoted(&url))
}

/// The address as libpq reads it, and the schema where one is set.
fn place(server: &Server) -> (String, Option<String>) {
    let Ok(mut url) = Url::parse(server.url.expose_secret()) else { return ("postgres://…".into(), None) };
    // A URL without a host has no password to take away.
    let _ = url.set_password(None);
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let schema = pairs.iter().find(|(name, _)| name == "options[search_path]").map(|(_, value)| value.clone());
    let kept = pairs.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()) && !name.starts_with("options["));
    let query: Vec<String> = kept.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
    (url.into(), schema)
}

fn encoded(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// One word to a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Server {
        Server { url: url.to_owned().into(), password: Some("hunter2".to_owned().into()), connections: 2 }
    }

    #[test]
    fn the_command_names_the_database_and_no_password() {
        let url =
            "postgres://u:hunter2@db.example:5433/x?sslmode=verify-full&password=hunter2&statement-cache-capacity=1";
        let told = dump(&of(url));
        assert!(told.ends_with("--dbname='postgres://u@db.example:5433/x?sslmode=verify%2Dfull'"), "{told}");
        assert!(!told.contains("hunter2"));
        let told = restore(&of(url), Path::new("it's.dump"));
        assert!(told.ends_with(r"'it'\''s.dump'") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn a_schema_and_a_socket_are_said_as_its_tools_know_them() {
        let told = dump(&of("postgres:///chartly?host=/run/postgresql&user=u&options[search_path]=mine"));
        let expected = "--schema='mine' --dbname='postgres:///chartly?host=%2Frun%2Fpostgresql&user=u'";
        assert!(told.ends_with(expected), "{told}");
    }
}

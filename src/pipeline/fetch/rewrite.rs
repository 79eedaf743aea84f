//! An operator's proxy setting: requests for a host go to another address. Profiles, links and redirects keep
//! speaking of the source's own address, so nothing else needs to know.

use url::Url;

/// The address that is really dialled.
pub fn outward(url: &Url, rules: &[(String, String)]) -> Url {
    let Some((_, base)) = rules.iter().find(|(host, _)| *host == authority(url)) else { return url.clone() };
    let Ok(mut target) = Url::parse(base) else { return url.clone() };
    let path = format!("{}{}", target.path().trim_end_matches('/'), url.path());
    target.set_path(&path);
    target.set_query(url.query());
    target
}

/// The source's own address of a link that a proxy wrote.
pub fn inward(url: &Url, near: &Url, rules: &[(String, String)]) -> Url {
    for (host, base) in rules {
        let base = base.trim_end_matches('/');
        let Some(rest) = url.as_str().strip_prefix(base) else { continue };
        if rest.is_empty() || rest.starts_with(['/', '?']) {
            let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
            return Url::parse(&format!("{}://{host}{rest}", near.scheme())).unwrap_or_else(|_| url.clone());
        }
    }
    url.clone()
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let rules = [("api.example.org".to_owned(), "http://127.0.0.1:8799/example".to_owned())];
        let own = Url::parse("https://api.example.org/v1/data;x?page%5Bn%5D=1").unwrap();
        let dialled = outward(&own, &rules);
        assert_eq!(dialled.as_str(), "http://127.0.0.1:8799/example/v1/data;x?page%5Bn%5D=1");
        assert_eq!(inward(&dialled, &own, &rules), own);
        let other = Url::parse("https://other.example.org/v1").unwrap();
        assert_eq!(outward(&other, &rules), other);
        assert_eq!(inward(&other, &own, &rules), other);
    }
}

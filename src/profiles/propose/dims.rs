//! Names: what a member's name says about it, and what a dim or a measure is called.

/// Words of a name, in small letters: `countryISO3Code` is country, iso3, code.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for next in name.chars() {
        let begins = next.is_uppercase() && before.is_lowercase();
        if begins || !next.is_alphanumeric() {
            words.push(String::new());
        }
        if next.is_alphanumeric() {
            words.last_mut().expect("a word was begun before it is extended").extend(next.to_lowercase());
        }
        before = next;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A name of small ASCII letters, digits and `_`.
pub fn clean(name: &str) -> String {
    let ascii = |word: &String| word.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let parts: Vec<String> = words(name).iter().map(ascii).filter(|word| !word.is_empty()).collect();
    match parts.join("_") {
        empty if empty.is_empty() => "field".into(),
        digits if digits.starts_with(|first: char| first.is_ascii_digit()) => format!("n{digits}"),
        good => good.chars().take(60).collect(),
    }
}

/// The name says that the value names something, also where it is made of digits.
pub fn is_code(name: &str) -> bool {
    const LAST: [&str; 32] = [
        "id",
        "ids",
        "code",
        "key",
        "uuid",
        "guid",
        "fips",
        "zip",
        "postcode",
        "postal",
        "phone",
        "cik",
        "accn",
        "isin",
        "lei",
        "nr",
        "hash",
        "version",
        "uid",
        "number",
        "rank",
        "state",
        "county",
        "tract",
        "province",
        "municipality",
        "district",
        "borough",
        "ward",
        "precinct",
        "cbsa",
        "msa",
    ];
    let words = words(name);
    let last = words.last().map_or("", String::as_str);
    LAST.contains(&last)
        || (last.len() > 2 && (last.ends_with("id") && last != "paid" && last != "valid" && last != "covid"))
}

const GEO: [&str; 32] = [
    "lat",
    "latitude",
    "lon",
    "lng",
    "longitude",
    "country",
    "state",
    "county",
    "city",
    "ville",
    "region",
    "geo",
    "fips",
    "place",
    "province",
    "municipality",
    "zip",
    "postcode",
    "nuts",
    "nuts3",
    "iso",
    "iso2",
    "iso3",
    "location",
    "station",
    "district",
    "borough",
    "address",
    "area",
    "continent",
    "town",
    "territory",
];

/// The path of a dim for a place in the answer, made of its innermost names.
pub fn dim_name(names: &[String]) -> String {
    let kept: Vec<&String> =
        names.iter().filter(|name| !matches!(name.as_str(), "properties" | "attributes" | "fields")).collect();
    let parts = &kept[kept.len().saturating_sub(2)..];
    let all: Vec<String> = parts.iter().flat_map(|name| words(name)).collect();
    let geo = all
        .iter()
        .any(|word| GEO.contains(&word.as_str()) || word.ends_with("iso3code") || word.starts_with("country"));
    format!("{}.{}", if geo { "geo" } else { "entity" }, joined(parts))
}

/// The path of a measure.
pub fn measure_name(names: &[String]) -> String {
    let kept: Vec<&String> =
        names.iter().filter(|name| !matches!(name.as_str(), "properties" | "attributes" | "fields")).collect();
    // Positions are as RFC 7946 has them.
    if let [.., place, index] = kept.as_slice()
        && place.as_str() == "coordinates"
        && let "0" | "1" = index.as_str()
    {
        return if index.as_str() == "0" { "longitude".into() } else { "latitude".into() };
    }
    match kept.last().map(|name| name.as_str()) {
        Some("value" | "val" | "v") if kept.len() > 1 => clean(kept[kept.len() - 2]),
        Some("value" | "val") | None => "value".into(),
        Some("#text") => joined(&kept[kept.len().saturating_sub(2)..]),
        Some(number) if number.chars().all(|next| next.is_ascii_digit()) => {
            joined(&kept[kept.len().saturating_sub(2)..])
        }
        Some(name) => clean(name),
    }
}

/// `country.value` is `country`: such a last name says nothing.
fn joined(parts: &[&String]) -> String {
    match parts {
        [outer, last] if matches!(last.as_str(), "value" | "label" | "text" | "#text") => clean(outer),
        [outer, last] => clean(&format!("{outer}_{last}")),
        [only] => clean(only),
        _ => "name".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(words("countryISO3_code"), ["country", "iso3", "code"]);
        assert_eq!(clean("City / Ville"), "city_ville");
        assert_eq!(clean("Avg rent ($)"), "avg_rent");
        assert_eq!(clean("30d"), "n30d");
        assert!(
            is_code("seriesID") && is_code("state_fips") && is_code("eventid") && !is_code("paid") && !is_code("value")
        );
        let name = |names: &[&str]| dim_name(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(name(&["country", "value"]), "geo.country");
        assert_eq!(name(&["properties", "place"]), "geo.place");
        assert_eq!(name(&["seriesID"]), "entity.series_id");
    }
}

//! A profile with everything said: the short forms written out, the defaults filled in. What people read to know
//! what a profile means, and what two profiles are compared by.

mod defaults;

use super::node::{Member, Node, Place, Value};
use super::plan::{CatchUp, Limits, Rhythm, Timing};
use super::problem::Problems;
use super::{Profile, answers, load, write_yaml, yaml};

/// The long form as YAML. It is a profile that means the same.
pub fn explain(text: &str) -> Result<String, Problems> {
    let profile = load(text)?;
    let mut out = write_yaml::write(&long_form(text, &profile));
    if !out.contains("\nrows:") {
        out.push_str(
            "# rows: found by the shape of the first answer: a root array, a table with a header row, parallel\n\
             # arrays, or the one array of objects. Write rows to fix it.\n",
        );
    }
    out.push_str(USUAL_ANSWERS);
    Ok(out)
}

/// What no rule can say.
const USUAL_ANSWERS: &str = "\
# answers: where no rule of source.answers matches, 2xx counts; 401 asks for a fresh sign-in where there is one, once;
# 408, 425, 429 and 5xx are asked again after Retry-After or a growing pause; all else, a page in place of data and an
# answer without a body fail.
";

/// The tree of a profile that is without problems, with everything said.
pub fn long_form(text: &str, profile: &Profile) -> Node {
    let mut root = yaml::parse(text).unwrap_or(Node { place: Place::START, value: Value::Map(Vec::new()) });
    answers::expand(&mut root);
    let Value::Map(members) = root.value else { return root };
    let mut out: Vec<Member> = Vec::new();
    for member in members.into_iter().filter(|member| member.node.value != Value::Null) {
        match member.key.as_str() {
            "mapping" => out.extend(from_mapping(&member.node)),
            "dims" | "measures" => {
                let node = fields(&member.key, &member.node);
                out.push(Member { node, ..member });
            }
            _ => out.push(member),
        }
    }
    with_default(&mut out, "name", text_node(profile.name()));
    with_default(&mut out, "version", text_node(profile.version()));
    let schedule = inside(&mut out, "schedule");
    if let Some(every) = schedule.iter_mut().find(|member| member.key == "every") {
        every.key = "interval".into();
    }
    with_default(schedule, "enabled", node(Value::Bool(profile.enabled())));
    timing(schedule, profile.timing());
    limits(inside(&mut out, "limits"), profile.limits());
    let source = inside(&mut out, "source");
    defaults::source(source);
    let has_cursor = map_of(source, "cursor").is_some();
    if let Some(rows) = map_of(&mut out, "rows") {
        defaults::rows(rows);
    }
    defaults::top(&mut out, has_cursor);
    node(Value::Map(in_order(out)))
}

fn timing(schedule: &mut Vec<Member>, timing: &Timing) {
    match timing.rhythm {
        Rhythm::Every(interval) => with_default(schedule, "interval", seconds(interval)),
        Rhythm::At(_) => with_default(schedule, "zone", text_node("UTC")),
    }
    with_default(schedule, "jitter", seconds(timing.jitter));
    let catch_up = match timing.catch_up {
        CatchUp::Once => "once",
        CatchUp::Skip => "skip",
    };
    with_default(schedule, "catch_up", text_node(catch_up));
}

/// The order in which a profile is read.
fn in_order(mut members: Vec<Member>) -> Vec<Member> {
    const FIRST: [&str; 10] =
        ["id", "name", "version", "description", "source", "rows", "where", "missing", "dims", "measures"];
    let rank = |member: &Member| FIRST.iter().position(|key| *key == member.key).unwrap_or(FIRST.len());
    members.sort_by_key(rank);
    members
}

pub fn node(value: Value) -> Node {
    Node { place: Place::START, value }
}

fn text_node(text: &str) -> Node {
    node(Value::Text(text.to_owned()))
}

fn member(key: &str, node: Node) -> Member {
    Member { place: Place::START, key: key.to_owned(), node }
}

fn seconds(duration: std::time::Duration) -> Node {
    let (whole, millis) = (duration.as_secs(), duration.subsec_millis());
    text_node(&if millis == 0 { format!("{whole}s") } else { format!("{}ms", duration.as_millis()) })
}

fn with_default(members: &mut Vec<Member>, key: &str, usual: Node) {
    match members.iter_mut().find(|member| member.key == key) {
        Some(unsaid) if unsaid.node.value == Value::Null => unsaid.node = usual,
        Some(_) => {}
        None => members.push(member(key, usual)),
    }
}

/// The members of a map, where there is one.
fn map_of<'m>(members: &'m mut [Member], key: &str) -> Option<&'m mut Vec<Member>> {
    let member = members.iter_mut().find(|member| member.key == key)?;
    if let Value::Map(inner) = &mut member.node.value { Some(inner) } else { None }
}

/// The members of a map below the root, which is made where it is absent.
fn inside<'m>(members: &'m mut Vec<Member>, key: &str) -> &'m mut Vec<Member> {
    with_default(members, key, node(Value::Map(Vec::new())));
    let at = members.iter().position(|member| member.key == key).expect("it was just made");
    if !matches!(members[at].node.value, Value::Map(_)) {
        members[at].node.value = Value::Map(Vec::new());
    }
    match &mut members[at].node.value {
        Value::Map(inner) => inner,
        _ => panic!("it was just made a map"),
    }
}

fn limits(members: &mut Vec<Member>, limits: &Limits) {
    for (key, value) in [
        ("max_records", limits.max_records),
        ("max_pages", limits.max_pages),
        ("max_bytes", limits.max_bytes),
        ("max_requests", limits.max_requests),
    ] {
        with_default(members, key, node(Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))));
    }
    with_default(members, "timeout", seconds(limits.timeout));
}

/// `mapping` as dims and measures. A time without a zone is UTC in the short form.
fn from_mapping(mapping: &Node) -> Vec<Member> {
    let Value::Map(entries) = &mapping.value else { return Vec::new() };
    let (mut dims, mut measures) = (Vec::new(), Vec::new());
    for entry in entries {
        let Value::Text(to) = &entry.node.value else { continue };
        let from = member("from", text_node(&entry.key));
        if let Some(name) = to.strip_prefix("dims.") {
            let time = || member("time", time(name, Some("UTC")));
            let parts = std::iter::once(from).chain(name.starts_with("time.").then(time)).collect();
            dims.push(member(name, node(Value::Map(parts))));
        } else if let Some(name) = to.strip_prefix("measures.") {
            let number = member("as", text_node("number"));
            measures.push(member(name, node(Value::Map(vec![from, number]))));
        }
    }
    vec![member("dims", node(Value::Map(dims))), member("measures", node(Value::Map(measures)))]
}

/// `{in: iso, grain: month}`.
fn time(name: &str, zone: Option<&str>) -> Node {
    let grain = match name.strip_prefix("time.") {
        Some("start") | None => "date",
        Some(grain) => grain,
    };
    let zone = zone.map(|zone| member("zone", text_node(zone)));
    let parts = [member("in", text_node("iso")), member("grain", text_node(grain))];
    node(Value::Map(parts.into_iter().chain(zone).collect()))
}

/// Every field as a map, with its kind; names without the `dims.` that may stand before them.
fn fields(half: &str, all: &Node) -> Node {
    let Value::Map(entries) = &all.value else { return all.clone() };
    let field = |entry: &Member| {
        let prefix = format!("{half}.");
        let name = entry.key.strip_prefix(&prefix).unwrap_or(&entry.key);
        member(name, self::field(half, name, &entry.node))
    };
    node(Value::Map(entries.iter().map(field).collect()))
}

fn field(half: &str, name: &str, said: &Node) -> Node {
    let mut parts = match &said.value {
        Value::Map(parts) => parts.clone(),
        _ => vec![member("from", said.clone())],
    };
    defaults::field(&mut parts);
    if half == "measures" {
        with_default(&mut parts, "as", text_node("number"));
        return node(Value::Map(parts));
    }
    if let Some(at) = parts.iter().position(|part| part.key == "time") {
        if let Value::Text(form) = parts[at].node.value.clone() {
            parts[at].node = node(Value::Map(vec![member("in", text_node(&form))]));
        }
        if let Value::Map(inner) = &mut parts[at].node.value {
            fill(inner, &time(name, None));
        }
    } else if name.starts_with("time.") {
        parts.push(member("time", time(name, None)));
    }
    node(Value::Map(parts))
}

fn fill(members: &mut Vec<Member>, usual: &Node) {
    if let Value::Map(usual) = &usual.value {
        for default in usual {
            with_default(members, &default.key, default.node.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::profiles::plan::{Found, FoundKind, MappingPlan, Plan};

    const MINIMAL: &str = r#"
id: census-population
name: US Census Population Data
version: 1.0.0
source: { type: http_rest, url: "https://api.census.gov/data/2020/dec/pl?get=NAME,P1_001N&for=state:*", auth: none }
schedule: { enabled: true, interval: 6h, jitter: 30s }
limits: { max_records: 5000, max_pages: 50, max_bytes: 1048576 }
mapping:
  NAME: dims.geo.name
  date: dims.time.year
  P1_001N: measures.population.total
"#;

    #[test]
    fn the_minimal_profile_is_told_in_full_and_means_the_same() {
        let long = explain(MINIMAL).unwrap();
        for part in [
            "geo.name: {from: NAME}\n",
            "time.year:",
            "zone: UTC",
            "population.total: {from: P1_001N, as: number}",
            "max_requests: 2000",
            "# rows: found by the shape",
        ] {
            assert!(long.contains(part), "{part} in\n{long}");
        }
        let (short, again) =
            (load(MINIMAL).unwrap(), load(&long).unwrap_or_else(|problems| panic!("{long}{problems}")));
        assert_eq!((short.fields(), short.limits(), short.timing()), (again.fields(), again.limits(), again.timing()));
        // Said in full already: nothing changes any more.
        assert_eq!(explain(&long).unwrap(), long);
    }

    /// The plan as a text, without places in the profile's text.
    fn plan(text: &str, file: &str) -> String {
        let profile = load(text).unwrap_or_else(|problems| panic!("{file}: {problems}\n{text}"));
        let found = Found { kind: FoundKind::Each, under: Vec::new(), outside: Vec::new() };
        let Plan { mapping, .. } = profile.plan();
        let mapping = match mapping {
            MappingPlan::Ready(mapping) => format!("{mapping:#?}"),
            MappingPlan::ByShape(_) => format!("by shape {:#?}", profile.mapping_for(&found)),
        };
        let plan = profile.plan();
        let rest = (&plan.request, &plan.params, &plan.sets, &plan.first, &plan.batch, &plan.window);
        let more = (&plan.paging, &plan.answers, &plan.politeness, &plan.decoding, &plan.cursor);
        let last =
            (&plan.duplicates, &plan.limits, &plan.drift, profile.keep_answers(), profile.key(), profile.fields());
        let head = (profile.timing(), profile.name(), profile.version());
        format!("{rest:#?}{more:#?}{last:#?}{head:#?}{mapping}")
    }

    /// All profiles of the repository: its own, the examples and the recipes.
    fn corpus() -> Vec<(String, String)> {
        let mut texts = Vec::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles")];
        folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profiles"));
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let file = path.display().to_string();
                if path.is_dir() {
                    folders.push(path);
                } else if file.ends_with(".yaml") {
                    texts.push((file, std::fs::read_to_string(path).unwrap()));
                } else if file.contains("recipes") {
                    let text = std::fs::read_to_string(path).unwrap();
                    let yaml = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
                    texts.push((file, yaml.unwrap().to_owned()));
                }
            }
        }
        texts
    }

    #[test]
    fn every_profile_told_in_full_compiles_to_the_same_plan() {
        let corpus = corpus();
        assert!(corpus.len() > 60, "{}", corpus.len());
        for (file, text) in &corpus {
            let long = explain(text).unwrap();
            assert_eq!(plan(text, file), plan(&long, file), "{file}\n{long}");
            assert_eq!(explain(&long).unwrap(), long, "{file}");
        }
    }

    #[test]
    fn what_is_left_unsaid_is_told() {
        let text = "id: t
source:
  url: https://h/{a}
  query: {y: '{window.start:%Y}'}
  body: {json: {}}
  format: csv
  window: {from: 2024, step: P1Y}
  cursor: {field: at, param: since}
  paging: {kind: offset, param: o, size: 5}
  for_each: {a: [1, 2]}
  batch: 2
  auth: {oauth2: {token_url: 'https://h/t', client_id: A, client_secret: B}}
rows: {unpivot: {columns: [x, y]}}
dims: {time.at: at}
key: [time.at]
measures: {v: value}
keep: {answers: true}
drift:
";
        let long = explain(text).unwrap();
        for part in [
            "method: POST",
            "csv: {delimiter: \",\", quote: \"\\\"\", header: first, skip_lines: 0, after_header: 0}",
            "inclusive: start, overlap: PT0S",
            "format: iso, send: iso, lookback: PT0S",
            "first: 0, step: size",
            "batch: {size: 2, separator: \",\", repeat: false}",
            "auth_style: basic",
            "in: bearer",
            "optional: false",
            "key: key, value: value",
            "on_duplicate: last",
            "drift: {then: keep, fewer_rows: 0, new_fields: note}",
            "keep: {answers: {max_bytes: 50000000, max_age: 720h}}",
            "# answers: where no rule",
        ] {
            assert!(long.contains(part), "{part} in\n{long}");
        }
        assert_eq!(plan(text, "t"), plan(&long, "t"), "{long}");
        assert_eq!(explain(&long).unwrap(), long);
    }
}

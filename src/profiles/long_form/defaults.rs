//! What a profile leaves unsaid, written into its tree: the defaults that are fixed values. Each stands in the reference
//! too; a test holds that a profile with them compiles to the same plan as one without.

use super::{inside, map_of, member, node, text_node, with_default};
use crate::profiles::node::{Member, Node, Value};

/// Defaults of the source, and of the list that it asks for first.
pub fn source(source: &mut Vec<Member>) {
    with_default(source, "type", text_node("http_rest"));
    asker(source);
    with_default(source, "auth", text_node("none"));
    if let Some(auth) = map_of(source, "auth") {
        self::auth(auth);
    }
    if let Some(window) = map_of(source, "window") {
        texts(window, &[("to", "now"), ("inclusive", "start"), ("overlap", "PT0S")]);
    }
    if let Some(cursor) = map_of(source, "cursor") {
        self::cursor(cursor);
    }
    batch(source);
    if let Some(first) = map_of(source, "first") {
        asker(first);
        if let Some(rows) = map_of(first, "rows") {
            self::rows(rows);
        }
    }
}

/// What a source and its list have in common.
fn asker(asker: &mut Vec<Member>) {
    let method = if has(asker, "body") { "POST" } else { "GET" };
    texts(asker, &[("method", method), ("format", "json")]);
    match text_of(asker, "format") {
        Some("csv") => {
            let csv = inside(asker, "csv");
            texts(csv, &[("delimiter", ","), ("quote", "\"")]);
            lines(csv);
        }
        Some("columns") => lines(inside(asker, "columns")),
        _ => {}
    }
    if !has(asker, "archive") {
        with_default(asker, "compression", text_node("none"));
    }
    let Some(paging) = map_of(asker, "paging") else { return };
    match text_of(paging, "kind") {
        Some("page") => with_default(paging, "first", number(1)),
        Some("offset") => {
            with_default(paging, "first", number(0));
            with_default(paging, "step", text_node("size"));
        }
        _ => {}
    }
}

fn lines(form: &mut Vec<Member>) {
    if !has(form, "fixed") {
        with_default(form, "header", text_node("first"));
    }
    for key in ["skip_lines", "after_header"] {
        with_default(form, key, number(0));
    }
}

fn auth(auth: &mut Vec<Member>) {
    let mut gives_token = false;
    if let Some(oauth2) = map_of(auth, "oauth2") {
        with_default(oauth2, "auth_style", text_node("basic"));
        gives_token = true;
    }
    if let Some(login) = map_of(auth, "login") {
        let method = if has(login, "body") { "POST" } else { "GET" };
        with_default(login, "method", text_node(method));
        gives_token = true;
    }
    if gives_token {
        with_default(auth, "in", text_node("bearer"));
    }
    with_default(auth, "optional", node(Value::Bool(false)));
}

fn cursor(cursor: &mut Vec<Member>) {
    with_default(cursor, "format", text_node("iso"));
    let Some(format) = text_of(cursor, "format").map(str::to_owned) else { return };
    if format != "number" {
        texts(cursor, &[("send", &format), ("lookback", "PT0S")]);
    }
}

fn batch(source: &mut [Member]) {
    let Some(batch) = source.iter_mut().find(|member| member.key == "batch") else { return };
    if let Value::Integer(_) = batch.node.value {
        batch.node = node(Value::Map(vec![member("size", batch.node.clone())]));
    }
    if let Value::Map(parts) = &mut batch.node.value {
        with_default(parts, "separator", text_node(","));
        with_default(parts, "repeat", node(Value::Bool(false)));
    }
}

/// Defaults of `rows`.
pub fn rows(rows: &mut [Member]) {
    if let Some(cube) = rows.iter_mut().find(|member| member.key == "cube")
        && let Value::Text(_) = cube.node.value
    {
        cube.node = node(Value::Map(vec![member("form", cube.node.clone())]));
    }
    for key in ["table", "zip", "cube"] {
        if let Some(container) = map_of(rows, key) {
            with_default(container, "under", text_node("$"));
        }
    }
    if let Some(pairs) = map_of(rows, "join_pairs") {
        with_default(pairs, "key", text_node("key"));
        with_default(pairs, "on", number(0));
        with_default(pairs, "value", number(1));
    }
    if let Some(unpivot) = map_of(rows, "unpivot") {
        texts(unpivot, &[("key", "key"), ("value", "value")]);
    }
}

/// Defaults beside source, rows and fields.
pub fn top(root: &mut Vec<Member>, has_cursor: bool) {
    if has(root, "key") {
        with_default(root, "on_duplicate", text_node("last"));
    }
    let fewer_rows = if has_cursor { Value::Integer(0) } else { Value::Decimal(0.5) };
    let drift = inside(root, "drift");
    texts(drift, &[("then", "keep")]);
    with_default(drift, "fewer_rows", node(fewer_rows));
    texts(drift, &[("new_fields", "note")]);
    with_default(inside(root, "keep"), "answers", node(Value::Bool(false)));
    let keep = inside(root, "keep");
    if let Some(answers) = keep.iter_mut().find(|member| member.node.value == Value::Bool(true)) {
        answers.node = node(Value::Map(Vec::new()));
    }
    if let Some(bounds) = map_of(keep, "answers") {
        let usual = crate::profiles::plan::KeepAnswers::DEFAULT;
        with_default(bounds, "max_bytes", number(i64::try_from(usual.max_bytes).unwrap_or(i64::MAX)));
        with_default(bounds, "max_age", text_node(&format!("{}h", usual.max_age_ms / 3_600_000)));
    }
}

/// What becomes of values outside of `map` and `lookup`.
pub fn field(parts: &mut Vec<Member>) {
    for (key, usual) in [("map", "keep"), ("lookup", "missing")] {
        if has(parts, key) && !(has(parts, "map") && has(parts, "lookup")) {
            with_default(parts, "else", text_node(usual));
        }
    }
}

fn has(members: &[Member], key: &str) -> bool {
    members.iter().any(|member| member.key == key && member.node.value != Value::Null)
}

fn text_of<'m>(members: &'m [Member], key: &str) -> Option<&'m str> {
    members.iter().find(|member| member.key == key).and_then(|member| match &member.node.value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

fn texts(members: &mut Vec<Member>, usual: &[(&str, &str)]) {
    for (key, text) in usual {
        with_default(members, key, text_node(text));
    }
}

fn number(value: i64) -> Node {
    node(Value::Integer(value))
}

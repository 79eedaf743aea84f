//! The short forms by which a source judges its answers, written out as rules. Works on the tree of the text, so that
//! what `explain` shows is what is compiled, and every place stays where the author wrote it.

use super::node::{Member, Node, Place, Value};

/// The statuses of an answer that carries data, or says why it does not.
const GOOD: &str = "200..299";

/// Puts the rules of the short forms behind the written ones. What is not of the expected form stays as it is, for the
/// reader of the document to complain about.
pub fn expand(root: &mut Node) {
    let Value::Map(members) = &mut root.value else { return };
    let Some(source) = members.iter_mut().find(|member| member.key == "source") else { return };
    let Value::Map(source) = &mut source.node.value else { return };
    let at = source.iter().position(|member| member.key == "answers");
    if at.is_some_and(|at| !matches!(source[at].node.value, Value::List(_) | Value::Null)) {
        return;
    }
    let short = short_forms(source);
    if short.is_empty() {
        return;
    }
    match source.iter_mut().find(|member| member.key == "answers") {
        Some(Member { node: Node { value: Value::List(rules), .. }, .. }) => rules.extend(short),
        Some(empty) => empty.node.value = Value::List(short),
        None => source.push(member("answers", short[0].place, Value::List(short))),
    }
}

fn short_forms(source: &mut Vec<Member>) -> Vec<Node> {
    let mut rules = Vec::new();
    if let Some(status) = take(source, "empty_on", |_| true) {
        rules.push(rule(&status, vec![("status", status.node.clone())], "empty"));
    }
    if let Some(reset) = take(source, "rate_reset", |value| matches!(value, Value::Map(_))) {
        rules.push(rate_reset(&reset));
    }
    if let Some(condition) = take(source, "retry_if", |_| true) {
        let mut parts = vec![("body", condition.node.clone())];
        if let Some(wait) = take(source, "not_before", |_| true) {
            parts.push(("wait", wait.node));
        }
        rules.push(rule(&condition, parts, "retry"));
    }
    if let Some(condition) = take(source, "empty_if", |_| true) {
        rules.push(rule(&condition, vec![("body", condition.node.clone())], "empty"));
    }
    if let Some(failure) = take(source, "failure", is_failure) {
        rules.push(self::failure(&failure));
    }
    if let Some(condition) = take(source, "success", |_| true) {
        let parts = vec![("status", good(condition.place)), ("unless", condition.node.clone())];
        rules.push(rule(&condition, parts, "fail"));
    }
    rules
}

/// Takes a member out whose value is of the expected form.
fn take(source: &mut Vec<Member>, key: &str, expected: impl Fn(&Value) -> bool) -> Option<Member> {
    let at = source.iter().position(|member| member.key == key && member.node.value != Value::Null)?;
    expected(&source[at].node.value).then(|| source.remove(at))
}

fn is_failure(value: &Value) -> bool {
    match value {
        Value::Text(_) => true,
        Value::Map(members) => {
            members.iter().any(|member| member.key == "path")
                && members.iter().all(|member| matches!(member.key.as_str(), "path" | "message"))
        }
        _ => false,
    }
}

fn failure(said: &Member) -> Node {
    let mut parts = vec![("status", good(said.place))];
    match &said.node.value {
        Value::Map(members) => {
            for member in members {
                let key = if member.key == "path" { "body" } else { "message" };
                parts.push((key, from_root(&member.node)));
            }
        }
        _ => parts.push(("body", from_root(&said.node))),
    }
    rule(said, parts, "fail")
}

/// A path with its `$`, since a message without one is a fixed text.
fn from_root(node: &Node) -> Node {
    let value = match &node.value {
        Value::Text(path) if path.starts_with('$') => node.value.clone(),
        Value::Text(path) if path.starts_with('[') => Value::Text(format!("${path}")),
        Value::Text(path) => Value::Text(format!("$.{path}")),
        other => other.clone(),
    };
    Node { place: node.place, value }
}

fn rate_reset(said: &Member) -> Node {
    let Value::Map(members) = &said.node.value else { return said.node.clone() };
    let mut wait = Vec::new();
    let mut status = Node { place: said.place, value: Value::Integer(429) };
    for member in members {
        match member.key.as_str() {
            "status" => status = member.node.clone(),
            _ => wait.push(member.clone()),
        }
    }
    if !wait.iter().any(|part| part.key == "as") {
        wait.push(member("as", said.place, Value::Text("epoch_s".into())));
    }
    let wait = Node { place: said.node.place, value: Value::Map(wait) };
    rule(said, vec![("status", status), ("wait", wait)], "rate_limited")
}

fn good(place: Place) -> Node {
    Node { place, value: Value::Text(GOOD.into()) }
}

fn rule(said: &Member, parts: Vec<(&str, Node)>, then: &str) -> Node {
    let mut members: Vec<Member> =
        parts.into_iter().map(|(key, node)| Member { place: said.place, key: key.to_owned(), node }).collect();
    let wait = members.iter().position(|member| member.key == "wait").unwrap_or(members.len());
    members.insert(wait, member("then", said.place, Value::Text(then.into())));
    Node { place: said.place, value: Value::Map(members) }
}

fn member(key: &str, place: Place, value: Value) -> Member {
    Member { place, key: key.to_owned(), node: Node { place, value } }
}

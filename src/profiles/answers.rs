//! The short forms by which a source judges its answers, written out as rules. Works on the tree of the text, so that
//! what `explain` shows is what is compiled, and every place stays where the author wrote it.

use super::node::{Member, Node, Place, Value};

/// The statuses of an answer that carries data, or says why it does not.
const GOOD: &str = "200..299";
/// In `empty_on`: a good answer that holds nothing.
const NO_BODY: &str = "no_body";

/// Puts the rules of the short forms behind the written ones, of the source and of its list. What is not of the expected
/// form stays as it is, for the reader of the document to complain about.
pub fn expand(root: &mut Node) {
    let Some(source) = map_in(root, "source") else { return };
    let reset = take(source, "rate_reset", |value| matches!(value, Value::Map(_))).map(|reset| rate_reset(&reset));
    if let Some(first) = source.iter_mut().find(|member| member.key == "first")
        && let Value::Map(first) = &mut first.node.value
    {
        put_behind(first, reset.clone());
    }
    put_behind(source, reset);
}

fn map_in<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Vec<Member>> {
    let Value::Map(members) = &mut node.value else { return None };
    let member = members.iter_mut().find(|member| member.key == key)?;
    if let Value::Map(inner) = &mut member.node.value { Some(inner) } else { None }
}

fn put_behind(asker: &mut Vec<Member>, reset: Option<Node>) {
    let at = asker.iter().position(|member| member.key == "answers");
    if at.is_some_and(|at| !matches!(asker[at].node.value, Value::List(_) | Value::Null)) {
        return;
    }
    let short = short_forms(asker, reset);
    if short.is_empty() {
        return;
    }
    match asker.iter_mut().find(|member| member.key == "answers") {
        Some(Member { node: Node { value: Value::List(rules), .. }, .. }) => rules.extend(short),
        Some(empty) => empty.node.value = Value::List(short),
        None => asker.push(member("answers", short[0].place, Value::List(short))),
    }
}

fn short_forms(asker: &mut Vec<Member>, reset: Option<Node>) -> Vec<Node> {
    let mut rules = Vec::new();
    if let Some(said) = take(asker, "empty_on", |_| true) {
        rules.extend(empty_on(&said));
    }
    rules.extend(reset);
    if let Some(condition) = take(asker, "retry_if", |_| true) {
        let mut parts = vec![("body", condition.node.clone())];
        if let Some(wait) = take(asker, "not_before", |_| true) {
            parts.push(("wait", wait.node));
        }
        rules.push(rule(&condition, parts, "retry"));
    }
    if let Some(condition) = take(asker, "empty_if", |_| true) {
        rules.push(rule(&condition, vec![("body", condition.node.clone())], "empty"));
    }
    if let Some(failure) = take(asker, "failure", is_failure) {
        rules.push(self::failure(&failure));
    }
    if let Some(condition) = take(asker, "success", |_| true) {
        let parts = vec![("status", good(condition.place)), ("unless", condition.node.clone())];
        rules.push(rule(&condition, parts, "fail"));
    }
    rules
}

/// `[204, no_body]`: statuses, and the word for a good answer without a body.
fn empty_on(said: &Member) -> Vec<Node> {
    let is_word = |node: &Node| matches!(&node.value, Value::Text(text) if text == NO_BODY);
    let items = match &said.node.value {
        Value::List(items) => items.clone(),
        _ => vec![said.node.clone()],
    };
    let (words, statuses): (Vec<Node>, Vec<Node>) = items.into_iter().partition(is_word);
    let mut rules = Vec::new();
    if !statuses.is_empty() {
        let statuses = Node { place: said.node.place, value: Value::List(statuses) };
        rules.push(rule(said, vec![("status", statuses)], "empty"));
    }
    rules.extend(words.first().map(|word| {
        let yes = Node { place: word.place, value: Value::Bool(true) };
        rule(said, vec![("status", good(word.place)), (NO_BODY, yes)], "empty")
    }));
    rules
}

/// Takes a member out whose value is of the expected form.
fn take(asker: &mut Vec<Member>, key: &str, expected: impl Fn(&Value) -> bool) -> Option<Member> {
    let at = asker.iter().position(|member| member.key == key && member.node.value != Value::Null)?;
    expected(&asker[at].node.value).then(|| asker.remove(at))
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

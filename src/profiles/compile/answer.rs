//! The rules by which answers are judged: heads once for all, places in bodies for each way in which a body is read.

use std::time::Duration;

use super::condition;
use super::mapping::{document_slot, on_document};
use super::notes::Notes;
use super::scope::Scope;
use crate::profiles::document::source::Source;
use crate::profiles::document::source::answer::AnswerRule as RuleDoc;
use crate::profiles::document::source::auth::Auth;
use crate::profiles::document::source::form::Format;
use crate::profiles::document::source::moment::{Moment, MomentDoc, MomentForm};
use crate::profiles::node::At;
use crate::profiles::path::Segment;
use crate::profiles::plan::{
    AnswerRule, Answers, BodyCondition, BodyRule, HeaderTest, Policy, Probe, Slot, VerdictWord, Wait, When, WhenPlace,
};

/// At most this many rules of a source, and conditions of a rule.
const MAX_RULES: usize = 100;

/// Compiles the rules, and the walk that looks at bodies which give no rows.
pub fn answers(source: &Source, notes: &mut Notes) -> Answers {
    let docs = rules_of(source);
    if let Some(rule) = docs.get(MAX_RULES) {
        notes.add(rule.place, format!("at most {MAX_RULES} rules are allowed"));
    }
    if let Some(alone) = source.not_before.as_ref().filter(|_| source.retry_if.is_none()) {
        notes.add(alone.place, "not_before belongs to retry_if; a rule of answers has wait");
    }
    let rules = docs.iter().map(|rule| head(rule, source, notes)).collect();
    // What is wrong with paths is told where the rows are compiled, except where those have no document.
    let format = source.format.as_ref().map_or(Format::Json, |format| format.value);
    let mut silent = Notes::default();
    let told = if matches!(format, Format::Csv | Format::Columns) { &mut *notes } else { &mut silent };
    Answers { rules, probe: probe(source, told), ttl: ttl(source, notes) }
}

fn rules_of(source: &Source) -> &[At<RuleDoc>] {
    source.answers.as_deref().unwrap_or_default()
}

fn probe(source: &Source, notes: &mut Notes) -> Probe {
    let mut scope = Scope::new(&[], false, None);
    let policy = policy(source, &mut scope, notes);
    // Without rows no path can lead into them.
    scope.finish().map_or_else(|_| Probe::default(), |finished| Probe { places: finished.places, policy })
}

fn head(rule: &At<RuleDoc>, source: &Source, notes: &mut Notes) -> AnswerRule {
    let doc = &rule.value;
    if doc.then.is_none() {
        notes.add(rule.place, format!("a rule needs then: {}", crate::profiles::node::list(VerdictWord::WORDS)));
    }
    let then = doc.then.as_ref().map_or(VerdictWord::Fail, |then| then.value);
    if let (VerdictWord::SignIn, Some(word)) = (then, &doc.then)
        && !source.auth.as_ref().is_some_and(|auth| signs_in(&auth.value))
    {
        notes.add(
            word.place,
            "sign_in needs auth with oauth2, login or several secrets; one secret cannot be made anew",
        );
    }
    if let (VerdictWord::Success | VerdictWord::Empty | VerdictWord::SignIn, Some(wait)) = (then, &doc.wait) {
        notes.add(wait.place, format!("nothing waits where then is {}", then.word()));
    }
    if let Some(none) = doc.status.as_ref().filter(|statuses| statuses.value.0.is_empty()) {
        notes.add(none.place, "a list of statuses without any; leave status out for every answer");
    }
    let conditions = [&doc.body, &doc.unless].into_iter().flatten().flat_map(|texts| &texts.value.0);
    let shown: Vec<&str> = conditions.map(|text| text.value.as_str()).collect();
    AnswerRule {
        statuses: doc.status.iter().flat_map(|statuses| &statuses.value.0).map(|range| range.value).collect(),
        headers: texts(doc.header.as_ref()).filter_map(|text| header(text, notes)).collect(),
        content_types: texts(doc.content_type.as_ref()).map(|text| text.value.trim().to_ascii_lowercase()).collect(),
        text: doc.text.as_ref().and_then(|text| pattern(text, notes)).map(Box::new),
        no_body: doc.no_body,
        reads_body: !shown.is_empty(),
        then,
        wait: doc.wait.as_ref().and_then(|moment| wait(moment, notes)),
        words: doc.message.as_ref().filter(|message| !is_path(message)).map(|message| message.value.clone()),
        shown: shown.join(" and "),
    }
}

fn signs_in(auth: &Auth) -> bool {
    let Auth::By(doc) = auth else { return false };
    doc.oauth2.is_some() || doc.login.is_some() || doc.secret.as_ref().is_some_and(|names| names.value.0.len() > 1)
}

fn texts(said: Option<&At<crate::profiles::scalar::Texts>>) -> impl Iterator<Item = &At<String>> {
    said.into_iter().flat_map(|texts| &texts.value.0)
}

fn header(text: &At<String>, notes: &mut Notes) -> Option<HeaderTest> {
    let parsed = notes.keep(text.place, condition::parse_or_tells(&text.value))?;
    let [Segment::Name(name)] = parsed.path.segments.as_slice() else {
        let hint = "a header has one name, such as x-ratelimit-remaining == 0";
        notes.add_with_hint(text.place, format!("{} does not name a header", parsed.path), hint);
        return None;
    };
    let name = name.to_ascii_lowercase();
    Some(HeaderTest { name, test: parsed.into_test() })
}

/// `/words/`, or the words alone.
fn pattern(text: &At<String>, notes: &mut Notes) -> Option<regex_lite::Regex> {
    let bare = text.value.strip_prefix('/').and_then(|text| text.strip_suffix('/')).unwrap_or(&text.value);
    notes.keep(text.place, condition::pattern(bare))
}

fn is_path(message: &At<String>) -> bool {
    message.value.starts_with('$')
}

/// Compiles a moment.
pub fn wait(moment: &At<Moment>, notes: &mut Notes) -> Option<Wait> {
    Some(match &moment.value {
        Moment::After(duration) => Wait::After(Duration::from_millis(duration.ms)),
        Moment::NextDay => Wait::NextDay,
        Moment::Path(_) => Wait::Said(When { place: WhenPlace::Body, form: MomentForm::Seconds }),
        Moment::Said(doc) => Wait::Said(when(doc, notes)?),
    })
}

fn when(doc: &At<MomentDoc>, notes: &mut Notes) -> Option<When> {
    let place = match (&doc.value.header, &doc.value.path) {
        (Some(header), None) => WhenPlace::Header(header.value.trim().to_ascii_lowercase()),
        (None, Some(_)) => WhenPlace::Body,
        _ => {
            notes.add(doc.place, "a moment of the answer is one of header and path");
            return None;
        }
    };
    Some(When { place, form: doc.value.form.unwrap_or(MomentForm::Seconds) })
}

fn ttl(source: &Source, notes: &mut Notes) -> Option<When> {
    let said = source.ttl.as_ref()?;
    match wait(said, notes)? {
        Wait::Said(when) => Some(when),
        Wait::After(_) | Wait::NextDay => {
            let hint = "a fixed time between two runs is schedule.interval";
            notes.add_with_hint(said.place, "ttl is read in the answer: a path, or a header", hint);
            None
        }
    }
}

/// The places in a body that the rules look at.
pub fn policy(source: &Source, scope: &mut Scope<'_>, notes: &mut Notes) -> Policy {
    Policy {
        rules: rules_of(source).iter().map(|rule| body_rule(&rule.value, scope, notes)).collect(),
        message: source.message.as_ref().and_then(|path| document_slot(path, scope, notes)),
        ttl: source.ttl.as_ref().and_then(|ttl| moment_slot(ttl, scope, notes)),
    }
}

fn body_rule(doc: &RuleDoc, scope: &mut Scope<'_>, notes: &mut Notes) -> BodyRule {
    let mut conditions = Vec::new();
    for (said, negated) in [(&doc.body, false), (&doc.unless, true)] {
        for text in texts(said.as_ref()) {
            let parsed = notes.keep(text.place, condition::parse_or_tells(&text.value));
            let condition = parsed.and_then(|parsed| on_document(parsed, text.place, scope, notes));
            conditions.extend(condition.map(|condition| BodyCondition { condition, negated }));
        }
    }
    BodyRule {
        conditions,
        message: doc.message.as_ref().filter(|path| is_path(path)).and_then(|path| document_slot(path, scope, notes)),
        wait: doc.wait.as_ref().and_then(|wait| moment_slot(wait, scope, notes)),
    }
}

fn moment_slot(moment: &At<Moment>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Slot> {
    let path = match &moment.value {
        Moment::Path(path) => At { value: path.clone(), place: moment.place },
        Moment::Said(doc) => doc.value.path.clone()?,
        Moment::After(_) | Moment::NextDay => return None,
    };
    document_slot(&path, scope, notes)
}

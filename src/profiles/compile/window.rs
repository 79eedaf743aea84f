//! Windows and paging: when to ask, and how to go on.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::notes::Notes;
use crate::profiles::document::source::Source;
use crate::profiles::document::source::paging::{OffsetStep, Paging, PagingKind};
use crate::profiles::document::source::request::{Cursor, Inclusive};
use crate::profiles::node::At;
use crate::profiles::plan::{self, Instant, Scalar};
use crate::profiles::time::{Reading, read_iso};

/// More windows than this are refused where both ends are fixed.
const MAX_WINDOWS: i64 = 100_000;

pub fn window(source: &Source, notes: &mut Notes) -> Option<plan::Window> {
    let window = source.window.as_ref()?;
    let doc = &window.value;
    let (Some(from), Some(step)) = (&doc.from, &doc.step) else {
        if doc.from.is_none() {
            notes.add(window.place, "window needs from");
        }
        if doc.step.is_none() {
            notes.add(window.place, "window needs step, such as P7D; a step of zero would never end");
        }
        return None;
    };
    let now = At { value: Scalar::Text("now".into()), place: window.place };
    let from = instant(from, notes);
    let to = instant(doc.to.as_ref().unwrap_or(&now), notes);
    let (from, to) = (from?, to?);
    if let (Instant::Fixed(from), Instant::Fixed(to)) = (&from, &to) {
        if to <= from {
            notes.add(window.place, "the window ends before it begins");
        } else if (to - from) / step.value.about_ms > MAX_WINDOWS {
            notes.add(step.place, format!("this step makes more than {MAX_WINDOWS} windows"));
        }
    }
    let inclusive = doc.inclusive.unwrap_or(Inclusive::Start);
    let overlap_ms = doc.overlap.as_ref().map_or(0, |overlap| i64::try_from(overlap.value.ms).unwrap_or(i64::MAX));
    if let Some(long) = doc.overlap.as_ref().filter(|_| overlap_ms >= step.value.about_ms) {
        notes.add(long.place, "the overlap is as long as the step, or longer");
    }
    Some(plan::Window { from, to, step: step.value.span, inclusive, overlap_ms })
}

fn instant(text: &At<Scalar>, notes: &mut Notes) -> Option<Instant> {
    let value = text.value.text();
    let read = now(&value).or_else(|| fixed(&value).map(Instant::Fixed));
    if read.is_none() {
        let message =
            format!("{value:?} is not an instant; expected a year, a date, a time with zone, now, now-P30D or now/day");
        notes.add(text.place, message);
    }
    read
}

fn now(text: &str) -> Option<Instant> {
    let rest = text.trim().strip_prefix("now")?;
    let (rest, day) = match rest.strip_suffix("/day") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    if rest.is_empty() {
        return Some(Instant::Now { minus: jiff::Span::new(), day });
    }
    let minus: jiff::Span = rest.strip_prefix('-')?.parse().ok()?;
    (!minus.is_negative()).then_some(Instant::Now { minus, day })
}

/// Milliseconds of an instant that is written out; without a zone it is UTC.
pub fn fixed(text: &str) -> Option<i64> {
    let date = match read_iso(text).ok()? {
        Reading::Year(year) => jiff::civil::Date::new(year, 1, 1).ok()?,
        Reading::Month(year, month) => jiff::civil::Date::new(year, month, 1).ok()?,
        Reading::Date(date) => date,
        Reading::Instant(instant) => return Some(instant.as_millisecond()),
        Reading::Local(local) => return Offset::UTC.to_timestamp(local).ok().map(Timestamp::as_millisecond),
        Reading::Quarter(..) | Reading::Week(_) => return None,
    };
    Offset::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::MIN)).ok().map(Timestamp::as_millisecond)
}

/// Where the next run goes on. The cursor's value is read by a slot of the mapping.
pub fn cursor(
    source: &Source,
    cursor: &At<Cursor>,
    request: Option<&plan::Request>,
    notes: &mut Notes,
) -> Option<plan::Cursor> {
    let doc = &cursor.value;
    let Some(field) = &doc.field else {
        notes.add(cursor.place, "a cursor needs field, the path of the value that grows");
        return None;
    };
    let in_text = request.is_some_and(plan::Request::names_cursor);
    if doc.param.is_none() && !in_text {
        let hint = "name the query parameter, or write {cursor} where the request takes it";
        notes.add_with_hint(cursor.place, "a cursor without a parameter", hint);
    }
    if in_text && doc.start.is_none() {
        notes.add(cursor.place, "{cursor} in a text needs start: the value of the first run");
    }
    let form = match doc.format.as_ref() {
        Some(number) if number.value == "number" => plan::CursorForm::Number,
        Some(form) => plan::CursorForm::Time(super::field::form(form, notes)?),
        None => plan::CursorForm::Time(plan::TimeForm::Iso),
    };
    if let (Some(lookback), plan::CursorForm::Number) = (&doc.lookback, &form) {
        notes.add(lookback.place, "lookback is a length of time; the cursor is a number");
    }
    let send = send(doc, &form, notes);
    let start = doc.start.as_ref().and_then(|start| cursor_start(start, &form, notes));
    let url = source.url.as_ref().map_or("", |url| url.value.as_str());
    let definition = format!("{url}\n{}\n{form:?}", field.value);
    Some(plan::Cursor {
        digest: crate::domain::digest::Digest::of(definition.as_bytes()),
        param: doc.param.as_ref().map(|param| param.value.clone()),
        lookback: doc.lookback.as_ref().map_or(0, |lookback| i64::try_from(lookback.value.ms).unwrap_or(i64::MAX)),
        form,
        send,
        start,
    })
}

fn send(doc: &Cursor, form: &plan::CursorForm, notes: &mut Notes) -> Option<String> {
    let usual = match form {
        plan::CursorForm::Time(plan::TimeForm::EpochSeconds) => Some("epoch_s".to_owned()),
        plan::CursorForm::Time(plan::TimeForm::EpochMilliseconds) => Some("epoch_ms".to_owned()),
        plan::CursorForm::Time(plan::TimeForm::Pattern(pattern)) => Some(pattern.clone()),
        _ => None,
    };
    let Some(said) = &doc.send else { return usual };
    if said.value == "iso" {
        return None;
    }
    notes.keep(said.place, super::source::check_format(Some(&said.value)));
    Some(said.value.clone())
}

fn cursor_start(start: &At<Scalar>, form: &plan::CursorForm, notes: &mut Notes) -> Option<i64> {
    let text = start.value.text();
    let read = match form {
        plan::CursorForm::Number => text.parse().ok(),
        plan::CursorForm::Time(_) => fixed(&text),
    };
    if read.is_none() {
        notes.add(start.place, format!("{text:?} is not a value that the cursor can start from"));
    }
    read
}

/// How pages are asked for. The end tests need slots and are compiled with the mapping.
pub fn paging(source: &Source, notes: &mut Notes) -> Option<plan::Paging> {
    let paging = source.paging.as_ref()?;
    let doc = &paging.value;
    let Some(kind) = doc.kind else {
        notes.add(paging.place, format!("paging needs kind: {}", crate::profiles::node::list(PagingKind::WORDS)));
        return None;
    };
    let size = doc.size.as_ref().map(|size| (doc.size_param.as_ref().map(|param| param.value.clone()), size.value));
    if let Some(zero) = doc.size.as_ref().filter(|rows| rows.value == 0) {
        notes.add(zero.place, "a page of 0 rows never ends");
    }
    if let (Some(param), None) = (&doc.size_param, &doc.size) {
        notes.add(param.place, "size_param needs size");
    }
    let kind = self::kind(kind, paging, notes)?;
    check_next(paging, &kind, notes);
    Some(plan::Paging { kind, size })
}

fn kind(kind: PagingKind, paging: &At<Paging>, notes: &mut Notes) -> Option<plan::PagingKind> {
    let doc = &paging.value;
    let mut param = || {
        let param = doc.param.as_ref().map(|param| param.value.clone());
        if param.is_none() {
            notes.add(paging.place, format!("paging by {} needs param, the query parameter it goes into", kind.word()));
        }
        param
    };
    let first = |usual: u64| doc.first.as_ref().map_or(usual, |first| first.value);
    Some(match kind {
        PagingKind::Page => plan::PagingKind::Page { param: param()?, first: first(1) },
        PagingKind::Offset => {
            let step = doc.step.unwrap_or(OffsetStep::Size);
            let param = param()?;
            if step == OffsetStep::Size && doc.size.is_none() {
                notes.add(paging.place, "paging by offset needs size, or step: received");
            }
            plan::PagingKind::Offset { param, first: first(0), step }
        }
        PagingKind::Token => {
            let start = doc.start.as_ref().map(|start| start.value.text());
            plan::PagingKind::Token { param: param()?, start }
        }
        PagingKind::Keyset => plan::PagingKind::Keyset,
        PagingKind::Next => plan::PagingKind::Next,
        PagingKind::Link => plan::PagingKind::Link,
    })
}

fn check_next(paging: &At<Paging>, kind: &plan::PagingKind, notes: &mut Notes) {
    let doc = &paging.value;
    let wants_next =
        !matches!(kind, plan::PagingKind::Page { .. } | plan::PagingKind::Offset { .. } | plan::PagingKind::Link);
    match (&doc.next, wants_next) {
        (None, true) => {
            notes.add(paging.place, "this kind of paging needs next, the path of the next URL, token or object");
        }
        (Some(next), false) => notes.add(next.place, "next belongs to paging of kind next, token or keyset"),
        _ => {}
    }
    if let (Some(param), None) = (&doc.param, kind.param()) {
        notes.add(param.place, "param belongs to paging of kind page, offset or token");
    }
}

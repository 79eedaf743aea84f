//! The profile's own test.

use super::notes::Notes;
use super::window::fixed;
use crate::profiles::document::test::{AnswerDoc, ExpectedDoc, TestDoc};
use crate::profiles::node::At;
use crate::profiles::own_test::{Expected, ProfileTest, TestAnswer};

pub fn test(said: Option<&At<TestDoc>>, notes: &mut Notes) -> Option<ProfileTest> {
    let At { value: doc, place } = said?;
    let now_ms = doc.now.as_ref().and_then(|now| {
        let read = fixed(&now.value.text()).ok_or("expected a date or a time, such as 2024-01-15T12:00:00Z".to_owned());
        notes.keep(now.place, read)
    });
    let answers = doc.answers.iter().flatten().filter_map(|answer| self::answer(answer, notes)).collect();
    if let (Some(pages), Some(_)) = (&doc.pages, &doc.answers) {
        notes.add(pages.place, "a test has either answers or pages");
    }
    if doc.answers.is_some() && doc.expected.is_none() {
        notes.add(*place, "a test with answers needs expected");
    }
    let pages = doc.pages.as_ref().and_then(|pages| beside(pages, notes));
    let expected = doc.expected.as_ref().and_then(|expected| match &expected.value {
        ExpectedDoc::File(name) => beside(name, notes).map(Expected::File),
        ExpectedDoc::Records(records) => {
            for record in records.iter().filter(|record| !record.value.0["measures"].is_object()) {
                notes.add(record.place, "a record is {dims: {…}, measures: {…}}");
            }
            Some(Expected::Records(records.iter().map(|record| record.value.0.clone()).collect()))
        }
    });
    Some(ProfileTest { now_ms, answers, pages, expected })
}

fn answer(answer: &At<AnswerDoc>, notes: &mut Notes) -> Option<TestAnswer> {
    let doc = &answer.value;
    let body = match (&doc.json, &doc.text) {
        (Some(json), None) => json.value.0.to_string(),
        (None, Some(text)) => text.value.clone(),
        (None, None) => String::new(),
        (Some(_), Some(text)) => {
            notes.add(text.place, "an answer has either json or text");
            return None;
        }
    };
    let request = match &doc.request {
        Some(request) => Some(self::request(request, notes)?),
        None => None,
    };
    let status = doc.status.as_ref().map_or(Some(200), |status| {
        let code = u16::try_from(status.value).ok().filter(|code| (200..600).contains(code));
        notes.keep(status.place, code.ok_or_else(|| format!("{} is not a status from 200 to 599", status.value)))
    })?;
    let headers = doc.headers.iter().flat_map(|headers| &headers.0);
    let headers = headers.map(|(name, value)| (name.value.clone(), value.value.clone())).collect();
    Some(TestAnswer { request, status, headers, body })
}

fn request(request: &At<String>, notes: &mut Notes) -> Option<(String, String)> {
    let parts = request.value.split_once(' ').filter(|(method, _)| matches!(*method, "GET" | "POST"));
    let parts = parts.map(|(method, url)| (method.to_owned(), url.trim().to_owned()));
    notes.keep(request.place, parts.ok_or("expected a method and a URL, such as GET https://api.example.org/v1".into()))
}

/// A name that stays beside the profile.
fn beside(name: &At<String>, notes: &mut Notes) -> Option<String> {
    let stays = name.value.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let stays = stays && !name.value.contains(['\\', ':', '\0']);
    let kept =
        if stays { Ok(name.value.clone()) } else { Err(format!("{:?} does not lie beside the profile", name.value)) };
    notes.keep(name.place, kept)
}

//! What is kept beside the records, and its bounds.

use super::notes::Notes;
use crate::profiles::document::keep::{Keep, KeepAnswers, KeepBounds};
use crate::profiles::node::At;
use crate::profiles::plan;

pub fn answers(said: Option<&At<Keep>>, notes: &mut Notes) -> Option<plan::KeepAnswers> {
    let At { value: Keep { answers }, place } = said?;
    let Some(answers) = answers else {
        notes.add_with_hint(*place, "keep says nothing", "answers: true");
        return None;
    };
    match &answers.value {
        KeepAnswers::Switch(false) => None,
        KeepAnswers::Switch(true) => Some(plan::KeepAnswers::DEFAULT),
        KeepAnswers::Within(bounds) => Some(within(bounds, notes)),
    }
}

fn within(bounds: &KeepBounds, notes: &mut Notes) -> plan::KeepAnswers {
    let usual = plan::KeepAnswers::DEFAULT;
    if let Some(none) = bounds.max_bytes.as_ref().filter(|bytes| bytes.value == 0) {
        notes.add_with_hint(none.place, "a bound of 0 keeps nothing", "answers: false");
    }
    if let Some(none) = bounds.max_age.as_ref().filter(|age| age.value.ms == 0) {
        notes.add_with_hint(none.place, "an age of 0 keeps nothing", "answers: false");
    }
    plan::KeepAnswers {
        max_bytes: bounds.max_bytes.as_ref().map_or(usual.max_bytes, |bytes| bytes.value),
        max_age_ms: bounds.max_age.as_ref().map_or(usual.max_age_ms, |age| age.value.ms),
    }
}

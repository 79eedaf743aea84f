//! How answers are judged, compiled: what a head must show, what a body must hold, and what follows.

use std::time::Duration;

use super::{Condition, Places, Slot, Test};
pub use crate::profiles::document::source::answer::VerdictWord;
pub use crate::profiles::document::source::moment::MomentForm;

/// The rules of a source. Their parts that look into a body are in a [`Policy`], by the same index.
#[derive(Debug, Default)]
pub struct Answers {
    pub rules: Vec<AnswerRule>,
    /// For answers that are not walked row by row.
    pub probe: Probe,
    /// A header with the earliest next poll.
    pub ttl: Option<When>,
}

/// What the head of an answer must show, and what it means then.
#[derive(Debug)]
pub struct AnswerRule {
    /// First and last status of each range; any status where there are none.
    pub statuses: Vec<(u16, u16)>,
    pub headers: Vec<HeaderTest>,
    /// In lower case; any type where there are none.
    pub content_types: Vec<String>,
    pub text: Option<Box<regex_lite::Regex>>,
    /// Whether the answer must have no body, or must have one.
    pub no_body: Option<bool>,
    /// It has conditions on the body.
    pub reads_body: bool,
    pub then: VerdictWord,
    pub wait: Option<Wait>,
    /// Fixed words of the failure.
    pub words: Option<String>,
    /// The conditions on the body as the author wrote them.
    pub shown: String,
}

#[derive(Debug)]
pub struct HeaderTest {
    /// In lower case.
    pub name: String,
    pub test: Test,
}

/// When to ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    After(Duration),
    /// 00:00 UTC.
    NextDay,
    Said(When),
}

/// A moment that the answer names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    pub place: WhenPlace,
    pub form: MomentForm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhenPlace {
    /// Name in lower case.
    Header(String),
    /// The place stands in the policy.
    Body,
}

/// Places in a body that the rules look at.
#[derive(Debug, Default)]
pub struct Policy {
    pub rules: Vec<BodyRule>,
    /// The source's own words, for failures without a rule or whose rule names none.
    pub message: Option<Slot>,
    /// The earliest next poll.
    pub ttl: Option<Slot>,
}

impl Policy {
    /// Nothing is asked of a body.
    pub fn is_empty(&self) -> bool {
        self.message.is_none() && self.ttl.is_none() && self.rules.iter().all(BodyRule::is_empty)
    }
}

/// What one rule asks of a body.
#[derive(Debug, Default)]
pub struct BodyRule {
    pub conditions: Vec<BodyCondition>,
    pub message: Option<Slot>,
    pub wait: Option<Slot>,
}

impl BodyRule {
    fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.message.is_none() && self.wait.is_none()
    }
}

#[derive(Debug)]
pub struct BodyCondition {
    pub condition: Condition,
    /// It must not hold.
    pub negated: bool,
}

/// A walk over a body for the rules alone.
#[derive(Debug, Default)]
pub struct Probe {
    pub places: Places,
    pub policy: Policy,
}

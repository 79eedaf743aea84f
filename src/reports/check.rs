//! What may be computed: a report spec is checked once, as a whole, before any record is read.

use std::fmt;

use thiserror::Error;

use super::path::{self, Half};
use crate::domain::ids::ProfileId;
use crate::domain::report::{DEFAULT_ROWS, Input, MAX_ROWS, OnDuplicate, Output, ReportSpec};

/// The most dims in a join.
pub const MAX_JOIN: usize = 8;
/// The most inputs of a report.
pub const MAX_INPUTS: usize = 16;

/// A spec that can be computed.
#[derive(Debug, Clone)]
pub struct CheckedSpec {
    spec: ReportSpec,
    limit: usize,
}

/// All that is wrong with a spec.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct SpecError {
    /// Never empty, in the order of the spec.
    pub faults: Vec<SpecFault>,
}

/// One field that is wrong, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecFault {
    /// Such as `inputs[1].measure`.
    pub at: String,
    pub reason: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", fault.at, fault.reason)?;
        }
        Ok(())
    }
}

impl CheckedSpec {
    /// The spec as it was asked for.
    pub fn spec(&self) -> &ReportSpec {
        &self.spec
    }

    /// The most rows in the answer, the default filled in.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Each profile that is read, once, with the indices of the inputs that read it.
    pub fn sources(&self) -> Vec<(ProfileId, Vec<usize>)> {
        let mut sources: Vec<(ProfileId, Vec<usize>)> = Vec::new();
        for (index, input) in self.spec.inputs.iter().enumerate() {
            match sources.iter_mut().find(|(profile_id, _)| *profile_id == input.profile_id) {
                Some((_, inputs)) => inputs.push(index),
                None => sources.push((input.profile_id.clone(), vec![index])),
            }
        }
        sources
    }
}

/// Checks `spec` as a whole. The error names every wrong field.
pub fn check(spec: ReportSpec) -> Result<CheckedSpec, SpecError> {
    let mut faults = Faults::default();
    faults.check_join(&spec.join);
    faults.check_inputs(&spec.inputs);
    if matches!(spec.output, Output::Correlation { .. }) && spec.inputs.len() == 1 {
        faults.add("inputs", "there is one; a correlation needs at least two");
    }
    let limit = spec.window.limit.unwrap_or(DEFAULT_ROWS);
    if !(1..=MAX_ROWS).contains(&limit) {
        faults.add("window.limit", format!("it is {limit}; expected 1 to {MAX_ROWS}"));
    }
    if faults.0.is_empty() {
        Ok(CheckedSpec { spec, limit: limit as usize })
    } else {
        Err(SpecError { faults: faults.0 })
    }
}

#[derive(Default)]
struct Faults(Vec<SpecFault>);

impl Faults {
    fn add(&mut self, at: impl Into<String>, reason: impl Into<String>) {
        self.0.push(SpecFault { at: at.into(), reason: reason.into() });
    }

    fn check_count(&mut self, at: &str, found: usize, max: usize) {
        if !(1..=max).contains(&found) {
            self.add(at, format!("there are {found}; expected 1 to {max}"));
        }
    }

    fn check_join(&mut self, join: &[String]) {
        self.check_count("join", join.len(), MAX_JOIN);
        for (index, dim) in join.iter().take(MAX_JOIN).enumerate() {
            let at = format!("join[{index}]");
            if let Err(reason) = path::parse(dim, Half::Dims) {
                self.add(at, reason);
            } else if join[..index].contains(dim) {
                self.add(at, format!("{dim} stands in the join already"));
            }
        }
    }

    fn check_inputs(&mut self, inputs: &[Input]) {
        self.check_count("inputs", inputs.len(), MAX_INPUTS);
        for (index, input) in inputs.iter().take(MAX_INPUTS).enumerate() {
            if let Err(reason) = path::parse(&input.measure, Half::Measures) {
                self.add(format!("inputs[{index}].measure"), reason);
            } else if let Some(first) = inputs[..index].iter().position(|earlier| earlier == input) {
                self.add(format!("inputs[{index}]"), format!("it is the same as inputs[{first}]"));
            }
        }
    }
}

/// The name of an input's column: `profile:measures.x`, with the duplicate policy where it is not the default,
/// so that two inputs of one spec never share a name.
pub(super) fn column_name(input: &Input) -> String {
    let Input { profile_id, measure, on_duplicate } = input;
    match policy_name(*on_duplicate) {
        None => format!("{profile_id}:{measure}"),
        Some(policy) => format!("{profile_id}:{measure} ({policy})"),
    }
}

fn policy_name(policy: OnDuplicate) -> Option<&'static str> {
    match policy {
        OnDuplicate::Last => None,
        OnDuplicate::First => Some("first"),
        OnDuplicate::Mean => Some("mean"),
        OnDuplicate::Sum => Some("sum"),
        OnDuplicate::Min => Some("min"),
        OnDuplicate::Max => Some("max"),
        OnDuplicate::Error => Some("error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"{"join":["dims.geo.state","dims.time.year"],
        "inputs":[{"profile_id":"a","measure":"measures.x"},{"profile_id":"b","measure":"measures.y"}],
        "window":{"limit":5000},"output":{"type":"correlation","method":"pearson"}}"#;

    fn spec(text: &str) -> ReportSpec {
        serde_json::from_str(text).unwrap()
    }

    fn said(change: impl FnOnce(&mut ReportSpec)) -> String {
        let mut wrong = spec(MINIMAL);
        change(&mut wrong);
        check(wrong).unwrap_err().to_string()
    }

    #[test]
    fn the_minimal_report_is_accepted() {
        let checked = check(spec(MINIMAL)).unwrap();
        assert_eq!(checked.limit(), 5_000);
        assert_eq!(checked.sources().len(), 2);
        assert_eq!(serde_json::to_value(checked.spec()).unwrap()["output"]["method"], "pearson");
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let text =
            r#"{"join":["dims.a"],"inputs":[{"profile_id":"a","measure":"measures.x"}],"output":{"type":"table"}}"#;
        assert_eq!(check(spec(text)).unwrap().limit(), DEFAULT_ROWS as usize);
    }

    #[test]
    fn each_fault_names_its_field_and_what_was_expected() {
        assert_eq!(said(|spec| spec.join.clear()), "join: there are 0; expected 1 to 8");
        assert_eq!(said(|spec| spec.inputs.clear()), "inputs: there are 0; expected 1 to 16");
        assert_eq!(said(|spec| spec.window.limit = Some(0)), "window.limit: it is 0; expected 1 to 100000");
        assert_eq!(said(|spec| spec.window.limit = Some(100_001)), "window.limit: it is 100001; expected 1 to 100000");
        assert_eq!(said(|spec| spec.inputs.truncate(1)), "inputs: there is one; a correlation needs at least two");
        assert_eq!(
            said(|spec| spec.join[1] = spec.join[0].clone()),
            "join[1]: dims.geo.state stands in the join already"
        );
        assert_eq!(said(|spec| spec.inputs[1] = spec.inputs[0].clone()), "inputs[1]: it is the same as inputs[0]");
        assert!(
            said(|spec| spec.inputs[1].measure = "y".into()).starts_with("inputs[1].measure: \"y\" does not begin")
        );
        assert!(said(|spec| spec.join = vec!["dims.x".into(); 9]).starts_with("join: there are 9; expected 1 to 8"));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let both = said(|spec| {
            spec.join[0] = "geo".into();
            spec.window.limit = Some(0);
        });
        assert!(both.contains("join[0]: ") && both.contains("; window.limit: "), "{both}");
    }

    #[test]
    fn one_profile_is_read_once_for_all_its_inputs() {
        let mut twice = spec(MINIMAL);
        let mut mean = twice.inputs[0].clone();
        mean.on_duplicate = OnDuplicate::Mean;
        twice.inputs.push(mean);
        let names: Vec<String> = twice.inputs.iter().map(column_name).collect();
        assert_eq!(names, ["a:measures.x", "b:measures.y", "a:measures.x (mean)"]);
        let sources = check(twice).unwrap().sources();
        assert_eq!(sources.iter().map(|(_, inputs)| inputs.clone()).collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
    }
}

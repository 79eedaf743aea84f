//! Whether a value meets a condition.

use crate::pipeline::json::Cell;
use crate::profiles::plan::{Condition, Operand, Test};

/// Text and number are compared alike; a value that is not there meets only `missing`, `!=` and `not_in`.
pub fn holds(condition: &Condition, cells: &[Cell<'_>]) -> bool {
    let cell = cells[usize::from(condition.slot)];
    let Some(text) = cell.text() else { return matches!(condition.test, Test::Missing | Test::NotIn(_)) };
    let number = || text.trim().parse::<f64>().ok();
    match &condition.test {
        Test::Exists => true,
        Test::Missing => false,
        Test::In(operands) => operands.iter().any(|operand| equal(operand, &text)),
        Test::NotIn(operands) => !operands.iter().any(|operand| equal(operand, &text)),
        Test::Less(limit) => number().is_some_and(|number| number < *limit),
        Test::LessOrEqual(limit) => number().is_some_and(|number| number <= *limit),
        Test::Greater(limit) => number().is_some_and(|number| number > *limit),
        Test::GreaterOrEqual(limit) => number().is_some_and(|number| number >= *limit),
        Test::Matches(pattern) => pattern.is_match(&text),
    }
}

/// 1 and 1.0 are equal, nothing beyond.
fn equal(operand: &Operand, text: &str) -> bool {
    *operand.text == *text || operand.number.is_some_and(|number| text.parse() == Ok(number))
}

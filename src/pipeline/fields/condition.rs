//! Whether a value meets a condition.

use crate::pipeline::json::Cell;
use crate::profiles::plan::{Condition, Operand, Test};

/// Text and number are compared alike; a value that is not there meets only `missing`, `!=` and `not_in`.
pub fn holds(condition: &Condition, cells: &[Cell<'_>]) -> bool {
    let cell = cells[usize::from(condition.slot)];
    if matches!(condition.test, Test::Tells) {
        return tells_something(cell);
    }
    meets(&condition.test, cell.text().as_deref())
}

/// The same of a text, such as a header.
pub fn meets(test: &Test, text: Option<&str>) -> bool {
    let Some(text) = text else { return matches!(test, Test::Missing | Test::NotIn(_)) };
    let number = || text.trim().parse::<f64>().ok();
    match test {
        Test::Exists => true,
        Test::Tells => tells_something(Cell::Text(text)),
        Test::Missing => false,
        Test::In(operands) => operands.iter().any(|operand| equal(operand, text)),
        Test::NotIn(operands) => !operands.iter().any(|operand| equal(operand, text)),
        Test::Less(limit) => number().is_some_and(|number| number < *limit),
        Test::LessOrEqual(limit) => number().is_some_and(|number| number <= *limit),
        Test::Greater(limit) => number().is_some_and(|number| number > *limit),
        Test::GreaterOrEqual(limit) => number().is_some_and(|number| number >= *limit),
        Test::Matches(pattern) => pattern.is_match(text),
    }
}

/// Not null, false, 0, "", [] or {}.
pub fn tells_something(cell: Cell<'_>) -> bool {
    match cell {
        Cell::Bool(value) => value,
        Cell::Tree(text) => text.bytes().any(|byte| !b" \t\r\n[]{}".contains(&byte)),
        Cell::Number(text) => text != "0",
        other => other.has_value(),
    }
}

/// 1 and 1.0 are equal, nothing beyond.
fn equal(operand: &Operand, text: &str) -> bool {
    *operand.text == *text || operand.number.is_some_and(|number| text.parse() == Ok(number))
}

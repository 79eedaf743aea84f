//! Records as a table for a terminal: a column for each dim and measure, cut to a width that can be read.

use serde_json::Value;

/// The widest column, in characters.
const MAX_CELL: usize = 32;

/// Draws the records, canonical JSON each; measures stand at the right of their columns.
pub fn table(records: &[String]) -> String {
    let rows: Vec<Vec<(String, String)>> = records.iter().map(|text| cells(text)).collect();
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    columns.sort_by_key(|name| name.starts_with("measures."));
    let cell = |row: &[(String, String)], column: &str| {
        row.iter().find(|(name, _)| name == column).map_or(String::new(), |(_, value)| cut(value))
    };
    let widest_of = |column: &&str| {
        let widest = rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        widest.max(title(column).chars().count())
    };
    let widths: Vec<usize> = columns.iter().map(widest_of).collect();
    let line = |texts: Vec<String>| {
        let padded = texts.iter().zip(&columns).zip(&widths).map(|((text, column), width)| {
            let space = " ".repeat(width - text.chars().count());
            if column.starts_with("measures.") { format!("{space}{text}") } else { format!("{text}{space}") }
        });
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let head = line(columns.iter().map(|column| title(column)).collect());
    let rule = line(widths.iter().map(|width| "─".repeat(*width)).collect());
    let body = rows.iter().map(|row| line(columns.iter().map(|column| cell(row, column)).collect()));
    [head, rule].into_iter().chain(body).collect()
}

fn title(column: &str) -> String {
    cut(column.strip_prefix("dims.").or(column.strip_prefix("measures.")).unwrap_or(column))
}

fn cut(text: &str) -> String {
    let clean = |next: char| if next.is_control() { ' ' } else { next };
    if text.chars().count() <= MAX_CELL {
        return text.chars().map(clean).collect();
    }
    text.chars().map(clean).take(MAX_CELL - 1).chain(['…']).collect()
}

/// Full name and text of each value of a record.
fn cells(text: &str) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    if let Ok(record) = serde_json::from_str::<Value>(text) {
        for half in ["dims", "measures"] {
            flatten(half, &record[half], &mut cells);
        }
    }
    cells
}

fn flatten(name: &str, value: &Value, cells: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, inner)| flatten(&format!("{name}.{key}"), inner, cells));
        }
        Value::String(text) => cells.push((name.to_owned(), text.clone())),
        Value::Null => {}
        other => cells.push((name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_breaks_the_line() {
        let records = [
            r#"{"dims":{"geo":{"name":"Québec\n"},"time":{"year":"2022"}},"measures":{"population":8604495}}"#,
            r#"{"dims":{"geo":{"name":"a very long name of a place that nobody can read"}},"measures":{"area":1.5}}"#,
        ]
        .map(str::to_owned);
        let expected = "\
geo.name                          time.year  population  area
────────────────────────────────  ─────────  ──────────  ────
Québec                            2022          8604495
a very long name of a place tha…                          1.5
";
        assert_eq!(table(&records), expected);
        assert_eq!(table(&[]), "\n\n");
    }
}

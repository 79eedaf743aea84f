//! A result as CSV (RFC 4180): a header line, CRLF, quotes where needed, an empty field for an absent number.
//!
//! Texts come from sources that nobody here controls, and spreadsheets run a field that begins like a formula. So a
//! text that begins with `=`, `+`, `-`, `@`, tab, CR or LF and is no number gets a `'` in front, the mark for "this is
//! text"; numbers stay as they are. Who needs the exact texts takes JSON.

use csv::{Terminator, Writer, WriterBuilder};

use crate::domain::canonical::write_number;
use crate::domain::report::{Answer, InputCounts, Pair, ReportResult, Row};

/// The rows of a table, or one line for each pair of a correlation.
pub fn as_csv(result: &ReportResult) -> Vec<u8> {
    let mut out = Lines(WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new()));
    match &result.answer {
        Answer::Table { columns, rows, .. } => out.write_table(columns, rows),
        Answer::Correlation { pairs, .. } => out.write_pairs(&result.inputs, pairs),
    }
    out.0.into_inner().expect("writing to memory cannot fail")
}

struct Lines(Writer<Vec<u8>>);

impl Lines {
    fn write_table(&mut self, columns: &[String], rows: &[Row]) {
        self.write(columns.iter().map(|name| guarded(name)));
        for row in rows {
            let texts = row.key.iter().map(|text| guarded(text));
            self.write(texts.chain(row.values.iter().map(|value| number(*value))));
        }
    }

    fn write_pairs(&mut self, inputs: &[InputCounts], pairs: &[Pair]) {
        self.write(["x", "y", "n", "r", "note"].map(guarded).into_iter());
        let name = |index: u32| match inputs.get(index as usize) {
            Some(input) => guarded(&format!("{}:{}", input.profile_id, input.measure)),
            None => index.to_string().into_bytes(),
        };
        for Pair { x, y, n, r, note } in pairs {
            let note = guarded(note.as_deref().unwrap_or_default());
            self.write([name(*x), name(*y), n.to_string().into_bytes(), number(*r), note].into_iter());
        }
    }

    fn write(&mut self, fields: impl Iterator<Item = Vec<u8>>) {
        self.0.write_record(fields).expect("writing lines of one length to memory cannot fail");
    }
}

fn number(value: Option<f64>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(value) = value {
        write_number(&mut out, value);
    }
    out
}

fn guarded(text: &str) -> Vec<u8> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !is_number(text);
    let mark: &[u8] = if formula { b"'" } else { b"" };
    [mark, text.as_bytes()].concat()
}

/// Signs, digits and a point: what a spreadsheet reads as a number and nothing else.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(answer: Answer) -> ReportResult {
        let input = |id: &str| InputCounts {
            profile_id: id.parse().unwrap(),
            measure: "measures.v".into(),
            records: 0,
            without_key: 0,
            without_measure: 0,
            keys: 0,
            duplicates: 0,
        };
        ReportResult { inputs: vec![input("a"), input("b")], matched: 0, answer }
    }

    fn rendered(answer: Answer) -> String {
        String::from_utf8(as_csv(&result(answer))).unwrap()
    }

    fn row(key: &str, value: Option<f64>) -> Row {
        Row { key: vec![key.into()], values: vec![value] }
    }

    #[test]
    fn a_table_is_rfc_4180() {
        let columns = vec!["dims.n".into(), "a:measures.v".into()];
        let rows = vec![row("x, \"y\"\r\nz", Some(39_538_223.0)), row("plain", None), row("", Some(-1e21))];
        let text = rendered(Answer::Table { columns, rows, truncated: false, total_rows: 3 });
        assert_eq!(text, "dims.n,a:measures.v\r\n\"x, \"\"y\"\"\r\nz\",39538223\r\nplain,\r\n,-1e+21\r\n");
    }

    #[test]
    fn a_text_that_a_spreadsheet_would_run_is_marked() {
        for (text, shown) in [
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("+1|cmd", "'+1|cmd"),
            ("-inf", "'-inf"),
            ("\t=1", "'\t=1"),
            ("-178.41", "-178.41"),
            ("+49", "+49"),
            ("06", "06"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(guarded(text), shown.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn a_correlation_has_a_line_for_each_pair() {
        let note = Some("x is constant: correlation is not defined".to_owned());
        let pairs = vec![Pair { x: 0, y: 1, n: 4, r: Some(0.5), note: None }, Pair { x: 1, y: 0, n: 4, r: None, note }];
        let text = rendered(Answer::Correlation { method: crate::domain::report::Method::Pearson, pairs });
        let expected = "x,y,n,r,note\r\na:measures.v,b:measures.v,4,0.5,\r\n\
                        b:measures.v,a:measures.v,4,,x is constant: correlation is not defined\r\n";
        assert_eq!(text, expected);
    }
}

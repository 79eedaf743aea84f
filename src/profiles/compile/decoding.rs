//! How the bytes of an answer are read: format, compression, archive.

use super::notes::Notes;
use crate::profiles::document::source::Source;
use crate::profiles::document::source::form::{self, ColumnsDoc, Compression, Csv, Format};
use crate::profiles::node::At;
use crate::profiles::plan::{self, Decoding, LineHeader, Lines};

pub fn decoding(source: &Source, notes: &mut Notes) -> Decoding {
    let word = source.format.as_ref().map_or(Format::Json, |format| format.value);
    if let (Some(csv), true) = (&source.csv, word != Format::Csv) {
        notes.add(csv.place, "csv belongs to format: csv");
    }
    if let (Some(columns), true) = (&source.columns, word != Format::Columns) {
        notes.add(columns.place, "columns belongs to format: columns");
    }
    let format = match word {
        Format::Json => plan::Format::Json,
        Format::Ndjson => plan::Format::Ndjson,
        Format::Xml => plan::Format::Xml,
        Format::Csv => plan::Format::Csv(csv(source.csv.as_ref(), notes)),
        Format::Columns => plan::Format::Columns(columns(source.columns.as_ref(), notes)),
    };
    let gzip = source.compression == Some(Compression::Gzip);
    if let (Some(archive), true) = (&source.archive, gzip) {
        notes.add(archive.place, "an answer is a zip file or a gzip file, not both");
    }
    let zip = source.archive.as_ref().and_then(|archive| {
        let name = archive.value.zip.as_ref().map(|name| name.value.clone());
        if name.is_none() {
            notes.add(archive.place, "archive needs zip: the name of the file in it");
        }
        name
    });
    Decoding { gzip, zip, format }
}

fn csv(said: Option<&At<Csv>>, notes: &mut Notes) -> plan::Csv {
    let Some(At { value: doc, .. }) = said else {
        let lines = Lines { skip: 0, header: LineHeader::First, after_header: 0 };
        return plan::Csv { delimiter: b',', quote: Some(b'"'), comment: None, lines };
    };
    let mut byte = |text: &At<String>, what: &str| match text.value.as_bytes() {
        [byte] if byte.is_ascii() && !b"\r\n".contains(byte) => Some(*byte),
        _ => {
            notes.add(text.place, format!("{what} is one ASCII character, not {:?}", text.value));
            None
        }
    };
    let delimiter = doc.delimiter.as_ref().and_then(|text| byte(text, "the delimiter")).unwrap_or(b',');
    let quote = match &doc.quote {
        None => Some(b'"'),
        Some(text) if text.value.is_empty() => None,
        Some(text) => byte(text, "the quote"),
    };
    let comment = doc.comment.as_ref().and_then(|text| byte(text, "the comment"));
    let lines = lines(doc.skip_lines, doc.header.as_ref(), doc.after_header, notes);
    plan::Csv { delimiter, quote, comment, lines }
}

fn columns(said: Option<&At<ColumnsDoc>>, notes: &mut Notes) -> plan::Columns {
    let Some(At { value: doc, .. }) = said else {
        let lines = Lines { skip: 0, header: LineHeader::First, after_header: 0 };
        return plan::Columns { fixed: None, comment: None, lines };
    };
    let fixed = doc.fixed.as_ref().map(|fixed| {
        if let Some(header) = &doc.header {
            notes.add(header.place, "columns of fixed width are named by fixed, not by a header");
        }
        let column =
            |(name, span): &(At<String>, At<form::Span>)| (name.value.clone(), span.value.first - 1, span.value.last);
        fixed.value.0.iter().map(column).collect()
    });
    let comment = doc.comment.as_ref().map(|text| text.value.clone()).filter(|text| !text.is_empty());
    let lines = lines(doc.skip_lines, doc.header.as_ref(), doc.after_header, notes);
    plan::Columns { fixed, comment, lines }
}

fn lines(skip: Option<u64>, header: Option<&At<form::LineHeader>>, after: Option<u64>, notes: &mut Notes) -> Lines {
    let header = match header.map(|header| (header, &header.value)) {
        None | Some((_, form::LineHeader::First)) => LineHeader::First,
        Some((_, form::LineHeader::None)) => LineHeader::Numbers,
        Some((said, form::LineHeader::Names(names))) => {
            let names: Vec<String> = names.iter().map(|name| name.value.clone()).collect();
            let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
            if let Some((_, name)) = twice {
                notes.add(said.place, format!("two columns are named {name:?}"));
            }
            LineHeader::Names(names)
        }
    };
    Lines { skip: skip.unwrap_or(0), header, after_header: after.unwrap_or(0) }
}

//! XML as a tree in JSON: `$` is the root element, attributes are `@name`, text is `#text`, child elements are always
//! lists, prefixes of namespaces are dropped. No document types, no entities but the five of XML itself.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::Room;
use crate::domain::canonical::write_text;
use crate::pipeline::page::PageError;

/// Elements may nest this deep.
const MAX_DEPTH: usize = 60;

/// Parts are ranges of one text, so that an element costs little.
#[derive(Clone, Copy, Default)]
struct Range(u32, u32);

/// One element; children are a chain.
#[derive(Default)]
struct Element {
    name: u32,
    attributes: Range,
    text: Range,
    first_child: Option<u32>,
    last_child: Option<u32>,
    next: Option<u32>,
}

#[derive(Default)]
struct Tree {
    elements: Vec<Element>,
    attributes: Vec<(u32, Range)>,
    names: Vec<String>,
    known: HashMap<String, u32>,
    text: String,
    /// Elements that are open, with their text so far.
    open: Vec<(u32, String)>,
    room: Room,
}

/// The document as JSON.
pub fn to_json(text: &str, room: Room) -> Result<String, PageError> {
    let mut reader = Reader::from_str(text);
    let mut tree = Tree { room, ..Tree::default() };
    loop {
        let event = reader.read_event().map_err(|error| broken(text, &reader, &error.to_string()))?;
        let done = match event {
            Event::Start(start) => tree.start(&start),
            Event::Empty(start) => tree.start(&start).and_then(|()| tree.end()),
            Event::End(_) => tree.end(),
            Event::Text(part) => tree.add(&part.xml10_content()),
            Event::CData(part) => tree.add(&part.xml10_content()),
            Event::GeneralRef(reference) => entity(&reference).and_then(|part| tree.add(&part)),
            Event::DocType(kind) if kind.contains('[') => Err("a document type with definitions is not read".into()),
            Event::DocType(kind) if kind.trim_start().to_ascii_lowercase().starts_with("html") => {
                let head = crate::pipeline::fetch::excerpt(text.as_bytes());
                return Err(PageError::Failed(format!("expected XML, the answer is a page: {head:?}")));
            }
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => Ok(()),
        };
        done.map_err(|message| broken(text, &reader, &message))?;
        room.check(tree.bytes())?;
    }
    if !tree.open.is_empty() || tree.elements.is_empty() {
        return Err(broken(text, &reader, "it ends too early"));
    }
    tree.write()
}

fn broken(text: &str, reader: &Reader<&[u8]>, message: &str) -> PageError {
    let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let head = crate::pipeline::fetch::excerpt(text.as_bytes());
    PageError::Broken(format!("the answer is not XML: {message} at line {line}; it begins {head:?}"))
}

fn entity(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.to_string());
    }
    let name = reference.xml10_content();
    let plain = match &*name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        other => return Err(format!("the entity {other:?} is not known")),
    };
    Ok(plain.to_owned())
}

fn number(length: usize) -> Result<u32, String> {
    u32::try_from(length).map_err(|_| "it is too large".to_owned())
}

impl Tree {
    /// Memory that it takes, but for names and what is open.
    fn bytes(&self) -> usize {
        let attributes = self.attributes.len() * size_of::<(u32, Range)>();
        self.elements.len() * size_of::<Element>() + attributes + self.text.len()
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("elements nest deeper than {MAX_DEPTH}"));
        }
        if self.open.is_empty() && !self.elements.is_empty() {
            return Err("there is a second root element".into());
        }
        let id = number(self.elements.len())?;
        let name = self.name(local(start.name().as_ref()))?;
        let from = number(self.attributes.len())?;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let key: &str = attribute.key.as_ref();
            if key == "xmlns" || key.starts_with("xmlns:") {
                continue;
            }
            let mark = self.name(local(key))?;
            let value =
                attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
            let value = self.keep(&value)?;
            self.attributes.push((mark, value));
        }
        let attributes = Range(from, number(self.attributes.len())?);
        self.elements.push(Element { name, attributes, ..Element::default() });
        if let Some((parent, _)) = self.open.last() {
            let parent = *parent as usize;
            match self.elements[parent].last_child.replace(id) {
                Some(last) => self.elements[last as usize].next = Some(id),
                None => self.elements[parent].first_child = Some(id),
            }
        }
        self.open.push((id, String::new()));
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some((id, text)) = self.open.pop() else { return Err("an element ends that did not begin".into()) };
        let text = self.keep(text.trim())?;
        self.elements[id as usize].text = text;
        Ok(())
    }

    fn add(&mut self, part: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some((_, text)) => text.push_str(part),
            None if part.trim().is_empty() || part == "\u{feff}" => {}
            None => return Err("there is text outside of the root element".into()),
        }
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<u32, String> {
        if let Some(id) = self.known.get(name) {
            return Ok(*id);
        }
        let id = number(self.names.len())?;
        self.names.push(name.to_owned());
        self.known.insert(name.to_owned(), id);
        Ok(id)
    }

    fn keep(&mut self, text: &str) -> Result<Range, String> {
        let from = number(self.text.len())?;
        self.text.push_str(text);
        Ok(Range(from, number(self.text.len())?))
    }

    fn text(&self, range: Range) -> &str {
        self.text.get(range.0 as usize..range.1 as usize).unwrap_or("")
    }

    fn write(&self) -> Result<String, PageError> {
        let mut out = Vec::with_capacity(self.text.len() * 2);
        self.element(0, &mut out)?;
        String::from_utf8(out).map_err(|error| PageError::Failed(error.to_string()))
    }

    /// Nests no deeper than the document does.
    fn element(&self, id: u32, out: &mut Vec<u8>) -> Result<(), PageError> {
        let element = &self.elements[id as usize];
        out.push(b'{');
        let mut first = true;
        let mut member = |name: &str, into: &mut Vec<u8>| {
            if !std::mem::replace(&mut first, false) {
                into.push(b',');
            }
            write_text(into, name);
            into.push(b':');
        };
        let mut seen = Vec::new();
        for (name, value) in &self.attributes[element.attributes.0 as usize..element.attributes.1 as usize] {
            // Two prefixes of one name: the first counts.
            if !seen.contains(name) {
                seen.push(*name);
                member(&format!("@{}", self.names[*name as usize]), out);
                write_text(out, self.text(*value));
            }
        }
        if !self.text(element.text).is_empty() {
            member("#text", out);
            write_text(out, self.text(element.text));
        }
        for (name, children) in self.children(element) {
            member(&self.names[name as usize], out);
            out.push(b'[');
            for (index, child) in children.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                self.element(*child, out)?;
            }
            out.push(b']');
        }
        out.push(b'}');
        self.room.check(out.len())
    }

    /// Children by name, in the order in which names first appear.
    fn children(&self, element: &Element) -> Vec<(u32, Vec<u32>)> {
        let mut groups: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut places: HashMap<u32, usize> = HashMap::new();
        let mut next = element.first_child;
        while let Some(id) = next {
            let child = &self.elements[id as usize];
            let place = *places.entry(child.name).or_insert_with(|| {
                groups.push((child.name, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(id);
            next = child.next;
        }
        groups
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> String {
        match to_json(text, Room::default()) {
            Ok(json) => json,
            Err(PageError::Broken(message) | PageError::Failed(message)) => message,
            Err(PageError::TooLarge) => "too large".into(),
        }
    }

    #[test]
    fn elements_are_lists_and_attributes_are_marked() {
        let text = "<?xml version=\"1.0\"?><!DOCTYPE rss><a:r xmlns:a='u' a:v='1 &lt; 2'>\n<!-- c --><b>x &amp; &#233;</b>\n<c/><b><![CDATA[<y>]]></b></a:r>";
        assert_eq!(json(text), r##"{"@v":"1 < 2","b":[{"#text":"x & é"},{"#text":"<y>"}],"c":[{}]}"##);
    }

    #[test]
    fn what_is_broken_or_dangerous_is_refused() {
        for (text, expected) in [
            ("<a><b></a>", "the answer is not XML"),
            ("<a>", "the answer is not XML: it ends too early"),
            ("", "the answer is not XML: it ends too early"),
            ("<a>&x;</a>", "the answer is not XML: the entity \"x\" is not known"),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "the answer is not XML: a document type with definitions"),
            ("<a/><b/>", "the answer is not XML: there is a second root element"),
            ("<!doctype html><html></html>", "expected XML, the answer is a page"),
        ] {
            assert!(json(text).starts_with(expected), "{text}: {}", json(text));
        }
        assert!(json(&"<a>".repeat(100)).contains("deeper than 60"));
    }

    #[test]
    fn elements_attributes_and_text_take_no_more_memory_than_there_is_room() {
        for part in ["<b/>", "<b x='1'/>", "<b>text</b>"] {
            let text = format!("<a>{}</a>", part.repeat(100));
            assert!(to_json(&text, Room::exactly(20_000)).is_ok(), "{part}");
            let Err(PageError::Failed(message)) = to_json(&text, Room::exactly(2_000)) else { panic!("{part}") };
            assert!(message.contains("raise limits.max_bytes"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), shaped in "(<[ab/!?]{1,2}( a='[&;x]{0,3}')?>|[x&;#1]{0,4}){0,12}") {
            for text in [&text, &shaped] {
                if let Ok(json) = to_json(text, Room::default()) {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", json);
                }
            }
        }
    }
}

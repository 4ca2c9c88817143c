//! A reply as a tree, bounded in depth, elements and text. It has no attributes that matter.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

/// Deepest element; replies have 8 levels.
const DEEPEST: usize = 32;
/// Most elements of a reply; a large one has some thousands.
const MOST_ELEMENTS: usize = 50_000;
/// Most bytes of text in one element; more is cut off.
const MOST_TEXT: usize = 4096;

/// Why a reply is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("it is no XML ({0})")]
    Malformed(String),
    #[error("it ends in the middle")]
    Truncated,
    #[error("it is nested deeper than {DEEPEST} levels")]
    TooDeep,
    #[error("it has more than {MOST_ELEMENTS} elements")]
    TooMany,
    #[error("it declares a document type, which no reply does")]
    DocumentType,
}

/// One element.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// The first child of a name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.all(name).next()
    }

    /// All children of a name: a list of one looks as a single value does.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The element below, by the names on the way.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter()
            .try_fold(self, |element, name| element.child(name))
    }

    /// What stands in a child; an empty one says as much as none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.child(name)
            .map(|child| child.text.as_str())
            .filter(|text| !text.is_empty())
    }

    fn push_text(&mut self, text: &str) {
        // the space before a CDATA section is none of its text
        let text = if self.text.is_empty() {
            text.trim_start()
        } else {
            text
        };
        let mut end = text.len().min(MOST_TEXT.saturating_sub(self.text.len()));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.push_str(text.get(..end).unwrap_or_default());
    }
}

/// Reads the one element of a document.
///
/// # Errors
/// It is no XML, or more of it than a reply can be.
pub(super) fn parse(text: &str) -> Result<Element, Invalid> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.allow_dangling_amp = true;
    let mut open: Vec<Element> = Vec::new();
    let mut elements = 0;
    loop {
        let event = reader
            .read_event()
            .map_err(|e| Invalid::Malformed(e.to_string()))?;
        match event {
            Event::Start(start) => {
                elements += 1;
                if elements > MOST_ELEMENTS {
                    return Err(Invalid::TooMany);
                }
                if open.len() >= DEEPEST {
                    return Err(Invalid::TooDeep);
                }
                open.push(Element {
                    name: start.name().into_inner().to_owned(),
                    ..Element::default()
                });
            }
            Event::End(_) => {
                let mut done = open.pop().ok_or(Invalid::Truncated)?;
                done.text.truncate(done.text.trim_end().len());
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Ok(done),
                }
            }
            Event::Text(text) => push(&mut open, &text.into_inner()),
            Event::CData(text) => push(&mut open, &text.into_inner()),
            Event::GeneralRef(reference) => {
                if let Ok(Some(c)) = reference.resolve_char_ref() {
                    push(&mut open, c.encode_utf8(&mut [0; 4]));
                } else if let Some(text) = resolve_predefined_entity(&reference) {
                    push(&mut open, text);
                }
            }
            Event::DocType(_) => return Err(Invalid::DocumentType),
            Event::Eof => return Err(Invalid::Truncated),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.push_text(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_in_sections_references_and_with_space_around() {
        let read = parse(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<!-- a remark --><QDocRoot version=\"1.0\">\n<a> <![CDATA[ 1 < 2 ]]>\n</a>\
             <b>US &amp; Canada&#33;</b><c/><d><e>1</e></d><e>x</e><e>y & z</e></QDocRoot>\n",
        )
        .unwrap();
        assert_eq!(read.name, "QDocRoot");
        assert_eq!(read.text("a"), Some("1 < 2"));
        assert_eq!(read.text("b"), Some("US & Canada!"));
        assert_eq!(read.text("c"), None);
        assert_eq!(read.text("nothing"), None);
        assert_eq!(read.at(&["d"]).unwrap().text("e"), Some("1"));
        assert_eq!(read.at(&["d", "e", "f"]), None);
        assert_eq!(read.all("e").count(), 2);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for (text, why) in [
            ("", Invalid::Truncated),
            ("no XML at all", Invalid::Truncated),
            ("<a><b>1</b>", Invalid::Truncated),
            ("<a><b>", Invalid::Truncated),
            (
                "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><a>&b;</a>",
                Invalid::DocumentType,
            ),
            (&"<a>".repeat(100_000), Invalid::TooDeep),
            (
                &format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS)),
                Invalid::TooMany,
            ),
        ] {
            let shown: String = text.chars().take(40).collect();
            assert_eq!(parse(text), Err(why), "{shown}");
        }
        for text in ["<a></b>", "<a><b></a></b>", "<a", "<![CDATA[", "</a>"] {
            assert!(matches!(parse(text), Err(Invalid::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn an_entity_that_is_not_of_xml_is_left_out() {
        let read = parse("<a><b>1&lol;2&#xD800;3&#0;4</b></a>").unwrap();
        assert_eq!(read.text("b"), Some("1234"));
    }

    #[test]
    fn text_is_cut_at_its_bound() {
        let read = parse(&format!("<a><b>{}</b></a>", "ü".repeat(MOST_TEXT))).unwrap();
        assert_eq!(read.text("b").unwrap().len(), MOST_TEXT);
        let read = parse(&format!("<a><b>x{}</b></a>", "&amp;".repeat(MOST_TEXT * 2))).unwrap();
        assert_eq!(read.text("b").unwrap().len(), MOST_TEXT);
    }
}

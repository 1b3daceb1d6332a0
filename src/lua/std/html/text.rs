//! Texts: escaped, unescaped, and as one reads them on a page.

use std::cell::RefCell;

use ego_tree::iter::Edge;
use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::{RawKind, State};
use html5ever::tokenizer::{Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use scraper::{ElementRef, Node};

/// For texts and for attributes in quotes of either kind.
pub(super) fn escape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    for byte in text {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            other => out.push(*other),
        }
    }
    out
}

/// The longest name is `&CounterClockwiseContourIntegral;`; numbers with zeros in front are cut there too.
const LONGEST_REFERENCE: usize = 40;

/// `&eacute;`, `&#233;` and `&#xe9;` to `é`, as in a text of a page; what is no reference stays.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'&') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
        let name = rest[1..].iter().take(LONGEST_REFERENCE).take_while(|byte| inside(byte)).count();
        let end = 1 + name + usize::from(rest.get(1 + name) == Some(&b';'));
        let reference = String::from_utf8_lossy(&rest[..end]);
        out.extend_from_slice(if name == 0 { &rest[..end] } else { &[] });
        if name > 0 {
            out.extend_from_slice(resolved(&reference).as_bytes());
        }
        rest = &rest[end..];
    }
    out.extend_from_slice(rest);
    out
}

/// Collects the text.
#[derive(Default)]
struct Texts(RefCell<String>);

impl TokenSink for Texts {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        if let Token::CharacterTokens(text) = token {
            self.0.borrow_mut().push_str(&text);
        }
        TokenSinkResult::Continue
    }
}

/// The parser knows the names.
fn resolved(reference: &str) -> String {
    let options =
        TokenizerOpts { initial_state: Some(State::RawData(RawKind::Rcdata)), ..TokenizerOpts::default() };
    let tokenizer = Tokenizer::new(Texts::default(), options);
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(reference));
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.0.take()
}

/// What is not shown.
const HIDDEN: [&str; 6] = ["head", "script", "style", "template", "noscript", "svg"];
/// What begins and ends with a new line.
const BLOCKS: [&str; 22] = [
    "address",
    "article",
    "aside",
    "body",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "nav",
    "option",
    "section",
    "tr",
];
/// What has an empty line around it.
const PARAGRAPHS: [&str; 11] = ["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "table", "ul"];

/// The text of an element as one reads it: a line for each block, blanks folded, no scripts.
pub(super) fn readable(element: ElementRef<'_>) -> String {
    let mut writer = Writer::default();
    let mut skip: Option<ego_tree::NodeId> = None;
    let mut kept = 0usize;
    for edge in element.traverse() {
        match edge {
            Edge::Open(node) => match node.value() {
                _ if skip.is_some() => {}
                Node::Text(text) if kept > 0 => writer.keep(text),
                Node::Text(text) => writer.fold(text),
                Node::Element(value) if HIDDEN.contains(&value.name()) => skip = Some(node.id()),
                Node::Element(value) => {
                    kept += usize::from(is_kept(value.name()));
                    writer.boundary(value.name());
                }
                _ => {}
            },
            Edge::Close(node) if skip == Some(node.id()) => skip = None,
            Edge::Close(node) => {
                if let (None, Node::Element(value)) = (skip, node.value()) {
                    kept -= usize::from(is_kept(value.name()));
                    // A `<br>` is one line end, not two.
                    if value.name() != "br" {
                        writer.boundary(value.name());
                    }
                }
            }
        }
    }
    writer.text
}

fn is_kept(name: &str) -> bool {
    matches!(name, "pre" | "textarea")
}

#[derive(Default)]
struct Writer {
    text: String,
    /// Line ends that come before the next word.
    lines: usize,
    blank: bool,
}

impl Writer {
    fn boundary(&mut self, name: &str) {
        let lines = if PARAGRAPHS.contains(&name) || is_kept(name) {
            2
        } else if BLOCKS.contains(&name) {
            1
        } else {
            self.blank |= matches!(name, "td" | "th");
            return;
        };
        // Each `<br>` counts, blocks share their line ends.
        self.lines = if name == "br" { self.lines + 1 } else { self.lines.max(lines) };
    }

    fn separate(&mut self) {
        if self.text.is_empty() {
            // Nothing before the first word.
        } else if self.lines > 0 {
            self.text.extend(std::iter::repeat_n('\n', self.lines.min(2)));
        } else if self.blank {
            self.text.push(' ');
        }
        (self.lines, self.blank) = (0, false);
    }

    fn fold(&mut self, text: &str) {
        let mut words = text.split_whitespace().peekable();
        if words.peek().is_none() || text.starts_with(char::is_whitespace) {
            self.blank |= !text.is_empty();
        }
        while let Some(word) = words.next() {
            self.separate();
            self.text.push_str(word);
            self.blank = words.peek().is_some() || text.ends_with(char::is_whitespace);
        }
    }

    fn keep(&mut self, text: &str) {
        if !text.is_empty() {
            self.separate();
            self.text.push_str(text.trim_end_matches('\n'));
            self.lines = text.len() - text.trim_end_matches('\n').len();
        }
    }
}

//! From text to tree, within limits: the sink of the parser counts what it is given, and between two pieces of the text
//! it is asked whether that was too much.

use std::borrow::Cow;
use std::cell::{Cell, Ref};

use ego_tree::NodeId;
use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::{StrTendril, TendrilSink as _};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeBuilderOpts, TreeSink};
use html5ever::{Attribute, QualName};
use scraper::{Html, HtmlTreeSink, Node};

use super::limits::{Limits, check_attributes, too_large};
use crate::lua::error::LibError;

/// Bytes between two looks. One tag can make as many elements as there are open ones (`<p>` behind a thousand open
/// `<font>`), so a look too late costs.
const PIECE: usize = 1024;

/// A place in the tree: five links of a word each, and the node.
const NODE: usize = 40 + size_of::<Node>();
const ATTRIBUTE: usize = size_of::<(QualName, StrTendril)>();

/// The tree, and about how many bytes it holds.
///
/// # Errors
/// `too_large` with the limit that it goes over; `memory` when it needs more than `room` bytes.
pub(super) fn parse(text: &str, limits: &Limits, room: usize) -> Result<(Html, usize), LibError> {
    if text.len() > 64 << 10 {
        check_attributes(text)?;
    }
    let sink = Sink {
        inner: HtmlTreeSink::new(Html::new_document()),
        most_nodes: limits.nodes,
        most_depth: limits.depth,
        nodes: Cell::new(0),
        attributes: Cell::new(0),
        deepest: Cell::new(0),
        last: Cell::new(None),
    };
    // Without scripts, what is in `<noscript>` is part of the page.
    let options = ParseOpts {
        tree_builder: TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() },
        ..ParseOpts::default()
    };
    let mut parser = parse_document(sink, options);
    let check = |sink: &Sink| sink.check(text.len(), limits, room);
    let whole = StrTendril::from_slice(text);
    let mut at = 0;
    while at < text.len() {
        let end = text.ceil_char_boundary(at + PIECE);
        // Both are below 2^30: `Limits` sees to it.
        parser.process(whole.subtendril(at as u32, (end - at) as u32));
        check(&parser.tokenizer.sink.sink)?;
        at = end;
    }
    let cost = parser.tokenizer.sink.sink.cost(text.len());
    Ok((parser.finish(), cost))
}

struct Sink {
    inner: HtmlTreeSink,
    most_nodes: usize,
    most_depth: usize,
    nodes: Cell<usize>,
    attributes: Cell<usize>,
    deepest: Cell<usize>,
    /// The last node that was added, its parent, and how deep it lies: the next one is near.
    last: Cell<Option<(NodeId, NodeId, usize)>>,
}

impl Sink {
    fn check(&self, size: usize, limits: &Limits, room: usize) -> Result<(), LibError> {
        if self.deepest.get() > limits.depth {
            return Err(too_large(format!(
                "the document has elements in more than {} others (`max_depth`)",
                limits.depth
            )));
        }
        if self.is_full() {
            return Err(too_large(format!(
                "the document has more than {} nodes (`max_nodes`)",
                limits.nodes
            )));
        }
        if self.cost(size) > room {
            return Err(LibError::new("memory", "not enough memory for the document"));
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.nodes.get() + self.attributes.get() / 2 > self.most_nodes
    }

    fn cost(&self, size: usize) -> usize {
        // A vector grows to the next power of two.
        self.nodes.get().next_power_of_two() * NODE + self.attributes.get() * ATTRIBUTE + size
    }

    fn count(&self) {
        self.nodes.set(self.nodes.get() + 1);
    }

    /// Notes how deep a child of `parent` lies.
    fn measure(&self, child: NodeId, parent: NodeId) {
        let depth = match self.last.get() {
            Some((_, same, depth)) if same == parent => depth,
            Some((above, _, depth)) if above == parent => depth + 1,
            _ => {
                let html = self.inner.0.borrow();
                let most = self.most_depth + 2;
                html.tree.get(parent).map_or(0, |node| node.ancestors().take(most).count())
            }
        };
        self.last.set(Some((child, parent, depth)));
        if depth > self.deepest.get() {
            self.deepest.set(depth);
        }
    }

    fn added(&self, child: &NodeOrText<NodeId>, parent: Option<NodeId>) {
        match child {
            NodeOrText::AppendText(_) => self.count(),
            NodeOrText::AppendNode(child) => {
                if let Some(parent) = parent {
                    self.measure(*child, parent);
                }
            }
        }
    }

    fn parent_of(&self, node: NodeId) -> Option<NodeId> {
        Some(self.inner.0.borrow().tree.get(node)?.parent()?.id())
    }
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = Html;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Html {
        self.inner.finish()
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> NodeId {
        self.inner.get_document()
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Ref<'a, QualName> {
        self.inner.elem_name(target)
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> NodeId {
        self.count();
        self.attributes.set(self.attributes.get() + attributes.len());
        // It will be refused; until the end of the piece it need not grow by what one tag repeats.
        let attributes = if self.is_full() { Vec::new() } else { attributes };
        self.inner.create_element(name, attributes, flags)
    }

    fn create_comment(&self, text: StrTendril) -> NodeId {
        self.count();
        self.inner.create_comment(text)
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> NodeId {
        self.count();
        self.inner.create_pi(target, data)
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        self.added(&child, Some(*parent));
        self.inner.append(parent, child);
    }

    fn append_based_on_parent_node(&self, element: &NodeId, before: &NodeId, child: NodeOrText<NodeId>) {
        self.added(&child, self.parent_of(*element).or(Some(*before)));
        self.inner.append_based_on_parent_node(element, before, child);
    }

    fn append_doctype_to_document(&self, name: StrTendril, public: StrTendril, system: StrTendril) {
        self.count();
        self.inner.append_doctype_to_document(name, public, system);
    }

    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        self.inner.get_template_contents(target)
    }

    fn same_node(&self, one: &NodeId, other: &NodeId) -> bool {
        one == other
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.inner.set_quirks_mode(mode);
    }

    fn append_before_sibling(&self, sibling: &NodeId, child: NodeOrText<NodeId>) {
        self.added(&child, self.parent_of(*sibling));
        self.inner.append_before_sibling(sibling, child);
    }

    fn add_attrs_if_missing(&self, target: &NodeId, attributes: Vec<Attribute>) {
        self.attributes.set(self.attributes.get() + attributes.len());
        self.inner.add_attrs_if_missing(target, attributes);
    }

    fn remove_from_parent(&self, target: &NodeId) {
        self.last.set(None);
        self.inner.remove_from_parent(target);
    }

    fn reparent_children(&self, node: &NodeId, parent: &NodeId) {
        self.last.set(None);
        self.inner.reparent_children(node, parent);
    }
}

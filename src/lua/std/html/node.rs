//! Elements of a document, as scripts hold them.

use std::rc::Rc;

use ::url::Url;
use ego_tree::NodeId;
use mlua::{Lua, LuaString, Table, UserDataFields as _, UserDataRef, Value};
use scraper::{ElementRef, Html};

use super::{NodeAndOptions, links, list, meta, query, resolve, rows, xpath};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, object};
use crate::lua::options::Options;
use crate::lua::outside::Charge;

/// A page; it lives as long as one of its elements is held.
pub(super) struct Document {
    html: Html,
    /// What references of the page are relative to.
    pub base: Option<Url>,
    _charge: Charge,
}

impl Document {
    /// `base` is where the page comes from; its own `<base href>` wins.
    pub fn new(html: Html, base: Option<Url>, charge: Charge) -> Self {
        let own =
            html.tree.nodes().filter_map(ElementRef::wrap).find_map(|element| {
                (element.value().name() == "base").then(|| element.attr("href")).flatten()
            });
        let base = own.and_then(|href| resolve(base.as_ref(), href)).or(base);
        Self { html, base, _charge: charge }
    }
}

/// One element.
#[derive(Clone)]
pub(super) struct Node {
    pub document: Rc<Document>,
    id: NodeId,
}

impl Node {
    /// The root element; the parser makes one of any text.
    ///
    /// # Errors
    /// When it did not.
    pub fn root(document: Rc<Document>) -> Result<Self, LibError> {
        let root = document.html.tree.root().children().find(|child| child.value().is_element());
        let id = root.map(|root| root.id()).ok_or_else(|| LibError::parse("the document has no element"))?;
        Ok(Self { document, id })
    }

    /// Another element of the same document.
    pub fn beside(&self, id: NodeId) -> Self {
        Self { document: Rc::clone(&self.document), id }
    }

    /// The element itself.
    ///
    /// # Errors
    /// Never: its place was an element when it was made, and documents do not change.
    pub fn element(&self) -> Result<ElementRef<'_>, LibError> {
        let node = self.document.html.tree.get(self.id).and_then(ElementRef::wrap);
        node.ok_or_else(|| LibError::invalid("the element is no longer there"))
    }

    fn is_root(&self) -> bool {
        let tree = &self.document.html.tree;
        tree.get(self.id).and_then(|node| node.parent()).is_some_and(|parent| parent.id() == tree.root().id())
    }
}

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "html.Node")
        .method("css(selector)", |lua, (node, selector): (UserDataRef<Node>, LuaString)| {
            list::select(lua, &node, &selector)
        })
        .method("xpath(path)", |_, (_, path): (UserDataRef<Node>, LuaString)| -> Result<(), LibError> {
            Err(xpath::refused(&path.to_string_lossy()))
        })
        .method("text(options)", |_, (node, options): NodeAndOptions| {
            let mut options = Options::new(options);
            let trim = options.bool("trim")?.unwrap_or(false);
            options.finish()?;
            let text: String = node.element()?.text().collect();
            Ok(if trim { text.trim().to_owned() } else { text })
        })
        .method("attr(name)", |lua, (node, name): (UserDataRef<Node>, LuaString)| {
            let name = name.to_string_lossy().to_ascii_lowercase();
            match query::attribute(node.element()?, &name) {
                Some(value) => Ok(Value::String(lua.create_string(value)?)),
                None => Ok(Value::Nil),
            }
        })
        .method("html(options)", |_, (node, options): NodeAndOptions| {
            let mut options = Options::new(options);
            let inner = options.bool("inner")?.unwrap_or(false);
            options.finish()?;
            markup(&node, inner)
        })
        .method("parent()", |lua, node: UserDataRef<Node>| {
            let parent = node.element()?.ancestors().find_map(ElementRef::wrap);
            Ok(match parent {
                Some(parent) => Value::UserData(object(lua, node.beside(parent.id()))?),
                None => Value::Nil,
            })
        })
        .method("children()", |lua, node: UserDataRef<Node>| {
            list::of_elements(lua, &node, node.element()?.child_elements().map(|child| child.id()))
        })
        .method("links(options)", |lua, (node, options): NodeAndOptions| links::links(lua, &node, options))
        .method("meta()", |lua, node: UserDataRef<Node>| meta::meta(lua, &node))
        .method(
            "table(selector, options)",
            |lua, (node, selector, options): (UserDataRef<Node>, LuaString, Option<Table>)| {
                rows::table(lua, &node, &selector, options)
            },
        )
        .userdata_and::<Node>(|registry| {
            registry.add_field_method_get("tag", |lua, node| {
                let element = node.element().map_err(mlua::Error::external)?;
                lua.create_string(element.value().name())
            });
        })
}

/// The text of an element as HTML; of the root, with what stands before it.
pub(super) fn markup(node: &Node, inner: bool) -> Result<String, LibError> {
    let element = node.element()?;
    Ok(match inner {
        true => element.inner_html(),
        false if node.is_root() => node.document.html.html(),
        false => element.html(),
    })
}

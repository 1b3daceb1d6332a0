//! `node:meta`: what a page says about itself.

use mlua::{Lua, Table};
use scraper::ElementRef;

use super::node::Node;
use super::resolve;
use crate::lua::error::LibError;
use crate::lua::std::json;

/// `title`, `lang`, `canonical`, `description` and the other names of `<meta>` in `names`, `og` and `twitter` without their
/// prefixes, `feeds`, `json_ld` (decoded; what is no JSON is told in `json_ld_errors`). Of several the first counts.
pub(super) fn meta(lua: &Lua, node: &Node) -> Result<Table, LibError> {
    let about = lua.create_table()?;
    let page = Page {
        lua,
        node,
        names: lua.create_table()?,
        og: lua.create_table()?,
        twitter: lua.create_table()?,
        feeds: lua.create_table()?,
        json_ld: lua.create_table()?,
        errors: lua.create_table()?,
        about: about.clone(),
    };
    for element in node.element()?.descendent_elements() {
        page.read(element)?;
    }
    about.raw_set("description", page.names.raw_get::<Option<String>>("description")?)?;
    for (name, table) in [
        ("names", page.names),
        ("og", page.og),
        ("twitter", page.twitter),
        ("feeds", page.feeds),
        ("json_ld", page.json_ld),
    ] {
        about.raw_set(name, table)?;
    }
    if page.errors.raw_len() > 0 {
        about.raw_set("json_ld_errors", page.errors)?;
    }
    Ok(about)
}

struct Page<'a> {
    lua: &'a Lua,
    node: &'a Node,
    about: Table,
    names: Table,
    og: Table,
    twitter: Table,
    feeds: Table,
    json_ld: Table,
    errors: Table,
}

impl Page<'_> {
    fn read(&self, element: ElementRef<'_>) -> Result<(), LibError> {
        match element.value().name() {
            "html" => first(&self.about, "lang", element.attr("lang")),
            // A drawing has titles too.
            "title" if element.value().name.ns == html5ever::ns!(html) => {
                let text: String = element.text().collect();
                first(&self.about, "title", Some(&folded(&text)))
            }
            "meta" => self.named(element),
            "link" => self.link(element),
            "script" => self.data(element),
            _ => Ok(()),
        }
    }

    fn named(&self, element: ElementRef<'_>) -> Result<(), LibError> {
        let Some(name) = element.attr("property").or_else(|| element.attr("name")) else {
            return Ok(());
        };
        let name = name.trim().to_ascii_lowercase();
        let value = element.attr("content");
        match name.split_once(':') {
            Some(("og", rest)) => first(&self.og, rest, value),
            Some(("twitter", rest)) => first(&self.twitter, rest, value),
            _ => first(&self.names, &name, value),
        }
    }

    fn link(&self, element: ElementRef<'_>) -> Result<(), LibError> {
        let rel = element.attr("rel").unwrap_or_default().to_ascii_lowercase();
        let has = |word: &str| rel.split_ascii_whitespace().any(|one| one == word);
        let Some(href) = element.attr("href").map(str::trim).filter(|href| !href.is_empty()) else {
            return Ok(());
        };
        let whole =
            resolve(self.node.document.base.as_ref(), href).map_or_else(|| href.to_owned(), String::from);
        if has("canonical") {
            first(&self.about, "canonical", Some(&whole))?;
        }
        let kind = element.attr("type").unwrap_or_default().to_ascii_lowercase();
        let feed = ["application/rss+xml", "application/atom+xml", "application/feed+json"];
        if has("alternate") && feed.contains(&kind.trim()) {
            self.feeds.raw_push(whole)?;
        }
        Ok(())
    }

    fn data(&self, element: ElementRef<'_>) -> Result<(), LibError> {
        let kind = element.attr("type").unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/ld+json") {
            return Ok(());
        }
        let text: String = element.text().collect();
        match json::decode(self.lua, text.as_bytes()) {
            Ok(value) => Ok(self.json_ld.raw_push(value)?),
            Err(error) if error.code() == "parse" => Ok(self.errors.raw_push(error.message())?),
            Err(error) => Err(error),
        }
    }
}

fn first(table: &Table, name: &str, value: Option<&str>) -> Result<(), LibError> {
    if let Some(value) = value
        && !table.contains_key(name)?
    {
        table.raw_set(name, value)?;
    }
    Ok(())
}

/// Without blanks at its ends, and with single ones inside.
pub(super) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

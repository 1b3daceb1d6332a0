//! `node:links`: where a page leads to.

use std::collections::HashSet;

use ::url::{Host, Url};
use mlua::{Lua, Table};
use scraper::ElementRef;

use super::node::Node;
use super::resolve;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::url;

/// The addresses of all `<a>` and `<area>`, each once, in order. `absolute` (the default) gives whole addresses of
/// `http` and `https` without their fragments; else they are as the page writes them. `same_site` leaves out other sites.
pub(super) fn links(lua: &Lua, node: &Node, options: Option<Table>) -> Result<Table, LibError> {
    let mut options = Options::new(options);
    let absolute = options.bool("absolute")?.unwrap_or(true);
    let same_site = options.bool("same_site")?.unwrap_or(false);
    options.finish()?;
    let base = node.document.base.as_ref();
    if base.is_none() && (absolute || same_site) {
        return Err(LibError::invalid(
            "the document has no address that its links are relative to: give `base` to `html.parse`, or \
             ask for `absolute = false`",
        ));
    }
    let site = base.filter(|_| same_site).map(Site::of);
    let list = lua.create_table()?;
    let mut seen = HashSet::new();
    for element in node.element()?.descendent_elements() {
        let Some(written) = written(element) else {
            continue;
        };
        let whole = resolve(base, written).filter(|whole| matches!(whole.scheme(), "http" | "https"));
        if site.as_ref().is_some_and(|site| whole.as_ref().map(Site::of).as_ref() != Some(site)) {
            continue;
        }
        let link = match (absolute, whole) {
            (false, _) => written.to_owned(),
            (true, Some(mut whole)) => {
                whole.set_fragment(None);
                whole.into()
            }
            (true, None) => continue,
        };
        if !seen.contains(&link) {
            list.raw_push(link.as_str())?;
            seen.insert(link);
        }
    }
    Ok(list)
}

/// The `href` of a link that leads away from its place on the page.
fn written(element: ElementRef<'_>) -> Option<&str> {
    let link = matches!(element.value().name(), "a" | "area");
    let href = link.then(|| element.attr("href")).flatten()?.trim_matches(|c: char| c.is_ascii_whitespace());
    (!href.is_empty() && !href.starts_with('#')).then_some(href)
}

/// Who an address belongs to: the registrable domain, or the host where there is none.
#[derive(PartialEq)]
enum Site {
    Domain(String),
    Host(Option<Host<String>>),
}

impl Site {
    fn of(address: &Url) -> Self {
        match url::registrable(address) {
            Some(domain) => Self::Domain(domain),
            None => Self::Host(address.host().map(|host| host.to_owned())),
        }
    }
}

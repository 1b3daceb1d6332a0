//! `mpms.robots`: what robots.txt of a site says (RFC 9309). It is fetched when first asked for, as `http.get` does it, and
//! read at most once a day in each thread.

use std::rc::Rc;

use mlua::{Lua, LuaString, Table};

use super::{http, url};
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;

type Call = (LuaString, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.robots")
        .waiting("allowed(url, options)", |_, (address, options): Call| {
            let asked = Asked::read(&address, options);
            async move {
                let asked = asked?;
                Ok(asked.rules().await?.is_url_allowed(&asked.url))
            }
        })
        .waiting("delay(url, options)", |_, (address, options): Call| {
            let asked = Asked::read(&address, options);
            async move { Ok(asked?.rules().await?.crawl_delay().map(|delay| delay.as_secs_f64())) }
        })
        .waiting("sitemaps(url, options)", |lua, (address, options): Call| {
            let lua = lua.clone();
            let asked = Asked::read(&address, options);
            async move {
                let rules = asked?.rules().await?;
                Ok(lua.create_sequence_from(rules.sitemaps().iter().map(|sitemap| sitemap.as_str()))?)
            }
        })
        .build()
}

struct Asked {
    url: ::url::Url,
    /// The name of the crawler; mpms itself without.
    agent: Option<String>,
}

impl Asked {
    fn read(address: &LuaString, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let agent = options.string("agent")?;
        options.finish()?;
        let url = url::parse(address)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(LibError::invalid("only addresses of http and https have a robots.txt").url(url));
        }
        if agent.as_deref().is_some_and(|agent| agent.trim().is_empty()) {
            return Err(LibError::invalid("option `agent` is empty"));
        }
        Ok(Self { url, agent })
    }

    async fn rules(&self) -> Result<Rc<robotxt::Robots>, LibError> {
        http::robots::rules_of(self.url.as_str(), self.agent.as_deref()).await
    }
}

#[cfg(test)]
mod tests;

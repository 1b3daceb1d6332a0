//! Through whom requests go.

use mlua::Value;
use reqwest::{NoProxy, Proxy, Url};

use crate::lua::error::LibError;
use crate::lua::options::Options;

/// The option `proxy` of a client.
#[derive(Clone, Default)]
pub(super) enum Choice {
    /// As the environment says.
    #[default]
    Environment,
    /// None.
    Direct,
    /// This one, for every address.
    Named(Box<Proxy>),
}

const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

impl Choice {
    /// # Errors
    /// When it is not the address of a proxy.
    pub fn read(options: &mut Options) -> Result<Self, LibError> {
        match options.value("proxy")? {
            None | Some(Value::Boolean(true)) => Ok(Self::Environment),
            Some(Value::Boolean(false)) => Ok(Self::Direct),
            Some(Value::String(text)) => {
                let wrong = || {
                    let known = SCHEMES.join("://, ");
                    LibError::invalid(format!(
                        "option `proxy` must be an address that begins with {known}://"
                    ))
                };
                let address = text.to_str().map_err(|_| wrong())?.to_owned();
                let url = Url::parse(&address).map_err(|_| wrong())?;
                if !SCHEMES.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
                    return Err(wrong());
                }
                Ok(Self::Named(Box::new(Proxy::all(&address).map_err(|_| wrong())?)))
            }
            Some(_) => Err(LibError::invalid("option `proxy` must be an address or false")),
        }
    }

    /// In the order in which they are asked.
    ///
    /// # Errors
    /// When a variable of the environment is wrong.
    pub fn proxies(&self) -> Result<Vec<Proxy>, LibError> {
        match self {
            Self::Environment => environment(),
            Self::Direct => Ok(Vec::new()),
            Self::Named(proxy) => Ok(vec![(**proxy).clone()]),
        }
    }
}

type MakeProxy = fn(String) -> reqwest::Result<Proxy>;

/// The proxies of the environment, as curl reads it, but never for this machine itself.
fn environment() -> Result<Vec<Proxy>, LibError> {
    let variable = |name: &str| {
        let value = std::env::var(name).or_else(|_| std::env::var(name.to_uppercase()));
        value.ok().filter(|value| !value.trim().is_empty())
    };
    let own = "localhost,127.0.0.0/8,::1";
    let direct = variable("no_proxy").map_or_else(|| own.to_owned(), |more| format!("{own},{more}"));
    let makers: [(&str, MakeProxy); 3] =
        [("http_proxy", Proxy::http), ("https_proxy", Proxy::https), ("all_proxy", Proxy::all)];
    let mut proxies = Vec::new();
    for (name, make) in makers {
        let Some(address) = variable(name) else {
            continue;
        };
        let proxy = make(address).map_err(|_| {
            LibError::invalid(format!("the variable {name} does not hold the address of a proxy"))
        })?;
        proxies.push(proxy.no_proxy(NoProxy::from_string(&direct)));
    }
    Ok(proxies)
}

//! Addresses of names, looked up once a minute for all threads of the process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system does not tell how long an answer holds; short enough to follow a move.
const FRESH: Duration = Duration::from_secs(60);
/// Names that are remembered.
const MOST: usize = 10_000;

type Known = HashMap<String, (Instant, Vec<SocketAddr>)>;

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// The system's resolver behind the memory of the process. Failures are not remembered.
pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            if let Some(found) = known(&name) {
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() == MOST {
                known.clear();
            }
            known.insert(name, (Instant::now(), found.clone()));
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn known(name: &str) -> Option<Vec<SocketAddr>> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let (read, found) = known.get(name)?;
    (read.elapsed() < FRESH).then(|| found.clone())
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Names, known};
    use reqwest::dns::Resolve as _;

    #[test]
    fn a_name_is_looked_up_once() {
        let look = |name: &str| {
            let found = Names.resolve(name.parse().expect("a name"));
            crate::lua::std::runtime::block_on(found).expect("not interrupted")
        };
        assert!(look("localhost").expect("every system has it").next().is_some());
        let address = "192.0.2.1:0".parse().expect("an address");
        KNOWN.lock().expect("whole").get_mut("localhost").expect("remembered").1 = vec![address];
        assert_eq!(look("localhost").expect("known").collect::<Vec<_>>(), [address]);
        KNOWN.lock().expect("whole").remove("localhost");
        assert!(look("no-such-host.invalid").is_err() && known("no-such-host.invalid").is_none());
    }
}

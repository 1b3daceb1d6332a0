//! `mpms.http` against programs that others wrote: nginx, forward proxies, and servers that do everything wrong.

mod hostile;
mod leaks;
mod nginx;
mod proxy;
mod scene;
mod tls;

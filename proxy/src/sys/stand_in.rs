//! Unix sockets among endpoints. Each has a stand-in address, so that an endpoint is as small as an address and is kept,
//! counted and ejected as any other; no name resolves to one, and no client can dial one.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, RwLock};

use crate::lock::unpoisoned;

/// The flow label of stand-ins. Addresses that come from the network, from DNS or from a configuration have none.
const MARK: u32 = u32::MAX;

/// The paths, in the order in which they were first met; the host part of a stand-in is a place in it.
static PATHS: RwLock<Vec<Arc<str>>> = RwLock::new(Vec::new());

/// The stand-in of a path; always the same for the same one.
pub fn of(path: &Arc<str>) -> SocketAddr {
    let mut paths = unpoisoned(PATHS.write());
    let place = paths.iter().position(|known| known == path);
    let place = place.unwrap_or_else(|| {
        paths.push(Arc::clone(path));
        paths.len() - 1
    });
    let ip = Ipv6Addr::from_bits(place as u128);
    SocketAddrV6::new(ip, 0, MARK, 0).into()
}

/// The path that an address stands for; `None` for those that are what they seem.
pub fn path(address: &SocketAddr) -> Option<Arc<str>> {
    match address {
        SocketAddr::V6(address) if address.flowinfo() == MARK => {
            let paths = unpoisoned(PATHS.read());
            let place = usize::try_from(address.ip().to_bits()).ok()?;
            paths.get(place).map(Arc::clone)
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => None,
    }
}

/// An address as people know it: a stand-in is shown as its path.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub SocketAddr);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match path(&self.0) {
            Some(path) => f.write_str(&path),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_leads_to_its_path_and_nothing_else_does() {
        let paths: [Arc<str>; 2] = ["/run/one".into(), "/run/other".into()];
        let [one, other] = [of(&paths[0]), of(&paths[1])];
        assert_ne!(one, other);
        assert_eq!(of(&paths[0]), one);
        assert_eq!(path(&one).as_deref(), Some("/run/one"));
        assert_eq!(Shown(other).to_string(), "/run/other");
        let bare = SocketAddr::new(one.ip(), one.port());
        assert_eq!(path(&bare), None);
        assert_eq!(Shown(bare).to_string(), bare.to_string());
    }
}

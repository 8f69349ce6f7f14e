//! How many clients the process serves at a time: their connections, those of each source, and their requests in flight.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::failure::ClientLimit;
use crate::life::memory;
use crate::lock::lock;

/// How many there may be of each; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientBounds {
    /// Connections of clients.
    pub connections: Option<usize>,
    /// Connections of clients at one address.
    pub connections_per_source: Option<usize>,
    /// Requests from their heads to the ends of their responses.
    pub requests: Option<usize>,
}

/// Admits clients. Shared by all workers.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: ClientBounds,
    connections: AtomicUsize,
    requests: AtomicUsize,
    /// Empty where no limit of sources is set.
    sources: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that was admitted. It counts as long as this lives.
#[derive(Debug)]
pub struct AdmittedConnection {
    admission: Admission,
    source: IpAddr,
}

/// A request that was admitted. It counts as long as this lives.
#[derive(Debug)]
pub struct AdmittedRequest(Rc<Admission>);

impl Admission {
    /// Admits so many.
    pub fn new(bounds: ClientBounds) -> Self {
        Self(Arc::new(Inner {
            bounds,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            sources: Mutex::default(),
        }))
    }

    /// Admits a connection from this address. Where there are too many in all, `make_room` may begin to end another one,
    /// and returns whether it did.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn connection(
        &self,
        source: IpAddr,
        make_room: impl FnOnce() -> bool,
    ) -> Result<AdmittedConnection, ClientLimit> {
        let Inner {
            bounds,
            connections,
            ..
        } = &*self.0;
        let before = connections.fetch_add(1, Ordering::Relaxed);
        let is_full = bounds.connections.is_some_and(|max| before >= max);
        if is_full && !make_room() {
            connections.fetch_sub(1, Ordering::Relaxed);
            return Err(ClientLimit::Connections);
        }
        if !self.add_source(source) {
            connections.fetch_sub(1, Ordering::Relaxed);
            return Err(ClientLimit::SourceConnections);
        }
        Ok(AdmittedConnection {
            admission: self.clone(),
            source,
        })
    }

    /// Admits a request.
    ///
    /// # Errors
    /// There are too many.
    pub fn request(self: &Rc<Self>) -> Result<AdmittedRequest, ClientLimit> {
        let Inner {
            bounds, requests, ..
        } = &*self.0;
        let before = requests.fetch_add(1, Ordering::Relaxed);
        if bounds.requests.is_some_and(|max| before >= max) {
            requests.fetch_sub(1, Ordering::Relaxed);
            return Err(ClientLimit::Requests);
        }
        Ok(AdmittedRequest(Rc::clone(self)))
    }

    /// How many more requests are admitted; `None` where there is no limit.
    pub fn requests_left(&self) -> Option<usize> {
        let under_way = self.0.requests.load(Ordering::Relaxed);
        let max = self.0.bounds.requests?;
        Some(max.saturating_sub(under_way))
    }

    fn add_source(&self, source: IpAddr) -> bool {
        let Some(max) = self.0.bounds.connections_per_source else {
            return true;
        };
        let mut sources = lock(&self.0.sources);
        let count = sources.entry(source).or_default();
        let room = *count < max;
        if room {
            *count += 1;
        } else if *count == 0 {
            sources.remove(&source);
        }
        room
    }
}

impl Drop for AdmittedConnection {
    fn drop(&mut self) {
        let Inner {
            bounds,
            connections,
            sources,
            ..
        } = &*self.admission.0;
        connections.fetch_sub(1, Ordering::Relaxed);
        memory::connection_ended();
        if bounds.connections_per_source.is_some() {
            let mut sources = lock(sources);
            if let Some(count) = sources.get_mut(&self.source) {
                *count -= 1;
                if *count == 0 {
                    sources.remove(&self.source);
                }
            }
        }
    }
}

impl Drop for AdmittedRequest {
    fn drop(&mut self) {
        self.0.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn connections_and_requests_are_counted_as_long_as_they_live() {
        let admission = Rc::new(Admission::new(ClientBounds {
            connections: Some(2),
            requests: Some(1),
            ..ClientBounds::default()
        }));
        let first = admission.connection(ONE, || false).expect("room for one");
        let second = admission.connection(ONE, || false).expect("room for two");
        let refused = admission.connection(ONE, || false).expect_err("no room");
        assert_eq!(refused, ClientLimit::Connections);
        let third = admission.connection(ONE, || true).expect("one is leaving");
        drop((first, second));
        assert!(admission.connection(ONE, || false).is_ok());
        drop(third);
        assert_eq!(admission.0.connections.load(Ordering::Relaxed), 0);

        assert_eq!(admission.requests_left(), Some(1));
        let request = admission.request().expect("room for one");
        assert_eq!(admission.requests_left(), Some(0));
        assert_eq!(
            admission.request().expect_err("no room"),
            ClientLimit::Requests
        );
        drop(request);
        assert!(admission.request().is_ok());
    }

    #[test]
    fn each_source_has_its_own_room() {
        let admission = Admission::new(ClientBounds {
            connections_per_source: Some(1),
            ..ClientBounds::default()
        });
        let first = admission.connection(ONE, || false).expect("room for one");
        let refused = admission.connection(ONE, || false).expect_err("no room");
        assert_eq!(refused, ClientLimit::SourceConnections);
        let other = admission
            .connection(OTHER, || false)
            .expect("another source");
        drop((first, other));
        assert!(lock(&admission.0.sources).is_empty());
        assert_eq!(admission.0.connections.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn without_limits_all_are_admitted() {
        let admission = Rc::new(Admission::new(ClientBounds::default()));
        let all: Vec<_> = (0..1000)
            .map(|_| (admission.connection(ONE, || false), admission.request()))
            .collect();
        assert!(all.iter().all(|(one, other)| one.is_ok() && other.is_ok()));
        assert_eq!(admission.requests_left(), None);
    }
}

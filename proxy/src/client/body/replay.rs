//! A body that can be sent again: what was read of it is kept, up to a bound, while it streams to the first attempt.

use std::cell::RefCell;
use std::rc::Rc;

use crate::client::body::hold::Go;
use crate::client::body::kept::{Reader, Store, lose_interest};
use crate::client::body::kept_bytes::KeptBytes;
use crate::client::body::progress::Received;
use crate::client::body::request_body::RequestBody;

/// Hands out the body, to one attempt after the other.
#[derive(Debug)]
pub struct Replay {
    store: Rc<RefCell<Store>>,
    received: Received,
    /// What each reader waits for before it begins.
    go: Option<Go>,
}

/// Waits for the body of a request that others send, for a copy of it.
#[derive(Debug)]
pub struct Tee {
    store: Rc<RefCell<Store>>,
    received: Received,
}

impl Replay {
    /// Keeps the client's body as far as `kept` has room for it, and replaces it with the first reader. `None`, and
    /// the body stays, where it is empty or not the client's.
    pub fn keep(body: &mut RequestBody, kept: &KeptBytes) -> Option<Self> {
        let received = body.received();
        let go = body.held().cloned();
        let incoming = body.take_inflow()?;
        let replay = Self {
            store: Rc::new(RefCell::new(Store::new(incoming, kept.room()))),
            received,
            go,
        };
        *body = replay.read().unwrap_or_else(RequestBody::empty);
        Some(replay)
    }

    /// The body from its beginning, for the next attempt; readers before it read no further. `None` when it cannot be had
    /// again.
    pub fn read(&self) -> Option<RequestBody> {
        let reader = Reader::begin(&self.store, &self.received)?;
        let mut body = RequestBody::kept(reader, self.received.clone());
        if let Some(go) = &self.go {
            body.hold(go.clone());
        }
        Some(body)
    }

    /// For a copy of the request.
    pub fn tee(&self) -> Tee {
        Tee {
            store: Rc::clone(&self.store),
            received: self.received.clone(),
        }
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        lose_interest(&self.store, &self.received);
    }
}

impl Tee {
    /// The body, once all of it has come: `None` when it is too large to be kept, or never came.
    pub async fn whole(self) -> Option<RequestBody> {
        self.received.complete().await;
        let (bytes, trailers) = self.store.borrow().whole()?;
        Some(RequestBody::whole(bytes, trailers))
    }
}

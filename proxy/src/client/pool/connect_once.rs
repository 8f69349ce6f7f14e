//! Lets one of several requests make a shared connection.

use std::rc::Rc;

use tokio::sync::watch;

use crate::client::pool::key::Key;
use crate::client::pool::shared::{Made, SharedConnections};

/// The part of a request in making a shared connection.
#[derive(Debug)]
pub enum ConnectTurn {
    /// This request makes it.
    Make(ConnectOnce),
    /// Another request makes it. Yields the result, or `None` if that request gave up.
    Wait(watch::Receiver<Option<Made>>),
}

/// The right to make a shared connection. Requests that come meanwhile wait for the result.
#[derive(Debug)]
pub struct ConnectOnce {
    shared: Rc<SharedConnections>,
    key: Key,
    result_sender: watch::Sender<Option<Made>>,
}

impl ConnectTurn {
    /// The first request has the turn, until it is done or given up.
    pub(super) fn of(shared: &Rc<SharedConnections>, key: &Key) -> Self {
        let mut making = shared.making.borrow_mut();
        if let Some(others) = making.get(key) {
            return Self::Wait(others.clone());
        }
        let (result_sender, others) = watch::channel(None);
        making.insert(key.clone(), others);
        Self::Make(ConnectOnce {
            shared: Rc::clone(shared),
            key: key.clone(),
            result_sender,
        })
    }
}

impl ConnectOnce {
    /// Sends the result to the waiting requests, and puts the connection into the pool.
    pub fn done(self, made: &Made) {
        if let Ok(shared) = made {
            self.shared.add(self.key.clone(), shared.clone());
        }
        self.result_sender.send_replace(Some(made.clone()));
    }
}

impl Drop for ConnectOnce {
    fn drop(&mut self) {
        self.shared.making.borrow_mut().remove(&self.key);
    }
}

//! Who makes a shared connection, where several want one.

use std::rc::Rc;

use tokio::sync::watch;

use crate::client::pool::key::Key;
use crate::client::pool::shared::{Made, SharedConnections};

/// Whose turn it is to make a shared connection.
#[derive(Debug)]
pub enum ConnectTurn {
    /// Ours.
    Make(ConnectOnce),
    /// Somebody else is at it; what comes of it, or `None` if they gave up.
    Wait(watch::Receiver<Option<Made>>),
}

/// The right to make a shared connection. Whoever comes meanwhile waits for it.
#[derive(Debug)]
pub struct ConnectOnce {
    shared: Rc<SharedConnections>,
    key: Key,
    told: watch::Sender<Option<Made>>,
}

impl ConnectTurn {
    /// The first who asks has the turn, until it is done or given up.
    pub(super) fn of(shared: &Rc<SharedConnections>, key: &Key) -> Self {
        let mut making = shared.making.borrow_mut();
        if let Some(others) = making.get(key) {
            return Self::Wait(others.clone());
        }
        let (told, others) = watch::channel(None);
        making.insert(key.clone(), others);
        Self::Make(ConnectOnce {
            shared: Rc::clone(shared),
            key: key.clone(),
            told,
        })
    }
}

impl ConnectOnce {
    /// Says what came of it, and keeps the connection where the next request looks for it.
    pub fn done(self, made: &Made) {
        if let Ok(shared) = made {
            self.shared.add(self.key.clone(), shared.clone());
        }
        self.told.send_replace(Some(made.clone()));
    }
}

impl Drop for ConnectOnce {
    fn drop(&mut self) {
        self.shared.making.borrow_mut().remove(&self.key);
    }
}

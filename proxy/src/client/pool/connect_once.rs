//! Who makes a shared connection, where several want one.

use std::rc::Rc;

use tokio::sync::watch;

use crate::client::pool::http2::Http2Connection;
use crate::client::pool::{Key, Pool};
use crate::failure::Failure;

/// What comes of making a shared connection.
pub(in crate::client::pool) type Made = Result<Http2Connection, Failure>;

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
    pub(in crate::client::pool) pool: Rc<Pool>,
    pub(in crate::client::pool) key: Key,
    pub(in crate::client::pool) told: watch::Sender<Option<Made>>,
}

impl ConnectOnce {
    /// Says what came of it, and keeps the connection where the next request looks for it.
    pub fn done(self, made: &Made) {
        if let Ok(shared) = made {
            let mut all = self.pool.shared.borrow_mut();
            all.entry(self.key.clone())
                .or_default()
                .push(shared.clone());
        }
        self.told.send_replace(Some(made.clone()));
    }
}

impl Drop for ConnectOnce {
    fn drop(&mut self) {
        self.pool.making.borrow_mut().remove(&self.key);
    }
}

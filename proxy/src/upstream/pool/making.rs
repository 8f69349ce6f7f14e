//! Who makes a shared connection, where several want one.

use std::rc::Rc;

use tokio::sync::watch;

use crate::failure::Failure;
use crate::upstream::pool::Key;
use crate::upstream::pool::Pool;
use crate::upstream::pool::shared::Shared;

/// What comes of making a shared connection.
pub(in crate::upstream::pool) type Made = Result<Shared, Failure>;

/// Whose turn it is to make a shared connection.
#[derive(Debug)]
pub enum Turn {
    /// Ours.
    Make(Making),
    /// Somebody else is at it; what comes of it, or `None` if they gave up.
    Wait(watch::Receiver<Option<Made>>),
}

/// The right to make a shared connection. Whoever comes meanwhile waits for it.
#[derive(Debug)]
pub struct Making {
    pub(in crate::upstream::pool) pool: Rc<Pool>,
    pub(in crate::upstream::pool) key: Key,
    pub(in crate::upstream::pool) told: watch::Sender<Option<Made>>,
}

impl Making {
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

impl Drop for Making {
    fn drop(&mut self) {
        self.pool.making.borrow_mut().remove(&self.key);
    }
}

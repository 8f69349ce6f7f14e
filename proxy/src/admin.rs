//! The admin pages: is it ready, what was loaded, what that was compiled to, and an orderly end. Text for people, and
//! `?format=json` for programs. Secrets are never shown.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::current::Current;
use crate::dns::names::Names;
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::listen::reconcile::Board;
use crate::source::status::Status;
use crate::upstream::standing::Standings;

mod table;
mod page;
mod config_dump;
mod listeners;
mod clusters;
mod names;
mod routes;
pub mod pages;
pub mod serve;

/// What the pages show and what they may do. Clones share one state.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The configuration in force.
    pub current: Arc<Current>,
    /// Where it came from.
    pub status: Status,
    /// What is listened on.
    pub board: Board,
    /// What names resolved to.
    pub names: Arc<Names>,
    /// What all workers know together of each cluster.
    pub standings: Arc<Standings>,
    /// Whether the process is ready.
    pub ready: Ready,
    /// Whether it is on its way out.
    pub drain: Drain,
    /// Notified when `/quitquitquit` is asked for.
    pub quit: Arc<Notify>,
    /// When the process started.
    pub started: Timestamp,
    /// Worker threads.
    pub threads: usize,
}

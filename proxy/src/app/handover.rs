//! Takes the listening sockets over from the proxy that this one replaces, and hands them over to the next.

use std::io;
use std::path::Path;

use tokio::sync::mpsc;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{info, warn};

use crate::listen::binder::Binder;
use crate::listen::handover::{Event, Predecessor, serve, take};
use crate::listen::reconcile::Ports;

/// The proxy that hands over at `path`, where there is one, and the source of its sockets.
///
/// # Errors
/// Why it does not hand them over.
pub(super) fn predecessor(path: Option<&Path>) -> io::Result<(Option<Predecessor>, Binder)> {
    let Some(path) = path else {
        return Ok((None, Binder::default()));
    };
    match take(path)? {
        None => Ok((None, Binder::new(Vec::new(), true))),
        Some((predecessor, handed)) => {
            info!(sockets = handed.len(), "taking over listening sockets");
            Ok((Some(predecessor), Binder::new(handed, true)))
        }
    }
}

/// Makes the predecessor drain, since this proxy accepts calls now, and hands over at `path` from now on.
pub(super) fn begin(
    predecessor: Option<Predecessor>,
    path: Option<&Path>,
    ports: &mut Ports,
) -> UnboundedReceiver<Event> {
    ports.settle();
    let (control, events) = mpsc::unbounded_channel();
    let Some(path) = path else { return events };
    if let Err(error) = serve(path, control) {
        warn!(%error, path = %path.display(), "no other proxy can take over from this one");
    }
    if let Some(predecessor) = predecessor
        && let Err(error) = predecessor.replace()
    {
        warn!(%error, "the proxy in front of this one ended before it was notified");
    }
    events
}

//! Hands the listening sockets of one proxy over to the next, on a Unix socket at a path that both know. The sockets stay
//! open all the time, so that no connection is refused in between.
//!
//! The new proxy greets, gets one packet for each socket, and reports when it is ready; only then does the old one
//! drain. A new proxy that fails before that changes nothing.

use std::fs::{Permissions, rename, set_permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, io, process, thread};

use nix::unistd::geteuid;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use crate::listen::binder::Handed;
use crate::sys::pass::{Listener, Peer};

/// The first message of the new proxy; the number is that of this protocol.
const GREETING: &str = "egret-proxy handover 1";

/// What comes behind the last socket.
const END: &str = "end";

/// The message of the new proxy once it accepts connections.
const READY: &str = "ready";

/// How long each side waits for the other's next packet.
const PACKET_TIME: Duration = Duration::from_secs(10);

/// How long a new proxy may take to start.
const START_TIME: Duration = Duration::from_secs(300);

/// Wait after a process that could not be accepted.
const BACKOFF: Duration = Duration::from_secs(1);

/// What the control thread is asked for.
#[derive(Debug)]
pub enum Event {
    /// Copies of all listening sockets.
    Wanted(mpsc::Sender<io::Result<Vec<Handed>>>),
    /// To end: another proxy takes the calls.
    Replaced,
}

/// The proxy that this one replaces, until this one is ready.
#[derive(Debug)]
pub struct Predecessor(Peer);

/// Gets the sockets of the proxy that hands over at `path`; `None` when there is none.
///
/// # Errors
/// The kernel's, a proxy of another user, and one that has another protocol.
pub fn take(path: &Path) -> io::Result<Option<(Predecessor, Vec<Handed>)>> {
    let Some(peer) = Peer::connect(path)? else {
        return Ok(None);
    };
    check_user(&peer)?;
    peer.limit(PACKET_TIME)?;
    peer.send(GREETING, None)?;
    let mut handed = Vec::new();
    loop {
        match peer.receive()? {
            Some((text, Some(socket))) => handed.push(Handed {
                label: text.parse().map_err(io::Error::other)?,
                socket,
            }),
            Some((text, None)) if text == END => return Ok(Some((Predecessor(peer), handed))),
            Some((text, None)) => return Err(io::Error::other(text)),
            None => return Err(io::Error::other("the proxy in front went away")),
        }
    }
}

impl Predecessor {
    /// Has it drain: this one takes the calls.
    ///
    /// # Errors
    /// The kernel's, when it is gone.
    pub fn replace(self) -> io::Result<()> {
        self.0.send(READY, None)
    }
}

/// Hands over at `path` from now on, in place of any earlier proxy. `control` provides what is needed.
///
/// # Errors
/// The kernel's, for the path or for want of a thread.
pub fn serve(path: &Path, control: UnboundedSender<Event>) -> io::Result<()> {
    let listener = listen_in_place(path)?;
    let serving = move || {
        loop {
            let handed = listener
                .accept()
                .and_then(|peer| hand_over(&peer, &control));
            match handed {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    warn!(%error, "the listening sockets were not handed over");
                    // This thread does nothing else: a process that fails again and again must not fill the log.
                    thread::sleep(BACKOFF);
                }
            }
        }
    };
    thread::Builder::new()
        .name("handover".to_owned())
        .spawn(serving)?;
    Ok(())
}

/// Listens at `path` without a moment in which nobody does.
fn listen_in_place(path: &Path) -> io::Result<Listener> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", process::id()));
    let beside = PathBuf::from(beside);
    let listener = Listener::bind(&beside)?;
    set_permissions(&beside, Permissions::from_mode(0o600))
        .and_then(|()| rename(&beside, path))
        .inspect_err(|_| {
            // It may never have been there.
            let _ = fs::remove_file(&beside);
        })?;
    Ok(listener)
}

/// Sends the sockets to one process, and returns whether it took over.
fn hand_over(peer: &Peer, control: &UnboundedSender<Event>) -> io::Result<bool> {
    check_user(peer)?;
    peer.limit(PACKET_TIME)?;
    match peer.receive()? {
        Some((text, None)) if text == GREETING => {}
        _ => {
            let message = "this proxy hands its sockets over in another way: its version differs";
            peer.send(message, None)?;
            return Err(io::Error::other(
                "a process asked for them that is no proxy of this version",
            ));
        }
    }
    let (wanted, copies) = mpsc::channel();
    let gone = |_| io::Error::other("this process ends");
    control
        .send(Event::Wanted(wanted))
        .map_err(|_| io::Error::other("this process ends"))?;
    let copies = copies.recv().map_err(gone)??;
    for handed in &copies {
        peer.send(&handed.label.to_string(), Some(handed.socket.as_fd()))?;
    }
    drop(copies);
    peer.send(END, None)?;
    info!("listening sockets were handed over; this proxy drains once the other one is ready");
    peer.limit(START_TIME)?;
    match peer.receive()? {
        Some((text, None)) if text == READY => {
            // Without a control thread the process ends anyway.
            let _ = control.send(Event::Replaced);
            Ok(true)
        }
        _ => Err(io::Error::other("the other proxy did not become ready")),
    }
}

fn check_user(peer: &Peer) -> io::Result<()> {
    let (other, own) = (peer.user()?, geteuid().as_raw());
    if other == own {
        return Ok(());
    }
    let message =
        format!("the process at the other end runs as uid {other}, and this one as uid {own}");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::listen::bind::Purpose;
    use crate::listen::binder::Label;

    fn sockets() -> Vec<Handed> {
        let socket = TcpListener::bind("127.0.0.1:0").expect("port");
        let label = Label {
            purpose: Purpose::Outbound,
            datagrams: false,
            address: socket.local_addr().expect("address"),
        };
        vec![Handed {
            label,
            socket: socket.into(),
        }]
    }

    #[test]
    fn a_proxy_that_becomes_ready_replaces_the_old_one() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("handover");
        assert!(take(&path).expect("nobody").is_none());
        let (control, mut events) = tokio::sync::mpsc::unbounded_channel();
        serve(&path, control).expect("serve");
        let answering = thread::spawn(move || {
            let mut seen = Vec::new();
            while let Some(event) = events.blocking_recv() {
                match event {
                    Event::Wanted(reply) => {
                        seen.push("wanted");
                        reply.send(Ok(sockets())).expect("asked");
                    }
                    Event::Replaced => seen.push("replaced"),
                }
            }
            seen
        });
        let (failed, handed) = take(&path).expect("handed over").expect("a proxy");
        assert_eq!(handed.len(), 1);
        drop((failed, handed));
        let (old, handed) = take(&path).expect("handed over").expect("a proxy");
        assert_eq!(handed[0].label.purpose, Purpose::Outbound);
        old.replace().expect("told");
        assert_eq!(
            answering.join().expect("control"),
            ["wanted", "wanted", "replaced"]
        );
    }
}

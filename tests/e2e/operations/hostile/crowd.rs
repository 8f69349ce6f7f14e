//! Many hostile clients at once, on a thread of their own in a pod.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use egret_tests::netns::Host;
use tokio::runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::attack::Attack;

/// Connections that are opened at a time, so that none waits in a full queue of the kernel.
const OPENING_MAX: usize = 100;

/// How long a client waits before it comes again after the proxy ended its connection.
const RETURN: Duration = Duration::from_secs(5);

/// Hostile clients. They leave when it is dropped.
pub(super) struct Crowd {
    counts: Arc<Counts>,
    leave: watch::Sender<()>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// How many clients there are.
#[derive(Default)]
struct Counts {
    /// Clients that have had a connection.
    came: AtomicUsize,
    /// Connections that the proxy ended.
    ended: AtomicUsize,
}

impl Crowd {
    /// So many clients in a pod, of each kind as many.
    pub(super) fn start(pod: &Host, count: usize, kinds: Vec<Attack>) -> Self {
        let (leave, left) = watch::channel(());
        let counts = Arc::new(Counts::default());
        let all = Arc::clone(&counts);
        let thread = pod.run(move || thread::spawn(move || run(count, kinds, left, &all)));
        Self {
            counts,
            leave,
            thread: Some(thread),
        }
    }

    /// Clients that have had a connection.
    pub(super) fn came(&self) -> usize {
        self.counts.came.load(Ordering::Relaxed)
    }

    /// Connections that the proxy ended.
    pub(super) fn ended(&self) -> usize {
        self.counts.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.leave.send_replace(());
        if let Some(thread) = self.thread.take() {
            // What it returns was of interest only while it ran.
            drop(thread.join());
        }
    }
}

fn run(
    count: usize,
    kinds: Vec<Attack>,
    mut left: watch::Receiver<()>,
    counts: &Arc<Counts>,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    let opening = Rc::new(Semaphore::new(OPENING_MAX));
    for kind in kinds.into_iter().cycle().take(count) {
        local.spawn_local(come(kind, Rc::clone(&opening), Arc::clone(counts)));
    }
    local.block_on(&runtime, async {
        // An error means that the crowd is gone, too.
        drop(left.changed().await);
    });
    Ok(())
}

/// Comes again and again.
async fn come(kind: Attack, opening: Rc<Semaphore>, counts: Arc<Counts>) {
    let mut is_new = true;
    loop {
        let connected = match opening.acquire().await {
            Ok(_permit) => kind.connect().await,
            Err(_) => return,
        };
        if let Ok(stream) = connected {
            if is_new {
                counts.came.fetch_add(1, Ordering::Relaxed);
                is_new = false;
            }
            // However it ends, the client comes again.
            drop(kind.run(stream).await);
            counts.ended.fetch_add(1, Ordering::Relaxed);
        }
        sleep(RETURN).await;
    }
}

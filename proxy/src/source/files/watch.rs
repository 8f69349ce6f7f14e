//! Notice of changes in folders. Only a hint to look sooner: whoever waits looks again every second anyway, because
//! notices get lost (network file systems, watches that the kernel has no room for).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tracing::warn;

use crate::lock::lock;

/// Watches a changing set of folders.
#[derive(Debug)]
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Identity>,
    changed: Arc<Notify>,
    /// Files that were written to and not closed since.
    unfinished: Arc<Mutex<HashSet<PathBuf>>>,
}

/// Device and inode: a folder that was removed and made again is another one, and the watch of the old one is dead.
type Identity = (u64, u64);

impl Watch {
    /// Watches nothing yet; `changed` is notified of what happens in the folders. Without room for a watch in the kernel,
    /// this says so in the log and never notifies.
    pub fn new(changed: Arc<Notify>) -> Self {
        let notice = Arc::clone(&changed);
        let unfinished = Arc::<Mutex<HashSet<PathBuf>>>::default();
        let writing = Arc::clone(&unfinished);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Opening and reading is what we do ourselves; answering it would never end.
            let idle = |kind: EventKind| matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write));
            if let Ok(event) = &event {
                if idle(event.kind) {
                    return;
                }
                note(&mut lock(&writing), event);
            }
            notice.notify_one();
        });
        let watcher = watcher
            .inspect_err(|error| warn!(%error, "cannot watch the configuration; looking for changes every second"))
            .ok();
        Self {
            watcher,
            watched: BTreeMap::new(),
            changed,
            unfinished,
        }
    }

    /// Watches exactly these folders from now on; those that are not there are left out.
    pub fn set(&mut self, folders: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let mut wanted: BTreeMap<PathBuf, Identity> = BTreeMap::new();
        for folder in folders {
            if let Ok(metadata) = fs::metadata(&folder) {
                wanted.insert(folder, (metadata.dev(), metadata.ino()));
            }
        }
        for (folder, identity) in &self.watched {
            if wanted.get(folder) != Some(identity) {
                // An error means that the watch died with its folder.
                let _ = watcher.unwatch(folder);
            }
        }
        for (folder, identity) in &wanted {
            if self.watched.get(folder) == Some(identity) {
                continue;
            }
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                warn!(%error, folder = %folder.display(), "cannot watch this folder; looking for changes every second");
            }
        }
        self.watched = wanted;
    }

    /// Whether someone is writing to a file, as far as notices tell.
    pub fn is_writing(&self) -> bool {
        !lock(&self.unfinished).is_empty()
    }

    /// Returns when something may have changed since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Files of which it is kept that they are written to. With more than so many the folder is busy anyway.
const UNFINISHED_MAX: usize = 64;

/// Keeps which files are written to: from the first write to the end, by closing, renaming or removing.
fn note(unfinished: &mut HashSet<PathBuf>, event: &Event) {
    match event.kind {
        _ if event.need_rescan() => unfinished.clear(),
        EventKind::Modify(ModifyKind::Data(_)) if unfinished.len() < UNFINISHED_MAX => {
            unfinished.extend(event.paths.iter().cloned());
        }
        EventKind::Access(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
            for path in &event.paths {
                unfinished.remove(path);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;

//! Loads the configuration from its files at the start, then follows them: looks, waits until they are quiet, reads, and
//! offers what it read to the publisher.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use egret_config::snapshot::Snapshot;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::{task, time};
use tracing::{error, warn};

use crate::current::Current;
use crate::source::compile::Terms;
use crate::source::files::file_cache::{Depth, FileCache};
use crate::source::files::find::{find, folders};
use crate::source::files::options::{Options, ReadError};
use crate::source::files::read::is_occupied;
use crate::source::files::watch::Watch;
use crate::source::publisher::{Publisher, Refused};
use crate::source::status::Status;

/// How often to look whether files changed, notice or not.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Every so many looks contents are compared too, for a change that left size and times as they were.
const LOOKS_BEFORE_READ: u32 = 10;

/// How long files must be quiet before they are read, once each file that was written to is closed: an edit is often several
/// files.
const QUIET: Duration = Duration::from_millis(25);

/// How long files must be quiet before they are read while a file is still open for writing: an edit is often several
/// writes.
const QUIET_OPEN: Duration = Duration::from_millis(100);

/// Waiting for quiet ends after this long, so that a file that never rests is read all the same.
const QUIET_WAIT_MAX: Duration = Duration::from_millis(800);

/// The files of the configuration, and what was last seen of them.
#[derive(Debug)]
pub struct FileSource {
    options: Options,
    publisher: Publisher,
    cache: FileCache,
}

/// Why there is no configuration to start with.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A path that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A configuration that egret must not start with.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl FileSource {
    /// Reads and compiles the configuration for the first time. Errors in documents do not stop the other documents.
    ///
    /// # Errors
    /// A path that cannot be read, or a configuration that egret must not start with.
    pub fn load(
        options: Options,
        terms: Terms,
        status: Status,
    ) -> Result<(Self, Snapshot), LoadError> {
        let mut cache = FileCache::default();
        cache.read(find(&options)?, Depth::All)?;
        let (publisher, snapshot) = Publisher::start(cache.input(), terms, status)?;
        let source = Self {
            options,
            publisher,
            cache,
        };
        Ok((source, snapshot))
    }

    /// Writes what was loaded at the start to the log.
    pub fn announce(&self) {
        if self.options.paths.is_empty() && self.options.mesh_config.is_none() {
            warn!(
                "no configuration (--config, --mesh-config): all calls pass through, and nothing is registered"
            );
        }
        self.publisher.announce();
    }

    /// Follows the files for as long as it is polled. `reload` is notified to look at once, as by a signal.
    pub async fn follow(mut self, current: Arc<Current>, reload: Arc<Notify>) {
        let mut watch = Watch::new(Arc::clone(&reload));
        watch.set(folders(&self.options, self.cache.listing()));
        // What changed before the watch began has made no notice.
        reload.notify_one();
        let mut looks = 0;
        loop {
            let noticed = time::timeout(LOOK_INTERVAL, watch.changed()).await.is_ok();
            if noticed {
                quiet(&watch).await;
            }
            looks += 1;
            let depth = match looks >= LOOKS_BEFORE_READ {
                true => Some(Depth::All),
                false => noticed.then_some(Depth::Changed),
            };
            if depth == Some(Depth::All) {
                looks = 0;
            }
            // The blocking work gets the source and gives it back.
            let door = Arc::clone(&current);
            let looked = task::spawn_blocking(move || {
                let moved = self.look(depth, &door);
                (self, moved)
            })
            .await;
            let Ok((source, moved)) = looked else {
                error!(
                    "looking at the configuration failed; what is in force stays until a restart"
                );
                return;
            };
            self = source;
            if moved {
                watch.set(folders(&self.options, self.cache.listing()));
            }
        }
    }

    /// Looks at the files once and acts on what it sees. Without a `depth`, files are read only when the listing shows a
    /// change. Says whether files were added, removed or written.
    fn look(&mut self, depth: Option<Depth>, current: &Current) -> bool {
        let listing = match find(&self.options) {
            Ok(listing) => listing,
            Err(error) => {
                self.publisher.unreadable(error.to_string());
                return false;
            }
        };
        let moved = listing != *self.cache.listing();
        if !(moved || depth.is_some() || self.publisher.is_blind()) {
            return false;
        }
        match self.cache.read(listing, depth.unwrap_or(Depth::Changed)) {
            Ok(()) => {
                let fingerprint = self.cache.fingerprint();
                if self.publisher.is_news(fingerprint) {
                    self.offer(fingerprint, current);
                } else if moved {
                    self.publisher.unchanged();
                }
            }
            Err(error) => self.publisher.unreadable(error.to_string()),
        }
        moved
    }

    fn offer(&mut self, fingerprint: u64, current: &Current) {
        let lost = self.lost();
        if lost.is_empty() {
            self.publisher.offer(self.cache.input(), current);
        } else {
            self.publisher.refuse(fingerprint, lost);
        }
    }

    /// Files in force that are still there and cannot be read as what they were: emptied, or something else than files
    /// now. A file that is gone is meant to be gone.
    fn lost(&self) -> Vec<String> {
        let in_force = self.publisher.in_force();
        let blank: HashMap<&str, bool> = self
            .cache
            .files()
            .map(|file| (&*file.name, file.blank))
            .collect();
        let mut lost = Vec::new();
        for (file, bytes) in &in_force.files {
            let what = match blank.get(&**file) {
                Some(true) if *bytes > 0 => "empty",
                Some(_) => continue,
                None if is_occupied(Path::new(&**file)) => self.what_is_at(file),
                None => continue,
            };
            if in_force.has_objects_of(file) {
                lost.push(format!(
                    "{file}: it was a file with objects and is now {what}; restore it, or remove it if its objects are \
                     to go"
                ));
            }
        }
        lost
    }

    fn what_is_at(&self, file: &str) -> &'static str {
        let skipped = self.cache.listing().skipped.iter();
        let mut here = skipped.filter(|one| one.path == Path::new(file));
        here.next().map_or("not a file", |one| one.what)
    }
}

/// Waits until nothing was noticed for a moment.
async fn quiet(watch: &Watch) {
    let rest = async {
        loop {
            let quiet = match watch.is_writing() {
                true => QUIET_OPEN,
                false => QUIET,
            };
            if time::timeout(quiet, watch.changed()).await.is_err() {
                return;
            }
        }
    };
    // Never at rest: look at what is there.
    let _ = time::timeout(QUIET_WAIT_MAX, rest).await;
}

#[cfg(test)]
mod tests;

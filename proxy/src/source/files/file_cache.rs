//! The files of the configuration as they were last read, so that only what changed is read again.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use egret_config::load;
use egret_config::load::{Text, TextDocuments, TextReader};

use crate::source::files::find::{Found, Listing};
use crate::source::files::options::{ReadError, Role};
use crate::source::files::read::{barren, bounded, skipped};
use crate::source::input::Input;

/// What was last read of each file.
#[derive(Debug, Default)]
pub struct FileCache {
    reader: TextReader,
    hashes: RandomState,
    listing: Listing,
    /// The files of the listing, in its order; `None` for one that was gone when it was to be read.
    files: Vec<Option<CachedFile>>,
}

/// What was last read of one file.
#[derive(Debug)]
pub struct CachedFile {
    /// What problems call it.
    pub name: Arc<str>,
    /// Its size in bytes.
    pub bytes: usize,
    /// Whether it has nothing but white space.
    pub blank: bool,
    /// Of its bytes.
    hash: u64,
    /// It was long unchanged when it was read, so that a later change shows in its mark.
    settled: bool,
    documents: TextDocuments,
}

/// Which files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Those that may have changed, by their size and times.
    Changed,
    /// All.
    All,
}

/// What is to be done about one file.
enum Step {
    /// The file at this index of the cache is as it was.
    Keep(usize),
    /// These bytes were read, maybe of the file at this index of the cache.
    Read(Vec<u8>, Option<usize>),
    /// It is gone.
    Skip,
}

impl FileCache {
    /// The files that were last read.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The files with what was read of them, in the order of the listing.
    pub fn files(&self) -> impl Iterator<Item = &CachedFile> {
        self.files.iter().flatten()
    }

    /// Reads what was found, where it changed. A file that a folder lost in between is left out: its absence is what
    /// counts.
    ///
    /// # Errors
    /// A file that may not be read, or is none any more. Everything stays as it was then.
    pub fn read(&mut self, listing: Listing, depth: Depth) -> Result<(), ReadError> {
        let now = SystemTime::now();
        let steps = self.steps(&listing, depth)?;
        let mut before = std::mem::take(&mut self.files);
        let mut take = |at: usize| before.get_mut(at).and_then(Option::take);
        let found = listing.found.iter().zip(steps);
        self.files = found
            .map(|(one, step)| match step {
                Step::Skip => None,
                Step::Keep(at) => take(at),
                Step::Read(bytes, at) => {
                    let before = at.and_then(&mut take);
                    Some(self.file(one, bytes, before, now))
                }
            })
            .collect();
        self.listing = listing;
        Ok(())
    }

    /// Hash of names and contents: two readings of this cache with the same one are the same configuration.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (one, file) in self.listing.found.iter().zip(&self.files) {
            let hash = file.as_ref().map(|file| file.hash);
            (&one.path, one.role == Role::MeshConfig, hash).hash(&mut hasher);
        }
        for one in &self.listing.skipped {
            (&one.path, one.what).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The whole configuration.
    pub fn input(&self) -> Input {
        let of_role = |role| {
            let files = self.listing.found.iter().zip(&self.files);
            files.filter_map(move |(one, file)| (one.role == role).then_some(file.as_ref()?))
        };
        let objects = of_role(Role::Objects).map(|file| &file.documents);
        let mut mesh = of_role(Role::MeshConfig).map(|file| (&file.name, &file.documents));
        let mut documents = load::joined(objects, mesh.next());
        documents
            .problems
            .extend(self.listing.skipped.iter().map(skipped));
        documents
            .problems
            .extend(self.listing.barren.iter().map(barren));
        Input {
            documents,
            fingerprint: self.fingerprint(),
            files: self
                .files()
                .map(|file| (Arc::clone(&file.name), file.bytes))
                .collect(),
        }
    }

    /// What is to be done about each file. Changes nothing.
    fn steps(&self, listing: &Listing, depth: Depth) -> Result<Vec<Step>, ReadError> {
        let mut elsewhere: Option<HashMap<(&Path, bool), usize>> = None;
        let key = |one: &'_ Found| one.role == Role::MeshConfig;
        let found = listing.found.iter().enumerate();
        let step = |(at, one): (usize, &Found)| {
            let here = self
                .listing
                .found
                .get(at)
                .filter(|known| known.path == one.path && known.role == one.role);
            let at = match here {
                Some(_) => Some(at),
                None => {
                    let elsewhere = elsewhere.get_or_insert_with(|| {
                        let known = self.listing.found.iter().enumerate();
                        known
                            .map(|(at, known)| ((&*known.path, key(known)), at))
                            .collect()
                    });
                    elsewhere.get(&(&*one.path, key(one))).copied()
                }
            };
            self.step(one, at, depth)
        };
        found.map(step).collect()
    }

    fn step(&self, one: &Found, at: Option<usize>, depth: Depth) -> Result<Step, ReadError> {
        let known = at.and_then(|at| {
            let file = self.files.get(at)?.as_ref()?;
            Some((at, file, self.listing.found.get(at)?))
        });
        if let Some((at, file, known)) = known
            && depth == Depth::Changed
            && file.settled
            && known == one
        {
            return Ok(Step::Keep(at));
        }
        match bounded(&one.path) {
            Ok(bytes) => Ok(Step::Read(bytes, known.map(|(at, ..)| at))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Step::Skip),
            Err(source) => Err(ReadError {
                path: one.path.clone(),
                role: one.role,
                source,
            }),
        }
    }

    /// What a file has whose bytes were read.
    fn file(
        &self,
        one: &Found,
        bytes: Vec<u8>,
        before: Option<CachedFile>,
        now: SystemTime,
    ) -> CachedFile {
        let settled = one.is_settled(now);
        let hash = self.hashes.hash_one(&bytes);
        let (name, before) = match before {
            Some(before) if before.hash == hash => {
                return CachedFile { settled, ..before };
            }
            Some(before) => (before.name, Some(before.documents)),
            None => (one.path.display().to_string().into(), None),
        };
        let text = Text { file: name, bytes };
        let documents = match one.role {
            Role::Objects => self.reader.objects(&text, before),
            Role::MeshConfig => self.reader.mesh_config(&text, before),
        };
        CachedFile {
            bytes: text.bytes.len(),
            blank: text.bytes.trim_ascii().is_empty(),
            name: text.file,
            hash,
            settled,
            documents,
        }
    }
}

#[cfg(test)]
mod tests;

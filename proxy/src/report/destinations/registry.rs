//! The destinations of the process: those of its workers, merged when the page is read.

use std::sync::{Arc, Mutex};

use egret_config::decide::outcome::OutcomeKind;

use crate::current::Current;
use crate::lock::lock;
use crate::report::destinations::known::{KnownKeys, ROWS_MAX};
use crate::report::destinations::merged::{Destination, Listing};
use crate::report::destinations::shard::DestinationShard;
use crate::report::now::Now;

/// The destinations of the process.
#[derive(Debug)]
pub struct Destinations {
    since: Now,
    known: Arc<KnownKeys>,
    current: Arc<Current>,
    /// One of each worker that there ever was.
    shards: Mutex<Vec<Arc<DestinationShard>>>,
}

impl Destinations {
    /// None called yet.
    pub fn new(current: Arc<Current>) -> Self {
        Self::bounded(current, ROWS_MAX)
    }

    /// None called yet, and room for so many.
    pub(super) fn bounded(current: Arc<Current>, max: usize) -> Self {
        Self {
            since: Now::read(),
            known: Arc::new(KnownKeys::new(max)),
            current,
            shards: Mutex::default(),
        }
    }

    /// The shard of one more worker.
    pub fn shard(&self) -> Arc<DestinationShard> {
        let (known, current) = (Arc::clone(&self.known), Arc::clone(&self.current));
        let shard = Arc::new(DestinationShard::new(known, current));
        lock(&self.shards).push(Arc::clone(&shard));
        shard
    }

    /// All destinations at this moment.
    pub fn listing(&self) -> Listing {
        let now = Now::read();
        let mut merged: Vec<Option<Destination>> = Vec::new();
        let mut dropped = 0;
        for shard in lock(&self.shards).clone() {
            dropped += shard.counts().1;
            shard.for_each(|row| {
                let place = row.key.place;
                if merged.len() <= place {
                    merged.resize(place + 1, None);
                }
                let one = Destination::new(row, now);
                match &mut merged[place] {
                    Some(known) => known.add(one),
                    empty => *empty = Some(one),
                }
            });
        }
        let called = merged.into_iter().flatten().filter(|one| one.calls > 0);
        Listing {
            since: self.since.time,
            now: now.time,
            destinations: called.collect(),
            dropped,
        }
    }

    /// Calls that ended, by verdict; also those of destinations that there was no room for.
    pub fn verdicts(&self) -> Vec<(OutcomeKind, u64)> {
        let shards = lock(&self.shards).clone();
        let counts: Vec<_> = shards.iter().map(|shard| shard.counts().0).collect();
        let kinds = OutcomeKind::ALL.iter();
        kinds
            .map(|kind| {
                (
                    *kind,
                    counts.iter().map(|counts| counts[*kind as usize]).sum(),
                )
            })
            .collect()
    }
}

//! The destinations that one worker calls. The worker takes its own lock, which only a reader of the page takes besides,
//! for the time of copying some rows.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use egret_config::decide::outcome::OutcomeKind;
use egret_config::fast_map::FastMap;
use egret_config::snapshot::names::NameTable;

use crate::current::Current;
use crate::lock::lock;
use crate::report::destinations::key::KeyParts;
use crate::report::destinations::known::KnownKeys;
use crate::report::destinations::row::Row;
use crate::report::facts::Facts;
use crate::report::reporter::Sink;
use crate::report::stream_bytes::StreamBytes;

/// How many rows are copied at a time, so that the worker does not wait for long.
const COPIED: usize = 256;

/// The destinations that one worker calls.
#[derive(Debug)]
pub struct DestinationShard {
    known: Arc<KnownKeys>,
    current: Arc<Current>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// The numbers of rows by their encoded keys.
    numbers: FastMap<Box<[u8]>, u32>,
    rows: Vec<Row>,
    /// Open streams by the address of their bytes.
    open: FastMap<usize, OpenStream>,
    /// Calls by verdict.
    verdicts: [u64; OutcomeKind::ALL.len()],
    /// Calls of destinations that there was no room for.
    dropped: u64,
    /// Where a key is encoded; keeps its memory.
    key: Vec<u8>,
    /// The version of the configuration that reasons are of.
    version: u64,
    /// The names that captured DNS queries are answered for, by the one address that only they have.
    names: Arc<HashMap<IpAddr, Arc<str>>>,
}

/// A byte stream that is relayed.
#[derive(Debug)]
struct OpenStream {
    bytes: Arc<StreamBytes>,
    row: u32,
    /// Bytes that were counted already, from the client and to it.
    counted: [u64; 2],
}

impl DestinationShard {
    /// Without a row.
    pub(super) fn new(known: Arc<KnownKeys>, current: Arc<Current>) -> Self {
        let names = Arc::new(names_by_address(&current.load().names));
        Self {
            known,
            current,
            table: Mutex::new(Table {
                names,
                ..Table::default()
            }),
        }
    }

    /// Another configuration came into force: reasons and names are read anew.
    pub fn reloaded(&self) {
        let names = Arc::new(names_by_address(&self.current.load().names));
        let mut table = lock(&self.table);
        table.version += 1;
        table.names = names;
    }

    /// Counts what open streams have carried since it was counted last. To be called on the thread of the worker.
    #[allow(
        clippy::iter_over_hash_type,
        reason = "each stream is counted for itself"
    )]
    pub fn count_open_streams(&self) {
        let table = &mut *lock(&self.table);
        for stream in table.open.values_mut() {
            let bytes = [
                stream.bytes.from_client.get(),
                stream.bytes.from_upstream.get(),
            ];
            if let Some(row) = table.rows.get_mut(stream.row as usize) {
                count(row, bytes, &mut stream.counted);
            }
        }
    }

    /// Gives each row to `take`, a copy of what it is at that moment.
    pub(super) fn for_each(&self, mut take: impl FnMut(Row)) {
        let mut next = 0;
        loop {
            let table = lock(&self.table);
            let end = table.rows.len().min(next + COPIED);
            let rows = table.rows.get(next..end).unwrap_or_default().to_vec();
            drop(table);
            if rows.is_empty() {
                return;
            }
            next += rows.len();
            rows.into_iter().for_each(&mut take);
        }
    }

    /// Calls by verdict, in the order of [`OutcomeKind::ALL`], and those that have no row.
    pub(super) fn counts(&self) -> ([u64; OutcomeKind::ALL.len()], u64) {
        let table = lock(&self.table);
        (table.verdicts, table.dropped)
    }

    /// The row of a call about which this was decided; a new one where there is room.
    fn row(&self, table: &mut Table, facts: &Facts, verdict: OutcomeKind) -> Option<u32> {
        let names = Arc::clone(&table.names);
        let parts = KeyParts::of(facts, verdict, &names);
        parts.encode(&mut table.key);
        if let Some(number) = table.numbers.get(&*table.key) {
            return Some(*number);
        }
        let key = self.known.shared(&table.key, &parts)?;
        let number = u32::try_from(table.rows.len()).ok()?;
        table.rows.push(Row::new(key, facts.began));
        table.numbers.insert(table.key.as_slice().into(), number);
        Some(number)
    }

    /// Takes the cluster of a call that ended, and the object that it comes from where that is not known yet.
    fn set_cluster(&self, row: &mut Row, facts: &Facts) {
        let Some(cluster) = &facts.decision.cluster else {
            return;
        };
        let is_same = |known: &Arc<str>| Arc::ptr_eq(known, cluster) || **known == **cluster;
        if row.cluster.as_ref().is_some_and(is_same) {
            return;
        }
        row.cluster = Some(Arc::clone(cluster));
        let snapshot = self.current.load();
        let cluster = snapshot.clusters.get(cluster);
        row.object = cluster.map(|cluster| Arc::clone(&cluster.origin));
    }
}

impl Sink for DestinationShard {
    fn decided(&self, facts: &Facts, reasons: &dyn Display) -> Option<u32> {
        let table = &mut *lock(&self.table);
        release(table, facts.destination_row);
        let verdict = facts.decision.verdict?;
        let number = self.row(table, facts, verdict)?;
        let version = table.version;
        let row = table.rows.get_mut(number as usize)?;
        if row.reason.is_empty() || row.reason_version != version {
            row.reason = reasons.to_string().into();
            row.reason_version = version;
        }
        row.begin(facts.began);
        Some(number)
    }

    fn dismissed(&self, facts: &Facts) {
        if facts.destination_row.is_some() {
            release(&mut lock(&self.table), facts.destination_row);
        }
    }

    fn opened(&self, facts: &Facts) {
        let (Some(bytes), Some(row)) = (&facts.stream, facts.destination_row) else {
            return;
        };
        let open = OpenStream {
            bytes: Arc::clone(bytes),
            row,
            counted: [0; 2],
        };
        lock(&self.table).open.insert(address(bytes), open);
    }

    fn report(&self, facts: &Facts) {
        let Some(verdict) = facts.decision.verdict else {
            return;
        };
        let now = facts.end_time();
        let table = &mut *lock(&self.table);
        table.verdicts[verdict as usize] += 1;
        let decided = facts.destination_row.map(|row| row as usize);
        let decided = decided.filter(|row| *row < table.rows.len());
        release(table, facts.destination_row);
        let open = facts.stream.as_ref();
        let open = open.and_then(|bytes| table.open.remove(&address(bytes)));
        let number = match decided {
            Some(row) if table.rows[row].key.verdict == verdict => Some(row),
            _ => self.row(table, facts, verdict).map(|row| row as usize),
        };
        let Some(number) = number else {
            table.dropped += 1;
            return;
        };
        // What became of the call was not known when it was decided.
        if table.rows[number].reason.is_empty() {
            let before = decided.map(|row| Arc::clone(&table.rows[row].reason));
            let details = || facts.response.details.as_deref().unwrap_or_default().into();
            table.rows[number].reason = before.unwrap_or_else(details);
        }
        let row = &mut table.rows[number];
        row.end(facts, now);
        let mut counted = open.map_or([0; 2], |open| open.counted);
        count(row, [facts.bytes_received, facts.bytes_sent], &mut counted);
        self.set_cluster(row, facts);
    }
}

/// Names by the one address that only they have.
fn names_by_address(names: &NameTable) -> HashMap<IpAddr, Arc<str>> {
    let mut found: HashMap<IpAddr, Option<Arc<str>>> = HashMap::new();
    for (name, addresses) in names.all() {
        if name.starts_with('*') {
            continue;
        }
        let name: Arc<str> = name.into();
        for address in addresses {
            let entry = found.entry(*address);
            entry
                .and_modify(|known| *known = None)
                .or_insert_with(|| Some(Arc::clone(&name)));
        }
    }
    let found = found.into_iter();
    found
        .filter_map(|(address, name)| Some((address, name?)))
        .collect()
}

/// A call is no longer under way.
fn release(table: &mut Table, row: Option<u32>) {
    let row = row.and_then(|row| table.rows.get_mut(row as usize));
    if let Some(row) = row {
        row.active = row.active.saturating_sub(1);
    }
}

/// Adds what is new of the bytes from the client and to it.
fn count(row: &mut Row, bytes: [u64; 2], counted: &mut [u64; 2]) {
    row.received += bytes[0].saturating_sub(counted[0]);
    row.sent += bytes[1].saturating_sub(counted[1]);
    *counted = bytes;
}

/// What tells the bytes of one open stream from those of another.
fn address(bytes: &Arc<StreamBytes>) -> usize {
    Arc::as_ptr(bytes).addr()
}

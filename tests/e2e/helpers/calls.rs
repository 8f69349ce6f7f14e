//! Calls that are counted: requests over HTTP/1, each with its outcome, alone or as the load of many clients.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::thread::JoinHandle;

use egret_tests::DEADLINE;
use egret_tests::netns::Host;
use egret_tests::places::{ELSEWHERE, Located};

/// Clients of a load. Every second one keeps its connection.
const CLIENTS: usize = 4;

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A whole answer with this status.
    Answered(u16),
    /// An answer that ended before its end.
    Cut,
    /// No answer: the connection was refused, reset or closed, or nothing came in time.
    Lost,
}

/// What became of requests: each one that was sent is in one of the other counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All of them.
    pub(crate) sent: u64,
    /// Whole answers, by status.
    pub(crate) answered: BTreeMap<u16, u64>,
    /// Answers that ended before their end.
    pub(crate) cut: u64,
    /// Requests without an answer.
    pub(crate) lost: u64,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        self.sent += 1;
        match outcome {
            Outcome::Answered(status) => *self.answered.entry(status).or_default() += 1,
            Outcome::Cut => self.cut += 1,
            Outcome::Lost => self.lost += 1,
        }
    }

    /// Whole answers with this status.
    pub(crate) fn of(&self, status: u16) -> u64 {
        self.answered.get(&status).copied().unwrap_or(0)
    }

    /// Insists that all were answered, each with one of these statuses and none cut.
    pub(crate) fn assert_answered(&self, statuses: &[u16], fault: &str) {
        let expected: u64 = statuses.iter().map(|status| self.of(*status)).sum();
        assert!(
            self.sent > 0 && expected == self.sent && self.cut == 0 && self.lost == 0,
            "{fault}: {self:?}, and all are to be answered with {statuses:?}"
        );
    }
}

/// Who is called, and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    host: String,
    header: String,
}

impl Target {
    /// elsewhere.example on port 80.
    pub(crate) fn elsewhere() -> Self {
        Self::named(ELSEWHERE.name)
    }

    /// A host on port 80 whose calls go to elsewhere.example's address; the client asks no name server.
    pub(crate) fn named(host: &str) -> Self {
        Self {
            address: (ELSEWHERE.v4(), 80).into(),
            host: host.to_owned(),
            header: String::new(),
        }
    }

    /// Adds a line to the head.
    pub(crate) fn with(self, header: &str) -> Self {
        Self {
            header: format!("{header}\r\n"),
            ..self
        }
    }

    /// Makes so many calls from a host, one after the other, on connections of their own.
    pub(crate) fn call(&self, pod: &Host, count: u64) -> Tally {
        let target = self.clone();
        pod.run(move || {
            let mut tally = Tally::default();
            for _ in 0..count {
                tally.count(target.exchange(&mut None, false));
            }
            tally
        })
    }

    /// One request. A connection on which another one may follow is left in `kept`.
    fn exchange(&self, kept: &mut Option<BufReader<TcpStream>>, keeps: bool) -> Outcome {
        let Ok((mut stream, status)) = self.ask(kept.take(), keeps) else {
            return Outcome::Lost;
        };
        match rest(&mut stream) {
            Ok(last) => {
                *kept = (keeps && !last).then_some(stream);
                Outcome::Answered(status)
            }
            Err(_) => Outcome::Cut,
        }
    }

    /// Sends a request, and reads the first line of the answer.
    fn ask(
        &self,
        kept: Option<BufReader<TcpStream>>,
        keeps: bool,
    ) -> io::Result<(BufReader<TcpStream>, u16)> {
        let mut stream = match kept {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect_timeout(&self.address, DEADLINE)?),
        };
        stream.get_ref().set_read_timeout(Some(DEADLINE))?;
        let Self { host, header, .. } = self;
        let close = if keeps { "" } else { "connection: close\r\n" };
        let request = format!("GET /quick HTTP/1.1\r\nhost: {host}\r\n{header}{close}\r\n");
        stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(line))?;
        Ok((stream, status))
    }
}

/// Reads the fields and the body of an answer; whether it is the connection's last.
fn rest(stream: &mut BufReader<TcpStream>) -> io::Result<bool> {
    let (mut length, mut last, mut chunked, mut line) = (None, false, false, String::new());
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let field = line.trim_end().to_ascii_lowercase();
        match field.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok(),
            Some(("transfer-encoding", _)) => chunked = true,
            Some(("connection", value)) => last |= value == "close",
            Some(_) => {}
            None if field.is_empty() && line.ends_with('\n') => break,
            None => return Err(io::Error::other(line)),
        }
    }
    if chunked {
        while !line.starts_with("0\r\n") {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        stream.read_line(&mut line)?;
    } else {
        stream.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    }
    Ok(last)
}

/// Clients in a pod that call without a pause until the load is finished.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    counts: Mutex<Counts>,
    counted: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    tally: Tally,
    /// Requests of each client that have ended.
    of_clients: [u64; CLIENTS],
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// Starts the clients.
    pub(crate) fn start(pod: &Host, target: &Target) -> Self {
        let shared = Arc::<Shared>::default();
        let clients = (0..CLIENTS).map(|number| {
            let (target, shared) = (target.clone(), Arc::clone(&shared));
            // The thread is of the pod because the thread that starts it is.
            pod.run(move || thread::spawn(move || calls(&target, number, &shared)))
        });
        let clients = clients.collect();
        Self { shared, clients }
    }

    /// Returns once so many more requests have ended.
    pub(crate) fn await_calls(&self, more: u64) -> anyhow::Result<()> {
        let before = self.so_far().sent;
        self.await_counts(|counts| counts.tally.sent >= before + more)
    }

    /// Returns once so many more requests were answered with a status.
    pub(crate) fn await_answers(&self, status: u16, more: u64) -> anyhow::Result<()> {
        let before = self.so_far().of(status);
        self.await_counts(|counts| counts.tally.of(status) >= before + more)
    }

    /// Returns once every request that has begun by now is counted: each client has ended one more, which may have ended
    /// before, and another one behind it.
    pub(crate) fn await_each(&self) -> anyhow::Result<()> {
        let before = self.shared.lock().of_clients;
        self.await_counts(|counts| {
            let mut clients = counts.of_clients.iter().zip(before);
            clients.all(|(now, before)| *now >= before + 2)
        })
    }

    /// What became of the requests that have ended.
    pub(crate) fn so_far(&self) -> Tally {
        self.shared.lock().tally.clone()
    }

    fn await_counts(&self, is_so: impl Fn(&Counts) -> bool) -> anyhow::Result<()> {
        let counted = &self.shared.counted;
        let (counts, waited) = counted
            .wait_timeout_while(self.shared.lock(), DEADLINE, |counts| !is_so(counts))
            .unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(!waited.timed_out(), "after {DEADLINE:?}: {counts:?}");
        Ok(())
    }

    /// Ends the load; what became of its requests.
    pub(crate) fn finish(self) -> Tally {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            assert!(client.join().is_ok(), "a client panicked");
        }
        self.shared.lock().tally.clone()
    }
}

fn calls(target: &Target, number: usize, shared: &Shared) {
    let (mut kept, keeps) = (None, number.is_multiple_of(2));
    while !shared.stop.load(Ordering::Relaxed) {
        let outcome = target.exchange(&mut kept, keeps);
        let mut counts = shared.lock();
        counts.tally.count(outcome);
        counts.of_clients[number] += 1;
        drop(counts);
        shared.counted.notify_all();
    }
}

//! Files: where lines go, what is bounded, and what is let go.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use egret_config::expression::Expression;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::super::*;
use crate::report::access_log::writer::QUEUE_MAX;

const WAIT: Duration = Duration::from_secs(10);

fn target(path: &Path, format: &str) -> AccessLogTarget {
    AccessLogTarget {
        provider: None,
        path: path.to_str().expect("UTF-8").into(),
        format: FormatSource::Text(format.into()),
        omit_empty: false,
        filter: None,
    }
}

/// Configures a log without an error.
fn configure(log: &AccessLog, targets: &[AccessLogTarget]) {
    let (_, errors) = log.configure(targets);
    assert!(errors.is_empty(), "{errors:?}");
}

/// Has a call reported to a log.
fn report(log: &AccessLog) {
    log.report(&Facts::begin());
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a log")
}

fn writer(file: File) -> (Writer, Arc<Counts>) {
    let counts = Arc::<Counts>::default();
    let writer = Writer::start(Target::new(file), "test".into(), Arc::clone(&counts));
    (writer.expect("a thread"), counts)
}

fn dropped(counts: &Counts) -> u64 {
    counts.dropped.load(Ordering::Relaxed)
}

/// How many descriptors of this process lead to a file.
fn descriptors(path: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("descriptors");
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target == path)
        .count()
}

#[test]
fn a_new_file_gets_only_what_comes_after() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let log = AccessLog::new(false);
    report(&log);
    configure(&log, &[target(&path("one"), "1")]);
    report(&log);
    assert!(log.flush(WAIT));
    configure(&log, &[target(&path("two"), "2")]);
    report(&log);
    report(&log);
    assert!(log.flush(WAIT));
    configure(&log, &[]);
    report(&log);
    assert_eq!(
        (read(&path("one")), read(&path("two"))),
        ("1\n".into(), "2\n2\n".into())
    );
    let counts = LineCounts {
        written: 3,
        dropped: 0,
    };
    assert_eq!(log.counts(), counts);
}

#[test]
fn a_file_that_is_named_twice_is_opened_once_and_has_both_lines() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("log");
    let link = folder.path().join("link");
    let log = AccessLog::new(false);
    configure(&log, &[target(&path, "a"), target(&path, "b")]);
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    configure(
        &log,
        &[target(&path, "a"), target(&path, "b"), target(&link, "c")],
    );
    report(&log);
    assert!(log.flush(WAIT));
    assert_eq!((read(&path), descriptors(&path)), ("a\nb\nc\n".into(), 1));
}

#[test]
fn a_filter_keeps_lines_out() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("log");
    let filtered = |filter: &str| AccessLogTarget {
        filter: Some(Arc::new(Expression::parse(filter).expect(filter))),
        ..target(&path, filter)
    };
    let log = AccessLog::new(false);
    configure(
        &log,
        &[
            "true",
            "false",
            "response.code == 200",
            "1",
            "response.flags == 0",
        ]
        .map(filtered),
    );
    report(&log);
    assert!(log.flush(WAIT));
    assert_eq!(read(&path), "true\nresponse.flags == 0\n");
}

#[test]
fn a_fifo_that_nobody_reads_is_opened_once_and_bounded() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let log = AccessLog::new(false);
    let line = "x".repeat(QUEUE_MAX / 2 - 1);
    let targets = [target(&path, &line)];
    let (_, errors) = log.configure(&targets);
    assert!(
        matches!(errors[..], [AccessLogError::Open { .. }]),
        "nobody waits for a reader: {errors:?}"
    );
    // A reader that reads nothing.
    let mut reader = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&path)
        .expect("reader");
    for _ in 0..20 {
        configure(&log, &targets);
        report(&log);
    }
    assert_eq!(descriptors(&path), 2, "the reader's and the log's");
    assert_eq!(log.counts().dropped, 18, "two lines of half the bound wait");
    let mut bytes = vec![0; 1 << 16];
    while !log.flush(Duration::from_millis(1)) {
        let _ = reader.read(&mut bytes);
    }
    assert_eq!(log.counts().written, 2);
}

#[test]
fn a_rotated_file_is_let_go_and_a_kept_one_is_not_opened_again() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, rotated) = (folder.path().join("log"), folder.path().join("log.1"));
    let log = AccessLog::new(false);
    for _ in 0..3 {
        configure(&log, &[target(&path, "a")]);
        report(&log);
    }
    assert!(log.flush(WAIT));
    assert_eq!(descriptors(&path), 1);
    fs::rename(&path, &rotated).expect("rename");
    configure(&log, &[target(&path, "a")]);
    report(&log);
    assert!(log.flush(WAIT));
    assert_eq!(
        (read(&rotated).lines().count(), read(&path).lines().count()),
        (3, 1)
    );
}

#[test]
fn a_file_that_cannot_be_opened_stays_what_it_was() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("log");
    let log = AccessLog::new(false);
    configure(&log, &[target(&path, "a")]);
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a folder in its place");
    let missing = folder.path().join("no/such");
    let (_, errors) = log.configure(&[target(&path, "a"), target(&missing, "b")]);
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told[1].starts_with(&format!(
            "cannot open the access log `{}`",
            missing.display()
        )),
        "{told:?}"
    );
    report(&log);
    assert!(log.flush(WAIT));
    assert_eq!(log.counts().written, 1, "into the file that was open");
}

#[test]
fn a_format_that_is_none_gives_way_to_the_default() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("log");
    let log = AccessLog::new(false);
    let (_, errors) = log.configure(&[target(&path, "%NOPE%")]);
    assert!(
        matches!(&errors[..], [AccessLogError::Format { flaw, .. }] if flaw.excerpt == "NOPE"),
        "{errors:?}"
    );
    report(&log);
    assert!(log.flush(WAIT));
    assert!(read(&path).contains("\"- - -\" 0 -"), "{}", read(&path));
}

#[test]
fn what_a_blocked_file_of_before_holds_is_given_up() {
    let (_reader, pipe) = io::pipe().expect("pipe");
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("set");
    let (old, counts) = writer(File::from(OwnedFd::from(pipe)));
    old.queue(&vec![b'\n'; QUEUE_MAX / 2]);
    drop(old);
    while dropped(&counts) == 0 {
        std::thread::yield_now();
    }
}

#[test]
fn lines_are_dropped_and_counted_when_the_file_does_not_keep_up() {
    let (mut reader, pipe) = io::pipe().expect("pipe");
    let (writer, counts) = writer(File::from(OwnedFd::from(pipe)));
    let mut line = vec![b'x'; QUEUE_MAX / 4];
    line[QUEUE_MAX / 4 - 1] = b'\n';
    for _ in 0..16 {
        writer.queue(&line);
    }
    assert_eq!(
        dropped(&counts),
        12,
        "the pipe takes far less than one line"
    );
    assert!(!writer.flush(Duration::ZERO));
    let mut all = vec![0; 4 * line.len()];
    reader.read_exact(&mut all).expect("read");
    assert!(writer.flush(WAIT));
    assert_eq!(counts.written.load(Ordering::Relaxed), 4);
    assert!(all == line.repeat(4), "whole lines");
}

#[test]
fn lines_of_several_threads_are_whole() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let (writer, _) = writer(file.reopen().expect("file"));
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let line = name.repeat(99) + "\n";
            let writer = &writer;
            scope.spawn(move || (0..200).for_each(|_| writer.queue(line.as_bytes())));
        }
    });
    assert!(writer.flush(WAIT));
    let text = read(file.path());
    assert_eq!(text.lines().count(), 600);
    let whole =
        |line: &str| line.len() == 99 && line.bytes().all(|byte| byte == line.as_bytes()[0]);
    assert!(text.lines().all(whole));
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    let (mut reader, pipe) = io::pipe().expect("pipe");
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("set");
    let (writer, counts) = writer(File::from(OwnedFd::from(pipe)));
    // Far more than a pipe takes at once.
    let line: Vec<u8> = (0..QUEUE_MAX / 4).map(|at| at.to_le_bytes()[0]).collect();
    writer.queue(&line);
    assert!(!writer.flush(Duration::ZERO));
    let mut all = vec![0; line.len()];
    reader.read_exact(&mut all).expect("read");
    assert!(all == line, "every byte, in order");
    assert!(writer.flush(WAIT));
    writer.queue(b"lost\n");
    drop(reader);
    assert!(writer.flush(WAIT), "who reads no more is not waited for");
    let _ = counts;
}

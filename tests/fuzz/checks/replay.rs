//! The corpus of a target in ordinary tests: what the fuzzer began with and found. With `EGRET_FUZZ_SECONDS=N` changed copies of
//! it follow for so many seconds, without a nightly compiler.

use std::panic::{catch_unwind, resume_unwind};
use std::path::Path;
use std::time::Duration;

/// The longest input that changes make.
const LENGTH_MAX: usize = 8 << 10;

/// Runs a target's check on every file of its corpus. The last name printed is that of the file that fails.
#[expect(clippy::print_stderr, reason = "shown only of a test that fails")]
pub(crate) fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    let files = std::fs::read_dir(folder.join(target)).expect("the corpus is part of the project");
    let mut corpus = Vec::new();
    for file in files {
        let path = file.expect("the folder can be listed").path();
        eprintln!("{}", path.display());
        let bytes = std::fs::read(&path).expect("the file can be read");
        check(&bytes);
        corpus.push(bytes);
    }
    assert!(corpus.len() > 10, "only {} files", corpus.len());
    explore(target, check, &corpus);
}

/// Checks changed copies of the corpus for as long as the environment says. An input that fails is left in the folder of
/// temporary files.
#[expect(clippy::print_stderr, reason = "whoever explores wants to see how far")]
#[allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a time for whoever explores; ordinary tests explore nothing"
)]
fn explore(target: &str, check: fn(&[u8]), corpus: &[Vec<u8>]) {
    let seconds = std::env::var("EGRET_FUZZ_SECONDS").unwrap_or_default();
    let time = Duration::from_secs(seconds.parse().unwrap_or(0));
    let begin = std::time::Instant::now();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut count = 0_u64;
    while begin.elapsed() < time {
        let input = changed(&mut dice, corpus);
        if let Err(panic) = catch_unwind(|| check(&input)) {
            let path = std::env::temp_dir().join(format!("egret-fuzz-{target}-{count}"));
            std::fs::write(&path, &input).expect("the input can be kept");
            eprintln!("{target}: {} fails after {count}", path.display());
            resume_unwind(panic);
        }
        count += 1;
    }
    if !time.is_zero() {
        eprintln!("{target}: {count} inputs in {seconds} s");
    }
}

/// Numbers that are the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`; 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        self.number() as usize % end.max(1)
    }

    /// A part of some bytes.
    fn part<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let start = self.below(bytes.len() + 1);
        let rest = &bytes[start..];
        &rest[..self.below(rest.len().min(64) + 1)]
    }
}

/// A file of the corpus with some changes.
fn changed(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        let other = &corpus[dice.below(corpus.len())];
        match dice.below(8) {
            0 => bytes.insert(at, dice.number() as u8),
            1 => drop(bytes.splice(at..at, dice.part(other).iter().copied())),
            2 => {
                let own = dice.part(&bytes.clone()).to_vec();
                bytes.splice(at..at, own);
            }
            3 => {
                let end = (at + dice.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => bytes.truncate(at),
            _ if at == bytes.len() => {}
            5 => bytes[at] = dice.number() as u8,
            6 => bytes[at] ^= 1 << dice.below(8),
            _ => {
                bytes[at] = *b"\0\r\n %:,;\xff{}\"'0"
                    .get(dice.below(14))
                    .unwrap_or(&b'0')
            }
        }
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

//! Insists on what is the same, and on what is not.

use std::path::Path;
use std::{env, fs};

use crate::compare::{Facts, differences};
use crate::differences::{Difference, Suite};

/// Insists that each exchange comes out the same both ways, but for the differences of `suite`; that all of those are
/// still there; and that both answers are those which the suite's file states.
pub(crate) fn insist<W, E>(
    exchanges: &[E],
    [envoy, egret]: &[W; 2],
    suite: Suite,
    send: impl Fn(&W, &E) -> anyhow::Result<Facts>,
    name: impl Fn(&E) -> &'static str,
) -> anyhow::Result<()> {
    let mut used = vec![false; suite.differences.len()];
    let mut unmeant = Vec::new();
    let mut answers = String::new();
    for exchange in exchanges {
        let name = name(exchange);
        let (of_envoy, of_egret) = (send(envoy, exchange)?, send(egret, exchange)?);
        for (fact, answer) in by_timing(&of_egret) {
            let covering = suite
                .differences
                .iter()
                .position(|one| one.covers(name, fact));
            if let Some(at) = covering {
                used[at] = true;
                answers += &format!("{name}: {fact}: by timing | {answer:?}\n");
            }
        }
        for line in differences(&of_envoy, &of_egret) {
            let covering = suite
                .differences
                .iter()
                .position(|one| one.covers(name, &line));
            match covering {
                Some(_) if BY_TIMING.contains(&fact_of(&line)) => {}
                Some(at) => {
                    used[at] = true;
                    answers += &format!("{name}: {line}\n");
                }
                None => unmeant.push(format!("{name}: {line}")),
            }
        }
    }
    let gone: Vec<_> = suite
        .differences
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .map(|(one, _)| {
            format!(
                "{:?} {:?}: no longer differs ({})",
                one.exchanges, one.facts, one.reason
            )
        })
        .collect();
    anyhow::ensure!(
        unmeant.is_empty() && gone.is_empty(),
        "{}: of {} exchanges, these differ (exchange: fact: Envoy's | egret's):\n{}\n{}",
        suite.about,
        exchanges.len(),
        unmeant.join("\n"),
        gone.join("\n")
    );
    stated(suite.name, &answers)
}

/// Facts of which Envoy's side depends on timing: it resets a connection that it refuses if the client's bytes have come
/// by then. Where they may differ, egret's answer alone is stated.
const BY_TIMING: &[&str] = &["ends"];

fn by_timing(facts: &Facts) -> impl Iterator<Item = (&'static str, &String)> {
    BY_TIMING
        .iter()
        .filter_map(|fact| Some((*fact, facts.get(*fact)?)))
}

/// The fact that a line is about.
fn fact_of(line: &str) -> &str {
    line.split(": ").next().unwrap_or_default()
}

/// Insists that these are the answers which the suite's file states; with `EGRET_BLESS` set, writes the file.
fn stated(suite: &str, answers: &str) -> anyhow::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("parity/differences")
        .join(format!("{suite}.answers"));
    if env::var_os("EGRET_BLESS").is_some() {
        return Ok(fs::write(file, answers)?);
    }
    let stated = fs::read_to_string(&file).unwrap_or_default();
    let without = |text: &str, other: &str| -> Vec<String> {
        let other: Vec<&str> = other.lines().collect();
        text.lines()
            .filter(|line| !other.contains(line))
            .map(str::to_owned)
            .collect()
    };
    anyhow::ensure!(
        stated == answers,
        "where egret differs on purpose, an answer is another than {} states (exchange: fact: Envoy's | egret's); \
         EGRET_BLESS=1 rewrites the file\nnew:\n{}\nno longer:\n{}",
        file.display(),
        without(answers, &stated).join("\n"),
        without(&stated, answers).join("\n")
    );
    Ok(())
}

impl Difference {
    fn covers(&self, exchange: &str, line: &str) -> bool {
        let fact = fact_of(line);
        let fits = self.facts.iter().any(|one| match one.strip_suffix('*') {
            Some(beginning) => fact.starts_with(beginning),
            None => fact == *one,
        });
        fits && (self.exchanges.is_empty() || self.exchanges.contains(&exchange))
    }
}

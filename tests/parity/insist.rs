//! Insists on what is the same, and on what is not.

use crate::compare::Facts;
use crate::compare::differences;
use crate::differences::Difference;

/// Insists that each exchange comes out the same both ways, but for `meant`, and that all of that still differs.
pub(crate) fn insist<W, E>(
    exchanges: &[E],
    [envoy, egret]: &[W; 2],
    meant: &[Difference],
    send: impl Fn(&W, &E) -> anyhow::Result<Facts>,
    name: impl Fn(&E) -> &'static str,
) -> anyhow::Result<()> {
    let mut used = vec![false; meant.len()];
    let mut unmeant = Vec::new();
    for exchange in exchanges {
        let lines = differences(&send(envoy, exchange)?, &send(egret, exchange)?);
        for line in lines {
            let covering = meant
                .iter()
                .position(|one| one.covers(name(exchange), &line));
            match covering {
                Some(at) => used[at] = true,
                None => unmeant.push(format!("{}: {line}", name(exchange))),
            }
        }
    }
    let gone: Vec<_> = meant
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
        "of {} exchanges, these differ (exchange: fact: Envoy's | egret's):\n{}\n{}",
        exchanges.len(),
        unmeant.join("\n"),
        gone.join("\n")
    );
    Ok(())
}

impl Difference {
    fn covers(&self, exchange: &str, line: &str) -> bool {
        let fact = line.split(": ").next().unwrap_or_default();
        let fits = self.facts.iter().any(|one| match one.strip_suffix('*') {
            Some(beginning) => fact.starts_with(beginning),
            None => fact == *one,
        });
        fits && (self.exchanges.is_empty() || self.exchanges.contains(&exchange))
    }
}

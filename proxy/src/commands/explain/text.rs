//! An answer as text: the verdict in one line, the reasons, and the YAML that would allow the call.

use std::fmt::Write;

use egret_config::decide::flag::Flag;
use egret_config::decide::outcome::OutcomeKind;

use crate::commands::explain::answer::{Answer, seconds};
use crate::commands::explain::call::Protocol;
use crate::commands::explain::remedy::Remedy;

/// The whole text, which ends in a line break.
pub(super) fn text(answer: &Answer, remedy: Option<&Remedy>) -> String {
    // Writing to a String cannot fail.
    let mut text = format!("{}\n", headline(answer));
    for why in &answer.trail {
        let _ = writeln!(text, "  - {why}");
    }
    for fact in facts(answer) {
        let _ = writeln!(text, "  {fact}");
    }
    if let Some(remedy) = remedy {
        let _ = writeln!(text, "\n{}", remedy.advice);
        for line in remedy.yaml.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

fn headline(answer: &Answer) -> String {
    let call = &answer.call;
    let mut what = format!("{} to {}", call.protocol.name(), answer.to);
    if matches!(
        call.protocol,
        Protocol::Http | Protocol::Http2 | Protocol::Https
    ) {
        let host = call.host.as_deref().unwrap_or_default();
        what = format!("{} {host}{} by {what}", call.method, call.path);
    }
    if let Some(sni) = &answer.sni {
        what.push_str(&format!(" with SNI {sni}"));
    }
    let cluster = answer.outcome.cluster.as_deref().unwrap_or_default();
    let becomes = match (answer.outcome.kind, answer.flag()) {
        (OutcomeKind::Route, Some(Flag::NC)) | (OutcomeKind::NoCluster, _) => {
            format!("is refused: there is no cluster {cluster}")
        }
        (OutcomeKind::Route, Some(Flag::UH)) | (OutcomeKind::NoEndpoint, _) => {
            format!("is refused: {cluster} has no endpoint")
        }
        (OutcomeKind::Route, Some(Flag::UF)) => format!("fails: {cluster} cannot be called"),
        (OutcomeKind::Route, _) if answer.clusters.len() > 1 => {
            let total: u64 = answer
                .clusters
                .iter()
                .map(|(_, weight)| u64::from(*weight))
                .sum();
            let each: Vec<_> = answer
                .clusters
                .iter()
                .map(|(name, weight)| format!("{name} ({weight}/{total})"))
                .collect();
            format!("goes to {}", each.join(", "))
        }
        (OutcomeKind::Route | OutcomeKind::EgressProxy, _) => format!("goes to {cluster}"),
        (OutcomeKind::Passthrough, _) => {
            "passes through to its original destination (PassthroughCluster)".to_owned()
        }
        (OutcomeKind::Blackhole, _) => "is refused: nothing is registered for it".to_owned(),
        (OutcomeKind::Fault, _) => "is ended by a fault of a rule".to_owned(),
        (OutcomeKind::DirectResponse, _) => "is answered by a rule".to_owned(),
        (OutcomeKind::Redirect, _) => format!(
            "is sent to {}",
            answer.outcome.location.as_deref().unwrap_or_default()
        ),
        (OutcomeKind::NotFound, _) => "is refused: no rule is for it".to_owned(),
        (OutcomeKind::NoListener, _) => "is refused: no Gateway opens this port here".to_owned(),
        (OutcomeKind::NoChain, _) => {
            "is closed: no server or rule of this port is for it".to_owned()
        }
        (OutcomeKind::BadRequest, _) => {
            "is refused: it is no proper request for this port".to_owned()
        }
    };
    let code = answer.outcome.status.map(|status| format!(" {status}"));
    let flags = &answer.outcome.flags;
    let flags = (!flags.is_empty()).then(|| format!(" {flags}"));
    format!(
        "{}{}{}: {what} {becomes}",
        answer.outcome.kind.name(),
        code.unwrap_or_default(),
        flags.unwrap_or_default()
    )
}

fn facts(answer: &Answer) -> Vec<String> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.push(format!("{name}: {value}"));
        }
    };
    let outcome = &answer.outcome;
    fact(
        "virtual host",
        outcome.virtual_host.as_deref().map(str::to_owned),
    );
    fact("route", outcome.route.as_deref().map(str::to_owned));
    fact("path sent", outcome.rewrites.path.clone());
    fact("authority sent", outcome.rewrites.authority.clone());
    fact(
        "tls",
        answer.tls.as_ref().map(|tls| {
            let sni = tls.sni.as_deref().unwrap_or("none");
            let verified = match (&tls.ca, &tls.verify_san[..]) {
                (None, _) => "nothing".to_owned(),
                (Some(ca), []) => format!("the chain against {ca}"),
                (Some(ca), names) => format!("{} against {ca}", names.join(" or ")),
            };
            format!("{}, SNI {sni}, verifies {verified}", tls.mode)
        }),
    );
    fact("load balancing", answer.lb.map(str::to_owned));
    fact("timeout", answer.timeout.map(seconds));
    fact(
        "retries",
        answer
            .retries
            .as_ref()
            .map(|retries| format!("{} on {}", retries.attempts, retries.retry_on)),
    );
    for (mirror, percent) in &answer.mirrors {
        fact("mirror", Some(format!("{percent}% to {mirror}")));
    }
    fact("fault", answer.fault.clone());
    facts
}

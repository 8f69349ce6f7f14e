//! `egret-proxy check`: what is wrong with a configuration, as far as it can be told without running it.

mod access_log;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;

use egret_config::lint::lint;
use egret_config::lint::listeners::no_listener;
use egret_config::lint::workloads::{Viewer, workloads};
use egret_config::load;
use egret_config::model::objects::Objects;
use egret_config::name::Kind;
use egret_config::network_policy::network_policy;
use egret_config::problem::{Problem, Severity};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::unenforced::unenforced_somewhere;
use egret_config::snapshot::workload::Mode;
use serde_json::{Value, json};

use crate::source::files::read::Texts;
use crate::source::{files, problem_json};

/// What is checked, and how it is told.
#[derive(Debug)]
pub struct Options {
    /// Where the configuration is.
    pub source: files::Options,
    /// Whether AuthorizationPolicies, which are not enforced, are no errors.
    pub ignore_authorization_policies: bool,
    /// The form of the findings.
    pub output: Output,
}

/// The form of the findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One line each, and a sum.
    Text,
    /// One JSON object.
    Json,
    /// The NetworkPolicy of this namespace instead of the findings.
    NetworkPolicy(String),
}

/// Tells the findings on `out`, and whether there is no error among them.
///
/// # Errors
/// Files that cannot be read, as words.
pub fn run(options: &Options, out: &mut impl Write) -> Result<bool, String> {
    let texts = files::texts(&options.source).map_err(|error| error.to_string())?;
    let (objects, mut findings) = findings(&texts);
    if options.ignore_authorization_policies {
        accept_policies(&mut findings);
    }
    let report = match &options.output {
        Output::Text => text(&objects, &texts, &findings),
        Output::Json => format!("{}\n", value(&findings)),
        Output::NetworkPolicy(namespace) => {
            let policy = network_policy(&objects, namespace);
            match count(&findings, Severity::Error) {
                0 => policy,
                errors => format!(
                    "# What {errors} errors concern is missing here; `egret-proxy check` shows them.\n{policy}"
                ),
            }
        }
    };
    // Whoever reads may have enough: the exit code says the rest.
    let _ = out.write_all(report.as_bytes());
    let _ = out.flush();
    Ok(count(&findings, Severity::Error) == 0)
}

/// Everything that is wrong with a configuration, by file and line.
pub fn findings(texts: &Texts) -> (Objects, Vec<Problem>) {
    let (objects, mut all) = load::load(&texts.objects, texts.mesh_config.as_ref());
    all.extend(texts.skipped.iter().cloned());
    // Whoever checks a folder means that there is something in it.
    all.extend(texts.barren.iter().map(|problem| Problem {
        severity: Severity::Error,
        ..problem.clone()
    }));
    all.extend(of_workloads(&objects));
    all.extend(unenforced_somewhere(&objects));
    all.extend(access_log::unwritable(&objects.mesh));
    let linted = lint(&objects, &all);
    all.extend(linted);
    all.sort_by(|one, other| one.location.cmp(&other.location));
    (objects, all)
}

fn accept_policies(findings: &mut [Problem]) {
    let kind = Kind::AuthorizationPolicy.to_string();
    for problem in findings {
        if problem.object.starts_with(&kind) {
            problem.severity = Severity::Warning;
        }
    }
}

/// What shows only when objects meet, for workloads of every kind. What not all of a kind meet says who does.
fn of_workloads(objects: &Objects) -> Vec<Problem> {
    let workloads = workloads(objects);
    let mut order: Vec<(Problem, Vec<usize>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, viewer) in workloads.iter().enumerate() {
        let (snapshot, mut problems) = Snapshot::build(objects, viewer.workload.clone());
        problems.extend(no_listener(objects, &snapshot));
        for problem in problems {
            let place = *places.entry(problem.to_string()).or_insert_with(|| {
                order.push((problem, Vec::new()));
                order.len() - 1
            });
            if let Some((_, who)) = order.get_mut(place) {
                who.push(at);
            }
        }
    }
    order
        .into_iter()
        .map(|(problem, who)| {
            let who: Vec<&Viewer> = who.iter().filter_map(|at| workloads.get(*at)).collect();
            attributed(problem, &who, &workloads)
        })
        .collect()
}

/// How many workloads one finding names.
const NAMED_MAX: usize = 3;

fn attributed(mut problem: Problem, who: &[&Viewer], all: &[Viewer]) -> Problem {
    let of = |mode: Mode| {
        let of_mode = |one: &&Viewer| one.workload.mode == mode;
        let total = all.iter().filter(of_mode).count();
        let own = who.iter().copied().filter(of_mode).count();
        own > 0 && own < total
    };
    if !of(Mode::Sidecar) && !of(Mode::Gateway) {
        return problem;
    }
    let mut names: Vec<String> = who.iter().take(NAMED_MAX).map(|one| name(one)).collect();
    if who.len() > NAMED_MAX {
        names.push(format!("{} more", who.len() - NAMED_MAX));
    }
    let _ = write!(problem.reason, " (so for {})", names.join(", "));
    problem
}

fn name(viewer: &Viewer) -> String {
    let workload = &viewer.workload;
    let labels: Vec<String> = workload
        .labels
        .0
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let with = match &labels[..] {
        [] => String::new(),
        labels => format!(" with {}", labels.join(",")),
    };
    match workload.mode {
        Mode::Sidecar if viewer.alike > 0 => {
            let (first, others) = (&workload.namespace, viewer.alike);
            format!("sidecars in {first}{with} and in {others} other namespaces")
        }
        Mode::Sidecar => format!("sidecars in {}{with}", workload.namespace),
        Mode::Gateway => format!("the gateway{with}"),
    }
}

fn count(findings: &[Problem], severity: Severity) -> usize {
    findings
        .iter()
        .filter(|problem| problem.severity == severity)
        .count()
}

fn text(objects: &Objects, texts: &Texts, findings: &[Problem]) -> String {
    let mut text = String::new();
    for problem in findings {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {problem}", problem.severity);
    }
    let plural = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    };
    let files = texts.objects.len() + usize::from(texts.mesh_config.is_some());
    let understood: usize = objects.counts.values().sum();
    let _ = writeln!(
        text,
        "{}, {}; {} in {} understood",
        plural(count(findings, Severity::Error), "error"),
        plural(count(findings, Severity::Warning), "warning"),
        plural(understood, "object"),
        plural(files, "file"),
    );
    text
}

fn value(findings: &[Problem]) -> Value {
    json!({
        "errors": count(findings, Severity::Error),
        "warnings": count(findings, Severity::Warning),
        "findings": findings.iter().map(problem_json::json).collect::<Vec<_>>(),
    })
}

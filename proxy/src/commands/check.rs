//! `egret-proxy check`: finds the problems of a configuration without running it.

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

/// What is checked, and the form of the report.
#[derive(Debug)]
pub struct Options {
    /// Where the configuration is.
    pub source: files::Options,
    /// Whether AuthorizationPolicies, which are not enforced, are warnings and not errors.
    pub ignore_authorization_policies: bool,
    /// The form of the report.
    pub output: Output,
}

/// The form of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One line each, and a sum.
    Text,
    /// One JSON object.
    Json,
    /// The NetworkPolicy of this namespace instead of the problems.
    NetworkPolicy(String),
}

/// Writes the report to `out`. Returns whether there is no error.
///
/// # Errors
/// A message about files that cannot be read.
pub fn run(options: &Options, out: &mut impl Write) -> Result<bool, String> {
    let texts = files::texts(&options.source).map_err(|error| error.to_string())?;
    let (objects, mut problems) = problems(&texts);
    if options.ignore_authorization_policies {
        accept_policies(&mut problems);
    }
    let report = match &options.output {
        Output::Text => text(&objects, &texts, &problems),
        Output::Json => format!("{}\n", value(&problems)),
        Output::NetworkPolicy(namespace) => {
            let policy = network_policy(&objects, namespace);
            match count(&problems, Severity::Error) {
                0 => policy,
                errors => format!(
                    "# What {errors} errors concern is missing here; `egret-proxy check` shows them.\n{policy}"
                ),
            }
        }
    };
    // The reader may have closed the pipe. The exit code has the result.
    let _ = out.write_all(report.as_bytes());
    let _ = out.flush();
    Ok(count(&problems, Severity::Error) == 0)
}

/// All problems of a configuration, by file and line.
pub fn problems(texts: &Texts) -> (Objects, Vec<Problem>) {
    let (objects, mut all) = load::load(&texts.objects, texts.mesh_config.as_ref());
    all.extend(texts.skipped.iter().cloned());
    // A folder without objects is an error here: the user expects objects in it.
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

fn accept_policies(problems: &mut [Problem]) {
    let kind = Kind::AuthorizationPolicy.to_string();
    for problem in problems {
        if problem.object.starts_with(&kind) {
            problem.severity = Severity::Warning;
        }
    }
}

/// The problems of combinations of objects, for all kinds of workloads. A problem of only some workloads of a kind names
/// them.
fn of_workloads(objects: &Objects) -> Vec<Problem> {
    let workloads = workloads(objects);
    let mut order: Vec<(Problem, Vec<usize>)> = Vec::new();
    let mut indices: HashMap<String, usize> = HashMap::new();
    for (at, viewer) in workloads.iter().enumerate() {
        let (snapshot, mut problems) = Snapshot::build(objects, viewer.workload.clone());
        problems.extend(no_listener(objects, &snapshot));
        for problem in problems {
            let index = *indices.entry(problem.to_string()).or_insert_with(|| {
                order.push((problem, Vec::new()));
                order.len() - 1
            });
            if let Some((_, affected)) = order.get_mut(index) {
                affected.push(at);
            }
        }
    }
    order
        .into_iter()
        .map(|(problem, affected)| {
            let affected: Vec<&Viewer> = affected
                .iter()
                .filter_map(|at| workloads.get(*at))
                .collect();
            attributed(problem, &affected, &workloads)
        })
        .collect()
}

/// How many workloads one problem names.
const NAMED_MAX: usize = 3;

fn attributed(mut problem: Problem, affected: &[&Viewer], all: &[Viewer]) -> Problem {
    let of = |mode: Mode| {
        let of_mode = |one: &&Viewer| one.workload.mode == mode;
        let total = all.iter().filter(of_mode).count();
        let own = affected.iter().copied().filter(of_mode).count();
        own > 0 && own < total
    };
    if !of(Mode::Sidecar) && !of(Mode::Gateway) {
        return problem;
    }
    let mut names: Vec<String> = affected
        .iter()
        .take(NAMED_MAX)
        .map(|one| name(one))
        .collect();
    if affected.len() > NAMED_MAX {
        names.push(format!("{} more", affected.len() - NAMED_MAX));
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

fn count(problems: &[Problem], severity: Severity) -> usize {
    problems
        .iter()
        .filter(|problem| problem.severity == severity)
        .count()
}

fn text(objects: &Objects, texts: &Texts, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {problem}", problem.severity);
    }
    let plural = |number: usize, noun: &str| match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    };
    let files = texts.objects.len() + usize::from(texts.mesh_config.is_some());
    let understood: usize = objects.counts.values().sum();
    let _ = writeln!(
        text,
        "{}, {}; {} in {} understood",
        plural(count(problems, Severity::Error), "error"),
        plural(count(problems, Severity::Warning), "warning"),
        plural(understood, "object"),
        plural(files, "file"),
    );
    text
}

fn value(problems: &[Problem]) -> Value {
    json!({
        "errors": count(problems, Severity::Error),
        "warnings": count(problems, Severity::Warning),
        "findings": problems.iter().map(problem_json::json).collect::<Vec<_>>(),
    })
}

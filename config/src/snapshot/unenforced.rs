//! AuthorizationPolicies that Istio would enforce at a workload and egret does not.

use crate::model::authorization::AuthorizationPolicy;
use crate::model::objects::Objects;
use crate::problem::{Problem, Severity};
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::workload::Workload;

/// A problem for each policy that applies to `workload`: an error when calls may pass that the policy refuses, a warning
/// when the policy only records.
pub fn unenforced(objects: &Objects, workload: &Workload) -> Vec<Problem> {
    let root = &objects.mesh.root_namespace;
    let policies = objects.authorization_policies.iter();
    policies
        .filter(|policy| policy.applies_to(&workload.namespace, &workload.labels, root))
        .map(|policy| problem(policy))
        .collect()
}

/// A problem for each policy that applies to some sidecar or gateway, whichever that is.
pub fn unenforced_somewhere(objects: &Objects) -> Vec<Problem> {
    let policies = objects.authorization_policies.iter();
    policies
        .filter(|policy| policy.applies_somewhere())
        .map(|policy| problem(policy))
        .collect()
}

fn problem(policy: &AuthorizationPolicy) -> Problem {
    Problem {
        severity: match policy.refuses {
            true => Severity::Error,
            false => Severity::Warning,
        },
        reason: match policy.refuses {
            true => "authorization policies are not enforced: calls that it refuses would pass",
            false => "authorization policies are not enforced: it records nothing",
        }
        .to_owned(),
        hint: "remove it, let it select other workloads, or accept that with --ignore-authorization-policies"
            .to_owned(),
        ..ProblemSet::warning(&policy.meta)
    }
}

#[cfg(test)]
mod tests;

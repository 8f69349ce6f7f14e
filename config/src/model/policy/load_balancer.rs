//! `loadBalancer` of a traffic policy: how an endpoint is picked.

use crate::model::policy::consistent_hash::{self, ConsistentHash};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::destination_rule as wire;

/// How an endpoint is picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LoadBalancer {
    /// `LEAST_REQUEST`, Istio's default: the less busy of two random ones.
    #[default]
    LeastRequest,
    /// `ROUND_ROBIN`.
    RoundRobin,
    /// `RANDOM`.
    Random,
    /// `PASSTHROUGH`: connect to the original destination.
    Passthrough,
    /// `consistentHash`.
    ConsistentHash(ConsistentHash),
}

/// Reads `loadBalancer`.
pub(crate) fn parse(
    wire: Option<&wire::LoadBalancer>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<LoadBalancer> {
    let wire = wire?;
    diagnostics.within("loadBalancer", |diagnostics| {
        if wire.simple.is_some() && wire.consistent_hash.is_some() {
            diagnostics.error(
                "consistentHash",
                NO_VALUE,
                "only one of simple and consistentHash",
            );
        }
        if let Some(hash) = &wire.consistent_hash {
            return diagnostics
                .within("consistentHash", |diagnostics| {
                    consistent_hash::parse(hash, diagnostics)
                })
                .map(LoadBalancer::ConsistentHash);
        }
        let at = match wire.simple.as_deref().unwrap_or_default() {
            "" | "UNSPECIFIED" | "LEAST_REQUEST" => LoadBalancer::LeastRequest,
            "LEAST_CONN" => {
                diagnostics.warn(
                    "simple",
                    "LEAST_CONN",
                    ("the old name", "write LEAST_REQUEST"),
                );
                LoadBalancer::LeastRequest
            }
            "ROUND_ROBIN" => LoadBalancer::RoundRobin,
            "RANDOM" => LoadBalancer::Random,
            "PASSTHROUGH" => LoadBalancer::Passthrough,
            other => {
                diagnostics.error(
                    "simple",
                    other,
                    "expected one of LEAST_REQUEST, ROUND_ROBIN, RANDOM, PASSTHROUGH",
                );
                return None;
            }
        };
        Some(at)
    })
}

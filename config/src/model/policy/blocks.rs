//! The blocks of a traffic policy, read: `loadBalancer`, `connectionPool`, `outlierDetection`.

use std::time::Duration;

use crate::model::policy::types::{
    ConnectionPool, Keepalive, LoadBalancer, Locality, OutlierDetection, RetryBudget, Warmup,
};
use crate::model::policy::{hashing, localities};
use crate::model::read;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::{destination_rule as wire, shared};

/// Reads `loadBalancer`.
pub(crate) fn load_balancer(
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
                    hashing::consistent_hash(hash, diagnostics)
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

/// Reads `warmup`, else its old form, `warmupDurationSecs`.
pub(crate) fn warmup(
    wire: &wire::LoadBalancer,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Warmup> {
    let usual = |duration| Warmup {
        duration,
        percent_min: 10.0,
        aggression: 1.0,
    };
    let old = wire.warmup_duration_secs.as_ref();
    let old = read::positive_duration(diagnostics, "warmupDurationSecs", old).map(usual);
    let read = match &wire.warmup {
        None => old,
        Some(warmup) => diagnostics.within("warmup", |diagnostics| {
            if warmup.duration.is_none() {
                diagnostics.error("duration", NO_VALUE, "required");
            }
            let mut read =
                read::positive_duration(diagnostics, "duration", warmup.duration.as_ref())
                    .map(usual)?;
            if let Some(percent) = warmup.minimum_percent {
                if !(0.0..=100.0).contains(&percent) {
                    diagnostics.error("minimumPercent", percent, "expected 100 at most");
                }
                read.percent_min = percent;
            }
            if let Some(aggression) = warmup.aggression {
                if aggression.is_nan() || aggression < 1.0 {
                    diagnostics.error("aggression", aggression, "expected 1 at least");
                }
                read.aggression = aggression;
            }
            Some(read)
        }),
    };
    let simple = wire.simple.as_deref().unwrap_or_default();
    let idle = wire.consistent_hash.is_some() || matches!(simple, "RANDOM" | "PASSTHROUGH");
    if read.is_some() && idle {
        let what = (
            "has an effect with ROUND_ROBIN and LEAST_REQUEST only",
            "leave it out",
        );
        diagnostics.warn("warmup", NO_VALUE, what);
    }
    read
}

/// Reads a `localityLbSetting`.
pub(crate) fn locality(
    wire: Option<&shared::LocalityLbSetting>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Locality> {
    let wire = wire?;
    localities::check(wire, diagnostics);
    let distribute = wire.distribute.iter().map(|wire| {
        let to = wire.to.iter();
        let to = to.map(|(locality, share)| (locality.as_str().into(), *share));
        (wire.from.as_str().into(), to.collect())
    });
    let failover = wire.failover.iter();
    let labels = wire.failover_priority.iter();
    Some(Locality {
        enabled: wire.enabled,
        distribute: distribute.collect(),
        failover: failover
            .map(|wire| (wire.from.as_str().into(), wire.to.as_str().into()))
            .collect(),
        priority_labels: labels.map(|label| label.as_str().into()).collect(),
    })
}

/// Reads `retryBudget`.
pub(crate) fn retry_budget(
    wire: Option<&wire::RetryBudget>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<RetryBudget> {
    let wire = wire?;
    let percent = wire.percent.unwrap_or(20.0);
    if !(0.0..=100.0).contains(&percent) {
        diagnostics.error(
            "retryBudget.percent",
            percent,
            "expected a percentage from 0 to 100",
        );
    }
    Some(RetryBudget {
        percent,
        retries_min: match wire.min_retry_concurrency {
            0 => 3,
            min => min,
        },
    })
}

/// Reads `connectionPool`.
pub(crate) fn connection_pool(
    wire: Option<&wire::ConnectionPool>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<ConnectionPool> {
    let wire = wire?;
    Some(diagnostics.within("connectionPool", |diagnostics| pool(wire, diagnostics)))
}

/// Reads what stands in a `connectionPool`, whatever the field is called.
pub(crate) fn pool(
    wire: &wire::ConnectionPool,
    diagnostics: &mut Diagnostics<'_>,
) -> ConnectionPool {
    if wire.tcp.is_none() && wire.http.is_none() {
        let what = (
            "one of tcp and http is required",
            "leave the empty block out",
        );
        diagnostics.error("", NO_VALUE, what);
    }
    let mut pool = ConnectionPool::default();
    if let Some(tcp) = &wire.tcp {
        diagnostics.within("tcp", |diagnostics| fill_tcp(&mut pool, tcp, diagnostics));
    }
    if let Some(http) = &wire.http {
        diagnostics.within("http", |diagnostics| {
            fill_http(&mut pool, http, diagnostics)
        });
    }
    pool
}

fn fill_tcp(pool: &mut ConnectionPool, wire: &wire::TcpPool, diagnostics: &mut Diagnostics<'_>) {
    pool.connections_max = read::limit(diagnostics, "maxConnections", wire.max_connections);
    pool.connect_timeout =
        read::positive_duration(diagnostics, "connectTimeout", wire.connect_timeout.as_ref());
    pool.tcp_idle_timeout = read::duration(diagnostics, "idleTimeout", wire.idle_timeout.as_ref());
    pool.connection_duration_max = read::positive_duration(
        diagnostics,
        "maxConnectionDuration",
        wire.max_connection_duration.as_ref(),
    );
    pool.keepalive = keepalive(wire.tcp_keepalive.as_ref(), diagnostics);
}

/// Reads `tcpKeepalive`.
pub(crate) fn keepalive(
    wire: Option<&shared::TcpKeepalive>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Keepalive> {
    let wire = wire?;
    Some(diagnostics.within("tcpKeepalive", |diagnostics| Keepalive {
        probes: (wire.probes > 0).then_some(wire.probes),
        time: read::positive_duration(diagnostics, "time", wire.time.as_ref()),
        interval: read::positive_duration(diagnostics, "interval", wire.interval.as_ref()),
    }))
}

fn fill_http(pool: &mut ConnectionPool, wire: &wire::HttpPool, diagnostics: &mut Diagnostics<'_>) {
    pool.pending_max = read::limit(
        diagnostics,
        "http1MaxPendingRequests",
        wire.http1_max_pending_requests,
    );
    pool.requests_max = read::limit(diagnostics, "http2MaxRequests", wire.http2_max_requests);
    pool.requests_per_connection_max = read::limit(
        diagnostics,
        "maxRequestsPerConnection",
        wire.max_requests_per_connection,
    );
    pool.retries_max = read::limit(diagnostics, "maxRetries", wire.max_retries);
    pool.http_idle_timeout =
        read::positive_duration(diagnostics, "idleTimeout", wire.idle_timeout.as_ref());
    pool.streams_max = read::limit(
        diagnostics,
        "maxConcurrentStreams",
        wire.max_concurrent_streams,
    );
    let policies = [
        ("DEFAULT", None),
        ("DO_NOT_UPGRADE", Some(false)),
        ("UPGRADE", Some(true)),
    ];
    pool.h2_upgrade = read::word(
        diagnostics,
        "h2UpgradePolicy",
        &wire.h2_upgrade_policy,
        &policies,
    )
    .flatten();
    pool.use_client_protocol = wire.use_client_protocol;
    if pool.use_client_protocol && pool.h2_upgrade == Some(true) {
        diagnostics.error(
            "useClientProtocol",
            true,
            "contradicts h2UpgradePolicy UPGRADE",
        );
    }
}

/// Reads `outlierDetection`.
pub(crate) fn outlier_detection(
    wire: Option<&wire::OutlierDetection>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<OutlierDetection> {
    let wire = wire?;
    diagnostics.within("outlierDetection", |diagnostics| {
        let mut gateway_errors = wire.consecutive_gateway_errors;
        if wire.consecutive_errors != 0 {
            diagnostics.warn(
                "consecutiveErrors",
                wire.consecutive_errors,
                (
                    "the old form",
                    "write consecutiveGatewayErrors or consecutive5xxErrors",
                ),
            );
            gateway_errors = gateway_errors.or(u32::try_from(wire.consecutive_errors).ok());
        }
        let local = wire.consecutive_local_origin_failures.unwrap_or(0);
        if local > 0 && !wire.split_external_local_origin_errors {
            diagnostics.error(
                "consecutiveLocalOriginFailures",
                local,
                "needs splitExternalLocalOriginErrors: true",
            );
        }
        let mut percent = |part, number: i32| match u32::try_from(number) {
            Ok(percent) if percent <= 100 => percent,
            _ => {
                diagnostics.error(part, number, "expected a percentage from 0 to 100");
                0
            }
        };
        let ejected = percent("maxEjectionPercent", wire.max_ejection_percent);
        let healthy = percent("minHealthPercent", wire.min_health_percent);
        let codes = &wire.outlier_detection_http_error_codes;
        let statuses = diagnostics.each(
            "outlierDetectionHttpErrorCodes",
            codes,
            |diagnostics, code| {
                let status = u16::try_from(*code).ok();
                let status = status.filter(|status| (100..=599).contains(status));
                if status.is_none() {
                    diagnostics.error("", code, "expected a status from 100 to 599");
                }
                status
            },
        );
        let interval = read::positive_duration(diagnostics, "interval", wire.interval.as_ref());
        let ejection = read::positive_duration(
            diagnostics,
            "baseEjectionTime",
            wire.base_ejection_time.as_ref(),
        );
        Some(OutlierDetection {
            consecutive_5xx: wire.consecutive_5xx_errors.unwrap_or(5),
            consecutive_gateway_errors: gateway_errors.unwrap_or(0),
            consecutive_local_failures: wire
                .split_external_local_origin_errors
                .then(|| wire.consecutive_local_origin_failures.unwrap_or(5)),
            error_statuses: statuses,
            interval: interval.unwrap_or(Duration::from_secs(10)),
            base_ejection_time: ejection.unwrap_or(Duration::from_secs(30)),
            ejection_percent_max: if ejected == 0 { 10 } else { ejected },
            health_percent_min: healthy,
        })
    })
}

//! The blocks of a traffic policy, read: `loadBalancer`, `connectionPool`, `outlierDetection`.

use std::time::Duration;

use crate::model::policy::ConnectionPool;
use crate::model::policy::Keepalive;
use crate::model::policy::LoadBalancer;
use crate::model::policy::Locality;
use crate::model::policy::OutlierDetection;
use crate::model::policy::RetryBudget;
use crate::model::policy::Warmup;
use crate::model::policy::hashing;
use crate::model::policy::localities;
use crate::model::read;
use crate::problem::NO_VALUE;
use crate::problem::Review;
use crate::wire::destination_rule as wire;
use crate::wire::shared;

/// Reads `loadBalancer`.
pub(crate) fn load_balancer(
    wire: Option<&wire::LoadBalancer>,
    review: &mut Review<'_>,
) -> Option<LoadBalancer> {
    let wire = wire?;
    review.within("loadBalancer", |review| {
        if wire.simple.is_some() && wire.consistent_hash.is_some() {
            review.error(
                "consistentHash",
                NO_VALUE,
                "only one of simple and consistentHash",
            );
        }
        if let Some(hash) = &wire.consistent_hash {
            return review
                .within("consistentHash", |review| {
                    hashing::consistent_hash(hash, review)
                })
                .map(LoadBalancer::ConsistentHash);
        }
        let at = match wire.simple.as_deref().unwrap_or_default() {
            "" | "UNSPECIFIED" | "LEAST_REQUEST" => LoadBalancer::LeastRequest,
            "LEAST_CONN" => {
                review.warn(
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
                review.error(
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
pub(crate) fn warmup(wire: &wire::LoadBalancer, review: &mut Review<'_>) -> Option<Warmup> {
    let usual = |duration| Warmup {
        duration,
        percent_min: 10.0,
        aggression: 1.0,
    };
    let old = wire.warmup_duration_secs.as_ref();
    let old = read::positive_duration(review, "warmupDurationSecs", old).map(usual);
    let read = match &wire.warmup {
        None => old,
        Some(warmup) => review.within("warmup", |review| {
            if warmup.duration.is_none() {
                review.error("duration", NO_VALUE, "required");
            }
            let mut read =
                read::positive_duration(review, "duration", warmup.duration.as_ref()).map(usual)?;
            if let Some(percent) = warmup.minimum_percent {
                if !(0.0..=100.0).contains(&percent) {
                    review.error("minimumPercent", percent, "expected 100 at most");
                }
                read.percent_min = percent;
            }
            if let Some(aggression) = warmup.aggression {
                if aggression.is_nan() || aggression < 1.0 {
                    review.error("aggression", aggression, "expected 1 at least");
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
        review.warn("warmup", NO_VALUE, what);
    }
    read
}

/// Reads a `localityLbSetting`.
pub(crate) fn locality(
    wire: Option<&shared::LocalityLbSetting>,
    review: &mut Review<'_>,
) -> Option<Locality> {
    let wire = wire?;
    localities::check(wire, review);
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
    review: &mut Review<'_>,
) -> Option<RetryBudget> {
    let wire = wire?;
    let percent = wire.percent.unwrap_or(20.0);
    if !(0.0..=100.0).contains(&percent) {
        review.error(
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
    review: &mut Review<'_>,
) -> Option<ConnectionPool> {
    let wire = wire?;
    Some(review.within("connectionPool", |review| pool(wire, review)))
}

/// Reads what stands in a `connectionPool`, whatever the field is called.
pub(crate) fn pool(wire: &wire::ConnectionPool, review: &mut Review<'_>) -> ConnectionPool {
    if wire.tcp.is_none() && wire.http.is_none() {
        let what = (
            "one of tcp and http is required",
            "leave the empty block out",
        );
        review.error("", NO_VALUE, what);
    }
    let mut pool = ConnectionPool::default();
    if let Some(tcp) = &wire.tcp {
        review.within("tcp", |review| fill_tcp(&mut pool, tcp, review));
    }
    if let Some(http) = &wire.http {
        review.within("http", |review| fill_http(&mut pool, http, review));
    }
    pool
}

fn fill_tcp(pool: &mut ConnectionPool, wire: &wire::TcpPool, review: &mut Review<'_>) {
    pool.connections_max = read::limit(review, "maxConnections", wire.max_connections);
    pool.connect_timeout =
        read::positive_duration(review, "connectTimeout", wire.connect_timeout.as_ref());
    pool.tcp_idle_timeout = read::duration(review, "idleTimeout", wire.idle_timeout.as_ref());
    pool.connection_duration_max = read::positive_duration(
        review,
        "maxConnectionDuration",
        wire.max_connection_duration.as_ref(),
    );
    pool.keepalive = keepalive(wire.tcp_keepalive.as_ref(), review);
}

/// Reads `tcpKeepalive`.
pub(crate) fn keepalive(
    wire: Option<&shared::TcpKeepalive>,
    review: &mut Review<'_>,
) -> Option<Keepalive> {
    let wire = wire?;
    Some(review.within("tcpKeepalive", |review| Keepalive {
        probes: (wire.probes > 0).then_some(wire.probes),
        time: read::positive_duration(review, "time", wire.time.as_ref()),
        interval: read::positive_duration(review, "interval", wire.interval.as_ref()),
    }))
}

fn fill_http(pool: &mut ConnectionPool, wire: &wire::HttpPool, review: &mut Review<'_>) {
    pool.pending_max = read::limit(
        review,
        "http1MaxPendingRequests",
        wire.http1_max_pending_requests,
    );
    pool.requests_max = read::limit(review, "http2MaxRequests", wire.http2_max_requests);
    pool.requests_per_connection_max = read::limit(
        review,
        "maxRequestsPerConnection",
        wire.max_requests_per_connection,
    );
    pool.retries_max = read::limit(review, "maxRetries", wire.max_retries);
    pool.http_idle_timeout =
        read::positive_duration(review, "idleTimeout", wire.idle_timeout.as_ref());
    pool.streams_max = read::limit(review, "maxConcurrentStreams", wire.max_concurrent_streams);
    let policies = [
        ("DEFAULT", None),
        ("DO_NOT_UPGRADE", Some(false)),
        ("UPGRADE", Some(true)),
    ];
    pool.h2_upgrade = read::word(
        review,
        "h2UpgradePolicy",
        &wire.h2_upgrade_policy,
        &policies,
    )
    .flatten();
    pool.use_client_protocol = wire.use_client_protocol;
    if pool.use_client_protocol && pool.h2_upgrade == Some(true) {
        review.error(
            "useClientProtocol",
            true,
            "contradicts h2UpgradePolicy UPGRADE",
        );
    }
}

/// Reads `outlierDetection`.
pub(crate) fn outlier_detection(
    wire: Option<&wire::OutlierDetection>,
    review: &mut Review<'_>,
) -> Option<OutlierDetection> {
    let wire = wire?;
    review.within("outlierDetection", |review| {
        let mut gateway_errors = wire.consecutive_gateway_errors;
        if wire.consecutive_errors != 0 {
            review.warn(
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
            review.error(
                "consecutiveLocalOriginFailures",
                local,
                "needs splitExternalLocalOriginErrors: true",
            );
        }
        let mut percent = |part, number: i32| match u32::try_from(number) {
            Ok(percent) if percent <= 100 => percent,
            _ => {
                review.error(part, number, "expected a percentage from 0 to 100");
                0
            }
        };
        let ejected = percent("maxEjectionPercent", wire.max_ejection_percent);
        let healthy = percent("minHealthPercent", wire.min_health_percent);
        let interval = read::positive_duration(review, "interval", wire.interval.as_ref());
        let ejection =
            read::positive_duration(review, "baseEjectionTime", wire.base_ejection_time.as_ref());
        Some(OutlierDetection {
            consecutive_5xx: wire.consecutive_5xx_errors.unwrap_or(5),
            consecutive_gateway_errors: gateway_errors.unwrap_or(0),
            consecutive_local_failures: wire
                .split_external_local_origin_errors
                .then(|| wire.consecutive_local_origin_failures.unwrap_or(5)),
            interval: interval.unwrap_or(Duration::from_secs(10)),
            base_ejection_time: ejection.unwrap_or(Duration::from_secs(30)),
            ejection_percent_max: if ejected == 0 { 10 } else { ejected },
            health_percent_min: healthy,
        })
    })
}

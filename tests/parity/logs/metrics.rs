//! What both proxies count of the same calls, under Envoy's names.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use egret_tests::netns::Host;
use egret_tests::scrape;

use crate::compare::Facts;

/// The admin address of both.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15000);

/// The families that are compared, without `envoy_`.
const FAMILIES: &[&str] = &[
    "cluster_upstream_cx_connect_fail",
    "cluster_upstream_cx_connect_timeout",
    "cluster_upstream_cx_overflow",
    "cluster_upstream_rq_total",
    "cluster_upstream_rq_completed",
    "cluster_upstream_rq_retry",
    "cluster_upstream_rq_retry_success",
    "cluster_upstream_rq_timeout",
    "cluster_upstream_rq_pending_overflow",
    "cluster_upstream_rq_tx_reset",
    "cluster_upstream_rq_rx_reset",
    "cluster_upstream_rq_active",
    "cluster_upstream_rq_pending_active",
    "cluster_membership_total",
    "cluster_membership_healthy",
    "cluster_upstream_rq",
    "cluster_upstream_rq_time_count",
    "listener_downstream_cx_total",
    "listener_http_downstream_rq",
    "listener_no_filter_chain_match",
    "http_downstream_rq_total",
    "http_downstream_rq",
    "http_downstream_rq_active",
    "http_downstream_cx_total",
    "server_live",
    "server_state",
];

/// The figures of one proxy by series, those that are 0 left out.
pub(super) fn figures(pod: &Host) -> anyhow::Result<Facts> {
    let page = scrape::get(pod, ADMIN, "/stats/prometheus")?;
    let mut sums = BTreeMap::new();
    for line in page.body.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let Some(name) = name.strip_prefix("envoy_") else {
            continue;
        };
        let (name, labels) = (name.trim_end_matches("_xx"), usual(labels));
        let value: f64 = value.parse()?;
        if FAMILIES.contains(&name) && value != 0.0 {
            *sums.entry(format!("{name} {labels}")).or_insert(0.0) += value;
        }
    }
    let text = |(series, sum): (String, f64)| (series, sum.to_string());
    Ok(sums.into_iter().map(text).collect())
}

/// Labels as Istio's tags make them, in order.
fn usual(labels: &str) -> String {
    let labels = labels.trim_end_matches('}').split("\",");
    let mut usual: Vec<String> = labels
        .filter(|label| !label.is_empty())
        .map(|label| {
            let (name, value) = label.split_once("=\"").unwrap_or((label, ""));
            let name = name.trim_start_matches(',').trim_start_matches("envoy_");
            let mut value = value.trim_end_matches('"').to_owned();
            if name == "response_code_class" && value.len() == 1 {
                value.push_str("xx");
            }
            format!("{name}={value}")
        })
        .collect();
    usual.sort();
    usual.join(" ")
}

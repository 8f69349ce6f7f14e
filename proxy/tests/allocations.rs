//! What each HTTP request passes through allocates nothing where nothing is to be changed or told.

use std::sync::Arc;

use allocation_counter::measure;
use egret_config::address::EndpointAddress;
use egret_config::decide::normalize::NormalizedRequest;
use egret_config::decide::outcome::OutcomeKind;
use egret_config::decide::verdict::RouteName;
use egret_config::model::objects::Objects;
use egret_config::model::tls::Hashed;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::DestinationService;
use egret_config::snapshot::workload::{Mode, Workload};
use egret_proxy::current::Current;
use egret_proxy::http::headers;
use egret_proxy::report::access_log::AccessLog;
use egret_proxy::report::facts::{CallProtocol, Facts};
use egret_proxy::report::metrics::identity::Identity;
use egret_proxy::report::metrics::registry::Metrics;
use egret_proxy::report::reporter::{Reporter, Sink};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri};

/// A head with room for the headers that a proxy puts in, as a reader of heads leaves it.
fn head(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(20);
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn allocations(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

#[test]
fn the_number_of_an_attempt_costs_nothing() {
    let mut request = head(&[("host", "a.test")]);
    assert_eq!(allocations(|| headers::count_attempt(&mut request, 1)), 0);
}

#[test]
fn the_id_of_a_request_is_shared_from_the_start() {
    // Chance is seeded once a thread.
    let first = headers::new_request_id();
    let (mut made, mut told) = (None, None);
    let count = allocations(|| {
        made = headers::new_request_id();
        told.clone_from(&made);
    });
    assert_eq!(count, 1);
    assert_ne!(told, first);
    assert_eq!(told.map(|id| id.len()), Some(36));
}

#[test]
fn facts_are_filled_without_allocating() {
    let log: Arc<dyn Sink> = Arc::new(AccessLog::new(false));
    let reporter = Reporter::new([log]);
    // Texts that are shared already, as those are that hyper reads.
    let request = Request::get(Uri::from_static("http://a.test/path?query"))
        .header("user-agent", HeaderValue::from_static("curl/8.5.0"))
        .header("x-request-id", HeaderValue::from_static("5f0a"))
        .body(())
        .expect("request");
    let (parts, ()) = request.clone().into_parts();
    let normalized = NormalizedRequest {
        parts,
        authority: HeaderValue::from_static("a.test"),
        path: PathAndQuery::from_static("/path?query"),
        upgrade: None,
    };
    let count = allocations(|| {
        let mut facts = reporter.begin();
        facts.set_request(&request);
        facts.set_normalized(&normalized);
        facts.decision.route = Some(RouteName::BuiltIn("allow_any"));
        facts.set_reasons(&"a reason");
        facts
            .attempts
            .begin(EndpointAddress::Ip(([192, 0, 2, 1], 80).into()));
        facts.end();
    });
    assert_eq!(count, 0);
}

/// A routed request and one that passes to a host that nobody knows: the first of each makes its series.
#[test]
fn calls_are_counted_without_allocating() {
    let (snapshot, _) = Snapshot::build(&Objects::default(), Workload::new(Mode::Sidecar, "a"));
    let current = Arc::new(Current::new(snapshot));
    let metrics = Metrics::new(Mode::Sidecar, Identity::unknown(), current);
    let shard = metrics.shard();
    let facts = |service: Option<DestinationService>, verdict| {
        let mut facts = Facts::begin();
        let request = Request::get("/").header("host", "a.test").body(());
        facts.set_request(&request.expect("request"));
        facts.protocol = CallProtocol::Http;
        facts.decision.verdict = Some(verdict);
        facts.decision.service = service.map(Hashed::new);
        facts
    };
    let service = DestinationService {
        host: "a.test".into(),
        name: "a.test".into(),
        namespace: "a".into(),
    };
    for facts in [
        facts(Some(service), OutcomeKind::Route),
        facts(None, OutcomeKind::Passthrough),
        facts(None, OutcomeKind::Blackhole),
    ] {
        shard.report(&facts);
        assert_eq!(allocations(|| shard.report(&facts)), 0, "{facts:?}");
    }
}

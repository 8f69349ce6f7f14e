use std::sync::Arc;
use std::time::Duration;

use egret_config::address::{EndpointAddress, LocalAddress};
use egret_config::decide::flag::{Flag, Flags};
use egret_config::decide::outcome::OutcomeKind;
use egret_config::load::{Text, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};
use http::{Request, StatusCode};
use tokio::time::{Instant, advance};

use super::*;
use crate::current::Current;
use crate::report::facts::{CallProtocol, Facts};
use crate::report::reporter::Sink;

/// A host with an address, which captured DNS queries are answered with.
const CONFIGURATION: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: known, namespace: shop}
spec:
  hosts: [known.test]
  addresses: [192.0.2.7]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 6379, name: tcp, protocol: TCP}]
  endpoints: [{address: 10.0.0.1}]
";

const CLUSTER: &str = "outbound|80||known.test";

fn current() -> Arc<Current> {
    let text = Text {
        file: "test.yaml".into(),
        bytes: CONFIGURATION.into(),
    };
    let (objects, _) = load(&[text], None);
    let workload = Workload {
        dns_capture: true,
        ..Workload::new(Mode::Sidecar, "shop")
    };
    let (snapshot, _) = Snapshot::build(&objects, workload);
    assert!(snapshot.clusters.contains_key(CLUSTER));
    Arc::new(Current::new(snapshot))
}

fn destinations() -> Destinations {
    Destinations::new(current())
}

fn request(host: &str, verdict: OutcomeKind) -> Facts {
    let mut facts = Facts::begin();
    facts.protocol = CallProtocol::Http;
    facts.downstream.local_address = Some(LocalAddress(([192, 0, 2, 1], 80).into()));
    let request = Request::get("/").header("host", host);
    facts.set_request(&request.body(()).expect("a request"));
    facts.decision.verdict = Some(verdict);
    facts
}

fn stream(sni: Option<&str>, verdict: OutcomeKind) -> Facts {
    let mut facts = Facts::begin();
    facts.protocol = match sni {
        Some(_) => CallProtocol::Tls,
        None => CallProtocol::Tcp,
    };
    facts.downstream.local_address = Some(LocalAddress(([192, 0, 2, 1], 443).into()));
    facts.downstream.requested_server_name = sni.map(Arc::from);
    facts.decision.verdict = Some(verdict);
    facts
}

/// A call from its decision to its end.
fn call(shard: &DestinationShard, mut facts: Facts) {
    begin(shard, &mut facts);
    shard.report(&facts);
}

fn begin(shard: &DestinationShard, facts: &mut Facts) {
    facts.destination_row = shard.decided(facts, &"policy=REGISTRY_ONLY from MeshConfig");
}

fn only(destinations: &Destinations) -> Destination {
    let mut all = destinations.listing().destinations;
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[test]
fn a_destination_is_a_name_or_address_with_port_protocol_and_verdict() {
    use OutcomeKind::*;
    let destinations = destinations();
    let shard = destinations.shard();
    let mut nameless = request("x", Route);
    nameless.request.authority = None;
    let mut other_port = stream(Some("a.test"), Route);
    other_port.downstream.local_address = Some(LocalAddress(([192, 0, 2, 9], 8443).into()));
    let mut by_dns = stream(None, Route);
    by_dns.downstream.local_address = Some(LocalAddress(([192, 0, 2, 7], 6379).into()));
    for facts in [
        request("A.test:80", Route),
        request("a.test", Route),
        request("a.test", Blackhole),
        stream(Some("a.test"), Route),
        other_port,
        stream(None, Passthrough),
        nameless,
        by_dns,
    ] {
        call(&shard, facts);
    }
    let found = destinations.listing().destinations;
    let found: Vec<_> = found
        .iter()
        .map(|row| {
            let key = &row.key;
            let name = key.name.as_deref().unwrap_or("-");
            (name, key.named_by.name(), key.port, key.verdict, row.calls)
        })
        .collect();
    let expected = [
        ("a.test", "host", 80, Route, 2),
        ("a.test", "host", 80, Blackhole, 1),
        ("a.test", "sni", 443, Route, 1),
        ("a.test", "sni", 8443, Route, 1),
        ("-", "none", 443, Passthrough, 1),
        ("-", "none", 80, Route, 1),
        ("known.test", "dns", 6379, Route, 1),
    ];
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn a_call_counts_from_its_decision_on_and_in_full_at_its_end() {
    let destinations = destinations();
    let shard = destinations.shard();
    let mut facts = request("known.test", OutcomeKind::Route);
    begin(&shard, &mut facts);
    let row = only(&destinations);
    assert_eq!((row.calls, row.active, row.failed), (1, 1, 0));
    assert_eq!(row.latencies.quantile(0.5), None);
    facts.decision.cluster = Some(CLUSTER.into());
    facts
        .attempts
        .begin(EndpointAddress::Ip(([10, 0, 0, 1], 80).into()));
    (facts.bytes_received, facts.bytes_sent) = (7, 11);
    facts.response.code = Some(StatusCode::BAD_GATEWAY);
    advance(Duration::from_millis(100)).await;
    shard.report(&facts);
    let row = only(&destinations);
    assert_eq!((row.calls, row.active, row.failed), (1, 0, 0));
    assert_eq!((row.received, row.sent), (7, 11));
    assert_eq!(row.cluster.as_deref(), Some(CLUSTER));
    assert_eq!(row.object.as_deref(), Some("ServiceEntry shop/known"));
    let endpoint = RowAddress::Ip([10, 0, 0, 1].into());
    assert_eq!(row.address, Some(endpoint));
    let latency = Some(Duration::from_millis(100));
    assert_eq!(row.latencies.quantile(0.99), latency);
    let lasted = row.last.duration_since(row.first).expect("last is later");
    assert_eq!(lasted, Duration::from_millis(100));
}

#[test]
fn a_failure_is_one_of_allowed_calls_alone() {
    let destinations = destinations();
    let shard = destinations.shard();
    for (verdict, flags, failed) in [
        (OutcomeKind::Route, Flags::of([Flag::UF]), 1),
        (OutcomeKind::Route, Flags::of([Flag::DI]), 1),
        (OutcomeKind::Route, Flags::default(), 1),
        (OutcomeKind::Route, Flags::of([Flag::DI, Flag::UT]), 2),
        (OutcomeKind::NotFound, Flags::of([Flag::NR]), 0),
        (OutcomeKind::Blackhole, Flags::of([Flag::UH]), 0),
    ] {
        let mut facts = request("a.test", verdict);
        facts.flags = flags;
        call(&shard, facts);
        let rows = destinations.listing().destinations;
        let row = rows.iter().find(|row| row.verdict() == verdict);
        assert_eq!(row.expect("a row").failed, failed, "{verdict:?}");
    }
}

#[test]
fn bytes_of_a_stream_grow_while_it_is_open_and_count_once() {
    let destinations = destinations();
    let shard = destinations.shard();
    let mut facts = stream(Some("a.test"), OutcomeKind::Route);
    begin(&shard, &mut facts);
    let bytes = Arc::clone(facts.stream.insert(Arc::default()));
    shard.opened(&facts);
    bytes.from_client.add(3);
    bytes.from_upstream.add(5);
    shard.count_open_streams();
    let row = only(&destinations);
    assert_eq!((row.received, row.sent, row.active), (3, 5, 1));
    shard.count_open_streams();
    (facts.bytes_received, facts.bytes_sent) = (4, 9);
    shard.report(&facts);
    shard.count_open_streams();
    let row = only(&destinations);
    assert_eq!((row.received, row.sent, row.active), (4, 9, 0));
    assert_eq!(row.latencies.quantile(0.5), None, "streams have no latency");
}

#[test]
fn a_call_that_becomes_something_else_counts_as_that() {
    let destinations = destinations();
    let shard = destinations.shard();
    let mut facts = request("a.test", OutcomeKind::Route);
    begin(&shard, &mut facts);
    facts.decision.verdict = Some(OutcomeKind::Fault);
    shard.report(&facts);
    let row = only(&destinations);
    assert_eq!((row.verdict(), row.calls), (OutcomeKind::Fault, 1));
    assert!(row.reason.contains("REGISTRY_ONLY"), "{}", row.reason);
    // What was never decided has no other reason than its end.
    let mut facts = request("b.test", OutcomeKind::BadRequest);
    facts.set_response(StatusCode::BAD_REQUEST, "bad");
    shard.report(&facts);
    let rows = destinations.listing().destinations;
    assert_eq!((&*rows[1].reason, rows[1].calls), ("bad", 1));
    // What turns out to be no call, and what came in.
    let mut facts = stream(None, OutcomeKind::Passthrough);
    begin(&shard, &mut facts);
    shard.dismissed(&facts);
    facts.decision.verdict = None;
    facts.destination_row = None;
    shard.report(&facts);
    assert_eq!(destinations.listing().destinations.len(), 2);
}

#[test]
fn reasons_follow_the_configuration_and_rows_survive_it() {
    let destinations = destinations();
    let shard = destinations.shard();
    let decided = |reason: &str| {
        let mut facts = request("a.test", OutcomeKind::Route);
        facts.destination_row = shard.decided(&facts, &reason);
        shard.report(&facts);
        only(&destinations).reason.to_string()
    };
    assert_eq!(decided("first"), "first");
    assert_eq!(decided("second"), "first", "no text is made for each call");
    shard.reloaded();
    assert_eq!(decided("third"), "third");
    assert_eq!(only(&destinations).calls, 3);
}

#[test]
fn the_first_ones_stay_and_calls_of_later_ones_are_dropped() {
    let destinations = Destinations::bounded(current(), 3);
    let (one, other) = (destinations.shard(), destinations.shard());
    for host in ["a.test", "b.test"] {
        call(&one, request(host, OutcomeKind::Blackhole));
    }
    for host in ["c.test", "d.test", "e.test", "a.test"] {
        call(&other, request(host, OutcomeKind::Blackhole));
    }
    for host in ["d.test", "c.test"] {
        call(&one, request(host, OutcomeKind::Blackhole));
    }
    let listing = destinations.listing();
    let rows: Vec<_> = listing
        .destinations
        .iter()
        .map(|row| (row.key.name.as_deref().unwrap_or_default(), row.calls))
        .collect();
    assert_eq!(rows, [("a.test", 2), ("b.test", 1), ("c.test", 2)]);
    assert_eq!(listing.dropped, 3);
    let refused = destinations.verdicts();
    let (_, refused) = refused[OutcomeKind::Blackhole as usize];
    assert_eq!(refused, 8, "with those that have no row");
}

#[tokio::test(start_paused = true)]
async fn workers_are_one_and_the_later_ones_words_count() {
    let destinations = destinations();
    let (one, other) = (destinations.shard(), destinations.shard());
    let called = |shard: &DestinationShard, endpoint: u8| {
        let mut facts = request("a.test", OutcomeKind::Route);
        begin(shard, &mut facts);
        let address = ([10, 0, 0, endpoint], 80);
        facts.attempts.begin(EndpointAddress::Ip(address.into()));
        shard.report(&facts);
    };
    let start = Instant::now();
    called(&other, 1);
    advance(Duration::from_secs(1)).await;
    called(&one, 2);
    advance(Duration::from_secs(1)).await;
    let row = only(&destinations);
    assert_eq!(row.calls, 2);
    assert_eq!(row.address, Some(RowAddress::Ip([10, 0, 0, 2].into())));
    let between = row.last.duration_since(row.first).expect("in order");
    assert_eq!(between, Duration::from_secs(1), "since {start:?}");
}

#[test]
fn many_rows_are_copied_in_parts() {
    let destinations = destinations();
    let shard = destinations.shard();
    for number in 0..1000 {
        let host = format!("{number}.test");
        call(&shard, request(&host, OutcomeKind::Passthrough));
    }
    let rows = destinations.listing().destinations;
    assert_eq!(rows.len(), 1000);
    assert_eq!(rows[999].key.name.as_deref(), Some("999.test"));
}

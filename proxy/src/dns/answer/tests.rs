use std::net::Ipv4Addr;

use egret_config::load::{Text, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};
use hickory_resolver::proto::op::Query;

use super::*;

fn entry(name: &str, host: &str, addresses: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec: {{hosts: ['{host}'], addresses: [{addresses}], resolution: NONE, \
         ports: [{{number: 443, name: tls, protocol: TLS}}]}}\n---\n"
    )
}

fn snapshot() -> Snapshot {
    let many: Vec<String> = (1..=60).map(|last| format!("192.0.2.{last}")).collect();
    let yaml = [
        entry(
            "bank",
            "bank.example",
            "198.51.100.1, 198.51.100.2, '2001:db8::1'",
        ),
        entry("four", "four.example", "198.51.100.4"),
        entry("wild", "*.wild.example", "198.51.100.5"),
        entry("many", "many.example", &many.join(", ")),
    ];
    let text = Text {
        file: "a.yaml".into(),
        bytes: yaml.concat().into_bytes(),
    };
    let (objects, problems) = load(&[text], None);
    assert_eq!(problems, []);
    let workload = Workload {
        dns_capture: true,
        ..Workload::new(Mode::Sidecar, "shop")
    };
    Snapshot::build(&objects, workload).0
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    query
}

fn answer_texts(name: &str, kind: RecordType, turn: usize) -> Option<Vec<String>> {
    let search = ["shop.svc.cluster.local".to_owned(), "corp".to_owned()];
    let query = query(name, kind);
    let response = answer(&query, &snapshot().names, &search, turn)?;
    assert_eq!(response.metadata.id, query.metadata.id);
    assert_eq!(response.metadata.response_code, ResponseCode::NoError);
    assert_eq!(response.queries, query.queries);
    let text = |record: &Record| format!("{} {} {}", record.name, record.ttl, record.data);
    Some(response.answers.iter().map(text).collect())
}

#[test]
fn services_are_answered_for() {
    for (name, kind, turn, expected) in [
        (
            "Bank.Example.",
            RecordType::A,
            0,
            vec![
                "Bank.Example. 30 198.51.100.1",
                "Bank.Example. 30 198.51.100.2",
            ],
        ),
        (
            "bank.example.",
            RecordType::A,
            1,
            vec![
                "bank.example. 30 198.51.100.2",
                "bank.example. 30 198.51.100.1",
            ],
        ),
        (
            "bank.example.",
            RecordType::AAAA,
            7,
            vec!["bank.example. 30 2001:db8::1"],
        ),
        (
            "a.wild.example.",
            RecordType::A,
            0,
            vec!["a.wild.example. 30 198.51.100.5"],
        ),
        ("four.example.", RecordType::AAAA, 0, vec![]),
        ("four.example.", RecordType::HTTPS, 0, vec![]),
        (
            "four.example.shop.svc.cluster.local.",
            RecordType::A,
            0,
            vec![
                "four.example.shop.svc.cluster.local. 30 four.example.",
                "four.example. 30 198.51.100.4",
            ],
        ),
        (
            "a.wild.example.corp.",
            RecordType::A,
            0,
            vec![
                "a.wild.example.corp. 30 a.wild.example.",
                "a.wild.example. 30 198.51.100.5",
            ],
        ),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(
            answer_texts(name, kind, turn),
            Some(expected),
            "{name} {kind}"
        );
    }
}

#[test]
fn the_rest_is_for_the_name_servers() {
    for (name, kind) in [
        ("other.example.", RecordType::A),
        ("wild.example.", RecordType::A),
        ("corp.", RecordType::A),
        (".", RecordType::A),
        ("bank.example.", RecordType::TXT),
        ("bank.example.elsewhere.", RecordType::A),
    ] {
        assert_eq!(answer_texts(name, kind, 0), None, "{name} {kind}");
    }
    let mut two = query("bank.example.", RecordType::A);
    two.add_query(two.queries[0].clone());
    assert!(answer(&two, &snapshot().names, &[], 0).is_none());
}

#[test]
fn a_datagram_is_cut_to_what_the_client_takes() {
    let snapshot = snapshot();
    let mut question = query("many.example.", RecordType::A);
    let sent = |question: &Message| {
        let response = answer(question, &snapshot.names, &[], 0).expect("a service");
        let bytes = datagram(question, &response).expect("bytes");
        let read = Message::from_vec(&bytes).expect("a message");
        (
            bytes.len(),
            read.metadata.truncation,
            read.answers.len(),
            read.edns.is_some(),
        )
    };
    let (length, cut, answers, edns) = sent(&question);
    assert!(length <= 512);
    assert_eq!((cut, answers, edns), (true, 0, false));
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    question.set_edns(edns);
    let (length, cut, answers, edns) = sent(&question);
    assert!(length <= 1232);
    assert_eq!((cut, answers, edns), (false, 60, true));
    let one = answer(
        &query("four.example.", RecordType::A),
        &snapshot.names,
        &[],
        0,
    )
    .expect("one");
    assert_eq!(
        one.answers[0].data,
        RData::A(A(Ipv4Addr::new(198, 51, 100, 4)))
    );
}

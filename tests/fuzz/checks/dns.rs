//! Any bytes as a DNS message: as a question it is answered or left to others, as a response it is taken or not, and what
//! is answered can be sent, fits the client, and is taken by whoever asked.

use std::net::IpAddr;

use egret_config::load::{Text, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};
use egret_proxy::dns::answer;
use egret_proxy::dns::forward::ResolvConf;
use egret_proxy::dns::verify::{answers, without_foreign_records};
use hickory_resolver::proto::op::{Message, ResponseCode};

const HEADER: usize = 12;
const RESPONSE_BIT: u8 = 0x80;
const DATAGRAM_MAX: usize = 1_232;

/// A service with many addresses, a wildcard, and one of Kubernetes.
const SERVICES: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: default}
spec:
  hosts: [a.b, '*.w', x]
  addresses: [10.0.0.1, 10.0.0.2, '2001:db8::1']
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: NONE
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: default}
spec:
  clusterIP: 10.0.1.1
  ports: [{port: 80, name: http}]
";

thread_local! {
    static SNAPSHOT: Snapshot = snapshot();
}

pub(crate) fn check(bytes: &[u8]) {
    let _ = ResolvConf::parse(bytes);
    for end in [0, 1, HEADER, bytes.len() / 2, bytes.len()] {
        let (question, response) = bytes.split_at(end.min(bytes.len()));
        let _ = answers(question, response);
    }
    if let Some(left) = without_foreign_records(bytes) {
        let again = without_foreign_records(&left);
        assert_eq!(again, None, "nothing foreign is left");
    }
    let mut echo = bytes.to_vec();
    if let Some(flags) = echo.get_mut(2) {
        *flags |= RESPONSE_BIT;
    }
    let plain = bytes.get(4..6) == Some(&[0, 1]) && answers(bytes, &echo);
    let Ok(query) = Message::from_vec(bytes) else {
        return;
    };
    let search = ["c".to_owned(), "d.e".to_owned()];
    let refused = answer::empty(&query, ResponseCode::ServFail).to_vec();
    if let (true, Ok(refused)) = (plain, &refused) {
        assert!(answers(bytes, refused), "a refusal answers its question");
    }
    SNAPSHOT.with(|snapshot| {
        for turn in [0, usize::MAX] {
            let Some(response) = answer::answer(&query, &snapshot.names, &search, turn) else {
                continue;
            };
            let whole = response.to_vec().expect("what is answered can be sent");
            if plain {
                assert!(answers(bytes, &whole), "an answer is to its question");
            }
            let datagram = answer::datagram(&query, &response).expect("and as a datagram");
            assert!(datagram.len() <= DATAGRAM_MAX, "{} bytes", datagram.len());
        }
    });
}

fn snapshot() -> Snapshot {
    let text = Text {
        file: "services.yaml".into(),
        bytes: SERVICES.into(),
    };
    let (objects, problems) = load(&[text], None);
    assert_eq!(problems.len(), 0, "{problems:?}");
    let workload = Workload {
        mode: Mode::Sidecar,
        namespace: "default".into(),
        labels: Default::default(),
        addresses: vec![IpAddr::from([10, 0, 0, 9])],
        own_ports: Vec::new(),
        redirect_ports: vec![15001],
        dns_capture: true,
    };
    let (snapshot, _) = Snapshot::build(&objects, workload);
    assert!(snapshot.names.find("a.b").is_some());
    snapshot
}

use std::net::Ipv4Addr;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME};
use hickory_resolver::proto::rr::{RData, Record};
use tokio::net::UdpSocket;

use super::*;

/// What the server of these tests says to a question; `None` is silence.
fn zone(name: &str, kind: RecordType) -> Option<(ResponseCode, Vec<(u32, RData)>)> {
    let v4 = |last| RData::A(A(Ipv4Addr::new(10, 0, 0, last)));
    let v6 = || RData::AAAA(AAAA("2001:db8::1".parse().expect("address")));
    let none = (ResponseCode::NoError, vec![]);
    Some(match (name, kind) {
        ("both.example.", RecordType::A) => (
            ResponseCode::NoError,
            vec![(30, v4(1)), (7, v4(2)), (7, v4(1))],
        ),
        ("both.example.", RecordType::AAAA) => (ResponseCode::NoError, vec![(60, v6())]),
        ("four.example.", RecordType::A) => (ResponseCode::NoError, vec![(30, v4(4))]),
        ("alias.example.", RecordType::A) => {
            let target = Name::from_ascii("four.example.").expect("name");
            (
                ResponseCode::NoError,
                vec![(5, RData::CNAME(CNAME(target))), (30, v4(4))],
            )
        }
        ("mute.example.", RecordType::A) => (ResponseCode::NoError, vec![(30, v4(5))]),
        ("mute.example.", RecordType::AAAA) => return None,
        ("half.example.", RecordType::A) => none,
        ("half.example.", _) | ("broken.example.", _) => (ResponseCode::ServFail, vec![]),
        ("four.example." | "alias.example." | "empty.example.", _) => none,
        _ => (ResponseCode::NXDomain, vec![]),
    })
}

/// A resolver that asks a server on loopback.
async fn asking() -> TokioResolver {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let mut connection = ConnectionConfig::udp();
    connection.port = socket.local_addr().expect("address").port();
    tokio::spawn(async move {
        let mut bytes = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut bytes).await.expect("receive");
            let question = Message::from_vec(&bytes[..length]).expect("question");
            let query = question.queries[0].clone();
            let Some((code, records)) = zone(&query.name().to_string(), query.query_type()) else {
                continue;
            };
            let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
            answer.metadata.response_code = code;
            answer.metadata.recursion_available = true;
            answer.add_query(query.clone());
            let mut owner = query.name().clone();
            for (ttl, data) in records {
                let next = if let RData::CNAME(target) = &data {
                    target.0.clone()
                } else {
                    owner.clone()
                };
                answer.add_answer(Record::from_rdata(owner, ttl, data));
                owner = next;
            }
            socket
                .send_to(&answer.to_vec().expect("answer"), from)
                .await
                .expect("send");
        }
    });
    let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
    let config = ResolverConfig::from_parts(
        None,
        vec![Name::from_ascii("search.example.").expect("name")],
        vec![server],
    );
    resolver(config, ResolverOpts::default()).expect("resolver")
}

async fn answer(resolver: &TokioResolver, name: &str) -> Result<(Vec<String>, u64), Unresolved> {
    let found = ask(resolver, &name.into()).await?;
    Ok((
        found.addresses.iter().map(ToString::to_string).collect(),
        found.ttl.as_secs(),
    ))
}

#[tokio::test]
async fn both_families_are_kept_for_the_shortest_ttl() {
    let resolver = asking().await;
    let all = ["10.0.0.1", "10.0.0.2", "2001:db8::1"]
        .map(String::from)
        .to_vec();
    assert_eq!(answer(&resolver, "both.example").await, Ok((all, 7)));
    assert_eq!(
        answer(&resolver, "four.example").await,
        Ok((vec!["10.0.0.4".into()], 30))
    );
    assert_eq!(
        answer(&resolver, "alias.example").await,
        Ok((vec!["10.0.0.4".into()], 5))
    );
}

#[tokio::test]
async fn a_family_without_an_answer_is_not_waited_for() {
    let resolver = asking().await;
    let ttl = HALF_ANSWER_TTL_MAX.as_secs();
    assert_eq!(
        answer(&resolver, "mute.example").await,
        Ok((vec!["10.0.0.5".into()], ttl))
    );
}

#[tokio::test]
async fn no_such_name_is_told_from_no_answer() {
    let resolver = asking().await;
    for (name, words) in [
        (
            "missing.example",
            "`missing.example` has no address: there is no such name",
        ),
        (
            "empty.example",
            "`empty.example` has no address: the name has records of other types only",
        ),
    ] {
        let error = answer(&resolver, name).await.expect_err(name);
        assert_eq!(error.to_string(), words);
    }
    for name in ["broken.example", "half.example", "not..a.name"] {
        let error = answer(&resolver, name).await.expect_err(name);
        assert!(matches!(error, Unresolved::Failed { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_missing_or_useless_file_says_so_and_a_later_one_is_read() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("resolv.conf");
    let system = System::new(&path);
    let why = |result: Result<TokioResolver, String>| result.err().unwrap_or_default();
    assert_eq!(
        why(system.resolver()),
        format!("there is no `{}` to name a server", path.display())
    );
    std::fs::write(&path, "search example.com\n").expect("write");
    assert!(why(system.resolver()).contains("is of no use"));
    std::fs::write(
        &path,
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    )
    .expect("write");
    let resolver = system.resolver().expect("resolver");
    assert_eq!(resolver.options().timeout, Duration::from_secs(1));
    assert_eq!(resolver.options().cache_size, 0);
}

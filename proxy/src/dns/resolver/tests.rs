use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME};
use hickory_resolver::proto::rr::{RData, Record};
use tokio::net::UdpSocket;

use super::*;

/// The records of an answer: owner, TTL, data. An empty owner is the name of the query, or the alias before.
type Records = Vec<(&'static str, u32, RData)>;

fn v4(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(10, 0, 0, last)))
}

fn alias(target: &str) -> RData {
    RData::CNAME(CNAME(Name::from_ascii(target).expect("a name")))
}

/// The records and the code of the test server's answer; `None` is silence.
fn zone(name: &str, kind: RecordType) -> Option<(ResponseCode, Records)> {
    let v6 = || RData::AAAA(AAAA("2001:db8::1".parse().expect("address")));
    let records = |records: Records| Some((ResponseCode::NoError, records));
    match (name, kind) {
        ("both.example.", RecordType::A) => {
            records(vec![("", 30, v4(1)), ("", 7, v4(2)), ("", 7, v4(1))])
        }
        ("both.example.", RecordType::AAAA) => records(vec![("", 60, v6())]),
        ("four.example." | "end.example.", RecordType::A) => records(vec![("", 30, v4(4))]),
        ("alias.example.", RecordType::A) => {
            records(vec![("", 5, alias("four.example.")), ("", 30, v4(4))])
        }
        ("half-alias.example.", _) => records(vec![("", 5, alias("end.example."))]),
        ("mute.example.", RecordType::A) => records(vec![("", 30, v4(5))]),
        ("mute.example.", RecordType::AAAA) => None,
        ("half.example.", RecordType::A) => records(vec![]),
        ("half.example.", _) | ("broken.example.", _) => Some((ResponseCode::ServFail, vec![])),
        ("refused.example.", _) => Some((ResponseCode::Refused, vec![])),
        ("mixed.example.", RecordType::A) => records(vec![
            ("evil.example.", 1, v4(66)),
            ("mixed.example.", 30, v4(6)),
            ("sub.mixed.example.", 1, v4(67)),
        ]),
        ("foreign.example.", RecordType::A) => records(vec![("evil.example.", 30, v4(66))]),
        ("circle.example.", _) => records(vec![("", 30, alias("round.example."))]),
        ("round.example.", _) => records(vec![("", 30, alias("circle.example."))]),
        ("whole-circle.example.", _) => records(vec![
            ("", 30, alias("round.example.")),
            ("", 30, alias("whole-circle.example.")),
        ]),
        ("endless.example.", _) => records(vec![("", 30, alias("1.endless.example."))]),
        (name, _) if name.ends_with(".endless.example.") => {
            let number: u32 = name.split('.').next()?.parse().ok()?;
            let next = format!("{}.endless.example.", number + 1);
            records(vec![("", 30, alias(&next))])
        }
        (
            "four.example." | "alias.example." | "end.example." | "empty.example."
            | "mixed.example." | "foreign.example.",
            _,
        ) => records(vec![]),
        _ => Some((ResponseCode::NXDomain, vec![])),
    }
}

/// The number of queries to the server, by name.
type QueryCounts = Arc<Mutex<HashMap<String, usize>>>;

/// The true answer to a question, as bytes; `None` is silence.
fn true_answer(question: &Message) -> Option<Message> {
    let query = question.queries[0].clone();
    let (code, records) = zone(&query.name().to_string(), query.query_type())?;
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.response_code = code;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    let mut owner = query.name().clone();
    for (stated, ttl, data) in records {
        let next = match &data {
            RData::CNAME(target) => target.0.clone(),
            _ => owner.clone(),
        };
        let stated = match stated {
            "" => owner,
            stated => Name::from_ascii(stated).expect("a name"),
        };
        answer.add_answer(Record::from_rdata(stated, ttl, data));
        owner = next;
    }
    Some(answer)
}

/// Serves the zone. Where it `forges`, each answer comes behind false ones, and from another port, too.
async fn serve(forges: bool) -> (SocketAddr, QueryCounts) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let stranger = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = socket.local_addr().expect("address");
    let counts = QueryCounts::default();
    let count = counts.clone();
    tokio::spawn(async move {
        let mut bytes = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut bytes).await.expect("receive");
            let question = Message::from_vec(&bytes[..length]).expect("question");
            let name = question.queries[0].name().to_string();
            *count.lock().expect("count").entry(name).or_default() += 1;
            let Some(answer) = true_answer(&question) else {
                continue;
            };
            if forges {
                for forged in forged_answers(&answer) {
                    socket.send_to(&forged, from).await.expect("send");
                }
                let fake = fake(&answer).to_vec().expect("answer");
                stranger.send_to(&fake, from).await.expect("send");
            }
            let answer = answer.to_vec().expect("answer");
            socket.send_to(&answer, from).await.expect("send");
        }
    });
    (address, counts)
}

/// An answer with another address.
fn fake(answer: &Message) -> Message {
    let mut fake = answer.clone();
    let owner = answer.queries[0].name().clone();
    fake.metadata.response_code = ResponseCode::NoError;
    fake.answers = vec![Record::from_rdata(owner, 30, v4(66))];
    fake
}

fn forged_answers(answer: &Message) -> Vec<Vec<u8>> {
    let mut number = fake(answer);
    number.metadata.id ^= 1;
    let mut question = fake(answer);
    let other = Name::from_ascii("other.example.").expect("a name");
    question.queries[0].set_name(other);
    let mut none = fake(answer);
    none.queries.clear();
    let mut garbage = answer.to_vec().expect("answer")[..2].to_vec();
    garbage.extend([0xff; 30]);
    let messages = [number, question, none];
    let messages = messages.map(|message| message.to_vec().expect("answer"));
    messages.into_iter().chain([garbage, vec![]]).collect()
}

fn client(servers: &[SocketAddr]) -> Client {
    let servers: Vec<_> = servers
        .iter()
        .map(|server| {
            let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
            (udp.port, tcp.port) = (server.port(), server.port());
            NameServerConfig::new(server.ip(), true, vec![udp, tcp])
        })
        .collect();
    Client::new(&servers, ResolverOpts::default(), &Arc::default()).expect("client")
}

/// A client of a server on loopback without forged answers.
async fn asking() -> Client {
    client(&[serve(false).await.0])
}

async fn answer(client: &Client, name: &str) -> Result<(Vec<String>, u64), Unresolved> {
    let lookup = ask(client, &name.into()).await?;
    Ok((
        lookup.addresses.iter().map(ToString::to_string).collect(),
        lookup.ttl.as_secs(),
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
async fn negative_answers_differ_from_failures() {
    let resolver = asking().await;
    for (name, message) in [
        (
            "missing.example",
            "`missing.example` has no address: there is no such name (NXDOMAIN)",
        ),
        (
            "empty.example",
            "`empty.example` has no address: the name has records of other types only",
        ),
    ] {
        let error = answer(&resolver, name).await.expect_err(name);
        assert_eq!(error.to_string(), message);
    }
    for name in ["broken.example", "half.example", "not..a.name"] {
        let error = answer(&resolver, name).await.expect_err(name);
        assert!(!error.reason.is_negative_answer(), "{error:?}");
    }
}

#[tokio::test]
async fn a_missing_or_useless_file_is_reported_and_a_later_one_is_read() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("resolv.conf");
    let system = System::new(&path);
    let why = |result: Result<Client, String>| result.err().unwrap_or_default();
    assert_eq!(
        why(system.client()),
        format!("there is no `{}` to name a server", path.display())
    );
    std::fs::write(&path, "search example.com\n").expect("write");
    assert!(why(system.client()).contains("names no name server"));
    let resolved = system.ask(&"a.example".into()).await;
    assert_eq!(resolved.expect_err("no server").reason, Reason::NoServer);
    std::fs::write(
        &path,
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    )
    .expect("write");
    assert_eq!(system.client().expect("client").servers(), "127.0.0.1");
}

#[tokio::test]
async fn forged_answers_are_not_believed() {
    let (server, counts) = serve(true).await;
    let client = client(&[server]);
    let four = Ok((vec!["10.0.0.4".to_owned()], 30));
    assert_eq!(answer(&client, "four.example").await, four);
    let missing = answer(&client, "missing.example").await;
    assert_eq!(missing.expect_err("gone").reason, Reason::NoSuchName);
    let counts = counts.lock().expect("count");
    assert_eq!(counts["four.example."], 2, "A and AAAA, once each");
}

#[tokio::test]
async fn records_of_other_names_are_not_believed() {
    let client = asking().await;
    let mixed = Ok((vec!["10.0.0.6".to_owned()], 30));
    assert_eq!(answer(&client, "mixed.example").await, mixed);
    let foreign = answer(&client, "foreign.example")
        .await
        .expect_err("foreign");
    assert_eq!(foreign.reason, Reason::OtherNames);
}

#[tokio::test]
async fn aliases_are_followed_over_several_answers() {
    let client = asking().await;
    let end = Ok((vec!["10.0.0.4".to_owned()], 5));
    assert_eq!(answer(&client, "half-alias.example").await, end);
}

#[tokio::test]
async fn aliases_in_a_circle_are_queried_once() {
    let (server, counts) = serve(false).await;
    let client = client(&[server]);
    for name in ["circle.example", "whole-circle.example", "endless.example"] {
        let error = answer(&client, name).await.expect_err(name);
        assert_eq!(error.reason, Reason::AliasLoop, "{error}");
    }
    let error = answer(&client, "circle.example")
        .await
        .expect_err("a circle");
    assert!(
        error
            .to_string()
            .ends_with("circle.example -> round.example -> circle.example"),
        "{error}"
    );
    let counts = counts.lock().expect("count");
    assert_eq!(
        (counts["circle.example."], counts["round.example."]),
        (4, 4)
    );
    assert_eq!(counts["whole-circle.example."], 2);
    #[allow(clippy::disallowed_methods, reason = "a sum has no order")]
    let endless: usize = counts
        .iter()
        .filter(|(name, _)| name.ends_with("endless.example."))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(endless, 2 * QUESTIONS_MAX);
}

#[tokio::test]
async fn a_refused_question_is_queried_once() {
    let (server, counts) = serve(false).await;
    let client = client(&[server]);
    for (name, reason) in [
        ("refused.example", Reason::Refused),
        ("broken.example", Reason::ServerFailure),
    ] {
        let error = answer(&client, name).await.expect_err(name);
        assert_eq!(error.reason, reason, "{error}");
        assert!(error.to_string().contains(&server.to_string()), "{error}");
        assert_eq!(
            counts.lock().expect("count")[&format!("{name}.")],
            2,
            "{name}"
        );
    }
}

/// A server that refuses every question.
async fn refusing() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = socket.local_addr().expect("address");
    tokio::spawn(async move {
        let mut bytes = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut bytes).await.expect("receive");
            let question = Message::from_vec(&bytes[..length]).expect("question");
            let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
            answer.metadata.response_code = ResponseCode::Refused;
            answer.add_queries(question.queries);
            let answer = answer.to_vec().expect("answer");
            socket.send_to(&answer, from).await.expect("send");
        }
    });
    address
}

#[tokio::test]
async fn another_server_answers_where_one_refuses() {
    let client = client(&[refusing().await, serve(false).await.0]);
    let four = Ok((vec!["10.0.0.4".to_owned()], 30));
    assert_eq!(answer(&client, "four.example").await, four);
    let missing = answer(&client, "missing.example").await;
    assert_eq!(missing.expect_err("gone").reason, Reason::NoSuchName);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let gone = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = gone.local_addr().expect("address");
    drop(gone);
    let error = answer(&client(&[address]), "four.example").await;
    let error = error.expect_err("no server");
    assert_eq!(error.reason, Reason::Unreachable, "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn a_server_that_is_silent_is_named() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = silent.local_addr().expect("address");
    let client = client(&[address]);
    tokio::time::pause();
    let error = answer(&client, "four.example").await.expect_err("silence");
    assert_eq!(error.reason, Reason::NoAnswer, "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn local_names_need_no_server() {
    let client = client(&["127.0.0.1:9".parse().expect("address")]);
    let all = vec!["127.0.0.1".to_owned(), "::1".to_owned()];
    let (local, _) = answer(&client, "localhost").await.expect("local");
    assert_eq!(local, all);
    let error = answer(&client, "a.invalid").await.expect_err("invalid");
    assert_eq!(error.reason, Reason::NoSuchName);
}

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::TcpListener;

use super::*;
use crate::dns::answer::empty;

fn question() -> Message {
    let mut query = Message::query();
    let name = Name::from_ascii("Elsewhere.Example.").expect("a name");
    query.add_query(Query::query(name, RecordType::A));
    query
}

fn bytes(message: &Message) -> Vec<u8> {
    message.to_vec().expect("bytes")
}

/// A server on loopback that sends these datagrams, one after the other, to every client.
async fn server(datagrams: Vec<Vec<u8>>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = socket.local_addr().expect("address");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((_, client)) = socket.recv_from(&mut buffer).await {
            for datagram in &datagrams {
                socket.send_to(datagram, client).await.expect("send");
            }
        }
    });
    address
}

fn code(response: &[u8]) -> ResponseCode {
    let message = Message::from_vec(response).expect("a message");
    message.metadata.response_code
}

#[tokio::test]
async fn the_first_server_that_answers_counts() {
    let query = question();
    let failing = server(vec![bytes(&empty(&query, ResponseCode::ServFail))]).await;
    let knowing = server(vec![bytes(&empty(&query, ResponseCode::NXDomain))]).await;
    let ask = |servers: Vec<SocketAddr>| {
        let question = bytes(&query);
        async move { forward(&question, &servers, Transport::Udp).await }
    };
    let answer = ask(vec![failing, knowing]).await.expect("an answer");
    assert_eq!(
        (code(&answer.0), answer.1),
        (ResponseCode::NXDomain, knowing)
    );
    let answer = ask(vec![failing]).await.expect("the failure itself");
    assert_eq!(code(&answer.0), ResponseCode::ServFail);
    let error = ask(vec![]).await.expect_err("no server");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_silent_server_is_left_for_the_next() {
    let query = question();
    let silent = server(vec![]).await;
    let knowing = server(vec![bytes(&empty(&query, ResponseCode::NoError))]).await;
    tokio::time::pause();
    let answer = forward(&bytes(&query), &[silent, knowing], Transport::Udp).await;
    let (response, answered) = answer.expect("an answer");
    assert_eq!(
        (code(&response), answered),
        (ResponseCode::NoError, knowing)
    );
    let error = forward(&bytes(&query), &[silent], Transport::Udp).await;
    assert_eq!(
        error.expect_err("no answer").kind(),
        io::ErrorKind::TimedOut
    );
}

#[tokio::test]
async fn other_datagrams_are_not_answers() {
    let query = question();
    let mut forged = empty(&query, ResponseCode::NoError);
    forged.metadata.id = query.metadata.id.wrapping_add(1);
    let mut other = question();
    other.metadata.id = query.metadata.id;
    other.queries[0].set_name(Name::from_ascii("other.example.").expect("a name"));
    let other = empty(&other, ResponseCode::NoError);
    let real = empty(&query, ResponseCode::NXDomain);
    let server = server(vec![
        bytes(&forged),
        bytes(&query),
        bytes(&other),
        vec![],
        bytes(&real),
    ])
    .await;
    let answer = forward(&bytes(&query), &[server], Transport::Udp).await;
    assert_eq!(answer.expect("the last one").0, bytes(&real));
}

#[tokio::test]
async fn a_query_over_tcp_is_forwarded_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let query = question();
    let response = bytes(&empty(&query, ResponseCode::NoError));
    let sent = response.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        read_framed(&mut stream, MESSAGE_MAX)
            .await
            .expect("a question");
        write_framed(&mut stream, &sent).await.expect("sent");
    });
    let answer = forward(&bytes(&query), &[address], Transport::Tcp).await;
    assert_eq!(answer.expect("an answer").0, response);
}

#[test]
fn resolv_conf_is_parsed() {
    let text = "search Shop.svc.cluster.local svc.cluster.local.\nnameserver 10.96.0.10\nnameserver 2001:db8::53\n\
                options ndots:5\n";
    let conf = ResolvConf::parse(text.as_bytes());
    let servers: Vec<String> = conf.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["10.96.0.10:53", "[2001:db8::53]:53"]);
    assert_eq!(conf.search, ["shop.svc.cluster.local", "svc.cluster.local"]);
    assert_eq!(ResolvConf::parse(b"\xff\xfe"), ResolvConf::default());
}

#[tokio::test]
async fn records_of_other_names_are_not_passed_on() {
    let query = question();
    let mut mixed = empty(&query, ResponseCode::NoError);
    for owner in ["Elsewhere.Example.", "evil.example."] {
        let data = RData::A(A(Ipv4Addr::new(10, 0, 0, 1)));
        let owner = Name::from_ascii(owner).expect("a name");
        mixed.add_answer(Record::from_rdata(owner, 30, data));
    }
    let server = server(vec![bytes(&mixed)]).await;
    let answer = forward(&bytes(&query), &[server], Transport::Udp).await;
    let response = Message::from_vec(&answer.expect("an answer").0).expect("a message");
    let owners: Vec<String> = response
        .answers
        .iter()
        .map(|record| record.name.to_string())
        .collect();
    assert_eq!(owners, ["Elsewhere.Example."]);
}

#[tokio::test]
async fn answers_from_another_port_are_ignored() {
    let query = question();
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let forger = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = socket.local_addr().expect("address");
    let forged = bytes(&empty(&query, ResponseCode::NoError));
    let real = bytes(&empty(&query, ResponseCode::NXDomain));
    let sent = real.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let (_, client) = socket.recv_from(&mut buffer).await.expect("a question");
        forger.send_to(&forged, client).await.expect("sent");
        socket.send_to(&sent, client).await.expect("sent");
    });
    let answer = forward(&bytes(&query), &[address], Transport::Udp).await;
    assert_eq!(answer.expect("an answer").0, real);
}

#[tokio::test]
async fn a_closed_port_fails_at_once() {
    let query = question();
    let gone = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = gone.local_addr().expect("address");
    drop(gone);
    let error = forward(&bytes(&query), &[address], Transport::Udp).await;
    let error = error.expect_err("no server");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn all_servers_together_have_a_limit() {
    let query = question();
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(server(vec![]).await);
    }
    tokio::time::pause();
    let start = Instant::now();
    let error = forward(&bytes(&query), &silent, Transport::Udp).await;
    error.expect_err("no answer");
    assert!(start.elapsed() <= QUESTION_TIME + Duration::from_millis(10));
}

#[test]
fn waiting_queries_need_little_memory() {
    const WAITING: usize = 200;
    const ROOM_EACH: u64 = 4 << 10;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("runtime");
    let query = bytes(&question());
    let waiting = async {
        let silent = server(vec![]).await;
        let silent = [silent];
        let queries = (0..WAITING).map(|_| forward(&query, &silent, Transport::Udp));
        futures_util::future::join_all(queries).await
    };
    let info = allocation_counter::measure(|| {
        let answered = runtime.block_on(waiting);
        assert!(answered.iter().all(Result::is_err));
    });
    // The room for receiving is there once a thread.
    let room = info.bytes_max.saturating_sub(MESSAGE_MAX as u64);
    assert!(room < WAITING as u64 * ROOM_EACH, "{room} bytes");
}

#[test]
fn the_server_that_answered_goes_first_for_a_while() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("resolv.conf");
    let text =
        "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n";
    std::fs::write(&path, text).expect("write");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("runtime");
    runtime.block_on(async {
        let servers = NameServers::new(&path);
        let addresses = |servers: &NameServers| -> Vec<String> {
            let order = servers.in_order();
            order.iter().map(|server| server.ip().to_string()).collect()
        };
        assert_eq!(addresses(&servers), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        let order = servers.in_order();
        servers.note_answer(&order, order[1]);
        assert_eq!(addresses(&servers), ["10.0.0.2", "10.0.0.1", "10.0.0.3"]);
        let order = servers.in_order();
        servers.note_answer(&order, order[0]);
        assert_eq!(addresses(&servers), ["10.0.0.2", "10.0.0.1", "10.0.0.3"]);
        tokio::time::advance(PREFERENCE_TIME).await;
        assert_eq!(addresses(&servers), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    });
}

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::proto::rr::RecordType;
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

/// A server on loopback that sends these datagrams, one after the other, to whoever asks.
async fn server(says: Vec<Vec<u8>>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = socket.local_addr().expect("address");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((_, client)) = socket.recv_from(&mut buffer).await {
            for datagram in &says {
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
    let said = ask(vec![failing, knowing]).await.expect("an answer");
    assert_eq!(code(&said), ResponseCode::NXDomain);
    let said = ask(vec![failing]).await.expect("the failure itself");
    assert_eq!(code(&said), ResponseCode::ServFail);
    let error = ask(vec![]).await.expect_err("nobody to ask");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_silent_server_is_left_for_the_next() {
    let query = question();
    let silent = server(vec![]).await;
    let knowing = server(vec![bytes(&empty(&query, ResponseCode::NoError))]).await;
    tokio::time::pause();
    let said = forward(&bytes(&query), &[silent, knowing], Transport::Udp).await;
    assert_eq!(code(&said.expect("an answer")), ResponseCode::NoError);
    let error = forward(&bytes(&query), &[silent], Transport::Udp).await;
    assert_eq!(
        error.expect_err("no answer").kind(),
        io::ErrorKind::TimedOut
    );
}

#[tokio::test]
async fn only_the_answer_to_the_question_is_taken() {
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
    let said = forward(&bytes(&query), &[server], Transport::Udp).await;
    assert_eq!(said.expect("the last one"), bytes(&real));
}

#[tokio::test]
async fn a_connection_is_asked_over_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let query = question();
    let response = bytes(&empty(&query, ResponseCode::NoError));
    let sent = response.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        read_framed(&mut stream).await.expect("a question");
        write_framed(&mut stream, &sent).await.expect("sent");
    });
    let said = forward(&bytes(&query), &[address], Transport::Tcp).await;
    assert_eq!(said.expect("an answer"), response);
}

#[test]
fn what_resolv_conf_says() {
    let text = "search Shop.svc.cluster.local svc.cluster.local.\nnameserver 10.96.0.10\nnameserver 2001:db8::53\n\
                options ndots:5\n";
    let conf = ResolvConf::parse(text.as_bytes());
    let servers: Vec<String> = conf.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["10.96.0.10:53", "[2001:db8::53]:53"]);
    assert_eq!(conf.search, ["shop.svc.cluster.local", "svc.cluster.local"]);
    assert_eq!(ResolvConf::parse(b"\xff\xfe"), ResolvConf::default());
}

#[test]
fn questions_end_where_their_class_does() {
    let whole = bytes(&question());
    assert_eq!(question_end(&whole), Some(whole.len()));
    for length in 0..whole.len() {
        assert_eq!(question_end(&whole[..length]), None);
    }
}

use std::net::Ipv4Addr;

use hickory_resolver::proto::op::{OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME};

use super::*;

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).expect("a name")
}

fn question(text: &str) -> Message {
    let mut query = Message::query();
    query.add_query(Query::query(name(text), RecordType::A));
    query
}

fn bytes(message: &Message) -> Vec<u8> {
    message.to_vec().expect("bytes")
}

fn response(query: &Message, records: Vec<Record>) -> Message {
    let mut response = Message::response(query.metadata.id, OpCode::Query);
    response.add_queries(query.queries.iter().cloned());
    response.add_answers(records);
    response
}

/// `10.0.0.LAST`
fn a(owner: &str, ttl: u32, last: u8) -> Record {
    let data = RData::A(A(Ipv4Addr::new(10, 0, 0, last)));
    Record::from_rdata(name(owner), ttl, data)
}

fn cname(owner: &str, ttl: u32, target: &str) -> Record {
    Record::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))))
}

#[test]
fn only_the_response_to_the_question_is_one() {
    let query = question("Shop.Example");
    let good = response(&query, vec![a("Shop.Example", 30, 1)]);
    let changed = |change: &dyn Fn(&mut Message)| {
        let mut message = good.clone();
        change(&mut message);
        bytes(&message)
    };
    let question = bytes(&query);
    assert!(answers(&question, &bytes(&good)));
    for (what, forged) in [
        (
            "another number",
            changed(&|message| message.metadata.id ^= 1),
        ),
        (
            "another name",
            changed(&|message| {
                message.queries[0].set_name(name("other.example"));
            }),
        ),
        (
            "another spelling",
            changed(&|message| {
                message.queries[0].set_name(name("shop.example"));
            }),
        ),
        (
            "another type",
            changed(&|message| {
                message.queries[0].set_query_type(RecordType::AAAA);
            }),
        ),
        ("no question", changed(&|message| message.queries.clear())),
        (
            "two questions",
            changed(&|message| {
                message.add_query(Query::query(name("other.example"), RecordType::A));
            }),
        ),
        ("the question itself", question.clone()),
        ("nothing", Vec::new()),
        ("half a header", bytes(&good)[..8].to_vec()),
    ] {
        assert!(!answers(&question, &forged), "{what}");
    }
    // A server that cannot read the question does not repeat it.
    let unread = changed(&|message| {
        message.queries.clear();
        message.answers.clear();
        message.metadata.response_code = ResponseCode::FormErr;
    });
    assert!(answers(&question, &unread));
}

#[test]
fn questions_end_where_their_class_does() {
    let whole = bytes(&question("elsewhere.example"));
    assert_eq!(question_end(&whole), Some(whole.len()));
    for length in 0..whole.len() {
        assert_eq!(question_end(&whole[..length]), None);
    }
}

#[test]
fn only_records_of_the_name_and_its_aliases_count() {
    let addresses = |lasts: &[u8], ttl| {
        let addresses = lasts.iter().map(|last| [10, 0, 0, *last].into());
        Lead::Addresses(addresses.collect(), ttl)
    };
    for (what, records, lead) in [
        (
            "repeats are one, and the shortest TTL counts",
            vec![
                a("a.example", 30, 1),
                a("A.Example", 7, 2),
                a("a.example", 9, 1),
            ],
            addresses(&[1, 2], 7),
        ),
        (
            "other names are passed over, with their TTLs",
            vec![
                a("evil.example", 1, 6),
                a("a.example", 30, 1),
                a("b.a.example", 1, 7),
            ],
            addresses(&[1], 30),
        ),
        (
            "nothing else there",
            vec![a("evil.example", 1, 6)],
            Lead::Nothing,
        ),
        ("an empty answer", vec![], Lead::Nothing),
        (
            "aliases in any order",
            vec![
                a("c.example", 30, 3),
                cname("b.example", 5, "c.example"),
                cname("a.example", 9, "b.example"),
            ],
            addresses(&[3], 5),
        ),
        (
            "an alias of another name leads nowhere",
            vec![
                cname("x.example", 5, "c.example"),
                a("c.example", 30, 3),
                a("a.example", 30, 1),
            ],
            addresses(&[1], 30),
        ),
        (
            "the end is missing",
            vec![cname("a.example", 9, "b.example"), a("c.example", 30, 3)],
            Lead::Alias(9),
        ),
        (
            "a circle",
            vec![
                cname("a.example", 9, "b.example"),
                cname("b.example", 9, "a.example"),
            ],
            Lead::Loop,
        ),
        (
            "its own alias",
            vec![cname("a.example", 9, "a.example")],
            Lead::Loop,
        ),
    ] {
        let mut aliases = vec![name("a.example")];
        assert_eq!(
            follow(&mut aliases, RecordType::A, &records),
            lead,
            "{what}"
        );
    }
    let chain = |index: usize| {
        cname(
            &format!("{index}.example"),
            9,
            &format!("{}.example", index + 1),
        )
    };
    let endless: Vec<Record> = (0..100).map(chain).collect();
    let mut aliases = vec![name("0.example")];
    assert_eq!(follow(&mut aliases, RecordType::A, &endless), Lead::Loop);
    let other = [a("a.example", 30, 1)];
    let mut aliases = vec![name("a.example")];
    assert_eq!(
        follow(&mut aliases, RecordType::AAAA, &other),
        Lead::OtherTypes
    );
}

#[test]
fn a_circle_over_several_responses_is_one() {
    let mut aliases = vec![name("a.example")];
    let first = [cname("a.example", 9, "b.example")];
    assert_eq!(follow(&mut aliases, RecordType::A, &first), Lead::Alias(9));
    let second = [cname("b.example", 9, "a.example")];
    assert_eq!(follow(&mut aliases, RecordType::A, &second), Lead::Loop);
}

#[test]
fn records_of_other_names_are_left_out_of_what_is_passed_on() {
    let query = question("a.example");
    let good = vec![cname("a.example", 9, "b.example"), a("b.example", 30, 1)];
    assert_eq!(
        without_foreign_records(&bytes(&response(&query, good.clone()))),
        None
    );
    assert_eq!(without_foreign_records(b"no message"), None);
    let mut mixed = good.clone();
    mixed.insert(1, a("evil.example", 30, 6));
    let left = without_foreign_records(&bytes(&response(&query, mixed))).expect("a change");
    assert!(answers(&bytes(&query), &left));
    let left = Message::from_vec(&left).expect("a message");
    assert_eq!(left.answers, good);
}

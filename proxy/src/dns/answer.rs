//! Answers captured queries, from the names of the services that are visible to the workload. Pure.

use std::net::IpAddr;

use egret_config::snapshot::names::NameTable;
use hickory_resolver::proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordType};

/// The TTL of an answer in seconds, as Istio's.
const TTL: u32 = 30;

/// The size of a datagram in bytes that every client accepts (RFC 1035, 4.2.1).
const DATAGRAM_MIN: u16 = 512;

/// The largest datagram in bytes, whatever size the client announces: it fits an Ethernet frame (DNS flag day 2020).
const DATAGRAM_MAX: u16 = 1232;

/// The answer to a query about a service; `None` for other queries, which go to a name server.
///
/// Addresses come from `table`, beginning with the one that `turn` chooses. A name below one of the `search` domains is
/// looked up without it when it is none itself, as a CNAME: resolvers with `ndots:5` try those first, and need no
/// further query. A family without addresses gets an empty answer. So do the types HTTPS and SVCB (RFC 9460): clients
/// would use the addresses in their hints, and not those of the table.
pub fn answer(
    query: &Message,
    table: &NameTable,
    search: &[String],
    turn: usize,
) -> Option<Message> {
    let [question] = query.queries.as_slice() else {
        return None;
    };
    if query.metadata.op_code != OpCode::Query || question.query_class() != DNSClass::IN {
        return None;
    }
    let kind = question.query_type();
    if !matches!(
        kind,
        RecordType::A | RecordType::AAAA | RecordType::HTTPS | RecordType::SVCB
    ) {
        return None;
    }
    let name = question.name().to_ascii().to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    let (addresses, known) = table
        .find(name)
        .map(|addresses| (addresses, name))
        .or_else(|| {
            let bare = search
                .iter()
                .find_map(|domain| name.strip_suffix(&**domain)?.strip_suffix('.'))?;
            Some((table.find(bare)?, bare))
        })?;
    let mut response = empty(query, ResponseCode::NoError);
    response.metadata.authoritative = true;
    let mut owner = question.name().clone();
    if known.len() < name.len() {
        let name = Name::from_ascii(format!("{known}.")).ok()?;
        let alias = RData::CNAME(CNAME(name.clone()));
        response.add_answer(Record::from_rdata(owner, TTL, alias));
        owner = name;
    }
    let mut data: Vec<RData> = addresses
        .iter()
        .filter_map(|ip| record(kind, *ip))
        .collect();
    if !data.is_empty() {
        let first = turn % data.len();
        data.rotate_left(first);
    }
    for data in data {
        response.add_answer(Record::from_rdata(owner.clone(), TTL, data));
    }
    Some(response)
}

/// A response without records.
pub fn empty(query: &Message, code: ResponseCode) -> Message {
    let mut response = Message::response(query.metadata.id, query.metadata.op_code);
    response.metadata.response_code = code;
    response.metadata.recursion_desired = query.metadata.recursion_desired;
    response.metadata.recursion_available = true;
    response.add_queries(query.queries.iter().cloned());
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(DATAGRAM_MAX);
        response.set_edns(edns);
    }
    response
}

/// The bytes of a response as a datagram: cut, and marked as cut, when it is longer than the client takes.
pub fn datagram(query: &Message, response: &Message) -> Option<Vec<u8>> {
    let room = match &query.edns {
        Some(edns) => edns.max_payload().clamp(DATAGRAM_MIN, DATAGRAM_MAX),
        None => DATAGRAM_MIN,
    };
    let bytes = response.to_vec().ok()?;
    if bytes.len() <= usize::from(room) {
        return Some(bytes);
    }
    response.truncate().to_vec().ok()
}

fn record(kind: RecordType, ip: IpAddr) -> Option<RData> {
    match (kind, ip) {
        (RecordType::A, IpAddr::V4(ip)) => Some(RData::A(A(ip))),
        (RecordType::AAAA, IpAddr::V6(ip)) => Some(RData::AAAA(AAAA(ip))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

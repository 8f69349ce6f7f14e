//! Verifies responses of name servers: the response must match the query, and records of names that were not queried are
//! ignored. Pure.

use std::net::IpAddr;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// Bytes before the questions (RFC 1035, 4.1.1).
const HEADER: usize = 12;
/// Of the third byte of a message: it is a response.
pub(super) const RESPONSE_BIT: u8 = 0x80;
/// Of the fourth byte: the response code.
const RESPONSE_CODE: u8 = 0x0f;

/// The longest chain of aliases of one name.
const ALIASES_MAX: usize = 16;

/// Whether a message is the response to a question: it has its id, the response bit, and the question itself, letter for
/// letter, unless its code says that the server could not read the question.
pub fn answers(question: &[u8], response: &[u8]) -> bool {
    let (Some(query), Some(answered)) = (question.get(..HEADER), response.get(..HEADER)) else {
        return false;
    };
    if query[..2] != answered[..2] || answered[2] & RESPONSE_BIT == 0 {
        return false;
    }
    if answered[4..6] == [0, 0] {
        return is_failure(response);
    }
    let end = question_end(question);
    query[4..6] == answered[4..6]
        && end.is_some_and(|end| question.get(HEADER..end) == response.get(HEADER..end))
}

/// Whether a response has a code other than "no error" and "no such name".
pub(super) fn is_failure(response: &[u8]) -> bool {
    response
        .get(3)
        .is_some_and(|flags| !matches!(flags & RESPONSE_CODE, 0 | 3))
}

/// Where the first question of a message ends: a name without pointers, type and class.
fn question_end(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 5).filter(|end| *end <= message.len()),
            length if length < 64 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

/// The result of a name in the answer section of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// Addresses of the name or of its last alias, without repeats, and the shortest TTL of the records, in seconds.
    Addresses(Vec<IpAddr>, u32),
    /// Only aliases. The last one has to be queried.
    Alias(u32),
    /// Aliases that lead in a circle, or too many of them.
    Loop,
    /// Records of the name, none of which is an address.
    OtherTypes,
    /// Only records of other names, or none.
    Nothing,
}

/// Follows a name through the answer section of a response. Records of other names are skipped.
/// `aliases` starts with the name of the first query and ends with the name of this one. The aliases that follow are
/// appended.
pub(super) fn follow(aliases: &mut Vec<Name>, kind: RecordType, answers: &[Record]) -> Lead {
    let mut ttl = u32::MAX;
    let mut is_alias = false;
    loop {
        let Some(name) = aliases.last() else {
            return Lead::Nothing;
        };
        let own = || answers.iter().filter(|record| record.name == *name);
        let mut addresses = Vec::new();
        for record in own().filter(|record| record.record_type() == kind) {
            ttl = ttl.min(record.ttl);
            if let Some(address) = record.data.ip_addr()
                && !addresses.contains(&address)
            {
                addresses.push(address);
            }
        }
        if !addresses.is_empty() {
            return Lead::Addresses(addresses, ttl);
        }
        let alias = own().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((target.0.clone(), record.ttl)),
            _ => None,
        });
        let Some((target, alias_ttl)) = alias else {
            return match (is_alias, own().next()) {
                (true, None) => Lead::Alias(ttl),
                (_, Some(_)) => Lead::OtherTypes,
                (false, None) => Lead::Nothing,
            };
        };
        if aliases.contains(&target) || aliases.len() > ALIASES_MAX {
            aliases.push(target);
            return Lead::Loop;
        }
        ttl = ttl.min(alias_ttl);
        is_alias = true;
        aliases.push(target);
    }
}

/// A response without the records of its answer section that belong neither to the name of its question nor to an alias
/// that this leads to. `None` when there are none, and the response can be used unchanged.
pub fn without_foreign_records(response: &[u8]) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(response).ok()?;
    let [question] = message.queries.as_slice() else {
        return None;
    };
    let mut names = vec![question.name().clone()];
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        next += 1;
        for record in &message.answers {
            if let RData::CNAME(target) = &record.data
                && record.name == name
                && !names.contains(&target.0)
                && names.len() <= ALIASES_MAX
            {
                names.push(target.0.clone());
            }
        }
    }
    let belongs = |record: &Record| match record.record_type() {
        // Its owner is a parent of the name. The response also has the alias made from it (RFC 6672).
        RecordType::DNAME => names.iter().any(|name| record.name.zone_of(name)),
        _ => names.contains(&record.name),
    };
    if message.answers.iter().all(belongs) {
        return None;
    }
    message.answers.retain(belongs);
    message.to_vec().ok()
}

#[cfg(test)]
mod tests;

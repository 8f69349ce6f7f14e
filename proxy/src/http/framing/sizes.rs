//! How many bytes the requests of a connection have.

use std::collections::VecDeque;

use memchr::memchr;

/// What Envoy adds to the lengths of a field's name and value.
const BETWEEN: usize = 3;

/// The bytes of a request so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestSize {
    /// The fields of its head: of each the name, the value and three bytes, as Envoy counts them.
    pub fields: u64,
    /// All of it: head, body, and what frames the body.
    pub total: u64,
}

/// The sizes of requests that came, until they are asked for.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// The request that comes.
    current: RequestSize,
    /// Requests that came whole, and that were not let go: more than one only where a client sends several at once.
    whole: VecDeque<RequestSize>,
    /// The number of the first of them.
    first: u64,
}

impl Sizes {
    /// Counts bytes of the request that comes.
    pub(super) fn count(&mut self, bytes: usize) {
        self.current.total += bytes as u64;
    }

    /// Counts a field of its head.
    pub(super) fn field(&mut self, line: &[u8]) {
        let (name, value) = match memchr(b':', line) {
            Some(colon) => (&line[..colon], line[colon + 1..].trim_ascii()),
            None => (line, &b""[..]),
        };
        self.current.fields += (name.len() + value.len() + BETWEEN) as u64;
    }

    /// The request of this number, from 1, has come.
    pub(super) fn request_came(&mut self, number: u64) {
        if self.whole.is_empty() {
            self.first = number;
        }
        self.whole.push_back(std::mem::take(&mut self.current));
    }

    /// Lets those before the request of this number go.
    pub(super) fn forget_before(&mut self, number: u64) {
        while self.first < number && self.whole.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// The size of the request of this number; nothing once it was let go. What comes now is of the number `coming`: what
    /// follows a request that became something else is its.
    pub(super) fn of(&self, number: u64, coming: u64) -> RequestSize {
        let at = number.checked_sub(self.first);
        let at = at.and_then(|at| usize::try_from(at).ok());
        let whole = at.and_then(|at| self.whole.get(at)).copied();
        let mut size = whole.unwrap_or_default();
        if number == coming {
            size.total += self.current.total;
            size.fields += self.current.fields;
        }
        size
    }
}

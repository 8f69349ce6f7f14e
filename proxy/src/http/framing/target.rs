//! Characters of targets that clients send as they are though they may not (RFC 3986, appendix A), such as the quotes of
//! JSON in a query. Envoy takes them; hyper does not. So hyper is shown another character, and afterwards the target gets
//! what was there, escaped.

use http::Uri;
use http::uri::PathAndQuery;
use memchr::{memchr, memchr3};

/// What hyper is shown.
const STAND_IN: u8 = b'_';

/// As many as are remembered of the targets of one connection. Hyper refuses what has more.
const MAX: usize = 4096;

/// A character that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odd {
    /// The number of the request, from 1.
    pub(in crate::http::framing) request: u64,
    /// Where it was in the target.
    at: usize,
    byte: u8,
}

/// Replaces what hyper would not have in a target that is a path. `before` is what came of its line, `part` what comes now.
pub(in crate::http::framing) fn replace(
    before: &[u8],
    part: &mut [u8],
    request: u64,
    odd: &mut Vec<Odd>,
) {
    if memchr3(b'"', b'<', b'>', part).is_none() && memchr(b'`', part).is_none() {
        return;
    }
    let mut line = before.iter().chain(&*part);
    let Some(method) = line.position(|byte| *byte == b' ') else {
        return;
    };
    let begin = method + 1;
    let is_path = line.next() == Some(&b'/');
    let is_over = before.get(begin..).is_some_and(|rest| rest.contains(&b' '));
    if !is_path || is_over {
        return;
    }
    for (at, byte) in part.iter_mut().enumerate() {
        let at = before.len() + at;
        match *byte {
            b' ' if at > begin => return,
            b'"' | b'<' | b'>' | b'`' if at > begin && odd.len() < MAX => {
                odd.push(Odd {
                    request,
                    at: at - begin,
                    byte: *byte,
                });
                *byte = STAND_IN;
            }
            _ => {}
        }
    }
}

/// The target with what was replaced in it, escaped; `None` if that is too long.
pub fn restored(target: &Uri, odd: &[Odd]) -> Option<Uri> {
    use std::fmt::Write;

    let text = target.path_and_query()?.as_str();
    let mut whole = String::with_capacity(text.len() + 2 * odd.len());
    let mut last = 0;
    // What hyper dropped, a fragment, is beyond the end.
    for one in odd.iter().take_while(|one| one.at < text.len()) {
        whole.push_str(&text[last..one.at]);
        write!(whole, "%{:02X}", one.byte).ok()?;
        last = one.at + 1;
    }
    whole.push_str(&text[last..]);
    Some(PathAndQuery::try_from(whole).ok()?.into())
}

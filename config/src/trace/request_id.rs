//! The mark of sampling in `x-request-id`: the 15th character, which is the version of a UUID.

use http::HeaderValue;

/// Where the mark is.
const PLACE: usize = 14;

/// The length of a UUID as text. Shorter ids have no mark.
const LENGTH: usize = 36;

/// Whether an id has the mark of a sampled call: by chance (`9`), by force (`a`) or by the client (`b`).
pub fn is_marked(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    id.len() >= LENGTH && matches!(id[PLACE], b'9' | b'a' | b'b')
}

/// The same id with the mark of a call that is sampled; `None` for one that has no version 4 to be changed.
pub fn marked(id: &HeaderValue) -> Option<HeaderValue> {
    let old = id.as_bytes();
    if old.len() < LENGTH || old[PLACE] != b'4' {
        return None;
    }
    let mut new = old.to_vec();
    new[PLACE] = b'9';
    HeaderValue::try_from(new).ok()
}

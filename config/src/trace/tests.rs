mod decision;
mod headers;
mod propagation;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers from lines `name: value`.
fn headers(lines: &[&str]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a line");
        let name = HeaderName::try_from(name).expect("a name");
        map.append(name, HeaderValue::try_from(value).expect("a value"));
    }
    map
}

/// Lines of headers, sorted.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}", value.to_str().expect("text"))
    };
    let mut lines: Vec<_> = headers.iter().map(line).collect();
    lines.sort();
    lines
}

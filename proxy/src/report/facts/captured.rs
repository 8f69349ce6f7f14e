//! Headers of a call that formats and expressions ask for.

use std::sync::Arc;

use bytes::BytesMut;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers that are kept of each call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderPlan {
    /// Of the request as it is sent upstream.
    pub request: Vec<Wanted>,
    /// Of the response as the client gets it.
    pub response: Vec<Wanted>,
    /// Of its trailers.
    pub trailers: Vec<Wanted>,
    /// Whether the sizes of all headers count.
    pub sizes: bool,
}

/// A header that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: HeaderName,
    /// All its values, joined by commas; otherwise the first one.
    pub joined: bool,
}

/// The headers of a call that are kept.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    /// By which they were kept; none where nothing is asked for.
    plan: Option<Arc<HeaderPlan>>,
    values: [Vec<Option<HeaderValue>>; 3],
    sizes: [u64; 3],
}

/// Which headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Of the request.
    Request,
    /// Of the response.
    Response,
    /// Of the response's trailers.
    Trailers,
}

impl HeaderPlan {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn wanted(&self, part: Part) -> &[Wanted] {
        match part {
            Part::Request => &self.request,
            Part::Response => &self.response,
            Part::Trailers => &self.trailers,
        }
    }

    /// Keeps this header, too.
    pub fn add(&mut self, part: Part, wanted: Wanted) {
        let all = match part {
            Part::Request => &mut self.request,
            Part::Response => &mut self.response,
            Part::Trailers => &mut self.trailers,
        };
        if !all.contains(&wanted) {
            all.push(wanted);
        }
    }
}

impl Captured {
    /// Keeps what a plan asks for, in place of what was kept of this part before.
    pub fn keep(&mut self, plan: &Arc<HeaderPlan>, part: Part, headers: &HeaderMap) {
        if !self.plan.as_ref().is_some_and(|own| Arc::ptr_eq(own, plan)) {
            // What was kept by another plan, of before a reload, is not found by this one.
            *self = Self {
                plan: Some(Arc::clone(plan)),
                ..Self::default()
            };
        }
        let wanted = plan.wanted(part);
        self.values[part as usize] = wanted.iter().map(|wanted| wanted.of(headers)).collect();
        if plan.sizes {
            self.sizes[part as usize] = size(headers) - host_size(part, headers);
        }
    }

    /// A header that was kept.
    pub fn get(&self, part: Part, name: &HeaderName, joined: bool) -> Option<&HeaderValue> {
        let mut wanted = self.plan.as_ref()?.wanted(part).iter();
        let at = wanted.position(|wanted| wanted.name == name && wanted.joined == joined)?;
        self.values[part as usize].get(at)?.as_ref()
    }

    /// Bytes of the names and values of all headers.
    pub fn size(&self, part: Part) -> u64 {
        self.sizes[part as usize]
    }
}

/// The size of a request's `host`, which Envoy has as `:authority`.
fn host_size(part: Part, headers: &HeaderMap) -> u64 {
    if part != Part::Request {
        return 0;
    }
    let hosts = headers.get_all(HOST).iter();
    let size = |value: &HeaderValue| (HOST.as_str().len() + value.len()) as u64;
    hosts.map(size).sum()
}

impl Wanted {
    fn of(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut all = headers.get_all(&self.name).iter();
        let first = all.next()?;
        let mut all = all.peekable();
        if !self.joined || all.peek().is_none() {
            return Some(first.clone());
        }
        let mut joined = BytesMut::from(first.as_bytes());
        for value in all {
            joined.extend_from_slice(b",");
            joined.extend_from_slice(value.as_bytes());
        }
        HeaderValue::from_maybe_shared(joined.freeze()).ok()
    }
}

fn size(headers: &HeaderMap) -> u64 {
    let field = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    headers.iter().map(field).sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &'static str, joined: bool) -> Wanted {
        Wanted {
            name: HeaderName::from_static(name),
            joined,
        }
    }

    #[test]
    fn headers_are_kept_by_the_plan_that_is_in_force() {
        let mut plan = HeaderPlan::default();
        for wanted in [
            wanted("x-a", false),
            wanted("x-a", true),
            wanted("x-a", false),
        ] {
            plan.add(Part::Request, wanted);
        }
        assert_eq!(plan.request.len(), 2);
        plan.sizes = true;
        let plan = Arc::new(plan);
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("22"));
        headers.append("x-b", HeaderValue::from_static("3"));
        let mut captured = Captured::default();
        let name = HeaderName::from_static("x-a");
        assert_eq!(captured.get(Part::Request, &name, false), None);
        captured.keep(&plan, Part::Request, &headers);
        assert_eq!(
            captured.get(Part::Request, &name, false).expect("kept"),
            "1"
        );
        assert_eq!(
            captured.get(Part::Request, &name, true).expect("kept"),
            "1,22"
        );
        assert_eq!(captured.get(Part::Response, &name, false), None);
        assert_eq!(captured.size(Part::Request), 13);

        let mut next = HeaderPlan::default();
        next.add(Part::Response, wanted("x-b", false));
        captured.keep(&Arc::new(next), Part::Response, &headers);
        assert_eq!(captured.get(Part::Request, &name, false), None);
        let name = HeaderName::from_static("x-b");
        assert_eq!(
            captured.get(Part::Response, &name, false).expect("kept"),
            "3"
        );
    }
}

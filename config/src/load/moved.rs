//! The same document on another line of its file, because something above it changed.

use std::sync::Arc;

use crate::load::content::Content;
use crate::load::document::Document;
use crate::model::meta::Meta;
use crate::model::policy::DestinationRule;
use crate::model::service::Service;
use crate::model::virtual_service::VirtualService;
use crate::problem::{Location, Problem};

impl Document {
    /// The document `by` lines further down; `None` for a kind of which there are few, so that it is read again.
    pub(super) fn moved(&self, by: i64) -> Option<Self> {
        let meta = Arc::new(Meta {
            location: moved(&self.meta.location, by),
            ..Meta::clone(&self.meta)
        });
        let service = |service: &Arc<Service>| {
            Arc::new(Service {
                meta: Arc::clone(&meta),
                ..Service::clone(service)
            })
        };
        let content = match &self.content {
            Content::Service(one) => Content::Service(service(one)),
            Content::Services(list) => Content::Services(list.iter().map(service).collect()),
            Content::VirtualService(rules) => Content::VirtualService(Arc::new(VirtualService {
                meta: Arc::clone(&meta),
                ..VirtualService::clone(rules)
            })),
            Content::DestinationRule(rule) => Content::DestinationRule(Arc::new(DestinationRule {
                meta: Arc::clone(&meta),
                ..DestinationRule::clone(rule)
            })),
            _ => return None,
        };
        let problems = self.problems.as_ref();
        let problems = problems.map(|list| list.iter().map(|one| moved_problem(one, by)).collect());
        Some(Self {
            meta,
            content,
            problems,
        })
    }
}

fn moved_problem(problem: &Problem, by: i64) -> Problem {
    Problem {
        location: moved(&problem.location, by),
        ..problem.clone()
    }
}

/// A location further down. An unknown line stays unknown.
fn moved(location: &Location, by: i64) -> Location {
    match location.line() {
        0 => location.clone(),
        line => location.at_line(u32::try_from(i64::from(line) + by).unwrap_or(0)),
    }
}

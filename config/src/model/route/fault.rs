//! `fault` of an HTTP rule.

use std::time::Duration;

use crate::grpc::GrpcStatus;
use crate::model::read;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::shared::Percent;
use crate::wire::virtual_service as wire;

/// `fault`.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Share in millionths, and the delay.
    pub delay: Option<(u32, Duration)>,
    /// Share in millionths, and what is answered.
    pub abort: Option<(u32, Abort)>,
}

/// What an injected abort answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// `httpStatus`.
    Http(u16),
    /// `grpcStatus`.
    Grpc(GrpcStatus),
}

/// Reads `fault`.
pub(super) fn parse(wire: &wire::HttpFault, diagnostics: &mut Diagnostics<'_>) -> Fault {
    if wire.delay.is_none() && wire.abort.is_none() {
        diagnostics.error("", NO_VALUE, "a delay or an abort is required");
    }
    let delay = wire.delay.as_ref().and_then(|wire| {
        diagnostics.within("delay", |diagnostics| {
            if wire.exponential_delay.is_some() {
                diagnostics.error(
                    "exponentialDelay",
                    NO_VALUE,
                    ("does not exist", "write fixedDelay"),
                );
            }
            let share = share(wire.percentage.as_ref(), wire.percent, diagnostics);
            let delay =
                read::positive_duration(diagnostics, "fixedDelay", wire.fixed_delay.as_ref())?;
            Some((share, delay))
        })
    });
    let abort = wire.abort.as_ref().and_then(|wire| {
        diagnostics.within("abort", |diagnostics| {
            let share = share(wire.percentage.as_ref(), wire.percent, diagnostics);
            Some((share, abort(wire, diagnostics)?))
        })
    });
    Fault { delay, abort }
}

fn abort(wire: &wire::FaultAbort, diagnostics: &mut Diagnostics<'_>) -> Option<Abort> {
    if wire.http2_error.is_some() {
        diagnostics.error(
            "http2Error",
            NO_VALUE,
            ("does not exist", "write httpStatus or grpcStatus"),
        );
    }
    if let Some(status) = wire.http_status {
        if let Some(code) = u16::try_from(status)
            .ok()
            .filter(|code| (200..=600).contains(code))
        {
            return Some(Abort::Http(code));
        }
        diagnostics.error("httpStatus", status, "expected a status from 200 to 600");
        return None;
    }
    let Some(name) = &wire.grpc_status else {
        diagnostics.warn(
            "",
            NO_VALUE,
            "neither httpStatus nor grpcStatus, so nothing is aborted",
        );
        return None;
    };
    let Some(status) = GrpcStatus::of_name(name) else {
        diagnostics.error(
            "grpcStatus",
            name,
            "expected the name of a gRPC status, such as UNAVAILABLE",
        );
        return None;
    };
    Some(Abort::Grpc(status))
}

/// The share of a fault; unset is none at all.
fn share(percentage: Option<&Percent>, percent: i32, diagnostics: &mut Diagnostics<'_>) -> u32 {
    match percentage {
        Some(percentage) => read::share(diagnostics, "percentage.value", percentage.value),
        None => read::millionths(diagnostics, "percent", f64::from(percent)),
    }
}

//! `outlierDetection` of a traffic policy.

use std::time::Duration;

use crate::model::read;
use crate::problem::Diagnostics;
use crate::wire::destination_rule as wire;

/// When an endpoint is left out for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// `consecutive5xxErrors`; 0 is off.
    pub consecutive_5xx: u32,
    /// `consecutiveGatewayErrors`; 0 is off.
    pub consecutive_gateway_errors: u32,
    /// `consecutiveLocalOriginFailures`, where `splitExternalLocalOriginErrors` counts connections that fail apart from
    /// answers; `None` counts them as 5xx. 0 is off.
    pub consecutive_local_failures: Option<u32>,
    /// `outlierDetectionHttpErrorCodes`: statuses below 500 that count as server errors too, as 500 does.
    pub error_statuses: Vec<u16>,
    /// `interval` between sweeps.
    pub interval: Duration,
    /// `baseEjectionTime`, multiplied by how often it happened.
    pub base_ejection_time: Duration,
    /// `maxEjectionPercent`.
    pub ejection_percent_max: u32,
    /// `minHealthPercent`.
    pub health_percent_min: u32,
}

/// Reads `outlierDetection`.
pub(crate) fn parse(
    wire: Option<&wire::OutlierDetection>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<OutlierDetection> {
    let wire = wire?;
    diagnostics.within("outlierDetection", |diagnostics| {
        let mut gateway_errors = wire.consecutive_gateway_errors;
        if wire.consecutive_errors != 0 {
            diagnostics.warn(
                "consecutiveErrors",
                wire.consecutive_errors,
                (
                    "the old form",
                    "write consecutiveGatewayErrors or consecutive5xxErrors",
                ),
            );
            gateway_errors = gateway_errors.or(u32::try_from(wire.consecutive_errors).ok());
        }
        let local = wire.consecutive_local_origin_failures.unwrap_or(0);
        if local > 0 && !wire.split_external_local_origin_errors {
            diagnostics.error(
                "consecutiveLocalOriginFailures",
                local,
                "needs splitExternalLocalOriginErrors: true",
            );
        }
        let mut percent = |part, number: i32| match u32::try_from(number) {
            Ok(percent) if percent <= 100 => percent,
            _ => {
                diagnostics.error(part, number, "expected a percentage from 0 to 100");
                0
            }
        };
        let ejected = percent("maxEjectionPercent", wire.max_ejection_percent);
        let healthy = percent("minHealthPercent", wire.min_health_percent);
        let codes = &wire.outlier_detection_http_error_codes;
        let statuses = diagnostics.each(
            "outlierDetectionHttpErrorCodes",
            codes,
            |diagnostics, code| {
                let status = u16::try_from(*code).ok();
                let status = status.filter(|status| (100..=599).contains(status));
                if status.is_none() {
                    diagnostics.error("", code, "expected a status from 100 to 599");
                }
                status
            },
        );
        let interval = read::positive_duration(diagnostics, "interval", wire.interval.as_ref());
        let ejection = read::positive_duration(
            diagnostics,
            "baseEjectionTime",
            wire.base_ejection_time.as_ref(),
        );
        Some(OutlierDetection {
            consecutive_5xx: wire.consecutive_5xx_errors.unwrap_or(5),
            consecutive_gateway_errors: gateway_errors.unwrap_or(0),
            consecutive_local_failures: wire
                .split_external_local_origin_errors
                .then(|| wire.consecutive_local_origin_failures.unwrap_or(5)),
            error_statuses: statuses,
            interval: interval.unwrap_or(Duration::from_secs(10)),
            base_ejection_time: ejection.unwrap_or(Duration::from_secs(30)),
            ejection_percent_max: if ejected == 0 { 10 } else { ejected },
            health_percent_min: healthy,
        })
    })
}

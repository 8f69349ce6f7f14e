//! Faults that a route injects: a delay, then an abort, each for its share of requests.

use egret_config::decide::Dice;
use egret_config::decide::flag::{Flag, Flags};
use egret_config::grpc::GrpcStatus;
use egret_config::model::route::{Abort, Fault};
use http::StatusCode;
use tokio::time::sleep;

use crate::failure::{Cause, Failure};

/// What an abort answers.
#[derive(Debug)]
pub enum Aborted {
    /// An HTTP status.
    Http(Failure),
    /// A gRPC status.
    Grpc(GrpcStatus),
}

/// Waits for the delay of the fault, and returns whether the request is to be aborted. Shares are rolled with `dice`.
pub async fn inject(fault: &Fault, flags: &mut Flags, dice: Dice<'_>) -> Option<Aborted> {
    let mut struck = |share: u32| dice(MILLION) < u64::from(share);
    if let Some((share, delay)) = fault.delay
        && struck(share)
    {
        flags.raise(Flag::DI);
        sleep(delay).await;
    }
    let (share, abort) = fault.abort?;
    if !struck(share) {
        return None;
    }
    Some(match abort {
        Abort::Grpc(code) => Aborted::Grpc(code),
        Abort::Http(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            Aborted::Http(Failure::new(
                Cause::FaultAbort(status),
                "the route injects this abort",
            ))
        }
    })
}

/// Shares are in millionths.
const MILLION: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_part_has_its_share() {
        let fault = Fault {
            delay: Some((500_000, Duration::from_secs(5))),
            abort: Some((500_000, Abort::Http(418))),
        };
        for (rolls, seconds, aborts, shown) in [
            ([499_999, 499_999], 5, true, "DI"),
            ([500_000, 499_999], 0, true, "-"),
            ([0, 999_999], 5, false, "DI"),
        ] {
            let (began, mut rolls, mut flags) =
                (Instant::now(), rolls.into_iter(), Flags::default());
            let aborted = inject(&fault, &mut flags, &mut |_| {
                rolls.next().expect("two rolls")
            })
            .await;
            assert_eq!(began.elapsed(), Duration::from_secs(seconds));
            assert_eq!(
                (aborted.is_some(), flags.to_string()),
                (aborts, shown.to_owned())
            );
        }
    }
}

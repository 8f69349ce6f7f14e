use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: 3,
        consecutive_gateway_errors: 0,
        consecutive_local_failures: None,
        error_statuses: Vec::new(),
        interval: 10 * SECOND,
        base_ejection_time: 30 * SECOND,
        ejection_percent_max: 50,
        health_percent_min: 0,
    }
}

fn host(number: u8) -> EndpointAddress {
    EndpointAddress::Ip(([10, 0, 0, number], 80).into())
}

/// A call that was answered with this status.
fn answered(at: &EndpointAddress, status: u16) -> CallReport<'_> {
    CallReport {
        at,
        outcome: CallOutcome::Answered(status),
    }
}

/// The ejection that this run of calls to one of four endpoints ends in.
fn run(policy: &OutlierDetection, outcomes: &[CallOutcome]) -> Option<Reason> {
    let (mut outlier, now) = (Outlier::default(), Instant::now());
    let mut reasons: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let at = &host(1);
            let call = CallReport {
                at,
                outcome: *outcome,
            };
            outlier.note(policy, 4, call, now)
        })
        .collect();
    let last = reasons.pop().flatten();
    assert!(
        reasons.iter().all(Option::is_none),
        "too early: {outcomes:?}"
    );
    last.map(|ejection| ejection.reason)
}

#[test]
fn runs_that_eject() {
    use CallOutcome::{Answered, Connected, Failed, TimedOut};
    let gateway = OutlierDetection {
        consecutive_gateway_errors: 2,
        ..policy()
    };
    let only_gateway = OutlierDetection {
        consecutive_5xx: 0,
        consecutive_gateway_errors: 2,
        ..policy()
    };
    let split = OutlierDetection {
        consecutive_local_failures: Some(2),
        ..policy()
    };
    let off = OutlierDetection {
        consecutive_5xx: 0,
        ..policy()
    };
    let listed = OutlierDetection {
        error_statuses: vec![429, 503],
        ..policy()
    };
    let errors = Answered(500);
    for (policy, outcomes, reason) in [
        (
            listed.clone(),
            &[Answered(429), errors, Answered(429)][..],
            Some(Reason::ServerErrors),
        ),
        (
            listed.clone(),
            &[Answered(429), Answered(404), Answered(429), Answered(429)][..],
            None,
        ),
        (
            policy(),
            &[Answered(429), Answered(429), Answered(429)][..],
            None,
        ),
        (
            OutlierDetection {
                consecutive_5xx: 0,
                consecutive_gateway_errors: 2,
                ..listed
            },
            &[Answered(503), Answered(429), Answered(503), Answered(503)][..],
            Some(Reason::GatewayErrors),
        ),
        (
            policy(),
            &[errors, errors, errors][..],
            Some(Reason::ServerErrors),
        ),
        (policy(), &[errors, errors], None),
        (
            policy(),
            &[errors, errors, Answered(200), errors, errors],
            None,
        ),
        (policy(), &[errors, errors, Answered(404), errors], None),
        (
            policy(),
            &[Failed, Failed, Failed],
            Some(Reason::ServerErrors),
        ),
        (
            policy(),
            &[Failed, errors, Answered(503)],
            Some(Reason::ServerErrors),
        ),
        (policy(), &[Failed, Failed, Connected, Failed], None),
        (
            gateway.clone(),
            &[Answered(502), Answered(504)],
            Some(Reason::GatewayErrors),
        ),
        (
            gateway.clone(),
            &[Failed, Answered(503)],
            Some(Reason::GatewayErrors),
        ),
        (gateway, &[TimedOut, TimedOut], Some(Reason::GatewayErrors)),
        (
            only_gateway.clone(),
            &[Answered(503), errors, Answered(503)],
            None,
        ),
        (only_gateway, &[errors, errors, errors, errors], None),
        (split.clone(), &[Failed, Failed], Some(Reason::Unreachable)),
        (
            split.clone(),
            &[Failed, TimedOut],
            Some(Reason::Unreachable),
        ),
        (split.clone(), &[Failed, Connected, Failed], None),
        (
            split,
            &[errors, Failed, errors, errors],
            Some(Reason::ServerErrors),
        ),
        (off, &[errors, errors, errors, Failed], None),
    ] {
        assert_eq!(run(&policy, outcomes), reason, "{outcomes:?}");
    }
}

fn fail(
    outlier: &mut Outlier,
    policy: &OutlierDetection,
    hosts: usize,
    number: u8,
    now: Instant,
) -> Option<Ejection> {
    let notes: Vec<_> = (0..policy.consecutive_5xx)
        .map(|_| {
            let at = &host(number);
            outlier.note(policy, hosts, answered(at, 500), now)
        })
        .collect();
    notes.last().copied().flatten()
}

#[test]
fn at_most_the_share_is_ejected_but_always_one() {
    for (percent, hosts, ejected) in [(10, 1, 1), (10, 4, 1), (10, 20, 2), (50, 4, 2), (100, 4, 4)]
    {
        let policy = OutlierDetection {
            ejection_percent_max: percent,
            ..policy()
        };
        let (mut outlier, now) = (Outlier::default(), Instant::now());
        for number in 0..hosts {
            fail(&mut outlier, &policy, hosts.into(), number, now);
        }
        assert_eq!(outlier.ejected().len(), ejected, "{percent} % of {hosts}");
    }
}

#[test]
fn times_grow_and_a_sweep_takes_back() {
    let (policy, mut outlier, start) = (policy(), Outlier::default(), Instant::now());
    let first = fail(&mut outlier, &policy, 4, 1, start).expect("ejected");
    assert_eq!(first.time, 30 * SECOND);
    assert!(!outlier.sweep(&policy, start + 29 * SECOND));
    assert!(outlier.is_ejected(&host(1)));
    assert!(outlier.sweep(&policy, start + 30 * SECOND));
    assert!(!outlier.is_ejected(&host(1)));

    let again = fail(&mut outlier, &policy, 4, 1, start + 31 * SECOND).expect("ejected");
    assert_eq!(again.time, 60 * SECOND);
    // Its time is over at 91 s; the sweep at 90 s came too early and the one at 100 s takes it back.
    assert!(!outlier.sweep(&policy, start + 99 * SECOND));
    assert!(outlier.sweep(&policy, start + 100 * SECOND));
}

#[test]
fn ejections_are_forgiven_one_a_sweep() {
    let (policy, mut outlier, start) = (policy(), Outlier::default(), Instant::now());
    fail(&mut outlier, &policy, 4, 1, start);
    outlier.sweep(&policy, start + 30 * SECOND);
    outlier.sweep(&policy, start + 40 * SECOND);
    let again = fail(&mut outlier, &policy, 4, 1, start + 41 * SECOND).expect("ejected");
    assert_eq!(again.time, 30 * SECOND);
}

#[test]
fn there_is_a_longest_ejection() {
    let (policy, mut outlier, mut now) = (policy(), Outlier::default(), Instant::now());
    let mut times = Vec::new();
    for _ in 0..12 {
        let ejection = fail(&mut outlier, &policy, 4, 1, now).expect("ejected");
        times.push(ejection.time);
        now += ejection.time + policy.interval;
        assert!(outlier.sweep(&policy, now));
    }
    assert_eq!(times.last(), Some(&EJECTION_MAX));
}

#[test]
fn removed_endpoints_are_not_counted() {
    let policy = OutlierDetection {
        ejection_percent_max: 10,
        ..policy()
    };
    let (mut outlier, now) = (Outlier::default(), Instant::now());
    assert!(fail(&mut outlier, &policy, 4, 1, now).is_some());
    assert!(fail(&mut outlier, &policy, 4, 2, now).is_none());
    outlier.keep_only(&[host(2), host(3)]);
    assert!(fail(&mut outlier, &policy, 4, 2, now).is_some());
    assert_eq!(outlier.ejected(), [host(2)]);
}

#[test]
fn good_endpoints_take_no_memory() {
    let (policy, mut outlier, now) = (policy(), Outlier::default(), Instant::now());
    for (number, status) in [(1, 200), (2, 500), (2, 200)] {
        outlier.note(&policy, 4, answered(&host(number), status), now);
    }
    outlier.sweep(&policy, now + policy.interval);
    assert!(outlier.hosts.is_empty());
}

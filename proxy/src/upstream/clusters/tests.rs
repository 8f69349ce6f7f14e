mod warmup;

use egret_config::address::OriginalDestination;
use egret_config::host::HostPattern;
use egret_config::model::endpoint::Address;
use egret_config::model::policy::OutlierDetection;
use egret_config::snapshot::cluster::{Discovery, Member};
use egret_config::snapshot::workload::Mode;
use tokio::runtime::Handle;

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::dns::lookup::Lookup;
use crate::own_sockets::tests::listening_on;
use crate::upstream::sample::cluster;

fn clusters() -> Clusters {
    let names = Names::system("/nonexistent/resolv.conf", Handle::current());
    Clusters::new(
        Arc::new(names),
        Arc::new(Originator::new()),
        Arc::default(),
        listening_on(&[], Mode::Sidecar),
    )
}

/// Members that are names; an address is a name that needs no name server.
fn names(names: &[&str], single: bool) -> Discovery {
    let member = |name: &&str| Member {
        address: Address::Name((*name).into()),
        port: 80,
        weight: 1,
        locality: "".into(),
        priority: 0,
        workload: None,
    };
    Discovery::Names {
        members: names.iter().map(member).collect(),
        single,
    }
}

const V4: &str = "192.0.2.1:80";
const V6: &str = "[2001:db8::9]:80";

fn context(to: &str) -> LoadBalancerContext<'_> {
    LoadBalancerContext {
        original_dst: OriginalDestination(to.parse().expect("address")),
        mode: Mode::Sidecar,
        name: Some("x.a.test"),
        tried: AttemptHistory::default(),
        hash: None,
        carries: Carries::Request,
    }
}

/// The IP address of an endpoint.
fn ip(address: &EndpointAddress) -> String {
    match address {
        EndpointAddress::Ip(address) => address.ip().to_string(),
        EndpointAddress::Unix(path) => panic!("{path} is no IP address"),
    }
}

/// The addresses of a number of picks, or the cause of the failure.
async fn picks(
    live: &ClusterRuntime,
    all: &Clusters,
    context: &LoadBalancerContext<'_>,
) -> Result<Vec<String>, Cause> {
    let mut picked = Vec::new();
    for _ in 0..4 {
        match live.pick(context, all.names(), &mut |_| 0).await {
            Ok(target) => picked.push(ip(&target.address)),
            Err(failure) => return Err(failure.cause().clone()),
        }
    }
    picked.dedup();
    Ok(picked)
}

#[tokio::test]
async fn the_callers_family_is_preferred() {
    let all = clusters();
    let live = all.live(&cluster(names(&["2001:db8::1", "10.0.0.1"], false)));
    assert_eq!(
        picks(&live, &all, &context(V4)).await,
        Ok(vec!["10.0.0.1".into()])
    );
    assert_eq!(
        picks(&live, &all, &context(V6)).await,
        Ok(vec!["2001:db8::1".into()])
    );
    let live = all.live(&cluster(names(&["2001:db8::1"], false)));
    assert_eq!(
        picks(&live, &all, &context(V4)).await,
        Ok(vec!["2001:db8::1".into()])
    );
}

#[tokio::test]
async fn one_address_at_a_time_or_all() {
    let all = clusters();
    let live = all.live(&cluster(names(&["10.0.0.1", "10.0.0.2"], true)));
    assert_eq!(
        picks(&live, &all, &context(V4)).await,
        Ok(vec!["10.0.0.1".into()])
    );
    let live = all.live(&cluster(names(&["10.0.0.1", "10.0.0.2"], false)));
    assert_eq!(
        picks(&live, &all, &context(V4)).await.expect("picks").len(),
        4
    );
}

#[tokio::test]
async fn the_other_family_is_tried_first_when_one_does_not_answer() {
    let all = clusters();
    let live = all.live(&cluster(names(&["10.0.0.1", "10.0.0.2", "::1"], false)));
    picks(&live, &all, &context(V4)).await.expect("resolved");
    let picked = "10.0.0.1:80".parse().expect("address");
    let tried: Vec<_> = live
        .alternates(picked, &[])
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(tried, ["10.0.0.1:80", "[::1]:80", "10.0.0.2:80"]);
}

#[tokio::test]
async fn a_call_without_an_endpoint_is_refused() {
    let all = clusters();
    for (discovery, cause) in [
        (Discovery::Members(Vec::new()), Cause::NoEndpoint),
        (
            names(&["a.test"], false),
            Cause::NoAddress(
                "dns_resolution_failure{no_name_server}: `a.test` cannot be resolved: there is no \
                 `/nonexistent/resolv.conf` to name a server"
                    .into(),
            ),
        ),
        (
            Discovery::PerCall {
                allowed: HostPattern::parse("*.b.test"),
                port: 80,
            },
            Cause::NoEndpoint,
        ),
    ] {
        let live = all.live(&cluster(discovery));
        assert_eq!(picks(&live, &all, &context(V4)).await, Err(cause));
    }
}

#[tokio::test]
async fn the_original_destination_is_a_sidecars() {
    let all = clusters();
    let live = all.live(&cluster(Discovery::Original { port: Some(8080) }));
    let target = live
        .pick(&context(V4), all.names(), &mut |_| 0)
        .await
        .expect("target");
    assert_eq!(target.address.to_string(), "192.0.2.1:8080");
    let gateway = LoadBalancerContext {
        mode: Mode::Gateway,
        ..context(V4)
    };
    assert_eq!(picks(&live, &all, &gateway).await, Err(Cause::NoEndpoint));
}

#[tokio::test]
async fn a_name_of_the_call_is_resolved_if_it_is_allowed() {
    let all = clusters();
    let pattern = HostPattern::parse("*");
    let live = all.live(&cluster(Discovery::PerCall {
        allowed: pattern,
        port: 81,
    }));
    let call = LoadBalancerContext {
        name: Some("10.0.0.7"),
        ..context(V4)
    };
    let target = live
        .pick(&call, all.names(), &mut |_| 0)
        .await
        .expect("target");
    assert_eq!(target.address.to_string(), "10.0.0.7:81");
}

#[tokio::test]
async fn life_goes_on_while_members_and_policy_stay() {
    let all = clusters();
    let one = cluster(names(&["10.0.0.1"], false));
    let live = all.live(&one);
    let same = Arc::new(Cluster {
        inputs: None,
        origin: "elsewhere".into(),
        ..Cluster::clone(&one)
    });
    assert!(Rc::ptr_eq(&live, &all.live(&same)));
    let other = cluster(names(&["10.0.0.2"], false));
    assert!(!Rc::ptr_eq(&live, &all.live(&other)));
    let mut policy = Cluster::clone(&other);
    policy.policy.connect_timeout = Duration::from_secs(1);
    assert!(!Rc::ptr_eq(&all.live(&other), &all.live(&Arc::new(policy))));
}
/// Clusters with names that resolve to 10.0.0.1, and `slow.test`, which is never answered.
fn clusters_with_a_slow_name() -> Clusters {
    let names = Names::new(Handle::current(), |name| {
        Box::pin(async move {
            if &*name == "slow.test" {
                std::future::pending::<()>().await;
            }
            Ok(Lookup {
                addresses: vec![[10, 0, 0, 1].into()],
                ttl: Duration::from_secs(60),
            })
        })
    });
    let originator = Arc::new(Originator::new());
    let own = listening_on(&[], Mode::Sidecar);
    Clusters::new(Arc::new(names), originator, Arc::default(), own)
}

#[tokio::test(start_paused = true)]
async fn a_slow_name_does_not_hold_up_the_others() {
    let all = clusters_with_a_slow_name();
    let live = all.live(&cluster(names(&["slow.test", "quick.test"], false)));
    let start = Instant::now();
    let picked = picks(&live, &all, &context(V4)).await;
    assert_eq!(picked, Ok(vec!["10.0.0.1".into()]));
    assert!(
        start.elapsed() <= Duration::from_millis(50),
        "{:?}",
        start.elapsed()
    );
}

/// The addresses of two names while the second question for one of them, which is at `slow`, is not answered.
async fn with_a_slow_refresh(slow: IpAddr, own: Arc<OwnSockets>) -> Vec<SocketAddr> {
    let answered = std::sync::atomic::AtomicUsize::new(0);
    let names_of = Names::new(Handle::current(), move |name| {
        let turn = answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move {
            if &*name == "slow.test" && turn >= 2 {
                std::future::pending::<()>().await;
            }
            let address = match &*name {
                "slow.test" => slow,
                _ => [10, 0, 0, 1].into(),
            };
            Ok(Lookup {
                addresses: vec![address],
                ttl: Duration::from_secs(1),
            })
        })
    });
    let originator = Arc::new(Originator::new());
    let all = Clusters::new(Arc::new(names_of), originator, Arc::default(), own);
    let live = all.live(&cluster(names(&["slow.test", "quick.test"], false)));
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(2)).await;
        let picked = live.pick(&context(V4), all.names(), &mut |_| 0).await;
        picked.expect("resolved");
    }
    live.alternates("10.0.0.1:80".parse().expect("address"), &[])
}

#[tokio::test(start_paused = true)]
async fn a_slow_refresh_keeps_the_old_addresses_of_a_name() {
    let own = listening_on(&[], Mode::Sidecar);
    let slow = "10.0.0.2:80".parse().expect("address");
    let addresses = with_a_slow_refresh([10, 0, 0, 2].into(), own).await;
    assert!(addresses.contains(&slow), "{addresses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_refresh_does_not_allow_addresses_of_this_proxy() {
    let own = listening_on(&[80], Mode::Sidecar);
    let back = "127.0.0.1:80".parse().expect("address");
    let addresses = with_a_slow_refresh([127, 0, 0, 1].into(), own).await;
    assert!(!addresses.contains(&back), "{addresses:?}");
}

#[tokio::test]
async fn a_name_of_the_call_is_no_way_into_this_machine() {
    let all = clusters();
    let live = all.live(&cluster(Discovery::PerCall {
        allowed: HostPattern::parse("*"),
        port: 80,
    }));
    for (name, mode, cause) in [
        ("127.0.0.1", Mode::Sidecar, Some(Cause::NoEndpoint)),
        ("::1", Mode::Sidecar, Some(Cause::NoEndpoint)),
        ("::ffff:127.0.0.1", Mode::Sidecar, Some(Cause::NoEndpoint)),
        ("0.0.0.0", Mode::Sidecar, Some(Cause::NoEndpoint)),
        ("192.0.2.1", Mode::Gateway, Some(Cause::NoEndpoint)),
        ("192.0.2.1", Mode::Sidecar, None),
        ("192.0.2.2", Mode::Gateway, None),
    ] {
        let call = LoadBalancerContext {
            name: Some(name),
            mode,
            ..context(V4)
        };
        let picked = picks(&live, &all, &call).await;
        assert_eq!(picked.err(), cause, "{name}");
    }
    let nameless = LoadBalancerContext {
        name: None,
        ..context(V4)
    };
    assert_eq!(picks(&live, &all, &nameless).await, Err(Cause::NoEndpoint));
}

#[tokio::test]
async fn port_0_is_the_one_that_the_client_dialled() {
    let all = clusters();
    let live = all.live(&cluster(Discovery::PerCall {
        allowed: HostPattern::parse("*"),
        port: 0,
    }));
    let call = LoadBalancerContext {
        name: Some("10.0.0.7"),
        ..context("192.0.2.1:8080")
    };
    let target = live.pick(&call, all.names(), &mut |_| 0).await;
    assert_eq!(target.expect("target").address.to_string(), "10.0.0.7:8080");
}

/// Ejection after two failures.
fn ejection() -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: 2,
        consecutive_gateway_errors: 0,
        consecutive_local_failures: None,
        error_statuses: Vec::new(),
        interval: Duration::from_secs(10),
        base_ejection_time: Duration::from_secs(30),
        ejection_percent_max: 50,
        health_percent_min: 0,
    }
}

#[tokio::test]
async fn a_unix_socket_is_ejected_under_its_path() {
    let all = clusters();
    let path = EndpointAddress::Unix("/run/a.sock".into());
    let member = Member {
        address: Address::Unix("/run/a.sock".into()),
        port: 0,
        weight: 1,
        locality: "".into(),
        priority: 0,
        workload: None,
    };
    let mut unwell = Cluster::clone(&cluster(Discovery::Members(vec![member])));
    unwell.policy.outlier_detection = Some(ejection());
    let live = all.live(&Arc::new(unwell));
    let target = live.pick(&context(V4), all.names(), &mut |_| 0).await;
    assert_eq!(target.expect("target").address, path);
    for _ in 0..2 {
        live.report(&path, CallOutcome::Failed);
    }
    let ejected = all.shared_clusters.ejected("outbound|80||a.test");
    assert_eq!(ejected, [path]);
    assert_eq!(ejected[0].to_string(), "/run/a.sock");
    assert_eq!(
        picks(&live, &all, &context(V4)).await,
        Err(Cause::NoEndpoint)
    );
}

#[tokio::test]
async fn an_ejected_endpoint_is_not_picked_by_any_worker() {
    let shared_clusters: Arc<SharedClusterStates> = Arc::default();
    let worker = || {
        let names = Names::system("/nonexistent/resolv.conf", Handle::current());
        let originator = Arc::new(Originator::new());
        let own = listening_on(&[], Mode::Sidecar);
        Clusters::new(
            Arc::new(names),
            originator,
            Arc::clone(&shared_clusters),
            own,
        )
    };
    let mut unwell = Cluster::clone(&cluster(names(&["10.0.0.1", "10.0.0.2"], false)));
    unwell.policy.outlier_detection = Some(ejection());
    let unwell = Arc::new(unwell);
    let (one, other) = (worker(), worker());
    let live = one.live(&unwell);
    assert_eq!(
        picks(&live, &one, &context(V4)).await.expect("picks").len(),
        4
    );
    let first = EndpointAddress::Ip(([10, 0, 0, 1], 80).into());
    live.report(&first, CallOutcome::Failed);
    live.report(&first, CallOutcome::Answered(500));
    let left = Ok(vec!["10.0.0.2".into()]);
    assert_eq!(picks(&live, &one, &context(V4)).await, left);
    assert_eq!(
        picks(&other.live(&unwell), &other, &context(V4)).await,
        left
    );
    assert_eq!(shared_clusters.ejected("outbound|80||a.test"), [first]);

    let mut without = Cluster::clone(&unwell);
    without.policy.outlier_detection = None;
    let live = one.live(&Arc::new(without));
    let all = picks(&live, &one, &context(V4)).await.expect("picks");
    assert_eq!(all.len(), 4, "a removed policy ejects no endpoint");
}

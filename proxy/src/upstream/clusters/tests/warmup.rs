//! Endpoints with a growing share.

use egret_config::model::policy::{LoadBalancer, Warmup};
use tokio::time::advance;

use super::*;

const WINDOW: Duration = Duration::from_secs(60);

fn warming(balancer: LoadBalancer, addresses: &[[u8; 4]]) -> Arc<Cluster> {
    let member = |address: &[u8; 4]| Member {
        address: Address::Ip((*address).into()),
        port: 80,
        weight: 1,
        locality: "".into(),
        priority: 0,
        workload: None,
    };
    let members = addresses.iter().map(member).collect();
    let mut cluster = Cluster::clone(&cluster(Discovery::Members(members)));
    cluster.policy.load_balancer = balancer;
    cluster.policy.warmup = Some(Warmup {
        duration: WINDOW,
        percent_min: 10.0,
        aggression: 1.0,
    });
    Arc::new(cluster)
}

/// How many of 1100 calls go to the second endpoint.
async fn second(all: &Clusters, cluster: &Arc<Cluster>) -> usize {
    let live = all.live(cluster);
    let mut dice = fastrand::Rng::with_seed(11);
    let mut count = 0;
    for _ in 0..1100 {
        let target = live
            .pick(&context(V4), all.names(), &mut |n| dice.u64(..n))
            .await
            .expect("target");
        count += usize::from(target.address.to_string() == "10.0.0.2:80");
    }
    count
}

#[tokio::test(start_paused = true)]
async fn a_new_endpoint_gets_its_share_little_by_little() {
    for balancer in [LoadBalancer::RoundRobin, LoadBalancer::LeastRequest] {
        let all = clusters();
        let alone = warming(balancer.clone(), &[[10, 0, 0, 1]]);
        assert_eq!(second(&all, &alone).await, 0);
        advance(WINDOW).await;
        let both = warming(balancer, &[[10, 0, 0, 1], [10, 0, 0, 2]]);
        for (age, expected) in [(0, 100), (30, 367), (60, 550)] {
            let count = second(&all, &both).await;
            assert!(count.abs_diff(expected) < 60, "{age} s: {count}");
            advance(WINDOW / 2).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_came_together_share_evenly_from_the_beginning() {
    let all = clusters();
    let both = warming(LoadBalancer::RoundRobin, &[[10, 0, 0, 1], [10, 0, 0, 2]]);
    assert_eq!(second(&all, &both).await, 550);
}

#[tokio::test(start_paused = true)]
async fn chance_takes_no_notice() {
    let all = clusters();
    let alone = warming(LoadBalancer::Random, &[[10, 0, 0, 1]]);
    assert_eq!(second(&all, &alone).await, 0);
    advance(WINDOW).await;
    let both = warming(LoadBalancer::Random, &[[10, 0, 0, 1], [10, 0, 0, 2]]);
    let count = second(&all, &both).await;
    assert!(count.abs_diff(550) < 60, "{count}");
}

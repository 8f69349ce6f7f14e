//! Tries of one request, and their limits.

use std::sync::Arc;
use std::time::Duration;

use egret_config::snapshot::cluster::{Cluster, Discovery};
use tokio::io::AsyncReadExt;

use crate::failure::Cause;

use crate::http::tests::world::*;

#[test]
fn a_member_that_refuses_is_avoided_by_the_next_try() {
    worker(|| async {
        let world = World::new();
        let (good, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let cluster = cluster(&[nobody().await, good]);
        let policy = retries(&["connect-failure"], 2);
        for _ in 0..4 {
            let (status, tries) = get(&world, &cluster, Some(&policy), None).await;
            assert_eq!(status.expect("answered"), 200);
            assert!(tries <= 2, "{tries}");
        }
        let mut failures = 0;
        for _ in 0..4 {
            let (status, tries) = get(&world, &cluster, None, None).await;
            assert_eq!(tries, 1);
            failures += u32::from(status.is_err());
        }
        assert_eq!(
            failures, 2,
            "without retries every other call meets the member that refuses"
        );
    });
}

#[test]
fn a_member_that_failed_is_tried_again_if_the_route_says_so() {
    worker(|| async {
        let world = World::new();
        let (busy, _) = origin(async |mut stream, _| {
            message(&mut stream).await;
            let busy = "HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            answer(&mut stream, busy).await;
        })
        .await;
        let (good, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        // Left to round robin, nearly every try is at the one that is busy.
        let mut heavy = Cluster::clone(&cluster(&[busy, good]));
        if let Discovery::Members(members) = &mut heavy.discovery {
            members[0].weight = 1000;
        }
        let heavy = Arc::new(heavy);
        let mut policy = retries(&["5xx"], 1);
        let (status, tries) = get(&world, &heavy, Some(&policy), None).await;
        assert_eq!((status.expect("answered"), tries), (200, 2));
        policy.fresh_hosts = false;
        let (status, tries) = get(&world, &heavy, Some(&policy), None).await;
        assert_eq!((status.expect("answered"), tries), (503, 2));
    });
}

#[test]
fn a_status_is_retried_if_the_route_says_so() {
    worker(|| async {
        let world = World::new();
        let (address, accepted) = origin(async |mut stream, number| {
            message(&mut stream).await;
            let status = if number < 2 { "503 Busy" } else { "200 OK" };
            answer(
                &mut stream,
                &format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
            )
            .await;
        })
        .await;
        let cluster = cluster(&[address]);
        let (status, tries) = get(&world, &cluster, Some(&retries(&["5xx"], 3)), None).await;
        assert_eq!(
            (status.expect("answered"), tries, accepted.get()),
            (200, 3, 3)
        );
        accepted.set(0);
        let (status, tries) = get(
            &world,
            &cluster,
            Some(&retries(&["connect-failure"], 3)),
            None,
        )
        .await;
        assert_eq!((status.expect("answered"), tries), (503, 1));
    });
}

#[test]
fn time_limits_and_empty_clusters_have_their_own_failures() {
    worker(|| async {
        let world = World::new();
        let (silent, _) = origin(async |mut stream, _| {
            stream.read_to_end(&mut Vec::new()).await.expect("closed");
        })
        .await;
        let cluster_of_one = cluster(&[silent]);
        let limit = Some(Duration::from_millis(20));
        let (status, _) = get(&world, &cluster_of_one, None, limit).await;
        assert_eq!(*status.expect_err("late").cause(), Cause::Timeout);
        let mut policy = retries(&["reset"], 1);
        policy.try_timeout = limit;
        let (status, tries) = get(&world, &cluster_of_one, Some(&policy), None).await;
        assert_eq!(
            (status.expect_err("late").cause(), tries),
            (&Cause::TryTimeout, 2)
        );
        let (status, _) = get(&world, &cluster(&[]), None, None).await;
        assert_eq!(*status.expect_err("nobody").cause(), Cause::NoEndpoint);
    });
}

use super::*;

fn pool(connections: u32, pending: u32) -> ConnectionPool {
    ConnectionPool {
        connections_max: Some(connections),
        pending_max: Some(pending),
        ..ConnectionPool::default()
    }
}

#[test]
fn permits_are_given_back() {
    let usage = Arc::new(Usage::default());
    for of in [
        Resource::Connection,
        Resource::Pending,
        Resource::Request,
        Resource::Retry,
    ] {
        let (one, two) = (usage.take(of, Some(2)), usage.take(of, Some(2)));
        assert!(one.is_ok() && two.is_ok());
        let failure = usage.take(of, Some(2)).expect_err("overflow");
        assert_eq!(*failure.cause(), Cause::Overflow);
        assert!(failure.to_string().contains(of.setting()), "{failure}");
        drop((one, two));
        assert_eq!(usage.now(of), 0);
        assert!(usage.take(of, Some(0)).is_err());
    }
}

#[test]
fn nothing_is_counted_without_a_limit() {
    let usage = Arc::new(Usage::default());
    let _permit = usage.take(Resource::Request, None).expect("permit");
    assert_eq!(usage.now(Resource::Request), 0);
}

#[test]
fn retries_are_a_share_of_the_requests_but_a_few_are_always_allowed() {
    let usage = Arc::new(Usage::default());
    let budget = RetryBudget {
        percent: 20.0,
        retries_min: 2,
    };
    let retries = |requests: usize| {
        let requests: Vec<_> = (0..requests)
            .map(|_| usage.take(Resource::Request, Some(1000)).expect("request"))
            .collect();
        let mut retries = Vec::new();
        while let Ok(retry) = usage.take_retry(&ConnectionPool::default(), Some(&budget)) {
            retries.push(retry);
        }
        drop(requests);
        retries.len()
    };
    assert_eq!([retries(0), retries(10), retries(100)], [2, 2, 20]);
    let limited = ConnectionPool {
        retries_max: Some(1),
        ..ConnectionPool::default()
    };
    let _one = usage.take_retry(&limited, None).expect("retry");
    assert!(usage.take_retry(&limited, None).is_err());
}

#[tokio::test]
async fn a_request_waits_until_a_connection_is_closed_or_idle() {
    let usage = Arc::new(Usage::default());
    let pool = pool(1, 1);
    let only = usage.take(Resource::Connection, Some(1)).expect("permit");
    let waiting = usage.wait_for_connection(&pool, || None::<()>);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    let second = usage.wait_for_connection(&pool, || None::<()>).await;
    assert_eq!(*second.expect_err("overflow").cause(), Cause::Overflow);
    drop(only);
    let Ok(NextConnection::New(permit)) = waiting.await else {
        panic!("no permit for the connection that was closed");
    };

    let idle = std::cell::Cell::new(false);
    let waiting = usage.wait_for_connection(&pool, || idle.get().then_some(7));
    tokio::pin!(waiting);
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    idle.set(true);
    usage.freed().notify_waiters();
    assert!(matches!(waiting.await, Ok(NextConnection::Idle(7))));
    drop(permit);
    assert_eq!(usage.now(Resource::Pending), 0);
}

#[tokio::test]
async fn workers_are_notified_that_a_connection_is_needed() {
    let usage = Arc::new(Usage::default());
    let pool = pool(1, 1);
    let only = std::cell::RefCell::new(usage.take(Resource::Connection, Some(1)).ok());
    let holder = async {
        usage.connection_needed().await;
        only.take();
    };
    let waiter = usage.wait_for_connection(&pool, || None::<()>);
    let ((), next) = tokio::join!(holder, waiter);
    assert!(matches!(next, Ok(NextConnection::New(_))));
}

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use tokio::task::yield_now;
use tokio::time::advance;

use super::*;
use crate::dns::names::entry::{
    GONE_GRACE, RETRY_MAX_SILENCE, RETRY_MIN, STALE_RECHECK, STALE_WAIT_MAX,
};

const SECOND: Duration = Duration::from_secs(1);

/// A cache that answers its queries from a script. Queries after the end of the script have no answer.
struct Scripted {
    names: Names,
    queries: Arc<AtomicUsize>,
}

fn scripted(script: impl IntoIterator<Item = Result<Lookup, Unresolved>>) -> Scripted {
    let script = Mutex::new(VecDeque::from_iter(script));
    let queries = Arc::new(AtomicUsize::new(0));
    let count = queries.clone();
    let names = Names::new(Handle::current(), move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let next = script.lock().expect("script").pop_front();
        Box::pin(async move {
            // Concurrent callers join the query meanwhile.
            yield_now().await;
            match next {
                Some(result) => result,
                None => std::future::pending().await,
            }
        })
    });
    Scripted { names, queries }
}

impl Scripted {
    /// The last octet of the address that `a.example` has now, or the failure.
    async fn now(&self) -> Result<u8, String> {
        match self.names.addresses("a.example").await {
            Ok(answer) => match answer.addresses[..] {
                [IpAddr::V4(address)] => Ok(address.octets()[3]),
                _ => Err(format!("{answer:?}")),
            },
            Err(error) => Err(error.to_string()),
        }
    }

    fn queries(&self) -> usize {
        self.queries.load(Ordering::Relaxed)
    }
}

fn resolves_to(last: u8, ttl: u64) -> Result<Lookup, Unresolved> {
    Ok(Lookup {
        addresses: vec![[10, 0, 0, last].into()],
        ttl: SECOND * ttl as u32,
    })
}

fn gone(ttl: Option<u64>) -> Result<Lookup, Unresolved> {
    Err(Unresolved {
        ttl: ttl.map(Duration::from_secs),
        ..unresolved(Reason::NoSuchName, "there is no such name")
    })
}

fn failed() -> Result<Lookup, Unresolved> {
    Err(unresolved(Reason::ServerFailure, "server failure"))
}

fn silence() -> Result<Lookup, Unresolved> {
    Err(unresolved(Reason::NoAnswer, "no answer"))
}

fn unresolved(reason: Reason, details: &str) -> Unresolved {
    Unresolved::new(&"a.example".into(), reason, details)
}

#[tokio::test(start_paused = true)]
async fn addresses_are_their_own_answer() {
    let names = scripted([]).names;
    for literal in ["10.0.0.1", "2001:db8::1", "[2001:db8::1]"] {
        let answer = names.addresses(literal).await.expect(literal);
        assert_eq!(answer.addresses.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_ttl_is_honoured_between_its_limits() {
    let scripted = scripted([
        resolves_to(1, 30),
        resolves_to(2, 0),
        resolves_to(3, 100_000),
        resolves_to(4, 30),
    ]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(29 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    advance(2 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(2));
    assert_eq!(scripted.now().await, Ok(2));
    advance(TTL_MIN).await;
    assert_eq!(scripted.now().await, Ok(3));
    advance(TTL_MAX).await;
    assert_eq!(scripted.now().await, Ok(4));
    assert_eq!(scripted.queries(), 4);
}

#[tokio::test(start_paused = true)]
async fn concurrent_lookups_share_one_query_that_outlives_the_first_caller() {
    let scripted = scripted([resolves_to(1, 30)]);
    let first = scripted.names.addresses("a.example").now_or_never();
    assert!(first.is_none());
    let (one, other) = tokio::join!(scripted.names.addresses("A.Example."), scripted.now());
    assert_eq!(one.expect("answer").addresses.len(), 1);
    assert_eq!(other, Ok(1));
    assert_eq!(scripted.queries(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_leaves_the_last_good_answer() {
    let scripted = scripted([resolves_to(1, 30), failed(), failed(), resolves_to(2, 30)]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(31 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    assert_eq!(scripted.now().await, Ok(1));
    assert_eq!(scripted.queries(), 2);
    advance(3600 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    advance(RETRY_MIN).await;
    assert_eq!(
        scripted.now().await,
        Ok(1),
        "the second failure counts longer"
    );
    advance(RETRY_MIN * 2).await;
    assert_eq!(scripted.now().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_query_without_an_answer_does_not_delay_calls_with_an_expired_one() {
    let scripted = scripted([resolves_to(1, 30)]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(31 * SECOND).await;
    let start = Instant::now();
    assert_eq!(scripted.now().await, Ok(1));
    assert!(start.elapsed() <= STALE_WAIT_MAX);
}

#[tokio::test(start_paused = true)]
async fn after_a_negative_answer_the_last_good_one_is_used_for_its_grace_only() {
    let scripted = scripted([
        resolves_to(1, 30),
        gone(Some(3)),
        gone(Some(3)),
        gone(None),
        resolves_to(2, 30),
    ]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(31 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    advance(4 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    advance(GONE_GRACE).await;
    assert_eq!(
        scripted.now().await,
        Err("`a.example` has no address: there is no such name".into())
    );
    assert_eq!(scripted.queries(), 4);
    assert!(scripted.now().await.is_err());
    assert_eq!(scripted.queries(), 4);
    advance(NEGATIVE_TTL_MAX).await;
    assert_eq!(scripted.now().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_question_ends() {
    let scripted = scripted([]);
    let start = Instant::now();
    assert_eq!(
        scripted.now().await,
        Err("`a.example` cannot be resolved: no answer in time".into())
    );
    assert_eq!(start.elapsed(), QUESTION_MAX);
}

#[tokio::test(start_paused = true)]
async fn no_more_names_of_callers_than_the_limit_are_kept() {
    let names = Names::new(Handle::current(), |_| {
        Box::pin(async { resolves_to(1, 30) })
    });
    for index in 0..=NAMES_MAX {
        names
            .addresses_for_caller(&format!("{index}.example"))
            .await
            .expect("answer");
    }
    assert_eq!(names.list().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn names_of_callers_do_not_drive_out_those_of_the_configuration() {
    let works = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let working = works.clone();
    let names = Names::new(Handle::current(), move |_| {
        let result = match working.load(Ordering::Relaxed) {
            true => resolves_to(1, 1),
            false => failed(),
        };
        Box::pin(async move { result })
    });
    names.addresses("declared.example").await.expect("answer");
    works.store(false, Ordering::Relaxed);
    advance(SECOND * 2).await;
    for index in 0..=NAMES_MAX {
        let name = format!("{index}.example");
        names
            .addresses_for_caller(&name)
            .await
            .expect_err("failure");
    }
    // The name servers do not answer, and the last good answer is still used.
    names.addresses("declared.example").await.expect("answer");
    let stranger = names.addresses_for_caller("declared.example").await;
    stranger.expect_err("what one cache knows the other does not");
    let listed = names.list();
    let listed: Vec<_> = listed
        .iter()
        .filter(|facts| &*facts.name == "declared.example")
        .collect();
    assert!(
        matches!(listed[..], [NameFacts { addresses, .. }] if addresses.len() == 1),
        "{listed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn many_names_of_the_configuration_are_all_kept_while_they_are_valid() {
    let names = Names::new(Handle::current(), |_| {
        Box::pin(async { resolves_to(1, 3600) })
    });
    for index in 0..NAMES_MAX * 2 + 5 {
        let name = format!("{index}.example");
        names.addresses(&name).await.expect("answer");
    }
    assert_eq!(names.list().len(), NAMES_MAX * 2 + 5);
}

/// On the paused clock, the times that calls take, one every 200 ms for `lasting`, all of which are answered with `expected`.
async fn call_often(scripted: &Scripted, lasting: Duration, expected: u8) -> Vec<Duration> {
    let end = Instant::now() + lasting;
    let mut times = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        assert_eq!(scripted.now().await, Ok(expected));
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    times
}

#[tokio::test(start_paused = true)]
async fn calls_go_on_at_full_speed_while_no_name_server_answers() {
    let scripted = scripted([resolves_to(1, 30)]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(31 * SECOND).await;
    let times = call_often(&scripted, 300 * SECOND, 1).await;
    let waited: Vec<_> = times.iter().filter(|time| !time.is_zero()).collect();
    assert_eq!(waited, [&STALE_WAIT_MAX], "only the first call waits");
    assert!(
        scripted.queries() > 5,
        "queried again: {}",
        scripted.queries()
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_name_server_holds_up_no_call_but_the_first() {
    let queries = Arc::new(AtomicUsize::new(0));
    let count = queries.clone();
    let names = Names::new(Handle::current(), move |_| {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(if turn == 0 { 1 } else { 700 })).await;
            resolves_to(turn as u8 + 1, 1)
        })
    });
    let scripted = Scripted { names, queries };
    assert_eq!(scripted.now().await, Ok(1));
    advance(2 * SECOND).await;
    let start = Instant::now();
    assert_eq!(scripted.now().await, Ok(1));
    assert_eq!(start.elapsed(), STALE_WAIT_MAX);
    for _ in 0..100 {
        let start = Instant::now();
        scripted.now().await.expect("an address");
        assert_eq!(start.elapsed(), Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let last = scripted.now().await.expect("an address");
    assert!(last > 5, "the new answers are used: {last}");
}

#[tokio::test(start_paused = true)]
async fn a_quick_name_server_is_waited_for() {
    let scripted = scripted([resolves_to(1, 1), resolves_to(2, 1)]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(2 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_new_answer_is_looked_for_soon_after_an_old_one_was_given() {
    let scripted = scripted([resolves_to(1, 30)]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(31 * SECOND).await;
    let old = scripted
        .names
        .addresses("a.example")
        .await
        .expect("an address");
    assert!(old.valid_until <= Instant::now() + STALE_RECHECK);
}

/// The number of queries for a name in each of three minutes in which it is called ten times a second and always fails so,
/// with this refresh rate.
async fn queries_per_minute(
    failure: fn() -> Result<Lookup, Unresolved>,
    refresh_rate: Duration,
) -> [usize; 3] {
    let scripted = scripted(std::iter::repeat_with(failure).take(1_000));
    scripted.names.set_refresh_rate(refresh_rate);
    let mut minutes = [0; 3];
    for minute in &mut minutes {
        let before = scripted.queries();
        for _ in 0..600 {
            assert!(scripted.now().await.is_err());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        *minute = scripted.queries() - before;
    }
    minutes
}

#[tokio::test(start_paused = true)]
async fn a_name_that_fails_is_queried_at_growing_intervals() {
    let [first, second, third] = queries_per_minute(failed, 60 * SECOND).await;
    assert!(
        first <= 4 && second <= 2 && third <= 1,
        "{first} {second} {third}"
    );
    let [first, second, third] = queries_per_minute(|| gone(None), 60 * SECOND).await;
    assert!(
        first <= 5 && second <= 3 && third <= 3,
        "{first} {second} {third}"
    );
    let [first, second, third] = queries_per_minute(silence, 60 * SECOND).await;
    assert!(
        first <= 7 && second <= 4 && third <= 4,
        "{first} {second} {third}"
    );
    assert!(third >= 3, "a server that comes back is noticed");
}

#[tokio::test(start_paused = true)]
async fn no_pause_after_a_failure_is_longer_than_the_refresh_rate() {
    for failure in [failed, || gone(Some(30)), silence] {
        let [_, _, third] = queries_per_minute(failure, 5 * SECOND).await;
        assert!((11..=12).contains(&third), "{third}");
    }
    // A longer one is waited for, too, where a server answers.
    let minutes = queries_per_minute(failed, 600 * SECOND).await;
    assert_eq!(minutes[1..], [1, 0], "after 2, 8, 26, 80 and 242 seconds");
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_comes_back_is_noticed() {
    let failures = std::iter::repeat_with(silence).take(10);
    let scripted = scripted(failures.chain([resolves_to(1, 30)]));
    while scripted.queries() < 10 {
        assert!(scripted.now().await.is_err());
        advance(SECOND).await;
    }
    advance(RETRY_MAX_SILENCE).await;
    assert_eq!(scripted.now().await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_panicked_does_not_end_its_name() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let names = Names::new(Handle::current(), move |_| {
        let panics = first.swap(false, Ordering::Relaxed);
        Box::pin(async move {
            assert!(!panics, "a bug");
            resolves_to(1, 30)
        })
    });
    names.addresses("a.example").await.expect_err("cut off");
    names.addresses("a.example").await.expect("queried again");
}

#[tokio::test(start_paused = true)]
async fn the_facts_of_a_name_are_known() {
    let scripted = scripted([resolves_to(1, 30), failed(), failed(), resolves_to(2, 30)]);
    assert!(scripted.names.facts("a.example").is_none());
    assert_eq!(scripted.now().await, Ok(1));
    let facts = || scripted.names.facts("A.Example.").expect("facts");
    let start = Instant::now();
    assert_eq!(facts().failures, 0);
    assert!(facts().failing().is_none());
    assert_eq!(facts().next_refresh, Some(start + 30 * SECOND));
    assert_eq!(
        facts().describe(start),
        "`a.example` has address 10.0.0.1; resolved again by the first call in 30 s or later"
    );
    advance(31 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    advance(SECOND).await;
    let known = facts();
    let failure = known.failing().expect("a failure");
    assert_eq!(failure.unresolved.reason, Reason::ServerFailure);
    assert_eq!(failure.at, start + 31 * SECOND);
    assert_eq!(known.failures, 1);
    assert_eq!(known.next_refresh, Some(failure.at + RETRY_MIN));
    assert_eq!(known.addresses.len(), 1);
    assert_eq!(
        known.describe(Instant::now()),
        "`a.example` cannot be resolved: server failure (servfail, 1 s ago, failures in a row: 1); its last known \
         addresses stay in use: 10.0.0.1; resolved again by the first call in 1 s or later"
    );
    advance(SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    assert_eq!(facts().failures, 2);
    advance(RETRY_MIN * 3).await;
    assert_eq!(scripted.now().await, Ok(2));
    let known = facts();
    assert_eq!(known.failures, 0);
    assert!(known.last_failure.is_some(), "the last failure stays known");
    assert!(known.failing().is_none());
}

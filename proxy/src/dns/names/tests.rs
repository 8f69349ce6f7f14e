use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use tokio::task::yield_now;
use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Names that answer from a script; a script that is used up never answers.
struct Scripted {
    names: Names,
    asked: Arc<AtomicUsize>,
}

fn scripted(script: impl IntoIterator<Item = Result<Found, Unresolved>>) -> Scripted {
    let script = Mutex::new(VecDeque::from_iter(script));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let names = Names::new(Handle::current(), move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let next = script.lock().expect("script").pop_front();
        Box::pin(async move {
            // Callers meet meanwhile.
            yield_now().await;
            match next {
                Some(found) => found,
                None => std::future::pending().await,
            }
        })
    });
    Scripted { names, asked }
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

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn found(last: u8, ttl: u64) -> Result<Found, Unresolved> {
    Ok(Found {
        addresses: vec![[10, 0, 0, last].into()],
        ttl: SECOND * ttl as u32,
    })
}

fn gone(ttl: Option<u64>) -> Result<Found, Unresolved> {
    let ttl = ttl.map(Duration::from_secs);
    Err(Unresolved::NoAddress {
        name: "a.example".into(),
        why: "there is no such name",
        ttl,
    })
}

fn failed() -> Result<Found, Unresolved> {
    Err(Unresolved::Failed {
        name: "a.example".into(),
        why: "server failure".into(),
    })
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
    let scripted = scripted([found(1, 30), found(2, 0), found(3, 100_000), found(4, 30)]);
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
    assert_eq!(scripted.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_question_serves_all_who_ask_and_outlives_its_first_caller() {
    let scripted = scripted([found(1, 30)]);
    let first = scripted.names.addresses("a.example").now_or_never();
    assert!(first.is_none());
    let (one, other) = tokio::join!(scripted.names.addresses("A.Example."), scripted.now());
    assert_eq!(one.expect("answer").addresses.len(), 1);
    assert_eq!(other, Ok(1));
    assert_eq!(scripted.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_leaves_the_last_good_answer() {
    let scripted = scripted([found(1, 30), failed(), failed(), found(2, 30)]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(31 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    assert_eq!(scripted.now().await, Ok(1));
    assert_eq!(scripted.asked(), 2);
    advance(3600 * SECOND).await;
    assert_eq!(scripted.now().await, Ok(1));
    advance(FAILURE_TTL).await;
    assert_eq!(scripted.now().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_does_not_hold_up_who_has_an_old_one() {
    let scripted = scripted([found(1, 30)]);
    assert_eq!(scripted.now().await, Ok(1));
    advance(31 * SECOND).await;
    let start = Instant::now();
    assert_eq!(scripted.now().await, Ok(1));
    assert!(start.elapsed() <= STALE_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_gone_lives_on_for_its_grace_only() {
    let scripted = scripted([
        found(1, 30),
        gone(Some(3)),
        gone(Some(3)),
        gone(None),
        found(2, 30),
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
    assert_eq!(scripted.asked(), 4);
    assert!(scripted.now().await.is_err());
    assert_eq!(scripted.asked(), 4);
    advance(NEGATIVE_TTL_DEFAULT).await;
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
    let names = Names::new(Handle::current(), |_| Box::pin(async { found(1, 30) }));
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
        let found = match working.load(Ordering::Relaxed) {
            true => found(1, 1),
            false => failed(),
        };
        Box::pin(async move { found })
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
    // The name servers are gone, and the last good answer still counts.
    names.addresses("declared.example").await.expect("answer");
    let stranger = names.addresses_for_caller("declared.example").await;
    stranger.expect_err("what one cache knows the other does not");
    let shown = names.list();
    let shown: Vec<_> = shown
        .iter()
        .filter(|(name, _)| &**name == "declared.example")
        .collect();
    assert!(matches!(shown[..], [(_, Some(_))]), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn many_names_of_the_configuration_are_all_kept_while_they_are_valid() {
    let names = Names::new(Handle::current(), |_| Box::pin(async { found(1, 3600) }));
    for index in 0..NAMES_MAX * 2 + 5 {
        let name = format!("{index}.example");
        names.addresses(&name).await.expect("answer");
    }
    assert_eq!(names.list().len(), NAMES_MAX * 2 + 5);
}

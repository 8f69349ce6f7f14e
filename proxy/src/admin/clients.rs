//! The clients of one page server: no more than a limit, and a new one is always let in. For it the client goes that
//! idles longest, or, when none idles, the one whose answer takes longest.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long an answer may take once it is there.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// How long a client may take nothing of it.
const STUCK_MAX: Duration = Duration::from_secs(5);

/// The clients that are connected.
#[derive(Debug)]
pub(super) struct Clients {
    max: usize,
    connected: RefCell<BTreeMap<u64, Rc<Client>>>,
    last: Cell<u64>,
}

/// What is known of one.
#[derive(Debug)]
pub(super) struct Client {
    answering: Cell<bool>,
    /// Since when it idles, or is being answered.
    since: Cell<Instant>,
    /// Since when it takes nothing of what is written.
    stuck: Cell<Option<Instant>>,
    leave: Notify,
}

/// The place of one, given back when dropped.
#[derive(Debug)]
pub(super) struct WorkerId {
    clients: Rc<Clients>,
    number: u64,
    pub(super) client: Rc<Client>,
}

impl Clients {
    /// Nobody, and room for `max`.
    pub(super) fn new(max: usize) -> Rc<Self> {
        Rc::new(Self {
            max: max.max(1),
            connected: RefCell::default(),
            last: Cell::new(0),
        })
    }

    /// Lets one more in.
    pub(super) fn admit(self: &Rc<Self>) -> WorkerId {
        if self.connected.borrow().len() >= self.max {
            self.dismiss_one();
        }
        let number = self.last.get() + 1;
        self.last.set(number);
        let client = Rc::new(Client {
            answering: Cell::new(false),
            since: Cell::new(Instant::now()),
            stuck: Cell::new(None),
            leave: Notify::new(),
        });
        let mut connected = self.connected.borrow_mut();
        connected.insert(number, Rc::clone(&client));
        drop(connected);
        WorkerId {
            clients: Rc::clone(self),
            number,
            client,
        }
    }

    /// Makes room for one more.
    pub(super) fn dismiss_one(&self) {
        let mut connected = self.connected.borrow_mut();
        let leaving = connected
            .iter()
            .min_by_key(|(_, client)| (client.answering.get(), client.since.get()))
            .map(|(number, _)| *number);
        if let Some(client) = leaving.and_then(|number| connected.remove(&number)) {
            client.leave.notify_one();
        }
    }
}

impl Client {
    /// A request of it came (`true`), or the answer is out (`false`).
    pub(super) fn set_answering(&self, answering: bool) {
        self.answering.set(answering);
        self.since.set(Instant::now());
    }

    /// What was written last could not be taken (`true`), or was.
    pub(super) fn set_stuck(&self, stuck: bool) {
        let since = self.stuck.get();
        self.stuck
            .set(stuck.then(|| since.unwrap_or_else(Instant::now)));
    }

    /// Whether it takes longer for its answer than it may.
    pub(super) fn is_slow(&self) -> bool {
        let stuck = self.stuck.get();
        stuck.is_some_and(|since| since.elapsed() > STUCK_MAX)
            || (self.answering.get() && self.since.get().elapsed() > ANSWER_MAX)
    }

    /// Returns once another client needs the place.
    pub(super) async fn leave(&self) {
        self.leave.notified().await;
    }
}

impl Drop for WorkerId {
    fn drop(&mut self) {
        self.clients.connected.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    const LOOKED: Duration = Duration::from_millis(1);

    async fn admitted(clients: &Rc<Clients>) -> WorkerId {
        advance(Duration::from_secs(1)).await;
        clients.admit()
    }

    fn must_leave(place: &WorkerId) -> bool {
        place.client.leave().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn who_idles_longest_leaves_for_a_new_one() {
        let clients = Clients::new(2);
        let first = admitted(&clients).await;
        let second = admitted(&clients).await;
        first.client.set_answering(true);
        let third = admitted(&clients).await;
        assert!(!must_leave(&first) && must_leave(&second) && !must_leave(&third));
        drop(second);
        third.client.set_answering(true);
        let fourth = admitted(&clients).await;
        assert!(must_leave(&first), "none idles: the longest answer");
        assert!(!must_leave(&third) && !must_leave(&fourth));
        drop((first, third, fourth));
        assert!(clients.connected.borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_slow_and_so_is_who_takes_little_for_long() {
        let clients = Clients::new(1);
        let place = admitted(&clients).await;
        advance(ANSWER_MAX * 2).await;
        assert!(!place.client.is_slow(), "it asks for nothing");
        place.client.set_answering(true);
        place.client.set_stuck(true);
        advance(STUCK_MAX).await;
        place.client.set_stuck(true);
        assert!(!place.client.is_slow());
        place.client.set_stuck(false);
        advance(STUCK_MAX + LOOKED).await;
        assert!(!place.client.is_slow(), "it took something");
        place.client.set_stuck(true);
        advance(STUCK_MAX + LOOKED).await;
        assert!(place.client.is_slow());
        place.client.set_stuck(false);
        advance(ANSWER_MAX).await;
        assert!(place.client.is_slow());
    }
}

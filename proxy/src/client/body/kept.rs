//! A copy of a body, kept up to a bound while it streams, so that it can be sent again.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::client::body::broken::Broken;
use crate::client::body::inflow::Inflow;
use crate::client::body::kept_bytes::KeptRoom;
use crate::client::body::progress::Received;

/// The largest body in bytes that is kept. A larger one is streamed, and can be sent only once.
pub const KEPT_MAX: usize = 1 << 20;

/// The body as one attempt reads it.
#[derive(Debug)]
pub(super) struct Reader {
    store: Rc<RefCell<Store>>,
    received: Received,
    /// Which reader it is; only the newest may read on.
    number: u32,
    /// The next kept piece.
    next: usize,
}

#[derive(Debug)]
pub(super) struct Store {
    incoming: Inflow,
    kept: Vec<Piece>,
    room: KeptRoom,
    state: State,
    newest: u32,
    /// The number of possible readers: the `Replay`, and readers of attempts.
    interested: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The body is not complete; all its bytes so far are kept.
    Open,
    /// Too much for one body, or for the process: nothing is kept.
    TooLarge,
    /// All of it is kept.
    Whole,
    /// The client broke off.
    Broken,
}

#[derive(Clone, Debug)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Drop for Reader {
    fn drop(&mut self) {
        lose_interest(&self.store, &self.received);
    }
}

/// Notes that one possible reader was dropped.
pub(super) fn lose_interest(store: &RefCell<Store>, received: &Received) {
    let mut store = store.borrow_mut();
    store.interested -= 1;
    if store.interested == 0 {
        received.abandon();
    }
}

impl Reader {
    /// The newest reading of what is kept, from its beginning; those before it read no further. `None` when it cannot be
    /// had again.
    pub(super) fn begin(kept: &Rc<RefCell<Store>>, received: &Received) -> Option<Self> {
        let mut store = kept.borrow_mut();
        let again = store.newest > 0;
        if again && !matches!(store.state, State::Open | State::Whole) {
            return None;
        }
        store.newest += 1;
        store.interested += 1;
        Some(Self {
            store: Rc::clone(kept),
            received: received.clone(),
            number: store.newest,
            next: 0,
        })
    }

    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut store = self.store.borrow_mut();
        if self.number != store.newest {
            return Poll::Ready(Some(Err(Broken::Superseded)));
        }
        if let Some(piece) = store.kept.get(self.next) {
            self.next += 1;
            return Poll::Ready(Some(Ok(piece.clone().into())));
        }
        match store.state {
            State::Whole => return Poll::Ready(None),
            State::Broken => return Poll::Ready(Some(Err(Broken::Superseded))),
            State::Open | State::TooLarge => {}
        }
        let frame = ready!(Pin::new(&mut store.incoming).poll_frame(context));
        self.received.note(&frame);
        let Some(frame) = frame else {
            store.end(State::Whole, &self.received);
            return Poll::Ready(None);
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                store.end(State::Broken, &self.received);
                return Poll::Ready(Some(Err(Broken::Client(error))));
            }
        };
        let kept = store.keep(frame);
        self.next = store.kept.len();
        if store.incoming.is_end_stream() {
            store.end(State::Whole, &self.received);
        }
        Poll::Ready(kept.map(|piece| Ok(piece.into())))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let store = self.store.borrow();
        self.number == store.newest
            && self.next >= store.kept.len()
            && (store.state == State::Whole || store.incoming.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let store = self.store.borrow();
        let ahead = store.kept.iter().skip(self.next).map(Piece::len).sum();
        let mut hint = match store.state {
            State::Whole | State::Broken => SizeHint::with_exact(0),
            State::Open | State::TooLarge => store.incoming.size_hint(),
        };
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint.set_lower(hint.lower().saturating_add(ahead));
        hint
    }
}

impl Store {
    /// Nothing is kept yet.
    pub(super) fn new(incoming: Inflow, room: KeptRoom) -> Self {
        Self {
            incoming,
            kept: Vec::new(),
            room,
            state: State::Open,
            newest: 0,
            interested: 1,
        }
    }

    /// All of it with its trailers, if all of it is kept.
    pub(super) fn whole(&self) -> Option<(Bytes, Option<HeaderMap>)> {
        if self.state != State::Whole {
            return None;
        }
        let mut all = Vec::with_capacity(self.room.used());
        let mut trailers = None;
        for piece in &self.kept {
            match piece {
                Piece::Data(bytes) => all.extend_from_slice(bytes),
                Piece::Trailers(last) => trailers = Some(last.clone()),
            }
        }
        Some((all.into(), trailers))
    }

    /// Keeps a piece while there is room, and returns it. Frames of unknown kinds are skipped.
    fn keep(&mut self, frame: Frame<Bytes>) -> Option<Piece> {
        let piece = match frame.into_data() {
            Ok(bytes) => Piece::Data(bytes),
            Err(frame) => Piece::Trailers(frame.into_trailers().ok()?),
        };
        if self.state == State::Open {
            let length = usize::try_from(piece.len()).unwrap_or(usize::MAX);
            if length <= KEPT_MAX - self.room.used() && self.room.grow(length) {
                self.kept.push(piece.clone());
            } else {
                self.state = State::TooLarge;
                self.kept = Vec::new();
                self.room.clear();
            }
        }
        Some(piece)
    }

    fn end(&mut self, state: State, received: &Received) {
        if self.state == State::Open || state == State::Broken {
            self.state = state;
        }
        received.end();
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Data(bytes) => bytes.len() as u64,
            Self::Trailers(_) => 0,
        }
    }
}

impl From<Piece> for Frame<Bytes> {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Data(bytes) => Self::data(bytes),
            Piece::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}

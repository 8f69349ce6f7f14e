//! A service with a thread and a runtime of its own, so that it waits for no other.

use std::future::Future;
use std::time::Duration;
use std::{io, thread};

use tokio::runtime;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

/// How long a thread for blocking work waits for more to do. Memory that it allocated goes back to the kernel once it has
/// ended.
pub const IDLE_THREAD_MAX: Duration = Duration::from_secs(1);

/// A runtime that is not running yet. Sockets are registered with it through [`Service::enter`], so that the kernel's
/// refusals are known before the process is ready.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    runtime: Runtime,
}

impl Service {
    /// A runtime for a thread called `name`. At most `blocking_threads` more do work that would hold it up.
    ///
    /// # Errors
    /// The kernel's, when there is no epoll instance to be had.
    pub fn new(name: &'static str, blocking_threads: usize) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(blocking_threads.max(1))
            .thread_keep_alive(IDLE_THREAD_MAX)
            .thread_name(format!("{name}-blocking"))
            .build()?;
        Ok(Self { name, runtime })
    }

    /// Calls `register` in the context of the runtime.
    pub fn enter<T>(&self, register: impl FnOnce() -> T) -> T {
        let _entered = self.runtime.enter();
        register()
    }

    /// Starts the thread, which ends with what `serve` gives, or with the process. `serve` is called on the thread, inside
    /// a `LocalSet`.
    ///
    /// # Errors
    /// The kernel's, when there is no thread to be had.
    pub fn run<F: Future<Output = ()>>(
        self,
        serve: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<()> {
        let Self { name, runtime } = self;
        let serving = move || {
            LocalSet::new().block_on(&runtime, async { serve().await });
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(serving)?;
        Ok(())
    }
}

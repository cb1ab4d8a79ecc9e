//! Work that goes on when whoever waits for it is gone. It runs where it is waited for, so that
//! as long as somebody does it costs no task of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// The work panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// A future that becomes a task of its own when it is dropped before its end.
#[derive(Debug)]
pub(crate) struct Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// None: it has ended.
    work: Option<Pin<Box<F>>>,
    tasks: TaskTracker,
}

impl<F> Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// `work`, which goes on among `tasks` if it has to.
    pub(crate) fn new(work: F, tasks: &TaskTracker) -> Self {
        Self { work: Some(Box::pin(work)), tasks: tasks.clone() }
    }
}

impl<F> Future for Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.work else { return Poll::Ready(Err(Panicked)) };
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(_) => Err(Panicked),
        };
        self.work = None;
        Poll::Ready(ended)
    }
}

impl<F> Drop for Outliving<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        // Without a runtime the process is ending, and so is the work.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            self.tasks.spawn_on(work, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_goes_on_without_whoever_waited() {
        let tasks = TaskTracker::new();
        let (go, wait) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let work = async move {
            let _went = wait.await;
            let _told = done.send(7);
        };
        let mut outliving = Outliving::new(work, &tasks);
        assert!(
            std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut outliving).poll(cx)))
                .await
                .is_pending()
        );
        drop(outliving);
        go.send(()).unwrap();
        assert_eq!(is_done.await, Ok(7));
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_panic_ends_it_and_nothing_else() {
        let tasks = TaskTracker::new();
        let work = async { assert!(std::hint::black_box(false), "for the test") };
        assert_eq!(Outliving::new(work, &tasks).await, Err(Panicked));
        assert_eq!(Outliving::new(async { 1 }, &tasks).await, Ok(1));
        assert!(tasks.is_empty());
    }
}

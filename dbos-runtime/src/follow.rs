//! What a workflow puts out one after another, read as it comes.

use std::future::Future;
use std::sync::Arc;

use futures_util::stream::{self, Stream, TryStreamExt};

use crate::clock::pause;
use crate::context::at_rest;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::store::page::Page;
use crate::wakeup::Fact;

/// How many values are read at a time, and kept until they are asked for.
pub(crate) const PAGE: i64 = 16;

/// Every value that comes after the number `after`, each with its own number; ends when `workflow` is over, or with an
/// error. `look` reads the page after a number, and `news` is what is told when there is more.
pub(crate) fn values<F>(
    executor: Arc<Executor>,
    workflow: String,
    news: Fact,
    after: i64,
    look: impl Fn(Arc<Executor>, String, i64) -> F + Send + Sync + 'static,
) -> impl Stream<Item = Result<(i64, String)>> + Send + 'static
where
    F: Future<Output = Result<Page>> + Send + 'static,
{
    let look = Arc::new(look);
    let pages = stream::try_unfold(after, move |after| {
        let (executor, workflow, news) = (Arc::clone(&executor), workflow.clone(), news.clone());
        let look = Arc::clone(&look);
        async move {
            let look = || look(Arc::clone(&executor), workflow.clone(), after);
            let page = next_page(&executor, &workflow, news, look).await?;
            let last = page.last().map(|(number, _)| *number);
            Ok::<_, Error>(last.map(|last| (stream::iter(page.into_iter().map(Ok)), last)))
        }
    });
    pages.try_flatten()
}

/// The next values, once there are some; none if there will be no more.
async fn next_page<F>(
    executor: &Executor,
    workflow: &str,
    news: Fact,
    look: impl Fn() -> F,
) -> Result<Vec<(i64, String)>>
where
    F: Future<Output = Result<Page>>,
{
    let put_out = executor.wakeups.subscribe(news);
    let ended = executor.wakeups.subscribe(Fact::Ended { workflow: workflow.to_owned() });
    loop {
        let (next, end) = (put_out.next(), ended.next());
        let page = look().await?;
        if page.is_over || !page.values.is_empty() {
            return Ok(page.values);
        }
        // They may have to come from a workflow that a dead executor left.
        executor.take_over();
        let news = async {
            tokio::select! {
                () = next => {}
                () = end => {}
                () = pause(executor.poll_interval) => {}
                () = executor.closed() => return Err(Error::ShuttingDown),
            }
            Ok(())
        };
        at_rest(None, news).await?;
    }
}

//! A workflow's code run with what is recorded, and with nothing else.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::run::{End, body_end, remember_panics};
use crate::codec::{Encoded, engine_error};
use crate::context::{Beginning, Run, in_run};
use crate::error::Error;
use crate::executor::{Executor, Signal, SignalSlot};
use crate::registry::AnyWorkflow;
use crate::rehearsal::{Parting, Reached, Rehearsal};
use crate::round::begins_a_round;
use crate::store::steps::History;

/// How long code may wait for something that is not recorded.
const PATIENCE: Duration = Duration::from_secs(10);

/// A workflow to be rehearsed.
pub(crate) struct Recording {
    pub(crate) workflow: String,
    pub(crate) inputs: String,
    pub(crate) history: History,
    /// Whether it had not ended when it was recorded.
    pub(crate) is_open: bool,
}

/// What came of a rehearsal.
pub(crate) struct Rehearsed {
    pub(crate) ending: Ending,
    /// Where code and record part.
    pub(crate) partings: Vec<Parting>,
}

/// Where the code came to.
pub(crate) enum Ending {
    /// It returned, or ended with an error of the engine.
    Ended(Encoded),
    /// It panicked.
    Panicked(String),
    /// What it takes or returns cannot be read or stored.
    Unusable(Error),
    /// What is recorded stands in its way.
    Diverged(Error),
    /// To a call that is not recorded.
    Beyond,
    /// To a wait for something that never is.
    Foreign,
}

/// Runs the code of `definition` as the recorded workflow. No step runs, and no database is asked.
pub(crate) async fn rehearse(
    executor: &Arc<Executor>,
    definition: &'static dyn AnyWorkflow,
    recording: Recording,
) -> Rehearsed {
    let Recording { workflow, inputs, history, is_open } = recording;
    let signal = Arc::<SignalSlot>::default();
    let record = history.iter().filter(|(_, recorded)| !begins_a_round(recorded));
    let rehearsal = Rehearsal::new(record.map(|(step, recorded)| (*step, recorded.clone())).collect());
    let name = (definition.function().name)();
    let beginning = Beginning { workflow, name, history, ..Beginning::default() };
    let run = Run::rehearsing(Arc::clone(executor), beginning, Arc::clone(&signal), rehearsal);
    remember_panics();
    let ending = match definition.run(&inputs) {
        Err(reason) => Ending::Unusable(Error::Unreadable { what: "the arguments of the workflow".to_owned(), reason }),
        Ok(body) => {
            let rehearsed = in_run(Arc::clone(&run), until_beyond(&run, body_end(body)));
            tokio::select! {
                biased;
                signal = signal.wait() => ending(signal),
                ended = rehearsed => ended.map_or(Ending::Beyond, ended_by_itself),
                () = crate::clock::pause(PATIENCE) => Ending::Foreign,
            }
        }
    };
    let partings = match &ending {
        Ending::Ended(_) => run.partings(Reached::Return),
        Ending::Beyond => run.partings(if is_open { Reached::OpenEnd } else { Reached::NoEnd }),
        Ending::Panicked(_) | Ending::Unusable(_) | Ending::Diverged(_) | Ending::Foreign => Vec::new(),
    };
    Rehearsed { ending, partings }
}

fn ending(signal: Signal) -> Ending {
    match signal {
        Signal::Diverged(error) => Ending::Diverged(error),
        Signal::Failed(error @ (Error::Unreadable { .. } | Error::Unstorable { .. })) => Ending::Unusable(error),
        Signal::Failed(error) => Ending::Ended(engine_error(&error)),
        Signal::Cancelled
        | Signal::LostOwnership
        | Signal::Damaged(_)
        | Signal::Continued { .. }
        | Signal::ShutDown => Ending::Beyond,
    }
}

fn ended_by_itself(end: End) -> Ending {
    match end {
        End::Returned(Ok(encoded)) => Ending::Ended(encoded),
        End::Returned(Err(reason)) => {
            Ending::Unusable(Error::Unstorable { what: "what the workflow returned".to_owned(), reason })
        }
        End::Panicked(message) => Ending::Panicked(message),
        End::TimedOut | End::Parked => Ending::Beyond,
        End::Stopped(signal) => ending(signal),
    }
}

/// What `body` gives; `None` once it waits for nothing but calls that are not recorded.
async fn until_beyond<F: Future>(run: &Run, body: F) -> Option<F::Output> {
    let mut body = pin!(body);
    poll_fn(|task| {
        let noting = Arc::new(Noting { is_woken: AtomicBool::new(false), waker: task.waker().clone() });
        let polled = body.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&noting))));
        match polled {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if run.is_beyond() && !noting.is_woken.load(Ordering::SeqCst) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Notes whether the body goes on by itself.
struct Noting {
    is_woken: AtomicBool,
    waker: Waker,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }
}

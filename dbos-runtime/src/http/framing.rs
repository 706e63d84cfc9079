//! A connection that hands its parser one judged head at a time, and holds each part of a request to
//! its deadline.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::ServerOptions;
use super::chunks::Chunks;
use super::head::{self, BodyLength, Refusal};

/// What the parser is given in place of a head that was refused: it closes the connection after the
/// answer, and the answer is the refusal.
const REFUSED: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";

/// How much is read from the socket at a time.
const READ: usize = 8 * 1024;

/// What the connection and the service that answers on it tell each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    answering: AtomicBool,
    /// Who waits for the answer's end, to begin counting idleness.
    reader: AtomicWaker,
    refusal: Mutex<Option<Refusal>>,
}

impl Shared {
    /// Notes that a request is being answered, until the result is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Answering {
        self.answering.store(true, Ordering::Release);
        Answering(Arc::clone(self))
    }

    /// Why the request that has just come is turned away, if it is.
    pub(crate) fn take_refusal(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A request is being answered while this lives.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Shared>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.store(false, Ordering::Release);
        self.0.reader.wake();
    }
}

/// What the next bytes are.
#[derive(Debug)]
enum Part {
    Head { scanned: usize },
    Body { left: u64 },
    Chunks(Chunks),
    Refused,
}

/// What a deadline is running for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    FirstByte,
    Head,
    Body,
    Idle,
}

/// A socket behind [`head::judge`] and the deadlines.
#[derive(Debug)]
pub(crate) struct Framed<S> {
    socket: S,
    shared: Arc<Shared>,
    deadlines: Deadlines,
    /// Bytes from the socket; the first `released` of them may go to the parser.
    buffer: BytesMut,
    released: usize,
    part: Part,
    first: bool,
    waiting: Option<(Wait, Pin<Box<Sleep>>)>,
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug)]
struct Deadlines {
    head: Duration,
    body: Duration,
    idle: Duration,
    write: Duration,
}

impl<S> Framed<S> {
    pub(crate) fn new(socket: S, options: &ServerOptions, shared: Arc<Shared>) -> Self {
        let deadlines = Deadlines {
            head: options.header_deadline,
            body: options.body_deadline,
            idle: options.idle_deadline,
            write: options.write_deadline,
        };
        Self {
            socket,
            shared,
            deadlines,
            buffer: BytesMut::new(),
            released: 0,
            part: Part::Head { scanned: 0 },
            first: true,
            waiting: None,
            stalled: None,
        }
    }

    /// Releases what the buffer holds of the current part.
    fn release(&mut self) -> io::Result<()> {
        match &mut self.part {
            Part::Head { .. } => self.release_head(),
            Part::Body { left } => {
                let here = (*left).min(self.buffer.len() as u64);
                *left -= here;
                self.released = usize::try_from(here).expect("no more than the buffer holds");
                if *left == 0 {
                    self.end_body();
                }
            }
            Part::Chunks(chunks) => {
                let malformed = |_| io::Error::new(io::ErrorKind::InvalidData, "malformed chunks");
                self.released = chunks.advance(&self.buffer).map_err(malformed)?;
                if chunks.is_done() {
                    self.end_body();
                }
            }
            Part::Refused => self.buffer.clear(),
        }
        Ok(())
    }

    fn release_head(&mut self) {
        // Some clients send an empty line after a body; it means nothing.
        while self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
        }
        let Part::Head { scanned } = &mut self.part else { return };
        let Some(end) = head::end_of(&self.buffer, *scanned) else {
            *scanned = self.buffer.len();
            if let Err(refusal) = head::check_beginning(&self.buffer) {
                self.refuse(refusal);
            }
            return;
        };
        match head::judge(&self.buffer[..end]) {
            Ok(length) => {
                self.released = end;
                self.first = false;
                self.waiting = None;
                self.part = match length {
                    BodyLength::Bytes(0) => Part::Head { scanned: 0 },
                    BodyLength::Bytes(left) => Part::Body { left },
                    BodyLength::Chunked => Part::Chunks(Chunks::default()),
                };
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn end_body(&mut self) {
        self.part = Part::Head { scanned: 0 };
        self.waiting = None;
    }

    fn refuse(&mut self, refusal: Refusal) {
        *self.shared.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        self.part = Part::Refused;
        self.buffer = BytesMut::from(REFUSED);
        self.released = REFUSED.len();
    }

    /// What the connection waits for, if that has a deadline.
    fn wait(&self) -> Option<Wait> {
        match self.part {
            Part::Head { .. } if !self.buffer.is_empty() => Some(Wait::Head),
            Part::Head { .. } if self.first => Some(Wait::FirstByte),
            Part::Head { .. } if self.shared.answering.load(Ordering::Acquire) => None,
            Part::Head { .. } => Some(Wait::Idle),
            Part::Body { .. } | Part::Chunks(_) => Some(Wait::Body),
            Part::Refused => None,
        }
    }

    /// Ready once the deadline of the current wait has passed.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        // Registered before looking, or an answer that ends in between would wake nobody.
        self.shared.reader.register(cx.waker());
        let Some(wait) = self.wait() else {
            self.waiting = None;
            return Poll::Pending;
        };
        let limit = match wait {
            Wait::FirstByte | Wait::Head => self.deadlines.head,
            Wait::Body => self.deadlines.body,
            Wait::Idle => self.deadlines.idle,
        };
        let (_, deadline) = match self.waiting.take() {
            Some((running, deadline)) if running == wait => self.waiting.insert((wait, deadline)),
            // The head's deadline runs from the opening of the connection.
            Some((Wait::FirstByte, deadline)) if wait == Wait::Head => self.waiting.insert((wait, deadline)),
            Some((_, mut deadline)) => {
                deadline.as_mut().reset(Instant::now() + limit);
                self.waiting.insert((wait, deadline))
            }
            None => self.waiting.insert((wait, Box::pin(sleep_until(Instant::now() + limit)))),
        };
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(wait)
    }

    /// Gives up on a write that the other side does not take.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let limit = self.deadlines.write;
        let deadline = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

impl<S: AsyncRead + Unpin> Framed<S> {
    /// Reads once from the socket; 0 is its end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; READ];
        let mut read = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.released == 0 {
                this.release()?;
            }
            if this.released > 0 {
                let given = this.released.min(out.remaining());
                out.put_slice(&this.buffer[..given]);
                this.buffer.advance(given);
                this.released -= given;
                return Poll::Ready(Ok(()));
            }
            match this.poll_fill(cx)? {
                // The parser would take an end for a client that is gone, and drop the answer.
                Poll::Ready(0) if matches!(this.part, Part::Refused) => return Poll::Pending,
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(_) => {}
                Poll::Pending => match ready!(this.poll_deadline(cx)) {
                    Wait::Head => this.refuse(Refusal { status: 408, message: "the request took too long to arrive" }),
                    Wait::Body => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                    Wait::FirstByte | Wait::Idle => return Poll::Ready(Ok(())),
                },
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Poll::Ready(written) = Pin::new(&mut this.socket).poll_write(cx, bytes) {
            this.stalled = None;
            return Poll::Ready(written);
        }
        this.poll_stalled(cx).map(Err)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Poll::Ready(written) = Pin::new(&mut this.socket).poll_write_vectored(cx, slices) {
            this.stalled = None;
            return Poll::Ready(written);
        }
        this.poll_stalled(cx).map(Err)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

//! One connection through the proxy: both ways, and what befalls it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::frames::{Frame, Frames};
use super::{Effect, Mode, State};

/// How a connection ends.
enum End {
    Closed,
    Reset,
}

/// Relays a connection until it ends.
pub(super) async fn serve(client: TcpStream, server: SocketAddr, state: Arc<State>) {
    let mut resets = state.resets.subscribe();
    if *state.mode.borrow() == Mode::Refuse {
        let _ = client.set_zero_linger();
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    state.record().connections += 1;
    let (mut client, mut server) = (client, server);
    let resets_seen = resets.clone();
    let end = tokio::select! {
        biased;
        _ = resets.changed() => End::Reset,
        end = relay(&mut client, &mut server, &state, resets_seen) => end,
    };
    if matches!(end, End::Reset) {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
    state.record().connections -= 1;
}

async fn relay(client: &mut TcpStream, server: &mut TcpStream, state: &State, resets: watch::Receiver<usize>) -> End {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut frames = Frames::default();
    let Some(start) = greet(client, &mut frames).await else {
        return End::Closed;
    };
    let (requests, to_client) = client.split();
    let (replies, to_server) = server.split();
    let fate = Mutex::new(Fate { asked: 1, ..Fate::default() });
    let upward = Upward { server: to_server, state, fate: &fate, resets, prepared: HashMap::new() };
    tokio::select! {
        end = upward.relay(requests, frames, start) => end,
        end = relay_replies(replies, to_client, state, &fate) => end,
    }
}

/// Reads the first message, declining any offer to encrypt.
async fn greet(client: &mut TcpStream, frames: &mut Frames) -> Option<Frame> {
    loop {
        match frames.next_frame() {
            Some(frame) if frame.offers_encryption() => client.write_all(b"N").await.ok()?,
            Some(frame) => return Some(frame),
            None if client.read_buf(frames.buffer()).await.ok()? == 0 => return None,
            None => {}
        }
    }
}

/// What has befallen one connection.
///
/// The server answers each request for an answer with one `ReadyForQuery`, in order: counting both tells
/// which answer belongs to which statement, even if several are under way.
#[derive(Debug, Default)]
struct Fate {
    asked: usize,
    answered: usize,
    /// The number of the answer that is lost, and whether the connection is lost with it.
    lost_answer: Option<(usize, Effect)>,
    deaf: bool,
    silent: bool,
}

fn locked(fate: &Mutex<Fate>) -> MutexGuard<'_, Fate> {
    fate.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way from the client to the server.
struct Upward<'a> {
    server: WriteHalf<'a>,
    state: &'a State,
    fate: &'a Mutex<Fate>,
    resets: watch::Receiver<usize>,
    prepared: HashMap<String, String>,
}

impl Upward<'_> {
    async fn relay(mut self, mut client: ReadHalf<'_>, mut frames: Frames, start: Frame) -> End {
        let mut mode = self.state.mode.subscribe();
        let mut next = Some(start);
        loop {
            while let Some(frame) = next.take().or_else(|| frames.next_frame()) {
                let _ = mode.wait_for(|mode| *mode != Mode::Hold).await;
                if *mode.borrow() == Mode::SwallowAll {
                    *locked(self.fate) = Fate { deaf: true, silent: true, ..Fate::default() };
                }
                if locked(self.fate).deaf {
                    continue;
                }
                // What is sent after a reset must not slip through before the reset is noticed.
                if self.resets.has_changed().is_ok_and(|changed| changed) {
                    return End::Reset;
                }
                if let Some(end) = self.forward(&frame).await {
                    return end;
                }
            }
            match client.read_buf(frames.buffer()).await {
                Ok(0) => return End::Closed,
                Ok(_) => {}
                Err(_) => return End::Reset,
            }
        }
    }

    async fn forward(&mut self, frame: &Frame) -> Option<End> {
        match self.meet(frame) {
            Some(Effect::LoseRequest) => return Some(End::Reset),
            Some(Effect::HoldRequest) => {
                self.state.mode.send_replace(Mode::Hold);
                let _ = self.state.mode.subscribe().wait_for(|mode| *mode != Mode::Hold).await;
            }
            Some(effect) => {
                let mut fate = locked(self.fate);
                fate.lost_answer = Some((fate.asked + 1, effect));
            }
            None => {}
        }
        if frame.asks_for_an_answer() {
            self.state.record().round_trips += 1;
            locked(self.fate).asked += 1;
        }
        let bytes = frame.bytes();
        let allowed = self.state.allowance(bytes.len());
        let sent = self.server.write_all(&bytes[..allowed.unwrap_or(bytes.len())]).await;
        match (allowed, sent) {
            (Some(_), _) => Some(End::Reset),
            (None, Err(_)) => Some(End::Closed),
            (None, Ok(())) => None,
        }
    }

    /// Keeps track of prepared statements, and tells which fault strikes.
    fn meet(&mut self, frame: &Frame) -> Option<Effect> {
        let mut texts = frame.texts();
        match frame.kind() {
            b'P' => {
                self.prepared.insert(texts.next()?, texts.next()?);
                None
            }
            b'B' => self.state.execute(self.prepared.get(&texts.nth(1)?)?),
            b'Q' => self.state.execute(&texts.next()?),
            _ => None,
        }
    }
}

async fn relay_replies(mut server: ReadHalf<'_>, mut client: WriteHalf<'_>, state: &State, fate: &Mutex<Fate>) -> End {
    let mut mode = state.mode.subscribe();
    let mut frames = Frames::of_server();
    loop {
        while let Some(frame) = frames.next_frame() {
            let _ = mode.wait_for(|mode| *mode != Mode::Hold).await;
            if matches!(*mode.borrow(), Mode::SwallowAll | Mode::SwallowReplies) {
                locked(fate).silent = true;
            }
            let answer = answer(&mut locked(fate), &frame);
            match answer {
                Answer::Swallow => {}
                Answer::Reset => return End::Reset,
                Answer::Pass => {
                    if client.write_all(frame.bytes()).await.is_err() {
                        return End::Closed;
                    }
                }
            }
        }
        match server.read_buf(frames.buffer()).await {
            // Nobody hears of the end of a connection that has fallen silent.
            Ok(0) | Err(_) if locked(fate).silent => std::future::pending().await,
            Ok(0) => return End::Closed,
            Ok(_) => {}
            Err(_) => return End::Reset,
        }
    }
}

/// What becomes of a message of the server.
enum Answer {
    Pass,
    Swallow,
    Reset,
}

fn answer(fate: &mut Fate, frame: &Frame) -> Answer {
    let number = fate.answered + 1;
    fate.answered += usize::from(frame.ends_an_answer());
    match fate.lost_answer {
        _ if fate.silent => Answer::Swallow,
        Some((lost, effect)) if number >= lost => {
            // The end of the answer proves that the statement is done.
            match (frame.ends_an_answer(), effect) {
                (true, Effect::LoseReply) => Answer::Reset,
                (true, _) => {
                    fate.silent = true;
                    Answer::Swallow
                }
                (false, _) => Answer::Swallow,
            }
        }
        _ => Answer::Pass,
    }
}

//! Customers of every kind, who write down what they are told.

use std::time::{Duration, SystemTime};

use dbos_testkit::Ledger;
use dbos_testkit::http::Request;
use serde_json::json;
use shop_app::webhook::{SIGNATURE_HEADER, Secrets};
use tokio::time::{Instant, sleep, sleep_until};

use crate::chance::Random;
use crate::guide::{Bill, Command, SECRET, Site, insist};

/// How far from the deadline a customer pays who pays in the last moment, either way.
const LAST_MOMENT_MS: u64 = 200;

/// What a customer does once he has the bill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Habit {
    Pays,
    Cancels,
    DoesNothing,
    /// Within 200 ms of the deadline, before or after it.
    PaysInTheLastMoment,
    PaysTwiceAtOnce,
    PaysAndCancelsAtOnce,
    /// Nobody pays, and somebody who has the secret says otherwise, or the contrary.
    IsLiedAbout,
    /// Presses the button many times before.
    IsImpatient,
}

impl Habit {
    /// Twenty in a row are four who pay, four who cancel, four who do nothing, one in the last moment, and others.
    pub(crate) fn of(number: u64) -> Self {
        match number % 20 {
            0..4 => Self::Pays,
            4..8 => Self::Cancels,
            8..12 => Self::DoesNothing,
            12 => Self::PaysInTheLastMoment,
            13..15 => Self::PaysTwiceAtOnce,
            15..17 => Self::PaysAndCancelsAtOnce,
            17..19 => Self::IsLiedAbout,
            _ => Self::IsImpatient,
        }
    }
}

/// Somebody with an idempotency key.
pub(crate) struct Customer {
    pub(crate) key: String,
    pub(crate) habit: Habit,
    pub(crate) shop: Site,
    /// How long he has to pay.
    pub(crate) patience: Duration,
    pub(crate) ledger: Ledger,
    pub(crate) random: Random,
}

impl Customer {
    pub(crate) async fn buy(mut self) {
        let Some(bill) = self.check_out().await else { return };
        let last_moment = Instant::now() + self.patience.saturating_sub(Duration::from_millis(LAST_MOMENT_MS));
        sleep(self.random.moment(100)).await;
        match self.habit {
            Habit::Pays => self.pay(&bill).await,
            Habit::Cancels => self.cancel(&bill).await,
            Habit::DoesNothing => {}
            Habit::PaysInTheLastMoment => {
                sleep_until(last_moment + self.random.moment(2 * LAST_MOMENT_MS)).await;
                self.pay(&bill).await;
            }
            Habit::PaysTwiceAtOnce => drop(tokio::join!(self.pay(&bill), self.pay(&bill))),
            Habit::PaysAndCancelsAtOnce => drop(tokio::join!(self.pay(&bill), self.cancel(&bill))),
            Habit::IsLiedAbout => {
                let first = self.random.below(2) == 0;
                self.lie(&bill, if first { "paid" } else { "cancelled" }).await;
                self.lie(&bill, if first { "cancelled" } else { "paid" }).await;
            }
            Habit::IsImpatient => {
                for _ in 0..5 {
                    self.check_out().await;
                }
                self.pay(&bill).await;
            }
        }
    }

    async fn check_out(&self) -> Option<Bill> {
        let answer = insist(&Request::new("POST", self.shop.url(&format!("/checkout/{}", self.key)))).await;
        self.note("checkout", answer.status);
        (answer.status == 200).then(|| Bill::read(&answer.body))
    }

    async fn pay(&self, bill: &Bill) {
        self.tell("submit", &bill.submit).await;
    }

    async fn cancel(&self, bill: &Bill) {
        self.tell("cancel", &bill.cancel).await;
    }

    async fn tell(&self, word: &str, command: &Command) {
        // Whoever asks may be heard, even if no answer ever came.
        self.note(word, 0);
        let answer = insist(&command.request()).await;
        self.note(word, answer.status);
    }

    async fn lie(&mut self, bill: &Bill, status: &str) {
        let body = json!({
            "event_id": format!("{}-{status}", self.key),
            "session_id": bill.session(),
            "payment_status": status,
            "client_reference_id": self.key,
        })
        .to_string();
        let signature = Secrets::listed(SECRET).expect("a secret").sign(body.as_bytes(), SystemTime::now());
        let request = Request::new("POST", self.shop.url("/payment_webhook")).header(SIGNATURE_HEADER, &signature);
        insist(&request.body(body)).await;
    }

    fn note(&self, word: &str, status: u16) {
        self.ledger.append(&format!("{} {word} {status}", self.key)).expect("the ledger can be written");
    }
}

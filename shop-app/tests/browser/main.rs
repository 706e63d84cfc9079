//! The widget store as its customers see it: in a real browser, on the real program.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests are not replayed, and panic when they fail"
)]

mod access;
mod browser;
mod inspection;
mod look;
mod routes;
mod shop;
mod tour;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

use access::{
    a_widget_is_bought_by_keyboard_alone_and_the_focus_is_always_seen, every_view_fits_its_screen_and_can_be_read,
    every_view_is_pictured, the_focus_comes_back_with_the_connection, what_changes_is_said_aloud,
};
use browser::{Browser, Page};
use inspection::what_is_wrong_with_a_page_is_found_and_named;
use routes::the_routes_are_read_and_tried_on_a_page_of_the_shops_own;
use shop::Shop;

macro_rules! trials {
    ($($test:ident),+ $(,)?) => { vec![$(trial(stringify!($test), $test)),+] };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A browser keeps a processor busy by itself.
    arguments.test_threads.get_or_insert(2);
    let mut trials = trials![
        a_crash_in_mid_dispatch_does_not_stop_an_order,
        a_payment_survives_reload_and_crash,
        an_answer_cut_off_by_a_kill_is_given_afterwards,
        a_denied_payment_puts_the_widget_back,
        a_payment_after_the_deadline_is_told_so,
        an_empty_shelf_is_told_and_mended_by_a_restock,
        addresses_that_lead_nowhere_are_answered_kindly,
        a_phone_shows_one_part_at_a_time,
        every_view_fits_its_screen_and_can_be_read,
        a_widget_is_bought_by_keyboard_alone_and_the_focus_is_always_seen,
        the_focus_comes_back_with_the_connection,
        what_changes_is_said_aloud,
        what_is_wrong_with_a_page_is_found_and_named,
        the_routes_are_read_and_tried_on_a_page_of_the_shops_own,
    ];
    let pictured = trial("every_view_is_pictured", every_view_is_pictured);
    trials.push(pictured.with_ignored_flag(access::album().is_none()));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test with a browser of its own; ignored where there is none, unless this is the CI.
fn trial<F>(name: &str, test: fn(Page) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::ignorable_test(name, move || match browser::missing() {
        Some(program) if std::env::var_os("CI").is_none() => {
            Ok(Completion::ignored_with(format!("{program} is not installed")))
        }
        Some(program) => Err(format!("{program} is not installed").into()),
        None => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(async { Browser::start().await.visit(test).await });
            Ok(Completion::Completed)
        }
    })
}

async fn a_crash_in_mid_dispatch_does_not_stop_an_order(page: Page) {
    let shop = Shop::open([("WIDGET_STORE_DISPATCH_INTERVAL_MS", "300")]).await;
    page.open(&shop.url).await;
    page.press("#buy").await;
    page.press("#confirm").await;
    page.shows("#orders [data-order='1'] progress:not([value='0'])").await;

    page.press("#crash").await;
    page.reads("#banner", "Connection to server lost. Reconnecting…").await;
    page.reads("#banner", "Back again — your order went on where it was.").await;

    page.shows("#order-status[data-status=DISPATCHED]").await;
    page.shows("#orders [data-order='1'][data-status=DISPATCHED]").await;
    assert_eq!(shop.order_states().await, [1]);
    assert_eq!(shop.stock().await, 11);
    page.finds_no_fault(&shop.url).await;
}

async fn a_payment_survives_reload_and_crash(page: Page) {
    let shop = Shop::open([("WIDGET_STORE_DISPATCH_INTERVAL_MS", "600000")]).await;
    page.open(&shop.url).await;
    page.press("#buy").await;
    page.shows("#view-payment:not([hidden])").await;
    let payment = page.address().await;
    assert!(payment.contains("?payment="), "{payment}");

    page.press("#crash").await;
    page.shows("#confirm:disabled").await;
    page.shows("#banner[data-state=back]").await;
    page.reload().await;
    assert_eq!(page.address().await, payment);

    page.press("#confirm").await;
    page.shows("#order-status[data-status=PAID]").await;
    let order = page.address().await;
    assert!(order.ends_with("?order=1"), "{order}");

    page.press("#crash").await;
    page.shows("#banner[data-state=back]").await;
    page.reload().await;
    page.shows("#order-status[data-status=PAID]").await;
    assert_eq!(page.address().await, order);

    // Going back to a payment that is settled changes nothing.
    page.open(&payment).await;
    page.press("#deny").await;
    page.shows("#order-status[data-status=PAID]").await;
    page.reads("#order-story", "This order had been paid before, so it could not be cancelled any more.").await;
    assert_eq!(shop.order_states().await, [2]);
}

async fn an_answer_cut_off_by_a_kill_is_given_afterwards(page: Page) {
    let shop = Shop::open([("WIDGET_STORE_DISPATCH_INTERVAL_MS", "600000")]).await;
    page.open(&shop.url).await;
    page.press("#buy").await;
    page.shows("#view-payment:not([hidden])").await;

    // The press reaches a server that will never answer it.
    let server = shop.pause();
    page.press("#confirm").await;
    server.kill();

    page.shows("#order-status[data-status=PAID]").await;
    assert_eq!(shop.order_states().await, [2]);
    assert_eq!(shop.stock().await, 11);
}

async fn a_denied_payment_puts_the_widget_back(page: Page) {
    let shop = Shop::open([]).await;
    page.open(&shop.url).await;
    page.press("#buy").await;
    page.shows("#view-payment:not([hidden])").await;
    assert_eq!(shop.stock().await, 11);

    page.press("#deny").await;

    page.shows("#order-status[data-status=CANCELLED]").await;
    assert_eq!(shop.stock().await, 12);

    page.press("#continue").await;
    page.press("#buy").await;
    page.shows("#orders [data-order='2'][data-status=PENDING]").await;
}

async fn a_payment_after_the_deadline_is_told_so(page: Page) {
    let shop = Shop::open([("WIDGET_STORE_PAYMENT_TIMEOUT_MS", "200")]).await;
    page.open(&shop.url).await;
    page.press("#buy").await;
    page.shows("#orders [data-status=CANCELLED]").await;

    page.press("#confirm").await;

    page.shows("#order-status[data-status=CANCELLED]").await;
    let story = page.text("#order-story").await;
    assert!(story.starts_with("Your payment came too late"), "{story}");
}

async fn an_empty_shelf_is_told_and_mended_by_a_restock(page: Page) {
    let shop = Shop::open([]).await;
    page.open(&shop.url).await;
    page.reads("#buy", "Buy Now for $99.99").await;
    page.reads("#stock-badge", "Only 12 left!").await;

    shop.sell_all().await;
    page.reads("#stock-badge", "Sold out").await;
    page.reads("#stock-available", "0").await;
    page.shows("#buy:disabled").await;

    page.press("#restock").await;
    page.press("#buy").await;
    page.shows("#view-payment:not([hidden])").await;
    page.reads("#stock-available", "11").await;
}

async fn addresses_that_lead_nowhere_are_answered_kindly(page: Page) {
    let shop = Shop::open([]).await;

    for order in ["7", "abc", "1.5"] {
        page.open(&format!("{}/?order={order}", shop.url)).await;
        page.shows("#view-unknown:not([hidden])").await;
        page.reads("#unknown-title", "We do not know this order").await;
    }

    page.open(&format!("{}/?payment=nobody", shop.url)).await;
    page.press("#confirm").await;
    page.shows("#view-unknown:not([hidden])").await;
    page.reads("#unknown-title", "We do not know this payment").await;

    page.press("#back").await;
    page.shows("#view-store:not([hidden])").await;
}

async fn a_phone_shows_one_part_at_a_time(page: Page) {
    let shop = Shop::open([]).await;
    page.resize(390, 844).await;
    page.open(&shop.url).await;
    page.shows("#buy:enabled").await;
    assert_eq!(page.visible(&["#internals", "#store", "#tools"]).await, ["#store"]);

    page.press("[data-testid=tab-internals]").await;
    assert_eq!(page.visible(&["#internals", "#store", "#tools"]).await, ["#internals"]);

    page.press("[data-testid=tab-tools]").await;
    assert_eq!(page.visible(&["#internals", "#store", "#tools"]).await, ["#tools"]);
    page.shows("[data-testid=tab-tools][aria-current=true]").await;
}

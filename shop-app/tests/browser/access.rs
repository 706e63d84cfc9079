//! The page for everybody: small screens and large ones, light and dark, by keyboard alone, by ear alone.

use std::path::PathBuf;

use fantoccini::key::Key;

use crate::browser::Page;
use crate::look::{DESKTOP, LOOKS, Look, PHONE};
use crate::shop::Shop;
use crate::tour::tour;

pub(crate) async fn every_view_fits_its_screen_and_can_be_read(page: Page) {
    tour(&page, async |view| {
        for look in LOOKS {
            page.wear(look).await;
            page.suits(view, look).await;
        }
    })
    .await;
}

pub(crate) async fn a_widget_is_bought_by_keyboard_alone_and_the_focus_is_always_seen(page: Page) {
    let shop = Shop::open([("WIDGET_STORE_DISPATCH_INTERVAL_MS", "600000")]).await;
    for look in LOOKS {
        page.wear(look).await;
        page.open(&shop.url).await;
        page.shows("#buy:enabled").await;

        page.tab_to("buy").await;
        page.type_key(Key::Enter).await;
        page.shows("#payment-title:focus").await;
        page.shows_the_focus().await;

        page.tab_to("confirm").await;
        page.type_key(Key::Space).await;
        page.shows("#order-title:focus").await;
        page.shows_the_focus().await;

        page.tab_to("continue").await;
        page.type_key(Key::Enter).await;
        page.shows("#product-name:focus").await;
        page.shows_the_focus().await;
    }
    assert_eq!(shop.order_states().await, [2; LOOKS.len()]);
    page.finds_no_fault(&shop.url).await;
}

pub(crate) async fn the_focus_comes_back_with_the_connection(page: Page) {
    let mut shop = Shop::open([]).await;
    page.open(&shop.url).await;
    page.press("#buy").await;
    page.shows("#confirm:enabled").await;
    page.tab_to("confirm").await;

    shop.close().await;
    page.shows("#confirm:disabled").await;
    shop.reopen([]).await;

    page.shows("#confirm:enabled:focus").await;
    page.shows_the_focus().await;
}

pub(crate) async fn what_changes_is_said_aloud(page: Page) {
    let shop = Shop::open([("WIDGET_STORE_DISPATCH_INTERVAL_MS", "500")]).await;
    page.wear(DESKTOP).await;
    page.open(&shop.url).await;
    page.shows("#buy:enabled").await;
    page.listen().await;

    page.press("#buy").await;
    page.hears("Reserving your widget…").await;
    page.hears("One widget is set aside for you while you decide.").await;
    page.press("#confirm").await;
    page.hears("Confirming your payment…").await;
    page.hears("Order 1: Payment received. Your widget is being packed.").await;

    // What a phone does not show is said all the same.
    page.wear(PHONE).await;
    page.press("[data-testid=tab-internals]").await;
    page.hears("Order 1: Your widget is on its way. Thank you!").await;

    page.wear(DESKTOP).await;
    page.press("#continue").await;
    page.press("#buy").await;
    page.press("#deny").await;
    page.hears("Order 2: This order is cancelled. The widget is back on the shelf, and you have not been charged.")
        .await;

    page.press("#crash").await;
    page.hears("Connection to server lost. Reconnecting…").await;
    page.hears("Back again — your order went on where it was.").await;

    page.press("#continue").await;
    shop.sell_all().await;
    page.hears("Every widget has found a home. More will come with the next restock.").await;
    page.press("#restock").await;
    page.hears("Shelf filled up.").await;
    page.finds_no_fault(&shop.url).await;
}

/// The views that `docs/shop.md` shows, each on one screen.
const PICTURES: [(&str, Look); 9] = [
    ("store", PHONE),
    ("payment", PHONE),
    ("on-its-way", DESKTOP.dark()),
    ("connection-lost", PHONE.dark()),
    ("dispatched", PHONE),
    ("cancelled", DESKTOP),
    ("sold-out", PHONE.dark()),
    ("unknown-order", PHONE),
    ("orders", PHONE.dark()),
];

/// Where the pictures are to be written, seen from the root of the repository: `DBOS_SCREENSHOTS`.
pub(crate) fn album() -> Option<PathBuf> {
    let folder = std::env::var_os("DBOS_SCREENSHOTS")?;
    Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(folder))
}

pub(crate) async fn every_view_is_pictured(page: Page) {
    let album = album().unwrap_or_else(std::env::temp_dir);
    tour(&page, async |view| {
        for (_, look) in PICTURES.iter().filter(|(pictured, _)| *pictured == view) {
            let picture = page.picture(*look).await;
            std::fs::write(album.join(format!("{view}.png")), picture).expect("a picture can be written");
        }
    })
    .await;
}

//! A walk through every view of the page.

use crate::browser::Page;
use crate::look::{DESKTOP, PHONE};
use crate::shop::Shop;

/// Brings the page to each of its views, and has it looked at there.
pub(crate) async fn tour(page: &Page, mut look_at: impl AsyncFnMut(&str)) {
    let mut shop = Shop::open([("WIDGET_STORE_DISPATCH_INTERVAL_MS", "1500")]).await;
    page.wear(DESKTOP).await;
    page.open(&shop.url).await;
    page.shows("#buy:enabled").await;
    look_at("store").await;

    page.press("#buy").await;
    page.shows("#confirm:enabled").await;
    look_at("payment").await;

    page.press("#confirm").await;
    page.shows("#order-progress[value='20']").await;
    shop.close().await;
    page.shows("#banner[data-state=lost]").await;
    look_at("connection-lost").await;

    // The parcel goes on, and then waits long enough to be looked at.
    shop.reopen([("WIDGET_STORE_DISPATCH_INTERVAL_MS", "600000")]).await;
    page.shows("#banner[data-state=back]").await;
    look_at("connection-back").await;
    page.reload().await;
    page.shows("#order-status[data-status=PAID]").await;
    look_at("on-its-way").await;

    shop.close().await;
    shop.reopen([("WIDGET_STORE_DISPATCH_INTERVAL_MS", "20")]).await;
    page.reload().await;
    page.press("#continue").await;
    page.press("#buy").await;
    page.press("#confirm").await;
    page.shows("#order-status[data-status=DISPATCHED]").await;
    look_at("dispatched").await;

    page.press("#continue").await;
    page.press("#buy").await;
    page.press("#deny").await;
    page.shows("#order-status[data-status=CANCELLED]").await;
    look_at("cancelled").await;

    shop.sell_all().await;
    page.press("#continue").await;
    page.reads("#buy", "Sold out").await;
    look_at("sold-out").await;

    page.open(&format!("{}/?order=404", shop.url)).await;
    page.shows("#view-unknown:not([hidden])").await;
    look_at("unknown-order").await;

    for (tab, view) in [("[data-testid=tab-internals]", "orders"), ("[data-testid=tab-tools]", "tools")] {
        page.wear(PHONE).await;
        page.press(tab).await;
        look_at(view).await;
    }
    page.finds_no_fault(&shop.url).await;
}

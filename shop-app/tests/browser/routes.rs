//! The page that tells of the shop's routes.

use fantoccini::key::Key;

use crate::browser::Page;
use crate::look::LOOKS;
use crate::shop::Shop;

pub(crate) async fn the_routes_are_read_and_tried_on_a_page_of_the_shops_own(page: Page) {
    let shop = Shop::open([]).await;
    for look in LOOKS {
        page.wear(look).await;
        page.open(&format!("{}/docs", shop.url)).await;
        page.reads("#title", "widget-store").await;
        page.reads("#state", "12 operations").await;
        page.suits("the routes", look).await;

        page.tab_to("open-checkout").await;
        page.type_key(Key::Enter).await;
        page.shows("#operation-checkout[open]").await;
        page.tab_to("checkout-path-key").await;
        page.shows("#checkout-path-key").await.send_keys("bought-on-the-page").await.expect("the keyboard works");
        page.tab_to("send-checkout").await;
        page.type_key(Key::Enter).await;

        page.shows("#answer-checkout[data-status='200']").await;
        let answer = page.text("#answer-checkout").await;
        assert!(answer.starts_with("200") && answer.ends_with("bought-on-the-page"), "{answer}");
        page.suits("an open route", look).await;
    }
    assert_eq!(shop.stock().await, 11, "one key is one widget");
    page.finds_no_fault(&shop.url).await;
}

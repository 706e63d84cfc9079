//! What is wrong with what is shown: its width, its colours, its targets, its focus, what it says aloud.

use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{PATIENCE, Page};
use crate::look::{Look, PHONE};
use crate::shop::Shop;

const FUNCTIONS: &str = include_str!("inspection.js");

/// What is done to the page, and what must be said of it.
const PLANTED: [(&str, &str); 4] = [
    ("document.body.style.width = '2000px'", "the page is 2"),
    ("document.querySelector('#buy').style.cssText = 'color: #777; background: #666'", "has a contrast of"),
    ("document.querySelector('#buy').style.cssText = 'height: 20px; min-height: 0; padding: 0'", "is 20 px high"),
    ("document.querySelector('main').style.cssText = 'overflow-x: scroll; width: 100px'", "scrolls sideways"),
];

/// What nobody finds proves nothing.
pub(crate) async fn what_is_wrong_with_a_page_is_found_and_named(page: Page) {
    let shop = Shop::open([]).await;
    for (deed, fault) in PLANTED {
        page.wear(PHONE).await;
        page.open(&shop.url).await;
        page.shows("#buy:enabled").await;
        assert_eq!(page.faults(PHONE).await, json!([]));

        page.run(deed, vec![]).await;

        let found = page.faults(PHONE).await;
        assert!(found.to_string().contains(fault), "{deed}: {found:#}");
    }
    page.open(&shop.url).await;
    page.shows("#buy:enabled").await;
    page.tab_to("buy").await;
    page.run("document.activeElement.style.outline = 'none'", vec![]).await;
    let found = page.inspect("focusFaults()", vec![]).await;
    assert!(found.to_string().contains("has the focus and no outline"), "{found:#}");
}

impl Page {
    /// Checks that everything fits the screen, can be read and, on a phone, can be hit.
    pub(crate) async fn suits(&self, view: &str, look: Look) {
        assert_eq!(self.faults(look).await, json!([]), "{view}, {look}");
    }

    async fn faults(&self, look: Look) -> Value {
        let arguments = vec![json!(look.width), json!(look.scheme), json!(look.is_phone())];
        self.inspect("faults(...arguments)", arguments).await
    }

    /// Checks that the element that has the focus is seen to have it.
    pub(crate) async fn shows_the_focus(&self) {
        assert_eq!(self.inspect("focusFaults()", vec![]).await, json!([]));
    }

    /// Begins to keep what a screen reader would say.
    pub(crate) async fn listen(&self) {
        self.inspect("listen()", vec![]).await;
    }

    /// Waits until a screen reader would have said this.
    pub(crate) async fn hears(&self, sentence: &str) {
        let saying = async {
            while self.run("return heard.includes(arguments[0])", vec![json!(sentence)]).await != true {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        let said = tokio::time::timeout(PATIENCE, saying).await.is_ok();
        assert!(said, "“{sentence}” is not said, but {:#}", self.run("return heard", vec![]).await);
    }

    async fn inspect(&self, call: &str, arguments: Vec<Value>) -> Value {
        self.run(&format!("{FUNCTIONS}\nreturn {call};"), arguments).await
    }
}

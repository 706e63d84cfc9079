//! What is wrong with what is shown: its width, its colours, its targets, its focus, what it says aloud.

use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{PATIENCE, Page};
use crate::look::Look;

const FUNCTIONS: &str = include_str!("inspection.js");

impl Page {
    /// Checks that everything fits the screen, can be read and, on a phone, can be hit.
    pub(crate) async fn suits(&self, view: &str, look: Look) {
        let arguments = vec![json!(look.width), json!(look.scheme), json!(look.is_phone())];
        let faults = self.inspect("faults(...arguments)", arguments).await;
        assert_eq!(faults, json!([]), "{view}, {look}");
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

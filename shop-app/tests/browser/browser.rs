//! Chromium, driven through chromedriver.

use std::process::{Command, Stdio};
use std::time::Duration;

use dbos_testkit::{Process, Program};
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

/// How long the page may take to show what it must.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a test may take.
const LIMIT: Duration = Duration::from_mins(4);

/// The program that is needed here and not installed.
pub(crate) fn missing() -> Option<&'static str> {
    ["chromedriver", "chromium"].into_iter().find(|program| {
        let probe = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        !probe.is_ok_and(|status| status.success())
    })
}

/// A browser with an empty profile.
pub(crate) struct Browser {
    client: Client,
    driver: String,
    _process: Process,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let process = Program::new("chromedriver").arg("--port=0").start();
        let line = process.wait_for_line("was started successfully on port").await;
        let port: String = line.chars().filter(char::is_ascii_digit).collect();
        let driver = format!("http://127.0.0.1:{port}");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(&profile))
            .connect(&driver)
            .await
            .expect("chromedriver starts a browser");
        Self { client, driver, _process: process, _profile: profile }
    }

    /// Runs a test, and closes the browser however it ends.
    pub(crate) async fn visit<F>(self, test: fn(Page) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let page = Page { client: self.client.clone(), driver: self.driver.clone() };
        let outcome = LocalSet::new().run_until(async { timeout(LIMIT, spawn_local(test(page))).await }).await;
        self.client.close().await.expect("the browser closes");
        if let Err(failure) = outcome.expect("a test ends in time") {
            std::panic::resume_unwind(failure.into_panic());
        }
    }
}

fn capabilities(profile: &TempDir) -> serde_json::Map<String, Value> {
    let Value::Object(capabilities) = json!({
        "goog:chromeOptions": { "args": [
            "--headless=new",
            // Chromium has no sandbox for root, which is who runs tests in a container.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // The network is cut: no name leads anywhere but this computer's own.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
            "--window-size=1440,1000",
            format!("--user-data-dir={}", profile.path().display()),
        ] },
        "goog:loggingPrefs": { "browser": "ALL" },
    }) else {
        unreachable!("it is written as an object")
    };
    capabilities
}

/// What the browser shows. Elements are named by CSS selectors.
pub(crate) struct Page {
    client: Client,
    driver: String,
}

impl Page {
    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page opens");
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.expect("the page opens again");
    }

    pub(crate) async fn resize(&self, width: u32, height: u32) {
        self.client.set_window_size(width, height).await.expect("the window changes its size");
    }

    pub(crate) async fn address(&self) -> String {
        self.client.current_url().await.expect("the page has an address").to_string()
    }

    /// Waits until there is such an element.
    pub(crate) async fn shows(&self, element: &str) -> Element {
        self.wait_for(Locator::Css(element)).await
    }

    /// Waits until the element with this id, written `#id`, has this text.
    pub(crate) async fn reads(&self, id: &str, text: &str) {
        let id = id.trim_start_matches('#');
        self.wait_for(Locator::XPath(&format!("//*[@id='{id}'][normalize-space()='{text}']"))).await;
    }

    async fn wait_for(&self, element: Locator<'_>) -> Element {
        // What a crash leaves on the page may be there for half a second only.
        let wait = self.client.wait().at_most(PATIENCE).every(Duration::from_millis(30));
        match wait.for_element(element).await {
            Ok(element) => element,
            Err(error) => panic!("no {element:?} ({error}); the page reads:\n{}", self.text("body").await),
        }
    }

    pub(crate) async fn text(&self, element: &str) -> String {
        let element = self.client.find(Locator::Css(element)).await.expect("the element is part of the page");
        element.text().await.expect("an element has a text")
    }

    /// Presses a button, as soon as it can be pressed.
    pub(crate) async fn press(&self, button: &str) {
        self.shows(&format!("{button}:enabled:not([hidden] *)"))
            .await
            .click()
            .await
            .expect("the button can be pressed");
    }

    pub(crate) async fn type_key(&self, key: Key) {
        let value = key.into();
        let keys = KeyActions::new("keyboard".to_owned()).then(KeyAction::Down { value }).then(KeyAction::Up { value });
        self.client.perform_actions(keys).await.expect("the keyboard works");
    }

    /// Presses Tab until the element with this id has the focus. Wherever the focus goes, it can be seen.
    pub(crate) async fn tab_to(&self, id: &str) {
        for _ in 0..20 {
            self.type_key(Key::Tab).await;
            self.shows_the_focus().await;
            let focused = self.client.active_element().await.expect("something has the focus");
            if focused.attr("id").await.expect("attributes can be read").as_deref() == Some(id) {
                return;
            }
        }
        panic!("`{id}` cannot be reached with the Tab key");
    }

    /// Those of the elements that can be seen.
    pub(crate) async fn visible<'a>(&self, elements: &[&'a str]) -> Vec<&'a str> {
        let mut visible = Vec::new();
        for element in elements {
            if self.shows(element).await.is_displayed().await.expect("an element is shown or not") {
                visible.push(*element);
            }
        }
        visible
    }

    /// Checks that nothing came from another host, and that the page's own code had no trouble.
    pub(crate) async fn finds_no_fault(&self, url: &str) {
        let loaded = "return performance.getEntriesByType('resource').map(entry => entry.name)";
        let loaded = self.run(loaded, vec![]).await;
        for resource in loaded.as_array().expect("a list of what was loaded") {
            let resource = resource.as_str().expect("an address is text");
            assert!(resource.starts_with(url) || resource.starts_with("data:"), "{resource} is from another host");
        }

        let log = self.command("se/log", json!({ "type": "browser" })).await;
        for entry in log.as_array().expect("a list of entries") {
            // Requests to a server that ends on purpose are bound to fail, and the browser says so.
            let message = entry["message"].as_str().expect("a message is text");
            let unanswered = ["net::ERR_", "a status of 503"].iter().any(|reason| message.contains(reason));
            assert!(entry["source"] == "network" && unanswered, "the console says {message}");
        }
    }

    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.expect("the script runs")
    }

    /// What is seen, as PNG.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a picture can be taken")
    }

    /// Tells the browser what its developers' tools would.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
    }

    /// A command of chromedriver's own.
    async fn command(&self, path: &str, body: Value) -> Value {
        let session = self.client.session_id().await.expect("chromedriver answers").expect("a session is open");
        let request = Request::post(format!("{}/session/{session}/{path}", self.driver));
        let request = request.body(body.to_string()).expect("a request as it should be");
        let answer = legacy::Client::builder(TokioExecutor::new()).build_http().request(request).await;
        let answer = answer.expect("chromedriver answers");
        let status = answer.status();
        let answer = answer.into_body().collect().await.expect("chromedriver answers").to_bytes();
        let mut answer: Value = serde_json::from_slice(&answer).expect("it answers in JSON");
        assert!(status.is_success(), "{path}: {answer:#}");
        answer["value"].take()
    }
}

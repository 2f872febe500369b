//! A browser with some tabs.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities as _;
use thirtyfour::{ChromeCapabilities, WebDriver, WindowHandle};
use tower_jwt_auth_tests::servers::Chromium;

use crate::jar::COOKIE_NAME;
use crate::server::MAX_WAIT;

/// What a tab does when it is ordered to.
const AGENT: &str = include_str!("agent.js");
const ASK: &str = include_str!("ask.js");

/// A refresh, as the page sees it.
#[derive(Debug, Deserialize)]
pub(crate) struct Refresh {
    /// 0: no answer came.
    pub(crate) status: u16,
    /// In milliseconds.
    took: f64,
}

impl Refresh {
    pub(crate) fn took(&self) -> Duration {
        Duration::from_secs_f64(self.took / 1000.0)
    }
}

/// A call with a tab's access token.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) status: u16,
    pub(crate) session: Option<String>,
}

/// One Chromium; its tabs share a cookie jar.
pub(crate) struct Window {
    driver: WebDriver,
    tabs: Vec<WindowHandle>,
}

impl Window {
    /// Starts a browser on this profile, with these arguments beside the usual ones.
    pub(crate) async fn open(chromium: &Chromium, profile: &Path, arguments: &[&str]) -> Self {
        let mut capabilities = ChromeCapabilities::new();
        capabilities.set_binary(&chromium.browser().display().to_string()).unwrap();
        let usual = chromium.arguments(profile);
        for argument in usual.iter().map(String::as_str).chain(arguments.iter().copied()) {
            capabilities.add_arg(argument).unwrap();
        }
        let client = reqwest::Client::builder().no_proxy().timeout(2 * MAX_WAIT).build().unwrap();
        let driver = WebDriver::builder(chromium.url(), capabilities).client(client);
        let driver = driver.await.unwrap();
        driver.set_script_timeout(MAX_WAIT).await.unwrap();
        let tabs = driver.windows().await.unwrap();
        Self { driver, tabs }
    }

    /// A new browser with this many tabs of this site, whose first one has signed in.
    pub(crate) async fn sign_in(
        chromium: &Chromium,
        address: &str,
        username: &str,
        tabs: usize,
    ) -> Self {
        let mut window = Self::open(chromium, &chromium.new_profile(), &[]).await;
        for number in 0..tabs {
            if number > 0 {
                window.tabs.push(window.driver.new_tab().await.unwrap());
            }
            window.switch_to(number).await;
            // A document of the site without any script of its own.
            window.goto(&format!("{address}/readyz")).await;
            window.driver.execute(AGENT, Vec::new()).await.unwrap();
        }
        window.sign_in_again(username).await;
        window
    }

    /// Signs in, as the page's form does.
    pub(crate) async fn sign_in_again(&self, username: &str) {
        let password = match username {
            "alice" => "wonderland",
            "bob" => "builder",
            _ => "castle",
        };
        let script = "const [body, done] = arguments;
            const headers = { 'Content-Type': 'application/json' };
            fetch('/auth/login', { method: 'POST', headers, body }).then((it) => done(it.status));";
        let body = json!({ "username": username, "password": password }).to_string();
        let status = self.driver.execute_async(script, vec![json!(body)]).await.unwrap();
        assert_eq!(*status.json(), 200, "{username} signs in");
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Makes another tab the one that is talked to.
    pub(crate) async fn switch_to(&self, tab: usize) {
        self.driver.switch_to_window(self.tabs[tab].clone()).await.unwrap();
    }

    /// Orders each tab to refresh so many times, the first time all at one instant, then after pauses of up to
    /// this length.
    pub(crate) async fn refresh(&self, times: usize, pauses: Duration) -> Vec<Vec<Refresh>> {
        let pauses = pauses.as_millis();
        self.ask(json!({ "name": "refresh", "times": times, "pauses": pauses })).await
    }

    /// Orders each tab to call the API.
    pub(crate) async fn call(&self) -> Vec<Call> {
        self.ask(json!({ "name": "call" })).await
    }

    async fn ask<T: DeserializeOwned>(&self, order: Value) -> Vec<T> {
        let arguments = vec![order, json!(self.tabs.len())];
        let reports = self.driver.execute_async(ASK, arguments).await.unwrap();
        reports.convert().unwrap()
    }

    /// The refresh token in the jar, which no script of a page can read.
    pub(crate) async fn refresh_token(&self) -> String {
        self.driver.get_named_cookie(COOKIE_NAME).await.unwrap().value
    }

    /// Opens a window of the same browser, and makes it the one that is talked to.
    pub(crate) async fn new_window(&self) {
        let window = self.driver.new_window().await.unwrap();
        self.driver.switch_to_window(window).await.unwrap();
    }

    /// What this script returns in each tab of all windows.
    pub(crate) async fn execute_in_each(&self, script: &str) -> Vec<String> {
        let mut returned = Vec::new();
        for tab in self.driver.windows().await.unwrap() {
            self.driver.switch_to_window(tab).await.unwrap();
            let value = self.driver.execute(script, Vec::new()).await.unwrap();
            returned.push(value.convert().unwrap());
        }
        returned
    }

    /// Closes the browser as a user does, so that it writes down what it has to keep.
    pub(crate) async fn close(self) {
        self.driver.quit().await.unwrap();
    }
}

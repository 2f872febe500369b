//! A browser with some tabs.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities as _;
use thirtyfour::{ChromeCapabilities, WebDriver, WindowHandle};
use tower_jwt_auth_tests::servers::Chromium;

use crate::cookie_jar::COOKIE_NAME;
use crate::server::MAX_WAIT;

/// The script of a tab, which waits for orders.
const AGENT: &str = include_str!("agent.js");
/// Gives an order to the tabs and returns their reports.
const RUN_IN_TABS: &str = include_str!("run_in_tabs.js");

/// A refresh, as the page sees it.
#[derive(Debug, Deserialize)]
pub(crate) struct Refresh {
    /// 0 if there was no response.
    pub(crate) status: u16,
    /// The time that it took, in milliseconds.
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

/// A Chromium whose tabs share a cookie jar.
pub(crate) struct Window {
    driver: WebDriver,
    tabs: Vec<WindowHandle>,
}

impl Window {
    /// Starts a browser on this profile, with these arguments in addition to the usual ones.
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

    /// Starts a browser with this many tabs of this site, and signs in.
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
            // A document of the site without a script.
            window.goto(&format!("{address}/readyz")).await;
            window.driver.execute(AGENT, Vec::new()).await.unwrap();
        }
        window.sign_in_again(username).await;
        window
    }

    /// Signs in as the form of the page does.
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

    /// Switches to another tab.
    pub(crate) async fn switch_to(&self, tab: usize) {
        self.driver.switch_to_window(self.tabs[tab].clone()).await.unwrap();
    }

    /// Lets each tab refresh `times` times: at first all at the same instant, then after random pauses of up to
    /// `pauses`.
    pub(crate) async fn refresh(&self, times: usize, pauses: Duration) -> Vec<Vec<Refresh>> {
        let pauses = pauses.as_millis();
        self.run_in_tabs(json!({ "name": "refresh", "times": times, "pauses": pauses })).await
    }

    /// Lets each tab call the API.
    pub(crate) async fn call(&self) -> Vec<Call> {
        self.run_in_tabs(json!({ "name": "call" })).await
    }

    async fn run_in_tabs<T: DeserializeOwned>(&self, order: Value) -> Vec<T> {
        let arguments = vec![order, json!(self.tabs.len())];
        let reports = self.driver.execute_async(RUN_IN_TABS, arguments).await.unwrap();
        reports.convert().unwrap()
    }

    /// Returns the refresh token in the cookie jar, which no script of a page can read.
    pub(crate) async fn refresh_token(&self) -> String {
        self.driver.get_named_cookie(COOKIE_NAME).await.unwrap().value
    }

    /// Opens a window of the same browser and switches to it.
    pub(crate) async fn new_window(&self) {
        let window = self.driver.new_window().await.unwrap();
        self.driver.switch_to_window(window).await.unwrap();
    }

    /// Returns the result of this script in each tab of all windows.
    pub(crate) async fn execute_in_each(&self, script: &str) -> Vec<String> {
        let mut returned = Vec::new();
        for tab in self.driver.windows().await.unwrap() {
            self.driver.switch_to_window(tab).await.unwrap();
            let value = self.driver.execute(script, Vec::new()).await.unwrap();
            returned.push(value.convert().unwrap());
        }
        returned
    }

    /// Closes the browser as a user does, so that it saves its state.
    pub(crate) async fn close(self) {
        self.driver.quit().await.unwrap();
    }
}

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::process::{self, Process};

/// What Chromium is started with, beside what ChromeDriver adds: no window on a screen, no call to the network of
/// its own accord, and root may run it.
const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // What crashes is seen by the test; nobody reads a dump.
    "--disable-breakpad",
    "--disable-crash-reporter",
];

/// The names that distributions give the browser.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A ChromeDriver of its own, which starts Chromium for WebDriver clients.
///
/// It ends, with all the browsers that it has started, when this is dropped.
pub struct Chromium {
    process: Process,
    browser: PathBuf,
    data: PathBuf,
    port: u16,
    profiles: AtomicUsize,
}

impl Chromium {
    /// Starts ChromeDriver, not yet a browser.
    ///
    /// `None`: it is not installed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Option<Self> {
        static SAID: Once = Once::new();
        let Some(driver) = process::in_path("chromedriver") else {
            super::skip(&SAID, "chromedriver", "chromium-driver", "Chromium");
            return None;
        };
        let Some(browser) = BROWSERS.into_iter().find_map(process::in_path) else {
            super::skip(&SAID, "chromium", "chromium", "Chromium");
            return None;
        };
        let directory = process::directory();
        let data = directory.join("data");
        fs::create_dir(&data).expect("a directory can be made");
        let data_path = data.display();
        let arguments = [
            // What Chromium keeps outside of its profiles goes with them.
            format!("HOME={data_path}"),
            format!("TMPDIR={data_path}"),
            driver.display().to_string(),
            // The system chooses the port, and the log says which it is.
            "--port=0".to_owned(),
        ];
        let mut process = Process::new(&directory, None, Path::new("env"), &arguments);
        let port = || port(&directory.join("log"));
        process.start(|_| port().is_some()).unwrap_or_else(|error| panic!("{error}"));
        let port = port().expect("it has been there");
        Some(Self { process, browser, data, port, profiles: AtomicUsize::new(0) })
    }

    /// Where WebDriver clients connect to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it keeps its files, profiles too.
    pub fn dir(&self) -> &Path {
        &self.data
    }

    /// The id of the driver's process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The browser that is to be started.
    pub fn browser(&self) -> &Path {
        &self.browser
    }

    /// The directory of a new, empty profile: a browser that has never been started.
    pub fn new_profile(&self) -> PathBuf {
        let number = self.profiles.fetch_add(1, Ordering::Relaxed);
        let profile = self.data.join(format!("profile-{number}"));
        fs::create_dir(&profile).expect("a directory can be made");
        profile
    }

    /// What the browser is to be started with on this profile.
    pub fn arguments(&self, profile: &Path) -> Vec<String> {
        let profile = format!("--user-data-dir={}", profile.display());
        ARGUMENTS.map(str::to_owned).into_iter().chain([profile]).collect()
    }
}

impl fmt::Debug for Chromium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chromium").field("port", &self.port).finish_non_exhaustive()
    }
}

/// The port that a ChromeDriver with this log listens on, once it does.
fn port(log: &Path) -> Option<u16> {
    let log = fs::read_to_string(log).unwrap_or_default();
    let line = log.lines().find_map(|line| line.split_once("started successfully on port "))?;
    line.1.trim_end_matches('.').parse().ok()
}

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::process::{self, Process};

/// The arguments of Chromium besides those that ChromeDriver adds. Chromium opens no window, makes no network requests
/// of its own, and may run as root.
const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // The test notices a crash. Nobody reads a crash dump.
    "--disable-breakpad",
    "--disable-crash-reporter",
];

/// The names of the browser's executable in different distributions.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A ChromeDriver process, which starts Chromium for WebDriver clients.
///
/// Dropping it ends the process and all browsers that it has started.
pub struct Chromium {
    process: Process,
    browser: PathBuf,
    data: PathBuf,
    port: u16,
    profiles: AtomicUsize,
}

impl Chromium {
    /// Starts ChromeDriver, but no browser.
    ///
    /// Returns `None` if ChromeDriver or Chromium is not installed.
    ///
    /// # Panics
    /// If ChromeDriver does not start.
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
        fs::create_dir(&data).expect("a directory should be created");
        let data_path = data.display();
        let arguments = [
            // Files that Chromium writes outside of its profiles are removed with them.
            format!("HOME={data_path}"),
            format!("TMPDIR={data_path}"),
            driver.display().to_string(),
            // The system chooses the port, and the log contains it.
            "--port=0".to_owned(),
        ];
        let mut process = Process::new(&directory, None, Path::new("env"), &arguments);
        let port = || port(&directory.join("log"));
        process.start(|_| port().is_some()).unwrap_or_else(|error| panic!("{error}"));
        let port = port().expect("the port was logged before");
        Some(Self { process, browser, data, port, profiles: AtomicUsize::new(0) })
    }

    /// Returns the URL for WebDriver clients.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the directory of all its files, including the profiles.
    pub fn dir(&self) -> &Path {
        &self.data
    }

    /// Returns the process id of the driver.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns the path of the browser's executable.
    pub fn browser(&self) -> &Path {
        &self.browser
    }

    /// Creates the directory of a new, empty profile, as for a browser that has never been started.
    pub fn new_profile(&self) -> PathBuf {
        let number = self.profiles.fetch_add(1, Ordering::Relaxed);
        let profile = self.data.join(format!("profile-{number}"));
        fs::create_dir(&profile).expect("a directory should be created");
        profile
    }

    /// Returns the arguments that start the browser with this profile.
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

/// Returns the port from the log of ChromeDriver, once it listens.
fn port(log: &Path) -> Option<u16> {
    let log = fs::read_to_string(log).unwrap_or_default();
    let line = log.lines().find_map(|line| line.split_once("started successfully on port "))?;
    line.1.trim_end_matches('.').parse().ok()
}

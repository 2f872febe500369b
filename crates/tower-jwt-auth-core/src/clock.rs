use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::time::{Timestamp, millis};

/// A source of the current time.
///
/// It is read once per request, and the time is passed down as a value.
///
/// # Examples
///
/// ```
/// use tower_jwt_auth_core::{Clock, SystemClock, Timestamp};
///
/// /// Shows the time that another clock will show in an hour.
/// #[derive(Debug)]
/// struct Ahead<T>(T);
///
/// impl<T: Clock> Clock for Ahead<T> {
///     fn now(&self) -> Timestamp {
///         self.0.now() + std::time::Duration::from_secs(3600)
///     }
/// }
///
/// let clock = SystemClock::new();
/// let now = clock.now();
/// assert!(Ahead(clock).now() > now);
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The operating system's wall clock, corrected so that it never goes back by more than a second.
///
/// If the wall clock is set back, expired tokens would become valid again. This clock then continues from the
/// latest time that it has returned. It follows the monotonic clock, slowed by one part in 2000, until it meets the
/// wall clock again. If a wall clock jumps far ahead and returns, this clock therefore stays ahead for long: tokens
/// expire early rather than late. All instances in a process share their state and return the same time.
///
/// When this clock starts to run ahead of the wall clock, it logs the difference at `warn`. It logs again only after
/// the two have met.
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
/// use tower_jwt_auth_core::{Clock, SystemClock, Timestamp};
///
/// let wall = Timestamp::from(SystemTime::now());
/// assert!(SystemClock::new().now() >= wall);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock(());

impl SystemClock {
    /// Creates a handle to the system clock.
    pub const fn new() -> Self {
        Self(())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        static SLEWED: SlewedClock = SlewedClock::new();
        static START: OnceLock<Instant> = OnceLock::new();
        SLEWED.now(|| {
            // In this order, a pause between the two readings looks like a clock that was set back, not ahead.
            let wall = SystemTime::now().into();
            (wall, millis(START.get_or_init(Instant::now).elapsed()))
        })
    }
}

/// The step back of the wall clock, in milliseconds, that is passed through.
const MAX_STEP_BACK: i64 = 1000;
/// While it is ahead of the wall clock, the corrected clock loses one part in this many.
const SLEW_DIVISOR: i64 = 2000;

/// A wall clock that is corrected by a monotonic one.
#[derive(Debug)]
struct SlewedClock {
    /// The maximum difference between the wall clock and the monotonic clock so far, in milliseconds, projected back
    /// to the start of the process.
    max_offset: AtomicI64,
    /// Whether the current correction has been logged.
    is_logged: AtomicBool,
}

impl SlewedClock {
    const fn new() -> Self {
        Self { max_offset: AtomicI64::new(i64::MIN), is_logged: AtomicBool::new(false) }
    }

    /// Returns the corrected time. `clocks` reads the wall clock, and the monotonic clock in milliseconds.
    fn now(&self, clocks: impl Fn() -> (Timestamp, i64)) -> Timestamp {
        let (wall, running) = clocks();
        let now = self.correct(wall, running);
        if now > wall && !self.is_logged.load(Ordering::Relaxed) {
            self.log(clocks);
        }
        now
    }

    #[cold]
    fn log(&self, clocks: impl Fn() -> (Timestamp, i64)) {
        // Read the clocks again: a pause between the two readings looks like a clock that was set back.
        let (wall, running) = clocks();
        let now = self.correct(wall, running);
        if now > wall && !self.is_logged.swap(true, Ordering::Relaxed) {
            let ahead = now.since(wall);
            tracing::warn!(
                ?ahead,
                "the system clock was set back; timestamps stay ahead of it until it catches up"
            );
        }
    }

    fn correct(&self, wall: Timestamp, running: i64) -> Timestamp {
        let lost = running / SLEW_DIVISOR;
        let offset = wall.unix_millis().saturating_sub(running).saturating_add(lost);
        let max_offset = self.max_offset.load(Ordering::Relaxed);
        if offset > max_offset {
            self.max_offset.fetch_max(offset, Ordering::Relaxed);
        } else if offset < max_offset.saturating_sub(MAX_STEP_BACK) {
            let corrected = max_offset.saturating_sub(lost).saturating_add(running);
            return Timestamp::from_unix_millis(corrected);
        }
        // Reset well inside of the margin. At its edge, jitter of the clocks would log one jump many times.
        if offset > max_offset.saturating_sub(MAX_STEP_BACK / 2)
            && self.is_logged.load(Ordering::Relaxed)
        {
            self.is_logged.store(false, Ordering::Relaxed);
        }
        wall
    }
}

/// A clock for tests that stands still until it is moved.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().unix_seconds(), 1_700_000_060);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    /// Creates a clock that shows this time.
    pub const fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.unix_millis()) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock. The time may be earlier than the current one.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.unix_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.now.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_continues_from_the_latest_time() {
        let clock = SlewedClock::new();
        let read = |wall, running| clock.correct(Timestamp::from_unix_millis(wall), running);
        let at = Timestamp::from_unix_millis;
        assert_eq!(read(100_000, 0), at(100_000));
        assert_eq!(read(100_500, 500), at(100_500), "the two run together");
        assert_eq!(read(100_100, 1_000), at(100_100), "a small step back passes through");
        assert_eq!(read(40_000, 2_000), at(101_999), "set back: it continues");
        assert_eq!(read(41_000, 3_000), at(102_999), "and does not stand still");
        assert_eq!(read(500_000, 4_000), at(500_000), "set ahead");
        assert_eq!(read(105_000, 5_000), at(501_000), "and kept there");
    }

    #[test]
    fn a_corrected_clock_meets_the_wall_clock_again() {
        let clock = SlewedClock::new();
        let read =
            |wall, running| clock.correct(Timestamp::from_unix_millis(wall), running).unix_millis();
        read(1_000_000, 0);
        // Ten seconds back.
        let mut shown = 1_000_000;
        for running in (0..30_000_000).step_by(10_000) {
            let now = read(990_000 + running, running);
            assert!(now >= shown - MAX_STEP_BACK, "it never goes back by more than the margin");
            shown = now;
        }
        assert_eq!(shown, 990_000 + 29_990_000);
    }

    /// Returns the lines that `run` logs.
    fn logged(run: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer({
                let lines = Arc::clone(&lines);
                move || Lines(Arc::clone(&lines))
            })
            .finish();
        tracing::subscriber::with_default(subscriber, run);
        std::mem::take(&mut *lines.lock().unwrap())
    }

    struct Lines(Arc<Mutex<Vec<String>>>);

    impl io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_correction_is_logged_once_until_the_clock_meets_the_wall_clock_again() {
        let clock = SlewedClock::new();
        let show = |wall, running| clock.now(|| (Timestamp::from_unix_millis(wall), running));
        let jump = |running: i64| {
            logged(|| {
                show(1_000_000 + running, running);
                // An hour ahead, and back.
                show(4_600_000 + running, running);
                for later in 1..100 {
                    show(1_000_000 + running + later, running + later);
                }
            })
        };
        let lines = jump(0);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("WARN") && lines[0].contains("ahead=3600s"), "{lines:?}");

        // The correction of an hour takes 2000 hours. At the edge of the margin nothing is logged.
        let edge = 2000 * (3_600_000 - MAX_STEP_BACK);
        let lines = logged(|| {
            for late in [0, 2, 0, 2] {
                show(1_000_000 + edge - late, edge);
            }
        });
        assert_eq!(lines, [""; 0]);
        let met = 2000 * 3_600_000;
        let lines = jump(met);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }

    #[test]
    fn a_pause_between_the_two_clocks_is_not_logged() {
        let clock = SlewedClock::new();
        clock.correct(Timestamp::from_unix_millis(100_000), 0);
        let readings = RefCell::new(vec![(101_000, 5_000), (105_000, 5_000)].into_iter());
        let lines = logged(|| {
            clock.now(|| {
                let (wall, running) = readings.borrow_mut().next().unwrap();
                (Timestamp::from_unix_millis(wall), running)
            });
        });
        assert_eq!(lines, [""; 0]);
        assert!(readings.into_inner().next().is_none(), "the clocks were read a second time");
    }

    #[test]
    fn system_clock_returns_the_system_time() {
        let before = Timestamp::from(SystemTime::now());
        let shown = SystemClock::new().now();
        let after = Timestamp::from(SystemTime::now());
        assert!(before <= shown && shown <= after);
    }
}

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::Timestamp;

/// Where the time comes from.
///
/// It is read once for a request and passed down as a value.
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
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// How far the system clock may step back unnoticed, in milliseconds.
const SAFETY_MARGIN: i64 = 1000;

/// The operating system's wall clock, held so that it never goes back by more than a second.
///
/// A wall clock that is set back would make expired tokens valid again. This one then runs on from the latest
/// time it has shown, by the monotonic clock, slower by one part in 2000 so that it meets the wall clock again.
/// A clock that jumped far ahead and came back is therefore ahead for long: tokens expire early rather than
/// late. All clocks of a process are one, so that no two parts of it disagree.
///
/// When it begins to run ahead of the wall clock, it logs at `warn` how far ahead it is: once, and again only
/// after the two have met.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock(());

impl SystemClock {
    /// The clock.
    pub const fn new() -> Self {
        Self(())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        static HELD: Held = Held::new();
        static START: OnceLock<Instant> = OnceLock::new();
        HELD.show(|| {
            // In this order: a pause in between then looks like a clock that was set back, and not ahead.
            let wall = SystemTime::now().into();
            let running = START.get_or_init(Instant::now).elapsed().as_millis();
            (wall, i64::try_from(running).unwrap_or(i64::MAX))
        })
    }
}

/// A held clock loses one part in so many, until it meets the wall clock again.
const DECAY: i64 = 2000;

/// What holds the wall clock.
#[derive(Debug)]
struct Held {
    /// The furthest that the wall clock has been ahead of the monotonic one, in milliseconds, as it would have
    /// been when the process began.
    furthest: AtomicI64,
    /// Whether it has been logged that the wall clock is behind.
    is_logged: AtomicBool,
}

impl Held {
    const fn new() -> Self {
        Self { furthest: AtomicI64::new(i64::MIN), is_logged: AtomicBool::new(false) }
    }

    /// The time by a wall clock and a monotonic one, in milliseconds, as `clocks` reads them.
    fn show(&self, clocks: impl Fn() -> (Timestamp, i64)) -> Timestamp {
        let (wall, running) = clocks();
        let shown = self.read(wall, running);
        if shown > wall && !self.is_logged.load(Ordering::Relaxed) {
            self.log(clocks);
        }
        shown
    }

    #[cold]
    fn log(&self, clocks: impl Fn() -> (Timestamp, i64)) {
        // Read again: what looked like a clock that was set back may have been a pause between the two clocks.
        let (wall, running) = clocks();
        let shown = self.read(wall, running);
        if shown > wall && !self.is_logged.swap(true, Ordering::Relaxed) {
            let ahead = shown.since(wall);
            tracing::warn!(
                ?ahead,
                "the system clock was set back, and the time used stays ahead of it"
            );
        }
    }

    fn read(&self, wall: Timestamp, running: i64) -> Timestamp {
        let lost = running / DECAY;
        let ahead = wall.unix_millis().saturating_sub(running).saturating_add(lost);
        let furthest = self.furthest.load(Ordering::Relaxed);
        if ahead > furthest {
            self.furthest.fetch_max(ahead, Ordering::Relaxed);
        } else if ahead < furthest.saturating_sub(SAFETY_MARGIN) {
            let held = furthest.saturating_sub(lost).saturating_add(running);
            return Timestamp::from_unix_millis(held);
        }
        // Well within the margin, at whose edge the clocks' own unsteadiness would log one jump many times.
        if ahead > furthest.saturating_sub(SAFETY_MARGIN / 2)
            && self.is_logged.load(Ordering::Relaxed)
        {
            self.is_logged.store(false, Ordering::Relaxed);
        }
        wall
    }
}

/// A clock that stands still until it is told to move, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    /// A clock that shows this time.
    pub const fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.unix_millis()) }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock, backwards too.
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
    fn a_wall_clock_that_is_set_back_runs_on_from_where_it_was() {
        let held = Held::new();
        let read = |wall, running| held.read(Timestamp::from_unix_millis(wall), running);
        let at = Timestamp::from_unix_millis;
        assert_eq!(read(100_000, 0), at(100_000));
        assert_eq!(read(100_500, 500), at(100_500), "the two run together");
        assert_eq!(read(100_100, 1_000), at(100_100), "a little back is let through");
        assert_eq!(read(40_000, 2_000), at(101_999), "set back: it runs on");
        assert_eq!(read(41_000, 3_000), at(102_999), "and does not stand still");
        assert_eq!(read(500_000, 4_000), at(500_000), "set ahead");
        assert_eq!(read(105_000, 5_000), at(501_000), "and held there");
    }

    #[test]
    fn a_held_clock_meets_the_wall_clock_again() {
        let held = Held::new();
        let read =
            |wall, running| held.read(Timestamp::from_unix_millis(wall), running).unix_millis();
        read(1_000_000, 0);
        // Ten seconds back.
        let mut shown = 1_000_000;
        for running in (0..30_000_000).step_by(10_000) {
            let now = read(990_000 + running, running);
            assert!(now >= shown - SAFETY_MARGIN, "it never goes back by more than the margin");
            shown = now;
        }
        assert_eq!(shown, 990_000 + 29_990_000);
    }

    /// What is logged meanwhile.
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
    fn a_clock_that_is_held_is_logged_once_until_it_meets_the_wall_clock_again() {
        let held = Held::new();
        let show = |wall, running| held.show(|| (Timestamp::from_unix_millis(wall), running));
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

        // It has lost that hour after 2000 hours; at the edge of the margin it is not ready to log.
        let edge = 2000 * (3_600_000 - SAFETY_MARGIN);
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
        let held = Held::new();
        held.read(Timestamp::from_unix_millis(100_000), 0);
        let readings = RefCell::new(vec![(101_000, 5_000), (105_000, 5_000)].into_iter());
        let lines = logged(|| {
            held.show(|| {
                let (wall, running) = readings.borrow_mut().next().unwrap();
                (Timestamp::from_unix_millis(wall), running)
            });
        });
        assert_eq!(lines, [""; 0]);
        assert!(readings.into_inner().next().is_none(), "the clocks were read a second time");
    }

    #[test]
    fn system_clock_shows_the_system_time() {
        let before = Timestamp::from(SystemTime::now());
        let shown = SystemClock::new().now();
        let after = Timestamp::from(SystemTime::now());
        assert!(before <= shown && shown <= after);
    }
}

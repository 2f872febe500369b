use std::fmt;
use std::time::Duration;

use crate::args::Args;
use crate::ending::Ending;
use crate::engine::Kind;
use crate::facts;
use crate::log::Log;
use crate::memory_use::{Bytes, MemoryUse};
use crate::purging::Purging;
use crate::rates::Rate;
use crate::round_trips::RoundTrips;
use crate::table::{Table, maybe, whole};

/// Everything that was measured.
pub(crate) struct Report {
    args: Args,
    pub(crate) versions: Vec<String>,
    pub(crate) rates: Vec<Rate>,
    pub(crate) stores: Vec<Store>,
    pub(crate) endings: Vec<(Kind, Ending)>,
    pub(crate) memory_use: Option<MemoryUse>,
    pub(crate) skipped: Vec<String>,
}

/// What was measured of one store besides its rates.
pub(crate) struct Store {
    pub(crate) kind: Kind,
    pub(crate) round_trips: Option<RoundTrips>,
    pub(crate) log: Log,
    pub(crate) purging: Purging,
}

impl Report {
    pub(crate) fn new(args: &Args) -> Self {
        Self {
            args: args.clone(),
            versions: Vec::new(),
            rates: Vec::new(),
            stores: Vec::new(),
            endings: Vec::new(),
            memory_use: None,
            skipped: Vec::new(),
        }
    }

    fn rates(&self) -> Table {
        let head = [
            "store",
            "clients",
            "refreshes/s",
            "advances/s",
            "raw/s",
            "refresh/raw",
            "advance/raw",
        ];
        let mut table = Table::new(&head);
        for rate in &self.rates {
            let against = |ours: f64| {
                let raw = rate.raw.filter(|raw| *raw > 0.0);
                maybe(raw, |raw| format!("{:.2}", ours / raw))
            };
            table.row(vec![
                rate.name.to_owned(),
                rate.clients.to_string(),
                whole(rate.refresh),
                whole(rate.advance),
                maybe(rate.raw, whole),
                against(rate.refresh),
                against(rate.advance),
            ]);
        }
        table
    }

    fn stores(&self) -> Table {
        let mut table = Table::new(&[
            "store",
            "trips/refresh",
            "trips/replay",
            "bytes/entry",
            "fill",
            "catch-up",
            "p50 µs",
            "p99 µs",
            "p50 µs, purging",
            "p99 µs, purging",
            "purge",
        ]);
        let trips = |trips: Option<f64>| maybe(trips, |trips| format!("{trips:.2}"));
        for Store { kind, round_trips, log, purging } in &self.stores {
            let in_memory = self.memory_use.filter(|_| *kind == Kind::Memory);
            let bytes = log.bytes.or(in_memory.map(|used| used.store.allocated));
            table.row(vec![
                kind.name().to_owned(),
                trips(round_trips.map(|trips| trips.refresh)),
                trips(round_trips.map(|trips| trips.replay)),
                maybe(bytes, |bytes| bytes.to_string()),
                seconds(log.fill),
                seconds(log.catch_up),
                micros(purging.without.percentile(50)),
                micros(purging.without.percentile(99)),
                micros(purging.meanwhile.percentile(50)),
                micros(purging.meanwhile.percentile(99)),
                seconds(purging.took),
            ]);
        }
        table
    }

    fn write_skipped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for skipped in &self.skipped {
            writeln!(f, "\nSkipped: {skipped}.")?;
        }
        Ok(())
    }

    fn endings(&self) -> Table {
        let mut table = Table::new(&[
            "store",
            "ended",
            "took",
            "ended/s",
            "p50 µs",
            "p99 µs",
            "p50 µs, ending",
            "p99 µs, ending",
            "p99/p99",
            "longest ms",
            "own ms",
            "page ms",
            "page ms, after",
        ]);
        for (kind, ending) in &self.endings {
            let Ending { ended, took, idle, meanwhile, .. } = ending;
            table.row(vec![
                kind.name().to_owned(),
                whole(*ended as f64),
                seconds(*took),
                whole(*ended as f64 / took.as_secs_f64()),
                micros(idle.p50),
                micros(idle.p99),
                micros(meanwhile.p50),
                micros(meanwhile.p99),
                format!("{:.2}", ending.ratio),
                millis(meanwhile.longest),
                millis(ending.own),
                millis(ending.page),
                millis(ending.page_after),
            ]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Args { time, rounds, entries, .. } = &self.args;
        let mut setting = vec![facts::machine()];
        setting.extend(self.versions.iter().cloned());
        // Redis is measured with several settings.
        setting.dedup();
        write!(f, "{}. ", setting.join("; "))?;
        if let Some(sessions) = self.args.ending {
            let sessions = whole(sessions as f64);
            writeln!(f, "{sessions} sessions of one subject; medians of {rounds} round(s).\n")?;
            writeln!(f, "{}", self.endings())?;
            return self.write_skipped(f);
        }
        writeln!(f, "Medians of {rounds} round(s) of {} s each.\n", time.as_secs())?;
        writeln!(f, "{}", self.rates())?;
        let purged = self.stores.iter().map(|store| store.purging.purged).max();
        write!(f, "A log of {} entries; steps of 8 clients, ", whole(*entries as f64))?;
        writeln!(f, "alone and while {} are purged.\n", whole(purged.unwrap_or_default() as f64))?;
        writeln!(f, "{}", self.stores())?;
        if let Some(MemoryUse { store, list }) = self.memory_use {
            write!(
                f,
                "Bytes per revoked entry in the memory of a node: {} in the list, ",
                of(list)
            )?;
            writeln!(f, "{} in the memory store.", of(store))?;
        }
        self.write_skipped(f)
    }
}

fn of(bytes: Bytes) -> String {
    let resident = maybe(bytes.resident, |resident| resident.to_string());
    format!("{} allocated ({resident} resident)", bytes.allocated)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn micros(time: Duration) -> String {
    whole(time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

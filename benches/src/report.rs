use std::fmt;
use std::time::Duration;

use crate::args::Args;
use crate::end_all::EndAll;
use crate::engine::EngineKind;
use crate::log::Log;
use crate::machine;
use crate::memory_use::{Bytes, MemoryUse};
use crate::purge::Purge;
use crate::rates::Rate;
use crate::round_trips::RoundTrips;
use crate::table::{Table, maybe, whole};

/// Everything that was measured.
pub(crate) struct Report {
    args: Args,
    pub(crate) versions: Vec<String>,
    pub(crate) rates: Vec<Rate>,
    pub(crate) stores: Vec<Store>,
    pub(crate) end_all: Vec<(EngineKind, EndAll)>,
    pub(crate) memory_use: Option<MemoryUse>,
    pub(crate) skipped: Vec<String>,
}

/// What was measured of one store besides its rates.
pub(crate) struct Store {
    pub(crate) kind: EngineKind,
    pub(crate) round_trips: Option<RoundTrips>,
    pub(crate) log: Log,
    pub(crate) purge: Purge,
}

impl Report {
    pub(crate) fn new(args: &Args) -> Self {
        Self {
            args: args.clone(),
            versions: Vec::new(),
            rates: Vec::new(),
            stores: Vec::new(),
            end_all: Vec::new(),
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
            "baseline/s",
            "refresh/baseline",
            "advance/baseline",
        ];
        let mut table = Table::new(&head);
        for rate in &self.rates {
            let against = |ours: f64| {
                let baseline = rate.baseline.filter(|baseline| *baseline > 0.0);
                maybe(baseline, |baseline| format!("{:.2}", ours / baseline))
            };
            table.row(vec![
                rate.store.to_owned(),
                rate.clients.to_string(),
                whole(rate.refresh),
                whole(rate.advance),
                maybe(rate.baseline, whole),
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
        for Store { kind, round_trips, log, purge } in &self.stores {
            let in_memory = self.memory_use.filter(|_| *kind == EngineKind::Memory);
            let bytes = log.bytes.or(in_memory.map(|used| used.store.allocated));
            table.row(vec![
                kind.label().to_owned(),
                trips(round_trips.map(|trips| trips.refresh)),
                trips(round_trips.map(|trips| trips.replay)),
                maybe(bytes, |bytes| bytes.to_string()),
                seconds(log.fill),
                seconds(log.catch_up),
                micros(purge.alone.percentile(50)),
                micros(purge.alone.percentile(99)),
                micros(purge.during.percentile(50)),
                micros(purge.during.percentile(99)),
                seconds(purge.took),
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

    fn end_all(&self) -> Table {
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
        for (kind, ending) in &self.end_all {
            let EndAll { ended, took, idle, during, .. } = ending;
            table.row(vec![
                kind.label().to_owned(),
                whole(*ended as f64),
                seconds(*took),
                whole(*ended as f64 / took.as_secs_f64()),
                micros(idle.p50),
                micros(idle.p99),
                micros(during.p50),
                micros(during.p99),
                format!("{:.2}", ending.ratio),
                millis(during.longest),
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
        let Args { measure_for, rounds, entries, .. } = &self.args;
        let mut setting = vec![machine::describe()];
        setting.extend(self.versions.iter().cloned());
        // Redis is measured with several settings.
        setting.dedup();
        write!(f, "{}. ", setting.join("; "))?;
        if let Some(sessions) = self.args.end_all {
            let sessions = whole(sessions as f64);
            writeln!(f, "{sessions} sessions of one subject; medians of {rounds} round(s).\n")?;
            writeln!(f, "{}", self.end_all())?;
            return self.write_skipped(f);
        }
        writeln!(f, "Medians of {rounds} round(s) of {} s each.\n", measure_for.as_secs())?;
        writeln!(f, "{}", self.rates())?;
        let purged = self.stores.iter().map(|store| store.purge.purged).max();
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

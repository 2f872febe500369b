use std::fmt;
use std::time::Duration;

use crate::args::Args;
use crate::catch_up::CatchUp;
use crate::end_all::EndAll;
use crate::engine::EngineKind;
use crate::key_flood::KeyFlood;
use crate::log::Log;
use crate::machine;
use crate::memory_use::{BytesPerEntry, MemoryUse};
use crate::purge::Purge;
use crate::rates::Rates;
use crate::round_trips::RoundTrips;
use crate::table::{Table, integer, or_dash};

/// All results of a run. It is displayed as Markdown.
pub(crate) struct Report {
    args: Args,
    pub(crate) versions: Vec<String>,
    pub(crate) rates: Vec<Rates>,
    pub(crate) stores: Vec<StoreCosts>,
    pub(crate) end_all: Vec<(EngineKind, EndAll)>,
    pub(crate) catch_up: Vec<(EngineKind, CatchUp)>,
    pub(crate) key_floods: Vec<KeyFlood>,
    pub(crate) memory_use: Option<MemoryUse>,
    pub(crate) skipped: Vec<String>,
}

/// The results of one store besides its rates.
pub(crate) struct StoreCosts {
    pub(crate) kind: EngineKind,
    pub(crate) round_trips: Option<RoundTrips>,
    pub(crate) log: Log,
    pub(crate) purge: Purge,
}

impl Report {
    /// Creates a report without results.
    pub(crate) fn new(args: Args) -> Self {
        Self {
            args,
            versions: Vec::new(),
            rates: Vec::new(),
            stores: Vec::new(),
            end_all: Vec::new(),
            catch_up: Vec::new(),
            key_floods: Vec::new(),
            memory_use: None,
            skipped: Vec::new(),
        }
    }

    fn rates_table(&self) -> Table {
        let mut table = Table::new(&[
            "store",
            "clients",
            "refreshes/s",
            "advances/s",
            "baseline/s",
            "refresh/baseline",
            "advance/baseline",
        ]);
        for rates in &self.rates {
            let ratio = |rate: f64| {
                let baseline = rates.baseline.filter(|baseline| *baseline > 0.0);
                or_dash(baseline, |baseline| format!("{:.2}", rate / baseline))
            };
            table.row(vec![
                rates.kind.label().to_owned(),
                rates.clients.to_string(),
                integer(rates.refresh),
                integer(rates.advance),
                or_dash(rates.baseline, integer),
                ratio(rates.refresh),
                ratio(rates.advance),
            ]);
        }
        table
    }

    fn stores_table(&self) -> Table {
        let mut table = Table::new(&[
            "store",
            "trips/refresh",
            "trips/replay",
            "bytes/entry",
            "fill",
            "catch-up",
            "p50 µs",
            "p99 µs",
            "p50 µs, purge",
            "p99 µs, purge",
            "purge",
        ]);
        let trips = |trips: Option<f64>| or_dash(trips, |trips| format!("{trips:.2}"));
        for StoreCosts { kind, round_trips, log, purge } in &self.stores {
            let memory_use = self.memory_use.filter(|_| *kind == EngineKind::Memory);
            let bytes = log.bytes_per_entry.or(memory_use.map(|bytes| bytes.store.allocated));
            table.row(vec![
                kind.label().to_owned(),
                trips(round_trips.map(|trips| trips.refresh)),
                trips(round_trips.map(|trips| trips.replay)),
                or_dash(bytes, |bytes| bytes.to_string()),
                seconds(log.fill),
                seconds(log.catch_up),
                micros(purge.alone.p50),
                micros(purge.alone.p99),
                micros(purge.during.p50),
                micros(purge.during.p99),
                seconds(purge.took),
            ]);
        }
        table
    }

    fn end_all_table(&self) -> Table {
        let mut table = Table::new(&[
            "store",
            "ended",
            "took",
            "ended/s",
            "p50 µs",
            "p99 µs",
            "p50 µs, end_all",
            "p99 µs, end_all",
            "p99 ratio",
            "max ms, end_all",
            "own max ms",
            "page max ms",
            "page max ms, after",
        ]);
        for (kind, result) in &self.end_all {
            let ended = result.ended as f64;
            table.row(vec![
                kind.label().to_owned(),
                integer(ended),
                seconds(result.took),
                integer(ended / result.took.as_secs_f64()),
                micros(result.idle.p50),
                micros(result.idle.p99),
                micros(result.during.p50),
                micros(result.during.p99),
                format!("{:.2}", result.p99_ratio),
                millis(result.during.max),
                millis(result.own_max),
                millis(result.page_max),
                millis(result.page_after_max),
            ]);
        }
        table
    }

    fn catch_up_table(&self) -> Table {
        let mut table = Table::new(&[
            "store",
            "catch-up",
            "with bystander",
            "p50 µs",
            "p99 µs",
            "p50 µs, catch-up",
            "p99 µs, catch-up",
            "max ms, catch-up",
        ]);
        for (kind, result) in &self.catch_up {
            table.row(vec![
                kind.label().to_owned(),
                seconds(result.alone),
                seconds(result.with_bystander),
                micros(result.idle.p50),
                micros(result.idle.p99),
                micros(result.during.p50),
                micros(result.during.p99),
                millis(result.during.max),
            ]);
        }
        table
    }

    fn key_flood_table(&self) -> Table {
        let mut table = Table::new(&[
            "made up",
            "tokens",
            "took",
            "fetches",
            "p50 µs",
            "p99 µs",
            "p50 µs, flood",
            "p99 µs, flood",
            "p99 ratio",
            "max ms, flood",
        ]);
        for flood in &self.key_floods {
            table.row(vec![
                flood.scenario.label().to_owned(),
                integer(flood.requests as f64),
                seconds(flood.took),
                flood.fetches.to_string(),
                micros(flood.idle.p50),
                micros(flood.idle.p99),
                micros(flood.during.p50),
                micros(flood.during.p99),
                format!("{:.2}", flood.p99_ratio),
                millis(flood.during.max),
            ]);
        }
        table
    }

    /// Writes the machine and the versions of the engines.
    fn write_environment(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut environment = vec![machine::describe()];
        environment.extend(self.versions.iter().cloned());
        // Redis is measured with two settings.
        environment.dedup();
        write!(f, "{}. ", environment.join("; "))
    }

    /// Writes the tables of all measurements other than `end_all`.
    fn write_stores(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Args { measure_for, rounds, entries, .. } = &self.args;
        writeln!(f, "Medians of {rounds} round(s) of {} s each.\n", measure_for.as_secs())?;
        writeln!(f, "{}", self.rates_table())?;
        let purged = self.stores.iter().map(|store| store.purge.purged).max().unwrap_or_default();
        let (entries, purged) = (integer(*entries as f64), integer(purged as f64));
        write!(f, "A log of {entries} entries; advances of 8 clients, ")?;
        writeln!(f, "alone and during a purge of {purged} entries.\n")?;
        writeln!(f, "{}", self.stores_table())?;
        let Some(MemoryUse { store, list }) = self.memory_use else { return Ok(()) };
        let (store, list) = (memory(store), memory(list));
        write!(f, "Memory of a node, in bytes per revoked session: {list} in the list, ")?;
        writeln!(f, "{store} in the memory store.")
    }

    fn write_catch_up(&self, f: &mut fmt::Formatter<'_>, entries: usize) -> fmt::Result {
        let (entries, rounds) = (integer(entries as f64), self.args.rounds);
        writeln!(f, "A log of {entries} entries; {rounds} round(s).\n")?;
        writeln!(f, "{}", self.catch_up_table())
    }

    fn write_end_all(&self, f: &mut fmt::Formatter<'_>, sessions: usize) -> fmt::Result {
        let (sessions, rounds) = (integer(sessions as f64), self.args.rounds);
        writeln!(f, "{sessions} sessions of one subject; medians of {rounds} round(s).\n")?;
        writeln!(f, "{}", self.end_all_table())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_environment(f)?;
        match &self.args {
            Args { key_flood: Some(_), .. } => writeln!(f, "\n\n{}", self.key_flood_table())?,
            Args { end_all: Some(sessions), .. } => self.write_end_all(f, *sessions)?,
            Args { catch_up: Some(entries), .. } => self.write_catch_up(f, *entries)?,
            _ => self.write_stores(f)?,
        }
        for skipped in &self.skipped {
            writeln!(f, "\nSkipped: {skipped}.")?;
        }
        Ok(())
    }
}

fn memory(bytes: BytesPerEntry) -> String {
    let resident = or_dash(bytes.resident, |resident| resident.to_string());
    format!("{} allocated ({resident} resident)", bytes.allocated)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn micros(duration: Duration) -> String {
    integer(duration.as_secs_f64() * 1e6)
}

fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e3)
}

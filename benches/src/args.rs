use std::time::Duration;

use crate::engine::EngineKind;

pub(crate) const HELP: &str = "\
Measures each store beside its engine alone, on servers that the run starts.
Prints a report in Markdown on standard output, and progress on standard error.

  --seconds N      seconds per measurement of a rate (default 2)
  --rounds N       rounds; the report has their medians (default 3)
  --entries N      entries of the revocation log (default 1000000)
  --end-all N      measures only `Sessions::end_all`, of N sessions of one subject a round
  --catch-up N     measures only how a new node reads a log of N entries, and advances meanwhile
  --key-flood N    measures only honest requests during floods of N tokens with made-up key ids and issuers
  --only STORE     memory, sqlite, postgres or redis; may be repeated (default: all)
  --help           prints this text
";

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    /// The duration of one measurement of a rate.
    pub(crate) measure_for: Duration,
    pub(crate) rounds: usize,
    /// The entries of the revocation log.
    pub(crate) entries: usize,
    /// The sessions of one subject that are ended. If it is set, only this is measured.
    pub(crate) end_all: Option<usize>,
    /// The entries of the log that new nodes read. If it is set, only this is measured.
    pub(crate) catch_up: Option<usize>,
    /// The made-up tokens of a flood. If it is set, only this is measured.
    pub(crate) key_flood: Option<usize>,
    only: Vec<String>,
}

/// The action that the command line selects.
#[derive(Debug)]
pub(crate) enum Action {
    Run(Args),
    Help,
}

impl Args {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Action, String> {
        let mut args = Self {
            measure_for: Duration::from_secs(2),
            rounds: 3,
            entries: 1_000_000,
            end_all: None,
            catch_up: None,
            key_flood: None,
            only: Vec::new(),
        };
        while let Some(option) = words.next() {
            if option == "--help" {
                return Ok(Action::Help);
            }
            let value =
                words.next().ok_or_else(|| format!("{option} needs a value; see --help"))?;
            let number = || match value.parse::<usize>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("{option} needs a number above 0, not {value:?}")),
            };
            match option.as_str() {
                "--seconds" => args.measure_for = Duration::from_secs(number()? as u64),
                "--rounds" => args.rounds = number()?,
                "--end-all" => args.end_all = Some(number()?),
                "--catch-up" => args.catch_up = Some(number()?),
                "--key-flood" => args.key_flood = Some(number()?),
                "--entries" => args.entries = number()?,
                "--only" if EngineKind::ALL.iter().any(|kind| kind.option_value() == value) => {
                    args.only.push(value);
                }
                "--only" => return Err(format!("unknown store {value:?}; see --help")),
                _ => return Err(format!("unknown option {option:?}; see --help")),
            }
        }
        Ok(Action::Run(args))
    }

    /// Returns whether the engine is to be measured.
    pub(crate) fn includes(&self, kind: EngineKind) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == kind.option_value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Action, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_limit_a_run() {
        let Ok(Action::Run(args)) = parse("--seconds 1 --entries 1000 --only redis --rounds 5")
        else {
            panic!("the options are not a run")
        };
        assert_eq!((args.measure_for.as_secs(), args.entries, args.rounds), (1, 1000, 5));
        assert_eq!(args.end_all, None);
        assert!(args.includes(EngineKind::RedisAlways) && !args.includes(EngineKind::Postgres));
        let Ok(Action::Run(all)) = parse("") else { panic!("no options are not a run") };
        assert!(EngineKind::ALL.into_iter().all(|kind| all.includes(kind)));
    }

    #[test]
    fn end_all_takes_the_number_of_sessions() {
        let Ok(Action::Run(args)) = parse("--end-all 20000") else {
            panic!("the options are not a run")
        };
        assert_eq!(args.end_all, Some(20_000));
        assert!(parse("--end-all 0").is_err());
    }

    #[test]
    fn catch_up_takes_the_number_of_entries() {
        let Ok(Action::Run(args)) = parse("--catch-up 20000") else {
            panic!("the options are not a run")
        };
        assert_eq!((args.catch_up, args.end_all), (Some(20_000), None));
        assert!(parse("--catch-up 0").is_err());
    }

    #[test]
    fn key_flood_takes_the_number_of_tokens() {
        let Ok(Action::Run(args)) = parse("--key-flood 100000") else {
            panic!("the options are not a run")
        };
        assert_eq!((args.key_flood, args.end_all), (Some(100_000), None));
    }

    #[test]
    fn invalid_options_are_rejected() {
        for line in ["--entries", "--entries 0", "--entries x", "--only mysql", "--fast 1"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(matches!(parse("--only redis --help"), Ok(Action::Help)));
    }
}

use std::path::PathBuf;

use tower_jwt_auth::Algorithm;

use crate::keys::ALGORITHMS;

pub(crate) const HELP: &str = "\
Measures the check of an access token, beside other middleware and the bare signature check.
Prints a report in Markdown on standard output, and progress on standard error.

  --only PART        table, threads, http, flood or list; may be repeated (default: all)
  --algorithm NAME   HS256, RS256, ES256, EdDSA or ML-DSA-44, for the table; may be repeated (default: all)
  --rounds N         rounds; the report has their medians (default 15)
  --quick            few rounds, small lists, no rotation of 1,000,000 tokens: to see that it works
  --svg PATH         writes a plot of the table to this file
  --help             prints this text
";

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Table,
    Threads,
    Http,
    Flood,
    List,
}

impl Part {
    const ALL: [(&str, Self); 5] = [
        ("table", Self::Table),
        ("threads", Self::Threads),
        ("http", Self::Http),
        ("flood", Self::Flood),
        ("list", Self::List),
    ];
}

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) rounds: usize,
    pub(crate) is_quick: bool,
    pub(crate) svg: Option<PathBuf>,
    parts: Vec<Part>,
    algorithms: Vec<Algorithm>,
}

/// The action that the command line selects.
#[derive(Debug)]
pub(crate) enum Action {
    Run(Args),
    Help,
    /// Runs each candidate once, under callgrind.
    CountInstructions(Args),
}

/// Makes the run one under callgrind. Only the benchmark itself passes it.
pub(crate) const CALLGRIND_OPTION: &str = "--under-callgrind";

impl Args {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Action, String> {
        let mut args = Self {
            rounds: 15,
            is_quick: false,
            svg: None,
            parts: Vec::new(),
            algorithms: Vec::new(),
        };
        let mut counts_instructions = false;
        while let Some(option) = words.next() {
            match option.as_str() {
                "--help" => return Ok(Action::Help),
                "--quick" => {
                    args.is_quick = true;
                    args.rounds = args.rounds.min(3);
                    continue;
                }
                CALLGRIND_OPTION => {
                    counts_instructions = true;
                    continue;
                }
                _ => {}
            }
            let value =
                words.next().ok_or_else(|| format!("{option} needs a value; see --help"))?;
            match option.as_str() {
                "--rounds" => match value.parse() {
                    Ok(rounds) if rounds > 0 => args.rounds = rounds,
                    _ => return Err(format!("--rounds needs a number above 0, not {value:?}")),
                },
                "--svg" => args.svg = Some(value.into()),
                "--only" => match Part::ALL.iter().find(|(name, _)| *name == value) {
                    Some((_, part)) => args.parts.push(*part),
                    None => return Err(format!("unknown part {value:?}; see --help")),
                },
                "--algorithm" => match ALGORITHMS.iter().find(|known| known.as_str() == value) {
                    Some(algorithm) => args.algorithms.push(*algorithm),
                    None => return Err(format!("unknown algorithm {value:?}; see --help")),
                },
                _ => return Err(format!("unknown option {option:?}; see --help")),
            }
        }
        Ok(match counts_instructions {
            true => Action::CountInstructions(args),
            false => Action::Run(args),
        })
    }

    /// Returns whether the part is to be measured.
    pub(crate) fn includes(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Returns the algorithms of the table.
    pub(crate) fn algorithms(&self) -> &[Algorithm] {
        if self.algorithms.is_empty() { &ALGORITHMS } else { &self.algorithms }
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
        let Ok(Action::Run(args)) = parse("--only list --only http --algorithm ES256 --rounds 5")
        else {
            panic!("the options are not a run")
        };
        assert!(args.includes(Part::List) && args.includes(Part::Http));
        assert!(!args.includes(Part::Table));
        assert_eq!((args.algorithms(), args.rounds), (&[Algorithm::ES256][..], 5));
        let Ok(Action::Run(all)) = parse("") else { panic!("no options are not a run") };
        assert!(Part::ALL.iter().all(|(_, part)| all.includes(*part)));
        assert_eq!(all.algorithms(), ALGORITHMS);
    }

    #[test]
    fn invalid_options_are_rejected() {
        for line in ["--rounds", "--rounds 0", "--only jwt", "--algorithm none", "--fast 1"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(matches!(parse("--quick --help"), Ok(Action::Help)));
    }
}

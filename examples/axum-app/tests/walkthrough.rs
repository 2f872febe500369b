//! Runs the walk-through of this example's README against the real binary, and compares the output.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "shared with the other tests")]
#[path = "app/server.rs"]
mod server;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use server::Server;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
/// The line after the output of each command.
const MARK: &str = "--- end of a command ---";

/// A command with its output in the README.
struct Step {
    command: String,
    expected: String,
}

/// Returns the steps in the fenced `console` blocks between the two comments.
fn steps(readme: &str) -> Vec<Step> {
    let start = readme.split_once("<!-- walkthrough -->\n").expect("a walkthrough begins").1;
    let text = start.split_once("<!-- /walkthrough -->").expect("the walkthrough ends").0;
    let mut steps: Vec<Step> = Vec::new();
    let (mut is_inside, mut goes_on) = (false, false);
    for line in text.lines() {
        match (is_inside, line) {
            (false, _) => is_inside = line == "```console",
            (true, "```") => is_inside = false,
            (true, _) if goes_on => {
                let step = steps.last_mut().unwrap();
                step.command.push('\n');
                step.command.push_str(line);
                goes_on = line.ends_with('\\');
            }
            (true, _) => match line.strip_prefix("$ ") {
                Some(command) => {
                    steps.push(Step { command: command.to_owned(), expected: String::new() });
                    goes_on = line.ends_with('\\');
                }
                None => {
                    let step = steps.last_mut().expect("a command comes before its output");
                    step.expected.push_str(line);
                    step.expected.push('\n');
                }
            },
        }
    }
    steps
}

/// Runs the commands one after the other in one shell, and returns the output of each.
fn run(steps: &[Step], address: &str, directory: &Path) -> Vec<String> {
    let mut script = "exec 2>&1\n".to_owned();
    for step in steps {
        let command = step.command.replace("http://localhost:3000", address);
        script.push_str(&format!("{command}\nprintf '\\n%s\\n' '{MARK}'\n"));
    }
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", &script])
        .current_dir(directory)
        // Without a .curlrc and a proxy, which are not part of the walkthrough.
        .env("HOME", directory)
        .env("no_proxy", "*")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    output.split(&format!("\n{MARK}\n")).map(str::to_owned).collect()
}

/// Replaces everything that differs from run to run.
fn normalize(output: &str) -> String {
    let output = output.replace('\r', "").replace(r#""address":"::1""#, r#""address":"127.0.0.1""#);
    let mut normal = String::new();
    for line in output.trim().lines() {
        let line = line.trim_end();
        if line.to_ascii_lowercase().starts_with("date: ") {
            normal.push_str("date: DATE\n");
            continue;
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let mut rest = line;
        while !rest.is_empty() {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let word = replacement(&normal, word).unwrap_or(word);
            normal.push_str(word);
            let next = after.find(is_word).unwrap_or(after.len());
            normal.push_str(&after[..next]);
            rest = &after[next..];
        }
        normal.push('\n');
    }
    normal
}

/// Returns the replacement of a word, if it varies. `before` is the text before it.
fn replacement(before: &str, word: &str) -> Option<&'static str> {
    let follows = |texts: &[&str]| texts.iter().any(|text| before.ends_with(text));
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    if word.starts_with("eyJ") && word.matches('.').count() >= 2 {
        Some("TOKEN")
    } else if word.len() == 22 && follows(&[r#""id":""#, r#""session_id":""#]) {
        Some("ID")
    } else if follows(&[r#""kid":""#, r#""x":""#]) {
        Some("KEY")
    } else if is_number && word.len() == 10 {
        Some("TIME")
    } else if is_number && follows(&["Max-Age=", "localhost:", "127.0.0.1:"]) {
        Some("NUMBER")
    } else if follows(&["curl/"]) {
        Some("VERSION")
    } else {
        None
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn the_walkthrough_of_the_readme_shows_the_actual_output() {
    for program in ["bash", "curl"] {
        if !is_installed(program) {
            assert!(env::var_os("CI").is_none(), "the walkthrough needs {program}");
            // Not `eprintln!`, which the test harness captures if the test passes.
            let text = format!("\n*** SKIPPED: the walkthrough needs {program} ***\n\n");
            io::stderr().write_all(text.as_bytes()).unwrap();
            return;
        }
    }
    let steps = steps(&fs::read_to_string(README).expect("the example has a README.md"));
    assert!(!steps.is_empty(), "the walkthrough has no commands");
    // By name, as in the README: cookies belong to a host.
    let server = Server::start(&[("BIND", "localhost:0"), ("GRACE", "1")]);
    let name = format!("walkthrough-{}", std::process::id());
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    let outputs = run(&steps, server.address(), &directory);
    fs::remove_dir_all(&directory).unwrap();
    for (step, output) in steps.iter().zip(&outputs) {
        let (expected, shown) = (normalize(&step.expected), normalize(output));
        assert!(
            shown == expected,
            "\n$ {}\nshould print\n{expected}but prints\n{shown}or exactly:\n{output}\n",
            step.command
        );
    }
    assert_eq!(outputs.len(), steps.len() + 1, "the shell ended before the walkthrough did");
}

#[test]
fn normalize_replaces_the_parts_that_vary_and_no_others() {
    let one = r#"{"id":"_-3456789012345678901w","at":1700000000,"n":300,"t":"eyJh.eyJi.c-_"}"#;
    assert_eq!(normalize(one), "{\"id\":\"ID\",\"at\":TIME,\"n\":300,\"t\":\"TOKEN\"}\n");
    assert_eq!(
        normalize("date: today\r\nÄ  401 at localhost:3000"),
        "date: DATE\nÄ  401 at localhost:NUMBER\n"
    );
    assert_eq!(normalize("\n\n"), "");
}

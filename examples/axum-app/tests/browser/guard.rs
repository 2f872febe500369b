use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::server::Server;

/// Kills a server at the end of the test process, however that ends. Drop it before the server.
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn of(server: &Server) -> Self {
        // The pipe ends with the process that has its other end.
        let script = format!("read -r _; kill -KILL {}", server.pid());
        let mut command = Command::new("sh");
        // In a group of its own: Ctrl-C and test runners kill the group of the tests.
        command.args(["-c", &script]).process_group(0).stdin(Stdio::piped());
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

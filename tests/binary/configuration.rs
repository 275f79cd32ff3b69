//! What the program refuses to start with.

use crate::program::{Folder, Program, account};

#[test]
fn every_fault_of_flags_environment_and_file_is_told_at_once() {
    let folder = Folder::new();
    std::fs::write(folder.file(".env"), "NEXTCLOUD_USERNAME=alice\nLOG_LEVEL=loud\n").expect("a file");
    let env = [("NEXTCLOUD_HOST", "cloud"), ("MCP_CONNECTIONS_MAX", "1"), ("MCP_AUTH_TOKEN", "planted")];
    let ended = Program::spawn(folder, &["--port", "70000", "--prot"], &env).ended();
    assert_eq!((ended.status, ended.output.as_str()), (Some(78), ""));
    for key in ["--prot", "MCP_PORT", "LOG_LEVEL", "MCP_CONNECTIONS_MAX", "NEXTCLOUD_HOST", "MCP_AUTH_TOKEN"]
    {
        let told = ended.log.lines().filter(|line| line.starts_with(key)).count();
        assert_eq!(told, 1, "{key} in:\n{}", ended.log);
    }
    assert!(!ended.log.contains("planted"), "{}", ended.log);
}

#[test]
fn without_a_token_only_loopback_is_listened_on() {
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let args = ["--host", host, "--port", "0"];
        let ended = Program::spawn(Folder::new(), &args, &account("http://127.0.0.1:9")).ended();
        assert_eq!(ended.status, Some(78), "{host}");
        assert!(ended.log.contains("MCP_AUTH_TOKEN"), "{host}: {}", ended.log);
    }
    let token = ("MCP_AUTH_TOKEN", "0123456789abcdef");
    let mut program = Program::serve("http://127.0.0.1:9", &["--host", "0.0.0.0"], &[token]);
    assert!(program.address().starts_with("0.0.0.0:"));
}

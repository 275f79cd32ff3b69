//! The protected-resource metadata (RFC 9728).

use serde_json::json;

use crate::program::Program;
use crate::provider::Provider;
use crate::site::Site;
use crate::wire::{nextcloud_with_a_note, read_answer, send};

const PATHS: [&str; 2] =
    ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"];

#[test]
fn both_paths_have_the_document_for_pages_of_any_origin() {
    let provider = Provider::new();
    let running = Site::new(&provider).ready();
    for path in PATHS {
        let answer = running.get(path);
        assert_eq!(answer.status, 200, "{}", answer.whole);
        assert_eq!(answer.whole.matches("Access-Control-Allow-Origin: *\r\n").count(), 1, "{}", answer.whole);
        assert_eq!(
            answer.json(),
            json!({
                "resource": "http://localhost:8000/mcp",
                "authorization_servers": ["http://localhost:8000", provider.url()],
                "scopes_supported": ["notes:read", "notes:write", "files:read", "files:write"],
                "bearer_methods_supported": ["header"],
                "resource_name": "Nextcloud MCP",
            })
        );
    }
    running.stopped();
}

#[test]
fn basic_mode_has_none() {
    let nextcloud = nextcloud_with_a_note();
    let mut program = Program::serve(nextcloud.url(), &[], &[]);
    let address = program.address();
    for path in PATHS {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        assert_eq!(read_answer(send(&address, &request)).status, 404, "{path}");
    }
}

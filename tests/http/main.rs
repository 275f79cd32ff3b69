//! The listener, seen from outside: bytes over real sockets on the loopback interface.

mod wire;

use wire::{Client, Echo, quick, serve};

#[test]
fn keep_alive_serves_one_request_after_the_other() {
    let server = serve(quick(), Echo);
    let mut client = Client::connect(&server);
    for n in 0..3 {
        let body = format!("body {n}");
        client.send(&format!(
            "POST /p?q={n} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (200, format!("POST /p?q={n}\nbody {n}")));
    }
    server.stop();
}

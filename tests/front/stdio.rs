//! One client on standard input and output.

use std::io::{self, BufRead, BufReader, PipeWriter, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nextcloud_mcp_server::server::Server;
use nextcloud_mcp_server::tool::Scopes;
use nextcloud_mcp_server::transport::stdio;
use serde_json::{Value, json};

use crate::client::{modern, request};
use crate::hold::{self, Left, Room};
use crate::house;
use crate::site::LONG;

struct Client {
    input: PipeWriter,
    output: Receiver<Value>,
    serving: JoinHandle<io::Result<()>>,
}

impl Client {
    fn of(server: Arc<Server>) -> Client {
        let (reader, input) = io::pipe().expect("a pipe");
        let (sender, output) = channel();
        let serving = std::thread::spawn(move || {
            stdio::serve(
                &server,
                &house::caller(Scopes::Unrestricted),
                BufReader::new(reader),
                Output(sender),
            )
        });
        Client { input, output, serving }
    }

    fn new() -> Client {
        Client::of(house::server_of(
            &[&house::APP, &hold::APP],
            house::unreachable(),
            nextcloud_mcp_server::gate::Gate::new(64, 64, LONG),
        ))
    }

    fn say(&mut self, line: &[u8]) {
        self.input.write_all(line).expect("the server reads");
    }

    fn ask(&mut self, id: impl Into<Value>, mut request: Value) {
        request["id"] = id.into();
        self.say(format!("{request}\n").as_bytes());
    }

    fn call(&mut self, id: impl Into<Value>, params: Value) {
        self.ask(id, request("tools/call", params));
    }

    fn cancel(&mut self, id: impl Into<Value>) {
        let params = json!({"requestId": id.into(), "reason": "no longer wanted"});
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
        self.say(format!("{cancelled}\n").as_bytes());
    }

    fn hear(&self) -> Value {
        self.output.recv_timeout(LONG).expect("a message")
    }

    /// Ends the input; gives what is said until the server has ended.
    fn end(self) -> Vec<Value> {
        drop(self.input);
        self.serving.join().expect("no panic").expect("no failure");
        self.output.iter().collect()
    }
}

/// Takes one message a line, each written whole.
struct Output(Sender<Value>);

impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let message = line.strip_suffix(b"\n").expect("a whole line");
        assert!(!message.contains(&b'\n'));
        let message = serde_json::from_slice(message).expect("JSON");
        self.0.send(message).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ping() -> Value {
    request("ping", json!({}))
}

fn pong(id: impl Into<Value>) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "result": {}})
}

#[test]
fn requests_run_side_by_side_and_each_is_answered_under_its_id() {
    let mut client = Client::new();
    let (first, second) = (Room::new(), Room::new());
    client.call(1, first.params(0));
    client.call("1", second.params(0));
    client.ask(0, ping());
    assert_eq!(client.hear(), pong(0));
    second.release();
    assert_eq!(client.hear()["id"], "1");
    first.release();
    assert_eq!(client.hear()["id"], 1);
    assert_eq!(client.end(), [] as [Value; 0]);
}

#[test]
fn a_cancelled_call_stops_and_nothing_is_said_of_it() {
    for token in [None, Some("t")] {
        let mut client = Client::new();
        let room = Room::new();
        let mut params = room.params(0);
        if let Some(token) = token {
            params["_meta"] = json!({"progressToken": token});
        }
        client.call(7, params);
        room.wait_entered();
        client.cancel("7");
        client.cancel(8);
        client.ask(9, ping());
        assert_eq!(client.hear(), pong(9), "cancelling what is not there is no matter");
        client.cancel(7);
        assert_eq!(room.left(), Left::Cancelled);
        assert_eq!(client.end(), [] as [Value; 0]);
    }
}

#[test]
fn a_cancellation_is_heard_while_all_places_are_taken_and_others_wait() {
    let mut client = Client::new();
    let rooms: Vec<Room> = (0..18).map(|_| Room::new()).collect();
    for (id, room) in rooms.iter().take(16).enumerate() {
        client.call(id, room.params(0));
        room.wait_entered();
    }
    client.call(16, rooms[16].params(0));
    client.call(17, rooms[17].params(0));
    client.cancel(16);
    client.cancel(3);
    assert_eq!(rooms[3].left(), Left::Cancelled);
    // The place that is free now goes past the cancelled one to the next.
    rooms[17].wait_entered();
    rooms.iter().enumerate().filter(|(id, _)| ![3, 16].contains(id)).for_each(|(_, room)| room.release());
    let mut ids: Vec<u64> = client.end().iter().map(|answer| answer["id"].as_u64().expect("an id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17]);
    assert!(!rooms[16].is_entered(), "what is cancelled while it waits is never begun");
}

#[test]
fn more_than_may_wait_is_answered_in_time() {
    let mut client = Client::new();
    let rooms: Vec<Room> = (0..16).map(|_| Room::new()).collect();
    for (id, room) in rooms.iter().enumerate() {
        client.call(id, room.params(0));
        room.wait_entered();
    }
    let mut input = client.input.try_clone().expect("a second handle");
    let flood = std::thread::spawn(move || {
        for id in 16..1_016 {
            let mut ping = ping();
            ping["id"] = id.into();
            input.write_all(format!("{ping}\n").as_bytes()).expect("the server reads");
        }
    });
    rooms.iter().for_each(Room::release);
    flood.join().expect("all sent");
    assert_eq!(client.end().len(), 1_016);
}

#[test]
fn what_is_no_message_is_answered_without_an_id_and_the_next_line_is_served() {
    let mut client = Client::new();
    for (line, code) in [
        (&b"{\"jsonrpc\"\n"[..], -32_700),
        (b"\xff\xfe\n", -32_700),
        (b"\"text\"\n", -32_600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}\n", -32_600),
    ] {
        client.say(line);
        let answer = client.hear();
        assert_eq!((&answer["error"]["code"], answer.get("id")), (&json!(code), None), "{answer}");
    }
    client.ask(1, ping());
    assert_eq!(client.hear(), pong(1));
}

#[test]
fn blank_lines_and_notifications_are_passed_over() {
    let mut client = Client::new();
    client.say(b"\n  \t \n\r\n");
    client.say(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\r\n");
    client.say(format!("{}\r\n", ping()).as_bytes());
    assert_eq!(client.hear(), pong(1));
    assert_eq!(client.end(), [] as [Value; 0]);
}

#[test]
fn the_last_line_needs_no_line_feed() {
    let mut client = Client::new();
    client.say(ping().to_string().as_bytes());
    assert_eq!(client.end(), [pong(1)]);
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_next_one_served() {
    const LINE_BYTES_MAX: usize = 16 << 20;
    let mut client = Client::new();
    let at_limit = format!("{}{}\n", ping(), " ".repeat(LINE_BYTES_MAX - ping().to_string().len()));
    client.say(at_limit.as_bytes());
    assert_eq!(client.hear(), pong(1));
    client.say(b" ");
    client.say(at_limit.as_bytes());
    let answer = client.hear();
    assert_eq!((&answer["error"]["code"], answer.get("id")), (&json!(-32_600), None), "{answer}");
    client.ask(2, ping());
    assert_eq!(client.hear(), pong(2));
}

#[test]
fn requests_that_run_when_the_input_ends_are_finished() {
    let mut client = Client::new();
    let room = Room::new();
    client.call(1, room.params(0));
    room.wait_entered();
    let Client { input, output, serving } = client;
    drop(input);
    room.release();
    serving.join().expect("no panic").expect("no failure");
    let answers: Vec<Value> = output.iter().collect();
    assert_eq!(answers.len(), 1);
    assert_eq!((&answers[0]["id"], room.left()), (&json!(1), Left::Released));
}

#[test]
fn both_eras_are_served_on_one_stream() {
    let mut client = Client::of(house::server(house::open_gate()));
    let open = request("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}}));
    for (request, pointer, value) in [
        (modern("server/discover", json!({})), "/result/supportedVersions/0", json!("2026-07-28")),
        (open, "/result/protocolVersion", json!("2025-11-25")),
        (modern("ping", json!({})), "/error/code", json!(-32_601)),
        (ping(), "/result", json!({})),
        (modern("tools/list", json!({})), "/result/resultType", json!("complete")),
        (request("server/discover", json!({})), "/error/code", json!(-32_601)),
        (modern("prompts/list", json!({})), "/result/prompts", json!([])),
    ] {
        client.ask("x", request);
        let answer = client.hear();
        assert_eq!((&answer["id"], answer.pointer(pointer)), (&json!("x"), Some(&value)), "{answer}");
    }
}

#[test]
fn progress_comes_before_the_result() {
    let mut client = Client::new();
    for era in [modern, request] {
        client.ask(1, era("tools/call", json!({"name": "test_progress", "_meta": {"progressToken": 5}})));
        for step in [0, 50, 100] {
            let message = client.hear();
            assert_eq!(message["method"], "notifications/progress");
            assert_eq!(
                (&message["params"]["progressToken"], &message["params"]["progress"]),
                (&json!(5), &json!(step))
            );
        }
        let answer = client.hear();
        assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(1), &json!("done")));
    }
    client.ask(2, request("tools/call", json!({"name": "test_progress"})));
    assert_eq!(client.hear()["id"], 2, "without a token there is only the answer");
}

/// Input or output that is broken.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl BufRead for Broken {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Err(io::ErrorKind::TimedOut.into())
    }

    fn consume(&mut self, _: usize) {}
}

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn input_that_fails_is_told_and_output_that_is_closed_is_not() {
    let (server, caller) = (house::server(house::open_gate()), house::caller(Scopes::Unrestricted));
    let failed = stdio::serve(&server, &caller, Broken, Broken).map_err(|error| error.kind());
    assert_eq!(failed, Err(io::ErrorKind::TimedOut));
    let lines = format!("{}\n{}\n", ping(), ping());
    assert!(stdio::serve(&server, &caller, lines.as_bytes(), Broken).is_ok());
}

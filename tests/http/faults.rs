//! What one client can do to the others, or to the process.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use nextcloud_mcp_server::http::{Limits, Response};

use crate::wire::{Client, PATIENCE, Site, eventually, is_served, patient, serve};

#[test]
fn f1_a_huge_content_length_costs_nothing() {
    let site = Site::echo().admit(|head| match head.path() {
        "/closed" => Err(Response::empty(401)),
        _ => Ok(()),
    });
    let server = serve(patient(), site);
    for length in ["60000000000", "1000000000000", "9223372036854775807", "9223372036854775808", "1e23"]
        .map(|length| length.replace("1e23", "100000000000000000000000"))
    {
        for (path, expected) in [("/", 413), ("/closed", 401)] {
            let mut client = Client::connect(&server);
            client.send(&format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\nabc"));
            assert_eq!(client.last_answer().status, expected, "{length}");
        }
    }
    assert!(is_served(&server));
}

#[test]
fn f2_http_2_is_refused_and_leaves_nothing_behind() {
    let server = serve(patient(), Site::echo());
    for head in ["GET / HTTP/2.0\r\nHost: h\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut clients: Vec<Client> = (0..15).map(|_| Client::connect(&server)).collect();
        for client in &mut clients {
            client.send(head);
        }
        for client in &mut clients {
            assert_eq!(client.last_answer().status, 505);
        }
        eventually("all connections ended, with their clients still there", || server.connections() == 0);
    }
}

/// Serves in a process of its own until its standard input ends; started by `f3_…`.
#[test]
#[ignore = "not a test: the other process of f3"]
fn server_in_a_process_of_its_own() {
    let server = serve(patient(), Site::echo());
    println!("\nport={}", server.local_addr().expect("TCP").port());
    let _ = std::io::stdin().read_line(&mut String::new());
    server.stop();
    println!("\nstopped");
}

#[test]
fn f3_running_out_of_descriptors_delays_connections_and_nothing_else() {
    let this = std::env::current_exe().expect("the test program");
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
        .arg(this)
        .args(["--exact", "faults::server_in_a_process_of_its_own", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.strip_prefix("port=")?.parse().ok()).expect("its port");
    let address = SocketAddr::from(([127, 0, 0, 1], port));

    let mut clients: Vec<Client> = (0..60).map(|_| Client::connect_to(address)).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    let mut starved = clients.split_off(40);
    for client in &starved {
        client.stream.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout");
        assert!(
            client.stream.peek(&mut [0]).is_err(),
            "40 descriptors cannot serve more than 40 connections"
        );
    }
    drop(clients);
    for client in &mut starved {
        client.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        assert_eq!(client.answer().status, 200);
    }
    let mut late = Client::connect_to(address);
    late.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(late.answer().status, 200);

    writeln!(child.stdin.take().expect("its input")).expect("the child reads");
    assert!(lines.any(|line| line == "stopped"));
    assert!(child.wait().expect("its end").success());
}

#[test]
fn w1_no_connection_of_a_burst_starves() {
    let server = serve(Limits::default(), Site::echo());
    let mut clients: Vec<Client> = (0..200).map(|_| Client::connect(&server)).collect();
    for round in 0..3 {
        for client in &mut clients {
            client.send(&format!("GET /{round} HTTP/1.1\r\nHost: h\r\n\r\n"));
        }
        for client in &mut clients {
            assert_eq!(client.answer().text(), format!("GET /{round}\n"));
        }
    }
    assert_eq!(server.connections(), 200);
}

#[test]
fn w2_slow_bodies_hold_nobody_up_and_end_at_their_deadline() {
    let server = serve(Limits { body_ms: 100, ..patient() }, Site::echo());
    let mut slow: Vec<Client> = (0..20).map(|_| Client::connect(&server)).collect();
    for client in &mut slow {
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nabc");
    }
    assert!(is_served(&server));
    for client in &mut slow {
        assert_eq!(client.last_answer().status, 408);
    }
    eventually("slow bodies are gone", || server.connections() == 0);
}

#[test]
fn w3_a_body_that_is_refused_is_not_waited_for() {
    let site = Site::echo().admit(|head| match head.path() {
        "/alive" => Ok(()),
        _ => Err(Response::empty(413)),
    });
    let server = serve(patient(), site);
    let mut early: Vec<Client> = (0..20).map(|_| Client::connect(&server)).collect();
    for client in &mut early {
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    }
    assert!(is_served(&server));
    for client in &mut early {
        assert_eq!(client.last_answer().status, 413);
    }
    eventually("refused connections are gone", || server.connections() == 0);
}

#[test]
fn w4_clients_that_do_not_read_are_cut_at_the_write_deadline() {
    let site = Site::new(|request| match request.head.path() {
        "/large" => Response::new(200, "text/plain", vec![b'a'; 20_000_000]),
        _ => Response::empty(200),
    });
    let server = serve(Limits { write_ms: 100, ..patient() }, site);
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(&server)).collect();
    for client in &mut clients {
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    assert!(is_served(&server));
    eventually("clients that do not read are gone", || server.connections() == 0);
}

#[test]
fn w5_an_upgrade_that_is_not_offered_is_ignored() {
    let server = serve(patient(), Site::echo());
    let mut client = Client::connect(&server);
    for _ in 0..2 {
        client.send("POST /u HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(client.answer().text(), "POST /u\nabc");
    }
}

#[test]
fn w6_a_panic_is_answered_with_500_and_ends_that_connection_only() {
    let site = Site::new(|request| match request.head.path() {
        "/panic" => panic!("on purpose"),
        _ => Response::empty(200),
    })
    .admit(|head| match head.path() {
        "/admit" => panic!("on purpose"),
        _ => Ok(()),
    });
    let server = serve(patient(), site);
    let mut other = Client::connect(&server);
    for path in ["/panic", "/admit"] {
        let mut client = Client::connect(&server);
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(client.last_answer().status, 500);
        other.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(other.answer().status, 200);
    }
}

#[test]
fn w7_slow_heads_end_at_their_deadline_however_they_trickle() {
    let server = serve(Limits { head_ms: 300, ..patient() }, Site::echo());
    let mut slow: Vec<Client> = (0..50).map(|_| Client::connect(&server)).collect();
    for client in &mut slow {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n");
    }
    let start = Instant::now();
    let mut trickle = Client::connect(&server);
    while server.connections() > 0 {
        assert!(start.elapsed() < PATIENCE, "a byte now and then prolongs the deadline");
        let _ = trickle.stream.write(b"a");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(slow[0].last_answer().status, 408);
    assert!(is_served(&server));
}

#[test]
fn w8_heads_without_end_are_refused_early() {
    let server = serve(patient(), Site::echo());
    for start in ["GET / HTTP/1.1\r\nHost: h\r\nX: ", "GET /", "POST", "GET / HTTP/1.1\r\nHost: h\r\n"] {
        let mut client = Client::connect(&server);
        client.send(start);
        let piece = if start.ends_with("\r\n") { "A: b\r\n" } else { "a" };
        let sent = client.flood(piece, 64 << 20);
        assert_eq!(client.answer().status, 431);
        assert!(sent.join().expect("no panic") < 32 << 20, "the server took it all");
    }
    let mut client = Client::connect(&server);
    client.send(&format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(64)));
    assert_eq!(client.last_answer().status, 431);
}

#[test]
fn w8_bodies_without_end_are_refused_early() {
    let server = serve(patient(), Site::echo());
    for (start, piece, expected) in [
        ("", "0", 400),
        ("1;", "e", 400),
        ("", "fff\r\n", 400),
        ("", &format!("1000\r\n{}\r\n", "a".repeat(0x1000)), 413),
        ("0\r\n", "A: b\r\n", 431),
    ] {
        let mut client = Client::connect(&server);
        client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{start}"));
        let sent = client.flood(piece, 64 << 20);
        assert_eq!(client.answer().status, expected, "{start:?} {:?}", &piece[..piece.len().min(9)]);
        assert!(sent.join().expect("no panic") < 32 << 20, "the server took it all");
    }
}

#[test]
fn w8_answers_that_are_not_read_stop_the_requests() {
    let handled = Arc::new(AtomicUsize::new(0));
    let count = handled.clone();
    let site = Site::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Response::new(200, "text/plain", vec![b'a'; 65_536])
    });
    let server = serve(Limits { write_ms: 100, ..patient() }, site);
    let client = Client::connect(&server);
    let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let sent = client.flood(request, 64 << 20).join().expect("no panic");
    assert!(sent < 32 << 20, "the server took it all");
    assert!(handled.load(Ordering::Relaxed) < 2_000, "the server went on without being read");
    eventually("the client is cut", || server.connections() == 0);
}

#[test]
fn w14_a_client_gone_does_no_harm_to_the_request_it_left() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = serve(
        patient(),
        Site::new(move |request| {
            if request.head.path() == "/slow" {
                let _ = wait.lock().expect("no panic").recv();
            }
            Response::empty(200)
        }),
    );
    let mut client = Client::connect(&server);
    client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    eventually("the request runs", || server.connections() == 1);
    drop(client);
    go.send(()).expect("the handler waits");
    eventually("the connection is gone", || server.connections() == 0);
    assert!(is_served(&server));
}

#[test]
fn w16_idle_connections_beyond_the_cap_make_room_for_new_ones() {
    let server = serve(Limits { connections_max: 32, ..patient() }, Site::echo());
    let mut idle: Vec<Client> = (0..150).map(|_| Client::connect(&server)).collect();
    assert!(is_served(&server));
    eventually("no more than the cap", || server.connections() <= 32);
    assert_eq!(idle[0].rest(), b"", "the one idle longest goes first");
    let newest = idle.last_mut().expect("150 clients");
    newest.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(newest.answer().status, 200);
}

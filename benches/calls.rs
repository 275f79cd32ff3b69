//! What a call costs: the real release binary in front of a Nextcloud on loopback, against asking that Nextcloud directly
//! in the same run. Prints a table; `docs/performance.md` says how to read it. Linux only: it reads `/proc`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use nextcloud_mcp_server::replay::ReplayServer;

const PROGRAM: &str = env!("CARGO_BIN_EXE_nextcloud-mcp-server");
/// Through the program and directly take turns in slices, so that other load on the machine meets both.
const SLICE: Duration = Duration::from_millis(500);
const SLICES: usize = 2;
const STARTS: usize = 20;
const NOTE_PATH: &str = "/index.php/apps/notes/api/v1/notes/88";
const FILE_PATH: &str = "/remote.php/dav/files/alice/docs/readme.txt";

fn main() -> io::Result<()> {
    println!("binary: {} bytes", std::fs::metadata(PROGRAM)?.len());
    let quick = quick_nextcloud()?;
    let recorded = ReplayServer::tour(Path::new("fixtures"))?;
    measure_start(&quick)?;

    let program = Program::start(&quick)?;
    program.post(&mcp_post(&program.address, INITIALIZE))?;
    println!("idle after the first answer: {}", program.memory()?);
    let list = program.post(&mcp_post(&program.address, LIST))?;
    println!("tools/list: {} bytes\n", list.len());

    println!("calls of                 callers  through/s  directly/s  ratio  p50 ms  p99 ms  CPU ms/call");
    let note = r#"{"name":"nc_notes_get_note","arguments":{"note_id":88}}"#;
    let file = r#"{"name":"nc_webdav_read_file","arguments":{"path":"docs/readme.txt"}}"#;
    compare("note, quick backend", &program, &quick, note, NOTE_PATH)?;
    compare("file, quick backend", &program, &quick, file, FILE_PATH)?;
    println!("\nafter these calls: {}", program.memory()?);

    let recorded = recorded.url().trim_start_matches("http://").to_owned();
    let program = Program::start(&recorded)?;
    compare("note, recorded Nextcloud", &program, &recorded, note, NOTE_PATH)?;

    let program = Program::start(&quick)?;
    let mut connection = Connection::open(&program.address)?;
    let request = mcp_post(&program.address, &tool_call(note));
    for _ in 0..3000 {
        connection.ask(&request)?;
    }
    println!("\nafter 3,000 calls of one caller: {}", program.memory()?);
    Ok(())
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

fn tool_call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
}

fn mcp_post(address: &str, body: &str) -> Vec<u8> {
    let head = "MCP-Protocol-Version: 2025-11-25\r\nContent-Type: application/json\r\n";
    format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// What the program sends to Nextcloud, as near as matters.
fn get(address: &str, path: &str) -> Vec<u8> {
    let head =
        "OCS-APIRequest: true\r\nAccept: application/json\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\n";
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{head}\r\n").into_bytes()
}

/// From exec to the first answered `initialize`.
fn measure_start(nextcloud: &str) -> io::Result<()> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let program = Program::start(nextcloud)?;
        program.post(&mcp_post(&program.address, INITIALIZE))?;
        starts.push(begin.elapsed());
    }
    starts.sort();
    let (median, slowest) = (starts[STARTS / 2], starts[STARTS - 1]);
    println!("start to first answer: median {:.1} ms, slowest {:.1} ms of {STARTS}", ms(median), ms(slowest));
    Ok(())
}

/// A row of the table for 1, 8 and 32 callers.
fn compare(name: &str, program: &Program, nextcloud: &str, params: &str, path: &str) -> io::Result<()> {
    let through = mcp_post(&program.address, &tool_call(params));
    let directly = get(nextcloud, path);
    Connection::open(&program.address)?.ask(&through)?;
    for callers in [1, 8, 32] {
        let (mut ours, mut theirs, mut cpu) = (Vec::new(), Vec::new(), Duration::ZERO);
        for _ in 0..SLICES {
            let before = program.cpu()?;
            ours.extend(run(&program.address, &through, callers)?);
            cpu += program.cpu()? - before;
            theirs.extend(run(nextcloud, &directly, callers)?);
        }
        ours.sort();
        let seconds = (SLICE * SLICES as u32).as_secs_f64();
        let (through, directly) = (ours.len() as f64 / seconds, theirs.len() as f64 / seconds);
        println!(
            "{name:24} {callers:7}  {through:9.0}  {directly:10.0}  {:5.2}  {:6.2}  {:6.2}  {:11.3}",
            through / directly,
            ms(ours[ours.len() / 2]),
            ms(ours[ours.len() * 99 / 100]),
            ms(cpu) / ours.len() as f64,
        );
    }
    Ok(())
}

/// Asks over `callers` connections for one slice; gives how long each answer took.
fn run(address: &str, request: &[u8], callers: usize) -> io::Result<Vec<Duration>> {
    let connections: Vec<Connection> =
        (0..callers).map(|_| Connection::open(address)).collect::<Result<_, _>>()?;
    let barrier = &Barrier::new(callers);
    std::thread::scope(|scope| {
        let workers: Vec<_> = connections
            .into_iter()
            .map(|mut connection| {
                scope.spawn(move || {
                    barrier.wait();
                    let end = Instant::now() + SLICE;
                    let mut took = Vec::new();
                    while Instant::now() < end {
                        let begin = Instant::now();
                        connection.ask(request)?;
                        took.push(begin.elapsed());
                    }
                    Ok(took)
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            let took: io::Result<Vec<Duration>> =
                worker.join().unwrap_or_else(|_| Err(io::Error::other("panic")));
            all.extend(took?);
        }
        Ok(all)
    })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A connection that is kept alive.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// Sends a request and reads the body of its answer. Whatever is not a good answer is a failure: it would be fast.
    fn ask(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.0.get_mut().write_all(request)?;
        let (first, length) = read_head(&mut self.0)?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let text = String::from_utf8_lossy(&body);
        let refused = text.contains("\"isError\":true") || text.contains("\"error\":{");
        if !first.contains(" 20") || refused {
            return Err(io::Error::other(format!("{first}: {text}")));
        }
        Ok(body)
    }
}

/// The first line of a message and its `Content-Length`.
fn read_head(input: &mut impl BufRead) -> io::Result<(String, usize)> {
    let (mut first, mut length, mut line) = (String::new(), 0, String::new());
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end();
        if text.is_empty() {
            return Ok((first, length));
        }
        if first.is_empty() {
            first.push_str(text);
        } else if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
}

/// The program in front of a Nextcloud. Dropping it kills it.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(nextcloud: &str) -> io::Result<Program> {
        let mut child = Command::new(PROGRAM)
            .args(["--port", "0"])
            .env_clear()
            .env("NEXTCLOUD_HOST", format!("http://{nextcloud}"))
            .envs([("NEXTCLOUD_USERNAME", "alice"), ("NEXTCLOUD_PASSWORD", "secret")])
            // All callers are one user, of whose calls 8 run and 16 wait by default; the others would get 503.
            .envs([("MCP_NEXTCLOUD_PARALLEL", "32"), ("MCP_NEXTCLOUD_PARALLEL_PER_CALLER", "32")])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let mut line = String::new();
        while !line.contains("ready at http://") {
            line.clear();
            if log.read_line(&mut line)? == 0 {
                return Err(io::Error::other("the program did not start"));
            }
        }
        let address = line.trim_end().rsplit('/').next().unwrap_or_default().to_owned();
        // One line a call is written and read, as under systemd.
        std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        Ok(Program { child, address })
    }

    fn post(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        Connection::open(&self.address)?.ask(request)
    }

    /// Time on the processor so far, in steps of 10 ms (proc_pid_stat(5), fields 14 and 15).
    fn cpu(&self) -> io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Memory that is resident now, and at the most (proc_pid_status(5)).
    fn memory(&self) -> io::Result<String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim();
        let [now, peak, own, threads] = ["VmRSS:", "VmHWM:", "RssAnon:", "Threads:"].map(field);
        Ok(format!("resident {now} (of it heap and stacks {own}), at the most {peak}, {threads} threads"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Nextcloud that costs next to nothing: one note, one file, and who asks. Gives its address; ends with the process.
fn quick_nextcloud() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_quickly(stream));
        }
    });
    Ok(address)
}

fn answer_quickly(stream: TcpStream) -> io::Result<()> {
    const NOTE: &str = r##"{"id":88,"title":"Shopping list","modified":1795476394,"category":"Home","favorite":true,"readonly":false,"internalPath":"/Notes/Home/Shopping list.md","shareTypes":[],"isShared":false,"error":false,"errorType":"","content":"# Shopping\n\n- milk\n- eggs\n","etag":"548a3c0e3ef9d840893b7589d7ec6423"}"##;
    const PRINCIPAL: &str = r#"<d:multistatus xmlns:d="DAV:"><d:response><d:href>/remote.php/dav/</d:href><d:propstat><d:prop><d:current-user-principal><d:href>/remote.php/dav/principals/users/alice/</d:href></d:current-user-principal></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"#;
    let whole = |head: &str, body: &str| {
        format!("HTTP/1.1 {head}\r\nETag: \"e\"\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let note = whole("200 OK\r\nContent-Type: application/json; charset=utf-8", NOTE);
    let principal = whole("207 Multi-Status\r\nContent-Type: application/xml; charset=utf-8", PRINCIPAL);
    let text = "A file with a line of text.\n".repeat(16);
    let range = format!("206 Partial\r\nContent-Range: bytes 0-447/{}", text.len());
    let file = whole(&format!("{range}\r\nContent-Type: text/plain;charset=UTF-8"), &text);
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    loop {
        let (first, length) = read_head(&mut input)?;
        io::copy(&mut (&mut input).take(length as u64), &mut io::sink())?;
        let answer = match first.split(' ').nth(1) {
            Some(NOTE_PATH) => &note,
            Some(FILE_PATH) => &file,
            _ => &principal,
        };
        input.get_mut().write_all(answer.as_bytes())?;
    }
}

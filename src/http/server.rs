//! Listening, accepting, stopping.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::net::{Shutdown, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::sys::{self, Interest};

use super::Handler;
use super::conn::{Conn, Shared};
use super::head::Refusal;
use super::limits::Limits;
use super::registry::Registry;
use super::response::{Connection, Ending, encode_head};
use super::stream::{Deadline, Peer, Stream};

/// After an error of accept(2) that will not go away by itself, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections the kernel may hold ready for us.
const BACKLOG: i32 = 1024;
/// Connections turned away and kept open for a moment so that they can read why.
const REFUSED_MAX: usize = 16;
/// How long threads get to notice that their connection was cut.
const CUT: Duration = Duration::from_millis(500);

/// Starts a thread. A parameter so that tests can run out of threads.
pub(super) type Spawn = dyn Fn(Builder, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> + Send + Sync;

/// A socket that connections come from.
pub enum Listener {
    Tcp(TcpListener),
    /// With the path to remove at the end, if the socket is ours to remove.
    Unix(UnixListener, Option<PathBuf>),
}

impl Listener {
    /// Listens on an address and port; port 0 takes any free one.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Listener> {
        Ok(Listener::Tcp(TcpListener::bind(address)?))
    }

    /// Listens on a Unix socket with mode 0660.
    ///
    /// A socket that a dead process left behind is replaced; one that is being served, or another kind of file, is not.
    pub fn bind_unix(path: impl AsRef<Path>) -> io::Result<Listener> {
        let path = path.as_ref();
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path)? => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            result => result?,
        };
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o660))?;
        Ok(Listener::Unix(listener, Some(path.to_owned())))
    }

    /// Takes over a listening socket of either family, as socket activation hands it over.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Listener> {
        let listener = TcpListener::from(fd);
        if listener.local_addr().is_ok() {
            return Ok(Listener::Tcp(listener));
        }
        let listener = UnixListener::from(OwnedFd::from(listener));
        listener.local_addr()?;
        Ok(Listener::Unix(listener, None))
    }

    /// The address listened on; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Removed while still listening: a successor that finds the path free cannot lose its own socket to this.
        if let Listener::Unix(_, Some(path)) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_stale(path: &Path) -> io::Result<bool> {
    let refused =
        matches!(UnixStream::connect(path), Err(error) if error.kind() == ErrorKind::ConnectionRefused);
    Ok(refused && std::fs::symlink_metadata(path)?.file_type().is_socket())
}

/// Where the accept loop gets connections from; a trait so that tests can make accept(2) fail.
trait Source: Send {
    /// Takes one connection without waiting.
    fn accept(&self) -> io::Result<Accepted>;
    fn as_fd(&self) -> BorrowedFd<'_>;
}

/// The socket may already be unusable; that is no fault of the listener.
type Accepted = (io::Result<Stream>, Peer);

impl Source for Listener {
    fn accept(&self) -> io::Result<Accepted> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                Ok((Stream::tcp(stream), Peer::Ip(address)))
            }
            Listener::Unix(listener, _) => Ok((Stream::unix(listener.accept()?.0), Peer::Unix)),
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(listener, _) => listener.as_fd(),
        }
    }
}

/// A running listener. Dropping it cuts all connections; [`Server::stop`] is kinder.
pub struct Server {
    local_addr: Option<SocketAddr>,
    shared: Arc<Shared>,
    /// Closing it ends the accept loop.
    wake: Option<PipeWriter>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to accept connections on a thread of its own.
    pub fn start(listener: Listener, limits: Limits, handler: Arc<dyn Handler>) -> io::Result<Server> {
        match &listener {
            Listener::Tcp(listener) => listener.set_nonblocking(true)?,
            Listener::Unix(listener, _) => listener.set_nonblocking(true)?,
        }
        sys::set_backlog(Source::as_fd(&listener), BACKLOG)?;
        let local_addr = listener.local_addr();
        let spawn: Box<Spawn> = Box::new(|builder, run| builder.spawn(run));
        let mut server = Server::start_on(Box::new(listener), limits, handler, spawn)?;
        server.local_addr = local_addr;
        Ok(server)
    }

    fn start_on(
        source: Box<dyn Source>,
        limits: Limits,
        handler: Arc<dyn Handler>,
        spawn: Box<Spawn>,
    ) -> io::Result<Server> {
        let registry = Registry::new(limits.connections_max);
        let shared = Arc::new(Shared { limits, handler, spawn, registry, bodies_bytes: AtomicUsize::new(0) });
        let (woken, wake) = io::pipe()?;
        let acceptor = Acceptor {
            source,
            shared: shared.clone(),
            woken,
            refused: VecDeque::new(),
            failing: false,
            full: false,
        };
        let accepting = Builder::new().name("accept".into()).spawn(move || acceptor.run())?;
        Ok(Server { local_addr: None, shared, wake: Some(wake), accepting: Some(accepting) })
    }

    /// The address listened on, with the port that was taken for port 0; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.shared.registry.len()
    }

    /// Stops: no new connections, idle ones are closed, running requests get [`Limits::stop_ms`] to end, the rest is cut.
    pub fn stop(mut self) {
        self.end(Duration::from_millis(self.shared.limits.stop_ms));
    }

    fn end(&mut self, patience: Duration) {
        let Some(accepting) = self.accepting.take() else { return };
        let registry = &self.shared.registry;
        registry.stop();
        drop(self.wake.take());
        if accepting.join().is_err() {
            log::error!("the accept loop had panicked");
        }
        if registry.wait_empty(patience) > 0 {
            registry.close_all();
            let left = registry.wait_empty(CUT);
            if left > 0 {
                log::warn!("requests still running when the server stopped: {left}");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// The accept loop. It ends when it is told to, and for no other reason.
struct Acceptor {
    source: Box<dyn Source>,
    shared: Arc<Shared>,
    woken: PipeReader,
    refused: VecDeque<(Deadline, Arc<Stream>)>,
    /// accept(2) failed last time, and the log knows.
    failing: bool,
    /// The last connection was turned away, and the log knows.
    full: bool,
}

impl Acceptor {
    fn run(mut self) {
        loop {
            let timeout = if self.refused.is_empty() { Duration::from_secs(3600) } else { ACCEPT_PAUSE };
            let watches = [(self.source.as_fd(), Interest::Read), (self.woken.as_fd(), Interest::Read)];
            match sys::poll(watches, timeout) {
                Ok([_, true]) => return,
                Ok([true, false]) => self.accept(),
                Ok([false, false]) => {}
                Err(error) => self.pause(&error),
            }
            self.refused.retain(|(deadline, _)| deadline.left().is_ok());
        }
    }

    fn accept(&mut self) {
        match self.source.accept() {
            Ok((stream, peer)) => {
                if std::mem::take(&mut self.failing) {
                    log::info!("accepting connections again");
                }
                if let Ok(stream) = stream {
                    self.serve(Arc::new(stream), peer);
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                ) => {}
            Err(error) => self.pause(&error),
        }
    }

    /// Waits for descriptors or memory to come back; a stop is noticed at once.
    fn pause(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            log::warn!("cannot accept connections, trying on: {error}");
        }
        let _ = sys::poll([(self.woken.as_fd(), Interest::Read)], ACCEPT_PAUSE);
    }

    fn serve(&mut self, stream: Arc<Stream>, peer: Peer) {
        let Some(ticket) = self.shared.registry.enter(stream.clone()) else {
            return self.refuse(stream, "all connections are busy");
        };
        let builder = Builder::new().name("connection".into()).stack_size(self.shared.limits.stack_bytes);
        let shared = self.shared.clone();
        let served = stream.clone();
        let run = move || Conn::new(&shared, served, peer, ticket).serve();
        match (self.shared.spawn)(builder, Box::new(run)) {
            Ok(_detached) => self.full = false,
            Err(error) => self.refuse(stream, &format!("no thread: {error}")),
        }
    }

    /// Says 503 and closes a little later, without ever waiting for the client.
    fn refuse(&mut self, stream: Arc<Stream>, why: &str) {
        if !std::mem::replace(&mut self.full, true) {
            log::warn!("turning connections away: {why}");
        }
        let response = Refusal::new(503, "The server is too busy: try again in a moment.").response();
        let ending = Ending::Length(response.body.len());
        if let Ok(head) = encode_head(response.status, &response.headers, ending, Connection::Closed) {
            let _ = stream.write_all([&head, &response.body], Deadline::after_ms(0));
        }
        stream.shutdown(Shutdown::Write);
        if self.refused.len() == REFUSED_MAX {
            self.refused.pop_front();
        }
        self.refused.push_back((Deadline::after_ms(self.shared.limits.linger_ms), stream));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::http::{EventStream, Head, Reply, Request, Response};

    struct Hello;

    impl Handler for Hello {
        fn admit(&self, _head: &Head) -> Result<(), Response> {
            Ok(())
        }

        fn handle(&self, request: Request) -> Reply {
            match request.head.path() {
                "/events" => Reply::Events(EventStream::new(|_| {})),
                _ => Response::text(200, "hello").into(),
            }
        }
    }

    fn listener() -> (Listener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("an address");
        (Listener::Tcp(listener), address)
    }

    /// The status line and all else up to the end of the connection.
    fn get(address: SocketAddr, path: &str) -> String {
        let mut client = TcpStream::connect(address).expect("a connection");
        client.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        answer
    }

    #[test]
    fn f4_running_out_of_threads_turns_connections_away_until_there_are_threads_again() {
        let (listener, address) = listener();
        let exhausted = Arc::new(AtomicBool::new(true));
        let flag = exhausted.clone();
        let spawn: Box<Spawn> = Box::new(move |builder, run| match flag.load(Ordering::SeqCst) {
            true => Err(ErrorKind::WouldBlock.into()),
            false => builder.spawn(run),
        });
        let server = Server::start_on(Box::new(listener), Limits::default(), Arc::new(Hello), spawn)
            .expect("a server");
        for _ in 0..20 {
            let answer = get(address, "/");
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
        }
        assert_eq!(server.connections(), 0);
        exhausted.store(false, Ordering::SeqCst);
        assert!(get(address, "/").starts_with("HTTP/1.1 200 "));
        server.stop();
    }

    #[test]
    fn a_stream_of_events_without_a_thread_for_its_job_is_answered_with_503() {
        let (listener, address) = listener();
        // The first thread is the connection's, the second the job's.
        let started = AtomicUsize::new(0);
        let spawn: Box<Spawn> = Box::new(move |builder, run| match started.fetch_add(1, Ordering::SeqCst) {
            1 => Err(ErrorKind::WouldBlock.into()),
            _ => builder.spawn(run),
        });
        let server = Server::start_on(Box::new(listener), Limits::default(), Arc::new(Hello), spawn)
            .expect("a server");
        assert!(get(address, "/events").starts_with("HTTP/1.1 503 "));
        assert!(get(address, "/events").starts_with("HTTP/1.1 200 "));
        server.stop();
    }

    /// Fails with these errors before it accepts anything.
    struct Failing(Listener, Mutex<Vec<i32>>);

    impl Source for Failing {
        fn accept(&self) -> io::Result<Accepted> {
            match self.1.lock().expect("no panic").pop() {
                Some(code) => Err(io::Error::from_raw_os_error(code)),
                None => self.0.accept(),
            }
        }

        fn as_fd(&self) -> BorrowedFd<'_> {
            Source::as_fd(&self.0)
        }
    }

    #[test]
    fn f5_no_error_of_accept_ends_the_accept_loop() {
        let (listener, address) = listener();
        let errors =
            vec![libc::ENOMEM, libc::EAGAIN, libc::EINTR, libc::ECONNABORTED, libc::ENFILE, libc::EPROTO];
        let source = Failing(listener, Mutex::new(errors));
        let spawn: Box<Spawn> = Box::new(|builder, run| builder.spawn(run));
        let server =
            Server::start_on(Box::new(source), Limits::default(), Arc::new(Hello), spawn).expect("a server");
        for _ in 0..3 {
            assert!(get(address, "/").starts_with("HTTP/1.1 200 "));
        }
        server.stop();
    }
}

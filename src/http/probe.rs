//! A request to ourselves: the process lives only if its listener answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Where the listener can be reached from inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

const PATIENCE: Duration = Duration::from_secs(5);

impl Door {
    /// Asks for `path` and checks that the answer is 200. Fails on anything else, and after five seconds.
    pub fn knock(&self, path: &str) -> io::Result<()> {
        match self {
            Door::Tcp(address) => {
                let mut reachable = *address;
                if reachable.ip().is_unspecified() {
                    reachable.set_ip(match reachable {
                        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                    });
                }
                let stream = TcpStream::connect_timeout(&reachable, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                ask(stream, path)
            }
            Door::Unix(socket) => {
                let stream = UnixStream::connect(socket)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                ask(stream, path)
            }
        }
    }
}

fn ask(mut stream: impl Read + Write, path: &str) -> io::Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut status = [0; 13];
    stream.read_exact(&mut status)?;
    if status == *b"HTTP/1.1 200 " { Ok(()) } else { Err(io::Error::other("the answer was not 200")) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn knock_on(answer: &'static [u8]) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let door = Door::Tcp(listener.local_addr()?);
        let server = std::thread::spawn(move || -> io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut head = [0; 16];
            stream.read_exact(&mut head)?;
            assert_eq!(&head, b"GET /health/live");
            stream.write_all(answer)
        });
        let answer = door.knock("/health/live");
        server.join().map_err(|_| io::Error::other("the test's server failed"))??;
        answer
    }

    #[test]
    fn only_200_counts_as_alive() {
        knock_on(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        knock_on(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").unwrap_err();
        knock_on(b"HTTP/1.1").unwrap_err();
    }
}

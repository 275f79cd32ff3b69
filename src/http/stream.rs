//! A socket with absolute deadlines, and the bytes read from it but not yet used.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::sys::{self, Interest};

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A TCP connection from this address; behind a reverse proxy this is the proxy.
    Ip(SocketAddr),
    /// A Unix socket: somebody on this host who may open it.
    Unix,
}

/// A moment after which an operation has failed, however much it has done.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub fn after_ms(ms: u64) -> Deadline {
        Deadline(Instant::now() + Duration::from_millis(ms))
    }

    /// What is left, or `TimedOut`.
    pub fn left(self) -> io::Result<Duration> {
        match self.0.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(ErrorKind::TimedOut.into()),
        }
    }
}

/// An accepted connection, non-blocking; waiting is done with poll(2) so that deadlines hold.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub fn tcp(stream: TcpStream) -> io::Result<Stream> {
        stream.set_nonblocking(true)?;
        // One write carries a whole answer, so waiting to fill a segment only costs time.
        stream.set_nodelay(true)?;
        Ok(Stream::Tcp(stream))
    }

    pub fn unix(stream: UnixStream) -> io::Result<Stream> {
        stream.set_nonblocking(true)?;
        Ok(Stream::Unix(stream))
    }

    /// Reads what is there, waiting until `deadline` for the first byte. `Ok(0)` is the end.
    pub fn read(&self, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        loop {
            let [ready] = sys::poll([(self.as_fd(), Interest::Read)], deadline.left()?)?;
            if ready {
                match self.read_now(buffer) {
                    Err(error) if is_transient(&error) => {}
                    result => return result,
                }
            }
        }
    }

    /// Reads what is there without waiting; `WouldBlock` if nothing is.
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&*stream).read(buffer),
            Stream::Unix(stream) => (&*stream).read(buffer),
        }
    }

    /// Writes all parts, in one system call if the socket takes them.
    pub fn write_all(&self, parts: [&[u8]; 2], deadline: Deadline) -> io::Result<()> {
        let mut slices = parts.map(IoSlice::new);
        let mut slices = &mut slices[..];
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let written = match self {
                Stream::Tcp(stream) => (&*stream).write_vectored(slices),
                Stream::Unix(stream) => (&*stream).write_vectored(slices),
            };
            match written {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut slices, count),
                Err(error) if is_transient(&error) => {
                    sys::poll([(self.as_fd(), Interest::Write)], deadline.left()?)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends one or both directions, waking whoever waits on the socket. Failure means it was already gone.
    pub fn shutdown(&self, how: Shutdown) {
        let _ = match self {
            Stream::Tcp(stream) => stream.shutdown(how),
            Stream::Unix(stream) => stream.shutdown(how),
        };
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Bytes that have arrived and belong to the request being read or to the next ones.
#[derive(Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
}

impl Input {
    pub const READ_BYTES: usize = 8 * 1024;

    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Adds at least one byte; fails with `UnexpectedEof` when the client has closed its side.
    pub fn fill(&mut self, stream: &Stream, deadline: Deadline) -> io::Result<()> {
        let mut chunk = [0_u8; Self::READ_BYTES];
        match stream.read(&mut chunk, deadline)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.bytes.drain(..self.start);
                self.start = 0;
                self.bytes.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }

    /// Gives back the memory of a large request before the connection waits for the next one.
    pub fn rest(&mut self) {
        if self.bytes.is_empty() {
            self.bytes.shrink_to(Self::READ_BYTES / 4);
        }
    }
}

/// Every limit and deadline of the listener. [`Limits::default`] is what production uses; tests make them small.
///
/// Deadlines are absolute: a byte now and then does not prolong them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections served at once. Beyond it the one idle longest is closed; if none is idle the newcomer gets 503.
    pub connections_max: usize,
    /// Request line and headers together; beyond it 431.
    pub head_bytes_max: usize,
    /// Header lines; beyond it 431.
    pub headers_max: usize,
    /// One request's body; beyond it 413, before `100 Continue` where the length is declared.
    pub body_bytes_max: usize,
    /// The bodies of all requests being read or handled; beyond it 503.
    pub bodies_bytes_max: usize,
    /// From the first byte of a request to the end of its head; beyond it 408.
    pub head_ms: u64,
    /// From the end of the head to the end of the body; beyond it 408.
    pub body_ms: u64,
    /// From the end of one response (or from connecting) to the first byte of the next request.
    pub idle_ms: u64,
    /// For one response, or one event of a stream, to be taken by the client; beyond it the connection is cut.
    pub write_ms: u64,
    /// How long [`Server::stop`](super::Server::stop) waits for running requests.
    pub stop_ms: u64,
    /// Between two signs of life in a stream of events.
    pub heartbeat_ms: u64,
    /// How long a connection being closed is read on, so that the last answer is not lost to a TCP reset.
    pub linger_ms: u64,
    /// How much of it is read at most.
    pub linger_bytes_max: usize,
    /// Stack of a connection's thread, where handlers run. Only what is touched costs memory.
    pub stack_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 512,
            head_bytes_max: 32 * 1024,
            headers_max: 64,
            body_bytes_max: 4 * 1024 * 1024,
            bodies_bytes_max: 64 * 1024 * 1024,
            head_ms: 10_000,
            body_ms: 30_000,
            idle_ms: 30_000,
            write_ms: 10_000,
            stop_ms: 30_000,
            heartbeat_ms: 15_000,
            linger_ms: 500,
            linger_bytes_max: 64 * 1024,
            stack_bytes: 512 * 1024,
        }
    }
}

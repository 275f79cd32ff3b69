//! The agent, and what its failures mean.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::unversioned::transport::DefaultConnector;

use super::error::{Error, Kind};
use super::resolver::CachingResolver;
use super::{Nextcloud, tls};

const CONNECT: Duration = Duration::from_secs(10);
const RESOLVE: Duration = Duration::from_secs(5);
/// Below the five seconds after which Apache closes an idle connection.
const IDLE: Duration = Duration::from_secs(4);
const BUFFER_BYTES: usize = 16 * 1024;

/// An agent that follows no redirect, keeps no cookie and takes no proxy from the environment.
pub(super) fn agent(nextcloud: &Nextcloud) -> ureq::Agent {
    let settings = &nextcloud.settings;
    let idle = if settings.keepalive { 32 } else { 0 };
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .max_redirects(0)
        .max_idle_connections(idle)
        .max_idle_connections_per_host(idle / 2)
        .max_idle_age(IDLE)
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(BUFFER_BYTES)
        .timeout_resolve(Some(RESOLVE))
        .timeout_connect(Some(CONNECT))
        .user_agent(settings.user_agent.as_str())
        .proxy(nextcloud.proxy.clone());
    if settings.base.is_https() {
        config = config.tls_config(tls::config(&nextcloud.extra_roots));
    }
    let resolver = CachingResolver::new(nextcloud.clock.clone());
    let agent = ureq::Agent::with_parts(config.build(), DefaultConnector::default(), resolver);
    if nextcloud.stopped.load(std::sync::atomic::Ordering::Acquire) {
        agent.clone().shutdown();
    }
    agent
}

/// Whether the connection was gone before the answer began: the server may never have seen the request.
pub(super) fn is_stale(error: &ureq::Error) -> bool {
    let ureq::Error::Io(error) = error else { return false };
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
    )
}

/// What a failure below HTTP means. No text of it holds an address or a credential.
pub(super) fn failure(error: &ureq::Error, request: String) -> Error {
    let (kind, cause) = match error {
        ureq::Error::Timeout(ureq::Timeout::Resolve) => {
            (Kind::Dns, "the name server did not answer in time".into())
        }
        ureq::Error::Timeout(ureq::Timeout::Connect) => (Kind::Unreachable, "no connection in time".into()),
        ureq::Error::Timeout(_) => (Kind::TimedOut, String::new()),
        ureq::Error::HostNotFound => (Kind::Dns, String::new()),
        ureq::Error::Io(io) if io.kind() == ErrorKind::NotConnected => {
            (Kind::Cancelled, "the program is stopping".into())
        }
        ureq::Error::Io(io) if io.kind() == ErrorKind::TimedOut => (Kind::TimedOut, String::new()),
        ureq::Error::Io(io) => tls_kind(&io.to_string()).unwrap_or_else(|| (Kind::Unreachable, io_cause(io))),
        ureq::Error::Rustls(e) => {
            let text = e.to_string();
            tls_kind(&text).unwrap_or((Kind::Tls, text))
        }
        ureq::Error::Tls(text) => (Kind::Tls, (*text).into()),
        ureq::Error::Pem(_) | ureq::Error::TlsRequired => (Kind::Tls, String::new()),
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
            (Kind::Unreachable, "the proxy refused the connection".into())
        }
        ureq::Error::LargeResponseHeader(..) => {
            (Kind::Malformed, "the head of the answer is too long".into())
        }
        ureq::Error::Protocol(_) => (Kind::Malformed, "the answer is no valid HTTP".into()),
        ureq::Error::Decompress(..) => (Kind::Malformed, "the answer is no valid gzip".into()),
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
            (Kind::BadRequest, "a header or the path holds characters that HTTP does not allow".into())
        }
        _ => (Kind::Unreachable, String::new()),
    };
    Error::new(kind, request).because(cause)
}

/// A failed read in the middle of a body.
pub(super) fn body_failure(error: std::io::Error, request: String) -> Error {
    let error = ureq::Error::from(error);
    if is_stale(&error) { Error::new(Kind::CutShort, request) } else { failure(&error, request) }
}

/// rustls hides its own error in an `io::Error`; only its text is left.
fn tls_kind(text: &str) -> Option<(Kind, String)> {
    if text.contains("CaUsedAsEndEntity") {
        return Some((Kind::CaUsedAsEndEntity, String::new()));
    }
    let cause = text.strip_prefix("invalid peer certificate: ").map(|reason| match reason {
        "UnknownIssuer" => "the certificate's issuer is not trusted".to_owned(),
        reason => format!("the certificate was not accepted ({reason})"),
    });
    let alert = text.contains("received fatal alert") || text.contains("corrupt message");
    cause.or_else(|| alert.then(|| text.to_owned())).map(|cause| (Kind::Tls, cause))
}

fn io_cause(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".into(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "connection lost".into()
        }
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn failures_below_http_have_their_kind() {
        let kind = |error: ureq::Error| failure(&error, "GET x".into()).kind;
        let io = |kind: ErrorKind| ureq::Error::Io(kind.into());
        let tls = |text: &'static str| ureq::Error::Io(io::Error::new(ErrorKind::InvalidData, text));
        assert_eq!(kind(ureq::Error::HostNotFound), Kind::Dns);
        assert_eq!(kind(ureq::Error::Timeout(ureq::Timeout::Resolve)), Kind::Dns);
        assert_eq!(kind(ureq::Error::Timeout(ureq::Timeout::Global)), Kind::TimedOut);
        assert_eq!(kind(ureq::Error::Timeout(ureq::Timeout::Connect)), Kind::Unreachable);
        assert_eq!(kind(io(ErrorKind::ConnectionRefused)), Kind::Unreachable);
        assert_eq!(kind(io(ErrorKind::NotConnected)), Kind::Cancelled);
        assert_eq!(kind(tls("invalid peer certificate: UnknownIssuer")), Kind::Tls);
        assert_eq!(
            kind(tls("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))")),
            Kind::CaUsedAsEndEntity
        );
        assert_eq!(kind(ureq::Error::LargeResponseHeader(1, 2)), Kind::Malformed);
    }

    #[test]
    fn a_lost_connection_in_the_body_is_cut_short() {
        let cut = |kind: ErrorKind| body_failure(kind.into(), "GET x".into()).kind;
        assert_eq!(cut(ErrorKind::UnexpectedEof), Kind::CutShort);
        assert_eq!(cut(ErrorKind::ConnectionReset), Kind::CutShort);
        assert_eq!(cut(ErrorKind::TimedOut), Kind::TimedOut);
    }
}

//! Clients that describe themselves at an address of their own: OAuth Client ID Metadata Documents
//! (draft-ietf-oauth-client-id-metadata-document). The `client_id` is that address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::client::{McpClient, Proof, Registration};
use super::error::{Code, OAuthError};
use super::registry::{ClientDocuments, Throttle};
use crate::clock::Clock;
use crate::nextcloud::{Fetch, OutsideRequest};

/// Longest document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// A document is asked for anew after this time; one that could not be had after the shorter one.
const FRESH: Duration = Duration::from_secs(10 * 60);
const FRESH_FAILURE: Duration = Duration::from_secs(60);
const DOCUMENTS_MAX: usize = 200;
/// So many are asked for in so long a time: nobody may use this server to knock at others.
const FETCHES_MAX: usize = 30;
const FETCHES_TIME: Duration = Duration::from_secs(60);

type Answer = Result<McpClient, OAuthError>;

/// Fetches documents and remembers them for a short time.
pub struct ClientDocumentCache {
    /// Asks nothing but the public internet.
    fetch: Arc<dyn Fetch>,
    clock: Clock,
    known: Mutex<HashMap<String, (Duration, Answer)>>,
    throttle: Throttle,
}

impl ClientDocumentCache {
    /// `fetch` sees to it that only public addresses are asked: anybody can name one.
    pub fn new(fetch: Arc<dyn Fetch>, clock: Clock) -> ClientDocumentCache {
        let throttle = Throttle::new(FETCHES_MAX, FETCHES_TIME, clock.clone());
        ClientDocumentCache { fetch, clock, known: Mutex::default(), throttle }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Duration, Answer)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, url: &str) -> Answer {
        let unavailable = |about| OAuthError::new(Code::InvalidClient, about);
        let answer = self.fetch.fetch(&OutsideRequest::get(url)).map_err(|error| {
            log::warn!("a client's document cannot be had client={url:?} error=\"{error}\"");
            unavailable("the client's metadata document cannot be fetched")
        })?;
        if answer.status != 200 || answer.body.len() > DOCUMENT_BYTES_MAX {
            log::warn!("a client's document cannot be used client={url:?} status={}", answer.status);
            return Err(unavailable("the client's metadata document is not there, or longer than 64 kB"));
        }
        let metadata: Map<String, Value> = serde_json::from_slice(&answer.body)
            .map_err(|_| unavailable("the client's metadata document is no JSON object"))?;
        if metadata.get("client_id").and_then(Value::as_str) != Some(url) {
            return Err(unavailable("the client's metadata document is that of another client"));
        }
        let Registration { name, redirect_uris, method } = Registration::read(&metadata)?;
        if method != "none" {
            return Err(unavailable("a client with a metadata document cannot have a secret here"));
        }
        Ok(McpClient { id: url.to_owned(), name, redirect_uris, proof: Proof::None })
    }
}

impl ClientDocuments for ClientDocumentCache {
    fn client(&self, url: &str) -> Answer {
        if !is_document_url(url) {
            let about = "client_id is no https URL with a path";
            return Err(OAuthError::new(Code::InvalidClient, about));
        }
        let now = self.clock.monotonic();
        let is_fresh = |(since, answer): &(Duration, Answer)| {
            now.saturating_sub(*since) < if answer.is_ok() { FRESH } else { FRESH_FAILURE }
        };
        if let Some((_, answer)) = self.lock().get(url).filter(|known| is_fresh(known)) {
            return answer.clone();
        }
        if !self.throttle.admits() {
            let about = "too many metadata documents are asked for; try again in a minute";
            return Err(OAuthError::new(Code::SlowDown, about));
        }
        let answer = self.ask(url);
        let mut known = self.lock();
        known.retain(|_, known| is_fresh(known));
        if known.len() < DOCUMENTS_MAX {
            known.insert(url.to_owned(), (now, answer.clone()));
        }
        answer
    }
}

/// Section 3 of the draft: https, a path, no fragment, no user, no dot segments.
fn is_document_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let Some((authority, path)) = rest.split_once('/') else { return false };
    url.len() <= 2_048
        && url.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b))
        && !authority.is_empty()
        && !authority.contains('@')
        && !path.is_empty()
        && !path.split(['/', '?']).any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nextcloud::{OutsideError, OutsideResponse};

    const URL: &str = "https://app.example/client.json";

    struct Site {
        answer: Mutex<(u16, Vec<u8>)>,
        asked: Mutex<u32>,
    }

    impl Fetch for Site {
        fn fetch(&self, request: &OutsideRequest) -> Result<OutsideResponse, OutsideError> {
            *self.asked.lock().unwrap() += 1;
            assert_eq!((request.method, request.authorization.is_none()), ("GET", true));
            let (status, body) = self.answer.lock().unwrap().clone();
            Ok(OutsideResponse::new(status, [], body))
        }
    }

    fn site(status: u16, document: &Value) -> (Arc<Site>, ClientDocumentCache, Clock) {
        let body = document.to_string().into_bytes();
        let site = Arc::new(Site { answer: Mutex::new((status, body)), asked: Mutex::new(0) });
        let clock = Clock::manual(0);
        (site.clone(), ClientDocumentCache::new(site, clock.clone()), clock)
    }

    fn good() -> Value {
        json!({"client_id": URL, "client_name": "App", "redirect_uris": ["https://app.example/cb"]})
    }

    #[test]
    fn a_document_makes_a_public_client_and_is_remembered() {
        let (site, cache, clock) = site(200, &good());
        let client = cache.client(URL).unwrap();
        assert_eq!((client.id.as_str(), client.name.as_str(), &client.proof), (URL, "App", &Proof::None));
        cache.client(URL).unwrap();
        assert_eq!(*site.asked.lock().unwrap(), 1);
        clock.advance(FRESH);
        cache.client(URL).unwrap();
        assert_eq!(*site.asked.lock().unwrap(), 2);
    }

    #[test]
    fn a_document_of_another_client_or_without_use_is_refused() {
        let with = |name: &str, value: Value| {
            let mut document = good();
            document[name] = value;
            document
        };
        for (status, document) in [
            (200, with("client_id", "https://app.example/other.json".into())),
            (200, with("client_id", Value::Null)),
            (200, with("redirect_uris", json!(["http://evil.example/"]))),
            (200, with("token_endpoint_auth_method", "client_secret_post".into())),
            (200, with("padding", "x".repeat(DOCUMENT_BYTES_MAX).into())),
            (200, json!([])),
            (404, good()),
            (302, good()),
        ] {
            let (site, cache, clock) = site(status, &document);
            assert!(cache.client(URL).is_err() && cache.client(URL).is_err());
            assert_eq!(*site.asked.lock().unwrap(), 1, "a failure is remembered, too");
            clock.advance(FRESH_FAILURE);
            assert!(cache.client(URL).is_err());
            assert_eq!(*site.asked.lock().unwrap(), 2);
        }
    }

    #[test]
    fn a_flood_of_addresses_is_held_back_and_known_documents_stay() {
        let (site, cache, clock) = site(200, &good());
        cache.client(URL).unwrap();
        for n in 1..FETCHES_MAX {
            assert_eq!(cache.client(&format!("{URL}?{n}")).unwrap_err().code, Code::InvalidClient);
        }
        assert_eq!(cache.client(&format!("{URL}?more")).unwrap_err().code, Code::SlowDown);
        assert!(cache.client(URL).is_ok());
        assert_eq!(*site.asked.lock().unwrap(), FETCHES_MAX as u32);
        clock.advance(FETCHES_TIME);
        assert_eq!(cache.client(&format!("{URL}?more")).unwrap_err().code, Code::InvalidClient);
    }

    #[test]
    fn only_an_https_address_with_a_path_is_asked() {
        let (site, cache, _) = site(200, &good());
        for url in [
            "http://app.example/client.json",
            "https://app.example",
            "https://app.example/",
            "https://u@app.example/c",
            "https://app.example/a/../c",
            "https://app.example/c#f",
            "https:///c",
            "https://app.example/\"",
            "file:///etc/passwd",
        ] {
            assert!(cache.client(url).is_err(), "{url}");
        }
        assert_eq!(*site.asked.lock().unwrap(), 0);
    }
}

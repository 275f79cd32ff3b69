//! The only reading of a status: HTTP, OCS, Sabre and what hides behind a 200.

use serde_json::Value;

use super::cookies::http_date;
use super::error::{Kind, clean};
use super::response::ResponseHead;
use super::xml::SABRE;
use crate::clock::Clock;

/// What form the answer was to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Any,
    Json,
    Ocs,
    Multistatus,
}

/// What an answer says about its own failure.
#[derive(Debug, Default)]
struct Words {
    /// OCS `statuscode`.
    ocs: Option<i64>,
    /// Sabre's exception, or the `errorType` of an app.
    exception: String,
    message: String,
}

/// Why an answer is a failure; `None` if it is none. `body` is the whole body where an envelope was due, and the
/// first 64 kB of an error's body.
pub(super) fn classify(head: &ResponseHead, body: &[u8], due: Due) -> Option<Kind> {
    let html = is_html(head, body);
    if (200..300).contains(&head.status) {
        return hidden_failure(head, body, due, html);
    }
    if matches!(head.status, 301 | 302 | 303 | 307 | 308) {
        let to_login = head.header("Location").is_some_and(|to| to.contains("/login?redirect_url="));
        return Some(if to_login { Kind::Unauthorized } else { Kind::Redirected });
    }
    let words = words(head, body);
    if head.header("X-Nextcloud-Maintenance-Mode").is_some()
        || words.exception.ends_with("ServerMaintenanceMode")
    {
        return Some(Kind::Maintenance);
    }
    if let Some(kind) = by_exception(head.status, &words) {
        return Some(kind);
    }
    Some(match head.status {
        // nginx and Nextcloud answer a wrong Host with a page; an API never does.
        400 if html => Kind::NotNextcloud,
        // A page where data was due: the web server answered, since Nextcloud is at another path.
        404 | 405 if html && due != Due::Any => Kind::NotNextcloud,
        _ if words.ocs == Some(997) => Kind::Unauthorized,
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 | 410 => Kind::NotFound,
        405 => Kind::MethodNotAllowed,
        406 => Kind::NotAcceptable,
        409 => Kind::Conflict,
        412 => Kind::PreconditionFailed,
        413 => Kind::TooLarge,
        415 => Kind::UnsupportedMedia,
        416 => Kind::RangeNotSatisfiable,
        423 => Kind::Locked,
        429 => Kind::Throttled,
        400..500 => Kind::BadRequest,
        501 => Kind::NotImplemented,
        502..=504 => Kind::Unavailable,
        507 => Kind::QuotaExceeded,
        500.. => Kind::Server,
        _ => Kind::Malformed,
    })
}

/// Failures that came as 2xx: OCS v1's `statuscode`, an empty page of a controller that never ran, a web page.
fn hidden_failure(head: &ResponseHead, body: &[u8], due: Due, html: bool) -> Option<Kind> {
    match due {
        Due::Any => None,
        _ if head.status == 204 => None,
        // An unauthenticated OCS controller dies before it writes anything: 200, text/html, no body.
        Due::Json | Due::Ocs if body.is_empty() => Some(Kind::Unauthorized),
        _ if html => Some(Kind::NotNextcloud),
        Due::Ocs => match words(head, body).ocs {
            None => Some(Kind::Malformed),
            Some(100 | 200..=299) => None,
            Some(401 | 997) => Some(Kind::Unauthorized),
            Some(403) => Some(Kind::Forbidden),
            Some(404 | 998 | 999) => Some(Kind::NotFound),
            Some(409) => Some(Kind::Conflict),
            Some(412) => Some(Kind::PreconditionFailed),
            Some(423) => Some(Kind::Locked),
            Some(429) => Some(Kind::Throttled),
            Some(996 | 500..=599) => Some(Kind::Server),
            Some(_) => Some(Kind::BadRequest),
        },
        Due::Json | Due::Multistatus => None,
    }
}

/// Where the exception or the message says more than the status.
fn by_exception(status: u16, words: &Words) -> Option<Kind> {
    let exception = words.exception.rsplit('\\').next().unwrap_or_default();
    match (status, exception) {
        // MOVE onto a locked file is a 500.
        (500, "LockedException" | "FileLocked") => return Some(Kind::Locked),
        (403, "InvalidSyncToken") => return Some(Kind::SyncTokenInvalid),
        (507, "UnsupportedLimitOnInitialSyncException") => return Some(Kind::BadRequest),
        (500, "LibXMLException" | "InvalidArgumentException") => return Some(Kind::BadRequest),
        _ => {}
    }
    let message = words.message.as_str();
    match status {
        // Apps behind the CORS middleware accept Basic only; it has nothing to do with the credential's worth.
        401 if message == "CORS requires basic auth" => Some(Kind::SessionRequired),
        401 if message.contains("CSRF check not passed") => Some(Kind::SessionRequired),
        412 if message == "CSRF check failed" => Some(Kind::SessionRequired),
        // A disabled account is a 401 everywhere but in DAV. The words behind the class are in the person's language.
        503 if message.starts_with("OC\\User\\LoginException") => Some(Kind::Unauthorized),
        // Tables answers 500 where the row is missing.
        500 if message.contains("Did expect one result but found none") => Some(Kind::NotFound),
        _ => None,
    }
}

/// Nextcloud's own words about a failure, cleaned: OCS `message`, Sabre's `s:message`, an app's `message`.
pub(super) fn detail(head: &ResponseHead, body: &[u8]) -> Option<String> {
    let words = words(head, body);
    let mut message = words.message;
    for inside in [" when executing: query", ", No 'Authorization:", "(see https://curl", ", called in /"] {
        if let Some(at) = message.find(inside) {
            message.truncate(at);
        }
    }
    // "OCA\Tables\Service\RowService - find: Did expect …": class names help nobody.
    while let Some((class, rest)) = message.split_once(": ").or_else(|| message.split_once(" - ")) {
        if !class.starts_with("OC") || !class.contains('\\') {
            break;
        }
        message = rest.to_owned();
    }
    clean(&message).or_else(|| clean(words.exception.rsplit('\\').next().unwrap_or_default()))
}

fn words(head: &ResponseHead, body: &[u8]) -> Words {
    let media_type = head.media_type().unwrap_or_default();
    if body.is_empty() || media_type == "text/html" {
        return Words::default();
    }
    if media_type.ends_with("json") || matches!(body.first(), Some(b'{' | b'[' | b'"')) {
        return serde_json::from_slice(body).map(|value| json_words(&value)).unwrap_or_default();
    }
    match std::str::from_utf8(body).ok().and_then(|text| super::dav::parse(text).ok()) {
        Some(document) => xml_words(&document),
        None => Words::default(),
    }
}

fn json_words(value: &Value) -> Words {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(meta) = value.pointer("/ocs/meta") {
        let ocs = meta["statuscode"].as_i64().or_else(|| meta["statuscode"].as_str()?.parse().ok());
        let data = &value["ocs"]["data"];
        let message = [&meta["message"], &data["message"], &data["error"], data]
            .into_iter()
            .find_map(|v| v.as_str().filter(|s| !s.trim().is_empty()));
        return Words { ocs, message: message.unwrap_or_default().into(), ..Words::default() };
    }
    let message = ["message", "msg", "error", "errorMessage"]
        .iter()
        .find_map(|key| value[*key].as_str().filter(|s| !s.trim().is_empty()).map(str::to_owned))
        .or_else(|| text(value));
    let exception = text(&value["errorType"]).or_else(|| text(&value["exception"]));
    Words { ocs: None, message: message.unwrap_or_default(), exception: exception.unwrap_or_default() }
}

fn xml_words(document: &roxmltree::Document<'_>) -> Words {
    let text = |namespace: Option<&str>, name: &str| {
        document
            .descendants()
            .find(|n| n.tag_name().name() == name && n.tag_name().namespace() == namespace)
            .and_then(|n| n.text())
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    if document.root_element().has_tag_name("ocs") {
        return Words {
            ocs: text(None, "statuscode").parse().ok(),
            message: text(None, "message"),
            ..Words::default()
        };
    }
    Words { ocs: None, exception: text(Some(SABRE), "exception"), message: text(Some(SABRE), "message") }
}

fn is_html(head: &ResponseHead, body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let begins = |tag: &[u8]| start.get(..tag.len()).is_some_and(|s| s.eq_ignore_ascii_case(tag));
    head.media_type().as_deref() == Some("text/html") || begins(b"<!doctype") || begins(b"<html")
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3), from a number or a date.
pub(super) fn retry_after_s(head: &ResponseHead, clock: &Clock) -> Option<u64> {
    let value = head.header("Retry-After")?.trim();
    match value.parse() {
        Ok(seconds) => Some(seconds),
        Err(_) => {
            u64::try_from(http_date(value)?.saturating_sub(clock.now().unix_s() as i64)).ok().or(Some(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::HeaderMap;

    fn head(status: u16, headers: &[(&'static str, &str)]) -> ResponseHead {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("header"));
        }
        ResponseHead { status, headers: map }
    }

    fn sabre(exception: &str, message: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n  \
             <s:exception>{exception}</s:exception>\n  <s:message>{message}</s:message>\n</d:error>"
        )
    }

    const JSON: &str = "application/json; charset=utf-8";
    const XML: &str = "application/xml; charset=utf-8";
    const HTML: &str = "text/html; charset=UTF-8";

    /// Each row is an answer of Nextcloud 29.0.6.
    #[test]
    fn recorded_failures_have_their_kind_and_words() {
        let rows: &[(u16, &str, &str, Kind, Option<&str>)] = &[
            (
                401,
                JSON,
                r#"{"ocs":{"meta":{"status":"failure","statuscode":997,"message":"Current user is not logged in"},"data":[]}}"#,
                Kind::Unauthorized,
                Some("Current user is not logged in"),
            ),
            (
                401,
                "text/xml; charset=UTF-8",
                "<?xml version=\"1.0\"?>\n<ocs>\n <meta>\n  <status>failure</status>\n  <statuscode>997</statuscode>\n  <message>Unauthorised</message>\n </meta>\n <data/>\n</ocs>\n",
                Kind::Unauthorized,
                Some("Unauthorised"),
            ),
            (
                401,
                JSON,
                r#"{"message":"CORS requires basic auth"}"#,
                Kind::SessionRequired,
                Some("CORS requires basic auth"),
            ),
            (401, JSON, r#"{"message":""}"#, Kind::Unauthorized, None),
            (
                401,
                XML,
                &sabre(
                    r"Sabre\DAV\Exception\NotAuthenticated",
                    "No public access to this resource., Username or password was incorrect, No 'Authorization: Bearer' header found.",
                ),
                Kind::Unauthorized,
                Some("No public access to this resource., Username or password was incorrect"),
            ),
            (
                412,
                JSON,
                r#"{"message":"CSRF check failed"}"#,
                Kind::SessionRequired,
                Some("CSRF check failed"),
            ),
            (
                403,
                JSON,
                r#"{"status":403,"message":"Permission denied"}"#,
                Kind::Forbidden,
                Some("Permission denied"),
            ),
            (403, HTML, "", Kind::Forbidden, None),
            (
                403,
                XML,
                &sabre(r"Sabre\DAV\Exception\InvalidSyncToken", "Invalid or unknown sync token"),
                Kind::SyncTokenInvalid,
                Some("Invalid or unknown sync token"),
            ),
            (
                404,
                JSON,
                r#"{"errorType":"OCA\\Notes\\Service\\NoteDoesNotExistException"}"#,
                Kind::NotFound,
                Some("NoteDoesNotExistException"),
            ),
            (
                404,
                JSON,
                r#"{"ocs":{"meta":{"status":"failure","statuscode":998,"message":""},"data":[]}}"#,
                Kind::NotFound,
                None,
            ),
            (
                404,
                "text/xml; charset=UTF-8",
                "<?xml version=\"1.0\"?>\n<ocs>\n <meta>\n  <status>failure</status>\n  <statuscode>404</statuscode>\n  \
                 <message>Invalid query, please check the syntax.</message>\n </meta>\n <data/>\n</ocs>\n",
                Kind::NotFound,
                Some("Invalid query, please check the syntax."),
            ),
            (404, JSON, r#""File not found: 999999""#, Kind::NotFound, Some("File not found: 999999")),
            (404, JSON, "999999", Kind::NotFound, None),
            (
                404,
                JSON,
                r#"{"message":"OCA\\Tables\\Service\\RowService - find: Did expect one result but found none when executing: query \"SELECT * FROM `*PREFIX*tables_row_sleeves` WHERE `id` = :dcValue1\"; "}"#,
                Kind::NotFound,
                Some("Did expect one result but found none"),
            ),
            (
                405,
                XML,
                &sabre(
                    r"Sabre\DAV\Exception\MethodNotAllowed",
                    "The resource you tried to create already exists",
                ),
                Kind::MethodNotAllowed,
                Some("The resource you tried to create already exists"),
            ),
            (405, "text/xml; charset=UTF-8", "", Kind::MethodNotAllowed, None),
            (
                406,
                JSON,
                r#"{"msg":"No image with the matching MIME type was found on the server."}"#,
                Kind::NotAcceptable,
                Some("No image with the matching MIME type was found on the server."),
            ),
            (
                409,
                XML,
                &sabre(r"Sabre\DAV\Exception\Conflict", "Parent node does not exist"),
                Kind::Conflict,
                Some("Parent node does not exist"),
            ),
            (
                412,
                XML,
                &sabre(r"Sabre\DAV\Exception\PreconditionFailed", "An If-Match header was specified"),
                Kind::PreconditionFailed,
                Some("An If-Match header was specified"),
            ),
            (
                412,
                JSON,
                r#"{"id":88,"title":"Shopping list","error":false,"errorType":"","content":"v3"}"#,
                Kind::PreconditionFailed,
                None,
            ),
            (
                413,
                JSON,
                r#"{"ocs":{"meta":{"status":"failure","statuscode":413,"message":""},"data":[]}}"#,
                Kind::TooLarge,
                None,
            ),
            (
                415,
                XML,
                &sabre(
                    r"Sabre\DAV\Exception\UnsupportedMediaType",
                    "This resource only supports valid iCalendar 2.0 data.",
                ),
                Kind::UnsupportedMedia,
                Some("This resource only supports valid iCalendar 2.0 data."),
            ),
            (
                416,
                XML,
                &sabre(
                    r"Sabre\DAV\Exception\RequestedRangeNotSatisfiable",
                    "The start offset (1000) exceeded the size of the entity (23)",
                ),
                Kind::RangeNotSatisfiable,
                Some("The start offset (1000) exceeded the size of the entity (23)"),
            ),
            (
                422,
                JSON,
                r#""Collective already exists.""#,
                Kind::BadRequest,
                Some("Collective already exists."),
            ),
            (
                423,
                XML,
                &sabre(r"OCA\DAV\Connector\Sabre\Exception\FileLocked", "&quot;locked.bin&quot; is locked"),
                Kind::Locked,
                Some("\"locked.bin\" is locked"),
            ),
            (
                423,
                JSON,
                r#"{"errorType":"OCP\\Lock\\LockedException"}"#,
                Kind::Locked,
                Some("LockedException"),
            ),
            (
                429,
                JSON,
                r#"{"message":"Reached maximum delay"}"#,
                Kind::Throttled,
                Some("Reached maximum delay"),
            ),
            (
                429,
                XML,
                &sabre(r"OCA\DAV\Connector\Sabre\Exception\TooManyRequests", ""),
                Kind::Throttled,
                Some("TooManyRequests"),
            ),
            (
                400,
                JSON,
                r#"{"ocs":{"meta":{"status":"failure","statuscode":400,"message":""},"data":"String filter can’t be empty"}}"#,
                Kind::BadRequest,
                Some("String filter can’t be empty"),
            ),
            (400, JSON, "[]", Kind::BadRequest, None),
            (400, HTML, "<!DOCTYPE html>\n<html class=\"ng-csp\">", Kind::NotNextcloud, None),
            (500, HTML, "<!DOCTYPE html>\n<html class=\"ng-csp\">", Kind::Server, None),
            (
                500,
                XML,
                &sabre(r"OCP\Lock\LockedException", "&quot;locked.bin&quot; is locked"),
                Kind::Locked,
                Some("\"locked.bin\" is locked"),
            ),
            (
                500,
                XML,
                &sabre(r"Sabre\Xml\LibXMLException", "Namespace prefix c on calendar-query is not defined"),
                Kind::BadRequest,
                Some("Namespace prefix c on calendar-query is not defined"),
            ),
            (
                500,
                JSON,
                r#"{"message":"OCA\\Tables\\Service\\RowService - updateSet: OCA\\Tables\\Service\\RowService - getRowById: Did expect one result but found none when executing: query \"SELECT"}"#,
                Kind::NotFound,
                Some("Did expect one result but found none"),
            ),
            (
                500,
                JSON,
                r#"{"message":"Column with id 99999 is not part of table with id 3"}"#,
                Kind::Server,
                Some("Column with id 99999 is not part of table with id 3"),
            ),
            (
                501,
                XML,
                &sabre(r"Sabre\DAV\Exception\NotImplemented", ""),
                Kind::NotImplemented,
                Some("NotImplemented"),
            ),
            (
                503,
                XML,
                &sabre(r"OCA\DAV\Exception\ServerMaintenanceMode", "System is in maintenance mode."),
                Kind::Maintenance,
                Some("System is in maintenance mode."),
            ),
            (
                503,
                XML,
                &sabre(
                    r"Sabre\DAV\Exception\ServiceUnavailable",
                    r"OC\User\LoginException: Konto deaktiviert",
                ),
                Kind::Unauthorized,
                Some("Konto deaktiviert"),
            ),
            (503, HTML, "<!DOCTYPE html>", Kind::Unavailable, None),
            (
                503,
                XML,
                &sabre(
                    r"Sabre\DAV\Exception\ServiceUnavailable",
                    r"OC\User\LoginException: Account disabled",
                ),
                Kind::Unauthorized,
                Some("Account disabled"),
            ),
            (
                507,
                XML,
                &sabre(
                    r"Sabre\DAV\Exception\InsufficientStorage",
                    "Insufficient space in /big.bin, 5000000 required, 1048576 available",
                ),
                Kind::QuotaExceeded,
                Some("Insufficient space in /big.bin, 5000000 required, 1048576 available"),
            ),
            (
                507,
                XML,
                &sabre(r"OCA\DAV\Exception\UnsupportedLimitOnInitialSyncException", ""),
                Kind::BadRequest,
                Some("UnsupportedLimitOnInitialSyncException"),
            ),
        ];
        for (status, media_type, body, kind, words) in rows {
            let head = head(*status, &[("content-type", media_type)]);
            for due in [Due::Any, Due::Json, Due::Ocs, Due::Multistatus] {
                assert_eq!(classify(&head, body.as_bytes(), due), Some(*kind), "{status} {body}");
            }
            assert_eq!(detail(&head, body.as_bytes()).as_deref(), *words, "{status} {body}");
        }
    }

    #[test]
    fn maintenance_is_told_by_its_header() {
        let head = head(
            503,
            &[("content-type", HTML), ("x-nextcloud-maintenance-mode", "1"), ("retry-after", "120")],
        );
        assert_eq!(classify(&head, b"<!DOCTYPE html>", Due::Json), Some(Kind::Maintenance));
        assert_eq!(retry_after_s(&head, &Clock::manual(0)), Some(120));
    }

    #[test]
    fn where_nextcloud_is_installed_is_not_told() {
        let body = sabre(
            "TypeError",
            "Argument #1 must be of type Operator, null given, called in /var/www/x.php on line 354",
        );
        let head = head(500, &[("content-type", XML)]);
        assert_eq!(
            detail(&head, body.as_bytes()).as_deref(),
            Some("Argument #1 must be of type Operator, null given")
        );
    }

    #[test]
    fn ocs_failures_inside_a_200_are_found() {
        for (code, kind) in [
            (100, None),
            (200, None),
            (201, None),
            (102, Some(Kind::BadRequest)),
            (403, Some(Kind::Forbidden)),
            (404, Some(Kind::NotFound)),
            (997, Some(Kind::Unauthorized)),
            (998, Some(Kind::NotFound)),
            (996, Some(Kind::Server)),
        ] {
            let body = format!(
                r#"{{"ocs":{{"meta":{{"status":"x","statuscode":{code},"message":"m"}},"data":[]}}}}"#
            );
            assert_eq!(
                classify(&head(200, &[("content-type", JSON)]), body.as_bytes(), Due::Ocs),
                kind,
                "{code}"
            );
        }
    }

    #[test]
    fn a_2xx_that_is_no_answer_is_found() {
        let html = head(200, &[("content-type", HTML)]);
        assert_eq!(classify(&html, b"", Due::Ocs), Some(Kind::Unauthorized));
        assert_eq!(classify(&html, b"", Due::Json), Some(Kind::Unauthorized));
        assert_eq!(classify(&html, b"<!DOCTYPE html>", Due::Json), Some(Kind::NotNextcloud));
        assert_eq!(classify(&html, b"<!DOCTYPE html>", Due::Multistatus), Some(Kind::NotNextcloud));
        assert_eq!(classify(&html, b"<p>a note", Due::Any), None);
        let json = head(200, &[("content-type", JSON)]);
        assert_eq!(classify(&json, b"{}", Due::Ocs), Some(Kind::Malformed));
        assert_eq!(classify(&json, b"<HTML>", Due::Json), Some(Kind::NotNextcloud));
        assert_eq!(classify(&head(204, &[]), b"", Due::Json), None);
    }

    #[test]
    fn a_redirect_to_the_login_page_is_unauthorized() {
        let login = head(303, &[("location", "/login?redirect_url=/index.php/apps/files/")]);
        assert_eq!(classify(&login, b"", Due::Json), Some(Kind::Unauthorized));
        let other = head(302, &[("location", "https://other.example/")]);
        assert_eq!(classify(&other, b"", Due::Json), Some(Kind::Redirected));
    }

    #[test]
    fn retry_after_may_be_a_date() {
        let clock = Clock::manual(1_795_476_751_000);
        let at = |value: &str| retry_after_s(&head(503, &[("retry-after", value)]), &clock);
        assert_eq!(at("Mon, 23 Nov 2026 23:32:41 GMT"), Some(10));
        assert_eq!(at("Mon, 23 Nov 2020 23:32:41 GMT"), Some(0));
        assert_eq!((at("7"), at("soon")), (Some(7), None));
    }
}

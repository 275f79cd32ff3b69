//! Multistatus answers (RFC 4918 §13), read without ever trusting their shape.

use std::borrow::Cow;

use roxmltree::{Document, Node, ParsingOptions};

use super::error::{Error, Kind};
use super::path::{UrlPath, decode};
use super::xml::{DAV, Name};

/// More nodes than 10 MB of properties have; fewer than would hurt.
const NODES_MAX: u32 = 1_000_000;

/// A `207 Multi-Status` body.
pub struct Multistatus {
    text: String,
    prefix: String,
    request: String,
}

impl Multistatus {
    pub(super) fn new(body: Vec<u8>, prefix: &str, request: String) -> Result<Multistatus, Error> {
        match String::from_utf8(body) {
            Ok(text) => Ok(Multistatus { text, prefix: prefix.into(), request }),
            Err(_) => Err(Error::new(Kind::Malformed, request).because("the answer is not UTF-8")),
        }
    }

    /// Calls `visit` with every `response` element in the order of the answer. Fails with
    /// [`Malformed`](Kind::Malformed) before the first call if the body is no multistatus, has a document type
    /// declaration, or more than a million nodes.
    pub fn each(&self, mut visit: impl FnMut(Entry<'_>)) -> Result<(), Error> {
        let document = self.document()?;
        document
            .root_element()
            .children()
            .filter(|node| node.has_tag_name((DAV, "response")))
            .for_each(|node| visit(Entry { node, prefix: &self.prefix }));
        Ok(())
    }

    /// Collects what `map` makes of every `response` element.
    pub fn collect<T>(&self, mut map: impl FnMut(Entry<'_>) -> Option<T>) -> Result<Vec<T>, Error> {
        let mut out = Vec::new();
        self.each(|entry| out.extend(map(entry)))?;
        Ok(out)
    }

    /// The first of what `map` makes of the `response` elements.
    pub fn first<T>(&self, mut map: impl FnMut(Entry<'_>) -> Option<T>) -> Result<Option<T>, Error> {
        let mut out = None;
        self.each(|entry| {
            if out.is_none() {
                out = map(entry);
            }
        })?;
        Ok(out)
    }

    /// `DAV:sync-token` of a `sync-collection` report (RFC 6578 §6.2).
    pub fn sync_token(&self) -> Result<Option<String>, Error> {
        let document = self.document()?;
        let token = Element(document.root_element()).child((DAV, "sync-token")).and_then(Element::text);
        Ok(token.map(str::to_owned))
    }

    fn document(&self) -> Result<Document<'_>, Error> {
        let malformed = |why: String| Error::new(Kind::Malformed, self.request.clone()).because(why);
        let document = parse(&self.text).map_err(|e| malformed(e.to_string()))?;
        match document.root_element().has_tag_name((DAV, "multistatus")) {
            true => Ok(document),
            false => Err(malformed("the answer is no multistatus".into())),
        }
    }
}

/// Reads the root element of a body. Fails with [`Malformed`](Kind::Malformed) if it is no XML, or too much of it.
pub(super) fn read_xml<T>(
    body: Vec<u8>,
    request: String,
    read: impl FnOnce(Element<'_>) -> T,
) -> Result<T, Error> {
    let malformed = |why: String| Error::new(Kind::Malformed, request.clone()).because(why);
    let text = String::from_utf8(body).map_err(|_| malformed("the answer is not UTF-8".into()))?;
    let document = parse(&text).map_err(|error| malformed(error.to_string()))?;
    Ok(read(Element(document.root_element())))
}

/// Parses XML with document type declarations refused and the number of nodes bounded.
pub(super) fn parse(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
}

/// One `response` element: a resource and its properties.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    node: Node<'a, 'a>,
    prefix: &'a str,
}

impl<'a> Entry<'a> {
    /// The path of the resource, decoded once and relative to the base: `/remote.php/dav/files/alice/a b.txt`.
    /// Empty if the element has no `href`.
    pub fn href(&self) -> String {
        decode(&self.encoded())
    }

    /// The same as a path to send requests to; exact where [`Entry::href`] is ambiguous (an encoded `/`).
    pub fn path(&self) -> UrlPath {
        UrlPath::from_encoded(&self.encoded())
    }

    fn encoded(&self) -> Cow<'a, str> {
        relative(child(self.node, (DAV, "href")).and_then(|n| n.text()).unwrap_or_default(), self.prefix)
    }

    /// The status of the resource itself; only where it has no properties (RFC 4918 §14.24), for example 404 in
    /// a `sync-collection` report.
    pub fn status(&self) -> Option<u16> {
        child(self.node, (DAV, "status")).and_then(status_code)
    }

    /// The text of a property that was found (2xx). An empty or a nested property gives `None`; see
    /// [`Entry::has`] and [`Entry::element`].
    pub fn prop(&self, namespace: &str, name: &str) -> Option<&'a str> {
        self.element(namespace, name).and_then(Element::text)
    }

    /// Whether a property was found (2xx), empty or not.
    pub fn has(&self, namespace: &str, name: &str) -> bool {
        self.element(namespace, name).is_some()
    }

    /// The element of a property that was found (2xx), for nested ones such as `resourcetype`.
    pub fn element(&self, namespace: &str, name: &str) -> Option<Element<'a>> {
        self.found().find(|node| is(*node, (namespace, name))).map(Element)
    }

    /// All properties that were found (2xx).
    pub fn elements(&self) -> impl Iterator<Item = Element<'a>> + 'a {
        self.found().map(Element)
    }

    /// The entity tag of the resource, normalised as everywhere ([`etag`](super::etag)).
    pub fn etag(&self) -> Option<String> {
        self.prop(DAV, "getetag").and_then(super::response::normalise_etag)
    }

    /// Whether the resource is a folder (`DAV:collection`).
    pub fn is_collection(&self) -> bool {
        self.element(DAV, "resourcetype").is_some_and(|t| t.child((DAV, "collection")).is_some())
    }

    fn found(&self) -> impl Iterator<Item = Node<'a, 'a>> + 'a {
        self.node
            .children()
            .filter(|n| is(*n, (DAV, "propstat")))
            .filter(|n| {
                child(*n, (DAV, "status")).and_then(status_code).is_none_or(|s| (200..300).contains(&s))
            })
            .filter_map(|n| child(n, (DAV, "prop")))
            .flat_map(|n| n.children())
            .filter(Node::is_element)
    }
}

/// An XML element inside a property.
#[derive(Clone, Copy)]
pub struct Element<'a>(Node<'a, 'a>);

impl<'a> Element<'a> {
    /// Local name.
    pub fn name(self) -> &'a str {
        self.0.tag_name().name()
    }

    /// Namespace, empty if none.
    pub fn namespace(self) -> &'a str {
        self.0.tag_name().namespace().unwrap_or_default()
    }

    /// The text directly inside, if there is any but white space.
    pub fn text(self) -> Option<&'a str> {
        self.0.text().filter(|t| !t.trim().is_empty())
    }

    pub fn attribute(self, name: &str) -> Option<&'a str> {
        self.0.attribute(name)
    }

    /// The child elements.
    pub fn children(self) -> impl Iterator<Item = Element<'a>> + 'a {
        self.0.children().filter(Node::is_element).map(Element)
    }

    /// The first child element of this name.
    pub fn child(self, name: Name<'_>) -> Option<Element<'a>> {
        child(self.0, name).map(Element)
    }

    /// All elements below, this one first, in document order.
    pub fn descendants(self) -> impl Iterator<Item = Element<'a>> + 'a {
        self.0.descendants().filter(Node::is_element).map(Element)
    }

    /// Whether this is the element of that name.
    pub fn is(self, name: Name<'_>) -> bool {
        is(self.0, name)
    }
}

fn is(node: Node<'_, '_>, (namespace, name): Name<'_>) -> bool {
    node.is_element()
        && node.tag_name().name() == name
        && node.tag_name().namespace().unwrap_or_default() == namespace
}

fn child<'a>(node: Node<'a, 'a>, name: Name<'_>) -> Option<Node<'a, 'a>> {
    node.children().find(|n| is(*n, name))
}

/// `HTTP/1.1 404 Not Found` → 404.
fn status_code(node: Node<'_, '_>) -> Option<u16> {
    node.text()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// An encoded href without scheme, host and the base's path prefix.
pub(super) fn relative<'a>(href: &'a str, prefix: &str) -> Cow<'a, str> {
    let path = match href.trim().split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => href.trim(),
    };
    match path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') => rest.into(),
        Some("") if !prefix.is_empty() => "/".into(),
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::xml::{NC, OC};
    use super::*;
    use proptest::prelude::*;

    fn multistatus(inner: &str, prefix: &str) -> Multistatus {
        let text = format!(
            "<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\" \
             xmlns:oc=\"http://owncloud.org/ns\" xmlns:nc=\"http://nextcloud.org/ns\">{inner}</d:multistatus>"
        );
        Multistatus::new(text.into_bytes(), prefix, "PROPFIND files/alice".into()).expect("UTF-8")
    }

    const FILE: &str = "<d:response><d:href>/remote.php/dav/files/alice/docs/sub/emoji%20%f0%9f%8e%89%2b.txt</d:href>\
        <d:propstat><d:prop><d:displayname>emoji 🎉+.txt</d:displayname><d:getetag>&quot;7e43ce7&quot;</d:getetag>\
        <oc:tags/><d:resourcetype><d:collection/></d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status>\
        </d:propstat><d:propstat><d:prop><nc:note/><oc:checksums/></d:prop>\
        <d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>";

    #[test]
    fn properties_are_read_from_the_200_part_only() {
        let mut seen = 0;
        multistatus(FILE, "")
            .each(|e| {
                seen += 1;
                assert_eq!(e.href(), "/remote.php/dav/files/alice/docs/sub/emoji 🎉+.txt");
                assert_eq!(
                    e.path().as_str(),
                    "/remote.php/dav/files/alice/docs/sub/emoji%20%F0%9F%8E%89%2B.txt"
                );
                assert_eq!(e.prop(DAV, "displayname"), Some("emoji 🎉+.txt"));
                assert_eq!(e.etag().as_deref(), Some("7e43ce7"));
                assert!(e.is_collection() && e.has(OC, "tags") && e.prop(OC, "tags").is_none());
                assert!(!e.has(NC, "note") && !e.has(OC, "checksums"));
                assert_eq!((e.status(), e.elements().count()), (None, 4));
            })
            .expect("parses");
        assert_eq!(seen, 1);
    }

    #[test]
    fn a_sync_report_has_gone_entries_and_a_token() {
        let answer = multistatus(
            "<d:response><d:href>/remote.php/dav/calendars/alice/work-cal/allday-1.ics</d:href>\n\
             <d:status>HTTP/1.1 404 Not Found</d:status></d:response>\
             <d:sync-token>http://sabre.io/ns/sync/12</d:sync-token>",
            "",
        );
        let gone = answer.collect(|e| Some((e.path().last_segment()?, e.status()?))).expect("parses");
        assert_eq!(gone, [("allday-1.ics".to_owned(), 404)]);
        assert_eq!(answer.sync_token().expect("parses").as_deref(), Some("http://sabre.io/ns/sync/12"));
    }

    #[test]
    fn hrefs_lose_origin_and_prefix() {
        for (href, prefix, path) in [
            ("/nc/remote.php/dav/x", "/nc", "/remote.php/dav/x"),
            ("https://cloud.example.org/nc/remote.php/dav/x", "/nc", "/remote.php/dav/x"),
            ("http://localhost:8080/remote.php/dav/x", "", "/remote.php/dav/x"),
            ("/ncx/y", "/nc", "/ncx/y"),
            ("/nc", "/nc", "/"),
            ("http://h", "", "/"),
            ("", "", ""),
        ] {
            assert_eq!(relative(href, prefix), path, "{href}");
        }
    }

    #[test]
    fn an_empty_answer_has_no_entries() {
        assert_eq!(multistatus("", "").collect(|e| Some(e.href())).expect("parses"), Vec::<String>::new());
    }

    #[test]
    fn a_document_type_declaration_is_refused() {
        let text = "<!DOCTYPE a [<!ENTITY x \"y\">]><d:multistatus xmlns:d=\"DAV:\">&x;</d:multistatus>";
        let answer = Multistatus::new(text.into(), "", "PROPFIND x".into()).expect("UTF-8");
        assert_eq!(answer.each(|_| {}).unwrap_err().kind, Kind::Malformed);
    }

    #[test]
    fn what_is_no_multistatus_is_malformed() {
        for text in ["", "<html/>", "{}", "<d:multistatus xmlns:d=\"DAV:\">", "<multistatus/>"] {
            let answer = Multistatus::new(text.into(), "", "PROPFIND x".into()).expect("UTF-8");
            assert_eq!(answer.each(|_| {}).unwrap_err().kind, Kind::Malformed, "{text}");
        }
        let error = Multistatus::new(vec![0xff], "", "PROPFIND x".into()).err().expect("no UTF-8");
        assert_eq!(error.kind, Kind::Malformed);
    }

    #[test]
    fn a_root_element_is_read_and_anything_else_is_malformed() {
        let root = |body: &[u8]| read_xml(body.to_vec(), "POST x".into(), |root| root.name().to_owned());
        assert_eq!(root(b"<a><b/></a>").expect("parses"), "a");
        for bad in [&b"<a>"[..], b"", b"\xff", b"<!DOCTYPE a><a/>"] {
            assert_eq!(root(bad).unwrap_err().kind, Kind::Malformed);
        }
    }

    proptest! {
        #[test]
        fn hrefs_with_any_bytes_never_panic(href in "\\PC{0,40}|[%/.:0-9a-fG]{0,40}", prefix in "(/[a-z]{1,3})?") {
            let inner = format!("<d:response><d:href>{}</d:href></d:response>", super::super::xml::escape(&href));
            multistatus(&inner, &prefix)
                .each(|e| { let _ = (e.href(), e.path().target(), e.path().last_segment(), e.etag()); })
                .expect("parses");
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(answer) = Multistatus::new(bytes, "", "PROPFIND x".into()) {
                let _ = answer.each(|e| { e.href(); });
            }
        }
    }
}

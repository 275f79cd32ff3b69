//! Files and folders out of recorded listings: one table of resources, from which folders, searches and favourites are
//! answered with exactly the properties that were asked for.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

use super::{Place, missing};
use crate::replay::server::{Request, Response};
use crate::replay::tape::{Body, Exchange};

const FILES_PATH: &str = "/remote.php/dav/files/";
const DAV: &str = "DAV:";
const OC: &str = "http://owncloud.org/ns";
/// The prefixes that Nextcloud declares on every multistatus.
const PREFIXES: &[(&str, &str)] =
    &[("d", DAV), ("s", "http://sabredav.org/ns"), ("oc", OC), ("nc", "http://nextcloud.org/ns")];

/// Every resource of the recorded listings, by its decoded path without a slash at the end.
pub(super) struct Files(BTreeMap<String, Resource>);

struct Resource {
    /// As recorded, percent-encoded.
    href: String,
    properties: Vec<Property>,
}

#[derive(Clone)]
struct Property {
    name: Name,
    /// The whole element, in Nextcloud's prefixes.
    xml: String,
    /// Its text, in which searches look.
    text: String,
}

#[derive(Clone, PartialEq, Eq)]
struct Name {
    namespace: String,
    local: String,
}

impl Files {
    /// Takes in every recorded `PROPFIND` on files; the last one that tells a property counts.
    pub fn from_recordings(exchanges: &[Exchange]) -> Files {
        let mut table = BTreeMap::new();
        let listings = exchanges.iter().filter(|exchange| {
            let request = &exchange.request;
            request.method == "PROPFIND"
                && request.target.starts_with(FILES_PATH)
                && exchange.response.status == 207
        });
        for listing in listings {
            if let Body::Xml(text) | Body::Text(text) = &listing.response.body
                && let Ok(document) = Document::parse(text)
            {
                let responses =
                    document.root_element().children().filter(|n| n.has_tag_name((DAV, "response")));
                responses.for_each(|response| take_in(&mut table, response));
            }
        }
        Files(table)
    }

    /// Answers `PROPFIND` on files, `GET` on folders, `SEARCH`, and the report of favourites.
    pub fn answer(&self, request: &Request, place: &Place) -> Option<Response> {
        let text = std::str::from_utf8(&request.body).ok()?;
        let document = Document::parse(text).ok();
        let root = document.as_ref().map(Document::root_element);
        let in_files = place.path.starts_with(FILES_PATH) && !self.0.is_empty();
        match request.method.as_str() {
            "PROPFIND" if in_files => {
                let found = self.listed(&place.path, request.header("Depth").unwrap_or("infinity"));
                if found.is_empty() {
                    return Some(missing(request, place));
                }
                let wanted = root.and_then(|root| child(root, "prop")).map(names);
                Some(multistatus(&found, wanted.as_deref()))
            }
            "GET" if in_files => {
                self.0.get(&place.path).filter(|found| found.is_collection()).map(|_| folder())
            }
            "REPORT" if in_files => {
                let root = root.filter(|root| root.has_tag_name((OC, "filter-files")))?;
                let rules = root.children().find(|n| n.has_tag_name((OC, "filter-rules")))?;
                let mut rules = rules.children().filter(Node::is_element);
                if !rules.all(|rule| rule.has_tag_name((OC, "favorite")) && rule.text() == Some("1")) {
                    return None;
                }
                let mut found = self.listed(&place.path, "infinity");
                found.retain(|resource| resource.text_of(OC, "favorite") == "1");
                Some(multistatus(&found, child(root, "prop").map(names).as_deref()))
            }
            "SEARCH" if !self.0.is_empty() => self.search(child(root?, "basicsearch")?),
            _ => None,
        }
    }

    /// The resource at `path` and what `depth` asks for of what is below it (RFC 4918 §10.2).
    fn listed(&self, path: &str, depth: &str) -> Vec<&Resource> {
        let Some(own) = self.0.get(path) else { return Vec::new() };
        let below = format!("{path}/");
        let children = self.0.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
        let children = children.filter(|(path, _)| match depth {
            "0" => false,
            "1" => !path[below.len()..].contains('/'),
            _ => true,
        });
        std::iter::once(own).chain(children.map(|(_, resource)| resource)).collect()
    }

    /// RFC 5323 as far as Nextcloud has it.
    fn search(&self, query: Node<'_, '_>) -> Option<Response> {
        let wanted = names(child(child(query, "select")?, "prop")?);
        let scope = child(child(child(query, "from")?, "scope")?, "href")?.text().unwrap_or_default();
        let scope = scope.trim_end_matches('/');
        // As it stands: Nextcloud does not decode it.
        let path = format!("/remote.php/dav{scope}");
        let condition = child(query, "where").and_then(|w| w.first_element_child());
        let mut found: Vec<&Resource> = self.listed(&path, "infinity").into_iter().skip(1).collect();
        found.retain(|resource| condition.is_none_or(|condition| resource.holds(condition)));
        if let Some(orders) = child(query, "orderby") {
            let orders: Vec<_> = orders.children().filter(|n| n.has_tag_name((DAV, "order"))).collect();
            found.sort_by(|a, b| ordered(&orders, a, b));
        }
        let limit = |name: &str| {
            let limit = child(query, "limit")?.children().find(|n| n.tag_name().name() == name)?;
            limit.text()?.trim().parse::<usize>().ok()
        };
        let found: Vec<&Resource> = found
            .into_iter()
            .skip(limit("firstresult").unwrap_or(0))
            .take(limit("nresults").unwrap_or(usize::MAX))
            .collect();
        Some(multistatus(&found, Some(&wanted)))
    }
}

fn take_in(table: &mut BTreeMap<String, Resource>, response: Node<'_, '_>) {
    let Some(href) = child(response, "href").and_then(|href| href.text()) else { return };
    let path = percent_decode_str(href.trim_end_matches('/')).decode_utf8_lossy().into_owned();
    let resource =
        table.entry(path).or_insert_with(|| Resource { href: href.into(), properties: Vec::new() });
    for propstat in response.children().filter(|n| n.has_tag_name((DAV, "propstat"))) {
        let found = child(propstat, "status").and_then(|s| s.text()).is_some_and(|s| s.contains(" 200 "));
        let Some(prop) = child(propstat, "prop").filter(|_| found) else { continue };
        for element in prop.children().filter(Node::is_element) {
            let texts = element.descendants().filter(Node::is_text).filter_map(|n| n.text());
            let property = Property { name: name_of(element), xml: written(element), text: texts.collect() };
            resource.properties.retain(|known| known.name != property.name);
            resource.properties.push(property);
        }
    }
}

impl Resource {
    fn property(&self, namespace: &str, local: &str) -> Option<&Property> {
        self.properties.iter().find(|p| p.name.namespace == namespace && p.name.local == local)
    }

    fn text_of(&self, namespace: &str, local: &str) -> &str {
        self.property(namespace, local).map_or("", |p| p.text.as_str())
    }

    fn is_collection(&self) -> bool {
        self.property(DAV, "resourcetype").is_some_and(|p| p.xml.contains(":collection"))
    }

    /// A condition of a search (RFC 5323 §5.5).
    fn holds(&self, condition: Node<'_, '_>) -> bool {
        let mut parts = condition.children().filter(Node::is_element);
        let operator = condition.tag_name().name();
        match operator {
            "and" => return parts.all(|part| self.holds(part)),
            "or" => return parts.any(|part| self.holds(part)),
            "not" => return !parts.any(|part| self.holds(part)),
            "is-collection" => return self.is_collection(),
            _ => {}
        }
        let Some(name) = child(condition, "prop").and_then(|prop| prop.first_element_child()).map(name_of)
        else {
            return false;
        };
        // What a resource does not have compares with nothing, as NULL does in SQL.
        let Some(property) = self.property(&name.namespace, &name.local) else { return false };
        let literal = child(condition, "literal").and_then(|l| l.text()).unwrap_or_default();
        // Nextcloud takes `yes` for true, and all else for false.
        let literal = match (name.local.as_str(), literal) {
            ("favorite", "yes") => "1",
            ("favorite", _) => "0",
            _ => literal,
        };
        let value = property.text.as_str();
        let order = compare(value, literal);
        match operator {
            "eq" => order == Ordering::Equal,
            "gt" => order == Ordering::Greater,
            "gte" => order != Ordering::Less,
            "lt" => order == Ordering::Less,
            "lte" => order != Ordering::Greater,
            "like" => {
                let value: Vec<char> = value.to_lowercase().chars().collect();
                like(&value, &pattern(&literal.to_lowercase()))
            }
            _ => false,
        }
    }

    fn response(&self, wanted: Option<&[Name]>) -> String {
        let (mut found, mut not_found) = (String::new(), String::new());
        match wanted {
            None => self.properties.iter().for_each(|p| found.push_str(&p.xml)),
            Some(wanted) => {
                for name in wanted {
                    match self.property(&name.namespace, &name.local) {
                        Some(property) => found.push_str(&property.xml),
                        None => not_found.push_str(&name.empty_element()),
                    }
                }
            }
        }
        let mut out = format!("<d:response><d:href>{}</d:href>", escaped(&self.href));
        for (properties, status) in [(found, "200 OK"), (not_found, "404 Not Found")] {
            if !properties.is_empty() {
                let prop = format!("<d:prop>{properties}</d:prop><d:status>HTTP/1.1 {status}</d:status>");
                out.push_str(&format!("<d:propstat>{prop}</d:propstat>"));
            }
        }
        out + "</d:response>"
    }
}

impl Name {
    /// The tag, with a declaration if Nextcloud's own do not do.
    fn tag(&self) -> (String, String) {
        match PREFIXES.iter().find(|(_, namespace)| *namespace == self.namespace) {
            Some((prefix, _)) => (format!("{prefix}:{}", self.local), String::new()),
            None => (format!("x1:{}", self.local), format!(" xmlns:x1=\"{}\"", escaped(&self.namespace))),
        }
    }

    fn empty_element(&self) -> String {
        let (tag, declaration) = self.tag();
        format!("<{tag}{declaration}/>")
    }
}

/// An element with all that is in it, in Nextcloud's prefixes.
fn written(element: Node<'_, '_>) -> String {
    let (tag, declaration) = name_of(element).tag();
    let attributes = element.attributes().map(|a| format!(" {}=\"{}\"", a.name(), escaped(a.value())));
    let content = element.children().map(|child| match child.text() {
        Some(text) if child.is_text() => escaped(text),
        _ if child.is_element() => written(child),
        _ => String::new(),
    });
    let (attributes, content): (String, String) = (attributes.collect(), content.collect());
    format!("<{tag}{declaration}{attributes}>{content}</{tag}>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn multistatus(found: &[&Resource], wanted: Option<&[Name]>) -> Response {
    let declared: String =
        PREFIXES.iter().map(|(p, namespace)| format!(" xmlns:{p}=\"{namespace}\"")).collect();
    let responses: String = found.iter().map(|resource| resource.response(wanted)).collect();
    let body = format!("<?xml version=\"1.0\"?>\n<d:multistatus{declared}>{responses}</d:multistatus>");
    let headers = vec![("Content-Type".into(), "application/xml; charset=utf-8".into())];
    Response { status: 207, headers, body: body.into_bytes(), cut_after: None }
}

/// What Nextcloud says to `GET` on a folder (29.0.6).
fn folder() -> Response {
    let text = "This is the WebDAV interface. It can only be accessed by WebDAV clients such as the Nextcloud desktop \
                sync client.";
    let headers = vec![("Content-Type".into(), "text/html; charset=UTF-8".into())];
    Response { status: 200, headers, body: text.into(), cut_after: None }
}

fn child<'a, 'i>(node: Node<'a, 'i>, local: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.has_tag_name((DAV, local)))
}

fn name_of(element: Node<'_, '_>) -> Name {
    let name = element.tag_name();
    Name { namespace: name.namespace().unwrap_or_default().into(), local: name.name().into() }
}

fn names(prop: Node<'_, '_>) -> Vec<Name> {
    prop.children().filter(Node::is_element).map(name_of).collect()
}

fn ordered(orders: &[Node<'_, '_>], a: &Resource, b: &Resource) -> Ordering {
    let by = |order: &Node<'_, '_>| {
        let Some(property) = child(*order, "prop").and_then(|prop| prop.first_element_child()) else {
            return Ordering::Equal;
        };
        let name = name_of(property);
        let text = |resource: &Resource| resource.text_of(&name.namespace, &name.local).to_string();
        let ascending = compare(&text(a), &text(b));
        if child(*order, "descending").is_some() { ascending.reverse() } else { ascending }
    };
    orders.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Compares as numbers if both are, as times if both are, else as text without regard to case.
fn compare(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.trim().parse::<i64>(), b.trim().parse::<i64>()) {
        return a.cmp(&b);
    }
    if let (Some(a), Some(b)) = (sortable_time(a), sortable_time(b)) {
        return a.cmp(&b);
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}

/// `Mon, 23 Nov 2026 23:32:31 GMT` and `2026-11-23T23:32:31Z` as `2026-11-23T23:32:31`.
fn sortable_time(text: &str) -> Option<String> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if text.get(4..5) == Some("-") && text.get(10..11) == Some("T") {
        return text.get(..19).map(String::from);
    }
    let month = MONTHS.find(text.get(8..11)?)? / 3 + 1;
    let (day, year, time) = (text.get(5..7)?, text.get(12..16)?, text.get(17..25)?);
    Some(format!("{year}-{month:02}-{day}T{time}"))
}

/// One sign of a pattern of SQL's `LIKE`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// `%`
    AnyText,
    /// `_`
    AnyChar,
    /// Itself; `\` makes it so.
    Char(char),
}

fn pattern(text: &str) -> Vec<Sign> {
    let mut chars = text.chars();
    let mut signs = Vec::new();
    while let Some(c) = chars.next() {
        signs.push(match c {
            '%' => Sign::AnyText,
            '_' => Sign::AnyChar,
            '\\' => Sign::Char(chars.next().unwrap_or('\\')),
            c => Sign::Char(c),
        });
    }
    signs
}

/// Whether a value fits a pattern of SQL's `LIKE`.
fn like(value: &[char], pattern: &[Sign]) -> bool {
    // The rest of the pattern after the last `%`, and where in the value it was tried last.
    let mut retry: Option<(usize, usize)> = None;
    let (mut v, mut p) = (0, 0);
    while v < value.len() {
        match pattern.get(p) {
            Some(Sign::AnyText) => {
                retry = Some((p + 1, v));
                p += 1;
            }
            Some(sign) if *sign == Sign::AnyChar || *sign == Sign::Char(value[v]) => (v, p) = (v + 1, p + 1),
            _ => match retry {
                Some((after, tried)) => {
                    retry = Some((after, tried + 1));
                    (v, p) = (tried + 1, after);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|sign| *sign == Sign::AnyText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_its_two_wildcards_and_their_escape() {
        let matches = |value: &str, text: &str| like(&value.chars().collect::<Vec<_>>(), &pattern(text));
        for (value, text) in [
            ("a.txt", "%.txt"),
            ("a.txt", "_.t%t"),
            ("", "%"),
            ("aXbXc", "%X%c"),
            ("ab", "ab%"),
            ("100%_", r"100\%\_"),
            (r"a\b", r"a\\b"),
        ] {
            assert!(matches(value, text), "{value} {text}");
        }
        for (value, text) in
            [("a.md", "%.txt"), ("ab", "_"), ("", "_"), ("abc", "ab"), ("b", "a%"), ("1000", r"100\%")]
        {
            assert!(!matches(value, text), "{value} {text}");
        }
    }

    #[test]
    fn values_are_compared_as_what_they_are() {
        assert_eq!(compare("9", "10"), Ordering::Less);
        assert_eq!(compare("Mon, 23 Nov 2026 23:32:31 GMT", "2026-11-23T23:32:31Z"), Ordering::Equal);
        assert_eq!(compare("Tue, 14 Nov 2023 22:13:20 GMT", "2026-01-01T00:00:00+00:00"), Ordering::Less);
        assert_eq!(compare("README", "readme"), Ordering::Equal);
    }
}

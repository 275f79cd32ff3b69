//! XML out: one escaping function and the fixed bodies of RFC 4918, 5323, 6578, 4791 and 6352.

use std::fmt::Write;

/// `DAV:` (RFC 4918).
pub const DAV: &str = "DAV:";
/// ownCloud's properties, which Nextcloud kept.
pub const OC: &str = "http://owncloud.org/ns";
/// Nextcloud's properties.
pub const NC: &str = "http://nextcloud.org/ns";
/// CalDAV (RFC 4791).
pub const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// CardDAV (RFC 6352).
pub const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";
/// Apple's calendar colour and order.
pub const APPLE_ICAL: &str = "http://apple.com/ns/ical/";
/// CalendarServer's extensions (`getctag`, `source`).
pub const CS: &str = "http://calendarserver.org/ns/";
/// Sabre's error elements.
pub const SABRE: &str = "http://sabredav.org/ns";
/// The library that answers SEARCH in Nextcloud; offsets are its extension. In Nextcloud's own namespace they are ignored.
pub const SEARCHDAV: &str = "https://github.com/icewind1991/SearchDAV/ns";

/// Prefixes that every body of ours declares; bodies written elsewhere may use them as well.
const PREFIXES: &[(&str, &str)] =
    &[("d", DAV), ("oc", OC), ("nc", NC), ("cal", CALDAV), ("card", CARDDAV), ("x1", APPLE_ICAL), ("cs", CS)];

/// A property or element: namespace and local name.
pub type Name<'a> = (&'a str, &'a str);

/// Escapes text for an element or an attribute value. Characters that XML 1.0 §2.2 cannot carry become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A document whose root is `name`, with all prefixes of this module declared: `d`, `oc`, `nc`, `cal`, `card`,
/// `x1` (Apple) and `cs`. `inner` is XML.
pub fn document(name: Name<'_>, inner: &str) -> String {
    let tag = tag(name);
    let mut out = String::with_capacity(inner.len() + 512);
    out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<");
    out.push_str(&tag);
    for (prefix, namespace) in PREFIXES {
        let _ = write!(out, " xmlns:{prefix}=\"{namespace}\"");
    }
    let _ = write!(out, ">{inner}</{tag}>");
    out
}

/// `<d:prop>` with the names of the wanted properties.
pub fn prop(names: &[Name<'_>]) -> String {
    let mut out = String::from("<d:prop>");
    for name in names {
        out.push_str(&empty(*name));
    }
    out.push_str("</d:prop>");
    out
}

/// PROPFIND for the named properties (RFC 4918 §14.20).
pub fn propfind(names: &[Name<'_>]) -> String {
    document((DAV, "propfind"), &prop(names))
}

/// PROPPATCH (RFC 4918 §14.19): properties to set, with their values as text, and properties to remove.
pub fn proppatch(set: &[(Name<'_>, &str)], remove: &[Name<'_>]) -> String {
    let mut inner = String::new();
    if !set.is_empty() {
        inner.push_str("<d:set><d:prop>");
        set.iter().for_each(|(name, value)| inner.push_str(&element(*name, value)));
        inner.push_str("</d:prop></d:set>");
    }
    if !remove.is_empty() {
        let _ = write!(inner, "<d:remove>{}</d:remove>", prop(remove));
    }
    document((DAV, "propertyupdate"), &inner)
}

/// What to look for with SEARCH (RFC 5323 §5, `basicsearch`).
#[derive(Clone, Debug, Default)]
pub struct BasicSearch<'a> {
    /// Properties to return.
    pub select: &'a [Name<'a>],
    /// Where to begin, below `/remote.php/dav` and decoded: `/files/alice/a b`. Nextcloud takes this short form as it
    /// stands (29.0.6; an encoded one is not found).
    pub scope: &'a str,
    /// `0`, `1` or `infinity`.
    pub depth: &'a str,
    /// The condition as XML, such as `<d:is-collection/>`. Nextcloud answers 500 to none, so everything is
    /// matched then (`%` as display name).
    pub condition: &'a str,
    /// Properties to sort by, the weightiest first, and whether the greatest comes first.
    pub order: &'a [(Name<'a>, bool)],
    /// Number of results at most.
    pub limit: Option<u32>,
    /// Results to skip ([`SEARCHDAV`]). Nextcloud counts the searched folder itself as well if it matches, but does
    /// not send it.
    pub offset: u32,
}

/// SEARCH at `/remote.php/dav/`, to be sent as `text/xml`.
pub fn basic_search(search: &BasicSearch<'_>) -> String {
    let condition = match search.condition {
        "" => "<d:like><d:prop><d:displayname/></d:prop><d:literal>%</d:literal></d:like>",
        condition => condition,
    };
    let order: String = search
        .order
        .iter()
        .map(|(name, descending)| {
            let direction = if *descending { "<d:descending/>" } else { "<d:ascending/>" };
            format!("<d:order>{}{direction}</d:order>", prop(&[*name]))
        })
        .collect();
    let limit = search.limit.map_or(String::new(), |results| {
        let offset = match search.offset {
            0 => String::new(),
            offset => element((SEARCHDAV, "firstresult"), &offset.to_string()),
        };
        format!("<d:limit><d:nresults>{results}</d:nresults>{offset}</d:limit>")
    });
    document(
        (DAV, "searchrequest"),
        &format!(
            "<d:basicsearch><d:select>{}</d:select><d:from><d:scope><d:href>{}</d:href><d:depth>{}</d:depth>\
             </d:scope></d:from><d:where>{condition}</d:where><d:orderby>{order}</d:orderby>{limit}</d:basicsearch>",
            prop(search.select),
            escape(search.scope),
            escape(search.depth),
        ),
    )
}

/// REPORT shell: the root element, the wanted properties, and what the report asks for, as XML.
pub fn report(name: Name<'_>, props: &[Name<'_>], inner: &str) -> String {
    document(name, &format!("{}{inner}", prop(props)))
}

/// REPORT `calendar-multiget` (RFC 4791 §7.9) or `addressbook-multiget` (RFC 6352 §8.7). `hrefs` are encoded
/// and absolute on the server, that is with the base's path prefix ([`Client::href`](super::Client::href)).
pub fn multiget(name: Name<'_>, props: &[Name<'_>], hrefs: &[String]) -> String {
    report(name, props, &hrefs.iter().map(|href| element((DAV, "href"), href)).collect::<String>())
}

/// REPORT `sync-collection` (RFC 6578 §6.1). An empty token asks for everything.
pub fn sync_collection(token: &str, props: &[Name<'_>], limit: Option<u32>) -> String {
    let limit = limit.map_or(String::new(), |n| format!("<d:limit><d:nresults>{n}</d:nresults></d:limit>"));
    document(
        (DAV, "sync-collection"),
        &format!(
            "{}<d:sync-level>1</d:sync-level>{limit}{}",
            element((DAV, "sync-token"), token),
            prop(props)
        ),
    )
}

/// `<name>text</name>`, escaped.
pub fn element(name: Name<'_>, text: &str) -> String {
    let tag = tag(name);
    let close = tag.split(' ').next().unwrap_or_default();
    format!("<{tag}>{}</{close}>", escape(text))
}

/// `<name/>`.
pub fn empty(name: Name<'_>) -> String {
    format!("<{}/>", tag(name))
}

/// The name with its prefix; an unknown namespace is declared on the spot.
fn tag((namespace, local): Name<'_>) -> String {
    match PREFIXES.iter().find(|(_, known)| *known == namespace) {
        Some((prefix, _)) => format!("{prefix}:{local}"),
        None => format!("{local} xmlns=\"{}\"", escape(namespace)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(xml: &str) -> roxmltree::Document<'_> {
        roxmltree::Document::parse(xml).unwrap_or_else(|e| panic!("{e}: {xml}"))
    }

    #[test]
    fn propfind_names_each_property_in_its_namespace() {
        let xml =
            propfind(&[(DAV, "getetag"), (OC, "fileid"), (CALDAV, "calendar-home-set"), ("urn:other", "x")]);
        let doc = parsed(&xml);
        let names: Vec<_> = doc
            .descendants()
            .filter(|n| n.is_element())
            .map(|n| (n.tag_name().namespace().unwrap_or(""), n.tag_name().name()))
            .collect();
        assert_eq!(
            names,
            [
                (DAV, "propfind"),
                (DAV, "prop"),
                (DAV, "getetag"),
                (OC, "fileid"),
                (CALDAV, "calendar-home-set"),
                ("urn:other", "x")
            ]
        );
    }

    #[test]
    fn proppatch_escapes_values() {
        let xml = proppatch(&[((OC, "favorite"), "1"), (("urn:other", "x"), "a<b&\"c\"")], &[(NC, "note")]);
        let doc = parsed(&xml);
        let text: Vec<_> = doc.descendants().filter_map(|n| n.text()).collect();
        assert!(text.contains(&"a<b&\"c\""), "{text:?}");
        assert!(doc.descendants().any(|n| n.has_tag_name((DAV, "remove"))));
    }

    #[test]
    fn a_search_without_a_condition_matches_everything() {
        let search = BasicSearch {
            select: &[(DAV, "displayname")],
            scope: "/files/alice/a&b",
            depth: "infinity",
            limit: Some(5),
            offset: 10,
            order: &[((DAV, "getlastmodified"), true), ((DAV, "displayname"), false)],
            ..BasicSearch::default()
        };
        let xml = basic_search(&search);
        let doc = parsed(&xml);
        let text = |ns, name| doc.descendants().find(|n| n.has_tag_name((ns, name))).and_then(|n| n.text());
        assert_eq!(text(DAV, "literal"), Some("%"));
        assert_eq!(text(DAV, "href"), Some("/files/alice/a&b"));
        assert_eq!((text(DAV, "nresults"), text(SEARCHDAV, "firstresult")), (Some("5"), Some("10")));
        assert_eq!(doc.descendants().filter(|n| n.has_tag_name((DAV, "order"))).count(), 2);
    }

    #[test]
    fn reports_are_well_formed() {
        parsed(&sync_collection("http://sabre.io/ns/sync/1", &[(DAV, "getetag")], Some(2)));
        let xml = multiget((CALDAV, "calendar-multiget"), &[(CALDAV, "calendar-data")], &["/a%20b".into()]);
        assert!(parsed(&xml).root_element().has_tag_name((CALDAV, "calendar-multiget")));
    }

    proptest! {
        #[test]
        fn escaping_then_parsing_is_identity(text in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\u{fffe}\u{ffff}]{0,60}") {
            let xml = format!("<a b=\"{0}\">{0}</a>", escape(&text));
            let doc = parsed(&xml);
            prop_assert_eq!(doc.root_element().text().unwrap_or(""), &text);
            prop_assert_eq!(doc.root_element().attribute("b").unwrap_or(""), &text);
        }

        #[test]
        fn any_text_escapes_to_well_formed_xml(text in any::<String>()) {
            parsed(&format!("<a b=\"{0}\">{0}</a>", escape(&text)));
        }
    }
}

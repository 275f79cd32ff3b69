//! The recorded Nextcloud behind `--fixtures`: what can be looked at in it, and how it refuses the rest.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nextcloud_mcp_server::replay::ReplayServer;
use serde_json::{Value, json};

const NOTES: &str = "/index.php/apps/notes/api/v1/notes";
const FILES: &str = "/remote.php/dav/files/alice";

fn tour() -> ReplayServer {
    ReplayServer::tour(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).expect("the tour")
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The hrefs of a multistatus, without the folder of all files.
    fn hrefs(&self) -> Vec<String> {
        assert_eq!(self.status, 207, "{}", self.text());
        let document = roxmltree::Document::parse(self.text()).expect("XML");
        let hrefs = document.descendants().filter(|n| n.has_tag_name(("DAV:", "href")));
        hrefs.filter_map(|n| n.text()).map(|href| href.replacen(FILES, "", 1)).collect()
    }
}

fn ask(server: &ReplayServer, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let address = server.url().strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(address).expect("a connection");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sending the head");
    stream.write_all(body.as_bytes()).expect("sending the body");
    let mut out = Vec::new();
    stream.read_to_end(&mut out).expect("an answer");
    let end = out.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(out[..end].to_vec()).expect("a head in text");
    Answer { status: head[9..12].parse().expect("a status"), head, body: out[end + 4..].to_vec() }
}

fn get(server: &ReplayServer, target: &str) -> Answer {
    ask(server, "GET", target, &[], "")
}

fn list(server: &ReplayServer, path: &str, depth: &str, props: &str) -> Answer {
    let body = format!(
        "<d:propfind xmlns:d=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\"><d:prop>{props}</d:prop></d:propfind>"
    );
    ask(server, "PROPFIND", &format!("{FILES}{path}"), &[("Depth", depth)], &body)
}

fn search(server: &ReplayServer, scope: &str, condition: &str, rest: &str) -> Answer {
    let body = format!(
        "<d:searchrequest xmlns:d=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\"><d:basicsearch>\
         <d:select><d:prop><d:displayname/></d:prop></d:select>\
         <d:from><d:scope><d:href>/files/alice{scope}</d:href><d:depth>infinity</d:depth></d:scope></d:from>\
         <d:where>{condition}</d:where>{rest}</d:basicsearch></d:searchrequest>"
    );
    ask(server, "SEARCH", "/remote.php/dav/", &[("Content-Type", "text/xml")], &body)
}

fn ids(notes: &Value) -> Vec<i64> {
    notes.as_array().expect("a list").iter().filter_map(|note| note["id"].as_i64()).collect()
}

#[test]
fn the_server_and_its_user_are_there() {
    let server = tour();
    assert_eq!(get(&server, "/status.php").json()["installed"], true);
    let capabilities = get(&server, "/ocs/v2.php/cloud/capabilities").json();
    assert!(capabilities["ocs"]["data"]["capabilities"]["notes"].is_object());
    let logo = capabilities["ocs"]["data"]["capabilities"]["theming"]["logo"].as_str().unwrap_or_default();
    assert!(logo.starts_with(server.url()), "{logo}");
    assert_eq!(get(&server, "/ocs/v2.php/cloud/user?format=json").json()["ocs"]["data"]["id"], "alice");
    let body = "<x:propfind xmlns:x=\"DAV:\"><x:prop><x:current-user-principal/></x:prop></x:propfind>";
    let principal = ask(&server, "PROPFIND", "/remote.php/dav/", &[("Depth", "0")], body);
    assert!(principal.hrefs().contains(&"/remote.php/dav/principals/users/alice/".into()));
}

#[test]
fn notes_come_out_of_one_list() {
    let server = tour();
    let all = get(&server, &format!("{NOTES}?chunkSize=200"));
    assert_eq!(ids(&all.json()), ids(&get(&server, NOTES).json()));
    assert_eq!(all.header("X-Notes-Chunk-Cursor"), None);
    assert!(all.json()[0]["content"].is_string());
    let names = get(&server, &format!("{NOTES}?exclude=content")).json();
    assert!(ids(&names).contains(&88) && names[0].get("content").is_none() && names[0]["title"].is_string());
    let home = get(&server, &format!("{NOTES}?exclude=content&category=Home")).json();
    assert_eq!(ids(&home), [88, 92]);
    assert_eq!(ids(&get(&server, &format!("{NOTES}?category=Work%2FProjects")).json()), [91]);
    // As in the Notes app itself, the folders below do not count.
    assert!(ids(&get(&server, &format!("{NOTES}?category=Work")).json()).is_empty());
}

#[test]
fn a_note_has_its_content_and_etag() {
    let server = tour();
    let note = get(&server, &format!("{NOTES}/88"));
    assert_eq!(note.json()["title"], "Shopping list");
    assert_eq!(note.json()["content"], "# Shopping\n\n- milk\n- eggs\n");
    let etag = note.header("ETag").expect("an ETag").to_owned();
    assert_eq!(Some(etag.trim_matches('"')), note.json()["etag"].as_str());
    assert_eq!(get(&server, &format!("{NOTES}/88?exclude=content")).json().get("content"), None);
    let again = ask(&server, "GET", &format!("{NOTES}/88"), &[("If-None-Match", &etag)], "");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let image = "9a5d987a5fdaa735a1387e61b084f84d.png";
    let attachment = get(&server, &format!("/index.php/apps/notes/api/v1.4/attachment/88?path={image}"));
    assert!(
        attachment.header("Content-Type") == Some("image/png") && attachment.body.starts_with(b"\x89PNG")
    );
    assert_eq!(get(&server, "/index.php/apps/notes/api/v1/settings").json()["notesPath"], "Notes");
}

#[test]
fn folders_are_listed_to_the_depth_that_was_asked_for() {
    let server = tour();
    let root = list(&server, "/", "1", "<d:resourcetype/>").hrefs();
    assert_eq!(
        root,
        ["/", "/Notes/", "/docs/", "/noreshare.txt", "/shared%20file%20%c3%bc.txt", "/sharedir/"]
    );
    assert_eq!(list(&server, "/", "0", "<d:resourcetype/>").hrefs(), ["/"]);
    let docs = list(&server, "/docs", "1", "<d:displayname/>").hrefs();
    assert_eq!(docs, ["/docs/", "/docs/notes.md", "/docs/pixel.png", "/docs/readme.txt", "/docs/sub/"]);
    assert_eq!(list(&server, "/docs/sub/", "1", "<d:displayname/>").hrefs().len(), 9);
    let folder = get(&server, &format!("{FILES}/docs/"));
    assert_eq!((folder.status, folder.header("Content-Type")), (200, Some("text/html; charset=UTF-8")));
}

#[test]
fn a_listing_has_the_properties_that_were_asked_for() {
    let server = tour();
    let props = "<d:getcontentlength/><d:getetag/><oc:fileid/><oc:favorite/><y:own xmlns:y=\"urn:y\"/>";
    let answer = list(&server, "/docs/readme.txt", "0", props);
    let document = roxmltree::Document::parse(answer.text()).expect("XML");
    let propstats: Vec<(&str, Vec<(&str, &str)>)> = document
        .descendants()
        .filter(|n| n.has_tag_name(("DAV:", "propstat")))
        .filter_map(|propstat| {
            let status = propstat.children().find(|n| n.has_tag_name(("DAV:", "status")))?.text()?;
            let prop = propstat.children().find(|n| n.has_tag_name(("DAV:", "prop")))?;
            let found = prop.children().map(|n| (n.tag_name().name(), n.text().unwrap_or_default()));
            Some((status, found.collect()))
        })
        .collect();
    let etag = "\"289dae45098ccf26233d3cca180257f0\"";
    let found = vec![("getcontentlength", "23"), ("getetag", etag), ("fileid", "179"), ("favorite", "1")];
    let missing = vec![("own", "")];
    assert_eq!(propstats, [("HTTP/1.1 200 OK", found), ("HTTP/1.1 404 Not Found", missing)]);
}

#[test]
fn every_listed_file_can_be_read_and_is_as_listed() {
    let server = tour();
    let props = "<d:getcontentlength/><d:getetag/><d:getcontenttype/>";
    let answer = list(&server, "/", "infinity", props);
    let document = roxmltree::Document::parse(answer.text()).expect("XML");
    let mut files = 0;
    for response in document.descendants().filter(|n| n.has_tag_name(("DAV:", "response"))) {
        let text = |name| response.descendants().find(|n| n.has_tag_name(("DAV:", name)))?.text();
        let href = text("href").expect("an href");
        let Some(length) = text("getcontentlength") else { continue };
        let file = get(&server, href);
        assert_eq!((file.status, file.body.len().to_string().as_str()), (200, length), "{href}");
        assert_eq!(file.header("ETag"), text("getetag"), "{href}");
        let mime = file.header("Content-Type").and_then(|mime| mime.split(';').next());
        assert_eq!(mime, text("getcontenttype"), "{href}");
        files += 1;
    }
    assert_eq!(files, 24);
}

#[test]
fn odd_names_are_found_in_any_encoding() {
    let server = tour();
    for (name, content) in [
        ("100%25.txt", "special 100%.txt\n"),
        ("a+b&c.txt", "special a+b&c.txt\n"),
        ("a%2Bb%26c.txt", "special a+b&c.txt\n"),
        ("a%2bb%26c.txt", "special a+b&c.txt\n"),
        ("hash%23tag.txt", "special hash#tag.txt\n"),
        ("emoji%20%F0%9F%8E%89.txt", "special emoji 🎉.txt\n"),
    ] {
        assert_eq!(get(&server, &format!("{FILES}/docs/sub/{name}")).text(), content, "{name}");
    }
}

#[test]
fn a_range_gives_that_part_of_a_file() {
    let server = tour();
    let readme = format!("{FILES}/docs/readme.txt");
    let range = |range: &str| {
        let answer = ask(&server, "GET", &readme, &[("Range", range)], "");
        let content_range = answer.header("Content-Range").unwrap_or_default().to_owned();
        (answer.status, content_range, answer.text().to_owned())
    };
    let part =
        |first: usize, last: usize, text: &str| (206, format!("bytes {first}-{last}/23"), text.to_owned());
    assert_eq!(range("bytes=0-4"), part(0, 4, "Hello"));
    assert_eq!(range("bytes=16-"), part(16, 22, "line 2\n"));
    assert_eq!(range("bytes=16-999"), part(16, 22, "line 2\n"));
    assert_eq!(range("bytes=-7"), part(16, 22, "line 2\n"));
    let (status, content_range, text) = range("bytes=23-");
    assert_eq!((status, content_range.as_str()), (416, "bytes */23"));
    assert!(text.contains("RequestedRangeNotSatisfiable"), "{text}");
    assert_eq!(range("lines=1-2").0, 200);
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let server = tour();
    let readme = format!("{FILES}/docs/readme.txt");
    let etag = get(&server, &readme).header("ETag").expect("an ETag").to_owned();
    assert_eq!(ask(&server, "GET", &readme, &[("If-None-Match", &etag)], "").status, 304);
    assert_eq!(ask(&server, "GET", &readme, &[("If-None-Match", "\"other\"")], "").status, 200);
    let head = ask(&server, "HEAD", &readme, &[], "");
    assert_eq!((head.status, head.header("Content-Length"), head.body.len()), (200, Some("23"), 0));
}

#[test]
fn searches_look_at_names_types_sizes_and_favourites() {
    let server = tour();
    let like = |pattern: &str| {
        format!("<d:like><d:prop><d:displayname/></d:prop><d:literal>{pattern}</d:literal></d:like>")
    };
    assert_eq!(search(&server, "", &like("%READ%"), "").hrefs(), ["/docs/readme.txt"]);
    assert!(search(&server, "", &like("%nothing%"), "").hrefs().is_empty());
    let image = "<d:like><d:prop><d:getcontenttype/></d:prop><d:literal>image/%</d:literal></d:like>";
    assert_eq!(search(&server, "/docs", image, "").hrefs(), ["/docs/pixel.png"]);
    // Folders have no content type, so no comparison with one holds for them.
    let before = "<d:lt><d:prop><d:getcontenttype/></d:prop><d:literal>z</d:literal></d:lt>";
    assert_eq!(search(&server, "", before, "").hrefs().len(), 24);
    let favourite = "<d:eq><d:prop><oc:favorite/></d:prop><d:literal>yes</d:literal></d:eq>";
    let folder = format!("<d:and>{favourite}<d:not>{}</d:not></d:and>", like("%.md"));
    assert_eq!(search(&server, "", &folder, "").hrefs(), ["/docs/readme.txt"]);
    let biggest = "<d:orderby><d:order><d:prop><oc:size/></d:prop><d:descending/></d:order></d:orderby>\
        <d:limit><d:nresults>2</d:nresults></d:limit>";
    let files = "<d:not><d:is-collection/></d:not>";
    assert_eq!(search(&server, "/docs", files, biggest).hrefs()[0], "/docs/pixel.png");
    assert_eq!(search(&server, "/docs", files, biggest).hrefs().len(), 2);
}

#[test]
fn favourites_are_reported() {
    let server = tour();
    let body = "<oc:filter-files xmlns:d=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\"><d:prop><oc:fileid/></d:prop>\
        <oc:filter-rules><oc:favorite>1</oc:favorite></oc:filter-rules></oc:filter-files>";
    let answer = ask(&server, "REPORT", &format!("{FILES}/"), &[], body);
    assert_eq!(answer.hrefs(), ["/Notes/Home/Shopping%20list.md", "/docs/readme.txt"]);
}

#[test]
fn other_apps_answer_with_the_nearest_recording() {
    let server = tour();
    let props = "<d:propfind xmlns:d=\"DAV:\"><d:prop><d:displayname/></d:prop></d:propfind>";
    let depth = [("Depth", "1")];
    let calendars = ask(&server, "PROPFIND", "/remote.php/dav/calendars/alice", &depth, props);
    assert!(calendars.hrefs().contains(&"/remote.php/dav/calendars/alice/work-cal/".into()));
    let query = "<c:calendar-query xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\"><d:prop><d:getetag/>\
        <c:calendar-data/></d:prop><c:filter><c:comp-filter name=\"VCALENDAR\"><c:comp-filter name=\"VEVENT\"/>\
        </c:comp-filter></c:filter></c:calendar-query>";
    let events = ask(&server, "REPORT", "/remote.php/dav/calendars/alice/work-cal/", &depth, query);
    assert!(events.text().contains("BEGIN:VEVENT"), "{}", events.text());
    let books = ask(&server, "PROPFIND", "/remote.php/dav/addressbooks/users/alice/", &depth, props);
    assert!(books.hrefs().contains(&"/remote.php/dav/addressbooks/users/alice/friends/".into()));
    for (target, pointer, expected) in [
        ("/index.php/apps/deck/api/v1.0/boards", "/2/title", "Project B"),
        ("/ocs/v2.php/apps/tables/api/2/tables", "/ocs/data/1/title", "Inventory Ü"),
        ("/index.php/apps/cookbook/api/v1/recipes", "/0/name", "Käse Soup Deluxe"),
        (
            "/ocs/v2.php/apps/files_sharing/api/v1/shares?reshares=true",
            "/ocs/data/0/path",
            "/shared file ü.txt",
        ),
    ] {
        assert_eq!(get(&server, target).json().pointer(pointer), Some(&json!(expected)), "{target}");
    }
}

#[test]
fn another_word_in_a_query_is_another_question_and_another_number_is_not() {
    let server = tour();
    let shares = "/ocs/v2.php/apps/files_sharing/api/v1";
    let status = |target: String| get(&server, &target).status;
    assert_eq!(status(format!("{shares}/sharees?itemType=file&search=bo&perPage=50")), 200);
    assert_eq!(status(format!("{shares}/sharees?itemType=file&search=eve&perPage=10")), 404);
    assert_eq!(status(format!("{shares}/shares?path=/elsewhere")), 404);
    assert_eq!(status("/index.php/apps/notes/api/v1.4/attachment/88?path=other.png".into()), 404);
}

#[test]
fn what_was_not_recorded_is_told_in_words() {
    let server = tour();
    let words = "this is a recorded Nextcloud, and this is not in its recordings: ";
    let note = get(&server, &format!("{NOTES}/999999"));
    assert_eq!((note.status, &note.json()["message"]), (404, &json!(format!("{words}GET {NOTES}/999999"))));
    let ocs = get(&server, "/ocs/v2.php/apps/unheard/of?a=secret");
    let meta = &ocs.json()["ocs"]["meta"];
    assert_eq!((ocs.status, &meta["statuscode"]), (404, &json!(404)));
    assert_eq!(meta["message"], format!("{words}GET /ocs/v2.php/apps/unheard/of"));
    let first = get(&server, "/ocs/v1.php/apps/unheard/of");
    assert_eq!((first.status, &first.json()["ocs"]["meta"]["statuscode"]), (200, &json!(404)));
    for missing in [list(&server, "/a<b&c", "1", "<d:getetag/>"), get(&server, &format!("{FILES}/none.txt"))]
    {
        assert_eq!(missing.status, 404);
        let document = roxmltree::Document::parse(missing.text()).expect("XML");
        let message = document.descendants().find(|n| n.tag_name().name() == "message");
        assert!(message.and_then(|n| n.text()).is_some_and(|text| text.starts_with(words)));
    }
}

#[test]
fn a_write_is_refused_in_words_and_changes_nothing() {
    let server = tour();
    let words = "this is a recorded Nextcloud, in which nothing can be changed: ";
    let readme = format!("{FILES}/docs/readme.txt");
    for method in ["PUT", "DELETE", "MOVE", "COPY", "MKCOL", "PROPPATCH", "LOCK"] {
        let refused = ask(&server, method, &readme, &[], "x");
        assert_eq!(refused.status, 403, "{method}");
        assert!(refused.text().contains("<s:exception>Sabre\\DAV\\Exception\\Forbidden</s:exception>"));
        assert!(refused.text().contains(&format!("<s:message>{words}{method} {readme}</s:message>")));
    }
    assert_eq!(get(&server, &readme).text(), "Hello Nextcloud\nline 2\n");
    let note = ask(&server, "POST", NOTES, &[], "{\"title\":\"x\"}");
    assert_eq!((note.status, &note.json()["message"]), (403, &json!(format!("{words}POST {NOTES}"))));
    let shares = "/ocs/v2.php/apps/files_sharing/api/v1/shares";
    let share = ask(&server, "POST", shares, &[], "{}");
    assert_eq!((share.status, &share.json()["ocs"]["meta"]["statuscode"]), (403, &json!(403)));
}

/// A directory with one file `tour/x/bad.json`; removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn with(name: &str, text: &str) -> Scratch {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tour-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("tour/x")).expect("a directory");
        fs::write(root.join("tour/x/bad.json"), text).expect("a file");
        Scratch(root)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_malformed_recording_is_named_with_its_fault() {
    for (name, text, why) in [
        ("json", "[", "bad.json: EOF while parsing"),
        (
            "status",
            r#"[{"request":{"method":"GET","path":"/"},"response":{}}]"#,
            "bad.json: exchange 0.response: needs",
        ),
        (
            "member",
            r#"{"request":{"method":"GET","pfad":"/"},"response":{"status":200}}"#,
            "exchange 0.request: needs \"path\"",
        ),
        ("empty", "[]", "there are no recordings here"),
    ] {
        let scratch = Scratch::with(name, text);
        let fault = ReplayServer::tour(&scratch.0).err().expect("a fault").to_string();
        assert!(fault.contains(why), "{fault}");
    }
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nowhere");
    let fault = ReplayServer::tour(&nowhere).err().expect("a fault").to_string();
    assert!(fault.starts_with(&nowhere.join("tour").display().to_string()), "{fault}");
}

/// The messages of the README's `curl` commands go through the program as they stand there.
#[test]
fn the_walk_of_the_readme_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let walk =
        readme.split("## A first walk").nth(1).expect("a walk").split("\n## ").next().expect("its end");
    let messages: Vec<&str> = walk.split("-d '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
    let mut program = Command::new(env!("CARGO_BIN_EXE_nextcloud-mcp-server"))
        .args(["stdio", "--fixtures", "fixtures"])
        .current_dir(root)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let mut input = program.stdin.take().expect("its input");
    messages.iter().for_each(|message| writeln!(input, "{message}").expect("sending"));
    drop(input);
    let output = program.wait_with_output().expect("its end");
    assert!(output.status.success(), "{}", output.status);
    let mut answers: Vec<Value> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    answers.sort_by_key(|answer| answer["id"].as_i64());
    assert_eq!(answers.len(), messages.len(), "{answers:?}");
    let expected = ["nc_notes_search_notes", "Shopping list", "- milk", "readme.txt", "Hello Nextcloud"];
    for (answer, expected) in answers.iter().zip(expected) {
        let text = answer["result"].to_string();
        assert!(text.contains(expected) && !text.contains("isError"), "{answer}");
    }
    assert_eq!(answers.len(), expected.len());
}

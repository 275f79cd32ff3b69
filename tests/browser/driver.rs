//! A Chromium of one's own through WebDriver (<https://www.w3.org/TR/webdriver2/>): JSON over HTTP to `chromedriver`.
//!
//! Every look for something waits until it is there, for at most [`PATIENCE`]; nothing here sleeps.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Request;

use crate::program::{Folder, PATIENCE};

/// Under this key an element's name stands in an answer (WebDriver §12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const STARTED: &str = "started successfully on port ";

/// WebDriver's code points for keys (§17.4.2).
pub const TAB: char = '\u{E004}';
pub const ENTER: char = '\u{E007}';
pub const SPACE: char = ' ';

/// How a browser is set up.
pub struct Setup {
    /// What it asks pages for, as in `Accept-Language`.
    pub language: &'static str,
    /// Whether pages may run scripts.
    pub scripts: bool,
    /// `HOST:PORT` of an address bar, and where it leads instead.
    pub map: (String, String),
}

/// A browser with a fresh profile. Dropping it ends it, also in a test that fails.
pub struct Browser {
    agent: Agent,
    /// `http://127.0.0.1:PORT/session/ID`.
    session: String,
    /// Of the browser itself, which outlives a `chromedriver` that is killed.
    process_id: u64,
    driver: Child,
    _profile: Folder,
}

/// Something on a page.
pub struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Browser {
    pub fn new(setup: &Setup) -> Browser {
        let profile = Folder::new();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver; on Debian it is in the package chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().expect("standard output")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once(STARTED).map(|(_, port)| port.trim_end_matches('.').to_owned()));
        let port = port.expect("chromedriver names its port");
        // It must be able to go on writing.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(2 * PATIENCE));
        let agent = Agent::new_with_config(config.build());
        let mut browser = Browser {
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
            process_id: 0,
            driver,
            _profile: profile,
        };
        let wanted = capabilities(setup, browser._profile.path().to_str().expect("a path in UTF-8"));
        let begun = browser.post("", &wanted);
        browser.process_id = begun["capabilities"]["goog:processID"].as_u64().expect("a process id");
        browser.session.push('/');
        browser.session.push_str(begun["sessionId"].as_str().expect("a session"));
        browser
    }

    /// Opens an address and waits until it is loaded.
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    pub fn back(&self) {
        self.post("/back", &json!({}));
    }

    pub fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    /// What stands in the address bar.
    pub fn url(&self) -> String {
        self.get("/url").as_str().expect("an address").to_owned()
    }

    /// Waits for the first element that a CSS selector matches.
    pub fn find(&self, selector: &str) -> Element<'_> {
        self.located("css selector", selector)
    }

    /// How many there are now.
    pub fn count(&self, selector: &str) -> u64 {
        self.evaluate(&format!("document.querySelectorAll({}).length", json!(selector)))
            .as_u64()
            .expect("a number")
    }

    /// All that there are, once there is one.
    pub fn all(&self, selector: &str) -> Vec<Element<'_>> {
        let found = self.post("/elements", &json!({"using": "css selector", "value": selector}));
        found.as_array().expect("elements").iter().map(|value| self.element(value)).collect()
    }

    /// Waits until the page shows this, which has no double quote.
    pub fn see(&self, text: &str) {
        self.located("xpath", &format!("//body[contains(normalize-space(.), \"{text}\")]"));
    }

    /// Waits for a button or link that says this.
    pub fn button(&self, text: &str) -> Element<'_> {
        self.located("xpath", &format!("//*[self::button or self::a][normalize-space(.)=\"{text}\"]"))
    }

    /// The text of the page.
    pub fn text(&self) -> String {
        self.find("body").text()
    }

    /// What has the focus.
    pub fn focus(&self) -> Element<'_> {
        self.element(&self.get("/element/active"))
    }

    /// Strikes a key, wherever the focus is.
    pub fn press(&self, key: char) {
        let strike = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": strike}]}));
    }

    /// The window or tab that is looked at.
    pub fn window(&self) -> String {
        self.get("/window").as_str().expect("a window").to_owned()
    }

    /// Waits until there are so many windows and tabs; gives all but the one that is looked at.
    pub fn others(&self, count: usize) -> Vec<String> {
        let (own, deadline) = (self.window(), Instant::now() + PATIENCE);
        loop {
            let windows = self.get("/window/handles");
            let windows = windows.as_array().expect("windows");
            if windows.len() == count {
                let names = windows.iter().filter_map(Value::as_str).filter(|name| *name != own);
                return names.map(str::to_owned).collect();
            }
            assert!(Instant::now() < deadline, "{count} windows are awaited: {windows:?}");
        }
    }

    pub fn switch_to(&self, window: &str) {
        self.post("/window", &json!({"handle": window}));
    }

    /// The names of this page's cookies.
    pub fn cookies(&self) -> Vec<Value> {
        self.get("/cookie").as_array().expect("cookies").clone()
    }

    /// What a script gives back; works also where pages may run none.
    pub fn evaluate(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": format!("return {script}"), "args": []}))
    }

    /// Shows pages as on a screen of this size, in CSS pixels.
    pub fn screen(&self, (width, height): (u32, u32), is_phone: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Shows pages as where the person chose `light` or `dark`.
    pub fn scheme(&self, name: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": name}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// What the screen shows, as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let picture = self.get("/screenshot");
        STANDARD.decode(picture.as_str().expect("a picture")).expect("base64")
    }

    /// What the console said since it was last asked: script errors, blocked resources, violations of the policy.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        entries.as_array().expect("entries").iter().map(Value::to_string).collect()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    fn located(&self, using: &str, value: &str) -> Element<'_> {
        let answer = self.ask("POST", "/element", &json!({"using": using, "value": value}));
        match answer {
            Ok(value) => self.element(&value),
            Err(why) => panic!("{value} is not at {}: {why}\n{}", self.url(), self.text()),
        }
    }

    fn element(&self, value: &Value) -> Element<'_> {
        Element { browser: self, id: value[ELEMENT].as_str().expect("an element").to_owned() }
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, body).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder().method(method).uri(format!("{}{path}", self.session)).body(body);
        let mut response = self.agent.run(request.expect("a request")).expect("chromedriver answers");
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().expect("an answer");
        let mut answer: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {text}"));
        let value = answer["value"].take();
        if status == 200 { Ok(value) } else { Err(value["message"].clone()) }
    }
}

impl Element<'_> {
    pub fn click(&self) {
        self.post("/click", &json!({}));
    }

    /// Types into a field, in place of what is there.
    pub fn type_in(&self, text: &str) {
        self.post("/clear", &json!({}));
        self.post("/value", &json!({"text": text}));
    }

    /// What a person reads of it.
    pub fn text(&self) -> String {
        self.get("/text").as_str().unwrap_or_default().to_owned()
    }

    pub fn attribute(&self, name: &str) -> String {
        self.get(&format!("/attribute/{name}")).as_str().unwrap_or_default().to_owned()
    }

    /// A property of the style that it has now.
    pub fn style(&self, property: &str) -> String {
        self.get(&format!("/css/{property}")).as_str().unwrap_or_default().to_owned()
    }

    pub fn is_selected(&self) -> bool {
        self.get("/selected") == true
    }

    /// What screen readers call it (WebDriver §12.4.10).
    pub fn label(&self) -> String {
        self.get("/computedlabel").as_str().unwrap_or_default().to_owned()
    }

    fn get(&self, path: &str) -> Value {
        self.browser.get(&format!("/element/{}{path}", self.id))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.browser.post(&format!("/element/{}{path}", self.id), body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let request = Request::delete(&self.session).body(String::new()).expect("a request");
        // A browser that does not close when asked is ended by its process id.
        if self.agent.run(request).is_err() && self.process_id > 0 {
            let _ = Command::new("kill").args(["-KILL", &self.process_id.to_string()]).status();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn capabilities(setup: &Setup, profile: &str) -> Value {
    let (from, to) = &setup.map;
    let scripts = if setup.scripts { 1 } else { 2 };
    let arguments = json!([
        "--headless=new",
        // Chromium's sandbox wants a user that is not root, or namespaces; the pages here are all our own.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1280,800",
        format!("--host-resolver-rules=MAP {from} {to}"),
        format!("--user-data-dir={profile}"),
        format!("--lang={}", setup.language),
    ]);
    let preferences = json!({
        "intl.accept_languages": setup.language,
        "profile.managed_default_content_settings.javascript": scripts,
    });
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "timeouts": {"implicit": PATIENCE.as_millis(), "pageLoad": PATIENCE.as_millis()},
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {"args": arguments, "prefs": preferences},
    }}})
}

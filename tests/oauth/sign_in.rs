//! The whole way over HTTP: from a client that knows nothing but the address of `/mcp` to a call of a tool, and on.

use serde_json::json;

use crate::cloud::Cloud;
use crate::provider::FIRST_CLIENT;
use crate::site::Site;
use crate::web::{Browser, Client, URL, hidden, location, parameter};

const NO_PROVIDER: &str = "Sign-in uses Login Flow v2, which every Nextcloud has";
const GIVEN_BACK: &str = "gave a credential back user=alice";

#[test]
fn a_client_finds_its_way_from_the_challenge_to_the_endpoints() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let challenge = running.list("").header("WWW-Authenticate").expect("a challenge");
    assert!(
        challenge
            .contains("resource_metadata=\"http://localhost:8000/.well-known/oauth-protected-resource/mcp\"")
    );
    let resource = running.get("/.well-known/oauth-protected-resource/mcp").json();
    assert_eq!(resource["authorization_servers"][0], URL, "ours is first");
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = running.get(path).json();
        assert_eq!(metadata["issuer"], URL);
        assert_eq!(metadata["registration_endpoint"], "http://localhost:8000/oauth/register");
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    }
    // What clients want to see there that know it as OpenID Connect's.
    let openid = running.get("/.well-known/openid-configuration").json();
    assert_eq!(openid["subject_types_supported"], json!(["public"]));
    assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["RS256"]));
    assert_eq!(openid["jwks_uri"], "http://localhost:8000/oauth/jwks");
    assert_eq!(running.get("/oauth/jwks").json(), json!({"keys": []}));
    running.stopped();
}

#[test]
fn tokens_outlive_a_restart_and_revoking_gives_the_app_password_back() {
    let cloud = Cloud::new();
    let site = Site::new(&cloud.provider);
    let running = site.ready();
    let client = Client::registered(&running);
    client.sign_in(&Browser::new(&running));
    client.reads_a_note();
    assert_eq!(cloud.login().passwords, ["planted-app-password-1"]);
    let (id, access, refresh) = (client.id.clone(), client.access.take(), client.refresh.take());
    running.stopped();

    let mut running = site.ready();
    let client = Client::known(&running, id);
    client.access.replace(access);
    client.refresh.replace(refresh);
    client.reads_a_note();
    let renewed = client.renew();
    assert_eq!(renewed.json()["scope"], "notes:read notes:write", "what was ticked");
    client.keep(&renewed);
    client.reads_a_note();
    assert_eq!(cloud.login().made, 1, "nobody signed in again");

    assert_eq!(client.revoke().status, 200);
    let refused = client.call();
    assert_eq!(refused.status, 401, "{}", refused.whole);
    assert!(refused.header("WWW-Authenticate").expect("a challenge").contains("error=\"invalid_token\""));
    assert_eq!(client.renew().json()["error"], "invalid_grant");
    running.wait_for(GIVEN_BACK);
    assert!(cloud.login().passwords.is_empty());
    let log = running.stopped().log;
    assert!(!log.contains("planted-app-password") && !log.contains("nma_") && !log.contains("nmr_"), "{log}");
}

#[test]
fn without_the_oidc_app_people_sign_in_by_login_flow_v2() {
    let cloud = Cloud::without_provider();
    let mut running = Site::new(&cloud.provider).listening();
    let line = running.wait_for(NO_PROVIDER);
    assert!(line.contains("INFO") && line.contains("answered 404"), "{line}");
    assert_eq!(running.get("/health/ready").status, 200);

    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    // The form's answer leads to the page, which so can be loaded anew and come back to.
    let page = browser.get(&location(&browser.say_yes(&browser.ticket(&client.authorize_url(&[])))));
    assert_eq!(page.status, 200, "{}", page.whole);
    let nextcloud = format!("href=\"{}/login/v2/flow/flow-token\"", cloud.provider.url());
    assert!(page.whole.contains(&nextcloud), "{}", page.whole);
    let again = page.whole.split("; url=").nth(1).and_then(|rest| rest.split('"').next()).expect("a refresh");
    let still = browser.get(again);
    assert!(still.status == 200 && still.whole.contains(&nextcloud), "{}", still.whole);

    cloud.login().granted = true;
    let back = location(&browser.get(again));
    assert_eq!(location(&browser.get(again)), back, "a page that is loaded twice goes on as well");
    client.redeem(&back);
    client.reads_a_note();
    assert_eq!(cloud.login().made, 1);
    // Tokens of a provider that is not there are no reason to wait.
    assert_eq!(running.list("opaque-token-of-a-provider").status, 401);
    running.stopped();
}

#[test]
fn login_flow_v2_can_be_chosen_and_then_no_provider_is_asked() {
    let cloud = Cloud::new();
    let mut running = Site::new(&cloud.provider).with("MCP_LOGIN", "login_flow").listening();
    running.wait_for(&format!("{NO_PROVIDER}: MCP_LOGIN=login_flow"));
    assert_eq!(running.get("/health/ready").status, 200);
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    let page = browser.get(&location(&browser.say_yes(&browser.ticket(&client.authorize_url(&[])))));
    assert!(page.whole.contains("/login/v2/flow/flow-token"), "{}", page.whole);
    assert!(cloud.provider.asked("openid-configuration").is_empty());
    running.stopped();
}

#[test]
fn no_is_no_on_our_page_and_at_nextcloud() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    let ticket = browser.ticket(&client.authorize_url(&[]));
    let back = location(&browser.post("/oauth/consent", &[("ticket", &ticket), ("allow", "no")]));
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    cloud.login().denies = true;
    let to = location(&browser.say_yes(&browser.ticket(&client.authorize_url(&[]))));
    let back = location(&browser.get(&browser.at_provider(&to)));
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "code"), None);
    assert!(cloud.provider.asked("/apps/oidc/token").is_empty() && cloud.login().made == 0);
    running.stopped();
}

#[test]
fn a_credential_that_nextcloud_takes_back_makes_the_client_sign_in_again() {
    let cloud = Cloud::new();
    let running = Site::new(&cloud.provider).ready();
    let (client, browser) = (Client::registered(&running), Browser::new(&running));
    for disabled in [false, true] {
        client.sign_in(&browser);
        client.reads_a_note();
        // Revoked in the settings of Nextcloud, or the account is disabled.
        cloud.login().disabled = disabled;
        cloud.login().passwords.clear();
        assert_eq!(client.call().status, 401);
        let refused = client.renew();
        assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("invalid_grant")));
        cloud.login().disabled = false;
    }
    client.sign_in(&browser);
    client.reads_a_note();
    running.stopped();
}

#[test]
fn a_client_of_ours_that_the_provider_forgot_is_replaced() {
    let cloud = Cloud::new();
    let mut running = Site::new(&cloud.provider).ready();
    cloud.login().forgotten = Some(FIRST_CLIENT);
    {
        let (client, browser) = (Client::registered(&running), Browser::new(&running));
        let to = location(&browser.say_yes(&browser.ticket(&client.authorize_url(&[]))));
        let page = browser.get(&browser.at_provider(&to));
        assert!(page.status == 502 && page.whole.contains("Try again in a minute"), "{}", page.whole);
    }
    running.wait_for("OAuth client ready: nMI2ybRbtBmJARwb...");
    let client = Client::registered(&running);
    client.sign_in(&Browser::new(&running));
    client.reads_a_note();
    running.stopped();
}

#[test]
fn a_refresh_token_that_is_shown_twice_ends_the_grant_here_and_at_nextcloud() {
    let cloud = Cloud::new();
    let mut running = Site::new(&cloud.provider).ready();
    let id = {
        let client = Client::registered(&running);
        client.sign_in(&Browser::new(&running));
        let stolen = client.refresh.borrow().clone();
        client.keep(&client.renew());
        client.reads_a_note();
        let owned = client.refresh.replace(stolen);
        assert_eq!(client.renew().json()["error"], "invalid_grant");
        client.refresh.replace(owned);
        assert_eq!(client.renew().json()["error"], "invalid_grant");
        assert_eq!(client.call().status, 401);
        client.id.clone()
    };
    running.wait_for("a refresh token was shown twice");
    let line = running.wait_for(GIVEN_BACK);
    assert!(line.contains(&id) && cloud.login().passwords.is_empty(), "{line}");
    running.stopped();
}

#[test]
fn a_person_sees_their_connections_and_takes_one_back() {
    let cloud = Cloud::new();
    let mut running = Site::new(&cloud.provider).ready();
    {
        let (client, browser) = (Client::registered(&running), Browser::new(&running));
        assert!(browser.get("/").whole.contains("action=\"http://localhost:8000/oauth/sign-in\""));
        client.sign_in(&browser);
        let page = browser.get("/").whole;
        assert!(page.contains("Signed in as <strong>alice</strong>") && page.contains("Inspector"), "{page}");
        let (ticket, grant) = (hidden(&page, "ticket").expect("one"), hidden(&page, "grant").expect("one"));
        let fields = [("ticket", ticket.as_str()), ("grant", grant.as_str())];
        // Without the page's ticket, and from another browser, nothing happens.
        browser.post("/oauth/connections/end", &[("ticket", "guessed"), ("grant", &grant)]);
        Browser::new(&running).post("/oauth/connections/end", &fields);
        client.reads_a_note();
        assert_eq!(location(&browser.post("/oauth/connections/end", &fields)), "http://localhost:8000/");
        assert_eq!(client.call().status, 401);
        assert!(!browser.get("/").whole.contains("Inspector"));
        browser.post("/oauth/sign-out", &[("ticket", &ticket)]);
        assert!(!browser.get("/").whole.contains("Signed in as"));
        // Signing in on the page alone keeps no credential.
        let to = location(&browser.post("/oauth/sign-in", &[]));
        assert_eq!(location(&browser.get(&browser.at_provider(&to))), "http://localhost:8000/");
        assert!(browser.get("/").whole.contains("Signed in as <strong>alice</strong>"));
    }
    running.wait_for(GIVEN_BACK);
    assert!(cloud.login().made == 2 && cloud.login().passwords.is_empty());
    running.stopped();
}

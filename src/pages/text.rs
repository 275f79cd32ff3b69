//! Every word of the pages, by language.

use crate::tool::Scope;

/// The words of one language. `{}` is filled in where it is used.
pub struct Text {
    /// For `<html lang>`.
    pub language: &'static str,
    pub product: &'static str,
    pub consent_title: &'static str,
    /// An application without a name.
    pub nameless: &'static str,
    /// `{}`: the application's own name.
    pub asks: &'static str,
    pub unverified: &'static str,
    /// `{}`: a host.
    pub to_site: &'static str,
    pub to_this_computer: &'static str,
    /// `{}`: a scheme.
    pub to_application: &'static str,
    pub may: &'static str,
    pub afterwards: &'static str,
    pub allow: &'static str,
    pub deny: &'static str,
    pub waiting_title: &'static str,
    pub waiting: &'static str,
    pub open_nextcloud: &'static str,
    pub waiting_goes_on: &'static str,
    pub look_again: &'static str,
    pub problem_title: &'static str,
    pub problem_request: &'static str,
    /// `{}`: a host.
    pub back_to: &'static str,
    pub problem_no_login: &'static str,
    pub problem_denied: &'static str,
    pub problem_expired: &'static str,
    pub problem_nextcloud: &'static str,
    pub problem_rejected: &'static str,
    pub problem_ours: &'static str,
    pub home_about: &'static str,
    pub home_reachable: &'static str,
    pub home_unreachable: &'static str,
    pub home_connect: &'static str,
    pub home_address: &'static str,
    pub home_then: &'static str,
    pub home_password: &'static str,
    pub home_token: &'static str,
    pub home_claude_code: &'static str,
    pub home_file: &'static str,
    pub connections: &'static str,
    pub no_connections: &'static str,
    /// `{}`: a date.
    pub last_used: &'static str,
    pub revoke: &'static str,
    pub sign_in: &'static str,
    pub sign_in_why: &'static str,
    pub sign_out: &'static str,
    /// `{}`: a user id.
    pub signed_in_as: &'static str,
    scopes: [&'static str; 18],
}

pub const ENGLISH: Text = Text {
    language: "en",
    product: "Nextcloud for AI assistants",
    consent_title: "Allow access?",
    nameless: "An application without a name",
    asks: "{} asks for access to your Nextcloud.",
    unverified: "The application chose this name itself. Go on only if you have just started to connect it.",
    to_site: "Access is handed to the site {}.",
    to_this_computer: "Access is handed to a program on this computer.",
    to_application: "Access is handed to the application that opens {} links.",
    may: "It may",
    afterwards: "Next, Nextcloud asks who you are. You can take access back at any time, here or in Nextcloud under Settings, Security.",
    allow: "Allow and sign in",
    deny: "Do not allow",
    waiting_title: "Sign in at Nextcloud",
    waiting: "Nextcloud's own page asks you to sign in and to grant access. Come back to this page afterwards.",
    open_nextcloud: "Open Nextcloud",
    waiting_goes_on: "This page looks every few seconds whether you have granted access, and then goes on by itself.",
    look_again: "I have granted access: go on",
    problem_title: "This did not work",
    problem_request: "The application's request is not valid, so nothing was done. Remove the connection in the application and add it again.",
    back_to: "Back to {}",
    problem_no_login: "There is no sign-in under way here: it took too long, was finished before, or began in another browser. Start again in the application.",
    problem_denied: "Access was not granted at Nextcloud.",
    problem_expired: "The sign-in took too long. Start again in the application.",
    problem_nextcloud: "Nextcloud does not answer as it should at the moment. Try again in a minute; if it stays so, tell the administrator of this server.",
    problem_rejected: "What came back from the sign-in is not what was asked for, so it was not accepted. Start again in the application; if it stays so, tell the administrator of this server.",
    problem_ours: "This server has a problem of its own. Try again in a minute; its log says what is wrong.",
    home_about: "This server lets AI assistants work in your Nextcloud: notes, files, calendar, contacts and more, as far as you allow it.",
    home_reachable: "Nextcloud answers.",
    home_unreachable: "Nextcloud does not answer at the moment.",
    home_connect: "Connect an assistant",
    home_address: "Add this address as a connector or MCP server:",
    home_then: "The assistant then opens a page on which you sign in at Nextcloud and choose what it may do.",
    home_password: "The assistant has to send your Nextcloud user name and an app password (Nextcloud: Settings, Security) with each request, as Authorization: Basic. A terminal makes the value of them:",
    home_token: "Assistants show a token, which the administrator of this server gives you; put it in place of TOKEN.",
    home_claude_code: "Claude Code, in a terminal:",
    home_file: "Assistants with a configuration file:",
    connections: "Your connections",
    no_connections: "No assistant has access.",
    last_used: "last used {}",
    revoke: "Take access back",
    sign_in: "Sign in",
    sign_in_why: "Sign in to see which assistants have access, and to take it back.",
    sign_out: "Sign out",
    signed_in_as: "Signed in as {}.",
    scopes: [
        "read your notes",
        "write and delete notes",
        "read your files",
        "write and delete files",
        "see your shares",
        "share files and end shares",
        "read your calendars",
        "change your calendars",
        "read your tasks",
        "change your tasks",
        "read your contacts",
        "change your contacts",
        "read your Deck boards",
        "change your Deck boards",
        "read your tables",
        "change your tables",
        "read your recipes",
        "change your recipes",
    ],
};

pub const GERMAN: Text = Text {
    language: "de",
    product: "Nextcloud für KI-Assistenten",
    consent_title: "Zugriff erlauben?",
    nameless: "Eine Anwendung ohne Namen",
    asks: "{} möchte auf Ihre Nextcloud zugreifen.",
    unverified: "Diesen Namen hat sich die Anwendung selbst gegeben. Fahren Sie nur fort, wenn Sie gerade begonnen haben, sie zu verbinden.",
    to_site: "Der Zugriff geht an die Website {}.",
    to_this_computer: "Der Zugriff geht an ein Programm auf diesem Computer.",
    to_application: "Der Zugriff geht an die Anwendung, die {}-Links öffnet.",
    may: "Sie darf",
    afterwards: "Danach fragt Nextcloud, wer Sie sind. Sie können den Zugriff jederzeit zurücknehmen, hier oder in Nextcloud unter Einstellungen, Sicherheit.",
    allow: "Erlauben und anmelden",
    deny: "Nicht erlauben",
    waiting_title: "Bei Nextcloud anmelden",
    waiting: "Auf der Seite von Nextcloud melden Sie sich an und gewähren den Zugriff. Kehren Sie danach auf diese Seite zurück.",
    open_nextcloud: "Nextcloud öffnen",
    waiting_goes_on: "Diese Seite sieht alle paar Sekunden nach, ob Sie den Zugriff gewährt haben, und geht dann von selbst weiter.",
    look_again: "Ich habe den Zugriff gewährt: weiter",
    problem_title: "Das hat nicht geklappt",
    problem_request: "Die Anfrage der Anwendung ist ungültig, es ist nichts geschehen. Entfernen Sie die Verbindung in der Anwendung und fügen Sie sie neu hinzu.",
    back_to: "Zurück zu {}",
    problem_no_login: "Hier läuft keine Anmeldung: Sie hat zu lange gedauert, ist schon beendet oder begann in einem anderen Browser. Beginnen Sie in der Anwendung von vorn.",
    problem_denied: "Der Zugriff wurde bei Nextcloud nicht gewährt.",
    problem_expired: "Die Anmeldung hat zu lange gedauert. Beginnen Sie in der Anwendung von vorn.",
    problem_nextcloud: "Nextcloud antwortet gerade nicht, wie es soll. Versuchen Sie es in einer Minute noch einmal; bleibt es so, sagen Sie der Verwaltung dieses Servers Bescheid.",
    problem_rejected: "Was von der Anmeldung zurückkam, passt nicht zu ihr und wurde deshalb nicht angenommen. Beginnen Sie in der Anwendung von vorn; bleibt es so, sagen Sie der Verwaltung dieses Servers Bescheid.",
    problem_ours: "Dieser Server hat selbst ein Problem. Versuchen Sie es in einer Minute noch einmal; sein Protokoll sagt, was fehlt.",
    home_about: "Mit diesem Server arbeiten KI-Assistenten in Ihrer Nextcloud: Notizen, Dateien, Kalender, Kontakte und mehr, so weit Sie es erlauben.",
    home_reachable: "Nextcloud antwortet.",
    home_unreachable: "Nextcloud antwortet gerade nicht.",
    home_connect: "Einen Assistenten verbinden",
    home_address: "Fügen Sie diese Adresse als Connector oder MCP-Server hinzu:",
    home_then: "Der Assistent öffnet dann eine Seite, auf der Sie sich bei Nextcloud anmelden und wählen, was er darf.",
    home_password: "Der Assistent muss mit jeder Anfrage Ihren Nextcloud-Benutzernamen und ein App-Passwort (Nextcloud: Einstellungen, Sicherheit) senden, als Authorization: Basic. Den Wert dafür macht ein Terminal daraus:",
    home_token: "Assistenten weisen ein Token vor, das Ihnen die Verwaltung dieses Servers gibt; setzen Sie es für TOKEN ein.",
    home_claude_code: "Claude Code, im Terminal:",
    home_file: "Assistenten mit einer Konfigurationsdatei:",
    connections: "Ihre Verbindungen",
    no_connections: "Kein Assistent hat Zugriff.",
    last_used: "zuletzt benutzt {}",
    revoke: "Zugriff zurücknehmen",
    sign_in: "Anmelden",
    sign_in_why: "Melden Sie sich an, um zu sehen, welche Assistenten Zugriff haben, und um ihn zurückzunehmen.",
    sign_out: "Abmelden",
    signed_in_as: "Angemeldet als {}.",
    scopes: [
        "Ihre Notizen lesen",
        "Notizen schreiben und löschen",
        "Ihre Dateien lesen",
        "Dateien schreiben und löschen",
        "Ihre Freigaben sehen",
        "Dateien freigeben und Freigaben beenden",
        "Ihre Kalender lesen",
        "Ihre Kalender ändern",
        "Ihre Aufgaben lesen",
        "Ihre Aufgaben ändern",
        "Ihre Kontakte lesen",
        "Ihre Kontakte ändern",
        "Ihre Deck-Boards lesen",
        "Ihre Deck-Boards ändern",
        "Ihre Tabellen lesen",
        "Ihre Tabellen ändern",
        "Ihre Rezepte lesen",
        "Ihre Rezepte ändern",
    ],
};

impl Text {
    /// The first language of an `Accept-Language` header that there is (RFC 9110 §12.5.4, without weights: browsers send
    /// them in order); English otherwise.
    pub fn for_browser(accept_language: Option<&str>) -> &'static Text {
        let ranges = accept_language.unwrap_or_default().split(',');
        let mut tags = ranges.map(|range| range.split([';', '-']).next().unwrap_or_default().trim());
        tags.find_map(|tag| {
            [&ENGLISH, &GERMAN].into_iter().find(|text| tag.eq_ignore_ascii_case(text.language))
        })
        .unwrap_or(&ENGLISH)
    }

    /// What a scope means for a person.
    pub fn scope(&self, scope: Scope) -> &'static str {
        let place = Scope::ALL.iter().position(|known| *known == scope);
        place.and_then(|place| self.scopes.get(place)).copied().unwrap_or(scope.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_first_known_language_is_spoken() {
        let language = |header| Text::for_browser(header).language;
        assert_eq!(language(Some("de-AT,de;q=0.9,en;q=0.5")), "de");
        assert_eq!(language(Some("fr, en;q=0.8, de;q=0.7")), "en");
        assert_eq!((language(Some("fr")), language(None)), ("en", "en"));
    }

    #[test]
    fn every_scope_has_words_of_its_own_in_every_language() {
        for text in [&ENGLISH, &GERMAN] {
            let words: Vec<_> = Scope::ALL.iter().map(|scope| text.scope(*scope)).collect();
            let mut different = words.clone();
            different.sort_unstable();
            different.dedup();
            assert_eq!(different.len(), Scope::ALL.len());
            assert!(words.iter().all(|word| !word.contains(':')), "{words:?}");
        }
    }
}

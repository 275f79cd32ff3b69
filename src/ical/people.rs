//! ORGANIZER and ATTENDEE (RFC 5545 §3.8.4.1, §3.8.4.3).

use crate::contentline::Line;

/// Somebody who calls or comes to a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// A mail address; another kind of address as the whole URI.
    pub address: String,
    pub name: Option<String>,
    /// PARTSTAT: `ACCEPTED`, `DECLINED`, `TENTATIVE`, `NEEDS-ACTION` …
    pub status: Option<String>,
    /// ROLE: `REQ-PARTICIPANT`, `OPT-PARTICIPANT`, `CHAIR`, `NON-PARTICIPANT`.
    pub role: Option<String>,
}

impl Person {
    /// Reads an ORGANIZER or ATTENDEE line.
    pub fn of(line: &Line) -> Person {
        let param = |name| line.param(name).filter(|value| !value.is_empty()).map(str::to_owned);
        Person {
            address: address(line.value()).to_owned(),
            name: param("CN"),
            status: param("PARTSTAT").map(|status| status.to_ascii_uppercase()),
            role: param("ROLE").map(|role| role.to_ascii_uppercase()),
        }
    }

    /// Whether it is this mail address, in any case.
    pub fn is(&self, other: &str) -> bool {
        self.address.eq_ignore_ascii_case(address(other))
    }

    /// Reads what people write for an address: `bob@example.org`, `mailto:…`, `Bob B <bob@example.org>`. The error says
    /// which one is none.
    pub fn parse(text: &str) -> Result<Person, String> {
        let text = text.trim();
        let (name, mail) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, mail)) => (Some(name.trim().trim_matches('"').to_owned()), mail.trim()),
            None => (None, text),
        };
        let mail = address(mail).trim();
        let is_mail = mail
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
            && !mail.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;\"\\".contains(c));
        if !is_mail {
            return Err(format!("{text:?} is no mail address"));
        }
        let name = name.filter(|name| !name.is_empty());
        Ok(Person { address: mail.to_owned(), name, status: None, role: None })
    }

    /// Reads several, separated by commas or semicolons.
    pub fn parse_all(text: &str) -> Result<Vec<Person>, String> {
        let mut people: Vec<Person> = Vec::new();
        for part in text.split([',', ';', '\n']).filter(|part| !part.trim().is_empty()) {
            let person = Person::parse(part)?;
            if !people.iter().any(|known| known.is(&person.address)) {
                people.push(person);
            }
        }
        Ok(people)
    }

    /// The ATTENDEE line of an invitation that waits for an answer.
    pub fn invited(&self) -> Line {
        self.line("ATTENDEE")
            .with("CUTYPE", "INDIVIDUAL")
            .with("ROLE", "REQ-PARTICIPANT")
            .with("PARTSTAT", "NEEDS-ACTION")
            .with("RSVP", "TRUE")
    }

    /// The ATTENDEE line of the one who invites and comes, too.
    pub fn present(&self) -> Line {
        self.line("ATTENDEE").with("CUTYPE", "INDIVIDUAL").with("ROLE", "CHAIR").with("PARTSTAT", "ACCEPTED")
    }

    /// The ORGANIZER line of who invites.
    pub fn organizer(&self) -> Line {
        self.line("ORGANIZER")
    }

    fn line(&self, name: &str) -> Line {
        let line = Line::new(name, format!("mailto:{}", self.address));
        match &self.name {
            Some(name) => line.with("CN", name),
            None => line,
        }
    }
}

/// The mail address in `mailto:bob@example.org`; any other text as it stands.
pub fn address(uri: &str) -> &str {
    match uri.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &uri[7..],
        _ => uri,
    }
}

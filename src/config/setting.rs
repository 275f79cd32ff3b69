//! What one setting is: its names, its kind and its words.

/// One row of the table: a setting with every name it goes by.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name in the environment and in `.env`.
    pub key: &'static str,
    /// Other names that mean the same, kept for those who come from another server.
    pub aliases: &'static [&'static str],
    pub flags: &'static [Flag],
    /// What stands for the value in help texts: `PORT`.
    pub placeholder: &'static str,
    /// The value where nothing is set, as one would write it; empty where there is none.
    pub default: &'static str,
    /// One sentence.
    pub about: &'static str,
    pub group: Group,
    /// Never shown; gets a twin `KEY_FILE` that names a file holding the value.
    pub secret: bool,
    pub kind: Kind,
    /// A few words for `--help`, which has to fit one screen; empty: not shown there.
    pub help: &'static str,
}

/// A command line flag of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    pub long: &'static str,
    pub short: Option<&'static str>,
    /// The value that the bare flag stands for; `None`: the next argument is the value.
    pub stands_for: Option<&'static str>,
}

/// What a value has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// `http` or `https`, host, optional port and path; no user name, query or fragment.
    Url,
    Number {
        min: u64,
        max: u64,
    },
    /// Whole seconds, or with a unit: `50`, `50s`, `2m`.
    Seconds {
        min: u64,
        max: u64,
    },
    /// `true`, `1`, `yes`, `on` or their opposites, in any case.
    Switch,
    Path,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// Names separated by commas; blanks inside a name belong to it.
    Names,
    /// Words separated by commas or blanks; a flag may be repeated. An empty slice allows any word.
    List(&'static [&'static str]),
}

/// Settings that belong together; the order is that of the printed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Nextcloud,
    Listening,
    Access,
    Tools,
    Logging,
    Limits,
    OAuth,
}

impl Group {
    pub const ALL: [Group; 7] = [
        Group::Nextcloud,
        Group::Listening,
        Group::Access,
        Group::Tools,
        Group::Logging,
        Group::Limits,
        Group::OAuth,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Group::Nextcloud => "Nextcloud",
            Group::Listening => "Listening",
            Group::Access => "Who may call",
            Group::Tools => "Tools",
            Group::Logging => "Logging",
            Group::Limits => "Limits",
            Group::OAuth => "OAuth",
        }
    }

    /// What a reader has to know before the rows; may be empty.
    pub fn about(self) -> &'static str {
        match self {
            Group::Nextcloud => {
                "Use an app password (Nextcloud: Settings, Security), not the password of the account."
            }
            Group::Access => {
                "With user name and password set, the server acts for that one account (basic mode); \
                 without them it runs in OAuth mode over HTTP, and for the account of login over stdio."
            }
            Group::OAuth => {
                "Read in OAuth mode only; TOKEN_STORAGE_DB and TOKEN_ENCRYPTION_KEY also by login and logout, and by a \
                 server that serves the account of a login."
            }
            Group::Listening | Group::Tools | Group::Logging | Group::Limits => "",
        }
    }
}

impl Setting {
    /// The start of a row; everything a row does not say.
    pub(super) const fn blank(group: Group) -> Setting {
        Setting {
            key: "",
            aliases: &[],
            flags: &[],
            placeholder: "",
            default: "",
            about: "",
            group,
            secret: false,
            kind: Kind::Text,
            help: "",
        }
    }

    /// Every name of the setting in the environment, the preferred one first.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.key).chain(self.aliases.iter().copied())
    }

    /// `KEY_FILE` for each name of a secret; nothing for other settings.
    pub fn file_keys(&self) -> impl Iterator<Item = String> {
        let keys = self.secret.then(|| self.keys());
        keys.into_iter().flatten().map(|key| format!("{key}_FILE"))
    }
}

impl Flag {
    /// A flag followed by its value.
    pub(super) const fn value(long: &'static str, short: Option<&'static str>) -> Flag {
        Flag { long, short, stands_for: None }
    }

    /// A flag that stands for a value.
    pub(super) const fn bare(long: &'static str, stands_for: &'static str) -> Flag {
        Flag { long, short: None, stands_for: Some(stands_for) }
    }

    pub fn is(&self, argument: &str) -> bool {
        argument == self.long || Some(argument) == self.short
    }
}

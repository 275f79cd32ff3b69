//! Files that the operator keeps away from every tool: those with one of the tags in `EXCLUDED_TAGS`, and all that is in
//! folders with them. `docs/decisions/excluded-files.md` says what this protects from and what not.
//!
//! An app that takes a path or a file id asks [`Cx::admit`] (or one of its kin) before it does anything with it; an app
//! that shows files leaves out those that [`Exclusion::hides`]. What is tagged is looked up once in a call, by the first
//! who asks, and never kept: a file that was tagged a moment ago is out of reach in the next call.

use std::collections::{BTreeSet, HashSet};

use super::{Cx, ToolError};
use crate::nextcloud::{DAV, FilePlace, Kind, OC, Request, Subject, xml};
use crate::schema::DavPath;

/// What is kept away in one account at one moment.
#[derive(Debug, Default)]
pub struct Exclusion {
    in_force: bool,
    /// Whether any folder is among them.
    has_folders: bool,
    ids: HashSet<i64>,
    /// Of tagged files and folders, as Nextcloud spells them: `/docs/a.txt`.
    paths: BTreeSet<String>,
    /// The same, as [`folded`] spells them.
    folded: BTreeSet<String>,
}

/// How much of a path has to be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The path itself.
    Itself,
    /// The path and all below it.
    Whole,
}

impl Cx<'_> {
    /// What is kept away. Costs nothing if `EXCLUDED_TAGS` is not set; else, once in a call, a request and one more for each
    /// of the tags. Fails if it cannot be found out: then nothing may be done with any file.
    pub fn exclusion(&self) -> Result<&Exclusion, ToolError> {
        if let Some(known) = self.excluded.get() {
            return Ok(known);
        }
        let found = Exclusion::look_up(self).of("the list of files that are kept away from this server")?;
        Ok(self.excluded.get_or_init(|| found))
    }

    /// Refuses a path that is kept away: to be asked before it is read, written or made known. `path` need not exist.
    pub fn admit(&self, path: &DavPath) -> Result<(), ToolError> {
        self.exclusion()?.admit(self, path, Reach::Itself)
    }

    /// Refuses a path also if anything below it is kept away: to be asked before it is moved, copied, deleted, replaced or
    /// shared, which takes all that is in it along.
    pub fn admit_whole(&self, path: &DavPath) -> Result<(), ToolError> {
        self.exclusion()?.admit(self, path, Reach::Whole)
    }

    /// Refuses a file that is kept away, by its id. Costs one more request where a folder could be what keeps it away.
    pub fn admit_file_id(&self, file_id: i64) -> Result<(), ToolError> {
        let exclusion = self.exclusion()?;
        let is_tagged = exclusion.ids.contains(&file_id);
        let places = match exclusion.has_folders && !is_tagged {
            true => self.nc.places_of(file_id).of(format!("file {file_id}"))?,
            false => Vec::new(),
        };
        let hidden = is_tagged || places.iter().any(|place| exclusion.hides(&place.path, Some(place.id)));
        if hidden { Err(refusal(&format!("File {file_id}"), Reach::Itself)) } else { Ok(()) }
    }

    /// Refuses what is made of a whole folder also if anything in that is kept away, by the folder's id. `what` is the
    /// caller's word for it (`recipe 7`). Costs one more request if anything at all is kept away.
    pub fn admit_whole_file_id(&self, what: &str, file_id: i64) -> Result<(), ToolError> {
        let exclusion = self.exclusion()?;
        let places = match exclusion.is_empty() || exclusion.ids.contains(&file_id) {
            true => Vec::new(),
            false => self.nc.places_of(file_id).of(what)?,
        };
        let hidden = exclusion.ids.contains(&file_id)
            || places.iter().any(|place| exclusion.hides_part_of(&place.path, Some(place.id)));
        if hidden { Err(refusal(what, Reach::Itself)) } else { Ok(()) }
    }

    /// Refuses what belongs to a file that Nextcloud itself named, by its path as that spells it and by its id where it
    /// told one. `what` is the caller's word for it (`share 7`), as the path is not to be told.
    pub fn admit_found(&self, what: &str, path: &str, file_id: Option<i64>) -> Result<(), ToolError> {
        match self.exclusion()?.hides(path, file_id) {
            true => Err(refusal(what, Reach::Itself)),
            false => Ok(()),
        }
    }

    /// As [`admit_found`](Cx::admit_found), and refuses also if anything below the path is kept away.
    pub fn admit_found_whole(&self, what: &str, path: &str, file_id: Option<i64>) -> Result<(), ToolError> {
        self.admit_found(what, path, file_id)?;
        match self.exclusion()?.hides_part_of(path, file_id) {
            true => Err(refusal(what, Reach::Whole)),
            false => Ok(()),
        }
    }

    /// The refusal of what an app found to be kept away on its own.
    pub fn refusal(&self, what: &str) -> ToolError {
        refusal(what, Reach::Itself)
    }

    /// Refuses a tag that keeps files away, in any case of its letters: who may set or remove it could undo it.
    pub fn admit_tag(&self, name: &str) -> Result<(), ToolError> {
        if self.keeps_tag(name) { Err(refusal(&format!("The tag {name:?}"), Reach::Itself)) } else { Ok(()) }
    }

    /// Whether a tag is one of those that keep files away.
    pub fn keeps_tag(&self, name: &str) -> bool {
        self.settings.excluded_tags.iter().any(|tag| is_same_tag(tag, name))
    }
}

impl Exclusion {
    /// Whether any file could be kept away: a tag of that name exists, also if it is on no file that can be found. What
    /// Nextcloud shows without its tags, such as the trash bin, is out of reach then.
    pub fn is_in_force(&self) -> bool {
        self.in_force
    }

    /// Whether a file has to be left out of what is shown. `path` is as Nextcloud spells it, with or without the
    /// first slash.
    pub fn hides(&self, path: &str, file_id: Option<i64>) -> bool {
        self.meets(path, file_id, Reach::Itself)
    }

    /// Whether a file, or anything below it, has to be left out, as for [`hides`](Exclusion::hides).
    pub fn hides_part_of(&self, path: &str, file_id: Option<i64>) -> bool {
        self.meets(path, file_id, Reach::Whole)
    }

    fn meets(&self, path: &str, file_id: Option<i64>, reach: Reach) -> bool {
        if self.is_empty() {
            return false;
        }
        file_id.is_some_and(|id| self.ids.contains(&id))
            || meets(&self.paths, &format!("/{}", path.trim_matches('/')), reach)
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.paths.is_empty()
    }

    /// The tags by name, then the files of each. A tag that does not exist keeps nothing away; that is logged, since
    /// a misspelt name would go unnoticed.
    fn look_up(cx: &Cx) -> Result<Exclusion, crate::nextcloud::Error> {
        let mut exclusion = Exclusion::default();
        if cx.settings.excluded_tags.is_empty() {
            return Ok(exclusion);
        }
        let tags = cx.nc.system_tags()?;
        for name in &cx.settings.excluded_tags {
            let mut known = false;
            for tag in tags.iter().filter(|tag| is_same_tag(&tag.name, name)) {
                known = true;
                cx.nc.each_tagged(tag.id, &[(OC, "fileid"), (DAV, "resourcetype")], |entry, path| {
                    exclusion.has_folders |= entry.is_collection();
                    let id = entry.prop(OC, "fileid").and_then(|id| id.parse().ok());
                    exclusion.insert(id, path);
                })?;
            }
            exclusion.in_force |= known;
            if !known {
                log::warn!("a tag of EXCLUDED_TAGS is not to be seen in Nextcloud tag=\"{name}\"");
            }
        }
        Ok(exclusion)
    }

    fn insert(&mut self, file_id: Option<i64>, path: String) {
        self.ids.extend(file_id);
        self.folded.insert(folded(&path));
        self.paths.insert(path);
    }

    /// Whether a path is kept away, however it is spelled. `path` need not exist.
    pub fn hides_path(&self, cx: &Cx, path: &DavPath) -> Result<bool, ToolError> {
        self.reaches(cx, path, Reach::Itself)
    }

    /// Whether a path, or anything below it, is kept away, however it is spelled.
    pub fn hides_part_of_path(&self, cx: &Cx, path: &DavPath) -> Result<bool, ToolError> {
        self.reaches(cx, path, Reach::Whole)
    }

    fn admit(&self, cx: &Cx, path: &DavPath, reach: Reach) -> Result<(), ToolError> {
        if !self.reaches(cx, path, reach)? {
            return Ok(());
        }
        let spelling = path.canonical();
        let is_below_it =
            meets(&self.paths, &spelling, Reach::Whole) && !meets(&self.paths, &spelling, Reach::Itself);
        let told = if is_below_it { Reach::Whole } else { Reach::Itself };
        Err(refusal(&format!("{spelling:?}"), told))
    }

    fn reaches(&self, cx: &Cx, path: &DavPath, reach: Reach) -> Result<bool, ToolError> {
        if self.is_empty() {
            return Ok(false);
        }
        let spelling = path.canonical();
        // Nextcloud allows no name with a backslash, but takes it for a slash in some places.
        if meets(&self.paths, &spelling, reach) || spelling.contains('\\') {
            return Ok(true);
        }
        if spelling.chars().all(is_plain) && !meets(&self.folded, &folded(&spelling), reach) {
            return Ok(false);
        }
        // What is there, but cannot be told where, could be anything.
        Ok(real_places(cx, path)?.is_none_or(|places| {
            places.iter().any(|place| self.ids.contains(&place.id) || meets(&self.paths, &place.path, reach))
        }))
    }
}

/// Says no more than that: neither whether it exists nor what keeps it away.
fn refusal(what: &str, reach: Reach) -> ToolError {
    let whole = if reach == Reach::Whole { " as a whole" } else { "" };
    log::info!("a file was refused why=EXCLUDED_TAGS");
    ToolError::Refused(format!(
        "{what} is not available{whole} through this server. Do not look for another way; the person can use Nextcloud itself."
    ))
}

/// Whether `path`, or a folder that it is in, is in the set; with [`Reach::Whole`] also whether anything below it is.
fn meets(set: &BTreeSet<String>, path: &str, reach: Reach) -> bool {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    let mut ancestors = ends.map(|end| &path[..end]);
    if ancestors.any(|ancestor| set.contains(ancestor)) {
        return true;
    }
    let below = format!("{}/", path.trim_end_matches('/'));
    reach == Reach::Whole && set.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
}

/// Tag names are compared without regard to case: who wrote `Private` meant the tag `private` as well.
fn is_same_tag(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// One spelling for names that a storage without regard to case, or to dots at the end (SMB), takes for the same.
fn folded(path: &str) -> String {
    let names = path.split('/').map(|name| name.to_lowercase().trim_end_matches(['.', ' ']).to_owned());
    names.collect::<Vec<_>>().join("/")
}

/// Whether a character stays what it is in Unicode's composed form (NFC), in which Nextcloud stores names and which it
/// brings every path to. Takes too many for ones that change rather than too few; they cost a question only.
fn is_plain(c: char) -> bool {
    match c {
        '\0'..='\u{2ff}' => true,
        // Combining marks and Greek's doubles; Arabic, Indic and other marks that join with the letter before.
        '\u{300}'..='\u{387}' | '\u{653}'..='\u{655}' | '\u{6c0}'..='\u{6d3}' | '\u{900}'..='\u{109f}' => {
            false
        }
        // Hangul's single letters, Balinese, Vietnamese and Greek with several marks.
        '\u{1100}'..='\u{11ff}'
        | '\u{1b00}'..='\u{1b7f}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{1f00}'..='\u{1fff}' => false,
        // Spaces, units and brackets that have a twin; marks for symbols.
        '\u{2000}' | '\u{2001}' | '\u{20d0}'..='\u{20ff}' | '\u{2126}' | '\u{212a}' | '\u{212b}' => false,
        '\u{2329}' | '\u{232a}' | '\u{2adc}' | '\u{3099}' | '\u{309a}' => false,
        // Compatibility forms of Han, Hebrew and half marks; scripts and music beyond the basic plane.
        '\u{f900}'..='\u{faff}' | '\u{fb1d}'..='\u{fb4f}' | '\u{fe20}'..='\u{fe2f}' => false,
        '\u{10a00}'..='\u{16fff}' | '\u{1d100}'..='\u{1d1ff}' | '\u{2f800}'..='\u{2fa1f}' => false,
        _ => true,
    }
}

/// Where Nextcloud finds what `path` names, as it spells it. For what does not exist (yet), the nearest folder that does, with the
/// rest of the path as it was given. `None` if it is there, but where is not told.
fn real_places(cx: &Cx, path: &DavPath) -> Result<Option<Vec<FilePlace>>, ToolError> {
    let segments: Vec<&str> = path.segments().collect();
    for depth in (1..=segments.len()).rev() {
        let (found, rest) = segments.split_at(depth);
        let request = Request::new("PROPFIND", cx.nc.files(found)?)
            .header("Depth", "0")
            .xml(xml::propfind(&[(OC, "fileid"), (DAV, "resourcetype")]));
        let id = match cx.nc.multistatus(request) {
            Ok(answer) => answer.first(|entry| entry.prop(OC, "fileid")?.parse().ok())?,
            Err(error) if error.kind == Kind::NotFound => continue,
            Err(error) => return Err(error.about("the path").into()),
        };
        let places = match id {
            Some(id) => cx.nc.places_of(id)?,
            None => Vec::new(),
        };
        let rest: String = rest.iter().map(|name| format!("/{name}")).collect();
        let places = places.into_iter().map(|place| FilePlace { path: place.path + &rest, ..place });
        return Ok(Some(places.collect()).filter(|places: &Vec<FilePlace>| !places.is_empty()));
    }
    Ok(Some(Vec::new()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exclusion(paths: &[(i64, &str)]) -> Exclusion {
        let mut exclusion = Exclusion { in_force: true, ..Exclusion::default() };
        paths.iter().for_each(|(id, path)| exclusion.insert(Some(*id), (*path).to_owned()));
        exclusion
    }

    #[test]
    fn a_tagged_folder_hides_all_that_is_in_it_and_nothing_beside_it() {
        let exclusion = exclusion(&[(7, "/hr/private"), (8, "/a.txt")]);
        for hidden in ["/hr/private", "hr/private", "/hr/private/", "/hr/private/x/y.txt", "a.txt"] {
            assert!(exclusion.hides(hidden, None), "{hidden}");
        }
        for shown in
            ["/hr", "/", "", "/hr/private2", "/hr/privat", "/private", "/a.txt2", "/b/a.txt", "/hr/Private"]
        {
            assert!(!exclusion.hides(shown, None), "{shown}");
        }
        assert!(exclusion.hides("/elsewhere", Some(7)) && !exclusion.hides("/elsewhere", Some(9)));
        assert!(!Exclusion::default().hides("/hr/private", Some(7)));
    }

    #[test]
    fn what_takes_its_content_along_must_be_free_of_tagged_files() {
        let set = exclusion(&[(7, "/hr/private/x.txt"), (8, "/hr!")]).paths;
        for whole in ["/hr", "/hr/private", "/", "/hr/private/x.txt", "/hr!/a"] {
            assert!(meets(&set, whole, Reach::Whole), "{whole}");
        }
        for free in ["/h", "/hr/priv", "/hr/private/y", "/hr/private/x.txt2", "/hr/private!"] {
            assert!(!meets(&set, free, Reach::Whole), "{free}");
        }
        assert!(!meets(&set, "/hr", Reach::Itself));
        let exclusion = exclusion(&[(7, "/hr/private/x.txt")]);
        assert!(exclusion.hides_part_of("hr/", None) && exclusion.hides_part_of("/elsewhere", Some(7)));
        assert!(!exclusion.hides_part_of("/hr2", Some(9)) && !exclusion.hides("/hr", None));
    }

    #[test]
    fn spellings_that_a_storage_may_take_for_the_same_are_found_out() {
        assert_eq!(folded("/HR/Private. /Ärger"), "/hr/private/ärger");
        assert!(is_same_tag(" Private", "private") && !is_same_tag("private", "privat"));
        for odd in ["A\u{308}rger", "\u{212a}", "\u{1112}\u{1161}\u{11ab}", "\u{f900}", "か\u{3099}"] {
            assert!(!odd.chars().all(is_plain), "{odd}");
        }
        for plain in
            ["Ärger.txt", "über–100 % (2).txt", "日本語のファイル", "🎉", "한국어", "Привет", "שלום", "Łódź"]
        {
            assert!(plain.chars().all(is_plain), "{plain}");
        }
    }

    proptest! {
        #[test]
        fn a_path_is_met_exactly_if_a_prefix_of_whole_names_is_in_the_set(
            tagged in proptest::collection::vec("(/[ab!]{1,2}){1,3}", 0..5), path in "(/[ab!]{1,2}){1,4}"
        ) {
            let set: BTreeSet<String> = tagged.iter().cloned().collect();
            let is_in = |inner: &str, outer: &str| inner == outer || inner.starts_with(&format!("{outer}/"));
            prop_assert_eq!(meets(&set, &path, Reach::Itself), tagged.iter().any(|t| is_in(&path, t)));
            prop_assert_eq!(
                meets(&set, &path, Reach::Whole),
                tagged.iter().any(|t| is_in(&path, t) || is_in(t, &path))
            );
        }
    }
}

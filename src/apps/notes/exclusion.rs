//! Notes are files, and so may be among those that are kept away (see [`Exclusion`](crate::tool::Exclusion)).

use super::{ApiNote, settings};
use crate::nextcloud::Subject;
use crate::schema::DavPath;
use crate::tool::{Cx, Exclusion, ToolError};

/// Whether a note has to be left out of what is shown. A version of the app that does not tell where its notes are
/// shows none while anything could be kept away.
pub(super) fn is_hidden(exclusion: &Exclusion, note: &ApiNote) -> bool {
    match &note.internal_path {
        Some(path) => exclusion.hides(path, Some(note.id)),
        None => exclusion.is_in_force(),
    }
}

/// Whether the folder of all notes has to be left out of what is shown.
pub(super) fn is_folder_hidden(cx: &Cx, folder: &str) -> Result<bool, ToolError> {
    let exclusion = cx.exclusion()?;
    if exclusion.is_in_force() { exclusion.hides_path(cx, &path(folder)?) } else { Ok(false) }
}

/// Refuses a folder for notes that is kept away. To be asked outside of a turn, since it may ask the app.
pub(super) fn admit_category(cx: &Cx, category: &str) -> Result<(), ToolError> {
    if !cx.exclusion()?.is_in_force() {
        return Ok(());
    }
    let _turn = cx.nc.serialize("notes")?;
    let folder = settings(cx)?.notes_path;
    let names: Vec<String> = category.split('/').map(file_name).filter(|name| !name.is_empty()).collect();
    let is_hidden = cx.exclusion()?.hides_path(cx, &path(&format!("{folder}/{}", names.join("/")))?)?;
    // The caller named the category, but not the folder that it is in.
    if is_hidden { Err(cx.refusal(&format!("The category {category:?}"))) } else { Ok(()) }
}

/// Refuses an attachment that is kept away, or whose note is. The app takes its path from the note's folder, up to the folder of
/// all notes; as it is not known here where that is, every place is refused that could be meant.
pub(super) fn admit_attachment(cx: &Cx, note_id: i64, file: &str) -> Result<(), ToolError> {
    if !cx.exclusion()?.is_in_force() {
        return Ok(());
    }
    let notes = cx.nc.places_of(note_id).of(super::subject(note_id))?;
    if notes.is_empty() {
        return cx.admit_file_id(note_id);
    }
    for note in notes {
        cx.admit_found(&super::subject(note_id), &note.path, Some(note.id))?;
        for meant in places(&note.path, file) {
            cx.admit(&path(&meant)?)?;
        }
    }
    Ok(())
}

/// The paths that `file` can mean beside a note, for each folder above the note that `..` may stop at.
fn places(note: &str, file: &str) -> Vec<String> {
    let mut folder: Vec<&str> = note.split('/').filter(|name| !name.is_empty()).collect();
    folder.pop();
    let file = file.replace('\\', "/");
    let mut places: Vec<String> = (0..=folder.len())
        .map(|top| {
            let mut names = folder.clone();
            for name in file.split('/').filter(|name| !matches!(*name, "" | ".")) {
                match name {
                    ".." if names.len() > top => drop(names.pop()),
                    ".." => {}
                    name => names.push(name),
                }
            }
            format!("/{}", names.join("/"))
        })
        .collect();
    places.dedup();
    places
}

/// The name that the app makes of one part of a category (`NoteUtil::sanitisePath`).
fn file_name(part: &str) -> String {
    let kept: String =
        part.chars().filter(|c| !matches!(c, '*' | '|' | '\\' | ':' | '"' | '<' | '>' | '?')).collect();
    kept.trim_start_matches(|c: char| c == '.' || c.is_whitespace()).trim_end().to_owned()
}

fn path(path: &str) -> Result<DavPath, ToolError> {
    DavPath::parse(path).map_err(ToolError::Arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_is_looked_for_beside_its_note() {
        assert_eq!(places("/Notes/Work/a.md", ".attachments.7/x.png"), ["/Notes/Work/.attachments.7/x.png"]);
        assert_eq!(places("/Notes/a.md", "b//./c.png"), ["/Notes/b/c.png"]);
    }

    #[test]
    fn every_place_that_leads_upwards_is_thought_of() {
        assert_eq!(places("/Notes/Work/a.md", "../x"), ["/Notes/x", "/Notes/Work/x"]);
        assert_eq!(places("/N/W/a.md", "..\\../../x"), ["/x", "/N/x", "/N/W/x"]);
    }

    #[test]
    fn a_category_is_spelled_as_the_app_will_spell_it() {
        assert_eq!(file_name(" .Pri*v?ate "), "Private");
        assert_eq!(file_name("..."), "");
    }
}

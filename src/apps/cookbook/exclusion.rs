//! Recipes are folders, and so may be among those that are kept away (see [`Exclusion`](crate::tool::Exclusion)). A recipe
//! is one thing: it is kept away if anything in its folder is.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::recipe::ApiRecipe;
use super::{all_recipes, config};
use crate::nextcloud::{OC, Request, Subject, xml};
use crate::schema::DavPath;
use crate::tool::{Cx, ToolError};

/// Largest listing of the folder of all recipes, in bytes.
const LISTING_BYTES_MAX: u64 = 16 << 20;

/// Which recipes may be shown.
#[derive(Debug)]
pub(super) enum Shown {
    All,
    /// Those whose folders have these ids; none if the folder of all recipes is kept away. Cookbook lists from its memory, so
    /// a recipe that was moved to where it is kept away may still be in its lists.
    Only(HashSet<i64>),
}

impl Shown {
    pub(super) fn retain_in(&self, recipes: &mut Vec<ApiRecipe>) {
        if let Shown::Only(ids) = self {
            recipes.retain(|recipe| recipe.id().is_some_and(|id| ids.contains(&id)));
        }
    }
}

/// Which recipes are not kept away. Costs up to three requests besides those of [`Cx::exclusion`].
pub(super) fn shown_recipes(cx: &Cx) -> Result<Shown, ToolError> {
    let exclusion = cx.exclusion()?;
    if !exclusion.is_in_force() {
        return Ok(Shown::All);
    }
    let folder = folder(&config(cx)?)?;
    if exclusion.hides_path(cx, &folder)? {
        return Ok(Shown::Only(HashSet::new()));
    }
    if !exclusion.hides_part_of_path(cx, &folder)? {
        return Ok(Shown::All);
    }
    let request = Request::new("PROPFIND", cx.nc.files(folder.segments())?)
        .header("Depth", "1")
        .xml(xml::propfind(&[(OC, "fileid")]))
        .limit_bytes(LISTING_BYTES_MAX);
    let entries: Vec<(i64, String)> = cx
        .nc
        .multistatus(request)
        .of("the recipe folder")?
        .collect(|entry| {
            let name = entry.path().decoded_segments().last()?;
            Some((entry.prop(OC, "fileid")?.parse().ok()?, name))
        })
        .of("the recipe folder")?;
    // The folder comes first. Its path may be spelled in another way than those of what is kept away.
    let Some(((folder_id, _), recipes)) = entries.split_first() else {
        return Ok(Shown::Only(HashSet::new()));
    };
    let places = cx.nc.places_of(*folder_id).of("the recipe folder")?;
    let is_shown = |(id, name): &&(i64, String)| {
        let is_hidden_at = |folder: &str| exclusion.hides_part_of(&format!("{folder}/{name}"), Some(*id));
        !places.is_empty() && !places.iter().any(|place| is_hidden_at(&place.path))
    };
    Ok(Shown::Only(recipes.iter().filter(is_shown).map(|(id, _)| *id).collect()))
}

/// The recipes that may be shown if these are not all; else `None`.
pub(super) fn recipes_if_some_are_hidden(cx: &Cx) -> Result<Option<Vec<ApiRecipe>>, ToolError> {
    let shown = shown_recipes(cx)?;
    if let Shown::All = shown {
        return Ok(None);
    }
    let mut recipes = all_recipes(cx)?;
    shown.retain_in(&mut recipes);
    Ok(Some(recipes))
}

/// Refuses what is written into the folder of all recipes if that is kept away.
pub(super) fn admit_folder(cx: &Cx) -> Result<(), ToolError> {
    match cx.exclusion()?.is_in_force() && is_folder_hidden(cx, &config(cx)?)? {
        true => Err(cx.refusal("The recipe folder")),
        false => Ok(()),
    }
}

/// Whether the folder of all recipes is kept away.
pub(super) fn is_folder_hidden(cx: &Cx, config: &Map<String, Value>) -> Result<bool, ToolError> {
    let exclusion = cx.exclusion()?;
    if exclusion.is_in_force() { exclusion.hides_path(cx, &folder(config)?) } else { Ok(false) }
}

/// Refuses a picture that is kept away. Cookbook takes a picture that is no URL for a path below the user's files, and copies
/// what is there into the recipe; without a slash first, the path leads beside them, as to the trash bin.
pub(super) fn admit_image(cx: &Cx, image: &str) -> Result<(), ToolError> {
    if image.is_empty() || image.starts_with("http") || !cx.exclusion()?.is_in_force() {
        return Ok(());
    }
    let path = DavPath::parse(image).ok().filter(|_| image.starts_with('/'));
    match path.map_or(Ok(true), |path| cx.exclusion()?.hides_path(cx, &path))? {
        true => Err(cx.refusal("The picture of the recipe")),
        false => Ok(()),
    }
}

fn folder(config: &Map<String, Value>) -> Result<DavPath, ToolError> {
    let folder = config.get("folder").and_then(Value::as_str).unwrap_or_default();
    DavPath::parse(folder)
        .map_err(|why| ToolError::Refused(format!("The recipe folder cannot be used: {why}.")))
}

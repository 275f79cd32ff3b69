//! Recipes are folders, and so may be among those that are kept away (see [`Exclusion`](crate::tool::Exclusion)). A recipe
//! is one thing: it is kept away if anything in its folder is.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::recipe::ApiRecipe;
use super::{all_recipes, config};
use crate::nextcloud::{Kind, OC, Request, Subject, xml};
use crate::schema::DavPath;
use crate::tool::{Cx, ToolError};

/// Largest listing of the folder of all recipes, in bytes.
const LISTING_BYTES_MAX: u64 = 16 << 20;

/// The recipes that are kept away.
#[derive(Debug)]
pub(super) enum Hidden {
    /// The folder of all recipes is.
    All,
    /// Those whose folders have these ids.
    Some(HashSet<i64>),
}

impl Hidden {
    pub(super) fn leave_out_of(&self, recipes: &mut Vec<ApiRecipe>) {
        recipes.retain(|recipe| match self {
            Hidden::All => false,
            Hidden::Some(ids) => recipe.id().is_some_and(|id| !ids.contains(&id)),
        });
    }
}

/// Which recipes are kept away. Costs up to three requests besides those of [`Cx::exclusion`].
pub(super) fn hidden_recipes(cx: &Cx) -> Result<Hidden, ToolError> {
    let none = Ok(Hidden::Some(HashSet::new()));
    let exclusion = cx.exclusion()?;
    if !exclusion.is_in_force() {
        return none;
    }
    let folder = folder(&config(cx)?)?;
    if exclusion.hides_path(cx, &folder)? {
        return Ok(Hidden::All);
    }
    if !exclusion.hides_part_of_path(cx, &folder)? {
        return none;
    }
    let request = Request::new("PROPFIND", cx.nc.files(folder.segments())?)
        .header("Depth", "1")
        .xml(xml::propfind(&[(OC, "fileid")]))
        .limit_bytes(LISTING_BYTES_MAX);
    let listing = match cx.nc.multistatus(request) {
        Err(error) if error.kind == Kind::NotFound => return none,
        other => other.of("the recipe folder")?,
    };
    let children: Vec<(i64, String)> = listing
        .collect(|entry| {
            let name = entry.path().decoded_segments().last()?;
            Some((entry.prop(OC, "fileid")?.parse().ok()?, name))
        })
        .of("the recipe folder")?;
    // The folder comes first. Its path may be spelled in another way than those of what is kept away.
    let Some(((folder_id, _), recipes)) = children.split_first() else { return Ok(Hidden::All) };
    let places = cx.nc.places_of(*folder_id).of("the recipe folder")?;
    let is_hidden = |(id, name): &&(i64, String)| {
        places.iter().any(|place| exclusion.hides_part_of(&format!("{}/{name}", place.path), Some(*id)))
    };
    Ok(Hidden::Some(recipes.iter().filter(is_hidden).map(|(id, _)| *id).collect()))
}

/// The recipes that are left if any are kept away; `None` if none are.
pub(super) fn visible_recipes(cx: &Cx) -> Result<Option<Vec<ApiRecipe>>, ToolError> {
    let hidden = hidden_recipes(cx)?;
    if matches!(&hidden, Hidden::Some(ids) if ids.is_empty()) {
        return Ok(None);
    }
    let mut recipes = all_recipes(cx)?;
    hidden.leave_out_of(&mut recipes);
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
    match DavPath::parse(image) {
        Ok(path) if image.starts_with('/') => cx.admit_whole(&path),
        _ => Err(cx.refusal("The picture of the recipe")),
    }
}

fn folder(config: &Map<String, Value>) -> Result<DavPath, ToolError> {
    let folder = config.get("folder").and_then(Value::as_str).unwrap_or_default();
    DavPath::parse(folder)
        .map_err(|why| ToolError::Refused(format!("The recipe folder cannot be used: {why}.")))
}

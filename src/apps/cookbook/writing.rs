//! Making, changing, importing and deleting recipes.

use serde_json::{Map, Value, json};

use super::cooking_time::CookingTime;
use super::exclusion::{admit_folder, admit_image};
use super::recipe::{ApiRecipe, NUTRIENTS, Recipe, app_url};
use super::web_url::WebUrl;
use super::{RecipeId, cookbook, read, recipe_path, recipes, subject};
use crate::nextcloud::{Kind, Request, Subject};
use crate::schema::{Count, Object, Wire};
use crate::tool::{Cx, Success, ToolError};
use crate::{params, record};

/// Cookbook cuts longer names, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Members that Cookbook computes for its answers and that are no part of the recipe.
const COMPUTED: [&str; 3] = ["imageUrl", "imagePlaceholderUrl", "printImage"];

/// Largest answer to the question for a thumbnail of 16 pixels.
const IMAGE_BYTES_MAX: u64 = 256 * 1024;

type Servings = Count<1, 10_000>;

params! {
    pub struct CreateRecipe {
        name: Name,
        description: Option<String>,
        ingredients: Option<Vec<String>>,
        instructions: Option<Vec<String>>,
        /// Where the recipe comes from.
        url: Option<WebUrl>,
        /// PT1H30M (ISO 8601), 90 (minutes) or "1 h 30 min", as the other times.
        prep_time: Option<CookingTime>,
        cook_time: Option<CookingTime>,
        total_time: Option<CookingTime>,
        /// Servings.
        recipe_yield: Option<Servings>,
        category: Option<String>,
        /// With commas between them.
        keywords: Option<String>,
        tools: Option<Vec<String>>,
        /// schema.org names: {"calories": "300 kcal", "fatContent": "9 g"}.
        nutrition: Option<Object>,
        /// URL of a picture that Nextcloud fetches.
        image: Option<WebUrl>,
    }
}

params! {
    pub struct UpdateRecipe {
        recipe_id: i64,
        name: Option<Name>,
        description: Option<String>,
        ingredients: Option<Vec<String>>,
        instructions: Option<Vec<String>>,
        url: Option<WebUrl>,
        /// As in nc_cookbook_create_recipe.
        prep_time: Option<CookingTime>,
        cook_time: Option<CookingTime>,
        total_time: Option<CookingTime>,
        recipe_yield: Option<Servings>,
        category: Option<String>,
        keywords: Option<String>,
        tools: Option<Vec<String>>,
        nutrition: Option<Object>,
        image: Option<WebUrl>,
    }
}

params! {
    pub struct ImportRecipe { url: WebUrl }
}

record! {
    pub struct SavedRecipe {
        id: i64,
        app_url: Option<String>,
        /// What was not kept as it was given.
        message: Option<String>,
    }
}

record! {
    pub struct ImportedRecipe {
        recipe: Recipe,
        recipe_id: String,
    }
}

record! {
    pub struct DeletedRecipe {
        status_code: i64,
        message: String,
        deleted_id: i64,
    }
}

pub fn create_recipe(cx: &Cx, p: CreateRecipe) -> Result<Success<SavedRecipe>, ToolError> {
    let name = p.name.0.clone();
    let fields = Fields {
        name: Some(p.name),
        description: p.description,
        ingredients: p.ingredients,
        instructions: p.instructions,
        url: p.url,
        prep_time: p.prep_time,
        cook_time: p.cook_time,
        total_time: p.total_time,
        recipe_yield: p.recipe_yield,
        category: p.category,
        keywords: p.keywords,
        tools: p.tools,
        nutrition: p.nutrition,
        image: p.image,
    };
    let members = fields.members()?;
    let changed = changed_by_cookbook(&members);
    let has_image = wants_image(&members);
    admit_folder(cx)?;
    let mut body = Map::from_iter([("@type".to_owned(), "Recipe".into())]);
    body.extend(members);
    let saved = cx.nc.json(Request::new("POST", recipes()).json(&body.into()));
    let id = saved.map_err(|error| match error.kind {
        Kind::Conflict => name_taken("No recipe was made", &name),
        Kind::Server if has_image => stopped_at_image(&name),
        _ => error.about("the new recipe").into(),
    })?;
    saved_recipe(cx, &id, has_image, changed)
}

pub fn update_recipe(cx: &Cx, p: UpdateRecipe) -> Result<Success<SavedRecipe>, ToolError> {
    let id = p.recipe_id;
    let fields = Fields {
        name: p.name,
        description: p.description,
        ingredients: p.ingredients,
        instructions: p.instructions,
        url: p.url,
        prep_time: p.prep_time,
        cook_time: p.cook_time,
        total_time: p.total_time,
        recipe_yield: p.recipe_yield,
        category: p.category,
        keywords: p.keywords,
        tools: p.tools,
        nutrition: p.nutrition,
        image: p.image,
    };
    let members = fields.members()?;
    if members.is_empty() {
        return Err(ToolError::Arguments("give at least one member of the recipe to change".into()));
    }
    let changed = changed_by_cookbook(&members);
    let has_image = wants_image(&members);
    let ApiRecipe(mut recipe) = read(cx, id)?;
    recipe.retain(|name, _| !COMPUTED.contains(&name.as_str()));
    recipe.extend(members);
    admit_image(cx, recipe.get("image").and_then(Value::as_str).unwrap_or_default())?;
    // Without the id in the body, Cookbook takes it for a new recipe.
    recipe.insert("id".into(), id.to_string().into());
    let name = recipe.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let saved = cx.nc.json(Request::new("PUT", recipe_path(id)).json(&recipe.into()));
    let saved = saved.map_err(|error| match error.kind {
        Kind::Conflict => name_taken(&format!("Recipe {id} was not changed"), &name),
        Kind::Server if has_image => stopped_at_image(&name),
        _ => error.about(subject(id)).into(),
    })?;
    saved_recipe(cx, &saved, has_image, changed)
}

pub fn import_recipe(cx: &Cx, p: ImportRecipe) -> Result<Success<ImportedRecipe>, ToolError> {
    if p.url.as_str().is_empty() {
        return Err(ToolError::Arguments("`url` is empty".into()));
    }
    admit_folder(cx)?;
    let request =
        Request::new("POST", cookbook().raw("/api/v1/import")).json(&json!({"url": p.url.as_str()}));
    let imported: Result<ApiRecipe, _> = cx.nc.json(request);
    let imported = imported.map_err(|error| {
        let why = match (&error.kind, &error.detail) {
            (Kind::Conflict, _) => {
                "A recipe of the same name is there already; rename or delete that one first.".to_owned()
            }
            (Kind::BadRequest, Some(detail)) => format!(
                "Cookbook said: \"{detail}\". Nextcloud itself fetches the page: it must be public, under a host name \
                 (neither localhost nor an IP address), and carry a schema.org recipe. nc_cookbook_create_recipe takes \
                 a recipe as text."
            ),
            _ => return error.about("the import of the recipe").into(),
        };
        ToolError::Refused(format!("No recipe was imported. {why}"))
    })?;
    let recipe = imported.shown(cx);
    Ok(Success(ImportedRecipe { recipe_id: recipe.id.clone().unwrap_or_default(), recipe }))
}

pub fn delete_recipe(cx: &Cx, p: RecipeId) -> Result<Success<DeletedRecipe>, ToolError> {
    let id = p.recipe_id;
    // Cookbook answers 200 for a recipe that is not there, and would delete another folder of that id.
    let name = read(cx, id)?.name();
    let response = cx.nc.send(Request::new("DELETE", recipe_path(id))).of(subject(id))?;
    Ok(Success(DeletedRecipe {
        status_code: response.status.into(),
        message: format!(
            "Recipe {id} ({name:?}) was deleted. Where Files has a trash bin, its folder is in it."
        ),
        deleted_id: id,
    }))
}

/// Cookbook answers with the bare id.
fn saved_recipe(
    cx: &Cx,
    id: &Value,
    has_image: bool,
    changed: Option<String>,
) -> Result<Success<SavedRecipe>, ToolError> {
    let id = super::recipe::number(id).ok_or_else(|| {
        ToolError::Refused("Cookbook named no id for the recipe; look with nc_cookbook_list_recipes.".into())
    })?;
    let missing = (has_image && image_is_missing(cx, id)).then(|| {
        "The picture is missing: Nextcloud could not fetch it, or it is none that Cookbook reads (JPEG, PNG).".to_owned()
    });
    let messages: Vec<String> = [changed, missing].into_iter().flatten().collect();
    let message = (!messages.is_empty()).then(|| messages.join(" "));
    Ok(Success(SavedRecipe { id, app_url: app_url(cx, id), message }))
}

fn wants_image(members: &Map<String, Value>) -> bool {
    members.get("image").and_then(Value::as_str).is_some_and(|url| !url.is_empty())
}

/// Cookbook says nothing when it could not fetch a picture; then it answers 406 to who wants a JPEG.
fn image_is_missing(cx: &Cx, id: i64) -> bool {
    let path = recipe_path(id).raw("/image").query("size", "thumb16");
    let image = cx.nc.send(Request::new("GET", path).accept("image/jpeg").limit_bytes(IMAGE_BYTES_MAX));
    image.is_err_and(|error| error.kind == Kind::NotAcceptable)
}

fn name_taken(what: &str, name: &str) -> ToolError {
    ToolError::Refused(format!(
        "{what}: a recipe named {name:?} is there already, or one whose name differs only in special characters. Choose \
         another name, or change that one with nc_cookbook_update_recipe."
    ))
}

/// Cookbook fails at a file that is no picture, after it wrote the recipe and before it listed it.
fn stopped_at_image(name: &str) -> ToolError {
    ToolError::Refused(format!(
        "Nextcloud had an internal error, probably because `image` is no picture that Cookbook reads (JPEG, PNG). The \
         recipe {name:?} may be written without it, but not listed: call nc_cookbook_reindex, then look for it."
    ))
}

/// A recipe's name, which is the name of its folder too.
///
/// Cookbook takes out what looks like HTML and cuts at 128 bytes, so that such a name would become another, or none.
#[derive(Debug, Clone)]
pub struct Name(String);

impl Wire for Name {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn read(value: Value) -> Result<Self, String> {
        let name = String::read(value)?.trim().to_owned();
        let fault = if name.is_empty() {
            "a recipe needs a name"
        } else if name.len() > NAME_BYTES_MAX {
            "a recipe's name may have 128 bytes"
        } else if looks_like_html(&name) {
            "a recipe's name must not hold a < that looks like the start of an HTML tag"
        } else if name.chars().any(char::is_control) || matches!(name.as_str(), "." | ".." | "No name") {
            "this cannot be the name of a recipe"
        } else {
            return Ok(Name(name));
        };
        Err(fault.into())
    }

    fn write(self) -> Value {
        self.0.into()
    }
}

/// What a call says about a recipe; what it does not say is `None`.
struct Fields {
    name: Option<Name>,
    description: Option<String>,
    ingredients: Option<Vec<String>>,
    instructions: Option<Vec<String>>,
    url: Option<WebUrl>,
    prep_time: Option<CookingTime>,
    cook_time: Option<CookingTime>,
    total_time: Option<CookingTime>,
    recipe_yield: Option<Servings>,
    category: Option<String>,
    keywords: Option<String>,
    tools: Option<Vec<String>>,
    nutrition: Option<Object>,
    image: Option<WebUrl>,
}

impl Fields {
    /// The members of the recipe under schema.org's names. An empty time is `null`, which clears it.
    fn members(self) -> Result<Map<String, Value>, ToolError> {
        let time = |time: Option<CookingTime>| {
            time.map(|time| if time.as_str().is_empty() { Value::Null } else { time.as_str().into() })
        };
        let nutrition = self.nutrition.map(nutrition).transpose()?;
        let members = [
            ("name", self.name.map(Wire::write)),
            ("description", self.description.map(Value::from)),
            ("url", self.url.map(Wire::write)),
            ("image", self.image.map(Wire::write)),
            ("prepTime", time(self.prep_time)),
            ("cookTime", time(self.cook_time)),
            ("totalTime", time(self.total_time)),
            ("recipeCategory", self.category.map(Value::from)),
            ("keywords", self.keywords.map(Value::from)),
            ("recipeYield", self.recipe_yield.map(Wire::write)),
            ("tool", self.tools.map(Value::from)),
            ("recipeIngredient", self.ingredients.map(Value::from)),
            ("recipeInstructions", self.instructions.map(Value::from)),
            ("nutrition", nutrition),
        ];
        Ok(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}

/// Checks the names and writes the values as texts, as schema.org has them; empty ones are left out.
fn nutrition(Object(given): Object) -> Result<Value, ToolError> {
    let mut members = Map::from_iter([("@type".to_owned(), Value::from("NutritionInformation"))]);
    for (name, value) in given {
        if name == "@type" {
            continue;
        }
        if !NUTRIENTS.contains(&name.as_str()) {
            let shown: String = name.chars().take(40).collect();
            return Err(ToolError::Arguments(format!(
                "`nutrition`: `{shown}` is not known; known: {}",
                NUTRIENTS.join(", ")
            )));
        }
        let text = Option::<String>::read(value)
            .map_err(|why| ToolError::Arguments(format!("`nutrition`: `{name}`: {why}")))?;
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            members.insert(name, text.into());
        }
    }
    Ok(members.into())
}

/// Says that Cookbook will not keep a text as it is: it takes HTML tags out of texts, and turns `\` into `_`.
fn changed_by_cookbook(members: &Map<String, Value>) -> Option<String> {
    const CLEANED: [&str; 6] =
        ["description", "recipeCategory", "keywords", "tool", "recipeIngredient", "recipeInstructions"];
    let is_changed = |value: &Value| {
        let mut texts = match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            other => Vec::from_iter(other.as_str()),
        }
        .into_iter();
        texts.any(|text| text.contains('\\') || looks_like_html(text))
    };
    let changed: Vec<&str> =
        CLEANED.into_iter().filter(|name| members.get(*name).is_some_and(is_changed)).collect();
    (!changed.is_empty()).then(|| {
        format!(
            "Cookbook does not keep all of {}: it takes out what looks like an HTML tag (a < and a letter or digit after \
             it), and turns \\ into _. Read the recipe to see what is there.",
            changed.join(", ")
        )
    })
}

/// PHP's `strip_tags` starts at a `<` that no white space follows.
fn looks_like_html(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| text[at + 1..].chars().next().is_some_and(|c| !c.is_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cookbook_would_change_is_refused() {
        assert_eq!(Name::read(" Käse & Brot: 5 < 6? ".into()).unwrap().0, "Käse & Brot: 5 < 6?");
        for wrong in ["", "  ", "..", "<b>", "I <3 it", "a\nb", "No name", &"ü".repeat(65)] {
            assert!(Name::read(wrong.into()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nutrition_takes_numbers_and_known_names_only() {
        let read = |value: Value| nutrition(Object::read(value).unwrap());
        assert_eq!(
            read(json!({"calories": 300, "fatContent": "", "proteinContent": null})).unwrap(),
            json!({"@type": "NutritionInformation", "calories": "300"})
        );
        assert!(read(json!({"kcal": 300})).is_err());
        assert!(read(json!({"calories": {"value": 300}})).is_err());
    }

    #[test]
    fn texts_that_cookbook_changes_are_named() {
        let told = |value: Value| changed_by_cookbook(&value.as_object().unwrap().clone());
        assert!(
            told(json!({"description": "a < b & c", "recipeYield": 4, "url": "https://a.org/<x>"})).is_none()
        );
        assert!(
            told(json!({"recipeIngredient": ["1 egg", "<100 g sugar"]}))
                .unwrap()
                .contains("of recipeIngredient:")
        );
        assert!(
            told(json!({"description": "a\\b", "tool": ["<b>pot</b>"]}))
                .unwrap()
                .contains("description, tool:")
        );
    }
}

//! Cookbook app: recipes, each a folder with a `recipe.json` (schema.org) below the folder that the user chose.
//!
//! Routes: `/index.php/apps/cookbook/api/v1/…` (Cookbook ≥ 0.9, API 1.0). Search terms, categories and keywords in a path
//! are decoded by Nextcloud and once more by Cookbook.

mod cooking_time;
mod exclusion;
mod recipe;
mod web_url;
mod writing;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::recipe::{ApiRecipe, Recipe, RecipeStub, php_list};
use crate::nextcloud::{Request, Subject, UrlPath};
use crate::schema::{Count, DavPath, Object};
use crate::tool::{
    App, Cursor, Cx, Effect, Needs, Page, Resource, ResourceBody, Scope, Success, Tool, ToolError, Variables,
    typed,
};
use crate::{params, record};

pub const APP: App = App {
    name: "cookbook",
    about: "Cookbook app: recipes",
    tools: &[
        Tool {
            name: "nc_cookbook_import_recipe",
            about: "Import a recipe from a web page with schema.org data. Nextcloud itself fetches the page, so it must \
                    be public; that can take a while.",
            scopes: &[Scope::CookbookWrite],
            effect: Effect::Create,
            needs: COOKBOOK,
            handler: &typed(writing::import_recipe),
        },
        Tool {
            name: "nc_cookbook_list_recipes",
            about: "List all recipes by name, category and keywords.",
            scopes: &[Scope::CookbookRead],
            effect: Effect::Read,
            needs: COOKBOOK,
            handler: &typed(list_recipes),
        },
        Tool {
            name: "nc_cookbook_get_recipe",
            about: "Read one recipe with ingredients and steps.",
            scopes: &[Scope::CookbookRead],
            effect: Effect::Read,
            needs: COOKBOOK,
            handler: &typed(get_recipe),
        },
        Tool {
            name: "nc_cookbook_create_recipe",
            about: "Write a new recipe. No other may have its name.",
            scopes: &[Scope::CookbookWrite],
            effect: Effect::Create,
            needs: COOKBOOK,
            handler: &typed(writing::create_recipe),
        },
        Tool {
            name: "nc_cookbook_update_recipe",
            about: "Change a recipe. What is left out stays; \"\", [] or {} empties it; lists are replaced as a whole.",
            scopes: &[Scope::CookbookWrite],
            effect: Effect::Update,
            needs: COOKBOOK,
            handler: &typed(writing::update_recipe),
        },
        Tool {
            name: "nc_cookbook_delete_recipe",
            about: "Delete a recipe with its pictures. Its folder goes to the trash bin of Files where that is on.",
            scopes: &[Scope::CookbookWrite],
            effect: Effect::Delete,
            needs: COOKBOOK,
            handler: &typed(writing::delete_recipe),
        },
        Tool {
            name: "nc_cookbook_search_recipes",
            about: "Find recipes that have one of the words in name, keywords or category. An empty query lists all.",
            scopes: &[Scope::CookbookRead],
            effect: Effect::Read,
            needs: COOKBOOK,
            handler: &typed(search_recipes),
        },
        Tool {
            name: "nc_cookbook_list_categories",
            about: "List the categories and how many recipes each has; `*` stands for those without one.",
            scopes: &[Scope::CookbookRead],
            effect: Effect::Read,
            needs: COOKBOOK,
            handler: &typed(list_categories),
        },
        Tool {
            name: "nc_cookbook_get_recipes_in_category",
            about: "List the recipes of one category.",
            scopes: &[Scope::CookbookRead],
            effect: Effect::Read,
            needs: COOKBOOK,
            handler: &typed(get_recipes_in_category),
        },
        Tool {
            name: "nc_cookbook_list_keywords",
            about: "List the keywords and how many recipes each has.",
            scopes: &[Scope::CookbookRead],
            effect: Effect::Read,
            needs: COOKBOOK,
            handler: &typed(list_keywords),
        },
        Tool {
            name: "nc_cookbook_get_recipes_with_keywords",
            about: "List the recipes that have all of these keywords.",
            scopes: &[Scope::CookbookRead],
            effect: Effect::Read,
            needs: COOKBOOK,
            handler: &typed(get_recipes_with_keywords),
        },
        Tool {
            name: "nc_cookbook_set_config",
            about: "Change the user's settings of the Cookbook app. What is left out stays.",
            scopes: &[Scope::CookbookWrite],
            effect: Effect::Update,
            needs: COOKBOOK,
            handler: &typed(set_config),
        },
        Tool {
            name: "nc_cookbook_reindex",
            about: "Look through the recipe folder again, after files in it were changed by other means.",
            scopes: &[Scope::CookbookWrite],
            effect: Effect::Ensure,
            needs: COOKBOOK,
            handler: &typed(reindex),
        },
    ],
    resources: &[
        Resource {
            uri: "cookbook://version",
            name: "Cookbook version",
            about: "Versions of the Cookbook app and of its API.",
            mime: Some("application/json"),
            scopes: &[Scope::CookbookRead],
            needs: COOKBOOK,
            read: read_version,
        },
        Resource {
            uri: "cookbook://config",
            name: "Cookbook settings",
            about: "Recipe folder and other settings of the user.",
            mime: Some("application/json"),
            scopes: &[Scope::CookbookRead],
            needs: COOKBOOK,
            read: read_config,
        },
        Resource {
            uri: "nc://Cookbook/{recipe_id}",
            name: "Recipe",
            about: "One recipe with ingredients and steps.",
            mime: Some("application/json"),
            scopes: &[Scope::CookbookRead],
            needs: COOKBOOK,
            read: read_recipe,
        },
    ],
};

const COOKBOOK: Needs = Needs::App("cookbook");

type Limit = Count<1, 500>;

params! {
    struct ListRecipes {
        limit: Limit = 100,
        /// `next_cursor` of the page before.
        cursor: Option<Cursor>,
    }
}

params! {
    struct RecipeId { recipe_id: i64 }
}

params! {
    struct SearchRecipes {
        query: String,
        limit: Limit = 100,
        cursor: Option<Cursor>,
    }
}

params! {
    struct Category {
        /// `_` for recipes without one.
        category: String,
        limit: Limit = 100,
        cursor: Option<Cursor>,
    }
}

params! {
    struct Keywords {
        keywords: Vec<String>,
        limit: Limit = 100,
        cursor: Option<Cursor>,
    }
}

params! {
    struct SetConfig {
        /// Where recipes are kept; those in the old folder stay there.
        folder: Option<DavPath>,
        /// Minutes between looks into the folder.
        update_interval: Option<Count<0, 525_600>>,
        /// Print recipes with their picture.
        print_image: Option<bool>,
    }
}

params! {
    struct Nothing {}
}

record! {
    struct RecipeList {
        recipes: Vec<RecipeStub>,
        total_count: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    struct FoundRecipes {
        recipes: Vec<RecipeStub>,
        query: String,
        total_found: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    struct Counted {
        name: String,
        recipe_count: i64,
    }
}

record! {
    struct Categories {
        categories: Vec<Counted>,
        total_count: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    struct KeywordList {
        keywords: Vec<Counted>,
        total_count: i64,
        next_cursor: Option<Cursor>,
    }
}

record! {
    struct Done {
        status_code: i64,
        message: String,
    }
}

/// A category or keyword with its number of recipes.
#[derive(Deserialize)]
struct ApiCounted {
    name: Option<String>,
    recipe_count: Value,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Listed<T>(#[serde(deserialize_with = "php_list")] Vec<T>);

fn list_recipes(cx: &Cx, p: ListRecipes) -> Result<Success<RecipeList>, ToolError> {
    recipe_list(cx, all_recipes(cx)?, p.cursor, p.limit)
}

fn get_recipe(cx: &Cx, p: RecipeId) -> Result<Recipe, ToolError> {
    Ok(read(cx, p.recipe_id)?.shown(cx))
}

fn search_recipes(cx: &Cx, p: SearchRecipes) -> Result<Success<FoundRecipes>, ToolError> {
    // Cookbook compares in lower case, but lowers only ASCII letters of the query.
    let query = p.query.trim().to_lowercase();
    let found = if query.is_empty() {
        all_recipes(cx)?
    } else {
        listed(
            cx,
            cookbook().raw("/api/v1/search").segment(&decoded_twice(&query)),
            "the search for recipes",
        )?
    };
    let page = page(cx, found, p.cursor, p.limit)?;
    Ok(Success(FoundRecipes {
        recipes: page.rows,
        query: p.query,
        total_found: page.total,
        next_cursor: page.next_cursor,
    }))
}

fn list_categories(cx: &Cx, p: ListRecipes) -> Result<Success<Categories>, ToolError> {
    let page = match exclusion::recipes_if_some_are_hidden(cx)? {
        Some(recipes) => count(&recipes, |recipe| vec![recipe.category()], &p)?,
        None => counted(cx, "/api/v1/categories", "the list of categories", &p)?,
    };
    Ok(Success(Categories { categories: page.rows, total_count: page.total, next_cursor: page.next_cursor }))
}

fn list_keywords(cx: &Cx, p: ListRecipes) -> Result<Success<KeywordList>, ToolError> {
    let page = match exclusion::recipes_if_some_are_hidden(cx)? {
        Some(recipes) => count(&recipes, ApiRecipe::keywords, &p)?,
        None => counted(cx, "/api/v1/keywords", "the list of keywords", &p)?,
    };
    Ok(Success(KeywordList { keywords: page.rows, total_count: page.total, next_cursor: page.next_cursor }))
}

fn get_recipes_in_category(cx: &Cx, p: Category) -> Result<Success<RecipeList>, ToolError> {
    let category = match p.category.trim() {
        // The list of categories calls it `*`.
        "" | "*" => "_",
        category => category,
    };
    let path = cookbook().raw("/api/v1/category").segment(&decoded_twice(category));
    let found = listed(cx, path, &format!("category {category:?}"))?;
    recipe_list(cx, found, p.cursor, p.limit)
}

/// Looks through the list of all recipes: Cookbook's own route leaves out recipes without a category and, with some
/// databases, all of them.
fn get_recipes_with_keywords(cx: &Cx, p: Keywords) -> Result<Success<RecipeList>, ToolError> {
    let wanted: Vec<String> = p
        .keywords
        .iter()
        .flat_map(|keywords| keywords.split(','))
        .map(|word| word.trim().to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    if wanted.is_empty() {
        return Err(ToolError::Arguments("`keywords` needs at least one keyword".into()));
    }
    let mut found = all_recipes(cx)?;
    found.retain(|recipe| {
        let keywords: Vec<String> = recipe.keywords().iter().map(|word| word.to_lowercase()).collect();
        wanted.iter().all(|word| keywords.contains(word))
    });
    recipe_list(cx, found, p.cursor, p.limit)
}

fn set_config(cx: &Cx, p: SetConfig) -> Result<Success<Done>, ToolError> {
    let mut body = Map::new();
    if let Some(folder) = p.folder {
        if folder.is_root() {
            return Err(ToolError::Arguments("`folder` must be a folder below the top one".into()));
        }
        cx.admit(&folder)?;
        body.insert("folder".into(), folder.canonical().into());
    }
    if let Some(minutes) = p.update_interval {
        body.insert("update_interval".into(), minutes.get().into());
    }
    if let Some(print_image) = p.print_image {
        body.insert("print_image".into(), print_image.into());
    }
    if body.is_empty() {
        return Err(ToolError::Arguments(
            "give at least one of `folder`, `update_interval`, `print_image`".into(),
        ));
    }
    let changed = body.keys().cloned().collect::<Vec<_>>().join(", ");
    let request = Request::new("POST", cookbook().raw("/api/v1/config")).json(&body.into());
    let (head, _) = cx.nc.json_and_head::<Value>(request).of("the Cookbook settings")?;
    Ok(Success(Done { status_code: head.status.into(), message: format!("Settings changed: {changed}.") }))
}

fn reindex(cx: &Cx, _: Nothing) -> Result<Success<Done>, ToolError> {
    exclusion::admit_folder(cx)?;
    let request = Request::new("POST", cookbook().raw("/api/v1/reindex"));
    let (head, _) = cx.nc.json_and_head::<Value>(request).of("the look through the recipes")?;
    Ok(Success(Done {
        status_code: head.status.into(),
        message: "The recipe folder was looked through.".into(),
    }))
}

fn read_version(cx: &Cx, _: &Variables) -> Result<ResourceBody, ToolError> {
    let request = Request::new("GET", cookbook().raw("/api/version"));
    Ok(ResourceBody::json(Object(cx.nc.json(request).of("the version of Cookbook")?)))
}

fn read_config(cx: &Cx, _: &Variables) -> Result<ResourceBody, ToolError> {
    let mut config = config(cx)?;
    if exclusion::is_folder_hidden(cx, &config)? {
        config.shift_remove("folder");
    }
    Ok(ResourceBody::json(Object(config)))
}

fn read_recipe(cx: &Cx, variables: &Variables) -> Result<ResourceBody, ToolError> {
    get_recipe(cx, RecipeId { recipe_id: variables.number("recipe_id")? }).map(ResourceBody::json)
}

fn config(cx: &Cx) -> Result<Map<String, Value>, ToolError> {
    let request = Request::new("GET", cookbook().raw("/api/v1/config"));
    Ok(cx.nc.json(request).of("the Cookbook settings")?)
}

fn all_recipes(cx: &Cx) -> Result<Vec<ApiRecipe>, ToolError> {
    listed(cx, recipes(), "the list of recipes")
}

fn listed<T: DeserializeOwned>(cx: &Cx, path: UrlPath, subject: &str) -> Result<Vec<T>, ToolError> {
    let Listed(items) = cx.nc.json(Request::new("GET", path)).of(subject)?;
    Ok(items)
}

fn recipe_list(
    cx: &Cx,
    found: Vec<ApiRecipe>,
    cursor: Option<Cursor>,
    limit: Limit,
) -> Result<Success<RecipeList>, ToolError> {
    let page = page(cx, found, cursor, limit)?;
    Ok(Success(RecipeList { recipes: page.rows, total_count: page.total, next_cursor: page.next_cursor }))
}

/// A page by name. Cookbook's lists come in different orders.
fn page(
    cx: &Cx,
    mut found: Vec<ApiRecipe>,
    cursor: Option<Cursor>,
    limit: Limit,
) -> Result<Page<RecipeStub>, ToolError> {
    exclusion::shown_recipes(cx)?.retain_in(&mut found);
    found.sort_by_cached_key(|recipe| (recipe.name().to_lowercase(), recipe.id()));
    Page::cut(found.iter().map(|recipe| recipe.stub(cx)).collect(), cursor, limit.get())
}

fn counted(cx: &Cx, route: &str, subject: &str, p: &ListRecipes) -> Result<Page<Counted>, ToolError> {
    let found: Vec<ApiCounted> = listed(cx, cookbook().raw(route), subject)?;
    let rows = found.into_iter().filter_map(|row| {
        Some(Counted { name: row.name?, recipe_count: recipe::number(&row.recipe_count).unwrap_or_default() })
    });
    Page::cut(rows.collect(), p.cursor, p.limit.get())
}

/// The same, counted in these recipes.
fn count(
    recipes: &[ApiRecipe],
    names: impl Fn(&ApiRecipe) -> Vec<String>,
    p: &ListRecipes,
) -> Result<Page<Counted>, ToolError> {
    let mut counts = BTreeMap::<String, i64>::new();
    recipes.iter().flat_map(names).for_each(|name| *counts.entry(name).or_default() += 1);
    let rows = counts.into_iter().map(|(name, recipe_count)| Counted { name, recipe_count });
    Page::cut(rows.collect(), p.cursor, p.limit.get())
}

fn read(cx: &Cx, id: i64) -> Result<ApiRecipe, ToolError> {
    cx.admit_whole_file_id(&subject(id), id)?;
    Ok(cx.nc.json(Request::new("GET", recipe_path(id))).of(subject(id))?)
}

/// Escapes what a second decoding would change.
fn decoded_twice(text: &str) -> String {
    match text {
        "." | ".." => text.replace('.', "%2E"),
        _ => text.replace('%', "%25").replace('+', "%2B").replace('/', "%2F"),
    }
}

fn cookbook() -> UrlPath {
    UrlPath::app("cookbook")
}

fn recipes() -> UrlPath {
    cookbook().raw("/api/v1/recipes")
}

fn recipe_path(id: i64) -> UrlPath {
    recipes().segment(&id.to_string())
}

fn subject(id: i64) -> String {
    format!("recipe {id}")
}

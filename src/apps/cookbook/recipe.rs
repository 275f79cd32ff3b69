//! Recipes in Cookbook's answers, and the way we show them: schema.org's `Recipe`, whatever form its members came in.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::record;
use crate::tool::Cx;

record! {
    /// A recipe under schema.org's names.
    pub struct Recipe {
        schema_type as "@type": String,
        id: Option<String>,
        name: String,
        description: String,
        /// Where it comes from.
        url: String,
        image: String,
        image_url as "imageUrl": Option<String>,
        image_placeholder_url as "imagePlaceholderUrl": Option<String>,
        /// With commas between them.
        keywords: String,
        date_created as "dateCreated": Option<String>,
        date_modified as "dateModified": Option<String>,
        /// ISO 8601, as the other times.
        prep_time as "prepTime": Option<String>,
        cook_time as "cookTime": Option<String>,
        total_time as "totalTime": Option<String>,
        /// Servings.
        recipe_yield as "recipeYield": Option<i64>,
        recipe_category as "recipeCategory": String,
        tool: Vec<String>,
        recipe_ingredient as "recipeIngredient": Vec<String>,
        /// One text for each step; headings of sections start with `## `.
        recipe_instructions as "recipeInstructions": Vec<String>,
        nutrition: Option<Nutrition>,
        /// The recipe in Nextcloud.
        app_url: Option<String>,
    }
}

record! {
    /// schema.org's `NutritionInformation`, for one serving.
    pub struct Nutrition {
        schema_type as "@type": Option<String>,
        calories: Option<String>,
        carbohydrate_content as "carbohydrateContent": Option<String>,
        cholesterol_content as "cholesterolContent": Option<String>,
        fat_content as "fatContent": Option<String>,
        fiber_content as "fiberContent": Option<String>,
        protein_content as "proteinContent": Option<String>,
        saturated_fat_content as "saturatedFatContent": Option<String>,
        serving_size as "servingSize": Option<String>,
        sodium_content as "sodiumContent": Option<String>,
        sugar_content as "sugarContent": Option<String>,
        trans_fat_content as "transFatContent": Option<String>,
        unsaturated_fat_content as "unsaturatedFatContent": Option<String>,
    }
}

/// The names that [`Nutrition`] has values for.
pub const NUTRIENTS: [&str; 12] = [
    "calories",
    "carbohydrateContent",
    "cholesterolContent",
    "fatContent",
    "fiberContent",
    "proteinContent",
    "saturatedFatContent",
    "servingSize",
    "sodiumContent",
    "sugarContent",
    "transFatContent",
    "unsaturatedFatContent",
];

record! {
    /// A recipe in a list.
    pub struct RecipeStub {
        id: String,
        recipe_id: i64,
        name: String,
        keywords: Option<String>,
        category: Option<String>,
        date_created as "dateCreated": Option<String>,
        date_modified as "dateModified": Option<String>,
        image_url as "imageUrl": Option<String>,
        image_placeholder_url as "imagePlaceholderUrl": Option<String>,
        app_url: Option<String>,
    }
}

/// A recipe as Cookbook writes it, with all its members.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct ApiRecipe(pub Map<String, Value>);

impl ApiRecipe {
    pub fn id(&self) -> Option<i64> {
        number(self.0.get("id").or_else(|| self.0.get("recipe_id"))?)
    }

    pub fn name(&self) -> String {
        self.text("name").unwrap_or_default()
    }

    /// The category of a recipe in a list; `*` if it has none.
    pub fn category(&self) -> String {
        self.text("category").unwrap_or_else(|| "*".into())
    }

    pub fn keywords(&self) -> Vec<String> {
        let keywords = self.0.get("keywords").map(comma_separated).unwrap_or_default();
        keywords.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    pub fn shown(&self, cx: &Cx) -> Recipe {
        let list = |name: &str| self.0.get(name).map(texts).unwrap_or_default();
        let mut steps = Vec::new();
        if let Some(value) = self.0.get("recipeInstructions") {
            collect_steps(value, &mut steps);
        }
        Recipe {
            schema_type: self.text("@type").unwrap_or_else(|| "Recipe".into()),
            id: self.id().map(|id| id.to_string()),
            name: self.name(),
            description: self.text("description").unwrap_or_default(),
            url: self.text("url").unwrap_or_default(),
            image: list("image").into_iter().next().unwrap_or_default(),
            image_url: self.link(cx, "imageUrl"),
            image_placeholder_url: self.link(cx, "imagePlaceholderUrl"),
            keywords: self.0.get("keywords").map(comma_separated).unwrap_or_default(),
            date_created: self.text("dateCreated"),
            date_modified: self.text("dateModified"),
            prep_time: self.text("prepTime"),
            cook_time: self.text("cookTime"),
            total_time: self.text("totalTime"),
            recipe_yield: self.0.get("recipeYield").and_then(servings),
            recipe_category: list("recipeCategory").into_iter().next().unwrap_or_default(),
            tool: list("tool"),
            recipe_ingredient: list("recipeIngredient"),
            recipe_instructions: steps,
            nutrition: self.0.get("nutrition").and_then(nutrition),
            app_url: self.id().and_then(|id| app_url(cx, id)),
        }
    }

    pub fn stub(&self, cx: &Cx) -> RecipeStub {
        let id = self.id().unwrap_or_default();
        RecipeStub {
            id: id.to_string(),
            recipe_id: id,
            name: self.name(),
            keywords: self.text("keywords"),
            category: self.text("category"),
            date_created: self.text("dateCreated"),
            date_modified: self.text("dateModified"),
            image_url: self.link(cx, "imageUrl"),
            image_placeholder_url: self.link(cx, "imagePlaceholderUrl"),
            app_url: app_url(cx, id),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        texts(self.0.get(name)?).into_iter().next()
    }

    /// A path of Cookbook's as a link. It comes with the folder that Nextcloud is in and perhaps without `index.php`.
    fn link(&self, cx: &Cx, name: &str) -> Option<String> {
        let path = self.text(name)?;
        let Some(at) = path.find("/apps/cookbook/").filter(|_| path.starts_with('/')) else {
            return Some(path);
        };
        Some(cx.link(&format!("/index.php{}", &path[at..])).unwrap_or(path))
    }
}

/// The page of a recipe, for a browser.
pub fn app_url(cx: &Cx, id: i64) -> Option<String> {
    cx.link(&format!("/index.php/apps/cookbook/#/recipe/{id}"))
}

/// A list that PHP writes as an object where its keys have gaps.
pub fn php_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let items = match Value::deserialize(deserializer)? {
        Value::Object(members) => members.into_iter().map(|(_, value)| value).collect(),
        Value::Array(items) => items,
        other => return Err(serde::de::Error::custom(format!("expected a list, got {other}"))),
    };
    let read = |item| serde_json::from_value(item).map_err(serde::de::Error::custom);
    items.into_iter().map(read).collect()
}

/// The texts in a member that may be a text, a number, an object with a text in it, or a list of these; none of them
/// empty.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => {
            ["url", "name", "text"].iter().find_map(|name| members.get(*name)).map(texts).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn comma_separated(value: &Value) -> String {
    texts(value).join(",")
}

/// The steps, from a text with line breaks, a list of texts, or schema.org's `HowToStep`, `HowToSection` and `ItemList`.
fn collect_steps(value: &Value, steps: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            steps.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::String(text) if !text.trim().is_empty() => steps.push(text.clone()),
                    Value::String(_) => {}
                    other => collect_steps(other, steps),
                }
            }
        }
        Value::Object(members) => match members.get("itemListElement").or_else(|| members.get("item")) {
            Some(inside) => {
                if let Some(name) =
                    members.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())
                {
                    steps.push(format!("## {name}"));
                }
                collect_steps(inside, steps);
            }
            None => {
                let step = members.get("text").or_else(|| members.get("name"));
                steps.extend(step.map(texts).unwrap_or_default());
            }
        },
        _ => {}
    }
}

/// Servings, also from `"4"` and `"for 4 people"`; of several numbers the highest, as Cookbook does it.
fn servings(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|n| n as i64)),
        other => {
            let text = comma_separated(other);
            text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).max()
        }
    }
}

/// `None` where there is nothing but the type.
fn nutrition(value: &Value) -> Option<Nutrition> {
    let members = value.as_object()?;
    let get = |name: &str| texts(members.get(name)?).into_iter().next();
    if !NUTRIENTS.iter().any(|name| get(name).is_some()) {
        return None;
    }
    Some(Nutrition {
        schema_type: get("@type"),
        calories: get("calories"),
        carbohydrate_content: get("carbohydrateContent"),
        cholesterol_content: get("cholesterolContent"),
        fat_content: get("fatContent"),
        fiber_content: get("fiberContent"),
        protein_content: get("proteinContent"),
        saturated_fat_content: get("saturatedFatContent"),
        serving_size: get("servingSize"),
        sodium_content: get("sodiumContent"),
        sugar_content: get("sugarContent"),
        trans_fat_content: get("transFatContent"),
        unsaturated_fat_content: get("unsaturatedFatContent"),
    })
}

pub fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn steps_come_out_of_every_form_that_schema_org_knows() {
        let read = |value: Value| {
            let mut steps = Vec::new();
            collect_steps(&value, &mut steps);
            steps
        };
        assert_eq!(read(json!("Boil.\n\nServe.")), ["Boil.", "Serve."]);
        assert_eq!(
            read(json!(["Boil.", " ", {"@type": "HowToStep", "text": "Serve."}])),
            ["Boil.", "Serve."]
        );
        assert_eq!(
            read(
                json!([{"@type": "HowToSection", "name": "Dough", "itemListElement": [{"text": "Knead."}]}])
            ),
            ["## Dough", "Knead."]
        );
        assert_eq!(
            read(json!({"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": "Boil."}]})),
            ["Boil."]
        );
        assert_eq!(read(json!(null)), [""; 0]);
    }

    #[test]
    fn numbers_lists_and_texts_are_told_apart_no_more() {
        assert_eq!(servings(&json!(4)), Some(4));
        assert_eq!(servings(&json!(["4", "4 to 6 people"])), Some(6));
        assert_eq!(servings(&json!(null)), None);
        assert_eq!(
            nutrition(&json!({"@type": "NutritionInformation", "calories": 300})).unwrap().calories.unwrap(),
            "300"
        );
        assert!(nutrition(&json!({"@type": "NutritionInformation"})).is_none());
        assert!(nutrition(&json!([])).is_none());
        assert_eq!(comma_separated(&json!(["a", "b"])), "a,b");
        assert_eq!(
            texts(&json!([{"@type": "ImageObject", "url": "https://a.org/x.jpg"}])),
            ["https://a.org/x.jpg"]
        );
    }

    #[test]
    fn a_list_with_gaps_in_its_keys_is_a_list() {
        #[derive(Deserialize)]
        struct Answer(#[serde(deserialize_with = "php_list")] Vec<i64>);
        let read = |text: &str| serde_json::from_str::<Answer>(text).map(|answer| answer.0);
        assert_eq!(read("[1,2]").unwrap(), [1, 2]);
        assert_eq!(read(r#"{"0":1,"2":2}"#).unwrap(), [1, 2]);
        assert!(read("7").is_err());
    }
}

use super::*;

const NOW: &str = "2026-11-23T23:32:31.042Z";

fn column(value: Value) -> Column {
    let Value::Object(mut raw) = value else { panic!("no object") };
    raw.insert("id".into(), 7.into());
    Column::read(raw).expect("a column")
}

/// Checks what is stored; `Err` is a part of the error.
fn check_all(column: &Column, rows: &[(Value, Result<Value, &str>)]) {
    for (given, expected) in rows {
        match (stored(column, given, NOW), expected) {
            (Ok(stored), Ok(expected)) => assert_eq!(&stored, expected, "{given}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{given}: {why}"),
            (other, _) => panic!("{given}: {other:?}"),
        }
    }
}

#[test]
fn text_is_measured_in_characters() {
    let column = column(json!({"type": "text", "subtype": "line", "textMaxLength": 3}));
    check_all(
        &column,
        &[
            (json!("äöü"), Ok(json!("äöü"))),
            (json!(12), Ok(json!("12"))),
            (json!("äöüß"), Err("text of at most 3 characters")),
            (json!(true), Err("text")),
            (json!({"a": 1}), Err("text")),
        ],
    );
}

#[test]
fn a_number_keeps_to_its_range_and_decimals() {
    let price = column(
        json!({"type": "number", "subtype": "", "numberMin": 0, "numberMax": 10, "numberDecimals": 2}),
    );
    let sum = 0.1 + 0.2;
    check_all(
        &price,
        &[
            (json!(3.25), Ok(json!(3.25))),
            (json!("3.25"), Ok(json!(3.25))),
            (json!(3.0), Ok(json!(3))),
            (json!(sum), Ok(json!(0.3))),
            (json!(3.255), Err("a number from 0 to 10 with at most 2 decimals, got 3.255")),
            (json!(-1), Err("from 0 to 10")),
            (json!(10.01), Err("from 0 to 10")),
            (json!("3,25"), Err("a number")),
            (json!("NaN"), Err("a number")),
            (json!([3]), Err("a number")),
        ],
    );
    let whole = column(json!({"type": "number", "subtype": "", "numberDecimals": null}));
    check_all(
        &whole,
        &[
            (json!(-7), Ok(json!(-7))),
            (json!(1.5), Err("a whole number")),
            (json!(1e17), Err("a whole number")),
        ],
    );
}

#[test]
fn progress_and_stars_have_their_own_range() {
    let progress = column(json!({"type": "number", "subtype": "progress"}));
    check_all(
        &progress,
        &[(json!(100), Ok(json!(100))), (json!(101), Err("0 to 100")), (json!(0.5), Err("whole"))],
    );
    let stars = column(json!({"type": "number", "subtype": "stars"}));
    check_all(&stars, &[(json!("5"), Ok(json!(5))), (json!(6), Err("0 to 5")), (json!(-1), Err("0 to 5"))]);
}

fn options(subtype: &str) -> Column {
    column(json!({"type": "selection", "subtype": subtype, "selectionOptions": [
        {"id": 0, "label": "open"}, {"id": 1, "label": "done"}, {"id": 2, "label": "1"}, {"id": 3, "label": "b, c"},
        {"id": 4, "label": "gone", "deleted": true}, {"id": 5, "label": "Old"}, {"id": 6, "label": "OLD"},
        {"id": 7, "label": "40"},
    ]}))
}

#[test]
fn an_option_is_found_by_id_and_by_label() {
    check_all(
        &options(""),
        &[
            (json!(0), Ok(json!(0))),
            (json!("open"), Ok(json!(0))),
            (json!(" Done"), Ok(json!(1))),
            (json!(1), Ok(json!(1))),
            (json!("3"), Ok(json!(3))),
            (json!(40), Ok(json!(7))),
            (json!({"id": 3, "label": "b, c"}), Ok(json!(3))),
            (
                json!("1"),
                Err("\"1\" is the label of option 2 and the id of another; give 2 or 1 as a number"),
            ),
            (json!("OLD"), Ok(json!(6))),
            (json!("old"), Err("did you mean")),
            (json!("opan"), Err("did you mean \"open\"?")),
            (json!("gone"), Err("did you mean \"done\"?")),
            (json!("nothing like it"), Err("one of \"open\" (0), \"done\" (1)")),
            (json!(4), Ok(json!(4))),
            (json!(9), Err("one of \"open\" (0)")),
            (json!(true), Err("one of")),
        ],
    );
}

#[test]
fn several_options_come_in_a_list_or_one_by_one() {
    check_all(
        &options("multi"),
        &[
            (json!(["done", 0, "done"]), Ok(json!([0, 1]))),
            (json!("[1,0]"), Ok(json!([0, 1]))),
            (json!("b, c"), Ok(json!([3]))),
            (json!("open, done"), Ok(json!([0, 1]))),
            (json!(3), Ok(json!([3]))),
            (json!(["open", "never heard of"]), Err("one of")),
        ],
    );
}

#[test]
fn a_check_box_takes_the_usual_words() {
    let column = column(json!({"type": "selection", "subtype": "check"}));
    check_all(
        &column,
        &[
            (json!(true), Ok(json!("true"))),
            (json!("No"), Ok(json!("false"))),
            (json!(1), Ok(json!("true"))),
            (json!("maybe"), Err("true or false")),
            (json!(2), Err("true or false")),
        ],
    );
}

#[test]
fn times_are_kept_as_written_to_the_minute() {
    let both = column(json!({"type": "datetime", "subtype": ""}));
    check_all(
        &both,
        &[
            (json!("2026-03-01 14:30"), Ok(json!("2026-03-01 14:30"))),
            (json!("2026-03-01T14:30:59.5+02:00"), Ok(json!("2026-03-01 14:30"))),
            (json!("2026-03-01T14:30:00Z"), Ok(json!("2026-03-01 14:30"))),
            (json!("now"), Ok(json!("2026-11-23 23:32"))),
            (json!("2026-03-01"), Err("a date and time like")),
            (json!("2026-02-29 14:30"), Err("a date and time")),
            (json!("2026-03-01 24:00"), Err("a date and time")),
            (json!("2026-03-01 14:30 or so"), Err("a date and time")),
            (json!("2026-03-01 14:3ä"), Err("a date and time")),
            (json!(1_772_375_400), Err("a date and time")),
        ],
    );
    let day = column(json!({"type": "datetime", "subtype": "date"}));
    check_all(
        &day,
        &[
            (json!("2028-02-29"), Ok(json!("2028-02-29"))),
            (json!("2026-03-01T00:00:00Z"), Ok(json!("2026-03-01"))),
            (json!("Today"), Ok(json!("2026-11-23"))),
            (json!("2026-03-01T10:00"), Err("a date like")),
            (json!("01.03.2026"), Err("a date like")),
            (json!("2026-3-1"), Err("a date like")),
            (json!("+026-03-01"), Err("a date like")),
            (json!("2026-+3-01"), Err("a date like")),
        ],
    );
    let time = column(json!({"type": "datetime", "subtype": "time"}));
    check_all(
        &time,
        &[
            (json!("09:05"), Ok(json!("09:05"))),
            (json!("14:30:15"), Ok(json!("14:30"))),
            (json!("now"), Ok(json!("23:32"))),
            (json!("9:05"), Err("a time like")),
            (json!("14:60"), Err("a time like")),
            (json!("2:30 pm"), Err("a time like")),
        ],
    );
}

#[test]
fn a_link_goes_out_in_the_form_that_tables_keeps_whole() {
    let column = column(json!({"type": "text", "subtype": "link", "textAllowedPattern": "url,files"}));
    let sent = |value: Value| -> Value {
        let stored = stored(&column, &value, NOW).expect("a link");
        serde_json::from_str(stored.as_str().expect("text")).expect("JSON")
    };
    let plain = json!({"title": "https://a.info/?b=1", "resourceUrl": "https://a.info/?b=1"});
    assert_eq!(sent(json!("https://a.info/?b=1")), plain);
    let titled = json!({"title": "A \"b\" & <c>", "resourceUrl": "https://a.info"});
    assert_eq!(sent(json!({"title": "A \"b\" & <c>", "url": "https://a.info"})), titled);
    assert_eq!(
        sent(json!("{\"title\":\"A\",\"value\":\"https://a.info\",\"providerId\":\"url\"}")),
        json!({"title": "A", "resourceUrl": "https://a.info"})
    );
    let file = json!({"title": "A", "value": "https://a.info/f/7", "providerId": "files"});
    assert_eq!(sent(file.clone()), file);
    let wrong = "a link that starts with http";
    check_all(
        &column,
        &[
            (json!("javascript:alert(1)"), Err(wrong)),
            (json!("a.info"), Err(wrong)),
            (json!("https://"), Err(wrong)),
            (json!("https://a.info b"), Err(wrong)),
            (json!({"title": "A"}), Err(wrong)),
            (json!(7), Err(wrong)),
        ],
    );
}

#[test]
fn people_are_of_the_kinds_that_the_column_takes() {
    let one = column(json!({"type": "usergroup", "subtype": "", "usergroupSelectUsers": true}));
    check_all(
        &one,
        &[
            (json!("bob"), Ok(json!([{"id": "bob", "type": 0}]))),
            (json!([{"id": "bob", "type": 0, "displayName": "Bob"}]), Ok(json!([{"id": "bob", "type": 0}]))),
            (json!("{\"id\":\"bob\",\"type\":\"user\"}"), Ok(json!([{"id": "bob", "type": 0}]))),
            (json!([{"id": "bob"}, {"id": "eve"}]), Err("a list of one")),
            (json!([{"id": "staff", "type": 1}]), Err("type 0 for a user")),
            (json!([{"type": 0}]), Err("a list of one")),
            (json!([7]), Err("a list of one")),
        ],
    );
    let many = column(json!({"type": "usergroup", "subtype": "", "usergroupMultipleItems": true}));
    check_all(
        &many,
        &[
            (
                json!(["bob", {"id": "staff", "type": "group"}]),
                Ok(json!([{"id": "bob", "type": 0}, {"id": "staff", "type": 1}])),
            ),
            (json!([{"id": "x", "type": 3}]), Err("type 0 for a user, 1 for a group, 2 for a team")),
        ],
    );
}

#[test]
fn defaults_are_those_of_the_form_for_new_rows() {
    let default = |value: Value| default(&column(value), NOW);
    let text = |value: &str| Some(Value::from(value));
    assert_eq!(default(json!({"type": "text", "subtype": "line", "textDefault": "x"})), text("x"));
    assert_eq!(default(json!({"type": "text", "subtype": "line", "textDefault": ""})), None);
    assert_eq!(default(json!({"type": "text", "subtype": "link", "textDefault": "https://a.org"})), None);
    assert_eq!(default(json!({"type": "number", "subtype": "", "numberDefault": 0})), Some(json!(0)));
    assert_eq!(default(json!({"type": "number", "subtype": "", "numberDefault": null})), None);
    assert_eq!(default(json!({"type": "number", "subtype": "stars", "numberDefault": 9})), None);
    let options = json!([{"id": 0, "label": "a"}, {"id": 1, "label": "0"}]);
    let selection = |subtype: &str, default: &str| json!({"type": "selection", "subtype": subtype, "selectionOptions": options, "selectionDefault": default});
    assert_eq!(default(selection("", "0")), Some(json!(0)));
    assert_eq!(default(selection("", "7")), None);
    assert_eq!(default(selection("", "null")), None);
    assert_eq!(default(selection("multi", "[\"1\",0]")), Some(json!([0, 1])));
    assert_eq!(default(selection("multi", "[]")), None);
    assert_eq!(default(selection("check", "true")), text("true"));
    assert_eq!(default(selection("check", "")), text("false"));
    assert_eq!(
        default(json!({"type": "datetime", "subtype": "", "datetimeDefault": "now"})),
        text("2026-11-23 23:32")
    );
    assert_eq!(
        default(json!({"type": "datetime", "subtype": "date", "datetimeDefault": "today"})),
        text("2026-11-23")
    );
    assert_eq!(default(json!({"type": "datetime", "subtype": "time", "datetimeDefault": ""})), None);
}

#[test]
fn values_are_shown_readable_and_what_is_unknown_as_it_is() {
    let show = |column: &Column, value: Value| readable(column, value);
    assert_eq!(show(&options(""), json!(1)), json!("done"));
    assert_eq!(show(&options(""), json!("4")), json!("gone"));
    assert_eq!(show(&options(""), json!(99)), json!(99));
    assert_eq!(show(&options(""), Value::Null), Value::Null);
    assert_eq!(show(&options("multi"), json!([0, 3, 99])), json!(["open", "b, c", 99]));
    assert_eq!(show(&options("check"), json!("true")), json!(true));
    let link = column(json!({"type": "text", "subtype": "link"}));
    assert_eq!(
        show(&link, json!("{\"title\":\"A\",\"value\":\"https://a.org\",\"providerId\":\"url\"}")),
        json!({"title": "A", "url": "https://a.org"})
    );
    assert_eq!(show(&link, json!("https://old.form")), json!("https://old.form"));
}

#[test]
fn what_tables_dropped_or_changed_is_seen() {
    let number = column(json!({"type": "number", "subtype": ""})).kind;
    assert!(is_kept(&number, &json!(3), &json!(3.0)));
    assert!(!is_kept(&number, &json!(3), &Value::Null));
    let text = column(json!({"type": "text", "subtype": "line"})).kind;
    assert!(!is_kept(&text, &json!("7"), &json!("007")));
    assert!(is_kept(&text, &json!(""), &Value::Null));
    assert!(!is_kept(&text, &json!(""), &json!("x")));
    assert!(is_kept(&options("").kind, &json!(2), &json!("2")));
    assert!(!is_kept(&options("").kind, &json!(0), &Value::Null));
    assert!(!is_kept(&options("multi").kind, &json!([0, 1]), &json!([0])));
    let link = column(json!({"type": "text", "subtype": "link"})).kind;
    let sent = json!("{\"title\":\"A\",\"resourceUrl\":\"https://a.org/b\"}");
    assert!(is_kept(
        &link,
        &sent,
        &json!("{\"title\":\"A\",\"value\":\"https:\\/\\/a.org\\/b\",\"providerId\":\"url\"}")
    ));
    assert!(!is_kept(&link, &sent, &Value::Null));
    let people = column(json!({"type": "usergroup", "subtype": ""})).kind;
    let bob = json!([{"id": "bob", "type": 0}]);
    assert!(is_kept(&people, &bob, &json!([{"id": "bob", "type": 0, "displayName": "Bob"}])));
    assert!(!is_kept(&people, &bob, &json!([])));
}

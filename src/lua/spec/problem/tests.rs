//! Pieces; whole specs run in `tests/it/specs.rs`.

use super::{problem_of, split_place};
use crate::model::Failure;

#[test]
fn the_place_in_front_of_a_message_is_found() {
    for (text, place, rest) in [
        ("spec/a.lua:3: boom", Some("spec/a.lua:3"), "boom"),
        ("a:b.lua:12: x: y", Some("a:b.lua:12"), "x: y"),
        ("no place", None, "no place"),
        ("at 5: no file", None, "at 5: no file"),
        ("a.lua: 3: x", None, "a.lua: 3: x"),
        ("", None, ""),
        (":", None, ":"),
        ("x.lua:1:", Some("x.lua:1"), ""),
        ("ü.lua:1: ü", Some("ü.lua:1"), "ü"),
    ] {
        assert_eq!(split_place(text), (place, rest), "{text}");
    }
}

#[test]
fn the_innermost_line_of_the_spec_is_the_place() {
    let failure = |message: &str, traceback: &str| Failure {
        traceback: Some(traceback.into()),
        ..Failure::new("lua_error", message)
    };
    let deep = "lib/x.lua:9: in function 'x.check'\nspec/a_spec.lua:31: in function <spec/a_spec.lua:30>";
    let problem = problem_of("spec/a_spec.lua", &failure("lib/x.lua:9: boom", deep));
    assert_eq!(problem.place.as_deref(), Some("spec/a_spec.lua:31"));
    assert_eq!(problem.message, "lib/x.lua:9: boom");
    let problem = problem_of("spec/a_spec.lua", &failure("spec/a_spec.lua:31: boom", deep));
    assert_eq!((problem.place.as_deref(), problem.message.as_str()), (Some("spec/a_spec.lua:31"), "boom"));
    // as Lua shortens long names
    let long = "...ry/long/name/spec/a_spec.lua:7: boom";
    let problem = problem_of("a/very/long/name/spec/a_spec.lua", &failure(long, ""));
    assert_eq!(problem.place.as_deref(), Some("a/very/long/name/spec/a_spec.lua:7"));
    assert_eq!(problem_of("a.lua", &Failure::new("x", "m")).place, None);
}

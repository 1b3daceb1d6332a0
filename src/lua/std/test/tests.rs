//! What the module does in a spec is told by `tests/lua/test_spec.lua`, in which it is tested by itself.

use crate::lua::std::testing::{fails, state};

#[test]
fn outside_of_specs_every_function_says_where_it_belongs() {
    let lua = state();
    for call in [
        "worker('x.lua', {})",
        "handler('x.lua', {})",
        "tasks('x.lua')",
        "http {}",
        "requests()",
        "clock(0)",
        "seed(1)",
        "tmp()",
        "snapshot('x', 1)",
    ] {
        let error = fails(&lua, &format!("mpms.test.{call}"));
        assert_eq!(error.code, "invalid", "{call}");
        assert!(error.message.contains("run `mpms test`"), "{call}: {}", error.message);
    }
}

#[test]
fn every_function_has_its_type_and_no_other() {
    let types = include_str!("../../types/test.lua");
    let mut told: Vec<&str> = types
        .lines()
        .filter_map(|line| line.strip_prefix("function test.")?.split_once('(').map(|(name, _)| name))
        .collect();
    told.sort_unstable();
    let lua = state();
    let text = "local names = {} for name in pairs(mpms.test) do names[#names + 1] = name end table.sort(names) return names";
    let exist: Vec<String> = crate::lua::std::testing::run(&lua, text);
    assert_eq!(told, exist);
}

use mlua::Lua;

use crate::lua::random::words;
use crate::lua::scheduler::Scheduler;
use crate::lua::std::testing::{fails, run, state};

/// A state whose stream is that of task `task` of a run with the seed 1.
fn of_task(task: u128) -> Lua {
    let lua = state();
    let mut random = Scheduler::of(&lua).random(&lua).expect("a generator");
    random.exchange(words(1, task));
    lua
}

const SOME: &str = "local r = mpms.random \
    return table.concat({ r.int(1, 1000), ('%.17g'):format(r.float()), tostring(r.bool()), r.choice { 'a', 'b', 'c' }, \
      table.concat(r.sample({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 4), ' '), table.concat(r.shuffle { 1, 2, 3, 4, 5 }, ' '), \
      ('%.12g'):format(r.normal()), ('%.12g'):format(r.exp(2)), (r.bytes(5):gsub('.', function(c) \
        return ('%02x'):format(c:byte()) end)) }, '|')";

#[test]
fn the_first_numbers_of_a_seed_never_change() {
    assert_eq!(
        run::<String>(&of_task(7), SOME),
        "762|0.41427070586933779|false|b|2 9 7 8|4 3 1 2 5|0.309287439141|0.0180794257545|f53bd28b0e"
    );
    let own = SOME.replace(
        "local r = mpms.random ",
        "local g = mpms.random.new(42) local r = setmetatable({}, { \
        __index = function(_, name) return function(...) return g[name](g, ...) end end }) ",
    );
    assert_eq!(
        run::<String>(&state(), &own),
        "746|0.32265868220098382|true|b|4 8 2 6|5 3 1 4 2|0.0325851046701|0.435368167988|eb4d9b6168"
    );
    assert_eq!(
        run::<(i64, i64, i64)>(
            &state(),
            "local new = mpms.random.new \
            return new(0):int(math.mininteger, math.maxinteger), new(-1):int(1000000), new('run 7'):int(1000000)"
        ),
        (-5038977374476349650, 758051, 572581)
    );
}

#[test]
fn a_task_draws_the_same_again_and_another_task_something_else() {
    assert_eq!(run::<String>(&of_task(7), SOME), run::<String>(&of_task(7), SOME));
    assert_ne!(run::<String>(&of_task(7), SOME), run::<String>(&of_task(8), SOME));
}

#[test]
fn math_random_and_the_module_draw_from_one_stream() {
    let all = |lua: &Lua, code: &str| run::<Vec<i64>>(lua, code);
    let one = all(&of_task(3), "return { math.random(0), math.random(0), math.random(0), math.random(0) }");
    let mixed = all(
        &of_task(3),
        "local all = mpms.random return { math.random(0), all.int(math.mininteger, math.maxinteger), math.random(0), \
         all.int(math.mininteger, math.maxinteger) }",
    );
    let as_offset = |number: i64| number.wrapping_add(i64::MIN);
    assert_eq!(mixed, [one[0], as_offset(one[1]), one[2], as_offset(one[3])]);
    let floats: (f64, f64) = run(&of_task(3), "return math.random(), mpms.random.float()");
    let other: (f64, f64) = run(&of_task(3), "return mpms.random.float(), math.random()");
    assert_eq!(floats, other);
}

#[test]
fn a_coroutine_has_a_stream_of_its_own_whoever_runs_first() {
    let drawn = |first: &str, second: &str| {
        let code = format!(
            "local function work(pause) return function() sleep(pause) local a = mpms.random.int(1000000) sleep(pause) \
               return a .. ' ' .. math.random(1000000) end end \
             local here = mpms.random.int(1000000) \
             local all = mpms.co.all {{ work({first}), work({second}) }} \
             return here .. '|' .. all[1] .. '|' .. all[2] .. '|' .. mpms.random.int(1000000)"
        );
        run::<String>(&of_task(5), &code)
    };
    let one = drawn("0.001", "0.02");
    assert_eq!(one, drawn("0.02", "0.001"));
    let parts: Vec<&str> = one.split('|').collect();
    assert_ne!(parts[1], parts[2]);
}

#[test]
fn generators_are_independent() {
    let lua = of_task(1);
    let seen: (i64, i64, i64, i64) = run(
        &lua,
        "local a, b = mpms.random.new(9), mpms.random.new(9) local first = a:int(1000000) \
         local again = b:int(1000000) b:int(5) local x = a:int(1000000) \
         local c = mpms.random.new(9) c:int(1000000) return first, again, x, c:int(1000000)",
    );
    assert_eq!((seen.0, seen.2), (seen.1, seen.3));
    let with: i64 = run(&of_task(1), "mpms.random.new(1):bytes(100) return math.random(0)");
    assert_eq!(with, run::<i64>(&of_task(1), "return math.random(0)"));
}

#[test]
fn the_distributions_are_what_they_say() {
    let lua = of_task(2);
    let faces: Vec<u32> = run(
        &lua,
        "local seen = { 0, 0, 0, 0, 0, 0 } for _ = 1, 60000 do local n = mpms.random.int(6) seen[n] = seen[n] + 1 end \
         return seen",
    );
    // χ² with 5 degrees of freedom: 20.5 is passed once in a thousand seeds
    let chi: f64 = faces.iter().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
    assert!(chi < 20.5, "{faces:?}");
    let orders: Vec<u32> = run(
        &lua,
        "local seen, names = {}, { '123', '132', '213', '231', '312', '321' } \
         for _ = 1, 12000 do local s = table.concat(mpms.random.shuffle { 1, 2, 3 }) seen[s] = (seen[s] or 0) + 1 end \
         local list = {} for i, name in ipairs(names) do list[i] = seen[name] end return list",
    );
    assert_eq!(orders.len(), 6);
    assert!(orders.iter().all(|n| (1800..2200).contains(n)), "{orders:?}");
    let samples: Vec<u32> = run(
        &lua,
        "local seen = { 0, 0, 0, 0, 0 } for _ = 1, 10000 do local s = mpms.random.sample({ 1, 2, 3, 4, 5 }, 2) \
         assert(s[1] ~= s[2]) for _, n in ipairs(s) do seen[n] = seen[n] + 1 end end return seen",
    );
    assert!(samples.iter().all(|n| (3800..4200).contains(n)), "{samples:?}");
    let (mean, deviation, exponential, yes): (f64, f64, f64, f64) = run(
        &lua,
        "local r, n = mpms.random, 50000 local sum, square, e, yes = 0, 0, 0, 0 \
         for _ = 1, n do local x = r.normal(10, 3) sum, square = sum + x, square + x * x e = e + r.exp(4) \
           if r.bool(0.2) then yes = yes + 1 end end \
         return sum / n, math.sqrt(square / n - (sum / n) ^ 2), e / n, yes / n",
    );
    assert!((mean - 10.0).abs() < 0.06 && (deviation - 3.0).abs() < 0.06, "{mean} {deviation}");
    assert!((exponential - 0.25).abs() < 0.006 && (yes - 0.2).abs() < 0.01, "{exponential} {yes}");
    let picked: Vec<u32> = run(
        &lua,
        "local seen = { 0, 0, 0 } for _ = 1, 10000 do local n = mpms.random.choice({ 1, 2, 3 }, { 1, 0, 3 }) \
         seen[n] = seen[n] + 1 end return seen",
    );
    assert!((2300..2700).contains(&picked[0]) && picked[1] == 0, "{picked:?}");
}

#[test]
fn limits_and_wrong_arguments() {
    let lua = of_task(4);
    assert!(run::<bool>(
        &lua,
        "local r = mpms.random return r.int(5, 5) == 5 and r.bool(1) and not r.bool(0) \
        and #r.bytes(0) == 0 and #r.bytes(1000) == 1000 and #r.sample({}, 0) == 0 and #r.shuffle {} == 0 \
        and r.normal(7, 0) == 7"
    ));
    let kept: String =
        run(&lua, "local list = { 1, 2, 3, 4, 5, 6 } mpms.random.shuffle(list) return table.concat(list)");
    assert_eq!(kept, "123456");
    for (code, message) in [
        ("int(5, 1)", "random.int: no integer is from 5 to 1"),
        ("int(0)", "random.int: no integer is from 1 to 0"),
        ("int(1.5)", "random.int: argument 1 (first) must be an integer"),
        ("bool(2)", "random.bool: argument 1 (chance) must be from 0 to 1, got 2"),
        ("choice({})", "random.choice: argument 1 (list) is empty: there is nothing to choose"),
        (
            "choice({ 1, 2 }, { 1 })",
            "random.choice: argument 2 (weights) must be as many as the items: 1 of 2",
        ),
        ("choice({ 1 }, { 0 })", "random.choice: argument 2 (weights) must not all be 0"),
        (
            "choice({ 1 }, { -1 })",
            "random.choice: argument 2 (weights) must be numbers of 0 or more, which number 1 is not",
        ),
        ("sample({ 1 }, 2)", "random.sample: argument 2 (count) must be from 0 to 1, got 2"),
        ("normal(0, -1)", "random.normal: argument 2 (deviation) must be 0 or more, got -1"),
        ("exp(0)", "random.exp: argument 1 (rate) must be more than 0, got 0"),
        ("bytes(-1)", "random.bytes: argument 1 (count) must be from 0 to 268435456, got -1"),
        ("new(1.5)", "random.new: argument 1 (seed) must be an integer or a string, got number"),
    ] {
        let e = fails(&lua, &format!("mpms.random.{code}"));
        assert!(e.message.starts_with(message), "{code}: {}", e.message);
        assert_eq!(e.code, "invalid");
    }
}

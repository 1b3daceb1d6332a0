use crate::lua::std::testing::{fails, run, shown, state};

#[test]
fn names_are_new_each_time_and_say_their_version() {
    let lua = state();
    assert!(run::<bool>(
        &lua,
        "local seen = {} \
         for _ = 1, 1000 do \
           for _, version in ipairs { 'v4', 'v7' } do \
             local id = mpms.uuid[version]() \
             assert(not seen[id] and id:find('^%x+%-%x+%-' .. version:sub(2) .. '%x+%-[89ab]%x+%-%x+$') and #id == 36, id) \
             seen[id] = true \
           end \
         end \
         return true"
    ));
}

#[test]
fn version_7_rises_and_tells_the_time() {
    let lua = state();
    assert!(run::<bool>(
        &lua,
        "local last = '' \
         for _ = 1, 20000 do local id = mpms.uuid.v7() assert(last < id, id) last = id end \
         return math.abs(mpms.uuid.parse(last).time - mpms.time.now()) < 5"
    ));
}

#[test]
fn texts_are_read_strictly() {
    let lua = state();
    assert_eq!(
        shown(
            &lua,
            "mpms.uuid.parse('017F22E2-79B0-7CC3-98C4-DC0C0C07398F').text, \
             mpms.uuid.parse('017f22e2-79b0-7cc3-98c4-dc0c0c07398f').version, \
             mpms.uuid.parse('017f22e2-79b0-7cc3-98c4-dc0c0c07398f').time, \
             mpms.codec.hex.encode(mpms.uuid.parse('017f22e2-79b0-7cc3-98c4-dc0c0c07398f').bytes), \
             mpms.uuid.parse('919108f7-52d1-4320-9bac-f847db4148a8').time"
        ),
        "\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\", 7, 1645557742.0, \"017f22e279b07cc398c4dc0c0c07398f\", nil"
    );
    for bad in [
        "",
        "x",
        "017f22e279b07cc398c4dc0c0c07398f",
        "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
    ] {
        assert_eq!(shown(&lua, &format!("mpms.uuid.is_valid '{bad}'")), "false", "{bad}");
        let e = fails(&lua, &format!("mpms.uuid.parse '{bad}'"));
        assert_eq!(e.code, "parse");
        assert_eq!(
            e.message,
            format!("uuid.parse: a UUID is 32 hexadecimal digits as in 8-4-4-4-12, got `{bad}`")
        );
    }
    assert_eq!(shown(&lua, "mpms.uuid.is_valid(mpms.uuid.v4())"), "true");
}

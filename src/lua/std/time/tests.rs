use std::process::Command;

use mlua::Lua;

use crate::lua::std::testing::{fails, run, state};

/// `time` is the module.
fn text(lua: &Lua, code: &str) -> String {
    run(lua, &format!("local time = mpms.time return tostring({code})"))
}

fn message(lua: &Lua, code: &str) -> String {
    fails(lua, &format!("local time = mpms.time return {code}")).message
}

#[test]
fn texts_of_every_kind_are_the_same_time() {
    let lua = state();
    for written in [
        "1994-11-06T08:49:37Z",
        "1994-11-06 08:49:37",
        "19941106T084937Z",
        "1994-11-06T09:49:37+01:00",
        "1994-11-06T09:49:37+01:00[Europe/Berlin]",
        "1994-11-06T03:49:37[America/New_York]",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "6 Nov 1994 09:49:37 +0100",
        "Sun, 6 Nov 1994 00:49:37 -0800",
        "784111777",
        "784111777.0",
        "@784111777",
        "  1994-11-06T08:49:37Z\n",
    ] {
        let unix: i64 = run(&lua, &format!("return mpms.time.parse({written:?}).unix"));
        assert_eq!(unix, 784_111_777, "{written}");
    }
}

#[test]
fn a_text_keeps_its_zone_and_takes_the_option_only_without_one() {
    let lua = state();
    assert_eq!(text(&lua, "time.parse('2024-05-01T12:00:00+05:30')"), "2024-05-01T12:00:00+05:30");
    assert_eq!(
        text(&lua, "time.parse('2024-05-01T12:00:00', { tz = 'Asia/Tokyo' })"),
        "2024-05-01T12:00:00+09:00"
    );
    assert_eq!(
        text(&lua, "time.parse('2024-05-01T12:00:00Z', { tz = 'Asia/Tokyo' })"),
        "2024-05-01T12:00:00Z"
    );
    assert_eq!(text(&lua, "time.parse('2024-05-01')"), "2024-05-01T00:00:00Z");
    assert_eq!(text(&lua, "time.parse('20240501')"), "2024-05-01T00:00:00Z");
    assert_eq!(text(&lua, "time.parse('2024-05')"), "2024-05-01T00:00:00Z");
    assert_eq!(text(&lua, "time.parse('@-1.5')"), "1969-12-31T23:59:58.5Z");
    assert_eq!(text(&lua, "time.parse('1994-11-06T03:49:37[America/New_York]').tz"), "America/New_York");
    let formatted = "time.parse('06.11.1994 08:49', '%d.%m.%Y %H:%M', { tz = '+01:00' })";
    assert_eq!(text(&lua, formatted), "1994-11-06T08:49:00+01:00");
    assert_eq!(text(&lua, "time.parse('6.11.1994', '%d.%m.%Y')"), "1994-11-06T00:00:00Z");
    assert_eq!(
        text(&lua, "time.parse('1994-11-06 08:49:37 -0500', '%F %T %z')"),
        "1994-11-06T08:49:37-05:00"
    );
    assert_eq!(text(&lua, "time.parse('784111777', '%s')"), "1994-11-06T08:49:37Z");
}

#[test]
fn what_is_no_time_is_refused_with_its_reason() {
    let lua = state();
    for (code, part) in [
        ("time.parse('2024-13-01')", "`2024-13-01` is no ISO 8601 time: "),
        ("time.parse('2024-13-01')", "month"),
        ("time.parse('2024-02-30T10:00:00Z')", "day"),
        ("time.parse('2024-02-03T25:00:00Z')", "hour"),
        ("time.parse('')", "is no ISO 8601 time"),
        ("time.parse('yesterday')", "`yesterday` is no RFC 2822 or HTTP time: "),
        ("time.parse('1700000000000')", "milliseconds: use time.at(number / 1000)"),
        ("time.parse('@x')", "is no Unix time"),
        ("time.parse('2024', '%Y-%m')", "`2024` does not fit the format `%Y-%m`: "),
        ("time.parse(('9'):rep(300))", "a text of 300 bytes is no time"),
        ("time.parse('\\xff')", "is no"),
    ] {
        let e = fails(&lua, &format!("local time = mpms.time return {code}"));
        assert_eq!(e.code, "parse", "{code}");
        assert!(e.message.contains(part), "{code}: {}", e.message);
    }
    assert_eq!(
        message(&lua, "time.parse('x', 5)"),
        "time.parse: argument 2 (format) must be a string, got integer"
    );
    let zone = message(&lua, "time.parse('2024-05-01', { tz = 'Europe/Berln' })");
    let wanted = "time.parse: no time zone `Europe/Berln`; did you mean `Europe/Berlin`?; names are as \"Europe/Berlin\"";
    assert_eq!(zone, wanted);
    assert!(message(&lua, "time.parse('2024-05-01', { zone = 'UTC' })").contains("unknown option `zone`"));
    assert!(message(&lua, "time.at(0, { tz = '+99:99' })").contains("no offset `+99:99`"));
}

#[test]
fn fields_and_texts_of_a_time() {
    let lua = state();
    let code = "local t = mpms.time.date { year = 2024, month = 12, day = 31, hour = 23, min = 58, sec = 59, \
        nsec = 5000000, tz = 'Europe/Berlin' } \
        return table.concat({ t.year, t.month, t.day, t.hour, t.min, t.sec, t.nsec, t.weekday, t.yearday, t.offset, \
          t.tz, t.unix, t:iso(), t:rfc2822(), t:http(), t:format('%d/%m/%y %H:%M:%S %Z %j') }, '|')";
    assert_eq!(
        run::<String>(&lua, code),
        "2024|12|31|23|58|59|5000000|2|366|3600|Europe/Berlin|1735685939.005|2024-12-31T23:58:59.005+01:00|\
         Tue, 31 Dec 2024 23:58:59 +0100|Tue, 31 Dec 2024 22:58:59 GMT|31/12/24 23:58:59 CET 366"
    );
    assert_eq!(text(&lua, "math.type(time.at(5).unix)"), "integer");
    assert_eq!(text(&lua, "time.at(0.25).unix"), "0.25");
    assert_eq!(text(&lua, "time.at(0, { tz = '-03:30' }).tz"), "-03:30");
    assert_eq!(text(&lua, "time.date { year = 2024 }"), "2024-01-01T00:00:00Z");
    assert!(message(&lua, "time.at(0):format('%Q%!')").contains("argument 1 (format)"));
    assert!(message(&lua, "time.at(0).yaer").contains("no field or method `yaer`"));
    assert!(message(&lua, "time.at('now')").contains("argument 1 (unix) must be a number, got string"));
    assert!(message(&lua, "time.at(1e300)").contains("between the years"));
    assert!(message(&lua, "time.at(0/0)").contains("must be a number"));
    for (code, wanted) in [
        ("time.date { month = 2 }", "time.date: field `year` is missing"),
        (
            "time.date { year = 2023, month = 2, day = 29 }",
            "time.date: field `day` is 29, which month 2 of 2023 lacks",
        ),
        ("time.date { year = 2023, hour = 24 }", "time.date: field `hour` must be from 0 to 23, got 24"),
        ("time.date { year = 2023, minute = 1 }", "time.date: unknown option `minute`; did you mean `min`?"),
    ] {
        assert_eq!(message(&lua, code), wanted);
    }
}

#[test]
fn the_calendar_knows_of_summer_time() {
    let lua = state();
    let berlin = |day: &str| format!("time.parse('{day}', {{ tz = 'Europe/Berlin' }})");
    let before = berlin("2024-03-30T12:00:00");
    assert_eq!(text(&lua, &format!("{before}:add {{ days = 1 }}")), "2024-03-31T12:00:00+02:00");
    assert_eq!(text(&lua, &format!("{before}:add {{ hours = 24 }}")), "2024-03-31T13:00:00+02:00");
    let days = format!("{}:diff({before}, 'days')", berlin("2024-03-31T12:00:00"));
    assert_eq!(text(&lua, &days), "1.0");
    let hours = format!("{}:diff({before}, 'hours')", berlin("2024-03-31T12:00:00"));
    assert_eq!(text(&lua, &hours), "23.0");
    // the hour that is not there, and the one that is there twice
    assert_eq!(text(&lua, &berlin("2024-03-31T02:30:00")), "2024-03-31T03:30:00+02:00");
    assert_eq!(text(&lua, &berlin("2024-10-27T02:30:00")), "2024-10-27T02:30:00+02:00");
    let second = format!("({}:add {{ hours = 1 }}):trunc('hour')", berlin("2024-10-27T02:30:00"));
    assert_eq!(text(&lua, &second), "2024-10-27T02:00:00+01:00");
    assert_eq!(
        text(&lua, &format!("{}:trunc('day')", berlin("2024-10-27T12:00:00"))),
        "2024-10-27T00:00:00+02:00"
    );
    assert_eq!(text(&lua, "time.at(0):in_tz('Asia/Tokyo')"), "1970-01-01T09:00:00+09:00");
}

#[test]
fn arithmetic_with_months_units_and_seconds() {
    let lua = state();
    for (code, wanted) in [
        ("time.parse('2024-01-31'):add { months = 1 }", "2024-02-29T00:00:00Z"),
        ("time.parse('2024-01-31'):add { months = 1, days = -2 }", "2024-02-27T00:00:00Z"),
        ("time.parse('2024-02-29'):add { years = 1 }", "2025-02-28T00:00:00Z"),
        ("time.parse('2024-05-01'):add { weeks = -1, minutes = 1.5 }", "2024-04-24T00:01:30Z"),
        ("time.parse('2024-05-01') + 90", "2024-05-01T00:01:30Z"),
        ("90 + time.parse('2024-05-01')", "2024-05-01T00:01:30Z"),
        ("time.parse('2024-05-01') - '1h30m'", "2024-04-30T22:30:00Z"),
        ("time.parse('2024-05-01') - -1.5", "2024-05-01T00:00:01.5Z"),
        ("time.parse('2024-05-02') - time.parse('2024-05-01')", "86400.0"),
        ("time.parse('2024-05-01'):diff(time.parse('2024-05-02'))", "-86400.0"),
        ("time.parse('2024-05-16'):diff(time.parse('2024-04-01'), 'months')", "1.4838709677419"),
        ("time.parse('2026-04-01'):diff(time.parse('2024-04-01'), 'year')", "2.0"),
        ("time.parse('2024-05-15T10:11:12.5Z'):trunc('year')", "2024-01-01T00:00:00Z"),
        ("time.parse('2024-05-15T10:11:12.5Z'):trunc('month')", "2024-05-01T00:00:00Z"),
        ("time.parse('2024-05-15T10:11:12.5Z'):trunc('week')", "2024-05-13T00:00:00Z"),
        ("time.parse('2024-05-15T10:11:12.5Z'):trunc('minute')", "2024-05-15T10:11:00Z"),
        ("time.parse('2024-05-15T10:11:12.5Z'):trunc('second')", "2024-05-15T10:11:12Z"),
        ("time.parse('2024-05-01T02:00:00+02:00') == time.parse('2024-05-01')", "true"),
        ("time.parse('2024-05-01') == 5", "false"),
        ("time.parse('2024-05-01') < time.parse('2024-05-02')", "true"),
        ("time.parse('2024-05-01') >= time.parse('2024-05-02')", "false"),
        ("time.duration('1h30m')", "5400.0"),
        ("time.human(5400)", "1h 30m"),
        ("time.human('340ms')", "340ms"),
    ] {
        assert_eq!(text(&lua, code), wanted, "{code}");
    }
    for (code, part) in [
        ("time.at(0):add { month = 1 }", "unknown option `month`; did you mean `months`?"),
        ("time.at(0):add { days = 1.5 }", "option `days` must be an integer"),
        ("time.at(0):add { hours = 'x' }", "option `hours` must be a number, got string"),
        ("time.at(0):add { years = 100000 }", "out of range"),
        ("time.at(0):add { days = 5000000 }", "between the years"),
        ("time.at(0):add { seconds = 1e300 }", "between the years"),
        ("time.at(0):trunc('fortnight')", "no unit `fortnight`"),
        ("time.at(0):diff(time.at(1), 'dais')", "no unit `dais`; did you mean `days`?"),
        ("time.at(0):diff(1)", "argument 1 (other) must be a time, got integer"),
        ("time.at(0) < 5", "a time is compared with a time, not with a integer"),
        ("time.at(0) + time.at(0)", "two times cannot be added"),
        ("5 - time.at(0)", "only a time or seconds"),
        ("time.at(0) + 'x'", "what is added must be a duration"),
        ("time.duration('1 month')", "months and years have no fixed length"),
        ("time.human(-1)", "must be 0 seconds or more"),
    ] {
        let said = message(&lua, code);
        assert!(said.contains(part), "{code}: {said}");
    }
}

/// GNU date is asked for the same.
#[test]
fn the_system_shows_the_same_times() {
    let lua = state();
    for (unix, zone) in [
        (0_i64, "UTC"),
        (1_711_846_800, "Europe/Berlin"),
        (1_729_990_800, "Europe/Berlin"),
        (951_782_400, "Asia/Kolkata"),
        (-2_208_988_800, "America/New_York"),
        (4_102_444_799, "Australia/Lord_Howe"),
    ] {
        let format = "%Y-%m-%d %H:%M:%S %z %a %b %j %u %V %s";
        let mut date = Command::new("date");
        date.env("TZ", zone).env("LC_ALL", "C").args(["-d", &format!("@{unix}"), &format!("+{format}")]);
        let date = date.output().expect("date runs");
        let ours: String =
            run(&lua, &format!("return mpms.time.at({unix}, {{ tz = '{zone}' }}):format('{format}')"));
        assert_eq!(ours, String::from_utf8_lossy(&date.stdout).trim(), "{unix} in {zone}");
    }
}

#[test]
fn the_clocks_go_on() {
    let lua = state();
    assert!(run::<bool>(&lua, "return math.abs(mpms.time.now() - os.time()) < 2"));
    assert!(run::<bool>(
        &lua,
        "local t = mpms.time.mono() mpms.time.sleep('5ms') return mpms.time.mono() - t >= 0.005"
    ));
}

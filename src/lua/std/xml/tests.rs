use std::io::Read as _;

use super::decode::decode;
use crate::lua::std::testing::{fails, run, run_with, state};

/// Valid cases with another meaning: the document type gives attributes a default or a type.
const BY_DOCTYPE: &[&str] = &["044", "045", "046", "058", "080", "091", "094", "096", "097", "111"];

#[test]
fn the_test_cases_of_james_clark_are_followed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/xmltest.zip");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("it is there")).expect("a zip");
    let names: Vec<String> = archive.file_names().map(|name| name.expect("a name").into_owned()).collect();
    let mut bytes_of = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).ok()?.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    let (mut wrong, mut good, mut entities, mut refused) = (Vec::new(), 0, 0, 0);
    let lua = state();
    for name in names.iter().filter(|name| name.ends_with(".xml") && !name.contains("/out/")) {
        let Some(text) = bytes_of(name) else { continue };
        let short = name.trim_start_matches("xmltest/").trim_end_matches(".xml");
        let decoded = decode(&text, false);
        if short.starts_with("not-wf/sa") {
            // a document type is passed over
            match decoded {
                Ok(_) if !text.windows(9).any(|part| part == b"<!DOCTYPE") => {
                    wrong.push(format!("{short} is taken"))
                }
                Ok(_) => {}
                Err(_) => refused += 1,
            }
            continue;
        }
        if !short.starts_with("valid/sa") {
            continue;
        }
        match decoded {
            Err(error) if error.message().contains("entities of a document type") => entities += 1,
            Err(error) => wrong.push(format!("{short}: {}", error.message())),
            Ok(_) => {
                good += 1;
                let Some(out) = bytes_of(&name.replace("/sa/", "/sa/out/")) else { continue };
                let same: bool = run_with(
                    &lua,
                    "local a, b = ... return mpms.json.encode(mpms.xml.decode(a)) == mpms.json.encode(mpms.xml.decode(b)) ",
                    (lua.create_string(&text).expect("memory"), lua.create_string(&out).expect("memory")),
                );
                if same == BY_DOCTYPE.iter().any(|number| short.ends_with(number)) {
                    wrong.push(format!("{short}: another meaning than {}", String::from_utf8_lossy(&out)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!((good, entities, refused), (0, 0, 0));
}

#[test]
fn a_document_becomes_a_table_and_a_document_again() {
    let lua = state();
    let ok: bool = run(
        &lua,
        r#"
        local xml, json = require "mpms.xml", mpms.json
        local text = '<?xml version="1.0"?><!DOCTYPE a><!-- c --><a x="1 &lt;&#65;" n:y=\'2\'>t&amp;<b/><![CDATA[<raw>]]>u<!-- c -->v<n:c>é</n:c></a>\n'
        local doc = xml.decode(text)
        assert(doc.tag == "a" and doc.attr.x == "1 <A" and doc.attr["n:y"] == "2")
        assert(#doc.children == 4 and doc.children[1] == "t&" and doc.children[2].tag == "b" and doc.children[3] == "<raw>uv")
        assert(doc.children[4].tag == "n:c" and doc.children[4].children[1] == "é" and next(doc.children[2].attr) == nil)
        assert(xml.encode(doc) == '<a n:y="2" x="1 &lt;A">t&amp;<b/>&lt;raw&gt;uv<n:c>é</n:c></a>')
        assert(json.encode(xml.decode(xml.encode(doc))) == json.encode(doc))
        assert(xml.encode({ tag = "a", children = { { tag = "b", children = { 1, true, 1.5 } }, { tag = "c" } } }, { pretty = true, declaration = true })
          == '<?xml version="1.0" encoding="UTF-8"?>\n<a>\n  <b>1true1.5</b>\n  <c/>\n</a>\n')
        local odd = { tag = "a", attr = { k = "\t\n\r\"'<>&" }, children = { "\r]]>&<" } }
        assert(json.encode(xml.decode(xml.encode(odd))) == json.encode(odd))
        assert(#xml.decode("<a>\n <b/>\n</a>", { trim = true }).children == 1 and #xml.decode("<a>\n <b/>\n</a>").children == 3)
        assert(xml.decode("<a> x </a>", { trim = true }).children[1] == "x")
        assert(xml.decode("<a>x\r\ny\rz</a>").children[1] == "x\ny\nz")
        assert(xml.decode('<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe4</a>').children[1] == "ä")
        assert(xml.decode("\xff\xfe<\0a\0/\0>\0").tag == "a" and xml.decode("<\0a\0/\0>\0").tag == "a")
        assert(xml.decode("\xef\xbb\xbf<a/>").tag == "a")
        return true
        "#,
    );
    assert!(ok);
    let cases = [
        ("{}", "an element must have a `tag` at $"),
        ("5", "an element must be a table with a `tag`"),
        ("{ tag = 'a b' }", "`a b` is no name of an element"),
        ("{ tag = 'a', attr = { ['1'] = 2 } }", "`1` is no name of an attribute at $.attr"),
        ("{ tag = 'a', attr = { x = {} } }", "a text must be a string, a number or a boolean at $.attr.x"),
        ("{ tag = 'a', children = { '\\0' } }", "XML cannot hold the letter U+0000 at $.children[1]"),
        ("{ tag = 'a', children = { '\\xff' } }", "not UTF-8 at $.children[1]"),
        (
            "{ tag = 'a', children = { { tag = 'b', children = { print } } } }",
            "a function at $.children[1].children[1]",
        ),
        ("{ tag = 'a', child = {} }", "nothing else, but there is a value at $.child"),
        ("{ tag = 'a', children = 'x' }", "children must be a list at $.children"),
    ];
    for (value, wanted) in cases {
        let e = fails(&lua, &format!("mpms.xml.encode({value})"));
        assert!(e.code == "invalid" && e.message.contains(wanted), "{value}: {}", e.message);
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let lua = state();
    let cases = [
        ("", "no element"),
        ("<a>", "the document ends inside of an element"),
        ("<a></b>", "line 1"),
        ("<a/><b/>", "one root element"),
        ("x<a/>", "text outside"),
        ("<a/>x", "text outside"),
        ("<a>\\n\\n&x;</a>", "the entity `&x;` is not known"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "entities of a document type are not expanded"),
        ("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a b='&x;'/>", "are not expanded"),
        ("<a b='1' b='2'/>", "the attribute `b` is there twice"),
        ("<a b=1/>", "must be in quotes"),
        ("<a b/>", "must have a value"),
        ("<a b='1'c='2'/>", "a blank before"),
        ("<a b='<'/>", "must not have `<`"),
        ("<a>\\1</a>", "U+0001"),
        ("<a>&#0;</a>", "no letter"),
        ("<a>]]></a>", "`]]>`"),
        ("<a><!-- a -- b --></a>", "line 1"),
        ("<1a/>", "no name of an element"),
        ("\\n<?xml version='1.0'?><a/>", "declaration"),
        ("<?xml version='1.0' encoding='klingon'?><a/>", "klingon"),
        ("<a>\\xff</a>", "UTF-8"),
        ("<a>& b</a>", "line 1"),
    ];
    for (text, wanted) in cases {
        let e = fails(&lua, &format!("mpms.xml.decode(\"{text}\")"));
        assert_eq!(e.code, "parse", "{text}: {}", e.message);
        assert!(e.message.contains(wanted), "{text}: {}", e.message);
    }
    assert!(fails(&lua, "mpms.xml.decode('<a>\\n\\n&x;</a>')").message.contains("line 3"));
    let e = fails(&lua, "mpms.xml.decode(('<a>'):rep(100000))");
    assert!(e.code == "parse" && e.message.contains("nested more than"), "{}", e.message);
    run::<()>(&lua, "assert(mpms.xml.decode(('<a>'):rep(99) .. ('</a>'):rep(99)).tag == 'a')");
    let laughs = "local t = { '<!DOCTYPE a [<!ENTITY e0 \"ha\">' } \
        for i = 1, 30 do t[#t+1] = ('<!ENTITY e%d \"%s\">'):format(i, ('&e' .. (i-1) .. ';'):rep(10)) end \
        t[#t+1] = ']><a>&e30;</a>' mpms.xml.decode(table.concat(t))";
    assert_eq!(fails(&lua, laughs).code, "parse");
}

#[test]
fn events_of_a_file_of_any_length() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let lua = state();
    let ok: bool = run_with(
        &lua,
        r#"
        local xml, json, dir = mpms.xml, mpms.json, ...
        local all = {}
        for e in xml.events { text = "<?p q?><a x='1'>t<!--c--><b/></a>" } do all[#all + 1] = json.encode(e) end
        assert(table.concat(all) == '{"event":"instruction","target":"p","text":"q"}{"attr":{"x":"1"},"event":"start","tag":"a"}'
          .. '{"event":"text","text":"t"}{"event":"comment","text":"c"}{"attr":{},"event":"start","tag":"b"}{"event":"end","tag":"b"}{"event":"end","tag":"a"}', table.concat(all))
        local path = dir .. "/l.xml"
        mpms.fs.write(path, "<list>\n" .. ("<item n='1'>x\xe4</item>\n"):rep(5000) .. "</list>")
        local ok, e = try(function() for _ in xml.events(path) do end end)
        assert(e.code == "parse" and e.path == path and e.op == "xml.events")
        mpms.fs.write(path, "<?xml version='1.0' encoding='latin1'?>\n<list>\n" .. ("<item n='1'>x\xe4</item>\n"):rep(5000) .. "</list>")
        local items, texts = 0, 0
        for e in xml.events(path, { trim = true }) do
          if e.event == "start" and e.tag == "item" then items = items + e.attr.n end
          if e.event == "text" then assert(e.text == "xä") texts = texts + 1 end
        end
        assert(items == 5000 and texts == 5000)
        mpms.fs.write(path, "<list>\n" .. ("<item/>\n"):rep(3000) .. "</lst>")
        local seen = 0
        _, e = try(function() for e in xml.events(path, { trim = true }) do seen = seen + 1 end end)
        assert(seen == 6001 and e.code == "parse" and e.message:find "line 3002", e.message)
        _, e = try(function() for _ in xml.events({ text = "<a>" .. ("x"):rep(300000) .. "</a>" }, { max_size = "64KiB" }) do end end)
        assert(e.code == "too_large", e.code)
        _, e = try(xml.events, dir .. "/none") assert(e.code == "not_found")
        return true
        "#,
        folder.path().to_string_lossy().into_owned(),
    );
    assert!(ok);
}

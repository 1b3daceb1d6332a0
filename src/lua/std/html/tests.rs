use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};

use crate::lua::outside;
use crate::lua::std::testing::{fails, run, run_with, state};
use crate::os::clock::cpu_time_thread;

const PAGE: &str = r###"<!DOCTYPE html>
<html lang=en><head>
<title> A  page
 of things </title>
<meta name=Description content="What it is"><meta property="og:title" content="OG &amp; co">
<meta name="twitter:card" content=summary><meta property="og:title" content="second">
<link rel="canonical nofollow" href="/things"><link rel=alternate type="application/rss+xml" href=feed.xml>
<script type="application/ld+json">{"@type": "Thing", "n": 3}</script>
<script type="application/ld+json">{oops</script>
</head><body>
<h1 id=top class="big red">Things &amp; more</h1>
<ul class=list>
  <li data-id=1><a href="/a?x=1#part">A <b>bold</b> one</a></li>
  <li data-id=2><a href="//other.example.com/b">B</a></li>
  <li data-id=3><a href='https://elsewhere.net/c'>C</a><a href="mailto:x@y">mail</a><a href="#top">top</a><a href="/a?x=1">A again</a></li>
</ul>
<noscript><p class=no>without scripts</p></noscript>
<svg><title>drawing</title><use xlink:href="#s"/></svg>
</body></html>"###;

fn with_page<R: mlua::FromLuaMulti>(code: &str) -> R {
    let code = format!(
        "local html = require 'mpms.html' local doc = html.parse(..., {{ base = 'http://www.example.com/dir/page.html' }}) {code}"
    );
    run_with(&state(), &code, PAGE)
}

#[test]
fn selectors_find_elements_texts_and_attributes_in_the_order_of_the_page() {
    with_page::<()>(
        r###"
        local items = doc:css("ul.list > li")
        assert(#items == 3 and items[3]:attr "data-id" == "3" and items[4] == nil)
        local n = 0
        for i, li in ipairs(items) do n = n + 1 assert(li.tag == "li" and li:attr "data-id" == tostring(i)) end
        assert(n == 3)
        assert(doc:css("h1::text"):get() == "Things & more" and doc:css("h2::text"):get() == nil and doc:css("h2"):get("none") == "none")
        local texts = doc:css("li:first-child ::text"):getall()
        assert(table.concat(texts, "|") == "A |bold| one", table.concat(texts, "|"))
        assert(table.concat(doc:css("li:first-child > a::text"):getall(), "|") == "A | one")
        assert(table.concat(doc:css("li::attr(data-id)"):getall()) == "123")
        -- several kinds at once, merged in order
        local mixed = doc:css("h1::attr(class), a > b::text, li:nth-child(2) a::attr(href), h1::text"):getall()
        assert(table.concat(mixed, "|") == "big red|Things & more|bold|//other.example.com/b", table.concat(mixed, "|"))
        -- as in Scrapy, the element itself fits too
        local a = doc:css("a"):first()
        assert(a:css("::attr(href)"):get() == "/a?x=1#part" and a:css("a")[1]:attr("href") == a:attr "href" and #a:css("li") == 0)
        assert(table.concat(a:css("::text"):getall(), "|") == "A |bold| one" and #a:css("a::text") == 2)
        assert(#doc:css("html") == 1 and doc.tag == "html" and doc:parent() == nil and #doc:css("::text") > 10 and #doc:css("title::text") == 2)
        assert(doc:css("li"):css("b::text"):get() == "bold" and #doc:css("li"):css("a") == 6)
        assert(doc:css("p.no::text"):get() == "without scripts")
        assert(doc:css("use::attr(xlink:href)"):get() == "#s")
        assert(#doc:css("li:has(b)") == 1 and #doc:css("li:not(:has(b))") == 2 and #doc:css("[data-id='2'], [data-id=\"3\"]") == 2)
        assert(#doc:css("a[href^='/a'], a[href$=\",\"]") == 2)
        "###,
    );
}

#[test]
fn elements_know_their_texts_and_neighbours() {
    with_page::<()>(
        r###"
        local li = doc:css("li"):first()
        assert(li:text() == "A bold one" and li:parent():attr "class" == "list" and li:parent():parent().tag == "body")
        assert(#li:parent():children() == 3 and li:children()[1].tag == "a" and #li:css("b"):first():children() == 0)
        assert(li:html() == '<li data-id="1"><a href="/a?x=1#part">A <b>bold</b> one</a></li>', li:html())
        assert(li:html { inner = true } == '<a href="/a?x=1#part">A <b>bold</b> one</a>')
        assert(doc:css("li:first-child"):get() == li:html() and doc:css("li"):getall()[1] == li:html())
        assert(doc:html():find "^<!DOCTYPE html><html" and doc:css("h1"):first():attr "ID" == "top" and doc:attr "none" == nil)
        assert(html.parse("<p>\n a \n</p>"):css("p"):first():text { trim = true } == "a")
        -- an element keeps its page alive
        local b = doc:css("b"):first() doc, li = nil, nil collectgarbage() collectgarbage()
        assert(b:text() == "bold" and b:parent():attr "href" == "/a?x=1#part")
        "###,
    );
}

#[test]
fn links_and_what_a_page_says_about_itself() {
    with_page::<()>(
        r###"
        local function all(o) return table.concat(doc:links(o), " ") end
        assert(all() == "http://www.example.com/a?x=1 http://other.example.com/b https://elsewhere.net/c", all())
        assert(all { same_site = true } == "http://www.example.com/a?x=1 http://other.example.com/b")
        assert(all { absolute = false } == "/a?x=1#part //other.example.com/b https://elsewhere.net/c mailto:x@y /a?x=1")
        assert(all { absolute = false, same_site = true } == "/a?x=1#part //other.example.com/b /a?x=1")
        assert(table.concat(doc:css("li"):first():links(), " ") == "http://www.example.com/a?x=1")
        local m = doc:meta()
        assert(m.title == "A page of things" and m.lang == "en" and m.description == "What it is" and m.names.description == m.description)
        assert(m.canonical == "http://www.example.com/things" and m.og.title == "OG & co" and m.twitter.card == "summary")
        assert(m.feeds[1] == "http://www.example.com/dir/feed.xml" and #m.feeds == 1)
        assert(#m.json_ld == 1 and m.json_ld[1].n == 3 and #m.json_ld_errors == 1 and m.json_ld_errors[1]:find "line 1")
        local empty = html.parse(""):meta()
        assert(empty.title == nil and next(empty.og) == nil and empty.json_ld_errors == nil)
        local other = html.parse('<base href="/deep/"><a href=x>', { base = "http://a.b/c" })
        assert(other:links()[1] == "http://a.b/deep/x")
        assert(html.parse('<base href="http://a.b/deep/"><a href=x>'):links()[1] == "http://a.b/deep/x")
        local ip = html.parse("<a href=http://127.0.0.1:81/x><a href=http://127.0.0.2/>", { base = "http://127.0.0.1/" })
        assert(#ip:links { same_site = true } == 1)
        -- links that mean nothing are passed over
        assert(#html.parse("<a href='http://['><a href='http://a b/'><a href=' '><a>", { base = "http://a.b" }):links() == 0)
        "###,
    );
}

#[test]
fn tables_become_rows() {
    let code = r###"
        local html = require "mpms.html"
        local doc = html.parse [[<div id=t><table><caption>no row</caption>
          <thead><tr><th> Name <th>Price<th></thead>
          <tr><td>a  <b>b</b><td>1<td><table><tr><td>in</table>
          <tr><td colspan=2>wide<td rowspan=2>down
          <tr><td>x<td>y
          <tr></table></div><p id=p>]]
        local rows = doc:table("#t")
        local shown = {}
        for _, row in ipairs(rows) do shown[#shown + 1] = table.concat(row, "|") end
        shown = table.concat(shown, "\n")
        assert(shown == "Name|Price|\na b|1|in\nwide|wide|down\nx|y|down\n", shown)
        local named = doc:table("table", { header = true })
        assert(#named == 4 and named[1].Name == "a b" and named[1][3] == "in" and named[2].Price == "wide")
        assert(#html.parse("<table></table>"):table("table", { header = true }) == 0)
        local _, e = try(doc.table, doc, "#none") assert(e.code == "not_found" and e.message:find("`#none`", 1, true))
        _, e = try(doc.table, doc, "#p") assert(e.code == "invalid" and e.message:find "<p>")
        _, e = try(doc.table, doc, "table", { headers = true }) assert(e.message:find "did you mean `header`")
        local bomb = "<table>" .. ("<tr>" .. ("<td colspan=1000 rowspan=60000>x"):rep(3)):rep(1000)
        _, e = try(function() return html.parse(bomb):table("table") end) assert(e.code == "too_large", tostring(e))
        bomb = "<table><tr><td colspan=1000>" .. ("x"):rep(100000)
        _, e = try(function() return html.parse(bomb):table("table") end) assert(e.code == "too_large", tostring(e))
    "###;
    run::<()>(&state(), code);
}

#[test]
fn texts_are_escaped_unescaped_and_readable() {
    let code = r###"
        local html = require "mpms.html"
        assert(html.escape [[<a href="x">'&']] == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;" and html.escape "\xff\0" == "\xff\0")
        local u = html.unescape
        assert(u "&lt;&eacute;&#233;&#xE9;&hellip;&nbsp;" == "<ééé…\u{a0}" and u "a & b &; &# &unknown; &amp" == "a & b &; &# &unknown; &")
        assert(u "&notit; &copy2026 &#0; &#x110000; &#128;" == "¬it; ©2026 \u{fffd} \u{fffd} €", u "&notit; &copy2026 &#0; &#x110000; &#128;")
        assert(u "\xff\r\n&amp;\0" == "\xff\r\n&\0" and u "" == "" and u "&" == "&" and u(("&amp;"):rep(1000)) == ("&"):rep(1000))
        local all = {} for i = 1, 255 do all[i] = string.char(i) end all = table.concat(all)
        assert(u(html.escape(all)) == all)
        local text = html.text [[<title>no</title><h1>Head  line</h1><p>One <b>two</b>three<br>four<script>no()</script>
          <p>Five<div>six</div>seven<ul><li>a<li>b</ul><pre>  k
   l
</pre><table><tr><td>1<td>2<tr><td>3</table>end &amp; out]]
        assert(text == "Head line\n\nOne twothree\nfour\n\nFive\n\nsix\nseven\n\na\nb\n\n  k\n   l\n\n1 2\n3\n\nend & out", text)
        assert(html.text(html.parse("<p>a</p><p id=b>b</p>"):css("#b"):first()) == "b" and html.text "" == "")
    "###;
    run::<()>(&state(), code);
}

#[test]
fn bytes_become_text_by_mark_header_validity_and_meta() {
    let code = r###"
        local html = require "mpms.html"
        local function p(s, o) return html.parse(s, o):css("p::text"):get() end
        assert(p "<p>é" == "é" and p "<p>tr\xe8s d\xe9j\xe0 vu" == "très déjà vu" and p("<p>\xe9", { charset = "utf-8" }) == "\u{fffd}")
        assert(p("<p>\xcf\xf0", { charset = "windows-1251" }) == "Пр" and p "<meta charset=windows-1251><p>\xcf\xf0" == "Пр")
        assert(p '<meta http-equiv=Content-Type content="text/html; charset=gbk"><p>\xc4\xe3' == "你")
        assert(p '<?xml version="1.0" encoding="shift_jis"?><p>\x82\xa0' == "あ")
        assert(p "\xef\xbb\xbf<meta charset=gbk><p>é" == "é" and p "\xff\xfe<\0p\0>\0e\0" == "e")
        assert(p "<meta charset=gbk><p>é" == "é")   -- decoded before it came here
        assert(p "<meta charset=iso-2022-jp><p>\x1b$B$\x22\x1b(B" == "あ" and p "<meta charset=utf-16><p>\xe9" == "\u{fffd}")
        assert(p { url = "http://a/", body = "<p>\xcf\xf0", headers = { ["content-type"] = 'text/html; Charset="windows-1251"' } } == "Пр")
        assert(p { url = "http://a/", body = "<p>é", headers = { ["content-type"] = "text/html; charset=nonsense" } } == "é")
        assert(p({ url = "http://a/", body = "<p>\xcf\xf0", headers = {} }, { charset = "windows-1251" }) == "Пр")
        local _, e = try(html.parse, "", { charset = "nonsense" }) assert(e.code == "invalid" and e.message:find "nonsense")
    "###;
    run::<()>(&state(), code);
}

#[test]
fn a_reply_is_parsed_with_its_address_and_charset() {
    let code = r###"
        local http = require "mpms.http"
        local server <close> = http.serve(function(request)
          local body = "<title>\xcf\xf0</title><a href=next>"
          return { body = body, headers = { ["content-type"] = "text/html; charset=windows-1251" } }
        end)
        local doc = http.get(server.url .. "/dir/"):html()
        assert(doc:css("title::text"):get() == "Пр" and doc:links()[1] == server.url .. "/dir/next")
        assert(mpms.html.parse(http.get(server.url)):links()[1] == server.url .. "/next")
        local _, e = try(function() return http.get(server.url .. "/x"):html { max_size = 5 } end)
        assert(e.code == "too_large" and e.url == server.url .. "/x" and e.op == "http.Response:html", tostring(e))
    "###;
    run::<()>(&state(), code);
}

#[test]
fn wrong_calls_are_named() {
    let lua = state();
    run::<()>(&lua, "html = require 'mpms.html' doc = html.parse '<p>a</p>'");
    for (call, text) in [
        ("html.parse(5)", "argument 1 (source) must be a string or a reply, got integer"),
        ("html.parse {}", "argument 1 (source) must be a string or a reply, got table"),
        ("html.parse('', { bsae = 'x' })", "unknown option `bsae`; did you mean `base`?"),
        ("html.parse('', { max_depth = 100000 })", "option `max_depth` must be 10000 or less"),
        ("html.parse('', { max_size = '2GiB' })", "option `max_size` must be 1 GiB or less"),
        ("doc:links()", "give `base` to `html.parse`"),
        ("doc:css()", "argument 1 (selector) must be a string"),
        ("doc.css('p')", "call it with a colon"),
        ("doc:csss('p')", "no field or method `csss`; did you mean `css`?"),
        ("doc:css('p').frist()", "no field or method `frist`; did you mean `first`?"),
        ("doc:css('p::text'):css('b')", "only elements have a `css`"),
        ("doc:css ''", "`` is no CSS selector: empty selector"),
        ("doc:css 'p,,b'", "`p,,b` is no CSS selector"),
        ("doc:css 'p >'", "is no CSS selector"),
        ("doc:css 'p['", "is no CSS selector"),
        ("doc:css 'a[href=\"x]'", "a string in it has no end"),
        ("doc:css 'p::txt'", "there is no `::txt`, only `::text` and `::attr(name)`"),
        ("doc:css 'p::attr()'", "needs the name of an attribute"),
        ("doc:css 'p::text b'", "there is no `::text b`"),
        ("doc:css 'p:hovr'", "it has a pseudo-class that is not known"),
        ("doc:css '\\xff'", "it is not UTF-8"),
        ("doc:css((':not('):rep(50) .. 'p' .. (')'):rep(50))", "too many brackets in each other"),
        ("doc:xpath \"//div[@class='x']/a[2]/@href\"", "node:css(\"div.x > a:nth-of-type(2)::attr(href)\")"),
        ("doc:xpath \".//li[contains(@id, 'a/b')]//text()\"", "node:css(\"li[id*='a/b'] ::text\")"),
        ("doc:xpath \"//a[last()]/..\"", "`//div[@class='a']/a/@href` is `div.a > a::attr(href)`"),
        ("doc:xpath ''", "XPath is not supported"),
    ] {
        let e = fails(&lua, call);
        assert!(e.code == "invalid" && e.message.contains(text), "{call}: {} {}", e.code, e.message);
    }
    assert_eq!(fails(&lua, "html.parse('', { base = 'x' })").code, "parse");
}

#[test]
fn documents_have_limits_that_are_named() {
    let lua = state();
    run::<()>(&lua, "html = require 'mpms.html'");
    for (call, text) in [
        (
            "html.parse(('x'):rep(2000), { max_size = '1KiB' })",
            "the document has 2.0 KiB, more than `max_size` (1.0 KiB)",
        ),
        ("html.parse(('<div>'):rep(5000))", "elements in more than 1000 others (`max_depth`)"),
        ("html.parse(('<div>'):rep(5000) .. ('</div>'):rep(5000))", "`max_depth`"),
        ("html.parse(('<b>'):rep(40) .. ('<p>'):rep(40), { max_depth = 10 })", "`max_depth`"),
        ("html.parse(('<br>'):rep(2000), { max_nodes = 1000 })", "more than 1000 nodes (`max_nodes`)"),
        ("html.parse(('a<!---->'):rep(1000), { max_nodes = 1000 })", "more than 1000 nodes"),
    ] {
        let e = fails(&lua, call);
        assert!(e.code == "too_large" && e.message.contains(text), "{call}: {} {}", e.code, e.message);
    }
    run::<()>(&lua, "assert(#html.parse(('<div>'):rep(900)):css('div') == 900)");
    run::<()>(&lua, "assert(#html.parse(('<div>'):rep(2500), { max_depth = 3000 }):css('div div') == 2499)");
}

/// Each of them made a small text take gigabytes, or hours.
#[test]
fn small_texts_cannot_ask_for_much() {
    let lua = state();
    run::<()>(&lua, "html = require 'mpms.html'");
    let bombs = [
        // each <p> opens all of the fonts again
        "local t = {} for i = 1, 900 do t[i] = '<font size=' .. i .. '>' end return '<p>' .. table.concat(t) .. ('<p>x'):rep(3000)",
        "local t = {} for i = 1, 20000 do t[i] = '<font size=' .. i .. '>' end return table.concat(t) .. ('<p>'):rep(20000)",
        // and what stands between hides how deep they are
        "local t = {} for i = 1, 20000 do t[i] = '<font size=' .. i .. '></body><!-- x -->' end return table.concat(t) .. ('<p>'):rep(20000)",
        // each <p> has all of the attributes again
        "local t = {} for i = 1, 30000 do t[i] = 'a' .. i end return '<p><font ' .. table.concat(t, ' ') .. '>' .. ('<p>x'):rep(3000)",
        // each attribute is compared with all before it
        "local t = {} for i = 1, 300000 do t[i] = 'a' .. i end return '<p ' .. table.concat(t, ' ') .. '>'",
        "local t = {} for i = 1, 300000 do t[i] = 'a' .. i .. '=\"x\"' end return '<p ' .. table.concat(t, '/') .. '>'",
        "return ('<table><td>'):rep(20000)",
        "return ('<template>'):rep(20000)",
        "return ('<svg><foreignObject>'):rep(20000)",
    ];
    for bomb in bombs {
        let begin = cpu_time_thread();
        let e = fails(&lua, &format!("local text = (function() {bomb} end)() html.parse(text)"));
        assert_eq!(e.code, "too_large", "{bomb}: {}", e.message);
        let used = cpu_time_thread().saturating_sub(begin);
        assert!(used.as_secs() < 20, "{bomb}: {used:?}");
    }
}

#[test]
fn documents_count_for_the_memory_of_their_state() {
    let lua = state();
    run::<()>(&lua, "html = require 'mpms.html' page = ('<p class=x>text</p>'):rep(5000)");
    // Garbage does not pile up, though Lua sees nothing of it.
    run::<()>(&lua, "for i = 1, 40 do html.parse(page) end");
    let after = outside::held(&lua);
    assert!(after < 32 << 20, "{after}");
    let one = {
        run::<()>(&lua, "collectgarbage() collectgarbage() kept = html.parse(page)");
        outside::held(&lua)
    };
    assert!(one > page_bytes(), "{one}");
    run::<()>(&lua, "kept = nil collectgarbage() collectgarbage()");
    assert_eq!(outside::held(&lua), 0);
    // What is held counts for the share.
    outside::limit(&lua, lua.used_memory() + one * 5 / 2);
    run::<()>(&lua, "for i = 1, 20 do html.parse(page) end");
    let e = fails(&lua, "kept = {} for i = 1, 20 do kept[i] = html.parse(page) end");
    assert_eq!(e.code, "memory");
    run::<()>(&lua, "assert(#kept == 2, #kept) kept = nil assert(html.parse(page))");
}

fn page_bytes() -> usize {
    5_000 * "<p class=x>text</p>".len()
}

fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<table>"),
        Just("</table>"),
        Just("<tr>"),
        Just("<td>"),
        Just("<caption>"),
        Just("<select>"),
        Just("<option>"),
        Just("<b>"),
        Just("<a href=x>"),
        Just("</b>"),
        Just("</a>"),
        Just("<p>"),
        Just("</p>"),
        Just("<template>"),
        Just("</template>"),
        Just("<svg>"),
        Just("<math>"),
        Just("<mi>"),
        Just("<foreignObject>"),
        Just("</svg>"),
        Just("<frameset>"),
        Just("<body x=1>"),
        Just("</body>"),
        Just("<html y=2>"),
        Just("</html>"),
        Just("<head>"),
        Just("</head>"),
        Just("<noscript>"),
        Just("<form>"),
        Just("</form>"),
        Just("<script>"),
        Just("</script>"),
        Just("<style>"),
        Just("<title>"),
        Just("</title>"),
        Just("<textarea>"),
        Just("<pre>"),
        Just("<li>"),
        Just("<button>"),
        Just("<input>"),
        Just("<!--"),
        Just("-->"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("&amp;"),
        Just("&#x"),
        Just("text"),
        Just(" "),
        Just("\0"),
        Just("<"),
        Just("</br>"),
        Just("<nobr>"),
        Just("<base href=//x/y>"),
        Just("<plaintext>"),
        Just("<td colspan=3 rowspan=2>"),
        Just("<marquee>"),
        Just("</marquee>"),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_a_page(bytes in any::<Vec<u8>>(), soup in soup(), selector in "[a-z:.#\\[\\]()>+~*,\"'= \\\\-]{0,20}") {
        let lua = state();
        let bytes = lua.create_string(&bytes).expect("memory");
        let ok: bool = run_with(&lua, r###"
            local bytes, soup, selector = ...
            local html = mpms.html
            for _, s in ipairs { bytes, soup } do
              local doc = html.parse(s, { base = "http://a.b/" })
              local all = doc:css("*")
              assert(#all >= 3 and all[1].tag == "html")
              for _, one in ipairs(all) do
                one:text() one:links() one:children() one:css("::text, ::attr(href)") html.text(one)
                assert(one:parent() or one.tag == "html")
              end
              doc:meta() try(doc.table, doc, "table")
              html.parse(doc:html())
              local found, e = try(doc.css, doc, selector)
              assert(found or e.code == "invalid")
              found, e = try(doc.css, doc, selector .. "::text, p ::attr(x)")
              assert(found or e.code == "invalid")
              local _, e = try(doc.xpath, doc, selector) assert(e.code == "invalid")
              html.unescape(s)
              assert(html.unescape(html.escape(s)) == s)
            end
            return true
        "###, (bytes, soup, selector));
        prop_assert!(ok);
    }
}

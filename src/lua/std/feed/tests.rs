use proptest::prelude::{any, prop_assert, proptest};

use crate::lua::std::testing::{fails, run, run_with, state};

#[test]
fn a_sitemap_is_read_entry_by_entry() {
    let code = r#"
        local feed = require "mpms.feed"
        local function all(source, o)
          local t = {}
          for e in feed.sitemap(source, o) do t[#t + 1] = e end
          return t
        end
        local t = all [==[<?xml version="1.0"?><!-- c --><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="x">
          <url><loc> http://a.b/?x=1&amp;y=&#50; </loc><lastmod>2026-01-02</lastmod><changefreq>daily</changefreq><priority>0.5</priority>
            <image:image><image:loc>http://a.b/no.png</image:loc></image:image><image:loc>no</image:loc></url>
          <url/><url><lastmod>2026</lastmod></url><url><loc/></url>
          <url><loc><![CDATA[http://a.b/<2>]]></loc><priority>high</priority></url></urlset>]==]
        assert(#t == 2 and t[1].loc == "http://a.b/?x=1&y=2" and t[1].lastmod == "2026-01-02" and t[1].changefreq == "daily")
        assert(t[1].priority == 0.5 and t[2].loc == "http://a.b/<2>" and t[2].priority == nil and t[2].sitemap == nil)
        assert(#all "<urlset></urlset>" == 0 and #all "<s:urlset><s:url><loc>http://a/</loc></s:url></s:urlset>" == 1)
        t = all "\n http://a.b/1\r\n\r\nhttps://a.b/2\n" assert(#t == 2 and t[2].loc == "https://a.b/2")
        assert(all("<?xml version='1.0' encoding='windows-1251'?><urlset><url><loc>http://a/\xcf</loc></url></urlset>")[1].loc == "http://a/П")
        t = all({ url = "http://a.b/map.xml", body = "<urlset><url><loc>/rel</loc></url></urlset>" }) assert(t[1].loc == "http://a.b/rel")
        t = all("<sitemapindex><sitemap><loc>http://a.b/1.xml</loc></sitemap></sitemapindex>", { follow = false })
        assert(#t == 1 and t[1].sitemap and t[1].loc == "http://a.b/1.xml")
    "#;
    run::<()>(&state(), code);
}

/// `gzip -9n` of a sitemap with one page.
fn packed(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn an_index_leads_to_its_sitemaps_when_their_turn_comes() {
    let lua = state();
    let gz = packed("<urlset><url><loc>http://a/gz</loc></url></urlset>");
    let code = r#"
        local gz = ...
        local http, feed = require "mpms.http", require "mpms.feed"
        local asked = 0
        local server <close> = http.serve(function(request)
          local own = "http://" .. request.headers.host
          local function index(...)
            local t = {}
            for i, p in ipairs { ... } do t[i] = "<sitemap><loc>" .. own .. p .. "</loc></sitemap>" end
            return "<sitemapindex>" .. table.concat(t) .. "</sitemapindex>"
          end
          asked = asked + 1
          if request.path == "/index" then return index("/gz", "/gz", "/index", "/two", "/gone", "/lines") end
          if request.path == "/two" then return index("/deep") end
          if request.path == "/deep" then return "<urlset><url><loc>/deep/page</loc></url></urlset>" end
          if request.path == "/gz" then return gz end
          if request.path == "/lines" then return "http://a/line" end
          if request.path == "/loop" then return index("/loop?" .. asked) end
          if request.path == "/asked" then return tostring(asked) end
        end)
        local next_page = feed.sitemap(server.url .. "/index")
        assert(http.get(server.url .. "/asked").body == "2")
        assert(next_page().loc == "http://a/gz" and next_page().loc == server.url .. "/deep/page")
        local _, e = try(next_page)
        assert(e.code == "http_status" and e.status == 404 and e.url == server.url .. "/gone" and e.op == "feed.sitemap", tostring(e))
        assert(next_page().loc == "http://a/line" and next_page() == nil and next_page() == nil)
        local ok
        ok, e = pcall(function() for _ in feed.sitemap(server.url .. "/loop") do end end)
        assert(e.code == "parse" and e.message:find "more than 3 deep", tostring(e))
        _, e = try(feed.sitemap, server.url .. "/none") assert(e.status == 404 and e.op == "feed.sitemap")
        local client = http.client { timeout = "5s", headers = { host = "example.com" } }
        assert(feed.sitemap(server.url .. "/deep", { client = client })().loc == server.url .. "/deep/page")
    "#;
    run_with::<()>(&lua, code, lua.create_string(gz).expect("memory"));
}

#[test]
fn what_is_no_sitemap_is_named() {
    let lua = state();
    let cases = [
        ("'<html></html>'", "not a sitemap: its root is <html>"),
        ("'<rss></rss>'", "its root is <rss>: `feed.parse` reads feeds"),
        ("'<urlset><url>'", "the document ends inside of <url>"),
        ("'<urlset></url></urlset>'", "at byte 8"),
        ("'<urlset/><urlset/>'", "its root is <urlset>"),
        ("'<!-- only -->'", "the document has no element"),
        ("'<urlset><url><loc>&bomb;</loc></url></urlset>'", "the entity `&bomb;` is not known"),
        ("'<urlset><url><loc>&#xffffffff;</loc></url></urlset>'", "the entity `&#xffffffff;` is not known"),
        ("'nothing'", "neither XML nor an address: `nothing`"),
        ("'http://a/1\\nftp://b'", "neither XML nor an address: `ftp://b`"),
        ("'\\x1f\\x8b\\8junk'", "the gzip is broken"),
    ];
    for (source, text) in cases {
        let e = fails(&lua, &format!("for _ in mpms.feed.sitemap({source}) do end"));
        assert!(e.code == "parse" && e.message.contains(text), "{source}: {} {}", e.code, e.message);
    }
    for (call, code) in [
        ("sitemap(5)", "invalid"),
        ("sitemap {}", "invalid"),
        ("sitemap('<a/>', { client = 5 })", "invalid"),
        ("sitemap('<a/>', { client = io.stdout })", "invalid"),
        ("sitemap('<a/>', { folow = true })", "invalid"),
        ("parse(nil)", "invalid"),
        ("parse('<rss/>', { bse = 1 })", "invalid"),
        ("parse('<rss version=\"2.0\">', { max_size = 5 })", "too_large"),
    ] {
        let e = fails(&lua, &format!("mpms.feed.{call}"));
        assert_eq!(e.code, code, "{call}: {}", e.message);
    }
    // A bomb is not unpacked to its end.
    let bomb = lua.create_string(packed(&"<urlset>".repeat(2_000_000))).expect("memory");
    let e: mlua::Table =
        run_with(&lua, "local _, e = try(mpms.feed.sitemap, ..., { max_size = '1MiB' }) return e", bomb);
    assert_eq!(e.get::<String>("code").expect("an error"), "too_large");
}

#[test]
fn feeds_of_all_kinds_become_one_kind_of_table() {
    let code = r#"
        local feed = require "mpms.feed"
        local rss = feed.parse([[<?xml version="1.0"?><rss version="2.0"><channel><title>News &amp; more</title><link>http://a.b/</link>
          <description>All</description><language>en</language>
          <item><title>One</title><link>http://a.b/1</link><guid>g1</guid><pubDate>Tue, 10 Nov 2026 04:00:00 GMT</pubDate>
            <description>&lt;p&gt;text</description><category>x</category><category>y</category><author>a@b.c</author>
            <enclosure url="http://a.b/1.mp3" length="123" type="audio/mpeg"/></item>
          <item><title>Two</title></item></channel></rss>]])
        assert(rss.type == "rss2" and rss.title == "News & more" and rss.link == "http://a.b/" and rss.description == "All" and rss.language == "en")
        local one = rss.items[1]
        assert(#rss.items == 2 and one.id == "g1" and one.link == "http://a.b/1" and one.published == 1794283200, one.published)
        assert(one.summary == "<p>text" and table.concat(one.categories, " ") == "x y" and #one.authors == 1)
        assert(one.enclosures[1].url == "http://a.b/1.mp3" and one.enclosures[1].type == "audio/mpeg" and one.enclosures[1].size == 123)
        assert(rss.items[2].title == "Two" and rss.items[2].link == nil and rss.items[2].published == nil and #rss.items[2].links == 0)
        local atom = feed.parse({ url = "http://a.b/feed/", body = [[<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>urn:x</id>
          <link rel="self" href="/feed"/><link href="/home"/><updated>2026-11-10T04:00:00Z</updated>
          <entry><title type="html">A &lt;b&gt;</title><id>1</id><link rel="alternate" href="one"/><updated>2026-11-10T04:00:00+01:00</updated>
          <author><name>N</name></author><content type="html">body</content></entry></feed>]] })
        assert(atom.type == "atom" and atom.updated == 1794283200 and atom.link == "http://a.b/home", atom.link)
        one = atom.items[1]
        assert(one.link == "http://a.b/feed/one" and one.content == "body" and one.authors[1] == "N" and one.updated == 1794279600)
        local json = feed.parse [[{"version":"https://jsonfeed.org/version/1.1","title":"J","items":[{"id":"7","url":"http://a/7","content_text":"t"}]}]]
        assert(json.type == "json" and json.title == "J" and json.items[1].link == "http://a/7")
        for _, bad in ipairs { "", "<html></html>", "{}", "[]", "<rss", "<feed><entry>", "\xff\xfe", "<rss version='2.0'><channel><item></channel></rss>" } do
          local r, e = try(feed.parse, bad)
          assert(e and e.code == "parse" and e.op == "feed.parse", bad .. ": " .. tostring(e))
        end
        for _, deep in ipairs { ("<a>"):rep(100000), "<feed><entry><content type='xhtml'>" .. ("<div>"):rep(100000), ("["):rep(100000),
          "<rss version='2.0'><channel>" .. ("<item>"):rep(100000) } do
          local r, e = try(feed.parse, deep)
          assert(e and e.code == "parse", tostring(e))
        end
        local _, e = try(feed.parse, { url = "http://a.b/x", body = "<html/>" }) assert(e.url == "http://a.b/x")
    "#;
    run::<()>(&state(), code);
}

proptest! {
    #[test]
    fn any_bytes_are_a_feed_or_an_error(bytes in any::<Vec<u8>>(), soup in "(<rss version='2.0'>|<channel>|</channel>|<item>|</item>|<feed>|<entry>|</entry>|<title>|</title>|<link href='x'/>|<urlset>|<url>|</url>|<loc>|</loc>|</urlset>|<sitemap>|&amp;|&x;|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?|x|<pubDate>|</pubDate>|2026-|:|<media:content url='x'>|<itunes:duration>){0,30}") {
        let lua = state();
        let bytes = lua.create_string(&bytes).expect("memory");
        let ok: bool = run_with(&lua, r#"
            local bytes, soup = ...
            local feed = mpms.feed
            for _, s in ipairs { bytes, soup, "<rss version='2.0'><channel>" .. soup, "<feed>" .. soup, "<urlset>" .. soup, "\x1f\x8b\8" .. bytes } do
              local _, e = try(feed.parse, s)
              assert(not e or e.code == "parse", tostring(e))
              _, e = try(function() for _ in feed.sitemap(s, { follow = false }) do end return true end)
              assert(not e or e.code == "parse", tostring(e))
            end
            return true
        "#, (bytes, soup));
        prop_assert!(ok);
    }
}

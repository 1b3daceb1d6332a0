use crate::lua::std::testing::{fails, run, state};

const SITE: &str = r#"
    local http, robots = require "mpms.http", require "mpms.robots"
    local server <close> = http.serve(function(request)
      if request.path ~= "/robots.txt" then return "page" end
      return [[
# all
User-agent: *
Disallow: /private
Allow: /private/open$
Crawl-delay: 1.5

User-agent: Bad-Bot
Disallow: /

Sitemap: http://example.com/map.xml
Sitemap: http://example.com/map2.xml
]]
    end)
"#;

#[test]
fn the_rules_of_a_site_are_asked() {
    let code = r#"
        assert(robots.allowed(server.url .. "/") and not robots.allowed(server.url .. "/private/x?y"))
        assert(robots.allowed(server.url .. "/private/open") and not robots.allowed(server.url .. "/private/open/no"))
        assert(not robots.allowed(server.url .. "/", { agent = "bad-bot/1.0 (+http://x)" }))
        assert(robots.allowed(server.url .. "/", { agent = "good" }) and robots.allowed(server.url .. "/robots.txt"))
        assert(robots.delay(server.url) == 1.5 and robots.delay(server.url, { agent = "bad-bot" }) == nil)
        assert(table.concat(robots.sitemaps(server.url .. "/x"), " ") == "http://example.com/map.xml http://example.com/map2.xml")
    "#;
    run::<()>(&state(), &format!("{SITE} {code}"));
}

#[test]
fn a_file_is_fetched_once_for_all_questions() {
    let code = r#"
        local http, robots = require "mpms.http", require "mpms.robots"
        local count = 0
        local server <close> = http.serve(function(request)
          count = count + 1
          if request.path == "/count" then return tostring(count - 1) end
          return "User-agent: *\nDisallow: /a"
        end)
        for i = 1, 5 do assert(not robots.allowed(server.url .. "/a" .. i) and robots.allowed(server.url .. "/b")) end
        assert(robots.delay(server.url) == nil and #robots.sitemaps(server.url) == 0)
        assert(http.get(server.url .. "/count").body == "1")
    "#;
    run::<()>(&state(), code);
}

#[test]
fn a_site_without_rules_allows_all_and_one_that_is_ill_nothing() {
    let code = r#"
        local http, robots = require "mpms.http", require "mpms.robots"
        local function site(status, body)
          return http.serve(function() return { status = status, body = body or "" } end)
        end
        local none <close> = site(404)
        assert(robots.allowed(none.url .. "/x") and robots.delay(none.url) == nil)
        local ill <close> = site(503)
        local _, e = try(robots.allowed, ill.url .. "/x")
        assert(e.code == "robots" and e.retryable and e.op == "robots.allowed" and e.url == ill.url .. "/x", tostring(e))
        local junk <close> = site(200, "\0\xff<html>Disallow: /\nUser-agent\n: x\n" .. ("a"):rep(100000))
        assert(robots.allowed(junk.url .. "/x"))
        local gone = site(200) local url = gone.url gone:close()
        _, e = try(robots.sitemaps, url) assert(e.code == "robots" and e.retryable, tostring(e))
    "#;
    run::<()>(&state(), code);
}

#[test]
fn wrong_calls_are_named() {
    let lua = state();
    for (call, code) in [
        ("allowed '/x'", "parse"),
        ("allowed 'ftp://a/'", "invalid"),
        ("delay('http://a/', { agnet = 'x' })", "invalid"),
        ("delay('http://a/', { agent = ' ' })", "invalid"),
        ("sitemaps()", "invalid"),
    ] {
        assert_eq!(fails(&lua, &format!("mpms.robots.{call}")).code, code, "{call}");
    }
}

---@meta mpms.feed

---Sitemaps, and feeds of news.
---@class mpms.feed
local feed = {}

---@class feed.ParseOptions
---@field base? string   what addresses in it are relative to; the reply's own address unless said
---@field max_size? size   of the text, unpacked; default 64 MiB

---What an RSS, Atom or JSON feed says. Times are seconds since 1970. Raises `parse` for anything else.
---
---```lua
---for _, item in ipairs(feed.parse(http.get(url)).items) do print(item.title, item.link) end
---```
---@nodiscard
---@param source string|http.Response
---@param options? feed.ParseOptions
---@return feed.Feed
function feed.parse(source, options) end

---@class feed.SitemapOptions
---@field follow? boolean   whether the sitemaps that an index names are read too; default true
---@field client? http.Client   by which they are fetched
---@field max_size? size   of each, unpacked; default 64 MiB

---An iterator over the pages of a sitemap: of an address, a text or a reply; gzip is unpacked.
---
---```lua
---for page in feed.sitemap("https://example.com/sitemap.xml") do put(page.loc) end
---```
---@async
---@nodiscard
---@param source string|http.Response   an address, or the sitemap itself
---@param options? feed.SitemapOptions
---@return async fun(): feed.Page?
function feed.sitemap(source, options) end

---@class feed.Page
---@field loc string   the address
---@field lastmod? string   as it is written there
---@field changefreq? string
---@field priority? number
---@field sitemap? boolean   with `follow = false`: it is the address of another sitemap

---@class feed.Feed
---@field type string   `"rss2"`, `"atom"`, `"json"`, …
---@field id? string
---@field title? string
---@field description? string
---@field link? string
---@field language? string
---@field updated? integer
---@field published? integer
---@field authors feed.Person[]
---@field categories string[]
---@field items feed.Item[]

---@class feed.Item
---@field id? string
---@field title? string
---@field link? string
---@field links string[]
---@field published? integer
---@field updated? integer
---@field summary? string
---@field content? string
---@field authors feed.Person[]
---@field categories string[]
---@field enclosures feed.Enclosure[]

---@class feed.Person
---@field name string
---@field uri? string
---@field email? string

---@class feed.Enclosure
---@field url string
---@field type? string
---@field size? integer

return feed

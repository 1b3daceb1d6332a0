---@meta mpms.url

---Addresses, as browsers read them (the URL standard).
---
---What is no address raises `parse`, with the address in `e.url`.
---@class mpms.url
local url = {}

---@class url.Parts
---@field scheme string
---@field host? string
---@field port? integer   also the usual one of the scheme
---@field path string
---@field query? string   as it is written
---@field params table<string, string|string[]>   the query, read
---@field fragment? string
---@field username? string
---@field password? string

---The parts of an address.
---
---```lua
---print(url.parse("https://example.com/a?b=1").params.b)  --> 1
---```
---@nodiscard
---@param url string
---@return url.Parts
function url.parse(url) end

---What a link on the page `base` means.
---@nodiscard
---@param base string
---@param reference string
---@return string
function url.join(base, reference) end

---@class url.BuildParts
---@field scheme? string   default `https`
---@field host string
---@field port? integer
---@field path? string
---@field query? string|table   as it is written, or a table as for `url.query`
---@field params? table   the same as a table; it wins
---@field fragment? string
---@field username? string
---@field password? string

---The address of its parts; the other way round as `url.parse`.
---@nodiscard
---@param parts url.BuildParts|url.Parts
---@return string
function url.build(parts) end

---A text as a part of an address: `"a b/c"` → `"a%20b%2Fc"`.
---@nodiscard
---@param text string
---@return string
function url.encode(text) end

---@class url.DecodeOptions
---@field plus? boolean   each `+` is a blank, as in forms; default false

---The text of a part of an address. A `%` that is no code stays as it is.
---@nodiscard
---@param text string
---@param options? url.DecodeOptions
---@return string
function url.decode(text, options) end

---The query of a table: `{ a = 1, b = { 2, 3 } }` → `"a=1&b=2&b=3"`. A list of pairs keeps its order.
---@nodiscard
---@param params table
---@return string
function url.query(params) end

---The table of a query. A name that comes more than once has a list.
---@nodiscard
---@param text string
---@return table<string, string|string[]>
function url.parse_query(text) end

---@class url.NormalizeOptions
---@field strip? string[]   parameters that go: `{ "utm_*" }`
---@field sort_query? boolean   default true
---@field fragment? boolean   whether it is kept; default false

---One spelling for all addresses of a page.
---
---```lua
---url.normalize("HTTP://Example.com:80/a/../b?z=1&a=2#top")  --> "http://example.com/b?a=2&z=1"
---```
---@nodiscard
---@param url string
---@param options? url.NormalizeOptions
---@return string
function url.normalize(url, options) end

---The domain that somebody registered: `"www.example.co.uk"` → `"example.co.uk"`. Nil where there is none.
---@nodiscard
---@param url string   an address or a host name
---@return string?
function url.domain(url) end

return url

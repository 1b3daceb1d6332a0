---@meta mpms.html

---Pages as browsers read them, and what is in them by CSS selectors.
---
---What is not HTML is read as browsers read it, so `parse` never fails for bad markup; it raises `too_large` for a page
---over the limits.
---@class mpms.html
local html = {}

---@class html.ParseOptions
---@field base? string   the address of the page, which its links are relative to
---@field charset? string   instead of what the page says of itself
---@field max_size? size   default 32 MiB
---@field max_depth? integer   elements inside of each other; default 1,000
---@field max_nodes? integer   default 1,000,000

---The root element of a page. `reply:html()` is the same as `html.parse(reply)`.
---
---```lua
---local page = html.parse(http.get(url))
---for _, link in ipairs(page:css("h2 a::attr(href)")) do print(link) end
---```
---@nodiscard
---@param source string|http.Response
---@param options? html.ParseOptions
---@return html.Node
function html.parse(source, options) end

---What a person reads of a page: its text, without scripts and markup, in lines.
---@nodiscard
---@param source string|http.Response|html.Node
---@param options? html.ParseOptions   unless `source` is an element
---@return string
function html.text(source, options) end

---`<` → `&lt;`, and so on: a text that can stand in a page.
---@nodiscard
---@param text string
---@return string
function html.escape(text) end

---The other way round: `&eacute;` → `é`.
---@nodiscard
---@param text string
---@return string
function html.unescape(text) end

---An element of a page.
---@class html.Node
---@field tag string   its name, lower case
local Node = {}

---What fits a selector, the element itself included. With `::text` or `::attr(name)` behind it: texts.
---
---```lua
---page:css("a.next::attr(href)"):get()
---```
---@nodiscard
---@param selector string
---@return html.List
function Node:css(selector) end

---Not there: raises, and names the CSS for the same.
---@param path string
function Node:xpath(path) end

---@class html.TextOptions
---@field trim? boolean   without blanks at both ends; default false

---All text in it.
---@nodiscard
---@param options? html.TextOptions
---@return string
function Node:text(options) end

---An attribute, or nil.
---@nodiscard
---@param name string
---@return string?
function Node:attr(name) end

---@class html.MarkupOptions
---@field inner? boolean   what is in it alone; default false

---It as HTML.
---@nodiscard
---@param options? html.MarkupOptions
---@return string
function Node:html(options) end

---The element around it; nil for the root.
---@nodiscard
---@return html.Node?
function Node:parent() end

---The elements in it.
---@nodiscard
---@return html.List
function Node:children() end

---@class html.LinksOptions
---@field absolute? boolean   whole addresses; default true
---@field same_site? boolean   those of the page's own site alone; default false

---The addresses of the links in it, each once.
---
---Raises `invalid` when the page has no address and whole ones are wanted.
---@nodiscard
---@param options? html.LinksOptions
---@return string[]
function Node:links(options) end

---What a page says of itself.
---@class html.Meta
---@field title? string
---@field description? string
---@field canonical? string
---@field lang? string
---@field names table<string, string>   `<meta name=…>`
---@field og table<string, string>
---@field twitter table<string, string>
---@field feeds string[]   addresses
---@field json_ld any[]
---@field json_ld_errors? string[]   what was no JSON in it

---Title, description, canonical address, Open Graph, JSON-LD.
---@nodiscard
---@return html.Meta
function Node:meta() end

---@class html.TableOptions
---@field header? boolean   the first row names the cells; default false

---The rows of the first table that fits. A cell that spans several places stands in each of them.
---@nodiscard
---@param selector string
---@param options? html.TableOptions
---@return string[][]|table<string, string>[]
function Node:table(selector, options) end

---What a selector found: elements, or texts. A list as any, with methods.
---@class html.List: { [integer]: html.Node|string }
local List = {}

---The first as text, or `default`.
---@nodiscard
---@param default? any
---@return any
function List:get(default) end

---All as texts; elements as HTML.
---@nodiscard
---@return string[]
function List:getall() end

---The first as it is, or nil.
---@nodiscard
---@return html.Node|string|nil
function List:first() end

---What fits a selector in any of its elements.
---@nodiscard
---@param selector string
---@return html.List
function List:css(selector) end

return html

---@meta mpms.xml

---XML 1.0 documents as tables, or piece by piece.
---
---Names are kept as written, prefixes included. Documents must be well-formed. A document type is passed over: its
---entities are not expanded and its defaults not added, and nothing outside of the text is ever read. The encoding is that
---of a byte order mark or of the declaration, else UTF-8.
---@class mpms.xml
local xml = {}

---An element.
---@class xml.Element
---@field tag string   the name
---@field attr table<string, string>   the attributes
---@field children (xml.Element|string)[]   elements and texts in order

---An element for `xml.encode`; one of `xml.decode` is fine too.
---@class xml.NewElement
---@field tag string   the name
---@field attr? table<string, string|number|boolean>   the attributes
---@field children? (xml.NewElement|xml.Element|string|number|boolean)[]   elements and texts in order

---@class xml.Event
---@field event "start"|"end"|"text"|"comment"|"instruction"   what it is
---@field tag? string   of `start` and `end`
---@field attr? table<string, string>   of `start`
---@field text? string   of `text`, `comment` and `instruction`
---@field target? string   of `instruction`

---@class xml.DecodeOptions
---@field trim? boolean   no blanks around texts, and no texts of blanks alone; default false

---@class xml.EventsOptions
---@field trim? boolean   no blanks around texts, and no texts of blanks alone; default false
---@field max_size? integer|string   of one piece; default 64 MiB

---@class xml.EncodeOptions
---@field pretty? boolean   each element of elements alone on lines of its own; default false
---@field declaration? boolean   begin with `<?xml version="1.0" encoding="UTF-8"?>`; default false

---The root element of a document. Raises `parse` with line and column.
---
---Comments and instructions are left out. Elements nest up to 99 deep.
---
---```lua
---print(xml.decode('<a x="1">hi<b/></a>').children[1])  --> hi
---```
---@nodiscard
---@param text string
---@param options? xml.DecodeOptions
---@return xml.Element
function xml.decode(text, options) end

---An iterator over the pieces of a file, or of a text in `{ text = … }`: each event and its number.
---
---The loop waits for the disk about once in 1000 pieces; other coroutines run meanwhile. An element without content gives
---`start` and `end`. Raises `parse` with line and column, `too_large` for a huge piece.
---
---```lua
---for e in xml.events("feed.xml") do
---  if e.event == "start" and e.tag == "item" then count = count + 1 end
---end
---```
---@nodiscard
---@param source string|{ text: string }   a path, or the text itself
---@param options? xml.EventsOptions
---@return fun(): xml.Event, integer
function xml.events(source, options) end

---The text of an element, attributes sorted. Raises `invalid` for what XML cannot hold, with its path.
---
---```lua
---xml.encode({ tag = "a", attr = { x = 1 }, children = { "1 < 2" } })  --> <a x="1">1 &lt; 2</a>
---```
---@nodiscard
---@param element xml.NewElement|xml.Element
---@param options? xml.EncodeOptions
---@return string
function xml.encode(element, options) end

return xml

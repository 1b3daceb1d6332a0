---@meta mpms.str

---What Lua's `string` has not. Texts may hold any bytes; those that are not UTF-8 are kept and count one column each.
---@class mpms.str
local str = {}

---@class str.SplitOptions
---@field n? integer   at most so many pieces; the last one has the rest
---@field plain? boolean   false: the separator is a pattern of `mpms.re`; default true

---The pieces between the separators; without a separator, the words between blanks.
---
---```lua
---str.split("a,b,,c", ",")          --> { "a", "b", "", "c" }
---str.split("  two words ")         --> { "two", "words" }
---str.split("k=v=w", "=", { n = 2 })  --> { "k", "v=w" }
---```
---@nodiscard
---@param text string
---@param separator? string   not empty
---@param options? str.SplitOptions
---@return string[]
function str.split(text, separator, options) end

---The lines one by one, without `\n` or `\r\n`.
---@nodiscard
---@param text string
---@return fun(): string?
function str.lines(text) end

---The text without whitespace at both ends, Unicode's included.
---@nodiscard
---@param text string
---@param characters? string   drop these in place of whitespace
---@return string
function str.trim(text, characters) end

---The text without whitespace at its begin.
---@nodiscard
---@param text string
---@param characters? string   drop these in place of whitespace
---@return string
function str.ltrim(text, characters) end

---The text without whitespace at its end.
---@nodiscard
---@param text string
---@param characters? string   drop these in place of whitespace
---@return string
function str.rtrim(text, characters) end

---Whether the text begins with `prefix`.
---@nodiscard
---@param text string
---@param prefix string
---@return boolean
function str.starts(text, prefix) end

---Whether the text ends with `suffix`.
---@nodiscard
---@param text string
---@param suffix string
---@return boolean
function str.ends(text, suffix) end

---Whether `part` is anywhere in the text, byte by byte.
---@nodiscard
---@param text string
---@param part string
---@return boolean
function str.contains(text, part) end

---How many columns the text takes on a terminal: two for most of Chinese, none for a combining accent.
---@nodiscard
---@param text string
---@return integer
function str.width(text) end

---@class str.PadOptions
---@field fill? string   one character of one column; default a blank

---The text filled up to `width` columns. One that is wide enough stays as it is.
---
---```lua
---str.pad("7", 3, "left", { fill = "0" })  --> 007
---```
---@nodiscard
---@param text string
---@param width integer
---@param side? "left"|"right"|"both"   where the fill goes; default `"right"`
---@param options? str.PadOptions
---@return string
function str.pad(text, width, side, options) end

---@class str.WrapOptions
---@field indent? string   before the first line; default none
---@field hanging? string   before all others; default as `indent`

---The text with its lines broken between words, so that none is wider than `width` columns.
---
---A word that is too wide stays whole. Blanks between words become one, line ends stay.
---@nodiscard
---@param text string
---@param width integer
---@param options? str.WrapOptions
---@return string
function str.wrap(text, width, options) end

---The text without the blanks that all its lines begin with. Lines of blanks alone become empty.
---@nodiscard
---@param text string
---@return string
function str.dedent(text) end

---The text with the values of `${name}` in place; `$$` is a dollar, any other `$` stays.
---
---`${a.b.1}` goes down into tables. Raises `invalid` with the name of a value that is not there.
---
---```lua
---str.template("${user.name} has ${n}", { user = { name = "Jo" }, n = 3 })  --> Jo has 3
---```
---@nodiscard
---@param text string
---@param values table
---@return string
function str.template(text, values) end

---The text with a large first letter in each word and small ones behind it. Words are what is between whitespace.
---@nodiscard
---@param text string
---@return string
function str.title(text) end

---The text as a name for files and addresses: small letters and digits, `-` between words, accents dropped.
---
---Letters of other scripts stay. Gives an empty text where there is no letter.
---
---```lua
---str.slug("Žluťoučký kůň!")  --> zlutoucky-kun
---```
---@nodiscard
---@param text string
---@return string
function str.slug(text) end

---The text in Unicode's normal form C, in which `é` is one character.
---@nodiscard
---@param text string
---@return string
function str.nfc(text) end

---How many characters must be put in, dropped or changed to make `b` of `a` (Levenshtein).
---
---Raises `too_large` when the lengths multiplied are above 2^29.
---@nodiscard
---@param a string
---@param b string
---@return integer
function str.distance(a, b) end

---@class str.CharsetOptions
---@field replace? boolean   true: U+FFFD, or `?`, for what cannot be; default false, which raises

---Bytes of another encoding as UTF-8. A byte order mark is dropped.
---
---Encodings have the names of the web: `gbk`, `shift_jis`, `windows-1250`, `utf-16le` ...; `latin1` is `windows-1252`.
---Raises `parse` with the place of bytes that are not of that encoding.
---@nodiscard
---@param bytes string
---@param encoding string
---@param options? str.CharsetOptions
---@return string
function str.decode(bytes, encoding, options) end

---UTF-8 as bytes of another encoding. Raises `invalid` with the character that it has not.
---@nodiscard
---@param text string
---@param encoding string
---@param options? str.CharsetOptions
---@return string
function str.encode(text, encoding, options) end

return str

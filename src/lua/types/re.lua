---@meta mpms.re

---Regular expressions, in the syntax of Rust's `regex`: Perl's without surprises in time.
---
---A search takes time in proportion to the subject. Only a pattern with look-around (`(?=…)`, `(?<!…)`), a back-reference
---(`\1`, `\k<name>`) or an atomic group goes back and forth: it gives up with `too_large` after a million steps, and takes
---subjects of UTF-8 only.
---Patterns are UTF-8 and match characters; subjects may be any bytes, and `(?-u)` in a pattern makes it one of bytes. Flags:
---`i` any case, `x` blanks and `# comments` in the pattern, `s` dot matches a line end, `m` `^ $` match at lines.
---The 512 latest patterns of a thread stay compiled. A bad pattern raises `parse` with its place; one that compiles to more
---than 10 MiB raises `too_large`.
---@class mpms.re
local re = {}

---A match: the whole at 0, the groups at 1 to n and under their names. A group that had no part in it is `false`.
---@class re.Match
---@field [0] string   the whole
---@field [integer] string|false
---@field [string] string|false

---@class re.Options
---@field flags? string   some of `ixsm`
---@field n? integer   at most so many: replacements of `gsub`, pieces of `split`

---@class re.SubOptions
---@field flags? string   some of `ixsm`

---@class re.ObjectOptions
---@field n? integer   at most so many: replacements of `gsub`, pieces of `split`

---What `gsub` and `sub` put in: a text with `$1`, `${name}`, `$0` for groups and `$$` for a dollar; a function of the
---match; a table that is asked for the first group, or the whole where there is none. Nil and false leave the match.
---@alias re.Replacement string|number|table|async fun(m: re.Match): string|number|false|nil

---A compiled pattern, with the functions of the module as methods.
---
---```lua
---local word = re.new([[(?<first>\w)\w*]])
---for m in word:gmatch "some words" do print(m.first, m[0]) end
---```
---@nodiscard
---@param pattern string
---@param flags? string   some of `ixsm`
---@return re.Regex
function re.new(pattern, flags) end

---Whether the pattern is anywhere in the subject.
---@nodiscard
---@param subject string
---@param pattern string
---@param flags? string
---@return boolean
function re.test(subject, pattern, flags) end

---The first match, or nil.
---
---`init` is where to begin; what is before it still counts for `^`, `\b` and look-behind.
---
---```lua
---local m = assert(re.match("2024-05-01", [[(?<y>\d+)-(?<m>\d+)]]))
---print(m.y, m[2], m[0])  --> 2024  05  2024-05
---```
---@nodiscard
---@param subject string
---@param pattern string
---@param flags? string
---@param init? integer   default 1; from the end when negative
---@return re.Match?
function re.match(subject, pattern, flags, init) end

---First and last byte of the first match, and its groups; or nil.
---@nodiscard
---@param subject string
---@param pattern string
---@param flags? string
---@param init? integer   default 1; from the end when negative
---@return integer? first
---@return integer last
---@return string|false ...   the groups, `false` for one that had no part in it
function re.find(subject, pattern, flags, init) end

---All matches, one after the other.
---
---An empty match is not found at the end of the match before it, nor within a character.
---@nodiscard
---@param subject string
---@param pattern string
---@param flags? string
---@return fun(): re.Match?
function re.gmatch(subject, pattern, flags) end

---The subject with all matches replaced, and how many they were. The replacement may be a function that waits.
---
---```lua
---re.gsub("a=1, b=2", [[(\w)=(\d)]], "$2=$1")                --> 1=a, 2=b   2
---re.gsub("hello", [[\w]], function(m) return m[0]:upper() end)  --> HELLO  5
---```
---@param subject string
---@param pattern string
---@param replacement re.Replacement
---@param options? string|re.Options   flags, or a table
---@return string
---@return integer count
function re.gsub(subject, pattern, replacement, options) end

---The subject with the first match replaced, and 0 or 1.
---@param subject string
---@param pattern string
---@param replacement re.Replacement
---@param options? string|re.SubOptions   flags, or a table
---@return string
---@return integer count
function re.sub(subject, pattern, replacement, options) end

---The pieces of the subject between the matches.
---@nodiscard
---@param subject string
---@param pattern string
---@param options? string|re.Options   flags, or a table
---@return string[]
function re.split(subject, pattern, options) end

---A pattern that matches that very text. Blanks stay as they are: flag `x` would drop them.
---@nodiscard
---@param text string
---@return string
function re.escape(text) end

---What `re.new` gives.
---@class re.Regex
local Regex = {}

---Whether it is anywhere in the subject.
---@nodiscard
---@param subject string
---@return boolean
function Regex:test(subject) end

---The first match, or nil.
---@nodiscard
---@param subject string
---@param init? integer   default 1; from the end when negative
---@return re.Match?
function Regex:match(subject, init) end

---First and last byte of the first match, and its groups; or nil.
---@nodiscard
---@param subject string
---@param init? integer   default 1; from the end when negative
---@return integer? first
---@return integer last
---@return string|false ...   the groups, `false` for one that had no part in it
function Regex:find(subject, init) end

---All matches, one after the other.
---@nodiscard
---@param subject string
---@return fun(): re.Match?
function Regex:gmatch(subject) end

---The subject with all matches replaced, and how many they were.
---@param subject string
---@param replacement re.Replacement
---@param options? re.ObjectOptions
---@return string
---@return integer count
function Regex:gsub(subject, replacement, options) end

---The subject with the first match replaced, and 0 or 1.
---@param subject string
---@param replacement re.Replacement
---@return string
---@return integer count
function Regex:sub(subject, replacement) end

---The pieces of the subject between the matches.
---@nodiscard
---@param subject string
---@param options? re.ObjectOptions
---@return string[]
function Regex:split(subject, options) end

return re

---@meta mpms.time

---Clocks, waiting, and times of the calendar in any time zone.
---
---The time zones of the machine are used, and built-in ones where it has none. A zone is an IANA name
---(`"Europe/Berlin"`), `"UTC"`, `"local"` or an offset (`"+02:00"`); unless said it is UTC, so that a job does the same
---on every machine.
---@class mpms.time
local time = {}

---Seconds since 1970, with a fraction.
---@nodiscard
---@return number
function time.now() end

---Seconds of a clock that never goes back; only differences mean something.
---@nodiscard
---@return number
function time.mono() end

---Waits. Other coroutines of the thread run meanwhile.
---@async
---@param duration duration
function time.sleep(duration) end

---@class time.AtOptions
---@field tz? string   the zone in which it is shown; default `"UTC"`

---The time that is so many seconds after 1970. A float is read to the microsecond.
---@nodiscard
---@param unix number
---@param options? time.AtOptions
---@return time.Time
function time.at(unix, options) end

---@class time.Fields
---@field year integer   -9999 to 9999
---@field month? integer   1 to 12, default 1
---@field day? integer   default 1
---@field hour? integer   0 to 23, default 0
---@field min? integer   default 0
---@field sec? integer   0 to 59, default 0
---@field nsec? integer   0 to 999999999, default 0
---@field tz? string   default `"UTC"`

---The time of a date and a clock's reading. An hour that summer time leaves out is the one after it; of an hour that is
---there twice it is the first.
---
---```lua
---time.date { year = 2026, month = 3, day = 29, hour = 12, tz = "Europe/Berlin" }:iso()
-----> 2026-03-29T12:00:00+02:00
---```
---@nodiscard
---@param fields time.Fields
---@return time.Time
function time.date(fields) end

---@class time.ParseOptions
---@field tz? string   the zone of a text that names none; default `"UTC"`

---The time in a text: ISO 8601, RFC 2822, the dates of HTTP, Unix seconds, or as a format says.
---
---Without a format it takes `2026-05-01`, `2026-05-01T12:00:00.5+02:00`, `2026-05-01 12:00:00`, a zone in brackets
---behind it (`[Asia/Tokyo]`), `20260501T120000Z`, `2026-05`, `Fri, 01 May 2026 10:00:00 GMT`, `1 May 2026 12:00 +0200`,
---`1777629600`, `1777629600.25` and `@-5`. Formats are those of `strptime`. Raises `parse` and says what does not fit.
---
---```lua
---time.parse("31.12.2026 18:00", "%d.%m.%Y %H:%M", { tz = "Europe/Vienna" })
---```
---@nodiscard
---@param text string
---@param format? string|time.ParseOptions   may be left out: the options are the second argument then
---@param options? time.ParseOptions
---@return time.Time
function time.parse(text, format, options) end

---Seconds of a duration: `time.duration "1h30m"` is 5400. Days have 24 hours; months and years are refused.
---@nodiscard
---@param text duration
---@return number
function time.duration(text) end

---A duration for people, in two units at most: `2h 5m`, `340ms`.
---@nodiscard
---@param seconds duration
---@return string
function time.human(seconds) end

---A time in a zone. Times compare with `<`, `<=` and `==`, whatever their zones; `a - b` are the seconds between them,
---`t + n` and `t - n` are `n` seconds (or `"1h30m"`) later and earlier; `tostring` gives `iso()`.
---@class time.Time
---@field year integer
---@field month integer
---@field day integer
---@field hour integer
---@field min integer
---@field sec integer
---@field nsec integer   of the second
---@field unix number   seconds since 1970; an integer when there is no fraction
---@field tz string   the zone's name, as `in_tz` takes it
---@field offset integer   seconds east of UTC
---@field weekday integer   1 (Monday) to 7 (Sunday)
---@field yearday integer   1 to 366
local Time = {}

---The text of a format as in `strftime`: `t:format("%d.%m.%Y %H:%M %Z")`.
---@nodiscard
---@param format string
---@return string
function Time:format(format) end

---ISO 8601 with its offset, `Z` for UTC: `2026-05-01T12:00:00+02:00`.
---@nodiscard
---@return string
function Time:iso() end

---As e-mail writes it: `Fri, 1 May 2026 12:00:00 +0200`.
---@nodiscard
---@return string
function Time:rfc2822() end

---As HTTP writes it: `Fri, 01 May 2026 10:00:00 GMT`.
---@nodiscard
---@return string
function Time:http() end

---@class time.Span
---@field years? integer
---@field months? integer
---@field weeks? integer
---@field days? integer
---@field hours? number
---@field minutes? number
---@field seconds? number
---@field milliseconds? number
---@field microseconds? number
---@field nanoseconds? number

---A time that is so much later, or earlier where a number is negative.
---
---Days and longer are those of the calendar and keep the clock's reading, also over a change to summer time; a day that
---its month lacks becomes the month's last. Hours and shorter are exact.
---
---```lua
---time.parse("2026-01-31"):add { months = 1, days = -2 }  --> 2026-02-26T00:00:00Z
---```
---@nodiscard
---@param span time.Span
---@return time.Time
function Time:add(span) end

---How much later it is than `other`, with its fraction; negative when it is earlier.
---@nodiscard
---@param other time.Time
---@param unit? string   `"years"`, `"months"`, `"weeks"`, `"days"`, …, `"nanoseconds"`; default `"seconds"`
---@return number
function Time:diff(other, unit) end

---The beginning of the year, month, week (its Monday), day, hour, minute or second in which it lies.
---@nodiscard
---@param unit string
---@return time.Time
function Time:trunc(unit) end

---The same time in another zone.
---@nodiscard
---@param name string
---@return time.Time
function Time:in_tz(name) end

return time

---@meta mpms.robots

---What robots.txt of a site says (RFC 9309). It is fetched when first asked for, and once a day.
---
---A site that has none allows everything. A host that does not answer for it raises.
---@class mpms.robots
local robots = {}

---@class robots.Options
---@field agent? string   the name of the crawler; default `mpms`

---Whether a crawler may fetch the address.
---
---```lua
---if robots.allowed(url, { agent = "mybot" }) then http.get(url) end
---```
---@async
---@nodiscard
---@param url string
---@param options? robots.Options
---@return boolean
function robots.allowed(url, options) end

---The seconds that the site asks to leave between two requests; nil when it does not say.
---@async
---@nodiscard
---@param url string
---@param options? robots.Options
---@return number?
function robots.delay(url, options) end

---The addresses of the site's sitemaps.
---@async
---@nodiscard
---@param url string
---@param options? robots.Options
---@return string[]
function robots.sitemaps(url, options) end

return robots

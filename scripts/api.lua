-- The script of jobs/api.toml: a client with its own retries, and errors that the engine tries again.

local http = require "mpms.http"

---@type http.Client
local api   -- of this thread: every thread has a Lua state of its own

-- An API on this machine: every fifth call finds it busy, and who asks for yen is asked to come again after a second.
-- The function answers in a state of its own, which keeps `calls`.
local function moody_api()
  local rates = { USD = 0.92, GBP = 1.17, JPY = 0.0061, CHF = 1.05, SEK = 0.088 }
  local calls = 0
  local server = http.serve {
    ["GET /rate/:currency"] = function(request)
      local currency = request.params.currency
      calls = calls + 1
      if calls % 5 == 0 then return { status = 503, body = "busy" } end
      if currency == "JPY" and request.headers["x-attempt"] == "1" then
        return { status = 429, headers = { ["Retry-After"] = "1" } }
      end
      if not rates[currency] then return 404 end
      return { body = { currency = currency, rate = rates[currency] } }
    end,
  }
  return server.url
end

return {
  init = function()
    api = http.client {
      base_url = job.params.base ~= "" and job.params.base or moody_api(),
      timeout = "10s",
      allow = { 404 },   -- not an error here, but an answer
      -- In place, for what passes at once. An API that asks for longer than max_delay is left alone: the call raises,
      -- the engine waits, and this thread does something else meanwhile.
      retries = { count = 4, delay = "20ms", max_delay = "200ms" },
    }
  end,

  worker = function(row)
    -- Every thread has an API of its own here, and another one may try again: the call says which try it is.
    local reply = api:get("rate/" .. row.currency, { headers = { ["X-Attempt"] = task.attempt } })
    if reply.status == 404 then row.note = "unknown currency" return row end
    row.euros = ("%.2f"):format(assert(tonumber(row.price), "the price is no number") * reply:json().rate)
    return row
  end,
}

-- The script of jobs/api.toml: a client with its own retries, and errors that the engine tries again.

local http = require "mpms.http"

local api   -- of this thread: every thread has a Lua state of its own

-- An API on this machine: every fifth call finds it busy, and the first one for yen asks to wait for a second. The
-- function answers in a state of its own, which keeps `calls` and `asked`.
local function moody_api()
  local rates = { USD = 0.92, GBP = 1.17, JPY = 0.0061, CHF = 1.05, SEK = 0.088 }
  local calls, asked = 0, false
  local server = http.serve {
    ["GET /rate/:currency"] = function(request)
      local currency = request.params.currency
      calls = calls + 1
      if calls % 5 == 0 then return { status = 503, body = "busy" } end
      if currency == "JPY" and not asked then
        asked = true
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
      -- In place, for what passes at once. An API that asks for longer than max_delay is left alone: the call raises, the
      -- engine waits, and this thread does something else meanwhile.
      retries = { count = 4, delay = "20ms", max_delay = "200ms" },
    }
  end,

  worker = function(row)
    local reply = api:get("rate/" .. row.currency)
    if reply.status == 404 then row.note = "unknown currency" return row end
    row.euros = ("%.2f"):format(tonumber(row.price) * reply:json().rate)
    return row
  end,
}

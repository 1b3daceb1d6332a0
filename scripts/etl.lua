-- The script of jobs/etl.toml: rows as they come, rows as they should be, and a database.

local csv, fs, path, re, sqlite, str, time = mpms.csv, mpms.fs, mpms.path, mpms.re, mpms.sqlite, mpms.str, mpms.time

local COUNTRIES = {
  austria = "AT", egypt = "EG", france = "FR", germany = "DE", hungary = "HU", norway = "NO", sweden = "SE",
  switzerland = "CH", uk = "GB", ["united kingdom"] = "GB", usa = "US",
}
local CODES = {}
for _, code in pairs(COUNTRIES) do CODES[code] = true end

local EMAIL = re.new [[^[^@\s]+@[^@\s]+\.[^@\s.]+$]]
local DATES = { "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y" }

-- "1.049,90 €" and "$ 1,049.90" are the same number: the last sign of the two is the decimal one, if at most two digits
-- follow it.
local function amount_of(text)
  local digits = text:gsub("[^%d.,-]", "")
  local whole, cents = digits:match "^(.-)[.,](%d%d?)$"
  whole = (whole or digits):gsub("[.,]", "")
  return tonumber(whole .. "." .. (cents or "0"))
end

local function date_of(text)
  for _, form in ipairs(DATES) do
    local date = try(time.parse, text, form)
    if date then return date:format "%F" end
  end
end

-- The row as it should be; or nil and why not.
local function clean(row)
  local order = {
    id = math.tointeger(tonumber(row.order)),
    customer = re.gsub(str.trim(row.customer), [[\s+]], " "),
    email = str.trim(row.email):lower(),
    country = COUNTRIES[str.trim(row.country):lower()] or str.trim(row.country):upper(),
    amount = amount_of(row.amount),
    date = date_of(str.trim(row.date)),
  }
  if not order.id then return nil, "no number of an order" end
  if order.customer == "" then return nil, "no customer" end
  if not EMAIL:test(order.email) then return nil, "no address" end
  if not CODES[order.country] then return nil, "unknown country" end
  if not order.amount or order.amount <= 0 then return nil, "no amount" end
  if not order.date then return nil, "no date" end
  return order
end

---@type sqlite.Database
local db   -- of the handler

return {
  start = function()
    fs.mkdir(path.dirname(job.params.database))
    db = sqlite.open(job.params.database)
    db:script [[
      CREATE TABLE IF NOT EXISTS orders (
        id INTEGER PRIMARY KEY, customer TEXT, email TEXT, country TEXT, amount REAL, date TEXT);
      CREATE TABLE IF NOT EXISTS refused (line INTEGER PRIMARY KEY, reason TEXT, "order" TEXT, customer TEXT);
    ]]
  end,

  -- Rows with the number of their line, some at a time.
  tasks = function(put)
    local batch, line = {}, 1
    for row in csv.rows(path.expand(job.params.orders)) do
      line = line + 1
      row.line = line
      batch[#batch + 1] = row
      if #batch == job.params.batch then
        put(batch)
        batch = {}
      end
    end
    if #batch > 0 then put(batch) end
  end,

  worker = function(rows)
    local orders, refused = {}, {}
    for _, row in ipairs(rows) do
      local order, reason = clean(row)
      if order then
        orders[#orders + 1] = order
      else
        refused[#refused + 1] = { line = row.line, reason = reason, order = row.order, customer = row.customer }
      end
    end
    return orders, refused
  end,

  -- Both tables of a batch, or none.
  handler = function(meta, orders, refused)
    db:tx(function()
      if #orders > 0 then db:insert("orders", orders, { ["or"] = "replace" }) end
      if #refused > 0 then db:insert("refused", refused, { ["or"] = "replace" }) end
    end)
    meta.loaded = meta.loaded + #orders
    meta.refused = meta.refused + #refused
  end,

  finish = function(meta)
    local lines = { "# Orders", "", "| country | orders | amount |", "|---|--:|--:|" }
    local sums = "SELECT country, count(*) AS n, sum(amount) AS sum FROM orders GROUP BY country ORDER BY sum DESC"
    for row in db:rows(sums) do
      lines[#lines + 1] = ("| %s | %d | %.2f |"):format(row.country, row.n, row.sum)
    end
    lines[#lines + 1] = ""
    lines[#lines + 1] = "Refused:"
    lines[#lines + 1] = ""
    for row in db:rows "SELECT line, reason, customer FROM refused ORDER BY line" do
      lines[#lines + 1] = ("* line %d, %s: %s"):format(row.line, row.customer, row.reason)
    end
    fs.write(job.params.report, table.concat(lines, "\n") .. "\n", { mkdir = true })
    db:close()
    return ("%d rows loaded, %d refused; see %s"):format(meta.loaded, meta.refused, job.params.report)
  end,
}

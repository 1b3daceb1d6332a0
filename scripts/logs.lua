-- The script of jobs/logs.toml: packed logs, a regular expression, sums in `meta`.

local compress, fs, json, re, tbl = mpms.compress, mpms.fs, mpms.json, mpms.re, mpms.tbl

-- The "combined" format of Apache and nginx, with the time of the reply behind it, as many have it.
local LINE = re.new(
  [=[^(?<host>\S+) \S+ \S+ \[[^\]]+\] "(?<method>[A-Z]+) (?<path>[^ ?"]+)[^"]*" ]=] ..
  [=[(?<status>\d{3}) (?<bytes>\d+|-)(?: .*?)?(?: (?<time>\d+\.\d+))?$]=])

-- Six days of a small site, five of them packed, made once. The numbers are the same in every run.
local function demo_logs()
  local pages = { "/", "/about", "/books", "/books/7", "/cart", "/search" }
  for day = 1, 6 do
    local file = ("out/logs/access.log.%d"):format(day)
    local lines = {}
    for i = 1, 5000 do
      local status = ({ 200, 200, 200, 200, 200, 200, 304, 404, 500 })[math.random(9)]
      local time = math.random(40) == 1 and 0.5 + math.random() or math.random() * 0.2
      lines[i] = ('10.0.0.%d - - [%02d/Nov/2026:%02d:%02d:%02d +0000] "GET %s HTTP/1.1" %d %d "-" "demo" %.3f'):format(
        math.random(9), day, i // 209, i // 4 % 60, i % 60, pages[math.random(#pages)], status, 100 * day, time)
    end
    lines[#lines + 1] = "a line that some other program wrote"
    local text = table.concat(lines, "\n") .. "\n"
    if day == 1 then
      fs.write(file, text, { mkdir = true })
    else
      fs.write(file .. ".gz", compress.gzip(text), { mkdir = true })
    end
  end
end

local function add(sums, key, n) sums[key] = (sums[key] or 0) + n end

return {
  tasks = function(put)
    local logs = job.params.logs
    if logs == "" then
      if not fs.exists("out/logs/access.log.1") then demo_logs() end
      logs = "out/logs/access.log*"
    end
    for _, file in ipairs(fs.glob(logs)) do put(file) end
  end,

  worker = function(file)
    local found = { lines = 0, unread = 0, bytes = 0, status = {}, pages = {}, slow = {} }
    for line in compress.lines(file) do
      found.lines = found.lines + 1
      local request = LINE:match(line)
      if request then
        found.bytes = found.bytes + (math.tointeger(request.bytes) or 0)
        add(found.status, request.status, 1)
        add(found.pages, request.path, 1)
        if request.time and tonumber(request.time) >= job.params.slow then add(found.slow, request.path, 1) end
      else
        found.unread = found.unread + 1
      end
    end
    return found
  end,

  handler = function(meta, found)
    meta.files = meta.files + 1
    for _, name in ipairs { "lines", "unread", "bytes" } do meta[name] = meta[name] + found[name] end
    for _, name in ipairs { "status", "pages", "slow" } do
      for key, n in pairs(found[name]) do add(meta[name], key, n) end
    end
  end,

  finish = function(meta)
    local function most(sums)
      local list = {}
      for page, n in tbl.pairs_sorted(sums) do list[#list + 1] = { page = page, requests = n } end
      table.sort(list, function(a, b)
        if a.requests ~= b.requests then return a.requests > b.requests end
        return a.page < b.page
      end)
      return json.array(tbl.slice(list, 1, job.params.top))
    end
    local report = { files = meta.files, lines = meta.lines, unread = meta.unread, bytes = meta.bytes,
      status = meta.status, most = most(meta.pages), slow = most(meta.slow) }
    json.write(job.params.report, report, { pretty = true, mkdir = true })
    return ("%d lines of %d files, %d errors of the server, %d lines not understood; see %s"):format(
      meta.lines, meta.files, meta.status["500"] or 0, meta.unread, job.params.report)
  end,
}

-- The script of jobs/download.toml: http.download, which resumes and checks.

local http, fs, path = require "mpms.http", require "mpms.fs", require "mpms.path"

local base   -- of this thread: every thread has a Lua state of its own

-- A site on this machine. Of each file it sends 300,000 bytes and hangs up; then it answers requests for the rest.
local function demo_site()
  local cut = {}
  local server = http.serve {
    ["/:name"] = function(request)
      local name = request.params.name
      local reply = { body = (name .. "\n"):rep(100000), ranges = true }
      if not cut[name] then
        cut[name] = true
        reply.fail, reply.after = "cut", 300000
      end
      return reply
    end,
  }
  return server.url
end

return {
  init = function()
    base = job.params.base ~= "" and job.params.base or demo_site()
    fs.mkdir(job.params.to)
  end,

  worker = function(file)
    local target = path.join(job.params.to, file.name)
    if fs.exists(target) then task.skip "is there" end
    local got = http.download(base .. "/" .. file.name, target, {
      sha256 = file.sha256,                          -- of the whole: another file is an error, and is not kept
      retries = { count = 5, delay = "50ms" },       -- each asks for the rest only
      progress = true,                               -- shown in the report
    })
    return got.size, got.resumed
  end,

  handler = function(meta, size, resumed)
    meta.files = meta.files + 1
    meta.bytes = meta.bytes + size
    if resumed then meta.resumed = meta.resumed + 1 end
  end,

  finish = function(meta)
    return ("%d files, %.1f MB, %d of them in several parts"):format(meta.files, meta.bytes / 1e6, meta.resumed)
  end,
}

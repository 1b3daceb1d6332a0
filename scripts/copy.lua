-- The script of jobs/copy.toml: files as tasks, and progress within a task.

local fs, path = require "mpms.fs", require "mpms.path"

local from = job.params.from ~= "" and job.params.from or "out/copy/from"

-- Twelve files of 1 to 12 MiB in three folders, made once.
local function demo_files()
  for no = 1, 12 do
    local file = ("%s/part%d/file%02d.bin"):format(from, no % 3 + 1, no)
    if not fs.exists(file) then
      local block = {}
      for i = 1, 256 do block[i] = string.char(math.random(0, 255)) end   -- seeded: the same in every run
      fs.write(file, table.concat(block):rep(4096 * no), { mkdir = true })
    end
  end
end

return {
  -- A task is the name of a file below the folder.
  tasks = function(put)
    if job.params.from == "" then demo_files() end
    for file in fs.walk(from, { type = "file", hidden = true, ignore = false }) do
      put(path.rel(file, from))
    end
  end,

  worker = function(name)
    local source, target = path.join(from, name), path.join(job.params.to, name)
    local old, new = fs.stat(target), fs.stat(source)
    if old and new and old.size == new.size and old.mtime == new.mtime then return "unchanged", 0 end
    fs.mkdir(path.dirname(target))
    local bytes = fs.copy(source, target, {
      overwrite = true,
      verify = job.params.verify,
      -- Called for each MiB; task.progress shows it, at most ten times a second.
      progress = function(done, total)
        task.progress(done, total)
        if job.params.pause > 0 then sleep(job.params.pause) end
      end,
    })
    return "copied", bytes
  end,

  handler = function(meta, what, bytes)
    if what == "copied" then meta.files = meta.files + 1 else meta.unchanged = meta.unchanged + 1 end
    meta.bytes = meta.bytes + bytes
  end,

  finish = function(meta, summary)
    local mib = meta.bytes / 2 ^ 20
    return ("%d copied (%.1f MiB, %.0f MiB/s), %d unchanged"):format(
      meta.files, mib, mib / summary.elapsed, meta.unchanged)
  end,
}

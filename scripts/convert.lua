-- The script of jobs/convert.toml: a command for each file, its result in one piece or not at all.

local fs, path, proc = mpms.fs, mpms.path, mpms.proc

-- Eight texts, made once.
local function demo_texts()
  for no = 1, 8 do
    local file = ("out/convert/from/part%d/text%d.txt"):format(no % 2 + 1, no)
    if not fs.exists(file) then
      fs.write(file, ("Line of text number %d.\n"):format(no):rep(1000 * no), { mkdir = true })
    end
  end
end

-- The command as a list, split as a shell would do it, with the names of the files in it.
local function command_for(source, target)
  local argv, tells_target = proc.split(job.params.command), false
  for i, word in ipairs(argv) do
    if word:find("{out}", 1, true) then tells_target = true end
    argv[i] = word:gsub("{(%w+)}", { ["in"] = source, out = target })
  end
  return argv, tells_target
end

return {
  -- A task is a file and the folder that its name is taken from.
  tasks = function(put)
    local files = job.params.files
    if files == "" then
      demo_texts()
      files = "out/convert/from/**/*.txt"
    end
    local from = files:match "^[^*?%[{]*/" or "."
    for _, file in ipairs(fs.glob(files)) do put(file, from) end
  end,

  worker = function(file, from)
    local target = path.with_ext(path.join(job.params.to, path.rel(file, from)), job.params.ext)
    local old, new = fs.stat(target), assert(fs.stat(file), "the file is gone")
    if old and old.mtime >= new.mtime then task.skip "up to date" end

    -- Beside its target, so that it can be moved there in one step; whatever happens, nothing half done stays.
    fs.mkdir(path.dirname(target))
    local part = path.join(path.dirname(target), "." .. path.basename(target) .. ".part")
    task.defer(function() if fs.exists(part) then fs.remove(part) end end)
    local argv, tells_target = command_for(file, part)
    proc.run(argv, { stdout = not tells_target and part or nil })
    fs.move(part, target, { overwrite = true })
    return new.size, assert(fs.stat(target)).size
  end,

  handler = function(meta, before, after)
    meta.converted = meta.converted + 1
    meta.before = meta.before + before
    meta.after = meta.after + after
  end,

  finish = function(meta, summary)
    return ("%d converted, %d up to date; %d bytes became %d"):format(
      meta.converted, summary.skipped, meta.before, meta.after)
  end,
}

-- `require "lfs"`: LuaFileSystem's names over `mpms.fs`. What fails gives nil, a message and the number of the error.
local fs, path = require "mpms.fs", require "mpms.path"

local lfs = { _VERSION = "LuaFileSystem 1.8.0 (mpms.fs)" }

local numbers = { not_found = 2, permission = 13, exists = 17, not_directory = 20, is_directory = 21, invalid = 22, no_space = 28, not_empty = 39 }

local function done(f, ...)
  local result, problem = try(f, ...)
  if problem == nil then return result == nil and true or result end
  return nil, tostring(problem), numbers[problem.code] or 5
end

local kinds = {
  dir = "directory", file = "file", link = "link", fifo = "named pipe", socket = "socket", char = "char device", block = "block device",
}
local bits = { "x", "w", "r" }

local function permissions(mode)
  local number, text = tonumber(mode, 8) or 0, { }
  for i = 8, 0, -1 do text[#text + 1] = (number >> i) & 1 == 1 and bits[i % 3 + 1] or "-" end
  return table.concat(text)
end

local function facts(file, request, follow)
  local found, problem = try(fs.stat, file, { follow = follow })
  if problem ~= nil then return nil, tostring(problem), numbers[problem.code] or 5 end
  if found == nil then
    return nil, ("cannot obtain information from file '%s': No such file or directory"):format(file), 2
  end
  local all = {
    mode = kinds[found.type] or "other",
    size = found.size,
    permissions = permissions(found.mode),
    modification = found.mtime // 1 | 0,
    access = found.atime // 1 | 0,
    change = found.ctime // 1 | 0,
    uid = found.uid,
    gid = found.gid,
    nlink = found.nlink,
    ino = found.ino,
    dev = found.dev,
    rdev = found.rdev,
    blocks = found.blocks,
    blksize = found.blksize,
    target = found.target,
  }
  if type(request) == "string" then
    if request == "target" and not follow and not found.target then
      return nil, "could not obtain link target: Invalid argument", 22
    end
    if all[request] == nil then error(("invalid attribute name '%s'"):format(request), 3) end
    return all[request]
  end
  if type(request) == "table" then
    for name, value in pairs(all) do request[name] = value end
    return request
  end
  return all
end

function lfs.attributes(file, request) return facts(file, request, true) end
function lfs.symlinkattributes(file, request) return facts(file, request, false) end

function lfs.dir(folder)
  local names = fs.list(folder)
  table.insert(names, 1, "..")
  table.insert(names, 1, ".")
  local at = 0
  local walk = { }
  function walk.next()
    at = at + 1
    return names[at]
  end
  function walk.close() at = #names end
  return walk.next, walk
end

-- only the last folder of the path
function lfs.mkdir(folder)
  if fs.exists(folder) then return nil, "File exists", 17 end
  local above = path.dirname(folder)
  if above ~= "" and not fs.is_dir(above) then return nil, "No such file or directory", 2 end
  return done(fs.mkdir, folder)
end

function lfs.rmdir(folder)
  if not fs.exists(folder) then return nil, "No such file or directory", 2 end
  if not fs.is_dir(folder) then return nil, "Not a directory", 20 end
  return done(fs.remove, folder)
end

function lfs.currentdir() return path.abs "." end

function lfs.chdir() return nil, "the folder of a job is the same for all of its threads, and stays", 1 end

function lfs.touch(file, access, modification)
  return done(fs.touch, file, { mtime = modification or access, atime = access })
end

function lfs.link(target, file, symbolic)
  return done(symbolic and fs.symlink or fs.link, target, file)
end

function lfs.setmode() return true, "binary" end

return lfs

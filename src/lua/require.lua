-- `require`: the search is Rust's; the chunk is called from here, so that its top level may yield.
local find, loads, package, setmetatable, type, sub = ...
local done, loading, keys = {}, {}, {}

-- Leaves the list of what is being loaded, however the chunk ends.
local leave = {
  __close = function()
    loading[#loading] = nil
    loads(false)
  end,
}

return function(name)
  local loaded = package.loaded
  local relative = type(name) == "string" and (sub(name, 1, 2) == "./" or sub(name, 1, 3) == "../")
  if not relative then
    local value = loaded[name]
    if value ~= nil then return value end
    -- who takes a name out of `package.loaded` wants its file to run again
    local key = keys[name]
    if key then keys[name], done[key] = nil, nil end
  end
  local chunk, path, key = find(name, relative, loading, done)
  if not key then return chunk, path end
  local value = done[key]
  if value == nil then
    loading[#loading + 1] = path
    loads(true)
    local guard <close> = setmetatable({}, leave)
    value = chunk(name, path)
    if value == nil and not relative then value = loaded[name] end
    if value == nil then value = true end
    done[key] = value
  end
  if not relative then loaded[name], keys[name] = value, key end
  return value, path
end

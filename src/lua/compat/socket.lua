-- `require "socket"`: the two functions of LuaSocket that have nothing to do with sockets.
local time = require "mpms.time"

return setmetatable({
  _VERSION = "LuaSocket 3.0.0 (mpms.time)",
  gettime = function() return time.now() end,
  sleep = function(seconds) time.sleep(seconds < 0 and 0 or seconds) end,
}, {
  __index = function(_, name)
    error(("socket.%s is not here: use mpms.net for connections, mpms.http for requests"):format(tostring(name)), 2)
  end,
})

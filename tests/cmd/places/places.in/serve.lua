local http = mpms.http
local server <close> = http.serve(function(request) return require "greeting" (request.path) end)
print(http.get(server.url .. "/ada").body)

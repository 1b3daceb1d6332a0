local http = require "mpms.htp"
return { worker = function(url) return http.get(url).status end }

local greeting = require "greeting"
return { worker = function(name) return greeting(name) end }

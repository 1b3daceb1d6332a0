return { tasks = function(put) put(1) end, worker = function(n) return n end }

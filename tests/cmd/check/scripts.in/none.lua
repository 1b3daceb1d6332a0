return { worker = function(n) return n end }

return { worker = function(n) return n * n end }

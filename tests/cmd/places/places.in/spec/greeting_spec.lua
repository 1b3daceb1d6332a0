local greeting = require "greeting"

it("greets", function() assert.equal("hello ada", greeting "ada") end)

it("plays a worker that greets", function() assert.equal("hello bob", test.worker("jobs/job.lua", { "bob" })) end)

---@meta mpms.random

---Random numbers that a task draws again the same when it is retried, on any machine.
---
---A task has a stream of its own, seeded by the `seed` of the run and the task: neither process, thread nor order change
---what it draws. `math.random` draws from the same stream (xoshiro256**), and each coroutine has a part of its own.
---`math.randomseed` gives a warning. What a seed gives stays the same in later versions. Nothing here is fit for
---passwords: `uuid` and `hash` take the system's random numbers.
---@class mpms.random
local random = {}

---A number from 0 up to, but without, 1.
---@nodiscard
---@return number
function random.float() end

---A whole number from `first` to `last`; of one argument, from 1 to it.
---@nodiscard
---@param first integer
---@param last? integer
---@return integer
function random.int(first, last) end

---Whether something happens that has this chance.
---@nodiscard
---@param chance? number   from 0 to 1; default 0.5
---@return boolean
function random.bool(chance) end

---An item of a list. With weights each is as likely as its own among their sum.
---
---```lua
---random.choice({ "red", "green" }, { 3, 1 })
---```
---@nodiscard
---@generic T
---@param list T[]
---@param weights? number[]   one for each item, 0 or more
---@return T
function random.choice(list, weights) end

---A list of so many items, each taken once at most, in the order in which they were drawn.
---@nodiscard
---@generic T
---@param list T[]
---@param count integer
---@return T[]
function random.sample(list, count) end

---A shuffled copy of a list.
---@nodiscard
---@generic T
---@param list T[]
---@return T[]
function random.shuffle(list) end

---A number of the normal distribution.
---@nodiscard
---@param mean? number   default 0
---@param deviation? number   the standard deviation; default 1
---@return number
function random.normal(mean, deviation) end

---A number of the exponential distribution, whose mean is `1 / rate`: the time until the next of events that come so often.
---@nodiscard
---@param rate? number   default 1
---@return number
function random.exp(rate) end

---A string of random bytes, 256 MiB at most.
---@nodiscard
---@param count integer
---@return string
function random.bytes(count) end

---A stream of its own (PCG64), which draws the same for the same seed, whatever else is drawn.
---@nodiscard
---@param seed integer|string
---@return random.Generator
function random.new(seed) end

---A stream with a seed. Its methods are the functions of the module.
---@class random.Generator
local Generator = {}

---A number from 0 up to, but without, 1.
---@nodiscard
---@return number
function Generator:float() end

---A whole number from `first` to `last`; of one argument, from 1 to it.
---@nodiscard
---@param first integer
---@param last? integer
---@return integer
function Generator:int(first, last) end

---Whether something happens that has this chance.
---@nodiscard
---@param chance? number   from 0 to 1; default 0.5
---@return boolean
function Generator:bool(chance) end

---An item of a list, by its weight if there are weights.
---@nodiscard
---@generic T
---@param list T[]
---@param weights? number[]
---@return T
function Generator:choice(list, weights) end

---A list of so many items, each taken once at most.
---@nodiscard
---@generic T
---@param list T[]
---@param count integer
---@return T[]
function Generator:sample(list, count) end

---A shuffled copy of a list.
---@nodiscard
---@generic T
---@param list T[]
---@return T[]
function Generator:shuffle(list) end

---A number of the normal distribution.
---@nodiscard
---@param mean? number
---@param deviation? number
---@return number
function Generator:normal(mean, deviation) end

---A number of the exponential distribution.
---@nodiscard
---@param rate? number
---@return number
function Generator:exp(rate) end

---A string of random bytes.
---@nodiscard
---@param count integer
---@return string
function Generator:bytes(count) end

return random

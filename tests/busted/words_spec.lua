-- What specs for busted say. `tests/it/specs.rs` runs this file with mpms and with busted itself.

local order = {}
local function note(word) order[#order + 1] = word end

describe("blocks", function()
  lazy_setup(function() note "setup" end)
  teardown(function() note "teardown" end)
  before_each(function() note "before" end)
  after_each(function() note "after" end)

  it("run the first", function() note "1" end)
  describe("inside of each other", function()
    setup(function() note "setup2" end)
    before_each(function() note "before2" end)
    after_each(function() note "after2" end)
    it("run the second", function() note "2" end)
  end)
  context("with another word", function()
    it("have run in order", function()
      assert.same({
        "setup", "before", "1", "after", "setup2", "before", "before2", "2", "after2", "after", "before",
      }, order)
    end)
  end)
end)

it("stands outside of any block", function() assert.is_true(true) end)

changed = "not yet"
insulate("an insulated block", function()
  it("may change globals", function() changed = "by it" assert.equal("by it", changed) end)
  it("may set globals", function() _G.leaks = 1 assert.equal(1, leaks) end)
end)
describe("after it", function()
  it("they are gone", function() assert.is_nil(_G.leaks) end)
  it("they are as before", function() assert.equal("not yet", changed) end)
end)

describe("assert", function()
  it("compares", function()
    assert.equal(1, 1)
    assert.equals("a", "a")
    assert.are.equal(1, 1.0)
    assert.are_equal(true, true)
    assert.not_equal(1, "1")
    assert.are_not.equal({}, {})
    assert.is_not.equal(1, 2)
    assert.same({ 1, { a = { "b" } } }, { 1, { a = { "b" } } })
    assert.are.same({}, {})
    assert.are_not.same({ 1 }, { 1, 2 })
    assert.is_not.same({ 1, 2 }, { 1 })
    assert.not_same({ a = 1 }, { b = 1 })
    assert.near(1, 1.05, 0.1)
    assert.is_not.near(1, 2, 0.1)
    assert.unique { 1, 2, 3 }
    assert.is_not.unique { 1, 2, 1 }
    assert.is_unique { { 1 }, { 1 } }
    assert.is_not.unique({ { 1 }, { 1 } }, true)
    assert.near(1, 0.5, 0.5)
    assert.near(1, 1.5, 0.5)
    assert.not_same({ [{ 1 }] = 1 }, { [{ 1 }] = 1, [{ 2 }] = 2 })
    local one, other = {}, {}
    one.self, other.self = one, other
    assert.same(one, other)
    other.more = 1
    assert.not_same(one, other)
  end)

  it("looks at one value", function()
    assert.is_true(true)
    assert.True(true)
    assert.is_false(false)
    assert.False(false)
    assert.is_nil(nil)
    assert.is_not_nil(1)
    assert.not_nil(false)
    assert.truthy(1)
    assert.is_truthy("x")
    assert.falsy(nil)
    assert.is_falsy(false)
    assert.is_not_true(1)
    assert.is_table {}
    assert.is_string "x"
    assert.is_number(1)
    assert.is_boolean(false)
    assert.is_function(print)
    assert.is_not_table "x"
    assert.is.string "x"
    assert.is_thread(coroutine.create(function() end))
  end)

  it("matches", function()
    assert.matches("b+", "abbc")
    assert.matches("^a%d$", "a1")
    assert.not_matches("z", "abc")
    assert.has_no.match("z", "abc")
    assert.matches("a.c", "a.c", nil, true)
    assert.not_matches("a.c", "abc", nil, true)
    assert.not_matches("a", "abc", 2)
  end)

  it("catches errors", function()
    assert.has_error(function() error("x") end)
    assert.has_error(function() error("x", 0) end, "x")
    assert.has_error(function() error("x") end, "x")
    assert.has.errors(function() error("x") end)
    assert.has_no.errors(function() end)
    assert.has_no_error(function() end)
    assert.has_error(function() error({ code = 1 }) end, { code = 1 })
    assert.error_matches(function() error("found at 12") end, "at %d+")
    assert.is_false((pcall(assert.has_error, function() end)))
    assert.is_false((pcall(assert.has_error, function() error("x", 0) end, "y")))
    assert.is_false((pcall(assert.has_error, function() error({ code = 1 }) end, { code = 2 })))
    assert.is_false((pcall(assert.error_matches, function() return "found" end, "found")))
    assert.is_false((pcall(assert.error_matches, function() error("found") end, "lost")))
    assert.is_false((pcall(assert.has_no.errors, function() error("x") end)))
  end)

  it("works as Lua's own", function()
    assert.equal(5, (assert(5, "x")))
    assert.is_false((pcall(assert, nil, "x")))
    assert.is_false((pcall(assert, false)))
    assert.has_error(function() assert.is_frobnicated(1) end)
  end)

  it("fails where it should", function()
    for _, wrong in ipairs {
      function() assert.equal(1, 2) end,
      function() assert.same({ 1 }, { 2 }) end,
      function() assert.is_true(1) end,
      function() assert.is_nil(false) end,
      function() assert.is_not_nil(nil) end,
      function() assert.are_not.equal(1, 1) end,
      function() assert.are_not.same({}, {}) end,
      function() assert.matches("z", "abc") end,
      function() assert.near(1, 2, 0.5) end,
      function() assert.is_table(1) end,
      function() assert.truthy(nil) end,
      function() assert.falsy(0) end,
    } do
      assert.has_error(wrong)
    end
  end)
end)

describe("spy", function()
  local object
  before_each(function() object = { add = function(a, b) return a + b end, name = "n" } end)

  it("counts calls and lets them through", function()
    local s = spy.on(object, "add")
    assert.equal(3, object.add(1, 2))
    assert.spy(s).was.called()
    assert.spy(s).was_called()
    assert.spy(s).was.called(1)
    assert.spy(object.add).was.called_with(1, 2)
    assert.spy(s).was_called_with(1, 2)
    assert.spy(s).was_not.called_with(2, 1)
    assert.spy(s).was_not_called_with(5)
    object.add(5, 6)
    assert.spy(s).was.called_at_least(2)
    assert.spy(s).was.called_at_most(2)
    assert.spy(s).was.called_more_than(1)
    assert.spy(s).was.called_less_than(3)
    assert.spy(s).returned_with(11)
    assert.spy(s).returned_with(3)
    assert.spy(s).was_not.returned_with(12)
    assert.spy(s).was_not.called_with(1)
    assert.spy(s).was_not.called_with(1, 2, 3)
    assert.is_false((pcall(function() assert.spy(s).was.called(7) end)))
    object.add:revert()
    assert.is_function(object.add)
  end)

  it("stands alone", function()
    local s = spy.new(function() return "r" end)
    assert.equal("r", s("x", { deep = { 1 } }))
    assert.spy(s).was.called_with("x", { deep = { 1 } })
    local list = { 1 }
    s(list)
    list[1] = 2
    assert.spy(s).was.called_with({ 1 })
    assert.spy(s).was.called(2)
    local fails = spy.new(function() error("x") end)
    pcall(fails, 5)
    assert.spy(fails).was.called_with(5)
    s:clear()
    assert.spy(s).was_not.called()
    assert.spy(s).was_not.returned_with("r")
    assert.spy(s).was_not_called()
  end)

  it("has matchers", function()
    local s = spy.new(function() end)
    s("x", 5, {})
    assert.spy(s).was.called_with(match._, match.is_number(), match.is_table())
    assert.spy(s).was_not.called_with(match.is_number(), match._, match._)
    assert.spy(s).was.called_with(match.is_not_number(), match._, match._)
    assert.spy(s).was_not.called_with(match._, match.is_not_number(), match._)
  end)
end)

describe("stub", function()
  local object
  before_each(function() object = { get = function() return "real" end } end)

  it("stands in", function()
    stub(object, "get")
    assert.is_nil(object.get())
    assert.stub(object.get).was.called(1)
    object.get:revert()
    assert.equal("real", object.get())
  end)

  it("returns and invokes", function()
    stub(object, "get").returns("a", "b")
    assert.same({ "a", "b" }, { object.get() })
    object.get:revert()
    stub(object, "get").invokes(function(x) return x * 2 end)
    assert.equal(8, object.get(4))
    object.get:revert()
    stub(object, "get", "third")
    assert.equal("third", object.get())
    object.get.on_call_with("special").returns("other")
    assert.equal("other", object.get("special"))
    object.get.on_call_with("special").returns("too late")
    assert.equal("other", object.get("special"))
    assert.equal("third", object.get("x"))
    object.get:revert()
    stub(object, "get").returns(nil, 2, nil)
    assert.equal(3, select("#", object.get()))
  end)
end)

describe("mock", function()
  it("spies on all functions of a table, or stubs them", function()
    local object = { a = function() return 1 end, b = { c = function() return 2 end } }
    mock(object)
    assert.equal(1, object.a())
    assert.equal(2, object.b.c())
    assert.spy(object.a).was.called(1)
    assert.spy(object.b.c).was.called(1)
    local other = mock({ a = function() return 1 end }, true)
    assert.is_nil(other.a())
    assert.stub(other.a).was.called(1)
  end)
end)

describe("finally", function()
  local closed = false
  it("runs at the end of its test", function()
    finally(function() closed = true end)
    assert.is_false(closed)
  end)
  it("and has run", function() assert.is_true(closed) end)
end)

pending("is still to be written")
it("can say so by itself", function() pending("not today") error("never reached") end)

--- The assertions of `nexusd test` say yes and no where those of busted do.
-- SPDX-License-Identifier: MIT
local luassert = require "luassert"
local ours = require "nexus.testing.assertions".new()

local function raises(value)
  return function() error(value, 0) end
end

local equal_tables <const> = setmetatable({}, { __eq = function() return true end })

--- A name, with dots, and arguments; both kinds are asked with and without "not".
local cases <const> = {
  { "equal", 1, 1 }, { "equal", 1, 2 }, { "equals", "a", "a" }, { "equal", 1, "1" },
  { "equal", 1, 1.0 }, { "equal", nil, false }, { "equal", {}, {} },
  { "are.equal", 1, 1 }, { "is.equal", 1, 2 }, { "are_equal", 1, 1 },
  { "same", { 1, { a = "x" } }, { 1, { a = "x" } } }, { "same", { 1, { a = "x" } }, { 1, {} } },
  { "same", {}, { a = 1 } }, { "same", { a = 1 }, {} }, { "same", 1, 1.0 }, { "same", 1, 2 },
  { "are.same", { [1] = 1, x = { y = { 2 } } }, { 1, x = { y = { 2 } } } },
  { "same", equal_tables, setmetatable({ 1 }, getmetatable(equal_tables)) },
  { "is_true", true }, { "is_true", 1 }, { "is_true", nil }, { "is_false", false },
  { "is_false", nil }, { "is_nil", nil }, { "is_nil", false }, { "is.truthy", 0 },
  { "is_truthy", false }, { "is_falsy", nil }, { "is_falsy", 1 }, { "truthy", "x" },
  { "is_table", {} }, { "is_string", {} }, { "is_number", 1 }, { "is_boolean", 1 },
  { "is_function", print }, { "is_function", nil }, { "is_userdata", io.stdout },
  { "near", 1, 1.05, 0.1 }, { "near", 1, 1.2, 0.1 }, { "is.near", -1, -1, 0 },
  { "matches", "b+", "abbc" }, { "matches", "^b", "abc" }, { "match", ".", "x", 1, true },
  { "unique", { 1, 2, 3 } }, { "unique", { 1, 2, 1 } },
  { "has_error", raises("x") }, { "has_error", print }, { "has.error", raises("x"), "x" },
  { "has_error", raises("x"), "y" }, { "errors", raises({ 1 }), { 1 } },
  { "has_error", raises({ 1 }), { 2 } }, { "error_matches", raises("some words"), "wor" },
  { "error_matches", raises("some words"), "none" },
}

local function step(root, name)
  for word in name:gmatch "[^.]+" do
    root = root[word]
  end
  return root
end

local function outcome(root, name, case)
  local check <const> = step(root, name)
  return (pcall(check, table.unpack(case, 2, math.max(#case, 2))))
end

describe("an assertion of nexusd test", function()
  for i, case in ipairs(cases) do
    it(("is as strict as busted's: %d, %s"):format(i, case[1]), function()
      local negative <const> = "is_not." .. case[1]:gsub("^%w+[._]", "")
      local is_so = outcome(luassert, case[1], case)
      luassert.equal(is_so, outcome(ours, case[1], case))
      if not case[1]:find "error" then
        luassert.equal(not is_so, outcome(ours, negative, case), negative)
      end
    end)
  end

  it("may be called itself", function()
    luassert.same({ 1, 2, n = 2 }, table.pack(ours(1, 2)))
    luassert.has_error(function() ours(false, "words") end)
    luassert.equal("words", tostring(select(2, pcall(ours, nil, "words"))))
    luassert.equal("assertion failed!", tostring(select(2, pcall(ours, false))))
    local object <const> = {}
    luassert.equal(object, select(2, pcall(ours, false, object)))
  end)

  it("says when there is none of that name", function()
    local ok, words = pcall(function() ours.are.equall(1, 1) end)
    luassert.is_false(ok)
    luassert.is_truthy(words:find('there is no assertion "equall"', 1, true))
  end)

  it("returns what it was given", function()
    luassert.equal("x", (ours.is_truthy("x")))
  end)
end)

--- `assert` for specs under `nexusd test`: the assertions of busted that specs of policies use.
--
--   assert(condition, message)
--   assert.are.equal(expected, passed)   assert.is_true(x)   assert.has_error(fn, message)
--
-- Between the parts of a name stand dots or underscores; `not` and `no` turn the meaning around.
-- SPDX-License-Identifier: MIT

local assertions <const> = {}

---- how values are shown ----

local MAX_DEPTH <const> = 8

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then
    return key
  end
  return "[" .. (type(key) == "string" and ("%q"):format(key) or tostring(key)) .. "]"
end

local function sorted_keys(of)
  local keys = {}
  for key in pairs(of) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
      return a < b
    end
    return type(a) == "number" and type(b) ~= "number" or type(a) ~= type(b)
      and type(b) ~= "number" and type(a) < type(b)
  end)
  return keys
end

local function write(out, value, indent, depth, seen)
  if type(value) == "string" then
    out[#out + 1] = ("%q"):format(value):gsub("\\\n", "\\n")
  elseif type(value) ~= "table" then
    out[#out + 1] = tostring(value)
  elseif getmetatable(value) and getmetatable(value).__tostring then
    out[#out + 1] = tostring(value)
  elseif seen[value] or depth > MAX_DEPTH then
    out[#out + 1] = "{ ... }"
  elseif next(value) == nil then
    out[#out + 1] = "{}"
  else
    seen[value] = true
    out[#out + 1] = "{\n"
    for _, key in ipairs(sorted_keys(value)) do
      out[#out + 1] = indent .. "  " .. key_text(key) .. " = "
      write(out, value[key], indent .. "  ", depth + 1, seen)
      out[#out + 1] = ",\n"
    end
    out[#out + 1] = indent .. "}"
    seen[value] = nil
  end
end

--- A value as text, tables with all that is in them.
function assertions.show(value)
  local out = {}
  write(out, value, "", 0, {})
  return table.concat(out)
end

local show <const> = assertions.show

---- deep comparison ----

--- nil when both are the same, else the path of the first difference.
local function difference(a, b, path, seen)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a ~= b and path or nil
  end
  if rawequal(a, b) or seen[a] == b then
    return nil
  end
  seen[a] = b
  for _, key in ipairs(sorted_keys(a)) do
    local place = difference(a[key], b[key], path .. "." .. key_text(key), seen)
    if place then
      return place
    end
  end
  for _, key in ipairs(sorted_keys(b)) do
    if a[key] == nil then
      return path .. "." .. key_text(key)
    end
  end
  seen[a] = nil
  return nil
end

---- what can be asserted: is it so, and the words when it is not ----

local function versus(expected, passed, more)
  return ("Expected objects to be %s.\nPassed in:\n(%s) %s\nExpected:\n(%s) %s"):format(more,
    type(passed), show(passed), type(expected), show(expected))
end

local checks <const> = {}

function checks.equal(expected, ...)
  for i = 1, select("#", ...) do
    local passed = (select(i, ...))
    if expected ~= passed then
      return false, versus(expected, passed, "equal")
    end
  end
  return true, ("Expected objects to not be equal, but both are\n%s"):format(show(expected))
end

function checks.same(expected, passed)
  local place = difference(expected, passed, "", {})
  if place then
    local where = place ~= "" and ("\nThe first difference is at %s"):format(place) or ""
    return false, versus(expected, passed, "the same") .. where
  end
  return true, ("Expected objects to not be the same, but both are\n%s"):format(show(expected))
end

local function is_value(what, test)
  return function(value)
    return test(value), ("Expected to be %s, but value was:\n(%s) %s"):format(what, type(value),
      show(value)), ("Expected not to be %s, but it is:\n%s"):format(what, show(value))
  end
end

checks["true"] = is_value("true", function(x) return x == true end)
checks["false"] = is_value("false", function(x) return x == false end)
checks["nil"] = is_value("nil", function(x) return x == nil end)
checks.truthy = is_value("truthy", function(x) return not not x end)
checks.falsy = is_value("falsy", function(x) return not x end)
for name in ("table string number boolean function userdata thread"):gmatch "%a+" do
  checks[name] = is_value("a " .. name, function(x) return type(x) == name end)
end

function checks.near(expected, passed, tolerance)
  return math.abs(expected - passed) <= tolerance,
    ("Expected %s to be within %s of %s."):format(passed, tolerance, expected),
    ("Expected %s not to be within %s of %s."):format(passed, tolerance, expected)
end

function checks.match(pattern, text, init, is_plain)
  return type(text) == "string" and text:find(pattern, init or 1, is_plain) ~= nil,
    ("Expected a match of %s, but the text is:\n%s"):format(show(pattern), show(text)),
    ("Expected no match of %s, but the text is:\n%s"):format(show(pattern), show(text))
end

function checks.unique(items)
  local seen = {}
  for _, item in ipairs(items) do
    if seen[item] then
      return false, ("Expected all to be different, but there is twice:\n%s"):format(show(item))
    end
    seen[item] = true
  end
  return true, nil, "Expected something to be there twice, but all are different."
end

--- Errors of Lua have a place in front, which nobody expects.
local function without_place(err)
  return type(err) == "string" and err:gsub("^[^\n]-:%d+: ", "", 1) or err
end

function checks.error(fn, ...)
  local ok, err = pcall(fn)
  local expected = (...)
  if ok then
    return false, "Expected an error, but there was none."
  elseif select("#", ...) == 0 or expected == nil then
    return true, nil, ("Expected no error, but there was:\n%s"):format(show(err))
  end
  local is_same = not difference(expected, err, "", {})
    or expected == without_place(err)
  return is_same, ("Expected another error.\nCaught:\n%s\nExpected:\n%s"):format(show(err),
    show(expected)), ("Expected another error than\n%s"):format(show(err))
end

function checks.error_matches(fn, pattern, init, is_plain)
  local ok, err = pcall(fn)
  if ok then
    return false, "Expected an error, but there was none."
  end
  err = tostring(err)
  return err:find(pattern, init or 1, is_plain) ~= nil,
    ("Expected an error like %s, but it is:\n%s"):format(show(pattern), err),
    ("Expected no error like %s, but it is:\n%s"):format(show(pattern), err)
end

for other, name in pairs { equals = "equal", eq = "equal", matches = "match", errors = "error",
  Nil = "nil", True = "true", False = "false", error_match = "error_matches" } do
  checks[other] = checks[name]
end

---- the words between ----

local neutral <const> = { is = true, are = true, was = true, has = true, have = true, does = true,
  be = true, to = true, a = true, an = true }
local negative <const> = { ["not"] = true, no = true }

--- What a failed assertion raises.
local Failure <const> = { __name = "nexus.testing.Failure" }

function Failure:__tostring()
  return self.message
end

function assertions.is_failure(err)
  return getmetatable(err) == Failure
end

local function place_of(level)
  local info = debug.getinfo(level + 1, "Sl")
  return info and ("%s:%d"):format(info.short_src, info.currentline) or "?"
end

local function run(chain, level, ...)
  local name, is_negative = rawget(chain, "name"), rawget(chain, "is_negative") or false
  local check = checks[name]
  if not check then
    error(("there is no assertion \"%s\""):format(name or "?"), level + 1)
  end
  local is_so, words, negative_words = check(...)
  if is_so ~= is_negative then
    return ...
  end
  local message = not is_negative and words or negative_words or words
  error(setmetatable({ message = message or "an assertion failed", place = place_of(level + 1) },
    Failure), 0)
end

local Chain <const> = {}

--- "is_not_nil" and .is["not"]["nil"] are one.
function Chain:__index(name)
  local next_one = { is_negative = rawget(self, "is_negative"), name = rawget(self, "name") }
  for word in name:gmatch "[^_]+" do
    if not next_one.name and negative[word] then
      next_one.is_negative = not next_one.is_negative
    elseif next_one.name or not neutral[word] then
      next_one.name = next_one.name and next_one.name .. "_" .. word or word
    end
  end
  return setmetatable(next_one, Chain)
end

function Chain:__call(...)
  return run(self, 1, ...) -- a tail call: the next frame is the caller's
end

--- assert(condition, message), and the root of all names.
function assertions.new()
  return setmetatable({}, {
    __index = function(_, name)
      return Chain.__index({}, name)
    end,
    __call = function(_, ...)
      local condition, message = ...
      if condition then
        return ...
      end
      if type(message) ~= "string" and message ~= nil then
        error(message, 0)
      end
      error(setmetatable({ message = message or "assertion failed!", place = place_of(2) },
        Failure), 0)
    end,
  })
end

return assertions

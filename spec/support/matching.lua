--- Patterns for messages: values, and matchers in the place of values.
--
--   matching.match({ 33, 1, matching.id }, message)  -->  true, { <the id> }
--
-- SPDX-License-Identifier: MIT
local value = require "value"

local matching = {}

local Matcher = { __name = "matcher" }

local function matcher(words, fn)
  return setmetatable({ words = words, fn = fn }, Matcher)
end

local compare

--- Anything.
matching.any = matcher("any", function() return true end)

--- The rest of a message, whatever it is; only as the last element.
matching.rest = matcher("rest", function() return true end)

--- A WAMP id; captured.
matching.id = matcher("id", function(v, captures)
  if math.type(v) ~= "integer" or v < 1 or v > 1 << 53 then
    return false
  end
  captures[#captures + 1] = v
  return true
end)

--- What matches `pattern` (default: anything); captured.
function matching.capture(pattern)
  return matcher("capture", function(v, captures)
    if pattern ~= nil and not compare(pattern, v, captures) then
      return false
    end
    captures[#captures + 1] = v
    return true
  end)
end

--- A text in which the Lua pattern is found.
function matching.text(pattern)
  return matcher("text " .. pattern, function(v)
    return type(v) == "string" and v:find(pattern) ~= nil
  end)
end

--- A dict that has at least these members.
function matching.including(members)
  return matcher("including " .. value.show(value.dict(members)), function(v, captures)
    if value.kind(v) ~= "dict" then
      return false
    end
    for k, pattern in pairs(members) do
      if v[k] == nil or not compare(pattern, v[k], captures) then
        return false
      end
    end
    return true
  end)
end

--- A dict without these keys.
function matching.without(...)
  local keys = { ... }
  return matcher("without " .. table.concat(keys, ", "), function(v)
    if value.kind(v) ~= "dict" then
      return false
    end
    for _, key in ipairs(keys) do
      if v[key] ~= nil then
        return false
      end
    end
    return true
  end)
end

local function compare_list(pattern, v, captures)
  local open = pattern[#pattern] == matching.rest
  local count = open and #pattern - 1 or #pattern
  if #v < count or not open and #v > count then
    return false
  end
  for i = 1, count do
    if not compare(pattern[i], v[i], captures) then
      return false
    end
  end
  return true
end

local function compare_dict(pattern, v, captures)
  for k in pairs(v) do
    if pattern[k] == nil then
      return false
    end
  end
  for k, member in pairs(pattern) do
    if v[k] == nil or not compare(member, v[k], captures) then
      return false
    end
  end
  return true
end

function compare(pattern, v, captures)
  if getmetatable(pattern) == Matcher then
    return pattern.fn(v, captures)
  end
  local kind = value.kind(pattern)
  if kind ~= value.kind(v) then
    return false
  elseif kind == "list" then
    return compare_list(pattern, v, captures)
  elseif kind == "dict" then
    return compare_dict(pattern, v, captures)
  end
  return value.same(pattern, v)
end

--- Compares; returns whether it matches, and the list of captured values.
function matching.match(pattern, v)
  local captures = {}
  return compare(pattern, v, captures), captures
end

local function show_table(pattern)
  local parts = {}
  if value.kind(pattern) == "list" then
    for i = 1, #pattern do
      parts[i] = matching.show(pattern[i])
    end
    return "[" .. table.concat(parts, ", ") .. "]"
  end
  for k, v in pairs(pattern) do
    parts[#parts + 1] = ("%s: %s"):format(value.show(k), matching.show(v))
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

function matching.show(pattern)
  if getmetatable(pattern) == Matcher then
    return "<" .. pattern.words .. ">"
  end
  local kind = value.kind(pattern)
  if kind == "list" or kind == "dict" then
    return show_table(pattern)
  end
  return value.show(pattern)
end

return matching

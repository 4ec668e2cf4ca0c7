--- Values as they travel in WAMP messages: what Lua's own types cannot tell apart.
--
-- Decoders mark every table as a list or a dict, so an empty one keeps its kind. In what a spec
-- writes by hand, a plain table is a list when it has elements at 1, 2, ..., otherwise a dict:
-- `{}` is an empty dict, `value.list {}` an empty list. Integers and floats are Lua's subtypes.
-- SPDX-License-Identifier: MIT
local value = {}

local List = { __name = "list" }
local Dict = { __name = "dict" }
local Binary = { __name = "binary" }
local Unsigned = { __name = "unsigned" }
local Tagged = { __name = "tagged" }

value.null = setmetatable({}, { __name = "null", __tostring = function() return "null" end })

function value.list(elements)
  return setmetatable(elements or {}, List)
end

function value.dict(members)
  return setmetatable(members or {}, Dict)
end

--- Octets, as opposed to text.
function value.binary(octets)
  return setmetatable({ octets = octets }, Binary)
end

--- An integer from 2^63 to 2^64 - 1, given by its bits.
function value.unsigned(bits)
  if bits >= 0 then
    return bits
  end
  return setmetatable({ bits = bits }, Unsigned)
end

--- A value that only one serializer knows: a CBOR tag or a MessagePack extension.
function value.tagged(tag, content)
  return setmetatable({ tag = tag, content = content }, Tagged)
end

--- "null", "boolean", "integer", "float", "string", "binary", "unsigned", "tagged", "list", "dict".
function value.kind(v)
  local t = type(v)
  if t == "number" then
    return math.type(v)
  elseif t ~= "table" then
    return t
  elseif v == value.null then
    return "null"
  end
  local meta = getmetatable(v)
  if meta == nil then
    return #v > 0 and "list" or "dict"
  end
  return meta.__name
end

local function same_dict(a, b)
  for k, v in pairs(a) do
    if b[k] == nil or not value.same(v, b[k]) then
      return false
    end
  end
  for k in pairs(b) do
    if a[k] == nil then
      return false
    end
  end
  return true
end

local function same_list(a, b)
  if #a ~= #b then
    return false
  end
  for i = 1, #a do
    if not value.same(a[i], b[i]) then
      return false
    end
  end
  return true
end

--- Equal in value and in kind: 1 is not 1.0, an empty list is no empty dict.
function value.same(a, b)
  local kind = value.kind(a)
  if kind ~= value.kind(b) then
    return false
  elseif kind == "list" then
    return same_list(a, b)
  elseif kind == "dict" then
    return same_dict(a, b)
  elseif kind == "binary" then
    return a.octets == b.octets
  elseif kind == "unsigned" then
    return a.bits == b.bits
  elseif kind == "tagged" then
    return a.tag == b.tag and value.same(a.content, b.content)
  elseif kind == "float" then
    return string.pack(">d", a) == string.pack(">d", b)
  end
  return a == b
end

local function show_members(v, parts)
  local keys = {}
  for k in pairs(v) do
    keys[#keys + 1] = k
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do
    parts[#parts + 1] = ("%s: %s"):format(value.show(k), value.show(v[k]))
  end
  return parts
end

--- Text for people, with kinds visible.
function value.show(v)
  local kind = value.kind(v)
  if kind == "string" then
    local text = #v > 200 and (v:sub(1, 200) .. "...(" .. #v .. ")") or v
    return ("%q"):format(text)
  elseif kind == "list" then
    local parts = {}
    for i = 1, #v do
      parts[i] = value.show(v[i])
    end
    return "[" .. table.concat(parts, ", ") .. "]"
  elseif kind == "dict" then
    return "{" .. table.concat(show_members(v, {}), ", ") .. "}"
  elseif kind == "binary" then
    return ("binary(%d)%q"):format(#v.octets, v.octets:sub(1, 40))
  elseif kind == "unsigned" then
    return ("0x%x"):format(v.bits)
  elseif kind == "tagged" then
    return ("tag %s(%s)"):format(v.tag, value.show(v.content))
  end
  return tostring(v)
end

return value

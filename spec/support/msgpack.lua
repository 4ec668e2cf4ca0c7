--- MessagePack for the test client, written from its specification.
-- SPDX-License-Identifier: MIT
local value = require "value"

local msgpack = { name = "msgpack", is_text = false }

local pack = string.pack

local function integer(n)
  if n >= 0 then
    if n < 0x80 then return pack("B", n) end
    if n < 0x100 then return pack("BB", 0xcc, n) end
    if n < 0x10000 then return pack(">BI2", 0xcd, n) end
    if n < 0x100000000 then return pack(">BI4", 0xce, n) end
    return pack(">Bi8", 0xcf, n)
  end
  if n >= -32 then return pack("b", n) end
  if n >= -0x80 then return pack("Bb", 0xd0, n) end
  if n >= -0x8000 then return pack(">Bi2", 0xd1, n) end
  if n >= -0x80000000 then return pack(">Bi4", 0xd2, n) end
  return pack(">Bi8", 0xd3, n)
end

--- Chooses the head for a length: `small` is {first octet, bound} or nil, the rest octets for
-- lengths of 8 (or nil), 16 and 32 bits.
local function head(n, small, one, two, four)
  if small and n < small[2] then return pack("B", small[1] | n) end
  if one and n < 0x100 then return pack("BB", one, n) end
  if n < 0x10000 then return pack(">BI2", two, n) end
  return pack(">BI4", four, n)
end

local encode

local function extension(v)
  return head(#v.content, nil, 0xc7, 0xc8, 0xc9) .. pack("b", v.tag) .. v.content
end

local function encode_list(list, out)
  out[#out + 1] = head(#list, { 0x90, 16 }, nil, 0xdc, 0xdd)
  for i = 1, #list do
    encode(list[i], out)
  end
end

local function encode_dict(dict, out)
  local count = 0
  for _ in pairs(dict) do
    count = count + 1
  end
  out[#out + 1] = head(count, { 0x80, 16 }, nil, 0xde, 0xdf)
  for k, v in pairs(dict) do
    encode(k, out)
    encode(v, out)
  end
end

local encoders = {
  null = function(_, out) out[#out + 1] = "\xc0" end,
  boolean = function(v, out) out[#out + 1] = v and "\xc3" or "\xc2" end,
  integer = function(v, out) out[#out + 1] = integer(v) end,
  unsigned = function(v, out) out[#out + 1] = pack(">Bi8", 0xcf, v.bits) end,
  float = function(v, out) out[#out + 1] = pack(">Bd", 0xcb, v) end,
  string = function(v, out) out[#out + 1] = head(#v, { 0xa0, 32 }, 0xd9, 0xda, 0xdb) .. v end,
  binary = function(v, out)
    out[#out + 1] = head(#v.octets, nil, 0xc4, 0xc5, 0xc6) .. v.octets
  end,
  tagged = function(v, out) out[#out + 1] = extension(v) end,
  list = encode_list,
  dict = encode_dict,
}

function encode(v, out)
  encoders[value.kind(v)](v, out)
end

function msgpack.encode(v)
  local out = {}
  encode(v, out)
  return table.concat(out)
end

local decode

local function decode_list(bytes, at, count)
  local list = value.list {}
  for i = 1, count do
    list[i], at = decode(bytes, at)
  end
  return list, at
end

local function decode_dict(bytes, at, count)
  local dict = value.dict {}
  for _ = 1, count do
    local k, v
    k, at = decode(bytes, at)
    v, at = decode(bytes, at)
    dict[k] = v
  end
  return dict, at
end

local function decode_ext(bytes, at, count)
  local tag
  tag, at = string.unpack("b", bytes, at)
  return value.tagged(tag, bytes:sub(at, at + count - 1)), at + count
end

local numbers = {
  [0xca] = ">f", [0xcb] = ">d",
  [0xcc] = ">I1", [0xcd] = ">I2", [0xce] = ">I4",
  [0xd0] = ">i1", [0xd1] = ">i2", [0xd2] = ">i4", [0xd3] = ">i8",
}
local counted = {
  [0xc4] = { ">s1", "binary" }, [0xc5] = { ">s2", "binary" }, [0xc6] = { ">s4", "binary" },
  [0xd9] = { ">s1" }, [0xda] = { ">s2" }, [0xdb] = { ">s4" },
}
local groups = {
  [0xdc] = { ">I2", decode_list }, [0xdd] = { ">I4", decode_list },
  [0xde] = { ">I2", decode_dict }, [0xdf] = { ">I4", decode_dict },
  [0xc7] = { ">I1", decode_ext }, [0xc8] = { ">I2", decode_ext }, [0xc9] = { ">I4", decode_ext },
}
local fixed_ext = { [0xd4] = 1, [0xd5] = 2, [0xd6] = 4, [0xd7] = 8, [0xd8] = 16 }
local words = { [0xc0] = value.null, [0xc2] = false, [0xc3] = true }

local function decode_small(bytes, at, octet)
  if octet < 0x80 then
    return octet, at
  elseif octet < 0x90 then
    return decode_dict(bytes, at, octet & 15)
  elseif octet < 0xa0 then
    return decode_list(bytes, at, octet & 15)
  elseif octet < 0xc0 then
    local len = octet & 31
    assert(at + len - 1 <= #bytes, "MessagePack: text cut short")
    return bytes:sub(at, at + len - 1), at + len
  end
  return octet - 256, at
end

function decode(bytes, at)
  local octet
  octet, at = string.unpack("B", bytes, at)
  if octet < 0xc0 or octet >= 0xe0 then
    return decode_small(bytes, at, octet)
  elseif words[octet] ~= nil then
    return words[octet], at
  elseif octet == 0xcf then
    local bits
    bits, at = string.unpack(">i8", bytes, at)
    return value.unsigned(bits), at
  elseif numbers[octet] then
    return string.unpack(numbers[octet], bytes, at)
  elseif counted[octet] then
    local text
    text, at = string.unpack(counted[octet][1], bytes, at)
    return counted[octet][2] and value.binary(text) or text, at
  elseif groups[octet] then
    local count
    count, at = string.unpack(groups[octet][1], bytes, at)
    return groups[octet][2](bytes, at, count)
  elseif fixed_ext[octet] then
    return decode_ext(bytes, at, fixed_ext[octet])
  end
  error(("MessagePack: octet 0x%02x means nothing"):format(octet), 0)
end

function msgpack.decode(bytes)
  local v, at = decode(bytes, 1)
  assert(at == #bytes + 1, "MessagePack: bytes after the value")
  return v
end

return msgpack

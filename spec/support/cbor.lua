--- CBOR for the test client, written from RFC 8949.
-- SPDX-License-Identifier: MIT
local value = require "value"

local cbor = { name = "cbor", is_text = false }

local pack = string.pack

--- The head of an item: major type 0 to 7 and an argument (its bits taken as unsigned).
local function head(major, n)
  local octet = major << 5
  if n < 0 then return pack(">Bi8", octet | 27, n) end
  if n < 24 then return pack("B", octet | n) end
  if n < 0x100 then return pack("BB", octet | 24, n) end
  if n < 0x10000 then return pack(">BI2", octet | 25, n) end
  if n < 0x100000000 then return pack(">BI4", octet | 26, n) end
  return pack(">Bi8", octet | 27, n)
end

local encode

local function encode_list(list, out)
  out[#out + 1] = head(4, #list)
  for i = 1, #list do
    encode(list[i], out)
  end
end

local function encode_dict(dict, out)
  local count = 0
  for _ in pairs(dict) do
    count = count + 1
  end
  out[#out + 1] = head(5, count)
  for k, v in pairs(dict) do
    encode(k, out)
    encode(v, out)
  end
end

local encoders = {
  null = function(_, out) out[#out + 1] = "\xf6" end,
  boolean = function(v, out) out[#out + 1] = v and "\xf5" or "\xf4" end,
  integer = function(v, out) out[#out + 1] = v < 0 and head(1, ~v) or head(0, v) end,
  unsigned = function(v, out) out[#out + 1] = head(0, v.bits) end,
  float = function(v, out) out[#out + 1] = pack(">Bd", 0xfb, v) end,
  string = function(v, out) out[#out + 1] = head(3, #v) .. v end,
  binary = function(v, out) out[#out + 1] = head(2, #v.octets) .. v.octets end,
  tagged = function(v, out)
    out[#out + 1] = head(6, v.tag)
    encode(v.content, out)
  end,
  list = encode_list,
  dict = encode_dict,
}

function encode(v, out)
  encoders[value.kind(v)](v, out)
end

function cbor.encode(v)
  local out = {}
  encode(v, out)
  return table.concat(out)
end

local decode

local function half(bits)
  local sign = bits >> 15 == 1 and -1.0 or 1.0
  local exponent, fraction = bits >> 10 & 31, bits & 1023
  if exponent == 0 then
    return sign * fraction * 2.0 ^ -24
  elseif exponent == 31 then
    return fraction == 0 and sign * math.huge or 0.0 / 0.0
  end
  return sign * (1 + fraction / 1024) * 2.0 ^ (exponent - 15)
end

local widths = { [24] = ">I1", [25] = ">I2", [26] = ">I4", [27] = ">i8" }

local function argument(bytes, at, low)
  if low < 24 then
    return low, at
  end
  return string.unpack(widths[low] or error("CBOR: bad additional information", 0), bytes, at)
end

local function simple(bytes, at, low)
  if low == 25 then
    local bits
    bits, at = string.unpack(">I2", bytes, at)
    return half(bits), at
  elseif low == 26 then
    return string.unpack(">f", bytes, at)
  elseif low == 27 then
    return string.unpack(">d", bytes, at)
  elseif low == 20 or low == 21 then
    return low == 21, at
  elseif low == 22 or low == 23 then
    return value.null, at
  end
  error("CBOR: simple value " .. low, 0)
end

local function text_of(bytes, at, count)
  assert(count >= 0 and at + count - 1 <= #bytes, "CBOR: string cut short")
  return bytes:sub(at, at + count - 1), at + count
end

local majors = {
  [0] = function(_, at, n) return value.unsigned(n), at end,
  [1] = function(_, at, n)
    assert(n >= 0, "CBOR: integer below -2^63")
    return ~n, at
  end,
  [2] = function(bytes, at, n)
    local octets
    octets, at = text_of(bytes, at, n)
    return value.binary(octets), at
  end,
  [3] = text_of,
  [4] = function(bytes, at, n)
    local list = value.list {}
    for i = 1, n do
      list[i], at = decode(bytes, at)
    end
    return list, at
  end,
  [5] = function(bytes, at, n)
    local dict = value.dict {}
    for _ = 1, n do
      local k, v
      k, at = decode(bytes, at)
      v, at = decode(bytes, at)
      dict[k] = v
    end
    return dict, at
  end,
  [6] = function(bytes, at, n)
    local content
    content, at = decode(bytes, at)
    return value.tagged(n, content), at
  end,
}

--- The router emits definite lengths only, so an indefinite one is an error here.
function decode(bytes, at)
  local octet
  octet, at = string.unpack("B", bytes, at)
  local major, low = octet >> 5, octet & 31
  if major == 7 then
    return simple(bytes, at, low)
  end
  local n
  n, at = argument(bytes, at, low)
  return majors[major](bytes, at, n)
end

function cbor.decode(bytes)
  local v, at = decode(bytes, 1)
  assert(at == #bytes + 1, "CBOR: bytes after the value")
  return v
end

return cbor

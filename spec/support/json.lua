--- JSON for the test client: written from RFC 8259 and the WAMP rule for binary data.
-- SPDX-License-Identifier: MIT
local value = require "value"

local json = { name = "json", is_text = true }

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local digit_of = {}
for i = 1, #alphabet do
  digit_of[alphabet:byte(i)] = i - 1
end

function json.base64(octets)
  local out = {}
  for i = 1, #octets, 3 do
    local a, b, c = octets:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    local digits = {}
    for shift = 18, 0, -6 do
      local d = bits >> shift & 63
      digits[#digits + 1] = alphabet:sub(d + 1, d + 1)
    end
    if not c then
      digits[4] = "="
    end
    if not b then
      digits[3] = "="
    end
    out[#out + 1] = table.concat(digits)
  end
  return table.concat(out)
end

local function unbase64(text)
  local out, bits, count = {}, 0, 0
  text = text:gsub("=+$", "")
  for i = 1, #text do
    local d = digit_of[text:byte(i)]
    if not d then
      return nil
    end
    bits, count = (bits << 6 | d) & 0xffffff, count + 6
    if count >= 8 then
      count = count - 8
      out[#out + 1] = string.char(bits >> count & 255)
    end
  end
  return table.concat(out)
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\" }

local function quote(text)
  local quoted = text:gsub('[%c"\\]', function(c)
    return escapes[c] or (c == "\127" and c) or ("\\u%04x"):format(c:byte())
  end)
  return '"' .. quoted .. '"'
end

local function float_text(number)
  assert(number == number and number ~= math.huge and number ~= -math.huge, "not a JSON number")
  local text = ("%.17g"):format(number)
  return text:find("[%.e]") and text or text .. ".0"
end

local encode

local function encode_dict(dict, out)
  out[#out + 1] = "{"
  local comma = ""
  for k, v in pairs(dict) do
    assert(type(k) == "string", "a JSON key is a string")
    out[#out + 1] = comma .. quote(k) .. ":"
    encode(v, out)
    comma = ","
  end
  out[#out + 1] = "}"
end

local function encode_list(list, out)
  out[#out + 1] = "["
  for i = 1, #list do
    out[#out + 1] = i > 1 and "," or ""
    encode(list[i], out)
  end
  out[#out + 1] = "]"
end

local encoders = {
  null = function(_, out) out[#out + 1] = "null" end,
  boolean = function(v, out) out[#out + 1] = tostring(v) end,
  integer = function(v, out) out[#out + 1] = ("%d"):format(v) end,
  unsigned = function(v, out)
    local quotient = (v.bits >> 1) // 5
    out[#out + 1] = ("%d%d"):format(quotient, v.bits - quotient * 10)
  end,
  float = function(v, out) out[#out + 1] = float_text(v) end,
  string = function(v, out) out[#out + 1] = quote(v) end,
  binary = function(v, out) out[#out + 1] = '"\\u0000' .. json.base64(v.octets) .. '"' end,
  list = encode_list,
  dict = encode_dict,
}

function encode(v, out)
  encoders[value.kind(v)](v, out)
end

function json.encode(v)
  local out = {}
  encode(v, out)
  return table.concat(out)
end

local decode

local function fail(text, at, words)
  error(("JSON: %s at %d in %q"):format(words, at, text:sub(1, 200)), 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local plain = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\",
  ["/"] = "/" }

local function unescape(text, at)
  local c = text:sub(at, at)
  if c ~= "u" then
    return plain[c] or fail(text, at, "bad escape"), at + 1
  end
  local high = tonumber(text:match("^%x%x%x%x", at + 1) or fail(text, at, "bad \\u"), 16)
  if high >= 0xd800 and high < 0xdc00 then
    local low = tonumber(text:match("^\\u(%x%x%x%x)", at + 5) or "0", 16)
    if low >= 0xdc00 and low < 0xe000 then
      return utf8.char(0x10000 + (high - 0xd800) * 1024 + low - 0xdc00), at + 11
    end
    fail(text, at, "lone surrogate")
  end
  return utf8.char(high), at + 5
end

local function decode_string(text, at)
  local parts = {}
  while true do
    local stop = text:find('["\\%c]', at) or fail(text, at, "string without end")
    parts[#parts + 1] = text:sub(at, stop - 1)
    local c = text:sub(stop, stop)
    if c == '"' then
      return table.concat(parts), stop + 1
    elseif c == "\\" then
      parts[#parts + 1], at = unescape(text, stop + 1)
    elseif c == "\127" then
      parts[#parts + 1], at = c, stop + 1
    else
      fail(text, stop, "control character in a string")
    end
  end
end

local function big_unsigned(digits)
  if #digits ~= 19 and #digits ~= 20 or #digits == 20 and digits > "18446744073709551615" then
    return nil
  end
  local bits = 0
  for d in digits:gmatch("%d") do
    bits = bits * 10 + tonumber(d)
  end
  return value.unsigned(bits)
end

local function decode_number(text, at)
  local token = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  local stop = at + #token
  if token:find("[%.eE]") then
    return tonumber(token), stop
  end
  local number = math.tointeger(tonumber(token))
  if number and ("%d"):format(number) == token then
    return number, stop
  end
  return big_unsigned(token) or value.tagged("number", token), stop
end

local function decode_list(text, at)
  local list = value.list {}
  at = skip(text, at)
  if text:sub(at, at) == "]" then
    return list, at + 1
  end
  while true do
    list[#list + 1], at = decode(text, at)
    at = skip(text, at)
    local c = text:sub(at, at)
    if c == "]" then
      return list, at + 1
    elseif c ~= "," then
      fail(text, at, "no comma in a list")
    end
    at = at + 1
  end
end

local function decode_dict(text, at)
  local dict = value.dict {}
  at = skip(text, at)
  if text:sub(at, at) == "}" then
    return dict, at + 1
  end
  while true do
    at = skip(text, at)
    if text:sub(at, at) ~= '"' then
      fail(text, at, "no key in a dict")
    end
    local key
    key, at = decode_string(text, at + 1)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then
      fail(text, at, "no colon in a dict")
    end
    dict[key], at = decode(text, at + 1)
    at = skip(text, at)
    local c = text:sub(at, at)
    if c == "}" then
      return dict, at + 1
    elseif c ~= "," then
      fail(text, at, "no comma in a dict")
    end
    at = at + 1
  end
end

local words = { ["true"] = true, ["false"] = false, null = value.null }

function decode(text, at)
  at = skip(text, at)
  local c = text:sub(at, at)
  if c == "[" then
    return decode_list(text, at + 1)
  elseif c == "{" then
    return decode_dict(text, at + 1)
  elseif c == '"' then
    local string_value, stop = decode_string(text, at + 1)
    local octets = string_value:sub(1, 1) == "\0" and unbase64(string_value:sub(2))
    return octets and value.binary(octets) or string_value, stop
  elseif c:find("[-%d]") then
    return decode_number(text, at)
  end
  local word = text:match("^%a+", at)
  if words[word] == nil then
    fail(text, at, "no value")
  end
  return words[word], at + #word
end

function json.decode(text)
  local v, at = decode(text, 1)
  at = skip(text, at)
  if at <= #text then
    fail(text, at, "bytes after the value")
  end
  return v
end

return json

--- Framing for the test client: RFC 6455 and WAMP RawSocket, the client's side of both.
--
-- A framing turns whole messages into octets and takes frames from a stream. Nothing here is
-- shared with the program under test.
-- SPDX-License-Identifier: MIT
local json = require "json"

local framing = {}

local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

---- WebSocket ----

local WebSocket = { name = "websocket" }
WebSocket.__index = WebSocket

local LONG_ENOUGH = 4096

local function mask(payload, key)
  local k = { key:byte(1, 4) }
  local out = {}
  for i = 1, #payload do
    out[i] = string.char(payload:byte(i) ~ k[(i - 1) % 4 + 1])
  end
  return table.concat(out)
end

--- One frame. `options`: fin (default true), rsv (three bits), unmasked.
function framing.ws_frame(opcode, payload, options)
  options = options or {}
  local first = opcode | (options.rsv or 0) << 4 | (options.fin == false and 0 or 0x80)
  local masked = options.unmasked and 0 or 0x80
  local len = options.claims or #payload
  local head
  if len < 126 then
    head = string.pack("BB", first, masked | len)
  elseif len < 65536 then
    head = string.pack(">BBI2", first, masked | 126, len)
  else
    head = string.pack(">BBI8", first, masked | 127, len)
  end
  if options.unmasked then
    return head .. payload
  end
  -- A key of zeros is a legal key, and keeps long messages quick in Lua.
  local key = #payload > LONG_ENOUGH and "\0\0\0\0" or string.pack(">I4", math.random(0xffffffff))
  return head .. key .. (#payload > LONG_ENOUGH and payload or mask(payload, key))
end

function WebSocket:message(payload)
  return framing.ws_frame(self.is_text and TEXT or BINARY, payload)
end

--- The message in several frames, cut at the given lengths.
function WebSocket:fragments(payload, ...)
  local frames, from = {}, 1
  local opcode = self.is_text and TEXT or BINARY
  for _, len in ipairs { ... } do
    frames[#frames + 1] = framing.ws_frame(opcode, payload:sub(from, from + len - 1),
      { fin = false })
    from, opcode = from + len, CONTINUATION
  end
  frames[#frames + 1] = framing.ws_frame(opcode, payload:sub(from))
  return frames
end

function WebSocket.ping(_, payload)
  return framing.ws_frame(PING, payload)
end

function WebSocket.pong(_, payload)
  return framing.ws_frame(PONG, payload)
end

function WebSocket.closing(_, code, reason)
  return framing.ws_frame(CLOSE, code and string.pack(">I2", code) .. (reason or "") or "")
end

local function ws_length(buffer)
  local len, at = buffer:byte(2), 3
  assert(len < 128, "the server must not mask its frames")
  if len < 126 then
    return len, at
  end
  local width = len == 126 and 2 or 8
  if #buffer < at + width - 1 then
    return nil
  end
  return string.unpack(width == 2 and ">I2" or ">I8", buffer, at)
end

local kinds = { [PING] = "ping", [PONG] = "pong", [CLOSE] = "close" }

function WebSocket:assemble(first, payload)
  local opcode = first & 15
  if kinds[opcode] then
    assert(first & 0x80 ~= 0 and #payload < 126, "a control frame is short and whole")
    return kinds[opcode], payload
  end
  if opcode == CONTINUATION then
    assert(self.parts, "a continuation of nothing")
  else
    assert(opcode == (self.is_text and TEXT or BINARY), "the wrong type of frame: " .. opcode)
    assert(not self.parts, "a message inside another")
    self.parts = {}
  end
  self.parts[#self.parts + 1] = payload
  if first & 0x80 == 0 then
    return "part"
  end
  local whole = table.concat(self.parts)
  self.parts = nil
  return "message", whole
end

--- Takes one frame from the stream's buffer: kind ("message", "part", "ping", "pong", "close")
-- and payload; nil when it is not all there yet.
function WebSocket:take(stream)
  local buffer = stream.buffer
  if #buffer < 2 then
    return nil
  end
  local first = buffer:byte(1)
  assert(first & 0x70 == 0, "reserved bits in a frame of the server")
  local len, at = ws_length(buffer)
  if not len or #buffer < at + len - 1 then
    return nil
  end
  stream.buffer = buffer:sub(at + len)
  return self:assemble(first, buffer:sub(at, at + len - 1))
end

--- The text of an upgrade request.
function framing.ws_request(options)
  local lines = {
    ("GET %s HTTP/1.1"):format(options.path or "/ws"),
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: " .. (options.key or "dGhlIHNhbXBsZSBub25jZQ=="),
  }
  if options.protocols then
    lines[#lines + 1] = "Sec-WebSocket-Protocol: " .. options.protocols
  end
  for name, text in pairs(options.headers or {}) do
    lines[#lines + 1] = name .. ": " .. text
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

--- Reads the head of an HTTP answer: status, headers (names in lower case), all of its text.
function framing.http_head(stream)
  local head = stream:read_until("\r\n\r\n")
  if not head then
    return nil
  end
  local headers = {}
  for name, text in head:gmatch("\r\n([^:\r\n]+):%s*([^\r\n]*)") do
    headers[name:lower()] = text
  end
  return tonumber(head:match("^HTTP/1%.[01] (%d+)")), headers, head
end

--- Upgrades; returns the framing, or nil, status, headers. Which subprotocol it became is in
-- `headers`; with `protocols = false` none is named.
function framing.websocket(stream, serializer, options)
  local key = json.base64(string.pack(">I8I8", math.random(0), math.random(0)))
  assert(stream:write(framing.ws_request {
    path = options.http_path,
    key = key,
    protocols = options.protocols ~= false and (options.protocols or "wamp.2." .. serializer.name),
    headers = options.headers,
  }))
  local status, headers = framing.http_head(stream)
  if status ~= 101 then
    return nil, status, headers
  end
  return setmetatable({ is_text = serializer.is_text, headers = headers, key = key }, WebSocket)
end

---- RawSocket ----

local RawSocket = { name = "rawsocket" }
RawSocket.__index = RawSocket

local MAX = 1 << 24
local MESSAGE_FRAME, PING_FRAME, PONG_FRAME = 0, 1, 2
local raw_kinds = { [MESSAGE_FRAME] = "message", [PING_FRAME] = "ping", [PONG_FRAME] = "pong" }

function framing.raw_frame(kind, payload)
  if #payload == MAX then
    return "\8\0\0\0" .. payload
  end
  return string.pack(">BI3", kind, #payload) .. payload
end

function RawSocket.message(_, payload)
  return framing.raw_frame(MESSAGE_FRAME, payload)
end

function RawSocket.ping(_, payload)
  return framing.raw_frame(PING_FRAME, payload)
end

function RawSocket.pong(_, payload)
  return framing.raw_frame(PONG_FRAME, payload)
end

function RawSocket:take(stream)
  local buffer = stream.buffer
  if #buffer < 4 then
    return nil
  end
  local first, len = string.unpack(">BI3", buffer)
  if first == 8 and len == 0 then
    first, len = 0, MAX
  end
  assert(raw_kinds[first], "an unknown frame from the server")
  assert(len <= self.receive_max, "a frame longer than what we announced")
  if #buffer < 4 + len then
    return nil
  end
  stream.buffer = buffer:sub(5 + len)
  return raw_kinds[first], buffer:sub(5, 4 + len)
end

local serializer_numbers = { json = 1, msgpack = 2, cbor = 3 }

--- The client's four octets.
function framing.raw_hello(serializer, exponent)
  return string.char(0x7f, (exponent or 15) << 4 | serializer_numbers[serializer.name], 0, 0)
end

--- Shakes hands; returns the framing, or nil and the answer of the server.
function framing.rawsocket(stream, serializer, options)
  local hello = framing.raw_hello(serializer, options.exponent)
  assert(stream:write(hello))
  local answer = stream:read(4)
  if not answer or answer:byte(2) & 15 == 0 then
    return nil, answer
  end
  assert(answer:byte(1) == 0x7f and answer:byte(2) & 15 == hello:byte(2) & 15
    and answer:sub(3) == "\0\0", "a strange answer to the RawSocket handshake")
  return setmetatable({
    is_text = serializer.is_text,
    receive_max = 1 << 9 + (options.exponent or 15),
    send_max = 1 << 9 + (answer:byte(2) >> 4),
  }, RawSocket)
end

return framing

--- A small WAMP client for the specs, independent of the code under test.
--
--   local alice = wamp.connect { transport = "ws", serializer = "json", port = 8080 }
--   alice:join("realm1")
--   local subscription = alice:subscribe("com.x")
--   alice:expect { wamp.EVENT, subscription, wamp.id, {}, { "hi" } }
--
-- Every expectation names the next message. That something does not come is shown by a round trip
-- (expect_nothing), never by waiting.
-- SPDX-License-Identifier: MIT
local socket = require "socket"
local framing = require "framing"
local matching = require "matching"
local stream = require "stream"
local value = require "value"

local wamp = {
  any = matching.any,
  rest = matching.rest,
  id = matching.id,
  capture = matching.capture,
  text = matching.text,
  including = matching.including,
  without = matching.without,
  null = value.null,
  list = value.list,
  dict = value.dict,
  binary = value.binary,
  show = value.show,
  same = value.same,
}

local types = {
  HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, AUTHENTICATE = 5, GOODBYE = 6, ERROR = 8,
  PUBLISH = 16, PUBLISHED = 17, SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34,
  UNSUBSCRIBED = 35, EVENT = 36, CALL = 48, CANCEL = 49, RESULT = 50, REGISTER = 64,
  REGISTERED = 65, UNREGISTER = 66, UNREGISTERED = 67, INVOCATION = 68, INTERRUPT = 69, YIELD = 70,
}
for name, code in pairs(types) do
  wamp[name] = code
end
wamp.types = types

wamp.serializers = {
  json = require "json",
  msgpack = require "msgpack",
  cbor = require "cbor",
}

--- What a transport is made of.
wamp.transports = {
  ws = { frames = "websocket" },
  wss = { frames = "websocket", tls = true },
  rawsocket = { frames = "rawsocket" },
  unix = { frames = "rawsocket", unix = true },
  rawsocket_tls = { frames = "rawsocket", tls = true },
}

local Connection = {}
Connection.__index = Connection
wamp.Connection = Connection

local open_connections = {}

local function fail(words, ...)
  error(words:format(...), 3)
end

--- Opens a byte stream and shakes hands. `options`: transport, serializer (names); port or path;
-- host, tls, exponent (RawSocket), http_path, protocols, headers (WebSocket), receive_buffer.
-- Returns nil and what the framing says when the handshake is refused.
function wamp.try_connect(options)
  local transport = wamp.transports[options.transport]
  local serializer = wamp.serializers[options.serializer]
  local bytes, why = stream.open {
    host = options.host,
    port = options.port,
    path = options.path,
    tls = options.tls or transport.tls,
    receive_buffer = options.receive_buffer,
    from = options.from,
  }
  if not bytes then
    return nil, why
  end
  local self = setmetatable({
    stream = bytes, serializer = serializer, transport = transport, last_id = 0, pongs = {},
  }, Connection)
  open_connections[#open_connections + 1] = self
  local frames, answer, headers = framing[transport.frames](bytes, serializer, options)
  if not frames then
    return nil, answer, headers, bytes
  end
  self.frames = frames
  return self
end

function wamp.connect(options)
  local self, why = wamp.try_connect(options)
  if not self then
    fail("cannot connect over %s: %s", options.transport, tostring(why))
  end
  return self
end

--- Closes every connection that a spec has left open.
function wamp.close_all()
  for _, connection in ipairs(open_connections) do
    connection:drop()
  end
  open_connections = {}
end

---- octets and messages ----

function Connection:send_octets(octets)
  return self.stream:write(octets)
end

--- Sends one message that is encoded already (or is no message at all).
function Connection:send_payload(payload)
  return self.stream:write(self.frames:message(payload))
end

function Connection:send(message)
  local done, why = self:send_payload(self.serializer.encode(value.list(message)))
  if not done then
    fail("cannot send %s: %s", value.show(message), why)
  end
end

--- Several messages with one write.
function Connection:send_all(messages)
  local octets = {}
  for i, message in ipairs(messages) do
    octets[i] = self.frames:message(self.serializer.encode(value.list(message)))
  end
  assert(self.stream:write(table.concat(octets)))
end

function Connection:on_frame(kind, payload)
  if kind == "ping" then
    self.stream:write(self.frames:pong(payload))
  elseif kind == "pong" then
    self.pongs[#self.pongs + 1] = payload
  elseif kind == "close" then
    self.is_closing = true
    self.close_code = #payload >= 2 and string.unpack(">I2", payload) or nil
    self.close_words = payload:sub(3)
    self.stream:write(self.frames:closing(self.close_code))
  end
end

--- The next message, encoded. nil and "closed" or "late" when there is none.
function Connection:receive_payload(ends)
  ends = ends or socket.gettime() + stream.patience
  while true do
    local kind, payload = self.frames:take(self.stream)
    if kind == "message" then
      return payload
    elseif kind then
      self:on_frame(kind, payload)
    elseif self.is_closing or self.stream.at_end then
      return nil, "closed"
    elseif not self.stream:wait(ends) then
      return nil, "late"
    end
  end
end

--- The next message. nil and "closed" or "late" when there is none.
function Connection:receive(ends)
  local payload, why = self:receive_payload(ends)
  if not payload then
    return nil, why
  end
  return self.serializer.decode(payload)
end

--- The first message that comes on any of the connections: the connection and the message.
function wamp.receive_any(connections)
  local ends = socket.gettime() + stream.patience
  while true do
    local socks = {}
    for _, connection in ipairs(connections) do
      connection.stream:fill()
      local kind, payload = connection.frames:take(connection.stream)
      if kind == "message" then
        return connection, connection.serializer.decode(payload)
      elseif kind then
        connection:on_frame(kind, payload)
        connection.stream:fill()
      end
      if not connection.stream.at_end then
        socks[#socks + 1] = connection.stream.sock
      end
    end
    local left = ends - socket.gettime()
    if #socks == 0 or left <= 0 then
      return nil
    end
    socket.select(socks, nil, left)
  end
end

---- expectations ----

local function closing_words(self)
  return ("connection closed (code %s %q)"):format(self.close_code, self.close_words or "")
end

--- The next message must match; returns what the pattern captures.
function Connection:expect(pattern)
  local message, why = self:receive()
  if not message then
    fail("expected %s, got none: %s", matching.show(pattern),
      why == "closed" and closing_words(self) or "time is up")
  end
  local is_match, captures = matching.match(value.list(pattern), message)
  if not is_match then
    fail("expected %s\n  but got %s", matching.show(pattern), value.show(message))
  end
  return table.unpack(captures)
end

--- The messages of all patterns must come, in any order; the captures are not returned.
function Connection:expect_all(patterns)
  local left = { table.unpack(patterns) }
  while #left > 0 do
    local message = self:receive() or fail("expected %s, got no more", matching.show(left[1]))
    local found
    for i, pattern in ipairs(left) do
      if matching.match(value.list(pattern), message) then
        found = i
        break
      end
    end
    if not found then
      fail("did not expect %s", value.show(message))
    end
    table.remove(left, found)
  end
end

function Connection:expect_error(request_type, request, uri)
  return self:expect { wamp.ERROR, request_type, request, wamp.dict {}, uri, wamp.rest }
end

--- An ABORT with that reason, of exactly three elements, whose text matches.
function Connection:expect_abort(uri, words)
  self:expect { wamp.ABORT, { message = wamp.text(words or ".") }, uri }
end

--- No message; the stream ends, on a WebSocket with a close frame of that code.
function Connection:expect_closed(code)
  local message, why = self:receive()
  if message then
    fail("expected the end, got %s", value.show(message))
  elseif why == "late" then
    fail("the connection was not closed")
  elseif code and self.frames.name == "websocket" and self.close_code ~= code then
    fail("closed with %s %q, not with %d", self.close_code, self.close_words or "", code)
  elseif not self.stream:read_all() then
    fail("the socket was not closed")
  end
  self.stream:close() -- as programs do; until then the router would linger
end

--- A close frame with that code; the socket may stay open a while, for us to close it.
function Connection:expect_close_frame(code)
  local message = self:receive()
  if message then
    fail("expected a close frame, got %s", value.show(message))
  elseif self.close_code ~= code then
    fail("closed with %s %q, not with %d", self.close_code, self.close_words or "", code)
  end
  self.stream:close()
end

--- The reaction to a protocol violation, whole.
function Connection:expect_violation(words)
  self:expect_abort("wamp.error.protocol_violation", words)
  self:expect_closed(1002)
end

--- A round trip that the router cannot answer before what this connection sent earlier, and
-- behind everything that it was sent before.
function Connection:expect_nothing()
  local request = self:next_id()
  self:send { wamp.CALL, request, {}, "spec.fence.nobody.home" }
  local message = self:receive() or fail("expected nothing, but the connection has ended")
  local is_fence = matching.match(value.list {
    wamp.ERROR, wamp.CALL, request, {}, "wamp.error.no_such_procedure", wamp.rest }, message)
  if not is_fence then
    fail("expected nothing, got %s", value.show(message))
  end
end

--- A PING has come back with its payload.
function Connection:expect_pong(payload)
  local ends = socket.gettime() + stream.patience
  while #self.pongs == 0 do
    local kind, bytes = self.frames:take(self.stream)
    if kind == "message" then
      fail("expected a PONG, got a message")
    elseif kind then
      self:on_frame(kind, bytes)
    elseif self.stream.at_end or not self.stream:wait(ends) then
      fail("expected a PONG, got none")
    end
  end
  local pong = table.remove(self.pongs, 1)
  if pong ~= payload then
    fail("a PONG with another payload")
  end
end

---- a session ----

function Connection:next_id()
  self.last_id = self.last_id + 1
  return self.last_id
end

--- All four roles, with the features given by role.
function wamp.roles(features)
  local roles = {}
  for _, role in ipairs { "publisher", "subscriber", "caller", "callee" } do
    roles[role] = { features = features and features[role] or nil }
  end
  return roles
end

--- HELLO and WELCOME; returns the session id and the details.
function Connection:join(realm, details)
  local hello = { roles = wamp.roles() }
  for k, v in pairs(details or {}) do
    hello[k] = v
  end
  self:send { wamp.HELLO, realm, hello }
  local session, welcome = self:expect { wamp.WELCOME, wamp.id, wamp.capture(wamp.including {}) }
  self.session, self.welcome, self.last_id = session, welcome, 0
  return session, welcome
end

function Connection:goodbye()
  self:send { wamp.GOODBYE, {}, "wamp.close.close_realm" }
  self:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
end

--- Puts payload behind a message's head: no trailing empty elements.
local function with_payload(message, args, kwargs)
  if args or kwargs then
    message[#message + 1] = args == wamp.any and args or value.list(args or {})
  end
  if kwargs then
    message[#message + 1] = kwargs
  end
  return message
end
wamp.with_payload = with_payload

function Connection:subscribe(topic, options)
  local request = self:next_id()
  self:send { wamp.SUBSCRIBE, request, options or {}, topic }
  return self:expect { wamp.SUBSCRIBED, request, wamp.id }
end

function Connection:unsubscribe(subscription)
  local request = self:next_id()
  self:send { wamp.UNSUBSCRIBE, request, subscription }
  self:expect { wamp.UNSUBSCRIBED, request }
end

--- Publishes; with `acknowledge` among the options waits for PUBLISHED and returns its id,
-- otherwise returns the request id.
function Connection:publish(topic, args, kwargs, options)
  local request = self:next_id()
  self:send(with_payload({ wamp.PUBLISH, request, options or {}, topic }, args, kwargs))
  if options and options.acknowledge then
    return self:expect { wamp.PUBLISHED, request, wamp.id }
  end
  return request
end

--- The same with `acknowledge` added: when it returns, every EVENT has been queued.
function Connection:publish_surely(topic, args, kwargs, options)
  local all = { acknowledge = true }
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  return self:publish(topic, args, kwargs, all)
end

function Connection:expect_event(subscription, args, kwargs, details)
  return self:expect(with_payload(
    { wamp.EVENT, subscription, wamp.id, details or {} }, args, kwargs))
end

--- A pattern subscription that matches three components has just been made: it hears of itself.
function Connection:expect_own_beginning(subscription)
  for _, event in ipairs { "on_create", "on_subscribe" } do
    self:expect_event(subscription, wamp.any, nil, { topic = "wamp.subscription." .. event })
  end
end

function Connection:register(procedure, options)
  local request = self:next_id()
  self:send { wamp.REGISTER, request, options or {}, procedure }
  return self:expect { wamp.REGISTERED, request, wamp.id }
end

function Connection:unregister(registration)
  local request = self:next_id()
  self:send { wamp.UNREGISTER, request, registration }
  self:expect { wamp.UNREGISTERED, request }
end

--- Sends CALL only; returns the request id.
function Connection:call(procedure, args, kwargs, options)
  local request = self:next_id()
  self:send(with_payload({ wamp.CALL, request, options or {}, procedure }, args, kwargs))
  return request
end

--- The INVOCATION that must come next; returns its request id.
function Connection:expect_invocation(registration, args, kwargs, details)
  return self:expect(with_payload(
    { wamp.INVOCATION, wamp.id, registration, details or {} }, args, kwargs))
end

function Connection:yield(invocation, args, kwargs, options)
  self:send(with_payload({ wamp.YIELD, invocation, options or {} }, args, kwargs))
end

function Connection:expect_result(request, args, kwargs, details)
  return self:expect(with_payload({ wamp.RESULT, request, details or {} }, args, kwargs))
end

--- Ends the connection without a word, as a crash would.
function Connection:drop()
  self.stream:close()
end

return wamp

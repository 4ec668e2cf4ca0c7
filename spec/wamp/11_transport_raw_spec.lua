--- RawSocket: the handshake and its errors, frames, PING and PONG, lengths.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local framing = require "framing"
local stream = require "stream"
local wamp = require "wamp"

local raw = { "rawsocket", "unix", "rawsocket_tls" }
local MESSAGE, PING, PONG = 0, 1, 2

local function opener(peer)
  return function()
    local target = conformance.target(peer.router(), peer.transport)
    target.tls = wamp.transports[peer.transport].tls
    return assert(stream.open(target))
  end
end

local function handshake(open, octets)
  local bytes = open()
  assert(bytes:write(octets))
  local answer = bytes:read_all()
  bytes:close()
  return answer
end

conformance.over(raw, "The RawSocket handshake", {}, function(peer)
  local open = opener(peer)
  local number = ({ json = 1, msgpack = 2, cbor = 3 })[peer.serializer]

  for exponent = 0, 15 do
    it(("accepts %d octets as the client's limit, and names 16 MiB as ours"):format(
      1 << 9 + exponent), function()
      local bytes = open()
      bytes:write(string.char(0x7f, exponent << 4 | number, 0, 0))
      assert.equal(string.char(0x7f, 0xf0 | number, 0, 0), bytes:read(4))
      bytes:close()
    end)
  end

  it("may arrive octet by octet", function()
    local bytes = open()
    for octet in string.char(0x7f, 0xf0 | number, 0, 0):gmatch(".") do
      assert(bytes:write(octet))
    end
    assert.equal(string.char(0x7f, 0xf0 | number, 0, 0), bytes:read(4))
    bytes:close()
  end)

  for serializer = 4, 15 do
    it(("refuses serializer %d with error 1 and closes"):format(serializer), function()
      assert.equal("\x7f\x10\0\0", handshake(open, string.char(0x7f, 0xf0 | serializer, 0, 0)))
    end)
  end

  it("refuses reserved bits with error 3 and closes", function()
    for _, tail in ipairs { "\0\1", "\1\0", "\x80\0", "\xff\xff" } do
      assert.equal("\x7f\x30\0\0", handshake(open, string.char(0x7f, 0xf0 | number) .. tail))
    end
  end)

  it("looks at reserved bits before the serializer", function()
    assert.equal("\x7f\x30\0\0", handshake(open, "\x7f\xf9\0\1"))
  end)

  it("closes without a word when the serializer is 0, whatever follows", function()
    assert.equal("", handshake(open, "\x7f\xf0\0\0"))
    assert.equal("", handshake(open, "\x7f\xf0\0\1"))
  end)

  it("may be followed by HELLO at once", function()
    local bytes = open()
    local hello = peer.codec.encode { wamp.HELLO, "realm1", { roles = wamp.roles() } }
    bytes:write(framing.raw_hello(peer.codec) .. framing.raw_frame(MESSAGE, hello))
    assert.equal(0x7f, bytes:read(4):byte(1))
    local len = string.unpack(">I4", bytes:read(4))
    assert.equal(wamp.WELCOME, peer.codec.decode(bytes:read(len))[1])
    bytes:close()
  end)
end)

conformance.over(raw, "A RawSocket", {}, function(peer)
  it("answers a PING with its payload, before and after HELLO", function()
    local alice = peer.connect()
    for _, payload in ipairs { "", "\xde\xad", ("p"):rep(1000), ("q"):rep(100000) } do
      alice:send_octets(framing.raw_frame(PING, payload))
      alice:expect_pong(payload)
    end
    alice:join("realm1")
    alice:send_octets(framing.raw_frame(PING, "again"))
    alice:expect_pong("again")
  end)

  it("answers every PING of several", function()
    local alice = peer.connect()
    local pings = {}
    for i = 1, 50 do
      pings[i] = framing.raw_frame(PING, "n" .. i)
    end
    alice:send_octets(table.concat(pings))
    for i = 1, 50 do
      alice:expect_pong("n" .. i)
    end
  end)

  it("takes no notice of a PONG that it did not ask for", function()
    local alice = peer.join()
    alice:send_octets(framing.raw_frame(PONG, "what"))
    alice:expect_nothing()
  end)

  local failures = {
    { "reserved bits in a frame", "\x10\0\0\2[]" },
    { "an unknown type of frame", "\3\0\0\2[]" },
    { "the type 7", "\7\0\0\2[]" },
    { "the mark of 16 MiB together with a length", "\8\0\0\2[]" },
    { "all bits set", "\xff\xff\xff\xff" },
  }
  for _, row in ipairs(failures) do
    it("with " .. row[1] .. " is closed without ABORT", function()
      local alice = peer.join()
      alice:send_octets(row[2])
      alice:expect_closed()
    end)
  end

  it("with an empty message violates the protocol", function()
    local alice = peer.join()
    alice:send_octets("\0\0\0\0")
    alice:expect_violation()
  end)

  it("takes frames that arrive octet by octet", function()
    local alice = peer.join()
    local payload = peer.codec.encode { wamp.SUBSCRIBE, 1, {}, "com.x" }
    for octet in alice.frames:message(payload):gmatch(".") do
      assert(alice:send_octets(octet))
    end
    alice:expect { wamp.SUBSCRIBED, 1, wamp.id }
  end)

  it("takes 200 messages that arrive at once, and answers them in order", function()
    local alice = peer.join()
    local messages = {}
    for i = 1, 200 do
      messages[i] = { wamp.SUBSCRIBE, i, {}, "com.x" .. i }
    end
    alice:send_all(messages)
    for i = 1, 200 do
      alice:expect { wamp.SUBSCRIBED, i, wamp.id }
    end
  end)
end)

conformance.over({ "rawsocket" }, "The longest message", {}, function(peer)
  it("of 16 MiB - 1 and of 16 MiB gets through", function()
    local alice = peer.join()
    local topic = peer.uri()
    alice:subscribe(topic)
    local function publish(fill)
      return peer.codec.encode { wamp.PUBLISH, 1, { exclude_me = false }, topic, { fill } }
    end
    -- 70,000 is long enough for the text's head to have its final length.
    local overhead = #publish(("x"):rep(70000)) - 70000
    for _, len in ipairs { (1 << 24) - 1, 1 << 24 } do
      local fill = ("x"):rep(len - overhead)
      local payload = publish(fill)
      assert.equal(len, #payload)
      alice:send_payload(payload)
      local message = alice:receive()
      assert.equal(wamp.EVENT, message[1])
      assert.is_true(message[5][1] == fill)
    end
  end)
end)

conformance.over(raw, "A RawSocket peer that accepts 4096 octets", {}, function(peer)
  local long = ("x"):rep(5000)

  it("does not get a longer EVENT, and the next one", function()
    local alice, bob = peer.join(nil, { exponent = 3 }), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:publish(topic, { 1 })
    bob:publish(topic, { long })
    bob:publish(topic, { 2 })
    alice:expect_event(subscription, { 1 })
    alice:expect_event(subscription, { 2 })
  end)

  it("gets exactly what fits", function()
    local alice, bob = peer.join(nil, { exponent = 3 }), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    local function size(publication, len)
      return #peer.codec.encode { wamp.EVENT, subscription, publication, {}, { ("y"):rep(len) } }
    end
    -- Ids differ in length, so where the bound lies is known only afterwards.
    local middle = 4096 - size(1 << 50, 4000) + 4000
    local delivered, dropped = 0, 0
    for len = middle - 3, middle + 3 do
      local publication = bob:publish_surely(topic, { ("y"):rep(len) })
      if size(publication, len) <= 4096 then
        delivered = delivered + 1
        assert.equal(publication, alice:expect_event(subscription, { ("y"):rep(len) }))
      else
        dropped = dropped + 1
      end
    end
    alice:expect_nothing()
    assert.is_true(delivered > 0 and dropped > 0)
  end)

  it("does not get a longer INVOCATION: its caller gets an error", function()
    local alice, bob = peer.join(nil, { exponent = 3 }), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure, { long })
    bob:expect_error(wamp.CALL, request, "wamp.error.payload_size_exceeded")
    bob:call(procedure, { 1 })
    alice:expect_invocation(registration, { 1 })
  end)

  it("gets an error instead of a longer RESULT", function()
    local alice, bob = peer.join(), peer.join(nil, { exponent = 3 })
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    alice:yield(alice:expect_invocation(registration), { long })
    bob:expect_error(wamp.CALL, request, "wamp.error.payload_size_exceeded")
    bob:expect_nothing()
    alice:expect_nothing()
  end)

  it("gets a longer ERROR without its payload", function()
    local alice, bob = peer.join(), peer.join(nil, { exponent = 3 })
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    alice:send { wamp.ERROR, wamp.INVOCATION, alice:expect_invocation(registration), {},
      "com.error", { long } }
    bob:expect { wamp.ERROR, wamp.CALL, request, {}, "com.error" }
  end)
end)

conformance.over({ "rawsocket" }, "A router that accepts 10,000 octets", {
  limits = { max_message_size = 10000 },
}, function(peer)
  local open = opener(peer)

  it("announces the power of two below, and closes on more", function()
    local alice = peer.join()
    assert.equal(8192, alice.frames.send_max)
    local payload = peer.codec.encode { wamp.PUBLISH, 1, {}, "com.x", { ("x"):rep(8100) } }
    assert.is_true(#payload <= 8192)
    alice:send_payload(payload)
    alice:expect_nothing()
    alice:send_octets("\0\0\x20\1")
    alice:expect_closed()
  end)

  it("refuses nobody for his own limit", function()
    local bytes = open()
    bytes:write(framing.raw_hello(peer.codec, 0))
    assert.equal(4, #bytes:read(4))
    bytes:close()
  end)
end)

conformance.over({ "rawsocket" }, "An address with a minimum length and one serializer", {
  address = { rawsocket_min_length = 4096, serializers = { "json", "cbor" } },
}, function(peer)
  local open = opener(peer)

  it("refuses shorter ones with error 2, and other serializers before that", function()
    local hello = framing.raw_hello(peer.codec, 2)
    local expected = peer.serializer == "msgpack" and "\x7f\x10\0\0" or "\x7f\x20\0\0"
    assert.equal(expected, handshake(open, hello))
  end)
end)

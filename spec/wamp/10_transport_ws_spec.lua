--- WebSocket: the upgrade, frames, fragments, PING and PONG, close codes.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local framing = require "framing"
local stream = require "stream"
local wamp = require "wamp"

local frame = framing.ws_frame
local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

conformance.over({ "ws", "wss" }, "A WebSocket", {}, function(peer)
  local data_type = peer.codec.is_text and TEXT or BINARY

  local function upgrade(options)
    local target = conformance.target(peer.router(), peer.transport)
    target.tls = wamp.transports[peer.transport].tls
    local bytes = assert(stream.open(target))
    assert(bytes:write(framing.ws_request(options)))
    local status, headers = framing.http_head(bytes)
    return status, headers, bytes
  end

  it("is opened with the answer to the client's key", function()
    local status, headers = upgrade { protocols = "wamp.2." .. peer.serializer }
    assert.equal(101, status)
    assert.equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", headers["sec-websocket-accept"])
    assert.equal("wamp.2." .. peer.serializer, headers["sec-websocket-protocol"])
    assert.equal("websocket", headers.upgrade:lower())
  end)

  it("takes the first subprotocol of the client's list that it knows", function()
    local list = ("wamp.9.x, wamp.2.%s,wamp.2.json, wamp.2.cbor"):format(peer.serializer)
    local _, headers = upgrade { protocols = list }
    assert.equal("wamp.2." .. peer.serializer, headers["sec-websocket-protocol"])
  end)

  for _, list in ipairs { "", "wamp.9.x", "json, msgpack", "wamp.2.JSON", "wamp.2.jsonx" } do
    it(("refuses the subprotocols %q with 400 and some words"):format(list), function()
      local status, headers, bytes = upgrade { protocols = list ~= "" and list or nil }
      assert.equal(400, status)
      assert.is_true(tonumber(headers["content-length"]) > 0)
      bytes:close()
    end)
  end

  for _, offer in ipairs { "permessage-deflate", "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; client_max_window_bits=15" } do
    it(("does not take up the extension %s"):format(offer), function()
      local alice = peer.join(nil, { headers = { ["Sec-WebSocket-Extensions"] = offer } })
      assert.is_nil(alice.frames.headers["sec-websocket-extensions"])
      local topic = peer.uri()
      local subscription = alice:subscribe(topic)
      for _, len in ipairs { 900, 1023, 4096, 7 * 1024 + 5, 8192, 12000 } do
        alice:publish(topic, { ("x"):rep(len) }, nil, { exclude_me = false })
        alice:expect_event(subscription, { ("x"):rep(len) })
      end
    end)
  end

  for path, expected in pairs { ["/"] = 101, ["/ws"] = 101, ["/ws?x=1"] = 101, ["/no"] = 404,
    ["/ws/x"] = 404, ["/status.json"] = 404 } do
    it(("on the path %s answers %d"):format(path, expected), function()
      local status, _, bytes = upgrade { protocols = "wamp.2." .. peer.serializer, path = path }
      assert.equal(expected, status)
      bytes:close()
    end)
  end

  local function echo(args, send)
    local alice = peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    local message = { wamp.PUBLISH, 9, { exclude_me = false }, topic, args }
    send(alice, peer.codec.encode(message))
    alice:expect_event(subscription, args)
    return alice
  end

  it("takes a message in fragments, with PINGs between them", function()
    local alice = echo({ "€ü𝄞", 1 }, function(alice, payload)
      local frames = alice.frames:fragments(payload, 1, 0, 7)
      assert(alice:send_octets(table.concat(frames, frame(PING, "between"))))
    end)
    for _ = 1, #alice.pongs do
      assert.equal("between", table.remove(alice.pongs))
    end
  end)

  it("takes a message in fragments of one octet, each written alone", function()
    echo({ "€ü𝄞" }, function(alice, payload)
      local lens = {}
      for i = 1, #payload - 1 do
        lens[i] = 1
      end
      for _, fragment in ipairs(alice.frames:fragments(payload, table.unpack(lens))) do
        assert(alice:send_octets(fragment))
      end
    end)
  end)

  it("takes frames that arrive octet by octet", function()
    echo({ "slow" }, function(alice, payload)
      for octet in alice.frames:message(payload):gmatch(".") do
        assert(alice:send_octets(octet))
      end
    end)
  end)

  -- The lengths are those of payloads around which the header changes its form.
  for _, len in ipairs { 125, 126, 127, 128, 65535, 65536, 65537, 1 << 20 } do
    it(("carries a text of %d octets there and back"):format(len), function()
      echo({ ("z"):rep(len) }, function(alice, payload) alice:send_payload(payload) end)
    end)
  end

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

  it("answers a PING with its payload, before and after HELLO", function()
    local alice = peer.connect()
    for _, payload in ipairs { "", "x", ("p"):rep(125) } do
      alice:send_octets(frame(PING, payload))
      alice:expect_pong(payload)
    end
    alice:join("realm1")
    alice:send_octets(frame(PING, "again"))
    alice:expect_pong("again")
  end)

  it("takes no notice of a PONG that it did not ask for", function()
    local alice = peer.join()
    alice:send_octets(frame(PONG, "what"))
    alice:expect_nothing()
  end)

  it("with the wrong type of frame is closed with 1003", function()
    local alice = peer.join()
    local payload = peer.codec.encode { wamp.SUBSCRIBE, 1, {}, "com.x" }
    alice:send_octets(frame(peer.codec.is_text and BINARY or TEXT, payload))
    if peer.codec.is_text or utf8.len(payload) then
      alice:expect_closed(1003)
    else
      alice:expect_closed()
    end
  end)

  if peer.codec.is_text then
    for name, payload in pairs {
      ["a lone continuation octet"] = '[48,1,{},"\x80"]',
      ["a sequence cut short"] = '[48,1,{},"\xe2\x82"]',
      ["an overlong form"] = '[48,1,{},"\xc0\xaf"]',
      ["a surrogate"] = '[48,1,{},"\xed\xa0\x80"]',
      ["a code point too large"] = '[48,1,{},"\xf4\x90\x80\x80"]',
    } do
      it(("with %s in a text is closed with 1007"):format(name), function()
        local alice = peer.join()
        alice:send_payload(payload)
        alice:expect_closed(1007)
      end)
    end
  end

  local errors = {
    { "an unknown type of data frame", frame(3, "") },
    { "an unknown type of control frame", frame(11, "") },
    { "a PING in two fragments", frame(PING, "a", { fin = false }) .. frame(CONTINUATION, "b") },
    { "a PING of 126 octets", frame(PING, ("x"):rep(126)) },
    { "a continuation of nothing", frame(CONTINUATION, "[]") },
    { "a message inside another",
      frame(data_type, "[", { fin = false }) .. frame(data_type, "[]") },
  }
  for _, row in ipairs(errors) do
    it("with " .. row[1] .. " is closed", function()
      local alice = peer.join()
      alice:send_octets(row[2])
      alice:expect_closed()
    end)
  end

  for rsv, what in pairs { [1] = "RSV3", [2] = "RSV2", [4] = "RSV1, as compressed ones have," } do
    it(("in a frame with %s gets a close frame with 1002"):format(what), function()
      local alice, bob = peer.join(), peer.join()
      alice:send_octets(frame(data_type, "\x8a\x56\x8a\x05\x00", { rsv = rsv }))
      alice:expect_close_frame(1002)
      bob:subscribe(peer.uri())
    end)
  end

  for _, code in ipairs { 1000, 1001, 3000, 4999 } do
    it(("that the client closes with %d is closed in return, and its session is over"):format(
      code), function()
      local alice, bob = peer.join(), peer.join()
      local procedure = peer.uri()
      alice:register(procedure)
      alice:send_octets(alice.frames:closing(code, "bye"))
      alice:expect_closed()
      local request = bob:call(procedure)
      bob:expect { wamp.ERROR, wamp.CALL, request, {}, wamp.text "^wamp%.error%.", wamp.rest }
      bob:register(procedure)
    end)
  end

  it("that the client closes without a code is closed", function()
    local alice = peer.join()
    alice:send_octets(frame(CLOSE, ""))
    alice:expect_closed()
  end)
end)

conformance.over({ "ws", "wss" }, "A WebSocket on an address with origins", {
  address = {
    origins = { "https://app.example.com", "http://localhost:3000" },
    cookie = { name = "nexus_id" },
  },
}, function(peer)
  local function try(origin, cookie)
    return peer.try_connect { headers = { Origin = origin, Cookie = cookie } }
  end

  for _, origin in ipairs { "https://app.example.com", "http://localhost:3000" } do
    it("is opened from " .. origin, function()
      local alice = assert(try(origin))
      alice:join("realm1")
    end)
  end

  it("is refused from elsewhere with 403", function()
    for _, origin in ipairs {
      "https://evil.example.com", "http://app.example.com", "https://app.example.com.evil.org",
      "https://app.example.com:444", "null",
    } do
      local alice, status = try(origin)
      assert.is_nil(alice)
      assert.equal(403, status)
    end
  end)

  it("is opened by programs, which send no origin", function()
    assert(try(nil)):join("realm1")
  end)

  it("gets a cookie with much chance in it, until somebody has logged in by it", function()
    local alice = try("https://app.example.com")
    local set = alice.frames.headers["set-cookie"]
    local id = set:match("^nexus_id=([^;]+)")
    assert.is_true(#id >= 43)
    assert.is_truthy(set:find("HttpOnly", 1, true))
    local bob = try("https://app.example.com")
    assert.not_equal(id, bob.frames.headers["set-cookie"]:match("^nexus_id=([^;]+)"))
    local again = try("https://app.example.com", "a=b; nexus_id=" .. id)
    local renewed = again.frames.headers["set-cookie"]
    assert.not_equal(id, renewed:match("^nexus_id=([^;]+)"))
  end)
end)

conformance.over({ "ws" }, "A WebSocket on an address with other paths and serializers", {
  address = { paths = { "/wamp" }, serializers = { "msgpack" } },
}, function(peer)
  it("knows only these", function()
    local alice, status = peer.try_connect { http_path = "/ws", protocols = "wamp.2.msgpack" }
    assert.is_nil(alice)
    assert.equal(404, status)
    alice, status = peer.try_connect { http_path = "/wamp" }
    assert.equal(peer.serializer == "msgpack", alice ~= nil)
    assert.equal(peer.serializer ~= "msgpack" and 400 or nil, status)
  end)
end)

for index, name in ipairs { "json", "msgpack", "cbor" } do
  conformance.over({ "ws", "wss" }, "A WebSocket where the default is " .. name, {
    address = { default_subprotocol = "wamp.2." .. name,
      serializers = index == 2 and { "msgpack", "cbor" } or nil },
  }, function(peer)
    if peer.serializer ~= name then
      return
    end

    it("may name no subprotocol, and is answered without one", function()
      local alice = assert(peer.try_connect { protocols = false })
      assert.is_nil(alice.frames.headers["sec-websocket-protocol"])
      alice:join("realm1")
      alice:subscribe(peer.uri())
    end)

    it("is refused when it names others, for it would not be told which it is", function()
      for _, list in ipairs { "wamp.9.x", "json", "chat, soap", ("x"):rep(200),
        index == 2 and "wamp.2.json" or "wamp.2" } do
        local alice, status = peer.try_connect { protocols = list }
        assert.same({ nil, 400 }, { alice, status })
      end
    end)

    it("has what it names", function()
      local alice = assert(peer.try_connect())
      assert.equal("wamp.2." .. name, alice.frames.headers["sec-websocket-protocol"])
      alice:join("realm1")
    end)
  end)
end

--- Everything that a peer can make the router hold or wait for has a bound; what happens there.
--
-- Times here are short, so that the end of waiting can be seen. None must be exact.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local daemon = require "daemon"
local framing = require "framing"
local stream = require "stream"
local wamp = require "wamp"

-- Each worker has its share of a bound, and the kernel deals connections out: with several, one
-- may be full while another has room.
local workers = tonumber(os.getenv("NEXUS_WORKERS") or "1")

conformance.over_mixed("Without HELLO", { limits = { hello_timeout = "100ms" } }, function(peer)
  it("a connection is closed after hello_timeout, with 1008 and without a message", function()
    peer.connect():expect_closed(1008)
  end)

  it("even if it sends PING all the time", function()
    local alice = peer.connect()
    alice:send_octets(alice.frames:ping("x"))
    alice:expect_closed(1008)
  end)

  it("but with HELLO it stays", function()
    local alice = peer.join()
    peer.connect():expect_closed()
    alice:expect_nothing()
  end)
end)

conformance.over_mixed("After GOODBYE", { limits = { rejoin_timeout = "100ms" } }, function(peer)
  it("a connection is closed after rejoin_timeout, with 1000", function()
    local alice = peer.join()
    alice:goodbye()
    alice:expect_closed(1000)
  end)
end)

conformance.with_router("Without a handshake", { limits = { handshake_timeout = "100ms" } },
  function(router)
    for _, transport in ipairs { "rawsocket", "unix", "wss" } do
      for name, octets in pairs {
        nothing = "", ["half of it"] = "\x7f", ["half a request"] = "GET /ws HT",
        ["half a ClientHello"] = "\x16\x03\x01\x02\0\x01",
      } do
        it(("a %s connection with %s is closed"):format(transport, name), function()
          local bytes = assert(stream.open(conformance.target(router(), transport)))
          bytes:write(octets)
          assert.is_truthy(bytes:read_all())
          bytes:close()
        end)
      end
    end
  end)

conformance.over_mixed("A peer that does not answer PING", {
  limits = { ping_interval = "50ms", ping_timeout = "50ms" },
}, function(peer)
  it("is lost, with what it held", function()
    local alice = peer.join()
    local procedure = peer.uri()
    alice:register(procedure)
    assert(daemon.eventually(function()
      local bob = peer.join()
      local request = bob:next_id()
      bob:send { wamp.REGISTER, request, {}, procedure }
      local message = bob:receive()
      bob:drop()
      return message and message[1] == wamp.REGISTERED
    end))
    assert.is_truthy(alice.stream:read_all())
  end)
end)

conformance.over_mixed("A peer that answers PING", { limits = { ping_interval = "20ms" } },
  function(peer)
    it("stays", function()
      local alice = peer.join()
      local pings, on_frame = 0, alice.on_frame
      alice.on_frame = function(self, kind, payload)
        pings = pings + (kind == "ping" and 1 or 0)
        on_frame(self, kind, payload)
      end
      assert(daemon.eventually(function()
        alice:receive(0)
        return pings >= 3
      end))
      alice:expect_nothing()
    end)
  end)

conformance.over({ "ws", "wss" }, "A WebSocket message", { limits = { max_message_size = 10000 } },
  function(peer)
    local function publish(len)
      return peer.codec.encode(wamp.list {
        wamp.PUBLISH, 1, { acknowledge = true }, "com.x", { ("x"):rep(len) } })
    end

    it("of exactly max_message_size is fine, one octet more is closed with 1009", function()
      local alice = peer.join()
      local len = 10000 - #publish(9000) + 9000
      alice:send_payload(publish(len))
      alice:expect { wamp.PUBLISHED, 1, wamp.id }
      alice:send_payload(publish(len + 1))
      alice:expect_closed(1009)
    end)

    it("of that length in fragments is the same", function()
      local alice = peer.join()
      local len = 10000 - #publish(9000) + 9000
      alice:send_octets(table.concat(alice.frames:fragments(publish(len), 4000, 4000)))
      alice:expect { wamp.PUBLISHED, 1, wamp.id }
      alice:send_octets(table.concat(alice.frames:fragments(publish(len + 1), 4000, 4000)))
      alice:expect_closed(1009)
    end)

    it("that only claims to be long is closed before it arrives", function()
      for _, claims in ipairs { 10001, 1 << 20, 1 << 40 } do
        local alice = peer.join()
        local kind = peer.codec.is_text and 1 or 2
        alice:send_octets(framing.ws_frame(kind, "[1", { claims = claims }))
        alice:expect_close_frame(1009)
      end
    end)
  end)

conformance.over_mixed("Without a session a message", {
  limits = { max_joining_message_size = 5000, close_timeout = "100ms" },
}, function(peer)
  local function hello(len)
    local function encode(padding)
      return peer.codec.encode(wamp.list { wamp.HELLO, "realm1",
        { roles = wamp.roles(), x = ("x"):rep(padding) } })
    end
    return encode(len - #encode(4000) + 4000)
  end

  it("may be as long as max_joining_message_size, and not longer", function()
    local alice = peer.connect()
    alice:send_payload(hello(5000))
    alice:expect { wamp.WELCOME, wamp.id, wamp.any }
    alice = peer.connect()
    alice:send_payload(hello(5001))
    alice:expect_closed(1009)
  end)

  it("is longer with a session, and not any more after it", function()
    local alice = peer.join()
    alice:publish_surely("com.x", { ("x"):rep(200000) })
    alice:goodbye()
    alice:send_payload(hello(5000))
    alice:expect { wamp.WELCOME, wamp.id, wamp.any }
    alice:publish_surely("com.x", { ("x"):rep(200000) })
    alice:goodbye()
    alice:send_payload(hello(5001))
    alice:expect_closed(1009)
  end)
end)

conformance.with_router("Connections", { limits = { max_connections = 4 } }, function(router)
  for _, transport in ipairs { "ws", "rawsocket" } do
    it(("over %s are refused beyond max_connections, and welcome when one is gone"):format(
      transport), function()
      local peer = conformance.peer(router, transport, "json")
      local open = {}
      local refused, why
      repeat
        open[#open + 1] = refused
        refused, why = peer.try_connect()
      until not refused
      assert.is_true(#open >= 4 // workers and #open <= 4)
      if transport == "ws" then
        assert.is_true(why == 503 or why == nil)
      else
        assert.is_true(why == "\x7f\x40\0\0" or why == nil)
      end
      wamp.close_all()
      assert(daemon.eventually(function() return peer.try_connect() end)):join("realm1")
    end)
  end
end)

conformance.with_router("Connections of one address", {
  limits = { max_connections_per_address = 3 },
}, function(router)
  it("are refused beyond the bound, those of a unix socket are not counted", function()
    local peer = conformance.peer(router, "rawsocket", "json")
    local count = 0
    while peer.try_connect() do
      count = count + 1
      assert.is_true(count <= 3 + workers - 1)
    end
    assert.is_true(count >= 3 // workers)
    local neighbour = conformance.peer(router, "unix", "json")
    for _ = 1, 5 do
      neighbour.join()
    end
  end)
end)

conformance.over_mixed("A realm with bounds", {
  realms = {
    realm1 = { policy = "open" },
    few_sessions = { policy = "open", max_sessions = 2 },
    few_things = {
      policy = "open", max_subscriptions = 2, max_registrations = 2, max_pending_calls = 2,
    },
  },
}, function(peer)
  it("has max_sessions, and says so", function()
    peer.realm = "few_sessions"
    local alice = assert(daemon.eventually(function()
      local connection = peer.connect()
      connection:send { wamp.HELLO, peer.realm, { roles = wamp.roles() } }
      return connection:receive()[1] == wamp.WELCOME and connection
    end))
    peer.join()
    local carol = peer.connect()
    carol:send { wamp.HELLO, peer.realm, { roles = wamp.roles() } }
    carol:expect_abort("wamp.error.not_authorized", "max_sessions")
    carol:expect_closed(1000)
    alice:goodbye()
    peer.join()
  end)

  it("has max_subscriptions", function()
    peer.realm = "few_things"
    local alice = peer.join()
    local first = peer.uri()
    local subscription = alice:subscribe(first)
    alice:subscribe(peer.uri())
    alice:send { wamp.SUBSCRIBE, 7, {}, peer.uri() }
    alice:expect_error(wamp.SUBSCRIBE, 7, "wamp.error.option_not_allowed")
    assert.equal(subscription, alice:subscribe(first))
    alice:unsubscribe(subscription)
    alice:subscribe(peer.uri())
  end)

  it("has max_registrations", function()
    peer.realm = "few_things"
    local alice = peer.join()
    local registration = alice:register(peer.uri())
    alice:register(peer.uri())
    alice:send { wamp.REGISTER, 7, {}, peer.uri() }
    alice:expect_error(wamp.REGISTER, 7, "wamp.error.option_not_allowed")
    alice:unregister(registration)
    alice:register(peer.uri())
  end)

  it("has max_pending_calls", function()
    peer.realm = "few_things"
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local first = bob:call(procedure)
    bob:call(procedure)
    local third = bob:call(procedure)
    bob:expect_error(wamp.CALL, third, "wamp.error.no_available_callee")
    alice:yield(alice:expect_invocation(registration))
    bob:expect_result(first)
    local fourth = bob:call(procedure)
    alice:expect_invocation(registration)
    alice:yield(alice:expect_invocation(registration))
    bob:expect_result(fourth)
  end)
end)

conformance.over({ "rawsocket", "unix", "rawsocket_tls" }, "A flood of RawSocket PINGs", {},
  function(peer)
    it("closes its sender", function()
      local alice = peer.join()
      alice:send_octets(framing.raw_frame(1, "x"):rep(1000))
      assert.is_nil((alice:receive()))
      alice:expect_closed()
    end)
  end)

conformance.over_mixed("A realm with strict URIs", { realm = { uri_check = "strict" } },
  function(peer)
    for uri, is_legal in pairs {
      ["com.myapp.topic1"] = true, ["com.myapp.Topic"] = false, ["com.my-app"] = false,
      ["com.müller"] = false, ["a_1.2"] = true, ["com..x"] = false,
    } do
      it(("%s %s"):format(is_legal and "takes" or "refuses", uri), function()
        local alice = peer.join()
        for _, request in ipairs {
          { wamp.SUBSCRIBE, 1, {}, uri },
          { wamp.REGISTER, 2, {}, uri .. (is_legal and ".n" .. math.random(1 << 40) or "") },
          { wamp.PUBLISH, 3, { acknowledge = true }, uri },
          { wamp.CALL, 4, {}, uri },
        } do
          alice:send(request)
          local message = alice:receive()
          local refused = message[5] == "wamp.error.invalid_uri"
          assert.equal(is_legal, not refused, wamp.show(message))
        end
      end)
    end
  end)

conformance.over_mixed("A realm with request ids that count up", {
  realms = {
    realm1 = { policy = "open" },
    strict = { policy = "open", request_id_check = "strict" },
    sequential = { policy = "open", request_id_check = "sequential" },
  },
}, function(peer)
  it("strictly wants 1 first, and then each one more", function()
    peer.realm = "strict"
    local alice = peer.join()
    alice:subscribe("com.x")
    alice:publish("com.x")
    alice:publish_surely("com.x")
    alice:send { wamp.SUBSCRIBE, 5, {}, "com.x" }
    alice:expect_violation()
    alice = peer.join()
    alice:send { wamp.SUBSCRIBE, 2, {}, "com.x" }
    alice:expect_violation()
  end)

  it("in sequence may begin anywhere", function()
    peer.realm = "sequential"
    local alice = peer.join()
    alice.last_id = (1 << 53) - 2
    alice:subscribe("com.x")
    alice:subscribe("com.y")
    alice:send { wamp.SUBSCRIBE, 1, {}, "com.z" }
    alice:expect { wamp.SUBSCRIBED, 1, wamp.id }
    alice:send { wamp.SUBSCRIBE, 1, {}, "com.z" }
    alice:expect_violation()
  end)
end)

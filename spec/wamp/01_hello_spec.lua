--- The way into a realm: HELLO, WELCOME, and every reason for ABORT.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

local function hello(details)
  return { wamp.HELLO, "realm1", details }
end

conformance.everywhere("HELLO", { realm_template = false }, function(peer)
  it("is answered by WELCOME with a session id and who one is", function()
    local alice = peer.connect()
    local session, details = alice:join("realm1")
    assert.is_true(session >= 1 and session <= 1 << 53)
    assert.equal("realm1", details.realm)
    assert.equal("anonymous", details.authrole)
    assert.equal("anonymous", details.authmethod)
    assert.equal("static", details.authprovider)
    assert.is_truthy(details.agent:find("^%S+$"))
  end)

  it("gives an anonymous session a generated authid", function()
    local _, first = peer.connect():join("realm1", { authid = "root" })
    local _, second = peer.connect():join("realm1")
    local group = "[345679ACEFGHJKLMNPQRSTUVWXY]"
    local pattern = "^" .. (group:rep(4) .. "%-"):rep(5) .. group:rep(4) .. "$"
    assert.is_truthy(first.authid:find(pattern))
    assert.is_truthy(second.authid:find(pattern))
    assert.not_equal(first.authid, second.authid)
  end)

  it("gives every session an id of its own", function()
    local seen = {}
    for _ = 1, 5 do
      local session = peer.connect():join("realm1")
      assert.is_nil(seen[session])
      seen[session] = true
    end
  end)

  it("tells the roles and features of the router", function()
    local _, details = peer.connect():join("realm1")
    local broker, dealer = details.roles.broker.features, details.roles.dealer.features
    assert.is_true(broker.pattern_based_subscription)
    assert.is_true(broker.publisher_exclusion)
    assert.is_true(broker.subscriber_blackwhite_listing)
    assert.is_true(dealer.pattern_based_registration)
    for _, features in ipairs { broker, dealer } do
      for _, value in pairs(features) do
        assert.is_true(value)
      end
    end
  end)

  for _, role in ipairs { "publisher", "subscriber", "caller", "callee" } do
    it("is enough with the role " .. role .. " alone", function()
      peer.connect():join("realm1", { roles = { [role] = {} } })
    end)
  end

  it("may name roles and features that nobody knows", function()
    peer.connect():join("realm1", {
      roles = {
        caller = { features = { teleportation = true, call_canceling = 1, call_timeout = "yes" } },
        janitor = 7,
      },
      x_unknown = wamp.list { 1, 2 },
      realm = 5,
      resumable = true,
    })
  end)

  it("may carry null for what is not said", function()
    peer.connect():join("realm1", {
      authid = wamp.null, authrole = wamp.null, authextra = wamp.null,
    })
  end)

  it("joins as anonymous when that is among several methods", function()
    local _, details = peer.connect():join("realm1", { authmethods = { "ticket", "anonymous" } })
    assert.equal("anonymous", details.authmethod)
    peer.connect():join("realm1", { authmethods = wamp.list {} })
  end)

  it("is refused when no method of authentication is common", function()
    local alice = peer.connect()
    alice:send(hello { roles = wamp.roles(), authmethods = { "ticket" }, authid = "joe" })
    alice:expect_abort("wamp.error.no_matching_auth_method")
    alice:expect_closed(1000)
  end)

  local bad_roles = {
    { "without roles", {} },
    { "with roles that are a list", { roles = { "caller" } } },
    { "with roles that are a text", { roles = "caller" } },
    { "with an empty dict of roles", { roles = wamp.dict {} } },
    { "with no role of a client", { roles = { broker = {} } } },
    { "with a role that is no dict", { roles = { caller = true } } },
    { "with features that are a list", { roles = { caller = { features = { "x" } } } } },
  }
  for _, row in ipairs(bad_roles) do
    it(row[1] .. " is a protocol violation", function()
      local alice = peer.connect()
      alice:send(hello(row[2]))
      alice:expect_violation()
    end)
  end

  local bad_types = {
    { "agent", 1 },
    { "authmethods", "anonymous" },
    { "authmethods", { 1 } },
    { "authid", 1 },
    { "authrole", true },
    { "authextra", "x" },
  }
  for _, row in ipairs(bad_types) do
    it(("with %s = %s is a violation that names the key"):format(row[1], wamp.show(row[2])),
      function()
        local alice = peer.connect()
        alice:send(hello { roles = wamp.roles(), [row[1]] = row[2] })
        alice:expect_violation(row[1])
      end)
  end

  local bad_realms = { "realm 1", "a..b", ".a", "a.", "a#b", "a\n", "a\0b", ("x"):rep(5000) }
  for _, realm in ipairs(bad_realms) do
    it(("to the realm %s is refused as an invalid URI"):format(wamp.show(realm:sub(1, 20))),
      function()
        local alice = peer.connect()
        alice:send { wamp.HELLO, realm, { roles = wamp.roles() } }
        alice:expect_abort("wamp.error.invalid_uri")
        alice:expect_closed(1000)
      end)
  end

  for _, realm in ipairs { "realm9", "", wamp.null } do
    it(("to the realm %s is refused: there is none"):format(wamp.show(realm)), function()
      local alice = peer.connect()
      alice:send { wamp.HELLO, realm, { roles = wamp.roles() } }
      alice:expect_abort("wamp.error.no_such_realm")
      alice:expect_closed(1000)
    end)
  end

  it("is checked for its roles before its realm", function()
    local alice = peer.connect()
    alice:send { wamp.HELLO, "a..b", {} }
    alice:expect_violation("roles")
  end)

  it("is checked for its realm's grammar before its method", function()
    local alice = peer.connect()
    alice:send { wamp.HELLO, "a..b", { roles = wamp.roles(), authmethods = { "ticket" } } }
    alice:expect_abort("wamp.error.invalid_uri")
  end)

  it("is checked for its realm before its method", function()
    local alice = peer.connect()
    alice:send { wamp.HELLO, "realm9", { roles = wamp.roles(), authmethods = { "ticket" } } }
    alice:expect_abort("wamp.error.no_such_realm")
  end)

  it("may arrive together with the first requests", function()
    local alice = peer.connect()
    local topic = peer.uri()
    alice:send_all {
      hello { roles = wamp.roles() },
      { wamp.SUBSCRIBE, 1, {}, topic },
      { wamp.CALL, 2, {}, topic },
    }
    alice:expect { wamp.WELCOME, wamp.id, wamp.any }
    alice:expect { wamp.SUBSCRIBED, 1, wamp.id }
    alice:expect_error(wamp.CALL, 2, "wamp.error.no_such_procedure")
  end)
end)

conformance.everywhere("A realm from the template", {}, function(peer)
  it("is made by the first HELLO, and shared by the next", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    assert.equal(peer.realm, alice.welcome.realm)
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:publish(topic, { 1 })
    alice:expect_event(subscription, { 1 })
  end)

  it("is apart from every other realm", function()
    local topic, procedure = peer.uri(), peer.uri()
    peer.fresh_realm()
    local alice = peer.join()
    alice:subscribe(topic)
    alice:register(procedure)
    peer.fresh_realm()
    local bob = peer.join()
    bob:publish_surely(topic)
    local request = bob:call(procedure)
    bob:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
    alice:expect_nothing()
  end)
end)

conformance.over({ "ws", "rawsocket" }, "A listener with a default realm", {
  address = { default_realm = "realm1" }, realm_template = false,
}, function(peer)
  for _, realm in ipairs { "", wamp.null } do
    it(("puts HELLO with the realm %s there"):format(wamp.show(realm)), function()
      local _, details = peer.connect():join(realm)
      assert.equal("realm1", details.realm)
    end)
  end
end)

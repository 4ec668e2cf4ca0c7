--- How a session begins: the lobby, HELLO and WELCOME.
-- SPDX-License-Identifier: MIT
local core = require "core"

local HELLO, WELCOME, ABORT = core.HELLO, core.WELCOME, core.ABORT

local function abort(peer, reason)
  return {
    { peer, { ABORT, core.including { message = core.text "." }, reason } },
    { peer, closed = 1000 },
  }
end

core.describe("HELLO", function(router)
  it("is answered by WELCOME, and then there is a session", function()
    local r = router()
    local alice = r:open()
    assert.actions({
      { alice, { WELCOME, core.id, core.any } },
      { alice, joined = core.any },
    }, alice:hello())
    assert.equal(1, r:counters().sessions)
    assert.equal(1, r:counters().joins)
  end)

  it("gets a session id that ACT_JOINED repeats and that lies in [1, 2^53]", function()
    local alice = router():open()
    local actions = alice:hello()
    assert.equal(actions[1][2][2], actions[2].joined)
    assert.is_true(alice.session >= 1 and alice.session <= 1 << 53)
  end)

  it("gets a WELCOME that says who the session is", function()
    local alice = router { agent = "house-1.0", anonymous_role = "guest" }:join()
    local is_match = require("matching").match({
      realm = "realm1", agent = "house-1.0", authid = core.text "^[%w-]+$", authrole = "guest",
      authmethod = "anonymous", authprovider = "static", roles = core.any,
    }, alice.welcome)
    assert.is_true(is_match, core.show(alice.welcome))
  end)

  it("gets a WELCOME without agent when none is configured", function()
    assert.is_nil(router():join().welcome.agent)
  end)

  it("gets a WELCOME with broker and dealer, whose features are true", function()
    local roles = router():join().welcome.roles
    for _, role in ipairs { "broker", "dealer" } do
      assert.is_true(roles[role].features.payload_passthru_mode)
      for name, is_on in pairs(roles[role].features) do
        assert.is_true(is_on, name)
      end
    end
    assert.is_true(roles.broker.features.publisher_exclusion)
    assert.is_true(roles.broker.features.subscriber_blackwhite_listing)
    assert.is_true(roles.broker.features.pattern_based_subscription)
    assert.is_true(roles.dealer.features.pattern_based_registration)
  end)

  it("hears of exactly the features that work", function()
    local roles = router():join().welcome.roles
    local function names(role)
      local list = {}
      for name in pairs(roles[role].features) do
        list[#list + 1] = name
      end
      table.sort(list)
      return list
    end
    assert.same({ "event_retention", "pattern_based_subscription", "payload_passthru_mode",
      "payload_transparency", "publication_trustlevels", "publisher_exclusion",
      "publisher_identification", "reflection", "session_meta_api", "sharded_subscription",
      "subscriber_blackwhite_listing", "subscription_meta_api", "subscription_revocation" },
      names "broker")
    assert.same({ "call_canceling", "call_reroute", "call_timeout", "call_trustlevels",
      "caller_identification", "pattern_based_registration", "payload_passthru_mode",
      "payload_transparency", "progressive_call_invocations", "progressive_call_results",
      "reflection", "registration_meta_api", "registration_revocation", "session_meta_api",
      "sharded_registration", "shared_registration", "testament_meta_api" }, names "dealer")
    assert.is_true(roles.broker.reflection)
    assert.is_true(roles.dealer.reflection)
  end)

  it("hears of event_history only where some is kept", function()
    local kept = { event_history = { { uri = "com.x" } } }
    assert.is_true(router(kept):join().welcome.roles.broker.features.event_history)
  end)

  it("hears of payload_transparency only where the router accepts it", function()
    local with, without = router():join(), router { ppt_compat = false }:join()
    for _, role in ipairs { "broker", "dealer" } do
      assert.is_true(with.welcome.roles[role].features.payload_transparency)
      assert.is_nil(without.welcome.roles[role].features.payload_transparency)
    end
  end)

  it("gives sessions different ids and identities", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    assert.not_equal(alice.session, bob.session)
    assert.not_equal(alice.welcome.authid, bob.welcome.authid)
  end)

  it("draws another session id when the first is taken", function()
    local r = router { taken_ids = 2 }
    local alice = r:join()
    local claimed, refused = r.raw:claimed_ids()
    assert.equal(1, claimed)
    assert.not_equal(refused, alice.session)
  end)

  it("gives the session id back when the session ends", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:drop()
    assert.equal(1, (r.raw:claimed_ids()))
    bob:send { core.ABORT, {}, "wamp.close.normal" }
    assert.equal(0, (r.raw:claimed_ids()))
  end)

  it("notes who came", function()
    local alice = router():open()
    local notes = alice:hello().notes
    assert.equal("joined", notes[1][2])
    assert.equal(alice.session, notes[1].session)
    assert.equal(alice.welcome.authid, notes[1].words)
  end)
end)

core.describe("The realm of HELLO", function(router)
  local function hello(peer, realm)
    return peer:send { HELLO, realm, { roles = { caller = {} } } }
  end

  it("must exist", function()
    local alice = router():open()
    assert.actions(abort(alice, "wamp.error.no_such_realm"), hello(alice, "realm2"))
  end)

  it("must be a URI", function()
    for _, realm in ipairs { "realm 1", "realm..1", "realm#1", "realm1.", ".realm1" } do
      local alice = router():open()
      assert.actions(abort(alice, "wamp.error.invalid_uri"), hello(alice, realm))
    end
  end)

  it("must be a strict URI where URIs are strict", function()
    local alice = router { strict_uris = true }:open()
    assert.actions(abort(alice, "wamp.error.invalid_uri"), hello(alice, "Realm1"))
  end)

  it("is the default realm of the listener when it is null or empty", function()
    for _, realm in ipairs { core.null, "" } do
      local alice = router():open { default_realm = "realm1" }
      local actions = hello(alice, realm)
      assert.equal("realm1", actions[1][2][3].realm)
    end
  end)

  it("must be named when the listener has no default realm", function()
    for _, realm in ipairs { core.null, "" } do
      local alice = router():open()
      assert.actions(abort(alice, "wamp.error.no_such_realm"), hello(alice, realm))
    end
  end)

  it("is not taken from the Details", function()
    local alice = router():open()
    alice:hello({ realm = 5 })
    assert.equal("realm1", alice.welcome.realm)
  end)
end)

core.describe("HELLO without permission", function(router)
  it("is refused when the realm is full", function()
    local r = router { max_sessions = 2 }
    local _, bob, carol = r:join(), r:join(), r:open()
    local actions = carol:hello()
    assert.actions(abort(carol, "wamp.error.not_authorized"), actions)
    assert.matches("max_sessions", actions[1][2][2].message)
    assert.equal("refused", actions.notes[1][2])
    assert.equal(1, r:counters().refusals)
    bob:drop()
    r:join()
  end)

  it("is refused when it offers other authentication methods only", function()
    local alice = router():open()
    assert.actions(abort(alice, "wamp.error.no_matching_auth_method"),
      alice:hello { authmethods = { "ticket", "wampcra" } })
  end)

  it("is accepted when anonymous is one of its methods, or it lists none", function()
    router():join { authmethods = { "ticket", "anonymous" } }
    router():join { authmethods = core.list {} }
  end)

  it("is refused when it asks for a role that anonymous sessions have not", function()
    local alice = router():open()
    assert.actions(abort(alice, "wamp.error.no_such_role"), alice:hello { authrole = "admin" })
  end)

  it("is accepted when it asks for the role of anonymous sessions, or for null", function()
    router { anonymous_role = "guest" }:join { authrole = "guest" }
    router():join { authrole = core.null, authid = core.null, authextra = core.null }
  end)

  it("does not choose its authid", function()
    assert.not_equal("root", router():join { authid = "root" }.welcome.authid)
  end)
end)

local bad_details = {
  { "without roles", {}, "roles" },
  { "with roles that are no dict", { roles = "caller" }, "roles" },
  { "with roles that are a list", { roles = { "caller" } }, "roles" },
  { "with no role of ours", { roles = { broker = {} } }, "roles" },
  { "with empty roles", { roles = {} }, "roles" },
  { "with a role that is no dict", { roles = { caller = true } }, "roles%.caller" },
  { "with features that are no dict", { roles = { callee = { features = { "x" } } } }, "features" },
  { "with an authid that is no string", { authid = 5 }, "authid" },
  { "with an authrole that is no string", { authrole = true }, "authrole" },
  { "with authmethods that are no list", { authmethods = "anonymous" }, "authmethods" },
  { "with an authmethod that is no string", { authmethods = { 1 } }, "authmethods" },
  { "with authextra that is no dict", { authextra = "x" }, "authextra" },
  { "with an agent that is no string", { agent = 1 }, "agent" },
}

core.describe("HELLO.Details", function(router)
  for _, row in ipairs(bad_details) do
    it(row[1] .. " are a protocol violation", function()
      local alice = router():open()
      local details = row[2]
      if details.roles == nil and row[3] ~= "roles" then
        details.roles = { caller = {} }
      end
      assert.actions(core.violation(alice, row[3]), alice:send { HELLO, "realm1", details })
    end)
  end

  it("are judged before the realm", function()
    local alice = router():open()
    assert.actions(core.violation(alice, "roles"), alice:send { HELLO, "no realm", {} })
  end)

  it("may have unknown roles, features and keys", function()
    router():join {
      roles = { caller = { features = { call_teleportation = true, x = 5 } }, conductor = 7 },
      x_anything = { 1, { a = core.null } }, resumable = 5, transport = "mine",
    }
  end)

  it("switch a feature on with true only", function()
    for _, yes in ipairs { 1, "true", core.null, false } do
      local r = router()
      local features = { payload_passthru_mode = yes }
      local alice = r:join { roles = { publisher = { features = features } } }
      assert.actions(core.violation(alice, "ppt_scheme"),
        alice:publish("com.x", nil, nil, { ppt_scheme = "mqtt" }))
    end
  end)

  it("are accepted with any single role", function()
    for _, role in ipairs { "publisher", "subscriber", "caller", "callee" } do
      router():join { roles = { [role] = {} } }
    end
  end)
end)

local before_hello = {
  { core.WELCOME, 1, {} }, { core.CHALLENGE, "ticket", {} }, { core.AUTHENTICATE, "x", {} },
  { core.GOODBYE, {}, "wamp.close.close_realm" }, { core.ERROR, 68, 1, {}, "com.error" },
  { core.ERROR, 48, 1, {}, "com.error" }, { core.PUBLISH, 1, {}, "com.x" },
  { core.PUBLISHED, 1, 1 }, { core.SUBSCRIBE, 1, {}, "com.x" }, { core.SUBSCRIBED, 1, 1 },
  { core.UNSUBSCRIBE, 1, 1 }, { core.UNSUBSCRIBED, 1 }, { core.EVENT, 1, 1, {} },
  { core.EVENT_RECEIVED, 1 }, { core.CALL, 1, {}, "com.x" }, { core.CANCEL, 1, {} },
  { core.RESULT, 1, {} }, { core.REGISTER, 1, {}, "com.x" }, { core.REGISTERED, 1, 1 },
  { core.UNREGISTER, 1, 1 }, { core.UNREGISTERED, 1 }, { core.INVOCATION, 1, 1, {} },
  { core.INTERRUPT, 1, {} }, { core.YIELD, 1, {} }, { 7 }, { 99 }, { 255, 1 }, { 1024, 1 },
  { HELLO }, { HELLO, "realm1" }, { HELLO, 5, {} }, { HELLO, "realm1", "roles" },
  { HELLO, "realm1", {}, {} }, { "HELLO" }, { -1 },
}

core.describe("In the lobby", function(router, codec)
  for _, message in ipairs(before_hello) do
    it(core.show(message) .. " is a protocol violation", function()
      local r = router()
      local alice = r:open()
      assert.actions(core.violation(alice), alice:send(message))
      assert.equal(0, r:counters().sessions)
    end)
  end

  it("an empty list, a dict and no bytes at all are protocol violations", function()
    for _, message in ipairs { core.list {}, { a = 1 } } do
      local alice = router():open()
      assert.actions(core.violation(alice),
        alice:send_octets(core.codecs[codec].encode(message)))
    end
    local bob = router():open()
    assert.actions(core.violation(bob), bob:send_octets "")
  end)

  it("ABORT closes the connection and is not answered", function()
    local alice = router():open()
    assert.actions({ { alice, closed = 1000 } },
      alice:send { ABORT, {}, "wamp.error.cannot_authenticate" })
  end)

  it("what comes after the connection was told to close is not read", function()
    local alice = router():open()
    alice:send { 7 }
    assert.actions({}, alice:hello())
  end)

  it("a connection that breaks is no event for anybody", function()
    assert.actions({}, router():open():drop())
  end)
end)

describe("Text that is not UTF-8 before HELLO", function()
  it("closes a connection that speaks JSON with 1007", function()
    local alice = core.router { codec = "json" }:open()
    assert.actions(core.violation(alice, nil, 1007), alice:send_octets '[1,"\xff",{}]')
  end)

  it("closes others with 1002", function()
    local alice = core.router { codec = "msgpack" }:open()
    assert.actions(core.violation(alice), alice:send_octets "\x93\x01\xa1\xff\x80")
  end)
end)

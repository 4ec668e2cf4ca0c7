--- Sessions of the router's own code: they come in at once, and no rule is for them.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local CALL, PUBLISH, REGISTER = core.CALL, core.PUBLISH, core.REGISTER
local EVENT, INVOCATION, RESULT, WELCOME = core.EVENT, core.INVOCATION, core.RESULT, core.WELCOME

--- A session of the router's own code.
local function trusted(r, details)
  return r:join(details, { is_trusted = true })
end

--- Nobody may do anything, but be asked about "ask.**".
local nothing = { rules = { { name = "anonymous", rules = {
  { effect = "ask", actions = "*", uri = "ask.**" } } } } }

core.describe("A trusted session", function(router)
  it("is welcome at once where others are asked about", function()
    local r = router(asking.join { rules = nothing.rules })
    local peer = r:open { is_trusted = true }
    local actions = peer:hello()
    assert.actions({
      { peer, { WELCOME, core.id, core.including { authid = "policy", authrole = "trusted",
        authmethod = "internal", authprovider = "policy" } } },
      { peer, joined = peer.session },
    }, actions)
  end)

  it("is who it says it is", function()
    local peer = trusted(router(), { authid = "tasks", authrole = "clock" })
    assert.equal("tasks", peer.welcome.authid)
    assert.equal("clock", peer.welcome.authrole)
  end)

  it("needs a HELLO that is one", function()
    local r = router()
    local peer = r:open { is_trusted = true }
    assert.actions({
      { peer, { core.ABORT, core.any, "wamp.error.protocol_violation" } }, { peer, closed = 1002 },
    }, peer:send { core.HELLO, "realm1", {} })
  end)

  it("is not counted among those that fill a realm", function()
    local r = router { max_sessions = 1 }
    local one = trusted(r)
    local alice = r:join()
    trusted(r)
    local bob = r:open()
    assert.equal(core.ABORT, bob:hello()[1][2][1])
    alice:drop()
    one:drop()
    r:join()
    assert.equal(2, r:counters().sessions)
  end)

  it("does what no rule allows, and nobody is asked", function()
    local r = router(nothing)
    local peer, other = trusted(r), trusted(r)
    for _, uri in ipairs { "com.x", "ask.x" } do
      local subscription, registration = other:subscribe(uri), other:register(uri)
      assert.actions({ { other, { EVENT, subscription, core.id, core.any } } }, peer:publish(uri))
      assert.actions({ { other, { INVOCATION, core.id, registration, core.any } } },
        peer:call(uri))
    end
  end)

  it("does not make rules void for others", function()
    local r = router(nothing)
    local alice = r:join()
    trusted(r):register "com.x"
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.not_authorized") } },
      alice:call "com.x")
  end)

  it("is bound by none of the limits of a session", function()
    local r = router { max_subscriptions = 1, max_registrations = 1, max_pending_calls = 1,
      callee_max_pending = 1 }
    local peer = trusted(r)
    for i = 1, 3 do
      peer:subscribe("com.topic" .. i)
      peer:register("com.procedure" .. i)
    end
    for i = 1, 3 do
      assert.equal(INVOCATION, peer:call("com.procedure" .. i)[1][2][1])
    end
  end)

  it("is an administrator", function()
    local r = router()
    local alice, peer = r:join(), trusted(r)
    assert.actions({
      { alice, { core.GOODBYE, {}, "wamp.close.killed" } },
      { peer, { RESULT, 1, {} } },
    }, peer:call("wamp.session.kill", { alice.session }))
  end)

  it("is seen like any other", function()
    local r = router()
    local alice = meta.follow(r:join(), { "wamp.session.on_join", "wamp.session.on_leave" })
    local peer = r:open { is_trusted = true }
    assert.heard({ { "wamp.session.on_join", core.including { authid = "policy",
      authrole = "trusted", authmethod = "internal", session = core.id } } }, alice, peer:hello())
    assert.equal(2, meta.one(alice, "wamp.session.count"))
    assert.like(core.including { authrole = "trusted" },
      meta.one(alice, "wamp.session.get", { peer.session }))
    assert.heard({ { "wamp.session.on_leave", peer.session, "policy", "trusted" } }, alice,
      peer:drop())
  end)

  it("cannot be killed", function()
    local r = router { anonymous_admin = true }
    local alice, peer = r:join(), trusted(r)
    meta.refused(alice, "wamp.error.no_such_session", "wamp.session.kill", { peer.session })
    assert.like(core.list {}, meta.one(alice, "wamp.session.kill_by_authid", { "policy" }))
    assert.equal(0, meta.one(alice, "wamp.session.kill_by_authrole", { "trusted" }))
    assert.equal(0, meta.one(alice, "wamp.session.kill_all"))
    peer:subscribe "com.x"
  end)

  it("leaves like any other when the realm closes", function()
    local r = router()
    local peer = trusted(r)
    assert.actions({ { peer, { core.GOODBYE, {}, "wamp.close.close_realm" } } }, r:close_realm())
  end)

  it("is told who calls, whatever was asked for", function()
    local hidden = { rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "*", uri = "**", disclose = false } } } } }
    for _, options in ipairs { {}, { disclose_caller = "never" }, hidden } do
      local r = router(options)
      local alice, peer = r:join(), trusted(r)
      local id = peer:register "com.x"
      assert.actions({ { peer, { INVOCATION, 1, id, { caller = alice.session,
        caller_authid = alice.welcome.authid, caller_authrole = "anonymous" } } } },
        alice:call "com.x")
    end
  end)
end)

core.describe("Reserved names", function(router)
  it("are open to trusted sessions, but those of the protocol", function()
    local peer = trusted(router())
    for i, uri in ipairs { "wamp", "wamp.x", "wamp.session.on_join" } do
      assert.actions({ { peer, core.failure(REGISTER, 2 * i - 1, "wamp.error.invalid_uri") } },
        peer:send { REGISTER, peer:next_request(), {}, uri })
      assert.actions({ { peer, core.failure(PUBLISH, 2 * i, "wamp.error.invalid_uri") } },
        peer:publish(uri, nil, nil, { acknowledge = true }))
    end
    peer:register "nexus"
    peer:register "nexus.x"
    peer:register("nexus.y", { match = "prefix" })
  end)

  it("are called by administrators when they are registered so", function()
    local r = router { anonymous_admin = true }
    local alice, peer = r:join(), trusted(r)
    local exact, prefix = peer:register "nexus.x", peer:register("nexus.y", { match = "prefix" })
    alice:register("", { match = "prefix" })
    alice:register(".z", { match = "wildcard" })
    assert.actions({ { peer, { INVOCATION, 1, exact, core.any, { 1 } } } },
      alice:call("nexus.x", { 1 }))
    assert.actions({ { alice, { RESULT, alice.last_request, {}, { 2 } } } }, peer:yield(1, { 2 }))
    assert.actions({ { peer, { INVOCATION, 2, prefix, core.any } } }, alice:call "nexus.y.a")
    assert.actions({ { alice, core.failure(CALL, alice.last_request + 1,
      "wamp.error.no_such_procedure") } }, alice:call "nexus.z")
    assert.equal(exact, meta.one(alice, "wamp.registration.match", { "nexus.x" }))
    assert.like(core.null, meta.one(alice, "wamp.registration.match", { "nexus.z" }))
  end)

  it("are limited as all others when they are called", function()
    local r = router { max_pending_calls = 1, anonymous_admin = true }
    local alice = r:join()
    trusted(r):register "nexus.x"
    alice:call "nexus.x"
    assert.actions({ { alice, core.failure(CALL, 2, "wamp.error.no_available_callee") } },
      alice:call "nexus.x")
  end)

  it("are called by others when a rule means them", function()
    local r = router { rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "*", uri = "**" },
      { effect = "allow", actions = "call", uri = "nexus.x" } } } } }
    local alice, peer = r:join(), trusted(r)
    local id = peer:register "nexus.x"
    peer:register "nexus.y"
    assert.actions({ { peer, { INVOCATION, 1, id, core.any } } }, alice:call "nexus.x")
    assert.actions({ { alice, core.failure(CALL, 2, "wamp.error.not_authorized") } },
      alice:call "nexus.y")
  end)

  it("are heard by others when they are published", function()
    local r = router()
    local alice, peer = r:join(), trusted(r)
    local id = alice:subscribe "nexus.x"
    assert.actions({ { peer, { core.PUBLISHED, 1, core.id } },
      { alice, { EVENT, id, core.id, {}, { 5 } } } },
      peer:publish("nexus.x", { 5 }, nil, { acknowledge = true }))
  end)

  it("may be in the testament of a trusted session", function()
    local r = router()
    local alice, peer = r:join(), trusted(r)
    local id = alice:subscribe "nexus.x"
    peer:call("wamp.session.add_testament", { "nexus.x", core.list { 7 }, {} })
    assert.actions({ { alice, { EVENT, id, core.id, {}, { 7 }, core.rest } } }, peer:drop())
  end)

  it("of the configuration are open to trusted sessions as well", function()
    local r = router { reserved_prefixes = { "wamp", "com.house" } }
    local alice, peer = r:join(), trusted(r)
    peer:register "com.house.x"
    assert.actions({ { alice, core.failure(REGISTER, 1, "wamp.error.invalid_uri") } },
      alice:send { REGISTER, 1, {}, "com.house.y" })
  end)
end)

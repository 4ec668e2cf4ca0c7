--- What a policy sets, keeps and sees of sessions, and how it ends them.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local list, null = core.list, core.null
local GOODBYE, ABORT = core.GOODBYE, core.ABORT
local invalid_argument = meta.invalid_argument

core.describe("A policy that sets attributes", function(router, codec)
  local function get(boss, peer)
    return (meta.one(boss, "wamp.session.get", { peer.session }))
  end

  it("adds, replaces and removes them", function()
    local r = router()
    local boss, alice = r:join(), r:join { org = "acme", level = 3 }
    local before = get(boss, alice)
    assert.actions({}, (r:set(alice, { org = "other", level = null, teams = list { "a", 2 },
      nothing = null }, codec)))
    before.org, before.level, before.teams = "other", nil, list { "a", 2 }
    assert.like(before, get(boss, alice))
  end)

  it("changes who gets an event at once", function()
    local r = router()
    local boss, alice = r:join(), r:join { org = "acme" }
    alice:subscribe "com.x"
    local function got(org)
      return #boss:publish("com.x", {}, nil, { eligible_org = list { org } })
    end
    assert.equal(1, got "acme")
    r:set(alice, { org = "other" })
    assert.equal(0, got "acme")
    assert.equal(1, got "other")
    r:set(alice, { org = null })
    assert.equal(0, got "other")
  end)

  it("changes what rules with {session.x} allow", function()
    local r = router { rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "subscribe", uri = "com.{session.org}.**" } } } } }
    local alice = r:join { org = "acme" }
    alice:subscribe "com.acme.x"
    r:set(alice, { org = "other" })
    alice:subscribe "com.other.x"
    assert.equal(meta.not_authorized, asking.told(alice,
      alice:send { core.SUBSCRIBE, 3, {}, "com.acme.x" }))
  end)

  it("is told what it may not set, and then nothing has changed", function()
    local r = router()
    local boss, alice = r:join(), r:join { org = "acme" }
    local before = get(boss, alice)
    for _, key in ipairs { "session", "authid", "authrole", "authmethod", "authprovider",
      "transport", "realm", "roles" } do
      local actions, words, uri = r:set(alice, { org = "other", [key] = "x" }, codec)
      assert.actions({}, actions)
      assert.matches(key, words)
      assert.equal(invalid_argument, uri)
    end
    local _, words, uri = r:set(alice, { long = ("x"):rep(4096) })
    assert.matches("4096 bytes", words)
    assert.equal(invalid_argument, uri)
    assert.like(before, get(boss, alice))
    alice:drop()
    _, words, uri = r:set(alice, { org = "other" })
    assert.matches("has ended", words)
    assert.equal(meta.no_such_session, uri)
  end)
end)

core.describe("Attributes that are not exposed", function(router)
  local function shown(all)
    return { org = all.org, team = all.team, agent = all.agent }
  end

  it("are not told by the meta API, but match filters", function()
    local r = router { expose = { "team" } }
    local boss, alice = r:join(), r:open()
    boss:subscribe "wamp.session.on_join"
    local actions = alice:hello { org = "acme", team = "red", agent = "x" }
    assert.same({ team = "red" }, shown(boss:first(actions, core.EVENT)[5][1]))
    local all = meta.one(boss, "wamp.session.get", { alice.session })
    assert.same({ team = "red" }, shown(all))
    assert.equal("realm1", all.realm)
    assert.equal(alice.session, all.session)
    alice:subscribe "com.x"
    assert.equal(1, #boss:publish("com.x", {}, nil, { eligible_org = list { "acme" } }))
    assert.equal("acme", r:look(alice).details.org)
  end)

  it("are others when the policy is another one", function()
    local r = router { expose = {} }
    local boss, alice = r:join(), r:join { org = "acme", team = "red" }
    assert.same({}, shown(meta.one(boss, "wamp.session.get", { alice.session })))
    r:renew { expose = { "org", "team" } }
    assert.same({ org = "acme", team = "red" },
      shown(meta.one(boss, "wamp.session.get", { alice.session })))
    r:renew { expose = { "org" } }
    assert.same({ org = "acme" }, shown(meta.one(boss, "wamp.session.get", { alice.session })))
    r:renew {}
    assert.same({ org = "acme", team = "red" },
      shown(meta.one(boss, "wamp.session.get", { alice.session })))
  end)
end)

core.describe("A policy that looks", function(router, codec)
  it("sees who a session is", function()
    local r = router(asking.join { wall = 1700000000000 })
    r:advance(5)
    local alice = asking.enter(r, { authid = "alice", authrole = "user", authprovider = "db",
      attributes = { org = "acme" }, trustlevel = 4 })
    local look = r:look(alice)
    assert.equal(alice.session, look.id)
    assert.equal(alice, look.peer)
    assert.same({ "alice", "user", "ticket", "db", 4, 1700000000005, false },
      { look.authid, look.authrole, look.authmethod, look.authprovider, look.trustlevel,
        look.joined, look.is_trusted })
    assert.equal(15, look.roles)
    assert.equal("acme", look.details.org)
    alice:drop()
    assert.is_nil(r:look(alice))
  end)

  it("keeps what it likes with a session, and nobody else sees it", function()
    local r = router()
    local boss, alice = r:join(), r:join()
    assert.is_nil(r:look(alice).vars)
    assert.is_true(r:set_vars(alice, { hidden = list { 1, "é" } }, codec))
    assert.like({ hidden = list { 1, "é" } }, r:look(alice).vars)
    assert.is_true(r:set_vars(alice, { other = true }, codec))
    assert.like({ other = true }, r:look(alice).vars)
    assert.is_nil((meta.one(boss, "wamp.session.get", { alice.session })).other)
    r:renew { recheck = true }
    assert.like({ other = true }, r:look(alice).vars)
    local done, why = r:set_vars(alice, { long = ("x"):rep(16384) })
    assert.is_false(done)
    assert.equal("too long", why)
    assert.like({ other = true }, r:look(alice).vars)
    alice:drop()
    assert.is_false((r:set_vars(alice, {})))
  end)

  it("finds sessions by any of their attributes", function()
    local r = router(asking.join())
    local a = asking.enter(r, { authid = "a",
      attributes = { level = 3, teams = list { "x", "y" } } })
    local b = asking.enter(r, { authid = "b",
      attributes = { level = "3", teams = list { "y" } } })
    local c = asking.enter(r, { authid = "c", authrole = "boss", attributes = { vip = true } })
    local function found(wanted)
      local ids, names = r:find("sessions", wanted), {}
      for i, id in ipairs(ids) do
        names[i] = id == a.session and "a" or id == b.session and "b" or id == c.session and "c"
      end
      table.sort(names)
      return table.concat(names)
    end
    assert.equal("abc", found {})
    assert.equal("b", found { authid = "b" })
    assert.equal("ab", found { authrole = "user" })
    assert.equal("a", found { level = 3 })
    assert.equal("b", found { level = "3" })
    assert.equal("ab", found { teams = "y" })
    assert.equal("a", found { teams = "y", level = 3 })
    assert.equal("c", found { vip = true })
    assert.equal("", found { vip = false })
    assert.equal("", found { nothing = 1 })
  end)

  it("sees who would hear and answer", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local exact, prefix = alice:subscribe "com.x", bob:subscribe("com", { match = "prefix" })
    alice:subscribe "com.y"
    local callee = bob:register("com.", { match = "prefix", invoke = "roundrobin" })
    alice:register("com.", { match = "prefix", invoke = "roundrobin" })
    assert.same({ { session = alice.session, id = exact, match = "exact", uri = "com.x" },
      { session = bob.session, id = prefix, match = "prefix", uri = "com" } },
      r:find("subscribers", "com.x"))
    assert.same({ { session = bob.session, id = callee, match = "prefix", uri = "com." },
      { session = alice.session, id = callee, match = "prefix", uri = "com." } },
      r:find("callees", "com.z"))
    assert.same({}, r:find("callees", "org.z"))
    assert.same({}, r:find("subscribers", "org.z"))
    assert.same({}, r:find("subscribers", "not..valid"))
    assert.same({}, r:find("callees", ""))
  end)

  it("sees what is retained, newest first, until it has seen enough", function()
    local r = router()
    local alice = r:join()
    assert.same({}, r:find("retained", "com.x"))
    for i = 1, 4 do
      alice:publish("com.x", { i }, nil, { retain = true,
        eligible = i > 1 and list { alice.session } or nil })
    end
    local all = r:find("retained", "com.x")
    assert.equal(2, #all)
    assert.equal(alice.session, all[1].publisher)
    assert.like(list { 4 }, alice.serializer.decode(all[1].args))
    assert.like(list { 3 }, alice.serializer.decode(all[2].args))
  end)
end)

core.describe("A policy that ends a session", function(router)
  it("says GOODBYE with its reason and words", function()
    local r = router()
    local alice = r:join()
    alice:subscribe "com.x"
    assert.actions({ { alice, { GOODBYE, { message = "bye" }, "com.reason" } } },
      r:finish(alice, "com.reason", "bye"))
    assert.equal(0, r:counters().subscriptions)
    assert.actions({ { alice, closed = 1000 } }, r:advance(5000))
    assert.actions({}, r:finish(alice, "com.reason"))
  end)

  it("or ABORT, and nothing more", function()
    local r = router()
    local alice = r:join()
    assert.actions({ { alice, { ABORT, { message = "out" }, "com.reason" } },
      { alice, closed = 1000 } }, r:finish(alice, "com.reason", "out", true))
    assert.is_nil(r:look(alice))
    assert.is_nil(r:wakes_in())
  end)

  it("does not end those of the router's own code", function()
    local r = router()
    local own = r:join({}, { is_trusted = true })
    assert.actions({}, r:finish(own, "com.reason"))
    assert.actions({}, r:finish(own, "com.reason", nil, true))
    assert.is_true(r:look(own).is_trusted)
  end)

  it("is told what it was, in every way that a session ends", function()
    local ways = {
      ["wamp.close.transport_lost"] = function(_, alice) return alice:drop() end,
      ["wamp.close.normal"] = function(_, alice)
        return alice:send { GOODBYE, {}, "wamp.close.normal" }
      end,
      ["com.reason"] = function(r, alice) return r:finish(alice, "com.reason") end,
      ["com.abort"] = function(r, alice) return r:finish(alice, "com.abort", nil, true) end,
      ["wamp.error.protocol_violation"] = function(_, alice) return alice:send { 36, 1, 1, {} } end,
      ["wamp.close.close_realm"] = function(r) return r:close_realm() end,
    }
    for reason, leave in pairs(ways) do
      local r = router { tells_left = true }
      local alice = r:join { org = "acme" }
      r:set_vars(alice, { x = 1 })
      r:set(alice, { org = "other" })
      local look = r:look(alice)
      local left = leave(r, alice).left
      assert.equal(1, #left)
      assert.equal(reason, left[1].reason)
      look.reason = reason
      assert.like(look.details, left[1].details)
      assert.like(look.vars, left[1].vars)
      look.details, look.vars, left[1].details, left[1].vars = nil, nil, nil, nil
      assert.same(look, left[1])
    end
  end)

  it("is told nothing if it does not ask", function()
    local r = router()
    assert.same({}, r:join():drop().left)
  end)
end)

describe("Attributes of many sessions", function()
  it("are what was set last", function()
    for seed = 1, 20 do
      math.randomseed(seed)
      local random = math.random
      local r = core.router { codec = "cbor", seed = seed }
      local peers, model = {}, {}
      for i = 1, 5 do
        peers[i] = r:join { a1 = i }
        model[i] = { a1 = i }
      end
      for _ = 1, 100 do
        local i = random(5)
        local key = "a" .. random(3)
        local value = ({ null, random(3), tostring(random(3)), true })[random(4)]
        r:set(peers[i], { [key] = value }, core.codec_names[random(3)])
        model[i][key] = value ~= null and value or nil
        local name, wanted = "a" .. random(3), ({ random(3), tostring(random(3)), true })[random(3)]
        local expected = {}
        for k = 1, 5 do
          expected[#expected + 1] = model[k][name] == wanted and peers[k].session or nil
        end
        local found = r:find("sessions", { [name] = wanted })
        table.sort(expected)
        table.sort(found)
        assert.same(expected, found)
      end
    end
  end)
end)

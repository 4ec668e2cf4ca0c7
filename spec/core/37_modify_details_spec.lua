--- wamp.session.modify_details: what is said of a session changes while it lives.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"

local list, null = core.list, core.null
local modify = "wamp.session.modify_details"
local enabled = { anonymous_admin = true, enable_modify_details = true }

core.describe("wamp.session.modify_details", function(router)
  local function scene(options, details)
    local r = router(options or enabled)
    local boss, alice = r:join(), r:join(details or { agent = "red-1.0", team = "one", level = 5 })
    return boss, alice, r
  end

  --- What wamp.session.get tells of alice, of these keys.
  local function get(boss, alice, ...)
    local all, some = meta.one(boss, "wamp.session.get", { alice.session }), {}
    for _, key in ipairs { ... } do
      some[key] = all[key]
    end
    return some
  end

  it("does not exist where it is not enabled", function()
    for _, options in ipairs { {}, { anonymous_admin = true } } do
      local boss, alice = scene(options)
      meta.refused(boss, meta.no_such_procedure, modify, { alice.session, { team = "two" } })
      assert.like({ team = "one" }, get(boss, alice, "team"))
    end
  end)

  it("is for administrators only", function()
    local boss, alice = scene { enable_modify_details = true }
    meta.refused(boss, meta.not_authorized, modify, { alice.session, { team = "two" } })
    meta.refused(alice, meta.not_authorized, modify, { alice.session, { team = "two" } })
    assert.like({ team = "one" }, get(boss, alice, "team"))
  end)

  it("sets what has a value, removes what is null, leaves the rest", function()
    local boss, alice = scene()
    local before = meta.one(boss, "wamp.session.get", { alice.session })
    local nested = { a = list { 1, "é", 1.5, true, null }, b = {} }
    meta.done(boss, modify, { alice.session, { team = "two", level = null, shoes = nested,
      nothing = null, flag = false } })
    before.team, before.level, before.shoes, before.flag = "two", nil, nested, false
    assert.like(before, (meta.one(boss, "wamp.session.get", { alice.session })))
  end)

  it("may be done again and again, and about oneself", function()
    local boss = scene()
    for i = 1, 100 do
      meta.done(boss, modify, { boss.session, { turn = i, agent = "blue" } })
    end
    assert.like({ turn = 100, agent = "blue" }, get(boss, boss, "turn", "agent"))
    meta.done(boss, modify, { boss.session, { turn = null, agent = null } })
    assert.like({}, get(boss, boss, "turn", "agent"))
  end)

  it("takes an empty delta, surplus arguments and keywords", function()
    local boss, alice = scene()
    local before = meta.one(boss, "wamp.session.get", { alice.session })
    meta.done(boss, modify, { alice.session, {}, { team = "two" }, 7 }, { surplus = 1 })
    assert.like(before, (meta.one(boss, "wamp.session.get", { alice.session })))
  end)

  it("changes nobody else, and nothing of the next session of the same peer", function()
    local boss, alice, r = scene()
    local bob = r:join { team = "one" }
    meta.done(boss, modify, { alice.session, { team = "two" } })
    assert.like({ team = "one" }, get(boss, bob, "team"))
    alice:send { core.GOODBYE, {}, "wamp.close.close_realm" }
    alice:hello { team = "one" }
    assert.like({ team = "one" }, get(boss, alice, "team"))
  end)

  it("is read in any serializer", function()
    for _, codec in ipairs(core.codec_names) do
      local boss, alice, r = scene()
      local value = { a = list { 1, 1.5, "é", core.binary "\0\255", null } }
      meta.done(r:join(nil, { codec = codec }), modify, { alice.session, { x = value } })
      assert.like({ x = value }, get(boss, alice, "x"))
    end
  end)

  it("is at once what filters go by", function()
    local boss, alice = scene()
    alice:subscribe "com.x"
    local function gets(options)
      return alice:first(boss:publish("com.x", nil, nil, options), core.EVENT) ~= nil
    end
    local two = { eligible_team = { "two" } }
    assert.is_false(gets(two))
    meta.done(boss, modify, { alice.session, { team = "two" } })
    assert.is_true(gets(two))
    assert.is_false(gets { exclude_team = { "two" } })
    meta.done(boss, modify, { alice.session, { team = list { "three", "two" } } })
    assert.is_true(gets(two))
    meta.done(boss, modify, { alice.session, { team = null } })
    assert.is_false(gets(two))
    assert.is_true(gets { exclude_team = { "one", "two", "three" } })
    meta.done(boss, modify, { alice.session, { shoes = 46, agent = "blue" } })
    assert.is_true(gets { eligible_shoes = { 46 }, eligible_agent = { "blue" } })
    assert.is_false(gets { exclude_agent = { "blue" } })
    assert.is_false(gets { eligible_agent = { "red-1.0" } })
  end)

  it("is what filters go by, and hidden from get, where meta_strict is on", function()
    local boss, alice = scene { anonymous_admin = true, enable_modify_details = true,
      meta_strict = true }
    alice:subscribe "com.x"
    meta.done(boss, modify, { alice.session, { team = "two" } })
    assert.like({}, get(boss, alice, "team"))
    assert.is_truthy(alice:first(
      boss:publish("com.x", nil, nil, { eligible_team = { "two" } }), core.EVENT))
  end)

  local protected = {
    session = 5, authid = "root", authrole = "root", authmethod = "ticket", authprovider = "me",
    realm = "realm2", roles = { caller = {} }, transport = { type = "pigeon" },
  }

  for key, value in pairs(protected) do
    it("does not touch " .. key .. ", nor anything else then", function()
      local boss, alice = scene()
      local before = meta.one(boss, "wamp.session.get", { alice.session })
      for _, wish in ipairs { value, null, before[key] or "x" } do
        local text = meta.refused(boss, meta.invalid_argument, modify,
          { alice.session, { team = "two", new = 1, [key] = wish } })
        assert.matches(key, text, 1, true)
      end
      assert.like(before, (meta.one(boss, "wamp.session.get", { alice.session })))
    end)
  end

  it("refuses what is no id, and a delta that is no dict", function()
    local boss, alice = scene()
    meta.refused(boss, meta.invalid_argument, modify)
    meta.refused(boss, meta.invalid_argument, modify, { alice.session })
    meta.refused(boss, meta.invalid_argument, modify, nil,
      { session = alice.session, delta = { team = "two" } })
    meta.refused_at(boss, meta.invalid_argument, modify, { 1, { team = "two" } }, 1, meta.no_ids)
    meta.refused_at(boss, meta.invalid_argument, modify, { alice.session, {} }, 2,
      { null, 5, "team", true, 1.5, list {}, list { { team = "two" } }, core.binary "x" })
    assert.like({ team = "one" }, get(boss, alice, "team"))
  end)

  it("knows nobody who has left, is leaving, or never was", function()
    local boss, alice, r = scene()
    local bob = r:join()
    bob:drop()
    meta.done(boss, "wamp.session.kill", { alice.session })
    for _, id in ipairs { alice.session, bob.session, 1, 1 << 53 } do
      meta.refused(boss, meta.no_such_session, modify, { id, { team = "two" } })
    end
  end)

  it("keeps to the bounds of what HELLO may say", function()
    local boss, alice = scene(nil, { team = "one" })
    for i = 1, 100 do
      boss:call(modify, { alice.session, { ["key" .. i] = i } })
    end
    boss:call(modify, { alice.session, { team = ("x"):rep(5000) } })
    local all, count, octets = meta.one(boss, "wamp.session.get", { alice.session }), 0, 0
    for key, value in pairs(all) do
      count = count + (key:find "^key" and 1 or 0)
      octets = octets + (type(value) == "string" and #value or 0)
    end
    assert.is_true(count >= 25 and count <= 32, count)
    assert.is_true(octets < 4096)
    for i = 1, 100 do
      boss:call(modify, { alice.session, { ["key" .. i] = null } })
    end
    for i = 1, 10 do
      boss:call(modify, { alice.session, { ["long" .. i] = ("x"):rep(4000) } })
    end
    all, octets = meta.one(boss, "wamp.session.get", { alice.session }), 0
    for key, value in pairs(all) do
      octets = octets + (key:find "^long" and #value or 0)
    end
    assert.is_true(octets >= 12000 and octets <= 16384, octets)
  end)
end)

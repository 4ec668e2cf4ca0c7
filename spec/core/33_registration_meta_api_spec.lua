--- registration_meta_api: four topics, seven procedures.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"
local index = require "meta_index"

local list, null = core.list, core.null
local REGISTER, REGISTERED, UNREGISTERED = core.REGISTER, core.REGISTERED, core.UNREGISTERED
local topics = meta.topics.registration
local on_create, on_register, on_unregister, on_delete = table.unpack(topics)
local admin = { anonymous_admin = true }

--- RegistrationDetails.
local function details(id, uri, match, invoke, created)
  return { id = id, created = created or "2023-11-14T22:13:20.000Z", uri = uri,
    match = match or "exact", invoke = invoke or "single" }
end

core.describe("The registration meta API", function(router)
  it("is announced by the dealer", function()
    local roles = router():join().welcome.roles
    assert.is_true(roles.dealer.features.registration_meta_api)
    assert.is_nil(roles.broker.features.registration_meta_api)
  end)

  it("is hidden from itself: its procedures are in no list", function()
    local alice = router():join()
    alice:register("", { match = "prefix" })
    alice:register("..", { match = "wildcard" })
    for _, uri in ipairs { "wamp.registration.list", "wamp.session.count", "wamp.session.kill",
      "wamp.x.y" } do
      assert.like(null, (meta.one(alice, "wamp.registration.lookup", { uri })))
      assert.like(null, (meta.one(alice, "wamp.registration.match", { uri })))
    end
    local ids = meta.one(alice, "wamp.registration.list")
    assert.equal(2, #ids.exact + #ids.prefix + #ids.wildcard)
  end)

  it("has no procedure that is not in its table", function()
    local alice = router():join()
    for _, name in ipairs { "", ".nothing", ".List", ".list.x", ".on_create" } do
      meta.refused(alice, meta.no_such_procedure, "wamp.registration" .. name)
    end
  end)
end)

core.describe("Events about registrations:", function(router)
  local function scene(options)
    local r = router(options)
    return meta.watch(r, topics), r:join(), r
  end

  local rows = {
    { "com.x" }, { "com.x", nil, "roundrobin" }, { "com.x", nil, "random" },
    { "com.x", nil, "first" }, { "com.x", nil, "last" }, { "com.x", "exact", "single" },
    { "com.", "prefix" }, { "", "prefix", "first" }, { "com..x", "wildcard" },
    { "..", "wildcard", "last" }, { "com.müller", "wildcard" },
  }

  for _, row in ipairs(rows) do
    local uri, match, invoke = table.unpack(row, 1, 3)
    it(("on_create and on_register of %q, %s, %s"):format(uri, match, invoke), function()
      local watcher, alice, r = scene()
      r:advance(1234)
      local options = { match = match, invoke = invoke }
      local actions = alice:send { REGISTER, 1, options, uri }
      local id = alice:first(actions, REGISTERED)[3]
      assert.equal(alice, actions[1][1])
      assert.heard({
        { on_create, alice.session, details(id, uri, match, invoke, "2023-11-14T22:13:21.234Z") },
        { on_register, alice.session, id },
      }, watcher, actions)
    end)
  end

  it("created is the time of the first REGISTER, in UTC with milliseconds", function()
    for wall, created in pairs {
      [0] = "1970-01-01T00:00:00.000Z", [951782399999] = "2000-02-28T23:59:59.999Z",
      [951782400001] = "2000-02-29T00:00:00.001Z", [1767323045678] = "2026-01-02T03:04:05.678Z",
      [4102444799050] = "2099-12-31T23:59:59.050Z",
    } do
      local _, alice, r = scene { wall = wall }
      local id = alice:register("com.x", { invoke = "first" })
      r:advance(5000)
      r:join():register("com.x", { invoke = "first" })
      assert.like(details(id, "com.x", "exact", "first", created),
        (meta.one(alice, "wamp.registration.get", { id })))
    end
  end)

  it("who registered gets them too, after REGISTERED and UNREGISTERED", function()
    local alice = meta.watch(router(), topics)
    local actions = alice:send { REGISTER, alice:next_request(), {}, "com.x" }
    local id = alice:first(actions, REGISTERED)[3]
    assert.heard({
      { REGISTERED, 5, id },
      { on_create, alice.session, details(id, "com.x") },
      { on_register, alice.session, id },
    }, alice, actions)
    assert.heard({
      { UNREGISTERED, 6 },
      { on_unregister, alice.session, id },
      { on_delete, alice.session, id },
    }, alice, alice:unregister(id))
  end)

  it("a second callee is on_register, the last one that goes on_delete", function()
    local watcher, alice, r = scene()
    local bob = r:join()
    local id = alice:register("com.x", { invoke = "first" })
    assert.heard({ { on_register, bob.session, id } }, watcher,
      bob:send { REGISTER, bob:next_request(), { invoke = "first" }, "com.x" })
    assert.heard({ { on_unregister, alice.session, id } }, watcher, alice:unregister(id))
    assert.heard({ { on_unregister, bob.session, id }, { on_delete, bob.session, id } }, watcher,
      bob:unregister(id))
  end)

  it("a callee that registers again is none, nor is a REGISTER that fails", function()
    local watcher, alice, r = scene()
    local bob = r:join()
    local id = alice:register("com.x", { invoke = "first" })
    assert.heard({}, watcher, alice:send { REGISTER, 2, { invoke = "first" }, "com.x" })
    assert.heard({}, watcher, bob:send { REGISTER, 1, { invoke = "last" }, "com.x" })
    assert.heard({}, watcher, bob:send { REGISTER, 2, {}, "com..x" })
    assert.heard({}, watcher, bob:send { REGISTER, 3, {}, "wamp.x" })
    assert.heard({}, watcher, bob:send { core.UNREGISTER, 4, id })
    assert.heard({}, watcher, bob:send { core.UNREGISTER, 5, 12345 })
  end)

  it("a name that is registered again gets on_create again, with a new id", function()
    local watcher, alice = scene()
    local first = alice:register "com.x"
    alice:unregister(first)
    local actions = alice:send { REGISTER, alice:next_request(), {}, "com.x" }
    local second = alice:first(actions, REGISTERED)[3]
    assert.not_equal(first, second)
    assert.heard({ { on_create, alice.session, details(second, "com.x") },
      { on_register, alice.session, second } }, watcher, actions)
  end)

  it("a session's end tells of each in ascending order of ids", function()
    local watcher, alice = scene()
    local ids = {}
    for i, uri in ipairs { "com.c", "com.a", "com.b", "com.d" } do
      ids[i] = alice:register(uri)
    end
    table.sort(ids)
    local expected = {}
    for _, id in ipairs(ids) do
      expected[#expected + 1] = { on_unregister, alice.session, id }
      expected[#expected + 1] = { on_delete, alice.session, id }
    end
    assert.heard(expected, watcher, alice:drop())
  end)

  it("a forced registration tells of everybody's end before its own beginning", function()
    local watcher, alice = scene()
    local old = alice:register("com.x", { invoke = "first" })
    local actions = alice:send { REGISTER, 2, { force_reregister = true, invoke = "last" },
      "com.x" }
    local id = alice:first(actions, REGISTERED)[3]
    assert.heard({
      { on_unregister, alice.session, old }, { on_delete, alice.session, old },
      { on_create, alice.session, details(id, "com.x", nil, "last") },
      { on_register, alice.session, id },
    }, watcher, actions)
  end)

  it("pattern subscriptions get them with their topic", function()
    local r = router()
    local watcher, alice = r:join(), r:join()
    local id = watcher:subscribe("wamp.registration.", { match = "prefix" })
    local actions = alice:send { REGISTER, 1, {}, "com.x" }
    local registration = alice:first(actions, REGISTERED)[3]
    assert.like(list {
      list { core.EVENT, id, core.id, { topic = on_create }, { alice.session, core.any } },
      list { core.EVENT, id, core.id, { topic = on_register },
        { alice.session, registration } },
    }, list(watcher:messages(actions)))
  end)

  it("meta_skips_causer does not touch them", function()
    local alice = meta.watch(router { meta_skips_causer = true }, topics)
    assert.equal(3, #alice:send { REGISTER, 9, {}, "com.x" })
  end)
end)

core.describe("wamp.registration.", function(router)
  local function call(name)
    return "wamp.registration." .. name
  end

  --- alice has com.x exact, com. prefix, com. wildcard; bob shares com.x.
  local function scene(options)
    local r = router(options)
    local alice, bob = r:join(), r:join()
    local ids = { exact = alice:register("com.x", { invoke = "first" }),
      prefix = alice:register("com.", { match = "prefix" }),
      wildcard = alice:register("com.", { match = "wildcard" }) }
    bob:register("com.x", { invoke = "first" })
    return r, alice, bob, ids
  end

  index.describe { uri = call "", add = "register", remove = "unregister",
    argument = "procedure", router = router, scene = scene }

  describe("match", function()
    it("finds what a CALL would find", function()
      local _, alice, bob, ids = scene()
      local longer = alice:register("com.x.y", { match = "prefix" })
      local wild = alice:register("net..x", { match = "wildcard" })
      local better = alice:register("net.a.", { match = "wildcard" })
      local rows = {
        { "com.x", ids.exact }, { "com.y", ids.prefix }, { "com.x.y.z", longer },
        { "com.x.z", ids.prefix }, { "net.b.x", wild }, { "net.a.x", better }, { "net.a", null },
        { "org", null }, { "com", null }, { "", null }, { "com.a b", null },
        { "com..", null }, { "wamp.session.count", null },
      }
      for _, row in ipairs(rows) do
        assert.like(row[2], (meta.one(bob, call "match", { row[1], "surplus" }, { surplus = 1 })))
        local actions = row[2] ~= null and bob:call(row[1]) or {}
        local invocation = alice:first(actions, core.INVOCATION)
        assert.like(row[2], invocation and invocation[3] or null)
      end
    end)

    it("refuses what is no text", function()
      local alice = router():join()
      meta.refused(alice, meta.invalid_argument, call "match")
      meta.refused_at(alice, meta.invalid_argument, call "match", {}, 1, meta.no_texts)
    end)
  end)

  it("lookup and match answer 0 for nothing where lookup_miss is zero", function()
    local alice = router { lookup_miss = "zero" }:join()
    local id = alice:register "com.x"
    for _, name in ipairs { "lookup", "match" } do
      assert.like(0, (meta.one(alice, call(name), { "com.y" })))
      assert.like(0, (meta.one(alice, call(name), { "com..y" })))
      assert.like(id, (meta.one(alice, call(name), { "com.x" })))
    end
  end)

  describe("get", function()
    it("gives the details that on_create told", function()
      local _, _, bob, ids = scene()
      local rows = {
        { ids.exact, details(ids.exact, "com.x", "exact", "first") },
        { ids.prefix, details(ids.prefix, "com.", "prefix") },
        { ids.wildcard, details(ids.wildcard, "com.", "wildcard") },
      }
      for _, row in ipairs(rows) do
        assert.like(row[2], (meta.one(bob, call "get", { row[1], "surplus" }, { surplus = 1 })))
      end
    end)
  end)

  describe("list_callees and count_callees", function()
    it("give callees in the order in which they registered", function()
      local r, alice, bob, ids = scene()
      local carol = r:join()
      carol:register("com.x", { invoke = "first" })
      local function expect(...)
        local sessions = list { ... }
        assert.like(sessions, (meta.one(carol, call "list_callees", { ids.exact, "surplus" },
          { surplus = 1 })))
        assert.like(#sessions, (meta.one(carol, call "count_callees", { ids.exact, "surplus" },
          { surplus = 1 })))
      end
      expect(alice.session, bob.session, carol.session)
      bob:unregister(ids.exact)
      expect(alice.session, carol.session)
      bob:register("com.x", { invoke = "first" })
      alice:register("com.x", { invoke = "first" })
      expect(alice.session, carol.session, bob.session)
      alice:drop()
      expect(carol.session, bob.session)
    end)
  end)

  for _, name in ipairs { "get", "list_callees", "count_callees" } do
    it(name .. " refuses what is no id, and knows no id of nobody", function()
      local _, alice, bob, ids = scene()
      meta.refused(bob, meta.invalid_argument, call(name))
      meta.refused(bob, meta.invalid_argument, call(name), nil, { registration = ids.exact })
      meta.refused_at(bob, meta.invalid_argument, call(name), {}, 1, meta.no_ids)
      alice:drop()
      for _, id in ipairs { ids.prefix, 1 << 53, (1 << 53) - 1 } do
        meta.refused(bob, meta.no_such_registration, call(name), { id })
      end
      meta.one(bob, call(name), { ids.exact + 0.0 })
    end)
  end
end)

core.describe("wamp.registration.remove_callee", function(router)
  local remove = "wamp.registration.remove_callee"
  local told = core.callee "registration_revocation"

  local function scene(options)
    local r = router(options or admin)
    local boss, alice, bob = r:join(), r:join(told), r:join()
    local id = alice:register("com.x", { invoke = "first" })
    bob:register("com.x", { invoke = "first" })
    return boss, alice, bob, id, r
  end

  it("is for administrators only", function()
    local boss, alice, _, id, r = scene {}
    meta.refused(boss, meta.not_authorized, remove, { id, alice.session })
    meta.refused(alice, meta.not_authorized, remove, { id, alice.session })
    assert.like(2, (meta.one(boss, "wamp.registration.count_callees", { id })))
    assert.equal(1, r:counters().registrations)
  end)

  it("tells a callee that announced registration_revocation, with the reason", function()
    for _, row in ipairs {
      { { "com.Reason-1" }, nil }, { {}, { reason = "com.Reason-1", surplus = 1 } },
    } do
      local boss, alice, _, id = scene()
      local actions = meta.done(boss, remove, { id, alice.session, table.unpack(row[1]) }, row[2])
      assert.same({ { UNREGISTERED, 0, { registration = id, reason = "com.Reason-1" } } },
        alice:messages(actions))
    end
  end)

  it("tells it the registration when there is no reason", function()
    local boss, alice, _, id = scene()
    local actions = meta.done(boss, remove, { id, alice.session })
    local messages = alice:messages(actions)
    assert.equal(1, #messages)
    assert.like(list { UNREGISTERED, 0, core.including { registration = id } }, messages[1])
  end)

  it("tells other callees nothing", function()
    local boss, _, bob, id = scene()
    local actions = meta.done(boss, remove, { id, bob.session }, { reason = "com.reason" })
    assert.same({}, bob:messages(actions))
  end)

  it("tells who listens: on_unregister, and on_delete after the last", function()
    local boss, alice, bob, id, r = scene()
    local watcher = meta.watch(r, topics)
    assert.heard({ { on_unregister, alice.session, id } }, watcher,
      meta.done(boss, remove, { id, alice.session }))
    assert.heard({ { on_unregister, bob.session, id }, { on_delete, bob.session, id } }, watcher,
      meta.done(boss, remove, { id, bob.session }))
    assert.equal(0, r:counters().registrations)
    meta.refused(boss, meta.no_such_registration, remove, { id, bob.session })
  end)

  it("makes a later UNREGISTER fail, leaves calls in flight alone, allows REGISTER", function()
    local boss, alice, bob, id = scene()
    boss:call "com.x"
    meta.done(boss, remove, { id, alice.session })
    assert.actions({ { alice, core.failure(core.UNREGISTER, 2, meta.no_such_registration) } },
      alice:unregister(id))
    assert.actions({ { boss, { core.RESULT, 1, {}, { 5 } } } }, alice:yield(1, { 5 }))
    assert.is_truthy(bob:first(boss:call "com.x", core.INVOCATION))
    assert.equal(id, alice:register("com.x", { invoke = "first" }))
  end)

  it("may be called about oneself", function()
    local _, alice, _, id = scene()
    local actions = meta.done(alice, remove, { id, alice.session })
    assert.equal(2, #alice:messages(actions))
    assert.like(list { UNREGISTERED, 0, core.including { registration = id } },
      alice:first(actions, UNREGISTERED))
  end)

  it("refuses what is no id, a reason that is no URI, and changes nothing then", function()
    local boss, alice, _, id, r = scene()
    local watcher = meta.watch(r, topics)
    meta.refused(boss, meta.invalid_argument, remove)
    meta.refused(boss, meta.invalid_argument, remove, { id })
    meta.refused(boss, meta.invalid_argument, remove, nil,
      { registration = id, callee = alice.session })
    meta.refused_at(boss, meta.invalid_argument, remove, { id, alice.session }, 1, meta.no_ids)
    meta.refused_at(boss, meta.invalid_argument, remove, { id, alice.session }, 2, meta.no_ids)
    local good = { id, alice.session }
    meta.refused_key(boss, meta.invalid_uri, remove, good, "reason", meta.no_uris)
    meta.refused_at(boss, meta.invalid_uri, remove, good, 3, meta.no_uris)
    assert.like(2, (meta.one(watcher, "wamp.registration.count_callees", { id })))
  end)

  it("knows no registration of nobody, and no session that is no callee of it", function()
    local boss, alice, bob, id = scene()
    meta.refused(boss, meta.no_such_registration, remove, { 1 << 53, alice.session })
    for _, session in ipairs { boss.session, 1 << 53 } do
      meta.refused(boss, meta.no_such_session, remove, { id, session })
    end
    bob:drop()
    meta.refused(boss, meta.no_such_session, remove, { id, bob.session })
    meta.done(boss, remove, { id, alice.session })
  end)
end)

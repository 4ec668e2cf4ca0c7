--- subscription_meta_api: four topics, seven procedures; remove_subscriber is in 35.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"
local index = require "meta_index"

local list, null = core.list, core.null
local SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBED = core.SUBSCRIBE, core.SUBSCRIBED, core.UNSUBSCRIBED
local topics = meta.topics.subscription
local on_create, on_subscribe, on_unsubscribe, on_delete = table.unpack(topics)

local function sorted(ids)
  table.sort(ids)
  return list(ids)
end

--- SubscriptionDetails.
local function details(id, uri, match, created)
  return { id = id, created = created or "2023-11-14T22:13:20.000Z", uri = uri,
    match = match or "exact" }
end

core.describe("The subscription meta API", function(router)
  it("is announced by the broker", function()
    local roles = router():join().welcome.roles
    assert.is_true(roles.broker.features.subscription_meta_api)
    assert.is_nil(roles.dealer.features.subscription_meta_api)
  end)

  it("has no procedure that is not in its table", function()
    local alice = router():join()
    for _, name in ipairs { "", ".nothing", ".List", ".list.x", ".on_create" } do
      meta.refused(alice, meta.no_such_procedure, "wamp.subscription" .. name)
    end
  end)

  it("shows subscriptions to reserved topics like others", function()
    local alice = router():join()
    local id = alice:subscribe "wamp.session.on_join"
    local prefix = alice:subscribe("wamp.", { match = "prefix" })
    local others = { exact = list { id }, prefix = list { prefix }, wildcard = list {} }
    assert.like(others, (meta.one(alice, "wamp.subscription.list")))
    assert.like(id, (meta.one(alice, "wamp.subscription.lookup", { "wamp.session.on_join" })))
    assert.like(list { id, prefix },
      (meta.one(alice, "wamp.subscription.match", { "wamp.session.on_join" })))
    assert.like(details(id, "wamp.session.on_join"),
      (meta.one(alice, "wamp.subscription.get", { id })))
    assert.like(list { alice.session },
      (meta.one(alice, "wamp.subscription.list_subscribers", { id })))
  end)
end)

core.describe("Events about subscriptions:", function(router)
  local function scene(options)
    local r = router(options)
    return meta.watch(r, topics), r:join(), r
  end

  for _, row in ipairs {
    { "com.x" }, { "com.x", "exact" }, { "com.", "prefix" }, { "", "prefix" },
    { "com..x", "wildcard" }, { "..", "wildcard" }, { "com.müller", "wildcard" },
    { "wampx", "prefix" }, { "wa", "prefix" }, { ".session.on_join", "wildcard" },
  } do
    local uri, match = row[1], row[2]
    it(("on_create and on_subscribe of %q, %s"):format(uri, match), function()
      local watcher, alice, r = scene()
      r:advance(60001)
      local actions = alice:send { SUBSCRIBE, 1, { match = match }, uri }
      local id = alice:first(actions, SUBSCRIBED)[3]
      assert.equal(alice, actions[1][1])
      assert.heard({
        { on_create, alice.session, details(id, uri, match, "2023-11-14T22:14:20.001Z") },
        { on_subscribe, alice.session, id },
      }, watcher, actions)
    end)
  end

  it("who subscribed gets them too, after SUBSCRIBED and UNSUBSCRIBED", function()
    local alice = meta.watch(router(), topics)
    local actions = alice:send { SUBSCRIBE, alice:next_request(), {}, "com.x" }
    local id = alice:first(actions, SUBSCRIBED)[3]
    assert.heard({
      { SUBSCRIBED, 5, id },
      { on_create, alice.session, details(id, "com.x") },
      { on_subscribe, alice.session, id },
    }, alice, actions)
    assert.heard({
      { UNSUBSCRIBED, 6 },
      { on_unsubscribe, alice.session, id },
      { on_delete, alice.session, id },
    }, alice, alice:unsubscribe(id))
  end)

  it("a subscription to everything hears of its own beginning", function()
    local alice = router():join()
    local actions = alice:send { SUBSCRIBE, 1, { match = "prefix" }, "" }
    local id = alice:first(actions, SUBSCRIBED)[3]
    assert.like(list {
      list { SUBSCRIBED, 1, id },
      list { core.EVENT, id, core.id, { topic = on_create },
        { alice.session, details(id, "", "prefix") } },
      list { core.EVENT, id, core.id, { topic = on_subscribe }, { alice.session, id } },
    }, list(alice:messages(actions)))
    assert.same({ { UNSUBSCRIBED, 2 } }, alice:messages(alice:send { core.UNSUBSCRIBE, 2, id }))
  end)

  it("are not for who caused them where meta_skips_causer is on", function()
    local r = router { meta_skips_causer = true }
    local watcher, alice = meta.watch(r, topics), meta.watch(r, topics)
    local actions = alice:send { SUBSCRIBE, alice:next_request(), {}, "com.x" }
    local id = alice:first(actions, SUBSCRIBED)[3]
    assert.heard({ { SUBSCRIBED, 5, id } }, alice, actions)
    assert.heard({ { on_create, alice.session, details(id, "com.x") },
      { on_subscribe, alice.session, id } }, watcher, actions)
    actions = alice:unsubscribe(id)
    assert.heard({ { UNSUBSCRIBED, 6 } }, alice, actions)
    assert.heard({ { on_unsubscribe, alice.session, id }, { on_delete, alice.session, id } },
      watcher, actions)
  end)

  it("a second subscriber is on_subscribe, the last one that goes on_delete", function()
    local watcher, alice, r = scene()
    local bob = r:join()
    local id = alice:subscribe "com.x"
    assert.heard({ { on_subscribe, bob.session, id } }, watcher,
      bob:send { SUBSCRIBE, bob:next_request(), {}, "com.x" })
    assert.heard({ { on_unsubscribe, alice.session, id } }, watcher, alice:unsubscribe(id))
    assert.heard({ { on_unsubscribe, bob.session, id }, { on_delete, bob.session, id } }, watcher,
      bob:unsubscribe(id))
  end)

  it("a subscriber that subscribes again is none, nor is a request that fails", function()
    local watcher, alice, r = scene { max_subscriptions = 4 }
    local bob = r:join()
    local id = alice:subscribe "com.x"
    assert.heard({}, watcher, alice:send { SUBSCRIBE, 2, {}, "com.x" })
    assert.heard({}, watcher, bob:send { SUBSCRIBE, 1, {}, "com..x" })
    assert.heard({}, watcher, bob:send { core.UNSUBSCRIBE, 2, id })
    assert.heard({}, watcher, bob:send { core.UNSUBSCRIBE, 3, 12345 })
    local actions = watcher:send { SUBSCRIBE, 9, {}, "com.too.many" }
    assert.heard({ core.failure(SUBSCRIBE, 9, core.any) }, watcher, actions)
  end)

  it("a topic that is subscribed again gets on_create again, with a new id", function()
    local watcher, alice = scene()
    local first = alice:subscribe "com.x"
    alice:unsubscribe(first)
    local actions = alice:send { SUBSCRIBE, alice:next_request(), {}, "com.x" }
    local second = alice:first(actions, SUBSCRIBED)[3]
    assert.not_equal(first, second)
    assert.heard({ { on_create, alice.session, details(second, "com.x") },
      { on_subscribe, alice.session, second } }, watcher, actions)
  end)

  it("a session's end tells of each in ascending order of ids", function()
    local watcher, alice = scene()
    local ids = {}
    for i, uri in ipairs { "com.c", "com.a", "com.b", "com.d" } do
      ids[i] = alice:subscribe(uri)
    end
    table.sort(ids)
    local expected = {}
    for _, id in ipairs(ids) do
      expected[#expected + 1] = { on_unsubscribe, alice.session, id }
      expected[#expected + 1] = { on_delete, alice.session, id }
    end
    assert.heard(expected, watcher, alice:drop())
  end)

  local reserved = {
    { "wamp" }, { "wamp.x" }, { "wamp.session.on_join" }, { on_create }, { "wamp", "prefix" },
    { "wamp.", "prefix" }, { "wamp.sub", "prefix" }, { "wamp.", "wildcard" },
    { "wamp..on_create", "wildcard" }, { "nexus" }, { "nexus.session.on_drops" },
    { "nexus.", "prefix" },
  }

  for _, row in ipairs(reserved) do
    it(("none about %q, %s, which is reserved"):format(row[1], row[2]), function()
      local watcher, alice = scene()
      local actions = alice:send { SUBSCRIBE, 1, { match = row[2] }, row[1] }
      local id = alice:first(actions, SUBSCRIBED)[3]
      assert.heard({}, watcher, actions)
      assert.heard({}, watcher, alice:unsubscribe(id))
      alice:subscribe(row[1], { match = row[2] })
      assert.heard({}, watcher, alice:drop())
    end)
  end

  it("what is reserved is the realm's choice", function()
    local watcher, alice = scene { reserved_prefixes = { "wamp", "acme" } }
    assert.heard({}, watcher, alice:send { SUBSCRIBE, 1, {}, "acme.x" })
    assert.heard({}, watcher, alice:send { SUBSCRIBE, 2, {}, "wamp.x" })
    assert.equal(2, #watcher:messages(alice:send { SUBSCRIBE, 3, {}, "acmex.x" }))
    assert.equal(2, #watcher:messages(alice:send { SUBSCRIBE, 4, {}, "nexus.x" }))
  end)

  it("name no publisher, whatever the realm discloses", function()
    local watcher, alice = scene { disclose_publisher = "always", trustlevel = 1 }
    assert.equal(2, #meta.heard(watcher, alice:send { SUBSCRIBE, 1, {}, "com.x" }))
  end)

  it("cannot be published by clients", function()
    local watcher, alice, r = scene()
    local everything = r:join()
    everything:subscribe("", { match = "prefix" })
    for i, topic in ipairs(topics) do
      assert.actions({ { alice, core.failure(core.PUBLISH, i, meta.invalid_uri) } },
        alice:publish(topic, { 1, 2 }, nil, { acknowledge = true }))
    end
    for _, topic in ipairs(topics) do
      assert.actions({}, alice:publish(topic, { 1, 2 }))
    end
    assert.heard({}, watcher, {})
  end)
end)

core.describe("wamp.subscription.", function(router)
  local function call(name)
    return "wamp.subscription." .. name
  end

  --- alice has com.x exact, com. prefix, com. wildcard; bob shares com.x.
  local function scene(options)
    local r = router(options)
    local alice, bob = r:join(), r:join()
    local ids = { exact = alice:subscribe "com.x",
      prefix = alice:subscribe("com.", { match = "prefix" }),
      wildcard = alice:subscribe("com.", { match = "wildcard" }) }
    bob:subscribe "com.x"
    return r, alice, bob, ids
  end

  index.describe { uri = call "", add = "subscribe", remove = "unsubscribe",
    argument = "topic", router = router, scene = scene }

  describe("lookup", function()
    it("answers 0 for nothing where lookup_miss is zero", function()
      local alice = router { lookup_miss = "zero" }:join()
      local id = alice:subscribe "com.x"
      assert.like(0, (meta.one(alice, call "lookup", { "com.y" })))
      assert.like(0, (meta.one(alice, call "lookup", { "com..y" })))
      assert.like(id, (meta.one(alice, call "lookup", { "com.x" })))
    end)
  end)

  describe("match", function()
    it("finds exact, then prefixes from long to short, then wildcards", function()
      local r, alice, bob, ids = scene()
      local all = { alice:subscribe("", { match = "prefix" }),
        alice:subscribe("com.x", { match = "prefix" }), alice:subscribe("c", { match = "prefix" }),
        alice:subscribe(".x", { match = "wildcard" }), bob:subscribe("com.y") }
      alice:subscribe("com.x.y", { match = "prefix" })
      alice:subscribe("com..x", { match = "wildcard" })
      local found = meta.one(bob, call "match", { "com.x", "surplus" }, { surplus = 1 })
      assert.like(list { ids.exact, all[2], ids.prefix, all[3], all[1], core.any, core.any },
        found)
      assert.same(sorted { ids.wildcard, all[4] }, sorted { found[6], found[7] })
      local events = r:join():publish "com.x"
      local got = {}
      for _, action in ipairs(events) do
        got[action[2][2]] = true
      end
      for _, id in ipairs(found) do
        assert.is_true(got[id])
        got[id] = nil
      end
      assert.is_nil(next(got))
    end)

    it("gives null when there is none, or when no event can have that topic", function()
      local _, alice, bob = scene()
      for _, topic in ipairs { "org", "com", "org.x", "", "com..x", "com.a b", "com." } do
        assert.like(null, (meta.one(bob, call "match", { topic })))
      end
      alice:drop()
      assert.like(null, (meta.one(bob, call "match", { "com.y" })))
    end)

    it("refuses what is no text", function()
      local alice = router():join()
      meta.refused(alice, meta.invalid_argument, call "match")
      meta.refused(alice, meta.invalid_argument, call "match", nil, { topic = "com.x" })
      meta.refused_at(alice, meta.invalid_argument, call "match", {}, 1, meta.no_texts)
    end)
  end)

  describe("get", function()
    it("gives the details that on_create told, of the time of the first SUBSCRIBE", function()
      local r, _, bob, ids = scene { wall = 1767323045678 }
      r:advance(5000)
      r:join():subscribe "com.x"
      local created = "2026-01-02T03:04:05.678Z"
      local rows = {
        { ids.exact, details(ids.exact, "com.x", "exact", created) },
        { ids.prefix, details(ids.prefix, "com.", "prefix", created) },
        { ids.wildcard, details(ids.wildcard, "com.", "wildcard", created) },
      }
      for _, row in ipairs(rows) do
        assert.like(row[2], (meta.one(bob, call "get", { row[1], "surplus" }, { surplus = 1 })))
      end
    end)
  end)

  describe("list_subscribers and count_subscribers", function()
    it("give who is subscribed; count_suscribers is the latter's other name", function()
      local r, alice, bob, ids = scene()
      local carol = r:join()
      carol:subscribe "com.x"
      local function expect(...)
        local args, kwargs = { ids.exact, "surplus" }, { surplus = 1 }
        assert.like(sorted { ... }, meta.sorted(carol, call "list_subscribers", args, kwargs))
        for _, name in ipairs { "count_subscribers", "count_suscribers" } do
          assert.like(select("#", ...), (meta.one(carol, call(name), args, kwargs)))
        end
      end
      expect(alice.session, bob.session, carol.session)
      bob:unsubscribe(ids.exact)
      expect(alice.session, carol.session)
      alice:subscribe "com.x"
      expect(alice.session, carol.session)
      alice:drop()
      expect(carol.session)
    end)
  end)

  for _, name in ipairs { "get", "list_subscribers", "count_subscribers", "count_suscribers" } do
    it(name .. " refuses what is no id, and knows no id of nobody", function()
      local _, alice, bob, ids = scene()
      meta.refused(bob, meta.invalid_argument, call(name))
      meta.refused(bob, meta.invalid_argument, call(name), nil, { subscription = ids.exact })
      meta.refused_at(bob, meta.invalid_argument, call(name), {}, 1, meta.no_ids)
      alice:drop()
      for _, id in ipairs { ids.prefix, 1 << 53, (1 << 53) - 1 } do
        meta.refused(bob, meta.no_such_subscription, call(name), { id })
      end
      meta.one(bob, call(name), { ids.exact + 0.0 })
    end)
  end
end)

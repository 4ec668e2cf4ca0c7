--- testament_meta_api: what a session leaves to be published when it ends.
-- Where testaments stand among all that the end of a session tells is in 31.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"

local list, null, any = core.list, core.null, core.any
local add, flush = "wamp.session.add_testament", "wamp.session.flush_testaments"
local admin = { anonymous_admin = true }

local endings = {
  ["GOODBYE"] = function(peer) return peer:send { core.GOODBYE, {}, "wamp.close.normal" } end,
  ["ABORT"] = function(peer) return peer:send { core.ABORT, {}, "wamp.close.normal" } end,
  ["a violation"] = function(peer) return peer:send { core.WELCOME, 1, {} } end,
  ["what is no message"] = function(peer) return peer:send { 99 } end,
  ["a broken connection"] = function(peer) return peer:drop() end,
  ["wamp.session.kill"] = function(peer, killer)
    return killer:call("wamp.session.kill", { peer.session })
  end,
  ["wamp.session.kill_by_authid"] = function(peer, killer)
    return killer:call("wamp.session.kill_by_authid", { peer.welcome.authid })
  end,
}

--- The watcher follows com.a, com.b and com.c.
core.describe("Testaments", function(router)
  local function scene(options, details)
    local r = router(options)
    local watcher = meta.watch(r, { "com.a", "com.b", "com.c" }, { roles = core.all_roles })
    return watcher, r:join(details or { roles = core.all_roles }), r
  end

  it("are announced by the dealer", function()
    assert.is_true(router():join().welcome.roles.dealer.features.testament_meta_api)
  end)

  for name, leave in pairs(endings) do
    it("of both scopes are published when the session ends by " .. name, function()
      local watcher, alice, r = scene(admin)
      local killer = r:join()
      meta.done(alice, add, { "com.a", list { 1 }, {} })
      meta.done(alice, add, { "com.b", list { 2 }, {} }, { scope = "detached" })
      meta.done(alice, add, { "com.a", list { 3 }, {} }, { scope = "destroyed" })
      meta.done(alice, add, { "com.b", list { 4 }, {} }, { scope = "detached" })
      meta.done(alice, add, { "com.c", list { 5 }, {} })
      local expected = { { "com.b", 2 }, { "com.b", 4 }, { "com.a", 1 }, { "com.a", 3 },
        { "com.c", 5 } }
      assert.heard(expected, watcher, leave(alice, killer))
      assert.heard({}, watcher, r:advance(100000))
    end)
  end

  it("are published once, when a killed session breaks or answers after that", function()
    local watcher, alice = scene(admin)
    meta.done(alice, add, { "com.a" })
    watcher:call("wamp.session.kill", { alice.session })
    assert.heard({}, watcher, alice:send { core.GOODBYE, {}, "wamp.close.goodbye_and_out" })
    assert.heard({}, watcher, alice:drop())
  end)

  it("do not pass to the next session of the same peer", function()
    local watcher, alice = scene()
    meta.done(alice, add, { "com.a" })
    assert.heard({ { "com.a" } }, watcher,
      alice:send { core.GOODBYE, {}, "wamp.close.close_realm" })
    alice:hello()
    assert.heard({}, watcher, alice:send { core.GOODBYE, {}, "wamp.close.close_realm" })
  end)

  it("are not published by kill_all, nor when the realm ends", function()
    local watcher, alice, r = scene(admin)
    meta.done(alice, add, { "com.a" })
    meta.done(alice, add, { "com.a" }, { scope = "detached" })
    assert.heard({ { core.RESULT, watcher.last_request + 1, {}, { 1 } } }, watcher,
      watcher:call "wamp.session.kill_all")
    local bob = r:join()
    meta.done(bob, add, { "com.a" })
    meta.done(watcher, add, { "com.a" })
    assert.heard({ { core.GOODBYE, {}, any } }, watcher, r:close_realm())
  end)

  it("do not reach the session that leaves them", function()
    local watcher, alice = scene()
    alice:subscribe "com.a"
    meta.done(alice, add, { "com.a" }, { publish_options = { exclude_me = false } })
    local actions = alice:send { core.GOODBYE, {}, "wamp.close.normal" }
    assert.is_nil(alice:first(actions, core.EVENT))
    assert.heard({ { "com.a" } }, watcher, actions)
  end)

  it("are the caller's own", function()
    local watcher, alice, r = scene()
    local bob = r:join()
    meta.done(alice, add, { "com.a", list { "alice" } })
    meta.done(bob, add, { "com.a", list { "bob" } })
    meta.done(bob, flush)
    assert.heard({}, watcher, bob:drop())
    assert.heard({ { "com.a", "alice" } }, watcher, alice:drop())
  end)

  it("of two sessions that leave come each at its time", function()
    local watcher, alice, r = scene()
    local bob = r:join()
    meta.done(alice, add, { "com.a", list { 1 } })
    meta.done(bob, add, { "com.a", list { 2 } })
    assert.heard({ { "com.a", 2 } }, watcher, bob:drop())
    assert.heard({ { "com.a", 1 } }, watcher, alice:drop())
  end)
end)

core.describe("wamp.session.add_testament", function(router)
  local function scene(options, details)
    local r = router(options)
    local watcher = r:join { roles = core.all_roles }
    return watcher, r:join(details or { roles = core.all_roles }), r, watcher:subscribe "com.a"
  end

  local payloads = {
    { "nothing", {}, {} },
    { "arguments", { list { 1, "x", null, list {}, {} } }, { list { 1, "x", null, list {}, {} } } },
    { "keywords", { list {}, { k = 1 } }, { list {}, { k = 1 } } },
    { "both", { list { 1 }, { k = list { 1.5 } } }, { list { 1 }, { k = list { 1.5 } } } },
    { "empty ones", { list {}, {} }, {} },
    { "nulls", { null, null }, {} },
    { "null and keywords", { null, { k = 1 } }, { list {}, { k = 1 } } },
    { "arguments and null", { list { 1 }, null }, { list { 1 } } },
    { "surplus arguments", { list { 1 }, { k = 2 }, "surplus", 7 }, { list { 1 }, { k = 2 } } },
  }

  for _, row in ipairs(payloads) do
    it("keeps a payload: " .. row[1], function()
      local watcher, alice, _, id = scene()
      meta.done(alice, add, { "com.a", table.unpack(row[2]) }, { surplus = 1 })
      local expected = { core.EVENT, id, core.id, {}, table.unpack(row[3]) }
      assert.actions({ { watcher, expected } }, alice:drop())
    end)
  end

  it("keeps a payload for other serializers", function()
    for _, codec in ipairs(core.codec_names) do
      local _, alice, r = scene()
      local other = r:join(nil, { codec = codec })
      local id = other:subscribe "com.x"
      local args = list { 1, -1, 1.5, "é", core.binary "\0\255", null, true, list {}, {} }
      meta.done(alice, add, { "com.x", args, { k = args } })
      assert.actions({ { other, { core.EVENT, id, core.id, {}, args, { k = args } } } },
        alice:drop())
    end
  end)

  it("tells pattern subscriptions the topic", function()
    local watcher, alice = scene()
    local prefix = watcher:subscribe("com.x", { match = "prefix" })
    meta.done(alice, add, { "com.x.y" })
    assert.actions({ { watcher, { core.EVENT, prefix, core.id, { topic = "com.x.y" } } } },
      alice:drop())
  end)

  it("refuses a topic that is missing or no text", function()
    local _, alice = scene()
    meta.refused(alice, meta.invalid_argument, add)
    meta.refused(alice, meta.invalid_argument, add, nil, { topic = "com.a" })
    meta.refused_at(alice, meta.invalid_argument, add, { "", list {}, {} }, 1, meta.no_texts)
  end)

  it("refuses a topic that is no URI or reserved", function()
    local watcher, alice = scene()
    watcher:subscribe("wamp.", { match = "prefix" })
    watcher:subscribe("nexus", { match = "prefix" })
    watcher:subscribe("com", { match = "prefix" })
    meta.refused_at(alice, meta.invalid_uri, add, { "", list {}, {} }, 1, meta.no_uris)
    meta.refused_at(alice, meta.invalid_uri, add, { "", list {}, {} }, 1,
      { "wamp", "wamp.x", "wamp.session.on_leave", "nexus", "nexus.session.on_drops" })
    assert.actions({ { watcher, { core.EVENT, core.id, core.id,
      { topic = "wamp.session.on_leave" }, { alice.session, core.any, core.any } } } },
      alice:drop())
  end)

  it("keeps to the realm's grammar and reserved prefixes", function()
    local _, alice = scene { strict_uris = true }
    meta.refused(alice, meta.invalid_uri, add, { "com.Topic-1" })
    local _, bob = scene { reserved_prefixes = { "wamp", "acme" } }
    meta.refused(bob, meta.invalid_uri, add, { "acme.x" })
    meta.refused(bob, meta.invalid_uri, add, { "wamp.x" })
    meta.done(bob, add, { "acmex.x" })
    meta.done(bob, add, { "nexus.x" })
  end)

  it("refuses arguments that are no list and keywords that are no dict", function()
    local _, alice = scene()
    meta.refused_at(alice, meta.invalid_argument, add, { "com.a", list {}, {} }, 2,
      { "x", 5, true, { k = 1 } })
    meta.refused_at(alice, meta.invalid_argument, add, { "com.a", list {}, {} }, 3,
      { "x", 5, true, list { 1 } })
    assert.actions({}, alice:drop())
  end)

  it("refuses a scope that nobody knows", function()
    local _, alice = scene()
    meta.refused_key(alice, meta.invalid_argument, add, { "com.a" }, "scope",
      { "", "detach", "Destroyed", "all", 5, true, list { "detached" }, {} })
    assert.actions({}, alice:drop())
  end)

  it("refuses options that are no dict", function()
    local _, alice = scene()
    meta.refused_key(alice, meta.invalid_argument, add, { "com.a" }, "publish_options",
      { 5, "x", true, list { 1 } })
    assert.actions({}, alice:drop())
  end)

  local ill_typed = {
    { exclude = "x" }, { exclude = list { "x" } }, { eligible = 5 }, { eligible = list { 0 } },
    { exclude_authid = "x" }, { exclude_authid = list { 5 } }, { eligible_authid = {} },
    { exclude_authrole = true }, { eligible_authrole = list { 1 } }, { retain = "yes" },
    { retain = 1 }, { disclose_me = 1 }, { ppt_scheme = 5 }, { ppt_serializer = list {} },
    { ppt_cipher = true }, { ppt_keyid = 1 }, { rkey = 5 }, { rkey = list {} },
  }

  for _, options in ipairs(ill_typed) do
    it("refuses options of a wrong type: " .. core.show(options), function()
      local _, alice, r = scene()
      local text = meta.refused(alice, meta.invalid_argument, add, { "com.a" },
        { publish_options = options })
      assert.matches((next(options)), text, 1, true)
      assert.equal(2, r:counters().sessions)
      assert.actions({}, alice:drop())
    end)
  end

  it("applies eligible and exclude at the end", function()
    local watcher, alice, r, id = scene()
    local red, blue = r:join { team = "red" }, r:join { team = "blue" }
    for _, peer in ipairs { red, blue } do
      assert.equal(id, peer:subscribe "com.a")
    end
    local rows = {
      { { eligible = { red.session } }, { red } },
      { { eligible = list {} }, {} },
      { { exclude = { red.session, watcher.session } }, { blue } },
      { { eligible_authid = { blue.welcome.authid } }, { blue } },
      { { exclude_authid = { blue.welcome.authid, red.welcome.authid } }, { watcher } },
      { { eligible_authrole = { "root" } }, {} },
      { { exclude_authrole = { "anonymous" } }, {} },
      { { eligible_team = { "red" } }, { red } },
      { { exclude_team = { "red", "blue" } }, { watcher } },
    }
    for i, row in ipairs(rows) do
      meta.done(alice, add, { "com.a", list { i } }, { publish_options = row[1] })
    end
    local expected = {}
    for i, row in ipairs(rows) do
      for _, peer in ipairs(row[2]) do
        expected[#expected + 1] = { peer, { core.EVENT, id, core.id, {}, { i } } }
      end
    end
    assert.actions(expected, alice:drop())
  end)

  it("discloses its session when asked to", function()
    local watcher, alice, _, id = scene()
    meta.done(alice, add, { "com.a" }, { publish_options = { disclose_me = true } })
    meta.done(alice, add, { "com.a" }, { publish_options = { disclose_me = false } })
    assert.actions({
      { watcher, { core.EVENT, id, core.id, { publisher = alice.session,
        publisher_authid = alice.welcome.authid, publisher_authrole = "anonymous" } } },
      { watcher, { core.EVENT, id, core.id, {} } },
    }, alice:drop())
  end)

  it("passes an opaque payload's attributes on", function()
    local watcher, alice, _, id = scene()
    local ppt = { ppt_scheme = "x_own", ppt_serializer = "cbor", ppt_cipher = "x", ppt_keyid = "k" }
    meta.done(alice, add, { "com.a", list { core.binary "\1\2" } }, { publish_options = ppt })
    assert.actions({ { watcher, { core.EVENT, id, core.id, ppt, { core.binary "\1\2" } } } },
      alice:drop())
  end)

  it("takes no notice of acknowledge, exclude_me and keys that nobody knows", function()
    local watcher, alice, _, id = scene()
    meta.done(alice, add, { "com.a" },
      { publish_options = { acknowledge = true, exclude_me = true, shoes = list { 1 } } })
    local actions = alice:send { core.GOODBYE, {}, "wamp.close.normal" }
    assert.same({ { core.GOODBYE, {}, "wamp.close.goodbye_and_out" } }, alice:messages(actions))
    assert.like(list { list { core.EVENT, id, core.id, {} } }, list(watcher:messages(actions)))
  end)

  it("retains what it publishes", function()
    local _, alice, r = scene()
    meta.done(alice, add, { "com.x", list { 1 } }, { publish_options = { retain = true } })
    alice:drop()
    local bob = r:join()
    local actions = bob:send { core.SUBSCRIBE, 1, { get_retained = true }, "com.x" }
    assert.actions({
      { bob, { core.SUBSCRIBED, 1, core.id } },
      { bob, { core.EVENT, core.id, core.id, { retained = true }, { 1 } } },
    }, actions)
  end)

  it("goes to the shard of its key", function()
    local _, alice, r = scene()
    local shards = {}
    for i, nkey in ipairs { "101", "102", "103" } do
      shards[i] = r:join()
      shards[i]:subscribe("com.x", { nkey = nkey })
    end
    meta.done(alice, add, { "com.x" }, { publish_options = { rkey = "sn239019" } })
    local actions = alice:drop()
    assert.equal(1, #actions)
    assert.equal(shards[1], actions[1][1])
  end)

  it("takes 4 MiB of them", function()
    local _, alice = scene()
    local mebibyte = { ("x"):rep(1024 * 1024 - 64) }
    for _ = 1, 4 do
      meta.done(alice, add, { "com.a", mebibyte })
    end
    assert.matches("4194304", meta.refused(alice, meta.invalid_argument, add,
      { "com.a", mebibyte }))
    meta.done(alice, flush)
    meta.done(alice, add, { "com.a", mebibyte })
  end)

  it("takes 64 of them, counted over both scopes", function()
    local watcher, alice = scene()
    for i = 1, 32 do
      meta.done(alice, add, { "com.a", list { i } })
      meta.done(alice, add, { "com.a", list { i } }, { scope = "detached" })
    end
    assert.matches("64", meta.refused(alice, meta.invalid_argument, add, { "com.a" }))
    meta.refused(alice, meta.invalid_argument, add, { "com.a" }, { scope = "detached" })
    meta.done(alice, flush)
    meta.done(alice, add, { "com.a", list { 33 } })
    assert.equal(33, #watcher:messages(alice:drop()))
  end)
end)

core.describe("wamp.session.flush_testaments", function(router)
  local function scene()
    local r = router()
    local watcher, alice = meta.watch(r, { "com.a", "com.b" }), r:join()
    meta.done(alice, add, { "com.a" })
    meta.done(alice, add, { "com.b" }, { scope = "detached" })
    meta.done(alice, add, { "com.a" })
    return watcher, alice
  end

  local destroyed_is_left, detached_is_left = { { "com.a" }, { "com.a" } }, { { "com.b" } }

  local rows = {
    { "nothing: scope destroyed", nil, nil, detached_is_left },
    { "the keyword destroyed", nil, { scope = "destroyed" }, detached_is_left },
    { "the keyword detached", nil, { scope = "detached" }, destroyed_is_left },
    { "the argument destroyed", { "destroyed" }, nil, detached_is_left },
    { "the argument detached", { "detached" }, nil, destroyed_is_left },
    { "surplus", { "detached", "destroyed", 7 }, { surplus = 1 }, destroyed_is_left },
  }

  for _, row in ipairs(rows) do
    it("with " .. row[1], function()
      local watcher, alice = scene()
      meta.done(alice, flush, row[2], row[3])
      assert.heard(row[4], watcher, alice:drop())
    end)
  end

  it("of an empty scope is nothing", function()
    local alice = router():join()
    meta.done(alice, flush)
    meta.done(alice, flush, { "detached" })
  end)

  it("refuses a scope that nobody knows", function()
    local watcher, alice = scene()
    for _, scope in ipairs { "", "detach", "all", 5, true, list {}, {} } do
      meta.refused(alice, meta.invalid_argument, flush, { scope })
      meta.refused(alice, meta.invalid_argument, flush, nil, { scope = scope })
    end
    assert.equal(3, #watcher:messages(alice:drop()))
  end)

  it("lets new ones be added", function()
    local watcher, alice = scene()
    meta.done(alice, flush)
    meta.done(alice, add, { "com.a", list { "new" } })
    assert.heard({ { "com.b" }, { "com.a", "new" } }, watcher, alice:drop())
  end)
end)

--- event_retention: the last event of a topic, kept for those who subscribe later.
-- SPDX-License-Identifier: MIT
local core = require "core"
local retention = require "retention"
local shards = require "shards"

local EVENT, SUBSCRIBE, SUBSCRIBED = core.EVENT, core.SUBSCRIBE, core.SUBSCRIBED

local retain, retained, kept = retention.retain, retention.retained, retention.kept

core.describe("Event retention", function(router)
  local function pair(options)
    local r = router(options)
    return r, r:join(), r:join()
  end

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.broker.features.event_retention)
  end)

  it("gives the event after SUBSCRIBED, with its publication id and retained", function()
    local _, alice, bob = pair()
    local publication = retain(alice, "com.x", { 1, "a" }, { b = 2 })
    assert.actions({
      { bob, { SUBSCRIBED, 1, core.id } },
      { bob, { EVENT, core.id, publication, { retained = true }, { 1, "a" }, { b = 2 } } },
    }, bob:send { SUBSCRIBE, 1, { get_retained = true }, "com.x" })
  end)

  it("asks for no acknowledgement", function()
    local _, alice, bob = pair()
    alice:publish("com.x", { 1 }, nil, { retain = true })
    assert.same({ 1 }, kept(bob))
  end)

  it("gives nothing to who does not ask, and nothing when there is nothing", function()
    local r, alice, bob = pair()
    assert.same({}, kept(bob))
    retain(alice, "com.x", { 1 })
    for _, options in ipairs { {}, { get_retained = false } } do
      assert.equal(1, #r:join():send { SUBSCRIBE, 1, options, "com.x" })
    end
  end)

  it("gives it to nobody but who subscribes just now", function()
    local r, alice, bob = pair()
    bob:subscribe("com.x", { get_retained = true })
    retain(alice, "com.x", { 1 })
    assert.same({ 1 }, kept(r:join()))
  end)

  it("says retained on retained delivery only", function()
    local _, alice, bob = pair()
    local id = bob:subscribe("com.x", { get_retained = true })
    assert.actions({ { bob, { EVENT, id, core.id, {}, { 1 } } } },
      alice:publish("com.x", { 1 }, nil, { retain = true }))
    assert.actions({ { bob, { EVENT, id, core.id, {}, { 2 } } } }, alice:publish("com.x", { 2 }))
    assert.same({ 1 }, kept(bob))
  end)

  it("gives it again to who subscribes again and asks", function()
    local _, alice, bob = pair()
    retain(alice, "com.x", { 1 })
    assert.same({ 1 }, kept(bob))
    assert.same({ 1 }, kept(bob))
    assert.actions({ { bob, { SUBSCRIBED, 3, core.id } } },
      bob:send { SUBSCRIBE, 3, {}, "com.x" })
    retain(alice, "com.x", { 2 })
    assert.same({ 2 }, kept(bob))
  end)

  it("gives an event that came before the subscription existed, or after it ended", function()
    local r, alice, bob = pair()
    local id = bob:subscribe "com.x"
    bob:unsubscribe(id)
    retain(alice, "com.x", { 1 })
    alice:drop()
    bob:drop()
    assert.same({ 1 }, kept(r:join()))
  end)

  it("keeps one event for everybody, the last", function()
    local r, alice, bob = pair()
    for i = 1, 5 do
      retain(alice, "com.x", { i })
    end
    assert.same({ 5 }, kept(bob))
    alice:publish("com.x", { 6 })
    alice:publish("com.x", { 7 }, nil, { retain = false })
    assert.same({ 5 }, kept(r:join()))
  end)

  it("keeps topics apart", function()
    local _, alice, bob = pair()
    retain(alice, "com.x", { 1 })
    retain(alice, "com.y", { 2 })
    assert.same({ 1 }, kept(bob))
    assert.same({ 2 }, kept(bob, "com.y"))
    assert.same({}, kept(bob, "com.z"))
    assert.same({}, kept(bob, "com"))
  end)

  it("of a topic is no subscription", function()
    local r, alice, bob = pair()
    retain(alice, "com.x", { 1 })
    assert.equal(0, r:counters().subscriptions)
    assert.actions({ { bob, { core.RESULT, 1, {}, { core.null } } } },
      bob:call("wamp.subscription.lookup", { "com.x" }))
  end)

  it("prefers the newest event that the subscriber is eligible for", function()
    local r, alice, bob = pair()
    local carol, dave = r:join(), r:join()
    retain(alice, "com.x", { "all" })
    retain(alice, "com.x", { "bob" }, nil, { eligible = { bob.session } })
    retain(alice, "com.x", { "carol" }, nil, { eligible_authid = { carol.welcome.authid } })
    assert.same({ "bob" }, kept(bob))
    assert.same({ "carol" }, kept(carol))
    assert.same({ "all" }, kept(dave))
    retain(alice, "com.x", { "not dave" }, nil, { exclude = { dave.session } })
    assert.same({ "not dave" }, kept(bob))
    assert.same({ "all" }, kept(dave))
    retain(alice, "com.x", { "new" })
    for _, peer in ipairs { bob, carol, dave } do
      assert.same({ "new" }, kept(peer))
    end
  end)

  it("gives nothing to who is eligible for none", function()
    local _, alice, bob = pair()
    retain(alice, "com.x", { 1 }, nil, { exclude_authid = { bob.welcome.authid } })
    retain(alice, "com.x", { 2 }, nil, { eligible = core.list {} })
    assert.same({}, kept(bob))
  end)

  it("keeps 16 restricted events of a topic beside the one for all", function()
    local r, alice, bob = pair()
    retain(alice, "com.x", { "all" })
    local carol = r:join()
    retain(alice, "com.x", { "carol" }, nil, { eligible = { carol.session } })
    retain(alice, "com.x", { "bob" }, nil, { eligible = { bob.session } })
    for _ = 1, 14 do
      retain(alice, "com.x", { "nobody" }, nil, { eligible = { 1 } })
    end
    assert.same({ "carol" }, kept(carol))
    assert.same({ "bob" }, kept(bob))
    retain(alice, "com.x", { "nobody" }, nil, { eligible = { 1 } })
    assert.same({ "all" }, kept(carol))
    assert.same({ "bob" }, kept(bob))
    retain(alice, "com.x", { "nobody" }, nil, { eligible = { 1 } })
    assert.same({ "all" }, kept(bob))
  end)

  local hellos = {
    a = { agent = "red", team = "one" }, b = { agent = "blue", team = "two" }, c = {},
  }
  for _, row in ipairs {
    { "eligible", function(s) return { s.a.session, s.c.session } end, "ac" },
    { "exclude", function(s) return { s.a.session } end, "bc" },
    { "eligible_authid", function(s) return { s.b.welcome.authid } end, "b" },
    { "exclude_authid", function(s) return { s.b.welcome.authid } end, "ac" },
    { "eligible_authrole", function() return { "anonymous" } end, "abc" },
    { "eligible_authrole", function() return { "admin" } end, "" },
    { "exclude_authrole", function() return { "anonymous" } end, "" },
    { "exclude_authrole", function() return { "admin" } end, "abc" },
    { "eligible_agent", function() return { "red" } end, "a" },
    { "exclude_agent", function() return { "red" } end, "bc" },
    { "eligible_team", function() return { "one", "two" } end, "ab" },
    { "exclude_team", function() return { "one" } end, "bc" },
    { "eligible_team", function() return core.list {} end, "" },
    { "exclude_shoes", function() return { "black" } end, "abc" },
  } do
    it(("respects %s (%s)"):format(row[1], row[3]), function()
      local r = router()
      local sessions = {}
      for name, hello in pairs(hellos) do
        sessions[name] = r:join(hello)
      end
      retain(r:join(), "com.x", { 1 }, nil, { [row[1]] = row[2](sessions) })
      local got = {}
      for name, peer in pairs(sessions) do
        got[#got + 1] = #kept(peer) == 1 and name or nil
      end
      table.sort(got)
      assert.equal(row[3], table.concat(got))
    end)
  end

  it("asks who the subscriber is now, not who was there when it was published", function()
    local r, alice, bob = pair()
    retain(alice, "com.x", { 1 }, nil, { eligible_team = { "red" } })
    assert.same({}, kept(bob))
    assert.same({ 1 }, kept(r:join { team = "red" }))
  end)

  it("keeps an event for everybody with an empty eligible where that means nothing", function()
    local _, alice, bob = pair { empty_eligible_is_absent = true }
    retain(alice, "com.x", { "all" }, nil,
      { eligible = core.list {}, eligible_team = core.list {} })
    assert.same({ "all" }, kept(bob))
    for _ = 1, 16 do
      retain(alice, "com.x", { "nobody" }, nil, { eligible = { 1 } })
    end
    assert.same({ "all" }, kept(bob))
  end)

  it("does not give its own event to the publishing session, unless exclude_me is false", function()
    local _, alice, bob = pair()
    retain(alice, "com.x", { 1 })
    assert.same({}, kept(alice))
    assert.same({ 1 }, kept(bob))
    retain(alice, "com.x", { 2 }, nil, { exclude_me = true })
    assert.same({}, kept(alice))
    retain(alice, "com.x", { 3 }, nil, { exclude_me = false })
    assert.same({ 3 }, kept(alice))
  end)

  it("gives the publishing session an older event of another one", function()
    local _, alice, bob = pair()
    retain(bob, "com.x", { "all" })
    retain(alice, "com.x", { "mine" }, nil, { exclude = { 1 } })
    assert.same({ "all" }, kept(alice))
    assert.same({ "mine" }, kept(bob))
  end)

  for _, match in ipairs { "prefix", "wildcard" } do
    it(("gives a subscription by %s one event a topic, oldest update first"):format(match),
      function()
        local _, alice, bob = pair()
        local ids = {}
        for i, topic in ipairs { "com.a", "com.b", "com.c", "com.b", "com.d", "com.a" } do
          ids[i] = retain(alice, topic, { i })
        end
        retain(alice, "net.a", { 0 })
        retain(alice, "com", { 0 })
        local events = retained(bob, "com.", { match = match })
        assert.equal(4, #events)
        for i, topic in ipairs { "com.c", "com.b", "com.d", "com.a" } do
          assert.equal(ids[i + 2], events[i][3])
          assert.same({ topic = topic, retained = true }, events[i][4])
          assert.same({ i + 2 }, events[i][5])
        end
      end)
  end

  it("gives each pattern what it matches", function()
    local r, alice = pair()
    for i, topic in ipairs { "a", "a.b", "a.b.c", "ab", "b.b" } do
      retain(alice, topic, { i })
    end
    for _, row in ipairs {
      { "", "prefix", { 1, 2, 3, 4, 5 } }, { "a", "prefix", { 1, 2, 3, 4 } },
      { "a.", "prefix", { 2, 3 } }, { "a.b.c.d", "prefix", {} }, { "", "wildcard", { 1, 4 } },
      { ".b", "wildcard", { 2, 5 } }, { "..", "wildcard", { 3 } }, { "a..c", "wildcard", { 3 } },
      { "a.b", "wildcard", { 2 } }, { "a.b", "exact", { 2 } }, { "...", "wildcard", {} },
    } do
      assert.same(row[3], kept(r:join(), row[1], { match = row[2] }), row[1] .. row[2])
    end
  end)

  it("leaves out the topics of a pattern that the subscriber is not eligible for", function()
    local _, alice, bob = pair()
    retain(alice, "com.a", { 1 })
    retain(alice, "com.b", { 2 }, nil, { exclude = { bob.session } })
    retain(alice, "com.c", { 3 })
    retain(alice, "com.c", { 4 }, nil, { eligible = { bob.session } })
    retain(bob, "com.d", { 5 })
    assert.same({ 1, 4 }, kept(bob, "com.", { match = "prefix" }))
  end)

  for match, pattern in pairs { prefix = "com.", wildcard = "com." } do
    it(("gives a subscription by %s 1000 events at most"):format(match), function()
      local _, alice, bob = pair()
      for i = 1, 1001 do
        alice:publish("com.t" .. i, { i }, nil, { retain = true })
      end
      local firsts = kept(bob, pattern, { match = match })
      assert.equal(1000, #firsts)
      for i = 1, 1000 do
        assert.equal(i, firsts[i])
      end
    end)
  end

  it("keeps the publisher's identity as it was decided then", function()
    local r, alice, bob = pair()
    local authid = alice.welcome.authid
    retain(alice, "com.x", { 1 }, nil, { disclose_me = true })
    retain(alice, "com.y", { 2 })
    alice:drop()
    assert.same({ retained = true, publisher = alice.session, publisher_authid = authid,
      publisher_authrole = "anonymous" }, retained(bob)[1][4])
    assert.same({ retained = true }, retained(bob, "com.y")[1][4])
    assert.same({ retained = true, topic = "com.x", publisher = alice.session,
      publisher_authid = authid, publisher_authrole = "anonymous" },
      retained(r:join(), "com.x", { match = "prefix" })[1][4])
  end)

  it("always discloses where the realm does", function()
    local _, alice, bob = pair { disclose_publisher = "always" }
    retain(alice, "com.x", { 1 })
    assert.equal(alice.session, retained(bob)[1][4].publisher)
  end)

  it("keeps nothing of a publication that is refused", function()
    local r, alice, bob = pair { disclose_publisher = "never" }
    for _, row in ipairs { { "com.x", { disclose_me = true } }, { "com..x" }, { "wamp.x" },
      { "wamp.session.on_join" } } do
      local options = { retain = true }
      for k, v in pairs(row[2] or {}) do
        options[k] = v
      end
      assert.actions({}, alice:publish(row[1], { 1 }, nil, options))
      assert.same({}, kept(bob, row[1], { match = row[1]:find "%.%." and "wildcard" }))
    end
    assert.same({}, kept(r:join(), "", { match = "prefix" }))
  end)

  it("carries what travels along with an event", function()
    local r = router { trustlevel = 2 }
    local alice, bob = r:join { roles = core.all_roles }, r:join { roles = core.all_roles }
    local options = { ppt_scheme = "mqtt", ppt_serializer = "cbor", ppt_cipher = "x_none",
      ppt_keyid = "k", transaction_hash = "0x1", enc_algo = "cryptobox" }
    retain(alice, "com.x", { core.binary "\1\2" }, nil, options)
    local details = { retained = true, trustlevel = 2 }
    for k, v in pairs(options) do
      details[k] = v
    end
    assert.same(details, retained(bob)[1][4])
    details.trustlevel = nil
    assert.same(details, retained(r:join())[1][4])
  end)

  for _, payload in ipairs { {}, { core.list {} }, { core.list {}, core.null },
    { core.null, core.null }, { core.list {}, {} } } do
    it(("is ended by retain with %d empty elements, which is delivered"):format(#payload),
      function()
        local r, alice, bob = pair()
        local id = bob:subscribe "com.x"
        retain(alice, "com.x", { 1 })
        retain(alice, "com.x", { 2 }, nil, { exclude = { 1 } })
        retain(alice, "com.y", { 3 })
        assert.actions({ { bob, { EVENT, id, core.id, {} } } },
          alice:send { core.PUBLISH, 4, { retain = true }, "com.x", table.unpack(payload) })
        assert.same({}, kept(r:join()))
        assert.same({ 3 }, kept(r:join(), "com.y"))
        retain(alice, "com.x", { 4 })
        assert.same({ 4 }, kept(r:join()))
      end)
  end

  it("is not ended by an empty payload without retain", function()
    local _, alice, bob = pair()
    retain(alice, "com.x", { 1 })
    alice:publish "com.x"
    assert.same({ 1 }, kept(bob))
  end)

  it("is replaced, not ended, by keyword arguments alone and by a payload of PPT", function()
    local r = router()
    local alice, bob = r:join { roles = core.all_roles }, r:join()
    retain(alice, "com.x", { 1 })
    retain(alice, "com.x", nil, { a = 1 })
    assert.same({ a = 1 }, retained(bob)[1][6])
    retain(alice, "com.x", { core.null })
    assert.same({ core.null }, retained(bob)[1][5])
    retain(alice, "com.x", nil, nil, { ppt_scheme = "mqtt" })
    assert.equal("mqtt", retained(bob)[1][4].ppt_scheme)
  end)

  it("gives a sharded event to the key that wins, and to those without a key", function()
    local r, alice = pair()
    retain(alice, "com.x", { 1 }, nil, { rkey = "sn239019" })
    local members = {}
    for _, key in ipairs { "103", "102", "101" } do
      members[#members + 1] = key
      local expected = shards.winner("sn239019", members) == key and { 1 } or {}
      assert.same(expected, kept(r:join(), "com.x", { nkey = key }), key)
    end
    assert.same({}, kept(r:join(), "com.x", { nkey = "102" }))
    assert.same({ 1 }, kept(r:join(), "com.x", { nkey = "101" }))
    assert.same({ 1 }, kept(r:join()))
    retain(alice, "com.x", { 2 })
    assert.same({ 2 }, kept(r:join(), "com.x", { nkey = "102" }))
  end)

  it("is possible for testaments", function()
    local _, alice, bob = pair()
    alice:call("wamp.session.add_testament", { "com.x", { "gone" }, {} },
      { publish_options = { retain = true } })
    alice:call("wamp.session.add_testament", { "com.y", { "gone" }, {} },
      { publish_options = { retain = true, exclude_authid = { bob.welcome.authid } } })
    alice:drop()
    assert.same({ "gone" }, kept(bob))
    assert.same({}, kept(bob, "com.y"))
  end)

  it("is a matter of the realm, and of true: other values are violations", function()
    for _, bad in ipairs { 1, 0, "true", core.null, {} } do
      local _, alice, bob = pair()
      assert.actions(core.violation(alice, "retain"),
        alice:send { core.PUBLISH, 1, { retain = bad }, "com.x", { 1 } })
      assert.actions(core.violation(bob, "get_retained"),
        bob:send { SUBSCRIBE, 1, { get_retained = bad }, "com.x" })
    end
  end)
end)

for _, from in ipairs(core.codec_names) do
  for _, to in ipairs(core.codec_names) do
    it(("A retained event in %s arrives in %s as it was sent"):format(from, to), function()
      local r = core.router()
      local alice, bob = r:join(nil, { codec = from }), r:join(nil, { codec = to })
      local args = { 1, -1.5, "ü\n", core.null, core.list {}, core.binary "\0\xff", 1 << 53 }
      local kwargs = { a = { b = core.list { true } }, [""] = core.binary "" }
      retain(alice, "com.x", args, kwargs, { transaction_hash = "ü\"" })
      assert.actions({
        { bob, { SUBSCRIBED, 1, core.id } },
        { bob, { EVENT, core.id, core.id, { retained = true, transaction_hash = "ü\"" }, args,
          kwargs } },
      }, bob:send { SUBSCRIBE, 1, { get_retained = true }, "com.x" })
    end)
  end
end

--- event_history: events of configured patterns are kept, and get_events finds them again.
-- SPDX-License-Identifier: MIT
local core = require "core"
local history = require "history"
local value = require "value"

local CALL, EVENT, RESULT = core.CALL, core.EVENT, core.RESULT
local get_events = "wamp.subscription.get_events"
local one = { event_history = { { uri = "com.x" } } }

--- RESULT of get_events: the events and the keyword arguments.
local function ask(peer, id, query, ...)
  local actions = peer:call(get_events, { id, ... }, query)
  local message = peer:messages(actions)[1]
  assert.equal(1, #actions)
  assert.equal(RESULT, message[1], core.show(message))
  assert.equal(peer.last_request, message[2])
  assert.is_nil(next(message[3]))
  return message[4], message[5]
end

local function publications(events)
  local ids = {}
  for i, event in ipairs(events) do
    ids[i] = event.publication
  end
  return ids
end

local function first_args(events)
  local all = {}
  for i, event in ipairs(events) do
    all[i] = event.args[1]
  end
  return all
end

local function publish(peer, topic, args, kwargs, options)
  local all = { acknowledge = true }
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  local actions = peer:publish(topic, args, kwargs, all)
  return peer:messages(actions)[1][3]
end

local function lookup(peer, uri, match)
  local actions = peer:call("wamp.subscription.lookup", { uri, { match = match } })
  return peer:messages(actions)[1][4][1]
end

core.describe("Event history", function(router)
  --- A router with a log, a publisher, a reader, and the log's id.
  local function scene(options, match)
    local r = router(options or one)
    local alice, bob = r:join(), r:join()
    local entry = (options or one).event_history[1]
    return r, alice, bob, lookup(bob, entry.uri, match or entry.match)
  end

  local function refused(peer, uri, args, query)
    local actions = peer:call(get_events, args, query)
    assert.actions({ { peer, core.failure(CALL, peer.last_request, uri) } }, actions)
    return peer:messages(actions)[1]
  end

  it("is announced", function()
    assert.is_true(router(one):join().welcome.roles.broker.features.event_history)
  end)

  it("gives back what was published before anybody subscribed", function()
    local r, alice, bob, id = scene()
    r:advance(1234)
    local publication = publish(alice, "com.x", { 1, "a" }, { a = 2 })
    local events, kwargs = ask(bob, id)
    assert.is_true(value.same(value.list { value.dict {
      timestamp = history.timestamp(1700000001234), subscription = id, publication = publication,
      details = {}, args = { 1, "a" }, kwargs = { a = 2 },
    } }, events), core.show(events))
    assert.is_true(value.same({ is_limit_reached = false, more = false }, kwargs))
  end)

  it("is empty before anything was published", function()
    local _, _, bob, id = scene()
    assert.actions({ { bob, { RESULT, bob.last_request + 1, {}, core.list {},
      { is_limit_reached = false, more = false } } } }, bob:call(get_events, { id }))
  end)

  it("gives one event as one argument, in order of receipt", function()
    local _, alice, bob, id = scene()
    local expected = {}
    for i = 1, 20 do
      expected[i] = publish(alice, "com.x", { i })
    end
    assert.same(expected, publications((ask(bob, id))))
  end)

  it("leaves args and kwargs out when they are empty", function()
    local _, alice, bob, id = scene()
    publish(alice, "com.x")
    publish(alice, "com.x", core.list {}, {})
    publish(alice, "com.x", nil, { a = 1 })
    publish(alice, "com.x", { 1 })
    local events = ask(bob, id)
    for i, keys in ipairs { {}, {}, { kwargs = true }, { args = true } } do
      assert.equal(keys.args, events[i].args and true)
      assert.equal(keys.kwargs, events[i].kwargs and true)
    end
    assert.same({ a = 1 }, events[3].kwargs)
    assert.same({ 1 }, events[4].args)
  end)

  it("keeps publications that nobody acknowledges, and the publisher's own", function()
    local _, alice, _, id = scene()
    alice:publish("com.x", { 1 })
    alice:publish("com.x", { 2 }, nil, { exclude_me = true })
    alice:publish("com.x", { 3 }, nil, { exclude_me = false })
    assert.same({ 1, 2, 3 }, first_args((ask(alice, id))))
  end)

  it("outlives its publishers and its subscribers", function()
    local _, alice, bob, id = scene()
    assert.equal(id, (bob:subscribe "com.x"))
    alice:publish("com.x", { 1 }, nil, { disclose_me = true })
    alice:drop()
    bob:unsubscribe(id)
    local events = ask(bob, id)
    assert.same({ 1 }, first_args(events))
    assert.equal(alice.session, events[1].details.publisher)
  end)

  it("does not change what subscribers get", function()
    local _, alice, bob, id = scene()
    bob:subscribe "com.x"
    assert.actions({ { bob, { EVENT, id, core.id, {}, { 1 } } } }, alice:publish("com.x", { 1 }))
  end)

  it("keeps nothing of what does not match, or was refused", function()
    local _, alice, bob, id = scene { event_history = { { uri = "com.x" } },
      disclose_publisher = "never" }
    alice:publish("com.y", { 1 })
    alice:publish("com", { 1 })
    alice:publish("com.x.y", { 1 })
    alice:publish("com..x", { 1 })
    alice:publish("com.x", { 1 }, nil, { disclose_me = true })
    assert.same({}, first_args((ask(bob, id))))
  end)

  it("has a log for each pattern, each with the same publication", function()
    local r = router { event_history = { { uri = "com.x" }, { uri = "com.x", match = "prefix" },
      { uri = ".x", match = "wildcard" }, { uri = "net.x" } } }
    local alice, bob = r:join(), r:join()
    local publication = publish(alice, "com.x", { 1 })
    local ids = {}
    for match, topic in pairs { exact = false, prefix = "com.x", wildcard = "com.x" } do
      local id = lookup(bob, match == "wildcard" and ".x" or "com.x", match)
      assert.is_nil(ids[id])
      ids[id] = true
      local events = ask(bob, id)
      assert.same({ publication }, publications(events))
      assert.equal(id, events[1].subscription)
      assert.same({ topic = topic or nil }, events[1].details)
    end
    assert.same({}, first_args((ask(bob, lookup(bob, "net.x")))))
  end)

  it("shows details as they were in the EVENT", function()
    local r = router { event_history = { { uri = "com.x" } }, trustlevel = 3 }
    local alice, bob = r:join { roles = core.all_roles }, r:join { roles = core.all_roles }
    local id = bob:subscribe "com.x"
    local live = {}
    for i, options in ipairs { {}, { disclose_me = true }, { disclose_me = false },
      { ppt_scheme = "mqtt", ppt_serializer = "cbor", ppt_cipher = "x_none", ppt_keyid = "k" },
      { transaction_hash = "0x1", enc_algo = "cryptobox", x_mine = 1, rkey = "a" } } do
      live[i] = bob:messages(alice:publish("com.x", { i }, nil, options))[1][4]
    end
    local events = ask(bob, id)
    assert.equal(#live, #events)
    for i, event in ipairs(events) do
      assert.is_true(value.same(live[i], event.details), core.show(event.details))
    end
    assert.equal(3, events[1].details.trustlevel)
    assert.equal(alice.welcome.authid, events[2].details.publisher_authid)
    assert.equal("mqtt", events[4].details.ppt_scheme)
  end)

  it("tells the trust level to every caller", function()
    local r = router { event_history = { { uri = "com.x" } }, trustlevel = 0 }
    local alice, bob = r:join(), r:join { roles = core.all_roles }
    alice:publish("com.x", { 1 })
    local id = lookup(alice, "com.x")
    assert.same({ trustlevel = 0 }, ask(alice, id)[1].details)
    assert.same({ trustlevel = 0 }, ask(bob, id)[1].details)
  end)

  it("keeps the last events, as many as configured, and says that it has dropped some", function()
    local _, alice, bob, id = scene { event_history = { { uri = "com.x", limit = 3 } } }
    for i = 1, 10 do
      alice:publish("com.x", { i })
      local events, kwargs = ask(bob, id)
      local expected = {}
      for n = math.max(1, i - 2), i do
        expected[#expected + 1] = n
      end
      assert.same(expected, first_args(events))
      assert.equal(i > 3, kwargs.is_limit_reached)
      assert.is_false(kwargs.more)
    end
  end)

  it("keeps 1000 events by default", function()
    local _, alice, bob, id = scene()
    for i = 1, 1001 do
      alice:publish("com.x", { i })
    end
    local events, kwargs = ask(bob, id)
    assert.equal(1000, #events)
    assert.equal(2, events[1].args[1])
    assert.is_true(kwargs.is_limit_reached)
    assert.is_false(kwargs.more)
  end)

  it("forgets what is older than configured", function()
    local r, alice, bob, id = scene { event_history = { { uri = "com.x", max_age = 10 } } }
    alice:publish("com.x", { 1 })
    r:advance(5000)
    alice:publish("com.x", { 2 })
    r:advance(4999)
    assert.same({ 1, 2 }, first_args((ask(bob, id))))
    r:advance(2)
    assert.same({ 2 }, first_args((ask(bob, id))))
    r:advance(1000000)
    assert.same({}, first_args((ask(bob, id))))
    alice:publish("com.x", { 3 })
    assert.same({ 3 }, first_args((ask(bob, id))))
  end)

  it("never forgets because of age when no age is configured", function()
    local r, alice, bob, id = scene()
    alice:publish("com.x", { 1 })
    r:advance(1 << 40)
    assert.same({ 1 }, first_args((ask(bob, id))))
  end)

  it("keeps no more octets than configured", function()
    local _, alice, bob, id = scene { event_history = { { uri = "com.x", max_bytes = 8000 } } }
    alice:publish("com.x", { 0 })
    assert.same({ 0 }, first_args((ask(bob, id))))
    for i = 1, 20 do
      alice:publish("com.x", { i, ("x"):rep(1000) })
    end
    local events, kwargs = ask(bob, id)
    assert.is_true(#events >= 2 and #events <= 7, #events)
    for i, event in ipairs(events) do
      assert.equal(20 - #events + i, event.args[1])
    end
    assert.is_true(kwargs.is_limit_reached)
    alice:publish("com.x", { 21, ("x"):rep(10000) })
    alice:publish("com.x", { 22 })
    events = first_args((ask(bob, id)))
    assert.equal(22, events[#events])
    assert.not_equal(21, events[#events - 1])
  end)

  local filters = { { "eligible", "session" }, { "exclude", "session" },
    { "eligible_agent", "agent" }, { "exclude_team", "agent" }, { "eligible_nobodyhas", "agent" } }
  for _, row in ipairs(filters) do
    it("does not keep a publication with " .. row[1], function()
      local r, alice, _, id = scene()
      local carol = r:join { agent = "red", team = "red" }
      local value_of = { session = carol.session, agent = "red" }
      alice:publish("com.x", { 1 }, nil, { [row[1]] = { value_of[row[2]] } })
      alice:publish("com.x", { 2 }, nil, { eligible_authid = { carol.welcome.authid },
        [row[1]] = { value_of[row[2]] } })
      alice:publish("com.x", { 3 })
      assert.same({ 3 }, first_args((ask(carol, id))))
    end)
  end

  it("shows each caller what it was eligible for, by authid and authrole", function()
    local r, alice, bob, id = scene()
    local carol = r:join()
    local b, c = bob.welcome.authid, carol.welcome.authid
    for i, options in ipairs { {},
      { eligible_authid = { b } }, { exclude_authid = { b } }, { eligible_authid = { b, c } },
      { eligible_authid = core.list {} }, { exclude_authid = core.list {} },
      { eligible_authrole = { "anonymous" } }, { exclude_authrole = { "anonymous" } },
      { eligible_authrole = { "admin" } }, { exclude_authrole = { "admin" } },
      { eligible_authrole = core.list {} }, { exclude_authrole = core.list {} },
      { eligible_authid = { b, c }, exclude_authid = { c } },
      { eligible_authrole = { "anonymous" }, exclude_authid = { b } } } do
      alice:publish("com.x", { i }, nil, options)
    end
    assert.same({ 1, 2, 4, 6, 7, 10, 12, 13 }, first_args((ask(bob, id))))
    assert.same({ 1, 3, 4, 6, 7, 10, 12, 14 }, first_args((ask(carol, id))))
    assert.same({ 1, 3, 6, 7, 10, 12, 14 }, first_args((ask(alice, id))))
  end)

  it("counts the limit after what the caller may not see was left out", function()
    local _, alice, bob, id = scene()
    for i = 1, 9 do
      alice:publish("com.x", { i }, nil, i % 3 ~= 0 and { exclude_authid = { bob.welcome.authid } }
        or nil)
    end
    local events, kwargs = ask(bob, id, { limit = 2 })
    assert.same({ 3, 6 }, first_args(events))
    assert.is_true(kwargs.more)
    events, kwargs = ask(bob, id, { limit = 3 })
    assert.same({ 3, 6, 9 }, first_args(events))
    assert.is_false(kwargs.more)
    assert.same({ 9, 6 }, first_args((ask(bob, id, { limit = 2, reverse = true }))))
  end)

  it("takes an empty eligible as absent where that is configured", function()
    local _, alice, bob, id = scene { event_history = { { uri = "com.x" } },
      empty_eligible_is_absent = true }
    for i, key in ipairs { "eligible_authid", "eligible_authrole", "eligible", "eligible_agent" } do
      alice:publish("com.x", { i }, nil, { [key] = core.list {} })
    end
    assert.same({ 1, 2, 3, 4 }, first_args((ask(bob, id))))
  end)

  it("keeps a publication whose filter by attribute is none", function()
    local _, alice, bob, id = scene()
    alice:publish("com.x", { 1 }, nil, { eligible_ = {}, exclude_ = 5 })
    assert.same({ 1 }, first_args((ask(bob, id))))
  end)

  it("shows a raw payload as one argument", function()
    local _, alice, bob, id = scene()
    for i, raw in ipairs { core.binary "\1\2", "text" } do
      alice:send { core.PUBLISH, i, { enc_algo = "cryptobox" }, "com.x", raw }
    end
    local events = ask(bob, id)
    assert.is_true(value.same(value.list { core.binary "\1\2" }, events[1].args))
    assert.same({ "text" }, events[2].args)
    assert.is_nil(events[1].kwargs)
  end)

  it("that does not fit into a message of the caller's transport is an error", function()
    local r, alice = scene()
    for i = 1, 10 do
      alice:publish("com.x", { i, ("x"):rep(100) })
    end
    local carol = r:join(nil, { send_max = 1024 })
    local id = lookup(carol, "com.x")
    refused(carol, "wamp.error.payload_size_exceeded", { id })
    assert.same({ 1, 2 }, first_args((ask(carol, id, { limit = 2 }))))
  end)

  for _, row in ipairs {
    { "", "prefix", "com.x" }, { "w", "prefix", "com.x" }, { "..", "wildcard", "a.b.c" },
    { ".session.on_join", "wildcard", "com.session.on_join" },
  } do
    it(("by %s %q keeps no meta events"):format(row[2], row[1]), function()
      local r, alice, bob, id = scene { event_history = { { uri = row[1], match = row[2] } } }
      r:join():drop()
      alice:subscribe "com.z"
      local topic = row[1] == "w" and "wampum" or row[3]
      alice:publish(topic, { 7 })
      assert.same({ 7 }, first_args((ask(bob, id))))
    end)
  end

  for _, row in ipairs {
    { "wamp.session.on_join", nil }, { "wamp.session.", "prefix" }, { "wamp", "prefix" },
    { "wamp..on_join", "wildcard" },
  } do
    it(("by %s %q, which is reserved, keeps meta events"):format(row[2] or "exact", row[1]),
      function()
        local r = router { event_history = { { uri = row[1], match = row[2] } } }
        local bob = r:join()
        local carol = r:join { agent = "red" }
        local events = ask(bob, lookup(bob, row[1], row[2]), { reverse = true, limit = 1 })
        assert.equal(carol.session, events[1].args[1].session)
        assert.equal("red", events[1].args[1].agent)
        assert.same({ topic = row[2] and "wamp.session.on_join" }, events[1].details)
      end)
  end

  it("keeps testaments", function()
    local _, alice, bob, id = scene()
    alice:call("wamp.session.add_testament", { "com.x", { "gone" }, { a = 1 } })
    alice:drop()
    local events = ask(bob, id)
    assert.same({ "gone" }, events[1].args)
    assert.same({ a = 1 }, events[1].kwargs)
  end)

  it("gives one list with the events where that is configured", function()
    local _, alice, bob, id = scene { event_history = { { uri = "com.x" } },
      history_result = "list" }
    assert.actions({ { bob, { RESULT, bob.last_request + 1, {}, { core.list {} },
      { is_limit_reached = false, more = false } } } }, bob:call(get_events, { id }))
    alice:publish("com.x", { 1 })
    alice:publish("com.x", { 2 })
    local args, kwargs = ask(bob, id, { reverse = true })
    assert.equal(1, #args)
    assert.same({ 2, 1 }, first_args(args[1]))
    assert.is_true(value.same({ is_limit_reached = false, more = false }, kwargs))
  end)

  it("gives no more events than configured, whatever limit is asked for", function()
    local _, alice, bob, id = scene { event_history = { { uri = "com.x" } },
      history_max_result = 4, history_result = "flat" }
    for i = 1, 6 do
      alice:publish("com.x", { i })
    end
    for _, limit in ipairs { false, 5, 1 << 53 } do
      local events, kwargs = ask(bob, id, { limit = limit or nil })
      assert.same({ 1, 2, 3, 4 }, first_args(events))
      assert.is_true(kwargs.more)
      assert.is_false(kwargs.is_limit_reached)
    end
    local events, kwargs = ask(bob, id, { after_publication = (ask(bob, id))[4].publication })
    assert.same({ 5, 6 }, first_args(events))
    assert.is_false(kwargs.more)
  end)

  it("of 1000 events at most by default", function()
    local _, alice, bob, id = scene { event_history = { { uri = "com.x", limit = 1100 } } }
    for i = 1, 1050 do
      alice:publish("com.x", { i })
    end
    local events, kwargs = ask(bob, id)
    assert.equal(1000, #events)
    assert.is_true(kwargs.more)
    events, kwargs = ask(bob, id, { after_publication = events[1000].publication })
    assert.equal(50, #events)
    assert.is_false(kwargs.more)
  end)

  it("is a matter of its subscription: unknown ids and others have none", function()
    local r, alice, bob, id = scene()
    local other, registration = alice:subscribe "com.y", alice:register "com.x"
    local gone = alice:subscribe "com.z"
    alice:unsubscribe(gone)
    for _, wrong in ipairs { registration, gone, 1000000, 1 << 53 } do
      refused(bob, "wamp.error.no_such_subscription", { wrong })
    end
    refused(bob, "wamp.error.history_unavailable", { other })
    local prefix = bob:subscribe("com.x", { match = "prefix" })
    refused(bob, "wamp.error.history_unavailable", { prefix })
    assert.same({}, first_args((ask(bob, id))))
    assert.equal(2, r:counters().sessions)
  end)

  it("does not exist where none is configured", function()
    local r = router()
    local alice = r:join()
    refused(alice, "wamp.error.history_unavailable", { alice:subscribe "com.x" })
    refused(alice, "wamp.error.no_such_subscription", { 1000 })
  end)

  for _, args in ipairs { core.list {}, { "1" }, { true }, { core.null }, { 1.5 }, { 0 }, { -1 },
    { (1 << 53) + 1 }, { { 1 } }, { core.list { 1 } } } do
    it(("of %s is an invalid argument, with a text"):format(core.show(args)), function()
      local _, _, bob = scene()
      local message = refused(bob, "wamp.error.invalid_argument", args)
      assert.matches("%a", message[6][1])
    end)
  end

  local bad = {
    reverse = { 1, 0, "true", core.list {}, {} },
    limit = { 0, -1, "5", true, 1.5, core.list { 1 }, math.mininteger },
    topic = { 5, true, core.list { "com.x" }, {} },
  }
  for _, key in ipairs { "from", "after", "until", "before" } do
    bad[key .. "_time"] = { 0, 1700000000000, true, {}, "", "yesterday", "2023-11-14",
      "2023-11-14T22:13:20", "22:13:20Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z",
      "2023-02-29T00:00:00Z", "2023-11-31T00:00:00Z", "2023-11-00T00:00:00Z",
      "2023-11-14T24:00:00Z", "2023-11-14T22:60:00Z", "2023-11-14T22:13:61Z",
      "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20+01",
      "2023-11-14T22:13:20+01:60", "2023-11-14T22:13:20Z ", " 2023-11-14T22:13:20Z",
      "2023-11-14T22:13:20ZZ", "23-11-14T22:13:20Z", "2023-1-14T22:13:20Z",
      "2023-11-14T22:13Z", "-023-11-14T22:13:20Z", "2023-11-14T22:13:20\0Z" }
    bad[key .. "_publication"] = { 0, -1, "1", true, 1.5, (1 << 53) + 1, {}, core.list { 1 } }
  end
  for key, values in pairs(bad) do
    it(("with a bad %s is an invalid argument"):format(key), function()
      local _, alice, bob, id = scene()
      alice:publish("com.x", { 1 })
      for _, wrong in ipairs(values) do
        local message = refused(bob, "wamp.error.invalid_argument", { id }, { [key] = wrong })
        assert.matches(key, message[6][1], nil, true)
      end
      assert.same({ 1 }, first_args((ask(bob, id))))
    end)
  end

  it("with a bad limit as second argument is an invalid argument", function()
    local _, _, bob, id = scene()
    for _, wrong in ipairs { 0, -1, "5", true, 1.5, core.list { 1 } } do
      refused(bob, "wamp.error.invalid_argument", { id, wrong })
    end
  end)

  it("ignores surplus arguments and unknown keys", function()
    local _, alice, bob, id = scene()
    alice:publish("com.x", { 1 })
    assert.same({ 1 }, first_args((ask(bob, id, { x_mine = true, from = 5 }, 7, "more", {}))))
  end)
end)

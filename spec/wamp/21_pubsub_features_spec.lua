--- Shards, history, retention, roles and reserved names, with a real router.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local shards = require "shards"
local wamp = require "wamp"

local get_events = "wamp.subscription.get_events"

local knobs = {
  event_history = {
    { uri = "spec.log.", match = "prefix", limit = 20, max_age = "1h", max_bytes = "1MiB" },
    { uri = "spec.exact" },
    { uri = "spec..wild", match = "wildcard" },
  },
  history_max_result = 15,
  retained_max_topics = 3000,
  trustlevel = 2,
}

local function result(peer, procedure, args, kwargs)
  local request = peer:call(procedure, args, kwargs)
  return peer:expect { wamp.RESULT, request, {}, wamp.capture(), wamp.capture() }
end

local function lookup(peer, uri, match)
  local request = peer:call("wamp.subscription.lookup", { uri, { match = match } })
  return peer:expect { wamp.RESULT, request, {}, { wamp.id } }
end

local function first_args(events)
  local all = {}
  for i, event in ipairs(events) do
    all[i] = event.args[1]
  end
  return all
end

local function sharding(peer)
  it("sharded_subscription: delivers an event to the shard that its rkey belongs to", function()
    local bob = peer.join()
    local topic = peer.uri()
    local keys, members = { "101", "102", "103" }, {}
    local id
    for _, key in ipairs(keys) do
      members[key] = { peer.join(), peer.join() }
      for _, member in ipairs(members[key]) do
        id = member:subscribe(topic, { nkey = key })
      end
    end
    members.none = { peer.join() }
    members.none[1]:subscribe(topic)
    local rkeys = { "sn239019", "user-42" }
    for i = 1, 20 do
      rkeys[#rkeys + 1] = peer.uri("key" .. i)
    end
    assert.equal("101", shards.winner(rkeys[1], keys))
    assert.equal("103", shards.winner(rkeys[2], keys))
    for i, rkey in ipairs(rkeys) do
      bob:publish_surely(topic, { i }, nil, { rkey = rkey })
      for _, key in ipairs { shards.winner(rkey, keys), "none" } do
        for _, member in ipairs(members[key]) do
          member:expect_event(id, { i })
        end
      end
    end
    bob:publish_surely(topic, { "all" })
    for _, group in pairs(members) do
      for _, member in ipairs(group) do
        member:expect_event(id, { "all" })
        member:expect_nothing()
      end
    end
  end)

  it("sharded_subscription: moves a shard when its subscriber breaks off, and only then", function()
    local alice, carol, bob = peer.join(), peer.join(), peer.join()
    local topic = peer.uri()
    local id = alice:subscribe(topic, { nkey = "101" })
    carol:subscribe(topic, { nkey = "102" })
    bob:publish_surely(topic, { 1 }, nil, { rkey = "sn239019",
      exclude_authid = { alice.welcome.authid } })
    alice:expect_nothing()
    carol:expect_nothing()
    alice:goodbye()
    bob:publish_surely(topic, { 2 }, nil, { rkey = "sn239019" })
    carol:expect_event(id, { 2 })
  end)
end

local function history(peer)
  it("event_history: keeps events from before anybody subscribed, and answers in pages", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    local id = lookup(bob, "spec.log.", "prefix")
    local publications = {}
    for i = 1, 25 do
      publications[i] = alice:publish_surely("spec.log." .. i % 2, { i }, { k = "v" })
    end
    local events, more = result(bob, get_events, { id })
    assert.equal(15, #events)
    assert.same({ is_limit_reached = true, more = true }, more)
    assert.is_true(wamp.same(wamp.dict { timestamp = events[1].timestamp, subscription = id,
      publication = publications[6], details = { topic = "spec.log.0", trustlevel = 2 },
      args = { 6 }, kwargs = { k = "v" } }, events[1]), wamp.show(events[1]))
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", events[1].timestamp)

    local all, query = {}, { limit = 7 }
    repeat
      events, more = result(bob, get_events, { id }, query)
      for _, event in ipairs(events) do
        all[#all + 1] = event.publication
      end
      query.after_publication = all[#all]
    until not more.more
    assert.same({ table.unpack(publications, 6) }, all)

    all, query = {}, { limit = 4, reverse = true, topic = "spec.log.1" }
    repeat
      events, more = result(bob, get_events, { id }, query)
      for _, event in ipairs(events) do
        table.insert(all, event.args[1])
        query.before_publication = event.publication
      end
    until not more.more
    assert.same({ 25, 23, 21, 19, 17, 15, 13, 11, 9, 7 }, all)
  end)

  it("event_history: filters by time and position", function()
    peer.fresh_realm()
    local alice = peer.join()
    local id = lookup(alice, "spec.exact")
    local ids = {}
    for i = 1, 6 do
      ids[i] = alice:publish_surely("spec.exact", { i })
    end
    local function ask(query)
      return first_args((result(alice, get_events, { id }, query)))
    end
    local times = {}
    for i, event in ipairs((result(alice, get_events, { id }))) do
      times[i] = event.timestamp
      assert.same({ trustlevel = 2 }, event.details)
    end
    assert.same({ 3, 4 }, ask { from_publication = ids[3], until_publication = ids[4] })
    assert.same({ 3, 4 }, ask { after_publication = ids[2], before_publication = ids[5] })
    assert.same({ 5, 4 }, ask { after_publication = ids[2], before_publication = ids[6],
      reverse = true, limit = 2 })
    assert.same({ 1, 2, 3, 4, 5, 6 }, ask { from_time = times[1], until_time = times[6] })
    assert.same({}, ask { before_time = times[1] })
    assert.same({}, ask { after_time = times[6] })
    for i, number in ipairs(ask { from_time = times[3] }) do
      assert.is_true(times[number] >= times[3] and (i == 1 or number > 1))
    end
    assert.same({}, ask { topic = "spec.other" })
    assert.same({}, ask { from_publication = ids[1] ~ 1 })
  end)

  it("event_history: shows events to those that were meant, and keeps none for sessions", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    local id = lookup(bob, "spec..wild", "wildcard")
    local b = bob.welcome.authid
    for i, options in ipairs { {}, { eligible_authid = { b } }, { exclude_authid = { b } },
      { eligible = { alice.session, bob.session } }, { exclude = { 1 } },
      { exclude_authrole = { "anonymous" } }, { eligible_authrole = { "anonymous" } } } do
      alice:publish_surely("spec.x.wild", { i }, nil, options)
    end
    assert.same({ 1, 2, 7 }, first_args((result(bob, get_events, { id }))))
    assert.same({ 1, 3, 7 }, first_args((result(alice, get_events, { id }))))
  end)

  it("event_history: outlives sessions, and comes back in the reader's own serializer", function()
    peer.fresh_realm()
    local alice = peer.join()
    local args = { 1.5, "ü", wamp.null, wamp.list {}, wamp.binary "\0\xff", 1 << 53 }
    alice:publish_surely("spec.exact", args, { a = { b = wamp.list { true } } },
      { disclose_me = true })
    alice:drop()
    for _, serializer in ipairs(conformance.serializers) do
      local bob = peer.join(nil, { serializer = serializer })
      local events, more = result(bob, get_events, { lookup(bob, "spec.exact") })
      assert.is_true(wamp.same(wamp.list(args), events[1].args), wamp.show(events))
      assert.is_true(wamp.same(wamp.dict { a = wamp.dict { b = wamp.list { true } } },
        events[1].kwargs))
      assert.same({ publisher = alice.session, publisher_authid = alice.welcome.authid,
        publisher_authrole = "anonymous", trustlevel = 2 }, events[1].details)
      assert.same({ is_limit_reached = false, more = false }, more)
    end
  end)

  it("event_history: refuses what it cannot answer", function()
    peer.fresh_realm()
    local alice = peer.join()
    local id, other = lookup(alice, "spec.exact"), alice:subscribe("spec.other")
    for _, row in ipairs {
      { "wamp.error.no_such_subscription", { 1 << 40 } },
      { "wamp.error.history_unavailable", { other } },
      { "wamp.error.invalid_argument", {} },
      { "wamp.error.invalid_argument", { "1" } },
      { "wamp.error.invalid_argument", { id, 0 } },
      { "wamp.error.invalid_argument", { id }, { limit = 0 } },
      { "wamp.error.invalid_argument", { id }, { reverse = 1 } },
      { "wamp.error.invalid_argument", { id }, { from_time = "today" } },
      { "wamp.error.invalid_argument", { id }, { topic = 5 } },
      { "wamp.error.invalid_argument", { id }, { after_publication = "x" } },
    } do
      local request = alice:call(get_events, row[2], row[3])
      alice:expect_error(wamp.CALL, request, row[1])
    end
    alice:expect_nothing()
  end)
end

local function retention(peer)
  local function subscribe(alice, topic, options)
    local all = { get_retained = true }
    for k, v in pairs(options or {}) do
      all[k] = v
    end
    return alice:subscribe(topic, all)
  end

  it("event_retention: brings a topic's last event to who subscribes later", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    bob:publish_surely(topic, { 1 }, nil, { retain = true })
    local publication = bob:publish_surely(topic, { 2, "ü" }, { a = 1 }, { retain = true })
    bob:publish_surely(topic, { 3 })
    local id = subscribe(alice, topic)
    alice:expect { wamp.EVENT, id, publication, { retained = true }, { 2, "ü" }, { a = 1 } }
    alice:expect_nothing()
    subscribe(bob, topic)
    bob:expect_nothing()
    bob:drop()
    bob = peer.join()
    assert.equal(id, subscribe(bob, topic))
    bob:expect { wamp.EVENT, id, publication, { retained = true }, { 2, "ü" }, { a = 1 } }
    bob:publish_surely(topic, { 4 }, nil, { retain = true })
    alice:expect_event(id, { 4 })
    subscribe(alice, topic)
    alice:expect_event(id, { 4 }, nil, { retained = true })
    bob:publish_surely(topic, nil, nil, { retain = true })
    alice:expect_event(id)
    subscribe(alice, topic)
    alice:expect_nothing()
  end)

  it("event_retention: brings it to those that it is meant for", function()
    local alice, carol, bob = peer.join { team = "red" }, peer.join(), peer.join()
    local topic = peer.uri()
    bob:publish_surely(topic, { "all" }, nil, { retain = true })
    bob:publish_surely(topic, { "red" }, nil, { retain = true, eligible_team = { "red" } })
    local id = subscribe(alice, topic)
    alice:expect_event(id, { "red" }, nil, { retained = true })
    subscribe(carol, topic)
    carol:expect_event(id, { "all" }, nil, { retained = true })
  end)

  it("event_retention: brings one of each topic to a pattern, in every serializer", function()
    peer.fresh_realm()
    local bob = peer.join()
    for i, topic in ipairs { "a.1", "a.2", "a.3", "a.1", "b.1" } do
      bob:publish_surely(topic, { i, wamp.binary "\0" }, nil, { retain = true })
    end
    for _, serializer in ipairs(conformance.serializers) do
      local alice = peer.join(nil, { serializer = serializer })
      local id = subscribe(alice, "a.", { match = "prefix" })
      for _, i in ipairs { 2, 3, 4 } do
        alice:expect_event(id, { i, wamp.binary "\0" }, nil,
          { retained = true, topic = i == 4 and "a.1" or "a." .. i })
      end
      alice:expect_nothing()
    end
  end)

  it("event_retention: brings a thousand, and then what is published live", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    local messages = {}
    for i = 1, 1100 do
      messages[i] = { wamp.PUBLISH, i, { retain = true }, "t" .. i, { i } }
    end
    bob:send_all(messages)
    bob:expect_nothing()
    local id = subscribe(alice, "t", { match = "prefix" })
    for i = 1, 1000 do
      alice:expect_event(id, { i }, nil, { retained = true, topic = "t" .. i })
    end
    bob:publish_surely("t0", { 0 })
    alice:expect_event(id, { 0 }, nil, { topic = "t0" })
  end)

  it("event_retention: brings the testament of a connection that broke", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local id = bob:subscribe(topic)
    local request = alice:call("wamp.session.add_testament", { topic, { "gone" }, {} },
      { publish_options = { retain = true } })
    alice:expect_result(request)
    alice:drop()
    bob:expect_event(id, { "gone" })
    local carol = peer.join()
    assert.equal(id, subscribe(carol, topic))
    carol:expect_event(id, { "gone" }, nil, { retained = true })
  end)
end

local function trust_and_order(peer)
  local announced = { roles = wamp.roles {
    subscriber = { publication_trustlevels = true } } }

  it("tells the trust level to who announced it, live, retained and in history", function()
    peer.fresh_realm()
    local alice, bob = peer.join(announced), peer.join()
    local id = alice:subscribe("spec.exact")
    bob:publish_surely("spec.exact", { 1 }, nil, { retain = true })
    alice:expect_event(id, { 1 }, nil, { trustlevel = 2 })
    alice:subscribe("spec.exact", { get_retained = true })
    alice:expect_event(id, { 1 }, nil, { retained = true, trustlevel = 2 })
    assert.same({ trustlevel = 2 }, result(alice, get_events, { id })[1].details)
    id = bob:subscribe("spec.exact")
    peer.join():publish_surely("spec.exact", { 2 })
    bob:expect_event(id, { 2 })
  end)

  it("keeps the order of two publishers for two subscribers, under load", function()
    local topics = { peer.uri(), peer.uri() }
    local subscribers, publishers = { peer.join(), peer.join() }, { peer.join(), peer.join() }
    local ids = {}
    for _, subscriber in ipairs(subscribers) do
      for i, topic in ipairs(topics) do
        ids[subscriber:subscribe(topic)] = i
      end
    end
    for from = 1, 300, 50 do
      for number, publisher in ipairs(publishers) do
        local messages = {}
        for i = from, from + 49 do
          messages[#messages + 1] = { wamp.PUBLISH, i, { acknowledge = i % 50 == 0 },
            topics[(i + number) % 2 + 1], { number, i } }
        end
        publisher:send_all(messages)
      end
    end
    for _, publisher in ipairs(publishers) do
      for i = 50, 300, 50 do
        publisher:expect { wamp.PUBLISHED, i, wamp.id }
      end
    end
    for _, subscriber in ipairs(subscribers) do
      local next_of = { 1, 1 }
      for _ = 1, 600 do
        local id, args = subscriber:expect { wamp.EVENT, wamp.id, wamp.any, {}, wamp.capture() }
        local number = args[1]
        assert.equal(next_of[number], args[2])
        assert.equal((args[2] + number) % 2 + 1, ids[id])
        next_of[number] = args[2] + 1
      end
      subscriber:expect_nothing()
    end
  end)
end

local function names(peer)
  it("keeps the router's own names from applications", function()
    local alice = peer.join()
    for i, prefix in ipairs { "wamp", "nexus" } do
      alice:send { wamp.REGISTER, 2 * i - 1, {}, prefix .. ".x" }
      alice:expect_error(wamp.REGISTER, 2 * i - 1, "wamp.error.invalid_uri")
      alice:send { wamp.PUBLISH, 2 * i, { acknowledge = true }, prefix .. ".x" }
      alice:expect_error(wamp.PUBLISH, 2 * i, "wamp.error.invalid_uri")
      alice:subscribe(prefix .. ".x")
    end
    alice:register("", { match = "prefix" })
    local request = alice:call("wamp.x")
    alice:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
    request = alice:call("nexus.x")
    alice:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
  end)
end

conformance.everywhere("Publish and subscribe:", { realm = knobs }, function(peer)
  sharding(peer)
  history(peer)
  retention(peer)
  trust_and_order(peer)
  names(peer)
end)

local realms = {
  realm1 = { policy = "open", reserved_prefixes = { "wamp", "house" }, role_check = true },
  ["spec.broker"] = { policy = "open", roles = { "broker" } },
  ["spec.dealer"] = { policy = "open", roles = { "dealer" } },
}

conformance.everywhere("A realm with other roles:", { realms = realms }, function(peer)
  local function join(realm, details)
    peer.realm = realm
    return peer.join(details)
  end

  it("a broker has no calls", function()
    local alice, bob = join "spec.broker", join "spec.broker"
    assert.is_nil(alice.welcome.roles.dealer)
    assert.is_nil(alice.welcome.roles.broker.features.session_meta_api)
    local topic = peer.uri()
    local id = alice:subscribe(topic)
    bob:publish_surely(topic, { 1 })
    alice:expect_event(id, { 1 })
    bob:call("com.x")
    bob:expect_violation()
    alice:send { wamp.REGISTER, 2, {}, "com.x" }
    alice:expect_violation()
  end)

  it("a dealer has no events", function()
    local alice, bob = join "spec.dealer", join "spec.dealer"
    assert.is_nil(alice.welcome.roles.broker)
    assert.is_nil(alice.welcome.roles.dealer.features.session_meta_api)
    local procedure = peer.uri()
    local id = alice:register(procedure)
    local request = bob:call(procedure, { 1 })
    alice:yield(alice:expect_invocation(id, { 1 }), { 2 })
    bob:expect_result(request, { 2 })
    for i, message in ipairs { { wamp.PUBLISH, 5, {}, "com.x" }, { wamp.SUBSCRIBE, 5, {}, "x" } } do
      local peers = { alice, bob }
      peers[i]:send(message)
      peers[i]:expect_violation()
    end
  end)

  it("a session says what its HELLO covers", function()
    local alice = join("realm1", { roles = { subscriber = {}, caller = {} } })
    alice:subscribe(peer.uri())
    alice:expect_nothing()
    alice:send { wamp.PUBLISH, 2, {}, "com.x" }
    alice:expect_violation("publisher")
  end)

  it("and names of the realm's own choice are kept from it", function()
    local alice = join "realm1"
    alice:send { wamp.REGISTER, 1, {}, "house.x" }
    alice:expect_error(wamp.REGISTER, 1, "wamp.error.invalid_uri")
    alice:send { wamp.PUBLISH, 2, { acknowledge = true }, "nexus.x" }
    alice:expect { wamp.PUBLISHED, 2, wamp.id }
  end)
end)

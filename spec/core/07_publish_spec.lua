--- Subscriptions and publications.
-- SPDX-License-Identifier: MIT
local core = require "core"

local EVENT, PUBLISHED = core.EVENT, core.PUBLISHED

core.describe("SUBSCRIBE", function(router)
  it("makes a subscription with an id", function()
    local r = router()
    local alice = r:join()
    assert.actions({ { alice, { core.SUBSCRIBED, 1, core.id } } },
      alice:send { core.SUBSCRIBE, 1, {}, "com.x" })
    assert.equal(1, r:counters().subscriptions)
  end)

  it("to what others have subscribed to gets the same id", function()
    local r = router()
    assert.equal(r:join():subscribe "com.x", r:join():subscribe "com.x")
    assert.equal(1, r:counters().subscriptions)
  end)

  it("gets different ids for different URIs, and for different match policies", function()
    local alice = router():join()
    local ids = {}
    for _, uri in ipairs { "com.x", "com.y" } do
      for _, match in ipairs { "exact", "prefix", "wildcard" } do
        local id = alice:subscribe(uri, { match = match })
        assert.is_nil(ids[id])
        ids[id] = true
      end
    end
  end)

  it("is exact when it does not say how to match", function()
    local alice = router():join()
    assert.equal(alice:subscribe "com.x", alice:subscribe("com.x", { match = "exact" }))
  end)

  it("that comes twice is answered with the same id and counts once", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:subscribe "com.x"
    assert.equal(id, (alice:subscribe "com.x"))
    assert.equal(1, #bob:publish "com.x")
    assert.actions({ { alice, { core.UNSUBSCRIBED, 3 } } }, alice:unsubscribe(id))
    assert.actions({}, bob:publish "com.x")
  end)

  it("never gets the id of a registration, nor one that was used before", function()
    local alice = router():join()
    local seen = {}
    for i = 1, 20 do
      local subscription, registration = alice:subscribe "com.x", alice:register "com.x"
      for _, id in ipairs { subscription, registration } do
        assert.is_nil(seen[id], "round " .. i)
        seen[id] = true
      end
      alice:unsubscribe(subscription)
      alice:unregister(registration)
    end
  end)
end)

core.describe("UNSUBSCRIBE", function(router)
  it("is confirmed, and then there are no events", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:subscribe "com.x"
    assert.actions({ { alice, { core.UNSUBSCRIBED, 2 } } }, alice:unsubscribe(id))
    assert.actions({}, bob:publish "com.x")
    assert.equal(0, r:counters().subscriptions)
  end)

  it("leaves the subscriptions of others alone", function()
    local r = router()
    local alice, bob, carol = r:join(), r:join(), r:join()
    local id = alice:subscribe "com.x"
    bob:subscribe "com.x"
    alice:unsubscribe(id)
    assert.actions({ { bob, { EVENT, id, core.id, {} } } }, carol:publish "com.x")
  end)

  it("of what the session has not subscribed to is an error", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id, registration = alice:subscribe "com.x", alice:register "com.x"
    for _, wrong in ipairs { id, registration, 1000, 1 << 53 } do
      assert.actions({ { bob, core.failure(core.UNSUBSCRIBE, bob.last_request + 1,
        "wamp.error.no_such_subscription") } }, bob:unsubscribe(wrong))
    end
    assert.actions({ { alice, core.failure(core.UNSUBSCRIBE, 3,
      "wamp.error.no_such_subscription") } }, alice:unsubscribe(registration))
  end)

  it("works once", function()
    local alice = router():join()
    local id = alice:subscribe "com.x"
    alice:unsubscribe(id)
    assert.actions({ { alice, core.failure(core.UNSUBSCRIBE, 3,
      "wamp.error.no_such_subscription") } }, alice:unsubscribe(id))
  end)
end)

core.describe("PUBLISH", function(router)
  it("reaches every subscriber of the topic but the publisher", function()
    local r = router()
    local alice, bob, carol, dave = r:join(), r:join(), r:join(), r:join()
    local id
    for _, peer in ipairs { alice, bob, carol } do
      id = peer:subscribe "com.x"
    end
    dave:subscribe "com.y"
    assert.actions({
      { bob, { EVENT, id, core.id, {}, { "hello", 1 }, { a = true } } },
      { carol, { EVENT, id, core.id, {}, { "hello", 1 }, { a = true } } },
    }, alice:publish("com.x", { "hello", 1 }, { a = true }))
    assert.equal(2, r:counters().events)
    assert.equal(1, r:counters().publications)
  end)

  it("is not answered when nobody asked for it", function()
    local alice = router():join()
    assert.actions({}, alice:publish("com.x", { 1 }))
    assert.actions({}, alice:publish("com.x", { 1 }, nil, { acknowledge = false }))
  end)

  it("is acknowledged before the first event", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = bob:subscribe "com.x"
    alice:subscribe "com.x"
    local actions = alice:publish("com.x", { 1 }, nil, { acknowledge = true, exclude_me = false })
    assert.actions({
      { alice, { PUBLISHED, 2, core.id } },
      { bob, { EVENT, id, core.id, {}, { 1 } } },
      { alice, { EVENT, id, core.id, {}, { 1 } } },
    }, actions)
    assert.equal(actions[1][2][3], actions[2][2][3])
    assert.equal(actions[1][2][3], actions[3][2][3])
  end)

  it("is acknowledged when nobody listens", function()
    local alice = router():join()
    assert.actions({ { alice, { PUBLISHED, 1, core.id } } },
      alice:publish("com.x", nil, nil, { acknowledge = true }))
  end)

  it("draws another publication id each time", function()
    local alice = router():join()
    local seen = {}
    for _ = 1, 100 do
      local id = alice:publish("com.x", nil, nil, { acknowledge = true })[1][2][3]
      assert.is_true(id >= 1 and id <= 1 << 53)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)

  it("publisher_exclusion: reaches its publisher with exclude_me false, in order", function()
    local alice = router():join { roles = { publisher = {}, subscriber = {} } }
    local subscribed = alice:send { core.SUBSCRIBE, 123, {}, "com.myapp.topic1" }
    local id = subscribed[1][2][3]
    assert.actions({ { alice, { core.SUBSCRIBED, 123, core.id } } }, subscribed)
    assert.actions({ { alice, { EVENT, id, core.id, {}, { "Hello, world!" } } } },
      alice:send { core.PUBLISH, 789, { exclude_me = false }, "com.myapp.topic1",
        { "Hello, world!" } })
  end)

  it("publisher_exclusion: keeps its publisher out on all of its subscriptions", function()
    local alice = router():join()
    alice:subscribe "com.x"
    alice:subscribe("com", { match = "prefix" })
    alice:subscribe("com.", { match = "wildcard" })
    assert.actions({}, alice:publish "com.x")
    assert.equal(3, #alice:publish("com.x", nil, nil, { exclude_me = false }))
  end)

  it("arrives at a publisher's other session", function()
    local r = router()
    local alice, again = r:join(), r:join()
    again:subscribe "com.x"
    assert.equal(1, #alice:publish "com.x")
  end)

  it("copies nothing from its options into the event", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = bob:subscribe "com.x"
    assert.actions({ { bob, { EVENT, id, core.id, {} } } },
      alice:publish("com.x", nil, nil, { exclude = core.list {}, retain = false, x_mine = 1,
        _own = 2, rkey = "a", forward_for = core.list {}, exclude_me = true }))
  end)

  it("copies transaction_hash into the event", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = bob:subscribe "com.x"
    assert.actions({ { bob, { EVENT, id, core.id, { transaction_hash = "abc" } } } },
      alice:publish("com.x", nil, nil, { transaction_hash = "abc" }))
  end)

  it("keeps the order of one publisher over all topics", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    bob:subscribe("com", { match = "prefix" })
    for i = 1, 20 do
      local actions = alice:publish("com.t" .. i % 3, { i })
      assert.same({ i }, { actions[1][2][5][1] })
    end
  end)

  it("marks events as events, with one key for each subscription and topic", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    bob:subscribe "com.x"
    bob:subscribe("com", { match = "prefix" })
    local first, again = alice:publish "com.x", alice:publish "com.x"
    local other = alice:publish "com.y"
    assert.equal("event", first[1].kind)
    assert.equal(first[1].key, again[1].key)
    assert.equal(first[2].key, again[2].key)
    assert.not_equal(first[1].key, first[2].key)
    assert.not_equal(first[2].key, other[1].key)
  end)

  it("fails without a word when it is not acknowledged", function()
    local alice = router():join()
    assert.actions({}, alice:publish "com..x")
    assert.actions({}, alice:publish "wamp.x")
  end)
end)

core.describe("Event details", function(router)
  it("name the topic when the subscription is a pattern, and only then", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local exact = bob:subscribe "com.a.x"
    local prefix = bob:subscribe("com.a", { match = "prefix" })
    local wildcard = bob:subscribe("com..x", { match = "wildcard" })
    local literal = bob:subscribe("com.a.x", { match = "wildcard" })
    local details = { topic = "com.a.x" }
    local actions = alice:publish "com.a.x"
    assert.actions({
      { bob, { EVENT, exact, core.id, {} } },
      { bob, { EVENT, prefix, core.id, details } },
      { bob, { EVENT, literal, core.id, details } },
      { bob, { EVENT, wildcard, core.id, details } },
    }, actions)
    for _, action in ipairs(actions) do
      assert.equal(actions[1][2][3], action[2][3])
    end
  end)
end)

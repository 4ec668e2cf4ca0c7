--- Prefix and wildcard subscriptions.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

-- match, pattern, topics that it matches, topics that it does not
local rows = {
  { "prefix", "com.myapp.top", { "com.myapp.topic", "com.myapp.top", "com.myapp.top-1.x" },
    { "com.myapp.to", "com.myapp", "com.myapp.Topic", "xcom.myapp.top" } },
  { "prefix", "com.myapp.", { "com.myapp.a", "com.myapp.a.b" }, { "com.myapp", "com.myappa" } },
  { "prefix", "", { "a", "a.b.c", "wampum" }, {}, hears_itself = true },
  { "prefix", "com.mü", { "com.müller", "com.mü.x" }, { "com.m", "com.mu" } },
  { "wildcard", "com..topic", { "com.a.topic", "com.b.topic" },
    { "com.topic", "com.a.b.topic", "com.a.topicx", "com.a.topic.x" } },
  { "wildcard", "..", { "a.b.c", "1.2.3" }, { "a.b", "a.b.c.d", "a" }, hears_itself = true },
  { "wildcard", "", { "a", "wampum" }, { "a.b" } },
  { "wildcard", ".b", { "a.b", "x.b" }, { "b", "a.c", "a.b.c" } },
  { "wildcard", "a.", { "a.b", "a.x" }, { "a", "b.a", "a.b.c" } },
  { "wildcard", "a.b", { "a.b" }, { "a.c", "a", "a.b.c" } },
  { "wildcard", "a..c..e", { "a.b.c.d.e", "a.1.c.2.e" }, { "a.b.c.d", "a.b.x.d.e" } },
}

conformance.everywhere("A pattern subscription:", {}, function(peer)
  for _, row in ipairs(rows) do
    local match, pattern = row[1], row[2]
    it(("%s %s matches what it should, and nothing else"):format(match, wamp.show(pattern)),
      function()
        peer.fresh_realm()
        local alice, bob = peer.join(), peer.join()
        local subscription = alice:subscribe(pattern, { match = match })
        if row.hears_itself then
          alice:expect_own_beginning(subscription)
        end
        for _, topic in ipairs(row[4]) do
          bob:publish_surely(topic)
        end
        for i, topic in ipairs(row[3]) do
          bob:publish(topic, { i })
          alice:expect_event(subscription, { i }, nil, { topic = topic })
        end
        alice:expect_nothing()
      end)
  end

  it("an exact one gets no topic in the event's details", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic, { match = "exact" })
    bob:publish(topic)
    alice:expect_event(subscription, nil, nil, wamp.dict {})
  end)

  it("one session with several gets one event for each, of one publication", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    local exact = alice:subscribe("a.b.c")
    local prefixes = { alice:subscribe("a.b", { match = "prefix" }),
      alice:subscribe("a.b.c", { match = "prefix" }) }
    local wildcards = { alice:subscribe("a..c", { match = "wildcard" }),
      alice:subscribe("a.b.c", { match = "wildcard" }) }
    alice:subscribe("a.b.d", { match = "prefix" })
    alice:subscribe("b..", { match = "wildcard" })
    local everything = alice:subscribe("", { match = "prefix" })
    alice:expect_own_beginning(everything)
    local three = alice:subscribe("..", { match = "wildcard" })
    local own = {}
    for _, id in ipairs { everything, everything, three, three } do
      own[#own + 1] = { wamp.EVENT, id, wamp.id, wamp.any, { alice.session, wamp.any } }
    end
    alice:expect_all(own)
    prefixes[3], wildcards[3] = everything, three
    local publication = bob:publish_surely("a.b.c", { 1 })
    local expected = { { wamp.EVENT, exact, publication, {}, { 1 } } }
    for _, ids in ipairs { prefixes, wildcards } do
      for _, id in ipairs(ids) do
        expected[#expected + 1] = { wamp.EVENT, id, publication, { topic = "a.b.c" }, { 1 } }
      end
    end
    alice:expect_all(expected)
    alice:expect_nothing()
  end)

  it("ends with UNSUBSCRIBE, while the others stay", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    local prefix = alice:subscribe("a.", { match = "prefix" })
    local wildcard = alice:subscribe("a.", { match = "wildcard" })
    alice:unsubscribe(prefix)
    bob:publish_surely("a.b")
    alice:expect_event(wildcard, nil, nil, { topic = "a.b" })
    alice:unsubscribe(wildcard)
    bob:publish_surely("a.b")
    alice:expect_nothing()
  end)

  it("is shared by sessions with the same pattern", function()
    peer.fresh_realm()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local subscription = alice:subscribe("x.", { match = "prefix" })
    assert.equal(subscription, bob:subscribe("x.", { match = "prefix" }))
    carol:publish("x.y")
    local first = alice:expect_event(subscription, nil, nil, { topic = "x.y" })
    assert.equal(first, bob:expect_event(subscription, nil, nil, { topic = "x.y" }))
  end)

  it("may be in the reserved namespace", function()
    peer.fresh_realm()
    local alice = peer.join()
    alice:subscribe("wamp.", { match = "prefix" })
    alice:subscribe("wamp..on_join", { match = "wildcard" })
  end)

  it("keeps the order of one publisher, with exact ones in between", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    local exact = alice:subscribe("t.1")
    local prefix = alice:subscribe("t.", { match = "prefix" })
    for i = 1, 20 do
      bob:publish(i % 2 == 0 and "t.1" or "t.2", { i })
    end
    local last = { [exact] = 0, [prefix] = 0 }
    for _ = 1, 30 do
      local subscription, args = alice:expect {
        wamp.EVENT, wamp.id, wamp.any, wamp.any, wamp.capture() }
      assert.is_true(args[1] > last[subscription])
      last[subscription] = args[1]
    end
    assert.same({ [exact] = 20, [prefix] = 20 }, last)
  end)
end)

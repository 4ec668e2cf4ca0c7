--- PUBLISH, PUBLISHED, EVENT: who gets what, in which order, with which payload.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

conformance.everywhere("PUBLISH", {}, function(peer)
  it("becomes an EVENT at every subscriber, with one publication id", function()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:subscribe(topic)
    carol:publish(topic, { "a", 1 }, { k = "v" })
    local first = alice:expect_event(subscription, { "a", 1 }, { k = "v" })
    assert.equal(first, bob:expect_event(subscription, { "a", 1 }, { k = "v" }))
    carol:expect_nothing()
  end)

  it("has a new publication id each time", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:publish(topic)
    bob:publish(topic)
    assert.not_equal(alice:expect_event(subscription), alice:expect_event(subscription))
  end)

  it("is not answered", function()
    local alice = peer.join()
    alice:publish(peer.uri(), { 1 })
    alice:expect_nothing()
  end)

  it("reaches nobody who subscribed to something else", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri("topic")
    alice:subscribe(topic .. ".longer")
    alice:subscribe(topic:sub(1, -2))
    alice:subscribe(topic:upper())
    bob:publish_surely(topic)
    alice:expect_nothing()
  end)

  local payloads = {
    { "no arguments", nil, nil },
    { "positional arguments", { "a", 2, true }, nil },
    { "keyword arguments only", {}, { a = 1 } },
    { "both", { 1 }, { a = 1 } },
    { "nested values",
      { { { { wamp.list {}, wamp.dict {} } } }, { a = { b = { c = wamp.null } } } } },
    { "text of many scripts", { "müller €, 漢字, 𝄞, \u{7f}, \\ \" / \n\r\t\b\f\1" } },
    { "integers at their limits",
      { 0, -1, 1 << 31, 1 << 32, (1 << 53) + 1, math.maxinteger, math.mininteger } },
    { "floats", { 1.0, -0.5, 1e300, 5e-324, 0.1, 1e21 } },
    { "null and booleans", { wamp.null, true, false } },
    { "binary data", { wamp.binary "", wamp.binary "\0\1\2\255", wamp.binary(("x"):rep(300)) } },
    { "empty collections", { wamp.list {}, wamp.dict {}, "" } },
    { "a text of 70,000 octets", { ("y"):rep(70000) } },
    { "a list of 1,000", { (function()
      local list = wamp.list {}
      for i = 1, 1000 do
        list[i] = i
      end
      return list
    end)() } },
  }
  for _, row in ipairs(payloads) do
    it("carries " .. row[1] .. " unchanged", function()
      local alice, bob = peer.join(), peer.join()
      local topic = peer.uri()
      local subscription = alice:subscribe(topic)
      bob:publish(topic, row[2], row[3])
      alice:expect_event(subscription, row[2], row[3])
    end)
  end

  it("with an empty payload becomes an EVENT without one", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    for _, tail in ipairs {
      { wamp.list {} }, { wamp.list {}, wamp.dict {} }, { wamp.null }, { wamp.null, wamp.null },
      { wamp.list {}, wamp.null },
    } do
      bob:send { wamp.PUBLISH, 1, {}, topic, table.unpack(tail) }
      alice:expect_event(subscription)
    end
    bob:send { wamp.PUBLISH, 1, {}, topic, { 1 }, wamp.dict {} }
    alice:expect_event(subscription, { 1 })
    bob:send { wamp.PUBLISH, 1, {}, topic, wamp.null, { a = 1 } }
    alice:expect_event(subscription, {}, { a = 1 })
  end)

  it("passes none of its options on, known or not", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:publish_surely(topic, nil, nil, { x_mine = 1, _mine = 2, retain = false })
    alice:expect_event(subscription)
  end)

  it("passes a transaction hash on", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:publish(topic, nil, nil, { transaction_hash = "0xabc" })
    alice:expect_event(subscription, nil, nil, { transaction_hash = "0xabc" })
  end)

  it("to a URI that cannot be is dropped without a word", function()
    local alice = peer.join()
    for _, topic in ipairs { "", "a..b", "a b", ".a", "a.", "a#", "wamp", "wamp.x" } do
      alice:publish(topic)
    end
    alice:expect_nothing()
  end)

  it("keeps 100 publications of one publisher in order, across topics", function()
    local alice, bob = peer.join(), peer.join()
    local one, two = peer.uri(), peer.uri()
    local first, second = alice:subscribe(one), alice:subscribe(two)
    local messages = {}
    for i = 1, 100 do
      messages[i] = { wamp.PUBLISH, i, {}, i % 3 == 0 and one or two, { i } }
    end
    bob:send_all(messages)
    for i = 1, 100 do
      alice:expect_event(i % 3 == 0 and first or second, { i })
    end
  end)
end)

conformance.everywhere("Acknowledge", {}, function(peer)
  it("is answered by PUBLISHED with the id that the events carry", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:send { wamp.PUBLISH, 123, { acknowledge = true }, topic, { 1 } }
    local publication = bob:expect { wamp.PUBLISHED, 123, wamp.id }
    assert.equal(publication, alice:expect_event(subscription, { 1 }))
  end)

  it("is answered when nobody listens, too", function()
    local alice = peer.join()
    alice:publish(peer.uri(), nil, nil, { acknowledge = true })
    alice:expect_nothing()
  end)

  it("false is as if it were absent", function()
    local alice = peer.join()
    alice:publish(peer.uri(), nil, nil, { acknowledge = false })
    alice:expect_nothing()
  end)

  it("comes before the event of the own publication", function()
    local alice = peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    local publication = alice:publish(topic, { 1 }, nil,
      { acknowledge = true, exclude_me = false })
    assert.equal(publication, alice:expect_event(subscription, { 1 }))
  end)

  for _, topic in ipairs { "", "a..b", "a b", ".a", "a.", "a#", "wamp", "wamp.session.on_join" } do
    it(("of %s is an error"):format(wamp.show(topic)), function()
      local alice = peer.join()
      alice:send { wamp.PUBLISH, 7, { acknowledge = true }, topic }
      alice:expect_error(wamp.PUBLISH, 7, "wamp.error.invalid_uri")
      alice:expect_nothing()
    end)
  end

  it("of wampx.foo is fine: only wamp itself is reserved", function()
    local alice = peer.join()
    alice:publish("wampx.foo", nil, nil, { acknowledge = true })
  end)
end)

conformance.everywhere("The publisher", {}, function(peer)
  it("does not get its own event", function()
    local alice = peer.join()
    local topic = peer.uri()
    alice:subscribe(topic)
    alice:subscribe(topic, { match = "prefix" })
    alice:publish(topic)
    alice:publish(topic, nil, nil, { exclude_me = true })
    alice:expect_nothing()
  end)

  it("gets it with exclude_me = false", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:subscribe(topic)
    alice:publish(topic, { 1 }, nil, { exclude_me = false })
    alice:expect_event(subscription, { 1 })
    bob:expect_event(subscription, { 1 })
  end)

  it("is not named in the event", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:publish(topic)
    alice:expect_event(subscription, nil, nil, wamp.dict {})
  end)
end)

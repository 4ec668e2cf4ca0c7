--- SUBSCRIBE and UNSUBSCRIBE.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

-- uri, then whether it is legal as exact, wildcard, prefix
local grammar = {
  { "com.myapp.topic1", true, true, true },
  { "com.myapp.Topic-1", true, true, true },
  { "com.myapp.", false, true, true },
  { "com..topic", false, true, false },
  { "this.is.a..", false, true, false },
  { "...", false, true, false },
  { ".com.myapp", false, true, false },
  { "", false, true, true },
  { "com.my app", false, false, false },
  { "com.my#app", false, false, false },
  { "com.müller.x", true, true, true },
  { "a", true, true, true },
  { "com.a\n", false, false, false },
  { "com.a\tb", false, false, false },
  { "com.a\0b", false, false, false },
  { "com.a\u{A0}b", false, false, false },
  { "com.a\u{2003}b", false, false, false },
  { "com.a\u{3000}b", false, false, false },
  { "com.a\u{1C}b", false, false, false },
  { ("x"):rep(4096), true, true, true },
  { ("x"):rep(4097), false, false, false },
  { ("x."):rep(63) .. "x", true, true, true },
  { ("x."):rep(64) .. "x", false, false, false },
  { "wamp.session.on_join", true, true, true },
}

conformance.everywhere("SUBSCRIBE", {}, function(peer)
  it("is answered by SUBSCRIBED", function()
    local alice = peer.join()
    alice:send { wamp.SUBSCRIBE, 123, {}, peer.uri() }
    alice:expect { wamp.SUBSCRIBED, 123, wamp.id }
  end)

  it("to another topic gives another subscription", function()
    local alice = peer.join()
    assert.not_equal(alice:subscribe(peer.uri()), alice:subscribe(peer.uri()))
  end)

  it("of two sessions to one topic gives one subscription", function()
    local topic = peer.uri()
    assert.equal(peer.join():subscribe(topic), peer.join():subscribe(topic))
  end)

  it("twice gives the same subscription, which is served once and ended by one UNSUBSCRIBE",
    function()
      local alice, bob = peer.join(), peer.join()
      local topic = peer.uri()
      local subscription = alice:subscribe(topic)
      assert.equal(subscription, alice:subscribe(topic))
      bob:publish_surely(topic, { 1 })
      alice:expect_event(subscription, { 1 })
      alice:expect_nothing()
      alice:unsubscribe(subscription)
      bob:publish_surely(topic, { 2 })
      alice:expect_nothing()
    end)

  it("gives a subscription for each kind of match", function()
    local alice = peer.join()
    local topic = peer.uri()
    local exact = alice:subscribe(topic)
    assert.equal(exact, alice:subscribe(topic, { match = "exact" }))
    local prefix = alice:subscribe(topic, { match = "prefix" })
    local wildcard = alice:subscribe(topic, { match = "wildcard" })
    assert.is_true(exact ~= prefix and prefix ~= wildcard and exact ~= wildcard)
  end)

  it("is answered before any event of the subscription", function()
    local alice = peer.join()
    local topic = peer.uri()
    alice:send_all {
      { wamp.SUBSCRIBE, 1, {}, topic },
      { wamp.PUBLISH, 2, { exclude_me = false, acknowledge = true }, topic, { "x" } },
    }
    local subscription = alice:expect { wamp.SUBSCRIBED, 1, wamp.id }
    alice:expect { wamp.PUBLISHED, 2, wamp.id }
    alice:expect_event(subscription, { "x" })
  end)

  for _, row in ipairs(grammar) do
    for i, match in ipairs { "exact", "wildcard", "prefix" } do
      local uri, is_legal = row[1], row[i + 1]
      local shown = #uri > 40 and #uri .. " octets" or wamp.show(uri)
      it(("to %s with match %s is %s"):format(shown, match, is_legal and "fine" or "an error"),
        function()
          peer.fresh_realm()
          local alice = peer.join()
          alice:send { wamp.SUBSCRIBE, 7, { match = match }, uri }
          if is_legal then
            local id = alice:expect { wamp.SUBSCRIBED, 7, wamp.id }
            if uri == "" and match == "prefix" then
              alice:expect_own_beginning(id)
            end
          else
            alice:expect_error(wamp.SUBSCRIBE, 7, "wamp.error.invalid_uri")
          end
          alice:expect_nothing()
        end)
    end
  end

  it("to a URI that cannot be is checked after its options", function()
    local alice = peer.join()
    alice:send { wamp.SUBSCRIBE, 7, { match = "fuzzy" }, "a..b" }
    alice:expect_violation("match")
  end)
end)

conformance.everywhere("UNSUBSCRIBE", {}, function(peer)
  it("is answered by UNSUBSCRIBED, and no event comes after that", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    alice:send { wamp.UNSUBSCRIBE, 456, subscription }
    alice:expect { wamp.UNSUBSCRIBED, 456 }
    bob:publish_surely(topic)
    alice:expect_nothing()
  end)

  it("leaves the other subscribers alone", function()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:subscribe(topic)
    alice:unsubscribe(subscription)
    carol:publish_surely(topic, { 1 })
    bob:expect_event(subscription, { 1 })
    alice:expect_nothing()
  end)

  it("of an id never given is an error", function()
    local alice = peer.join()
    alice:send { wamp.UNSUBSCRIBE, 7, 1 << 53 }
    alice:expect_error(wamp.UNSUBSCRIBE, 7, "wamp.error.no_such_subscription")
  end)

  it("a second time is an error", function()
    local alice = peer.join()
    local subscription = alice:subscribe(peer.uri())
    alice:unsubscribe(subscription)
    alice:send { wamp.UNSUBSCRIBE, 7, subscription }
    alice:expect_error(wamp.UNSUBSCRIBE, 7, "wamp.error.no_such_subscription")
  end)

  it("of a subscription that only others have is an error", function()
    local alice, bob = peer.join(), peer.join()
    local subscription = alice:subscribe(peer.uri())
    bob:send { wamp.UNSUBSCRIBE, 7, subscription }
    bob:expect_error(wamp.UNSUBSCRIBE, 7, "wamp.error.no_such_subscription")
  end)

  it("of a registration is an error", function()
    local alice = peer.join()
    local registration = alice:register(peer.uri())
    alice:send { wamp.UNSUBSCRIBE, 7, registration }
    alice:expect_error(wamp.UNSUBSCRIBE, 7, "wamp.error.no_such_subscription")
  end)

  it("and SUBSCRIBE again works, with an id never used before", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local first = alice:subscribe(topic)
    alice:unsubscribe(first)
    local second = alice:subscribe(topic)
    assert.not_equal(first, second)
    bob:publish(topic, { 1 })
    alice:expect_event(second, { 1 })
  end)
end)

--- What a session may send when, and how it ends.
-- SPDX-License-Identifier: MIT
local core = require "core"

local GOODBYE, ABORT = core.GOODBYE, core.ABORT

local never_expected = {
  { core.HELLO, "realm1", { roles = { caller = {} } } }, { core.AUTHENTICATE, "secret", {} },
  { core.WELCOME, 1, {} }, { core.CHALLENGE, "ticket", {} }, { core.PUBLISHED, 1, 1 },
  { core.SUBSCRIBED, 1, 1 }, { core.UNSUBSCRIBED, 1 }, { core.EVENT, 1, 1, {} },
  { core.RESULT, 1, {} }, { core.REGISTERED, 1, 1 }, { core.UNREGISTERED, 1 },
  { core.INVOCATION, 1, 1, {} }, { core.INTERRUPT, 1, {} },
  { core.ERROR, core.CALL, 1, {}, "com.error" }, { core.ERROR, core.PUBLISH, 1, {}, "com.error" },
  { core.ERROR, core.SUBSCRIBE, 1, {}, "com.error" },
  { core.ERROR, core.UNREGISTER, 1, {}, "com.error" },
}

local requests = {
  { core.PUBLISH, 1, { acknowledge = true }, "com.x" }, { core.SUBSCRIBE, 1, {}, "com.x" },
  { core.UNSUBSCRIBE, 1, 1 }, { core.CALL, 1, {}, "com.x" }, { core.CANCEL, 1, {} },
  { core.REGISTER, 1, {}, "com.x" }, { core.UNREGISTER, 1, 1 }, { core.YIELD, 1, {} },
  { core.ERROR, core.INVOCATION, 1, {}, "com.error" }, { core.EVENT_RECEIVED, 1 },
}

core.describe("A session", function(router)
  for _, message in ipairs(never_expected) do
    it("must not send " .. core.show(message), function()
      local r = router()
      local alice = r:join()
      assert.actions(core.violation(alice), alice:send(message))
      assert.equal(0, r:counters().sessions)
      assert.equal(1, r:counters().violations)
    end)
  end

  it("is over after a violation: nothing more is read", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    bob:subscribe "com.x"
    alice:send { core.WELCOME, 1, {} }
    assert.actions({}, alice:publish "com.x")
    assert.actions({}, alice:drop())
  end)

  it("lets go of everything when it violates the protocol", function()
    local r = router()
    local alice = r:join()
    alice:subscribe "com.x"
    alice:register "com.y"
    alice:send { core.WELCOME, 1, {} }
    local counters = r:counters()
    assert.same({ 0, 0, 0 },
      { counters.sessions, counters.subscriptions, counters.registrations })
  end)

  it("is noted as a violation with the words of the ABORT", function()
    local r = router()
    local alice = r:join()
    local actions = alice:send { core.SUBSCRIBE, 1, { match = "regex" }, "com.x" }
    local note = actions.notes[1]
    assert.equal("violation", note[2])
    assert.equal(alice.session, note.session)
    assert.equal(actions[1][2][2].message, note.words)
  end)

  it("may send EVENT_RECEIVED, which means nothing", function()
    local alice = router():join()
    assert.actions({}, alice:send { core.EVENT_RECEIVED, 1234 })
  end)

  it("must not send the other two acknowledgements that are seen in the field", function()
    for _, code in ipairs { 37, 38 } do
      local alice = router():join()
      assert.actions(core.violation(alice), alice:send { code, 1234 })
    end
  end)

  it("ends without a word when its connection breaks", function()
    local r = router()
    local actions = r:join():drop()
    assert.actions({}, actions)
    assert.equal("left", actions.notes[1][2])
    assert.equal("wamp.close.transport_lost", actions.notes[1].words)
    assert.equal(0, r:counters().sessions)
  end)
end)

core.describe("GOODBYE", function(router)
  local reasons = {
    "wamp.close.close_realm", "wamp.close.normal", "wamp.close.goodbye_and_out",
    "wamp.error.close_realm", "wamp.close.logout", "any thing, even with blanks", "",
  }

  for _, reason in ipairs(reasons) do
    it(("with the reason %q is answered, and the peer may say HELLO again"):format(reason),
      function()
        local r = router()
        local alice = r:join()
        assert.actions({
          { alice, { GOODBYE, {}, "wamp.close.goodbye_and_out" } },
          { alice, released = true },
        }, alice:send { GOODBYE, {}, reason })
        assert.equal(0, r:counters().sessions)
      end)
  end

  it("may be followed by a new session with another id, and request ids from 1", function()
    local r = router { request_id_check = "strict" }
    local alice = r:join()
    local first = alice.session
    alice:subscribe "com.x"
    alice:send { GOODBYE, {}, "wamp.close.close_realm" }
    alice:hello()
    assert.not_equal(first, alice.session)
    alice:subscribe "com.x"
    assert.equal(1, r:counters().sessions)
  end)

  it("ends subscriptions: the next session hears nothing of them", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:subscribe "com.x"
    alice:send { GOODBYE, {}, "wamp.close.close_realm" }
    alice:hello()
    assert.actions({}, bob:publish "com.x")
  end)

  it("needs a dict and a reason", function()
    for _, message in ipairs { { GOODBYE }, { GOODBYE, {} }, { GOODBYE, {}, 5 },
      { GOODBYE, "x", "wamp.close.normal" }, { GOODBYE, {}, "wamp.close.normal", {} } } do
      local alice = router():join()
      assert.actions(core.violation(alice, "GOODBYE"), alice:send(message))
    end
  end)
end)

core.describe("ABORT of a session", function(router)
  it("closes the connection and is not answered", function()
    local r = router()
    local alice = r:join()
    assert.actions({ { alice, closed = 1000 } },
      alice:send { ABORT, {}, "wamp.error.protocol_violation" })
    assert.equal(0, r:counters().sessions)
  end)

  it("may have arguments", function()
    local alice = router():join()
    assert.actions({ { alice, closed = 1000 } },
      alice:send { ABORT, { message = "x" }, "com.error", { 1 }, { a = 2 } })
  end)
end)

core.describe("Closing the realm", function(router)
  it("says GOODBYE to every session, with the reason", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local actions = r:close_realm "wamp.close.close_realm"
    assert.equal(2, #actions)
    for _, peer in ipairs { alice, bob } do
      assert.same({ { GOODBYE, {}, "wamp.close.close_realm" } }, peer:messages(actions))
    end
    assert.equal(0, r:counters().sessions)
  end)

  it("is nothing to anybody in an empty realm", function()
    assert.actions({}, router():close_realm())
  end)

  it("sends neither callers nor callees anything but GOODBYE", function()
    local r = router()
    local peers = {}
    for i = 1, 6 do
      peers[i] = r:join { roles = core.all_roles }
      peers[i]:register("com.p" .. i)
    end
    for i = 1, 6 do
      peers[i]:call("com.p" .. (i % 6 + 1))
      peers[i]:call("com.p" .. i)
    end
    local actions = r:close_realm()
    assert.equal(6, #actions)
    for i = 1, 6 do
      assert.equal(GOODBYE, peers[i]:messages(actions)[1][1])
    end
    assert.equal(0, r:counters().pending_calls)
  end)

  it("ends a session when it answers with GOODBYE, which closes its connection", function()
    local r = router()
    local alice = r:join()
    r:close_realm()
    assert.actions({ { alice, closed = 1000 } },
      alice:send { GOODBYE, {}, "wamp.close.goodbye_and_out" })
    assert.is_nil(r:wakes_in())
  end)

  it("closes with 1001 when the router shuts down", function()
    local r = router()
    local alice = r:join()
    r:close_realm "wamp.close.system_shutdown"
    assert.actions({ { alice, closed = 1001 } },
      alice:send { GOODBYE, {}, "wamp.close.goodbye_and_out" })
  end)

  it("takes a GOODBYE that crossed ours as the answer", function()
    local r = router()
    local alice = r:join()
    r:close_realm()
    assert.actions({ { alice, closed = 1000 } },
      alice:send { GOODBYE, {}, "wamp.close.close_realm" })
  end)

  it("says GOODBYE once", function()
    local r = router()
    r:join()
    r:close_realm()
    assert.actions({}, r:close_realm())
  end)

  it("waits for the answer as long as goodbye_timeout", function()
    local r = router { goodbye_timeout_ms = 300 }
    local alice = r:join()
    assert.is_nil(r:wakes_in())
    r:close_realm()
    assert.equal(300, r:wakes_in())
    assert.actions({}, r:advance(299))
    assert.actions({ { alice, closed = 1000 } }, r:advance(1))
    assert.is_nil(r:wakes_in())
  end)

  it("does not wait for a peer that is gone", function()
    local r = router()
    local alice = r:join()
    r:close_realm()
    assert.actions({}, alice:drop())
    assert.is_nil(r:wakes_in())
  end)
end)

core.describe("A session that was told GOODBYE", function(router)
  local function closing()
    local r = router()
    local alice = r:join()
    alice:subscribe "com.x"
    r:close_realm()
    return r, alice, r:join()
  end

  for _, messages in ipairs { never_expected, requests } do
    for _, message in ipairs(messages) do
      it("is not heard when it sends " .. core.show(message), function()
        local r, alice = closing()
        assert.actions({}, alice:send(message))
        assert.equal(1, r:counters().sessions)
        assert.equal(0, r:counters().violations)
      end)
    end
  end

  it("gets no event any more", function()
    local _, _, bob = closing()
    assert.actions({}, bob:publish "com.x")
  end)

  it("is closed when it sends ABORT", function()
    local _, alice = closing()
    assert.actions({ { alice, closed = 1000 } }, alice:send { ABORT, {}, "com.reason" })
  end)

  it("is closed when it sends what is no message", function()
    local _, alice = closing()
    assert.actions({ { alice, closed = core.any } }, alice:send { 99 })
  end)
end)

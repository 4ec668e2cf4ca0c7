--- A realm that is a broker or a dealer only, and sessions that use a role they did not announce.
-- SPDX-License-Identifier: MIT
local core = require "core"

local CALL, PUBLISH = core.CALL, core.PUBLISH

-- What clients say, by the role that says it. Ids are of nobody.
local messages = {
  publisher = { { PUBLISH, 1, {}, "com.x" },
    { PUBLISH, 1, { acknowledge = true }, "com.x", { 1 } } },
  subscriber = { { core.SUBSCRIBE, 1, {}, "com.x" }, { core.UNSUBSCRIBE, 1, 1000 } },
  caller = { { CALL, 1, {}, "com.x" }, { CALL, 1, {}, "wamp.session.count" },
    { core.CANCEL, 1, {} } },
  callee = { { core.REGISTER, 1, {}, "com.x" }, { core.UNREGISTER, 1, 1000 },
    { core.YIELD, 1, {} }, { core.ERROR, core.INVOCATION, 1, {}, "com.error" } },
}
local roles_of = { broker = { "publisher", "subscriber" }, dealer = { "caller", "callee" } }

-- Features that live without the other role, and those that need it: an API of procedures and
-- events needs both.
local alone = {
  broker = { "event_retention", "pattern_based_subscription", "payload_passthru_mode",
    "payload_transparency", "publication_trustlevels", "publisher_exclusion",
    "publisher_identification", "sharded_subscription", "subscriber_blackwhite_listing" },
  dealer = { "call_canceling", "call_reroute", "call_timeout", "call_trustlevels",
    "caller_identification", "pattern_based_registration", "payload_passthru_mode",
    "payload_transparency", "progressive_call_invocations", "progressive_call_results",
    "registration_revocation", "sharded_registration", "shared_registration" },
}
local together = {
  broker = { "event_history", "reflection", "session_meta_api", "subscription_meta_api" },
  dealer = { "reflection", "session_meta_api", "registration_meta_api", "testament_meta_api" },
}
local both = { event_history = { { uri = "com.logged" } } }

local function names(features)
  local list = {}
  for name in pairs(features) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

core.describe("A realm", function(router)
  local function only(role)
    return router { roles = { role } }
  end

  it("is broker and dealer, and announces whatever works", function()
    local roles = router(both):join().welcome.roles
    assert.same({ "broker", "dealer" }, names(roles))
    for _, role in ipairs { "broker", "dealer" } do
      for _, list in ipairs { alone[role], together[role] } do
        for _, name in ipairs(list) do
          assert.is_true(roles[role].features[name], name)
        end
      end
    end
  end)

  it("may be told that it is both", function()
    local roles = router { roles = { "broker", "dealer" } }:join().welcome.roles
    assert.same({ "broker", "dealer" }, names(roles))
    assert.is_true(roles.broker.features.session_meta_api)
  end)

  for role, other in pairs { broker = "dealer", dealer = "broker" } do
    describe("that is only a " .. role, function()
      it("announces this role and not the other", function()
        assert.same({ role }, names(only(role):join().welcome.roles))
      end)

      it("announces what needs no " .. other, function()
        local features = only(role):join().welcome.roles[role].features
        for _, name in ipairs(alone[role]) do
          assert.is_true(features[name], name)
        end
        for _, name in ipairs(together[role]) do
          assert.is_nil(features[name], name)
        end
        assert.is_nil(only(role):join().welcome.roles[role].reflection)
      end)

      it("has sessions of any role", function()
        local r = only(role)
        for _, mine in ipairs { "publisher", "subscriber", "caller", "callee" } do
          r:join { roles = { [mine] = {} } }
        end
        assert.equal(4, r:counters().sessions)
      end)

      for _, missing in ipairs(roles_of[other]) do
        for _, message in ipairs(messages[missing]) do
          it(core.show(message) .. " is a violation", function()
            local r = only(role)
            local alice = r:join()
            r:join()
            assert.actions(core.violation(alice), alice:send(message))
            assert.equal(1, r:counters().sessions)
            assert.equal(1, r:counters().violations)
          end)
        end
      end
    end)
  end

  it("that is only a broker still brings events", function()
    local r = only "broker"
    local alice, bob = r:join(), r:join()
    local id = alice:subscribe("com.x", { nkey = "a" })
    assert.actions({ { bob, { core.PUBLISHED, 1, core.id } },
      { alice, { core.EVENT, id, core.id, {}, { 1 } } } },
      bob:publish("com.x", { 1 }, nil, { acknowledge = true, retain = true, rkey = "b" }))
    assert.actions({ { alice, { core.UNSUBSCRIBED, 2 } } }, alice:unsubscribe(id))
    assert.actions({ { alice, { core.SUBSCRIBED, 3, core.id } },
      { alice, { core.EVENT, core.id, core.id, { retained = true }, { 1 } } } },
      alice:send { core.SUBSCRIBE, 3, { get_retained = true }, "com.x" })
    bob:send { core.GOODBYE, {}, "wamp.close.normal" }
    alice:drop()
    assert.equal(0, r:counters().subscriptions)
  end)

  it("that is only a dealer still brings calls", function()
    local r = only "dealer"
    local alice, bob = r:join(), r:join()
    local id = alice:register "com.x"
    assert.actions({ { alice, { core.INVOCATION, 1, id, {}, { 1 } } } }, bob:call("com.x", { 1 }))
    assert.actions({ { bob, { core.RESULT, 1, {}, { 2 } } } }, alice:yield(1, { 2 }))
    bob:call "com.x"
    assert.actions({ { bob, core.failure(CALL, 2, "com.error") } }, alice:refuse(2, "com.error"))
    assert.actions({ { alice, { core.UNREGISTERED, 2 } } }, alice:unregister(id))
    alice:register "com.x"
    alice:drop()
    assert.equal(0, r:counters().registrations)
  end)

  it("that is only a broker has no events of an API that needs both", function()
    local r = only "broker"
    local alice, bob = r:join(), r:open()
    alice:subscribe("wamp.", { match = "prefix" })
    local actions = bob:hello()
    assert.is_nil(alice:first(actions, core.EVENT))
    assert.actions({ { bob, { core.SUBSCRIBED, 1, core.id } } },
      bob:send { core.SUBSCRIBE, 1, {}, "com.x" })
    assert.actions({}, bob:drop())
  end)

  it("that is only a dealer has no procedures of an API that needs both", function()
    local alice = only "dealer":join()
    for i, name in ipairs { "wamp.session.count", "wamp.session.add_testament",
      "wamp.subscription.list", "wamp.subscription.get_events" } do
      assert.actions({ { alice, core.failure(CALL, i, "wamp.error.no_such_procedure") } },
        alice:call(name, { "com.x", core.list {}, {} }))
    end
  end)
end)

core.describe("A role that HELLO did not name", function(router)
  --- A session without this role, with the three others.
  local function without(role, check)
    local roles = {}
    for name in pairs(messages) do
      roles[name] = name ~= role and {} or nil
    end
    local r = router { role_check = check }
    return r, r:join { roles = roles }
  end

  local check_of = { ["false"] = false }

  local function needs_no_id(message)
    return message[1] ~= core.YIELD and message[1] ~= core.ERROR
  end

  for role, list in pairs(messages) do
    for _, message in ipairs(list) do
      it(("(%s) may not say %s where roles are checked"):format(role, core.show(message)),
        function()
          local r, alice = without(role, true)
          r:join()
          assert.actions(core.violation(alice, role), alice:send(message))
          assert.equal(1, r:counters().sessions)
        end)

      for _, check in ipairs(needs_no_id(message) and { "false", "nil" } or {}) do
        it(("(%s) says %s as if it had, with role_check = %s"):format(role, core.show(message),
          check), function()
            local _, alice = without(role, check_of[check])
            local bob = router():join()
            local said, expected = alice:send(message), bob:send(message)
            assert.equal(#expected, #said)
            assert.equal(expected[1] and expected[1][2][1], said[1] and said[1][2][1])
          end)
      end
    end

    it(("(%s) is no matter to who named it, where roles are checked"):format(role), function()
      for _, message in ipairs(list) do
        if needs_no_id(message) then
          local r = router { role_check = true }
          local alice = r:join { roles = { [role] = {} } }
          alice:send(message)
          assert.equal(1, r:counters().sessions, core.show(message))
          assert.equal(0, r:counters().violations)
        end
      end
    end)
  end

  it("(callee) answers calls where roles are not checked", function()
    local r, alice = without "callee"
    local bob = r:join()
    alice:register "com.x"
    bob:call "com.x"
    assert.actions({ { bob, { core.RESULT, 1, {}, { 1 } } } }, alice:yield(1, { 1 }))
    bob:call "com.x"
    assert.actions({ { bob, core.failure(CALL, 2, "com.error") } }, alice:refuse(2, "com.error"))
  end)

  it("(callee) that is named answers calls where roles are checked", function()
    local r = router { role_check = true }
    local alice, bob = r:join { roles = { callee = {} } }, r:join { roles = { caller = {} } }
    alice:register "com.x"
    bob:call "com.x"
    assert.actions({ { bob, { core.RESULT, 1, {}, { 1 } } } }, alice:yield(1, { 1 }))
    bob:call "com.x"
    assert.actions({ { bob, core.failure(CALL, 2, "com.error") } }, alice:refuse(2, "com.error"))
    bob:call "com.x"
    assert.actions({ { bob, core.failure(CALL, 3, "wamp.error.canceled") } }, bob:cancel(3))
  end)

  it("(publisher) that is not named keeps a publication from everybody", function()
    local r = router { role_check = true }
    local alice, bob = r:join { roles = { subscriber = {} } }, r:join { roles = { caller = {} } }
    alice:subscribe "com.x"
    assert.actions(core.violation(bob, "publisher"), bob:publish "com.x")
  end)

  it("is judged before options and URIs", function()
    local _, alice = without("publisher", true)
    assert.actions(core.violation(alice, "publisher"),
      alice:send { PUBLISH, 1, { acknowledge = true }, "no uri" })
  end)

  it("is that of the session at hand: the next one on the same connection may name others",
    function()
      local r, alice = without("caller", true)
      alice:send { core.GOODBYE, {}, "wamp.close.close_realm" }
      alice:hello { roles = { caller = {} } }
      assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.no_such_procedure") } },
        alice:call "com.x")
      assert.actions(core.violation(alice, "subscriber"), alice:send { core.SUBSCRIBE, 2, {}, "x" })
      assert.equal(0, r:counters().sessions)
    end)
end)

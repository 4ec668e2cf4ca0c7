--- progressive_call_invocations: chunks of input reach one callee under one invocation id.
-- SPDX-License-Identifier: MIT
local core = require "core"

local INVOCATION, RESULT, CALL = core.INVOCATION, core.RESULT, core.CALL
local able = core.callee("progressive_call_invocations", "call_canceling")
local more = { progress = true }

local function is_violation(actions)
  return #actions > 0 and actions[#actions].closed ~= nil
end

for _, check in ipairs { "lenient", "sequential", "strict" } do
  core.describe("Progressive call invocations, ids " .. check, function(router)
    local function start(options, details)
      local r = router { request_id_check = check }
      local alice, bob = r:join(details or able), r:join(core.streamer)
      local id = alice:register("com.x", options)
      local actions = bob:call("com.x", { 1 }, nil, more)
      return r, alice, bob, id, actions
    end

    it("are chunks for one callee under one id, whatever the policy", function()
      local r, alice, bob, id, actions = start { invoke = "roundrobin" }
      r:join(able):register("com.x", { invoke = "roundrobin" })
      assert.actions({ { alice, { INVOCATION, 1, id, { progress = true }, { 1 } } } }, actions)
      assert.actions({ { alice, { INVOCATION, 1, id, { progress = true }, { 2 }, { k = 1 } } } },
        bob:send { CALL, 1, more, "com.x", core.list { 2 }, { k = 1 } })
      assert.actions({ { alice, { INVOCATION, 1, id, {}, { 3 } } } },
        bob:chunk(1, "com.x", { 3 }))
      assert.equal(1, r:counters().pending_calls)
      assert.actions({ { bob, { RESULT, 1, {}, { 6 } } } }, alice:yield(1, { 6 }))
      assert.equal(0, r:counters().pending_calls)
    end)

    it("may overlap other requests", function()
      local _, alice, bob, id = start()
      bob:subscribe "com.t"
      bob:call "com.x"
      assert.actions({ { alice, { INVOCATION, 1, id, {}, { 2 } } } }, bob:chunk(1, "com.x", { 2 }))
    end)

    it("may be answered before the last chunk; what comes then is dropped", function()
      local r, alice, bob = start()
      assert.actions({ { bob, { RESULT, 1, {} } } }, alice:yield(1))
      assert.actions({}, bob:chunk(1, "com.x", { 2 }, more))
      assert.actions({}, bob:chunk(1, "com.x", { 3 }))
      assert.equal(0, r:counters().pending_calls)
    end)

    it("of a call that failed at once are dropped, too", function()
      local r = router { request_id_check = check }
      local bob = r:join(core.streamer)
      assert.actions({ { bob, core.failure(CALL, 1, "wamp.error.no_such_procedure") } },
        bob:call("com.nobody", { 1 }, nil, more))
      assert.actions({}, bob:chunk(1, "com.nobody", { 2 }, more))
      assert.actions({}, bob:chunk(1, "com.nobody", { 3 }))
    end)

    it("after the last one are a violation", function()
      local _, _, bob = start()
      bob:chunk(1, "com.x", { 2 })
      assert.is_true(is_violation(bob:chunk(1, "com.x", { 3 })))
    end)

    it("keep to their procedure", function()
      local _, alice, bob, id = start()
      local actions = bob:chunk(1, "com.y", { 2 }, more)
      assert.equal(check ~= "lenient", is_violation(actions))
      if check == "lenient" then
        assert.actions({}, actions)
        assert.actions({ { alice, { INVOCATION, 1, id, {} } } }, bob:chunk(1, "com.x"))
      end
    end)
  end)
end

core.describe("Progressive call invocations", function(router)
  it("are announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.progressive_call_invocations)
  end)

  it("from a session that did not announce them are a violation", function()
    local r = router()
    local alice, bob = r:join(able), r:join()
    alice:register "com.x"
    assert.actions(core.violation(bob, "progressive_call_invocations"),
      bob:call("com.x", nil, nil, more))
  end)

  for _, features in ipairs {
    {}, { "progressive_call_invocations" }, { "call_canceling" },
  } do
    it("need a callee with more than " .. table.concat(features), function()
      local r = router()
      local alice, bob = r:join(core.callee(table.unpack(features))), r:join(core.streamer)
      alice:register("com.x", { invoke = "first" })
      r:join(able):register("com.x", { invoke = "first" }) -- not chosen
      assert.actions({ { bob, core.failure(CALL, 1, "wamp.error.feature_not_supported") } },
        bob:call("com.x", nil, nil, more))
      assert.equal(0, r:counters().pending_calls)
    end)
  end

  it("have the options of the first CALL; what is derived of them is repeated", function()
    local r = router { trustlevel = 3 }
    local alice, bob = r:join { roles = core.all_roles }, r:join { roles = core.all_roles }
    local id = alice:register("com.", { match = "prefix", forward_timeout = true })
    local details = { progress = true, receive_progress = true, timeout = 5000, trustlevel = 3,
      procedure = "com.x", caller = bob.session, caller_authid = bob.welcome.authid,
      caller_authrole = "anonymous", ppt_scheme = "x_a" }
    assert.actions({ { alice, { INVOCATION, 1, id, details, { "p" } } } },
      bob:call("com.x", { "p" }, nil, { progress = true, receive_progress = true, timeout = 5000,
        disclose_me = true, ppt_scheme = "x_a" }))
    assert.actions({ { alice, { INVOCATION, 1, id, details, { "q" } } } },
      bob:chunk(1, "com.x", { "q" }, { progress = true, timeout = 1, ppt_scheme = "x_b",
        ppt_keyid = "k", disclose_me = false, receive_progress = false, x_mine = 1 }))
    alice:unregister(id) -- the call goes on as it began
    details.progress = nil
    assert.actions({ { alice, { INVOCATION, 1, id, details, { "r" } } } },
      bob:chunk(1, "com.x", { "r" }))
  end)

  it("go together with progressive results", function()
    local r = router()
    local alice = r:join { roles = core.all_roles }
    local bob = r:join(core.streamer)
    alice:register "com.x"
    bob:call("com.x", { 1 }, nil, { progress = true, receive_progress = true })
    for i = 2, 4 do
      assert.actions({ { bob, { RESULT, 1, { progress = true }, { i } } } },
        alice:yield(1, { i }, nil, { progress = true }))
      assert.is_truthy(alice:first(bob:chunk(1, "com.x", { i }, more), INVOCATION))
    end
    assert.actions({ { bob, { RESULT, 1, {} } } }, alice:yield(1))
  end)

  it("that come after CANCEL in mode kill are dropped", function()
    local r = router()
    local alice, bob = r:join(able), r:join(core.streamer)
    alice:register "com.x"
    bob:call("com.x", { 1 }, nil, more)
    bob:cancel(1, "kill")
    assert.actions({}, bob:chunk(1, "com.x", { 2 }, more))
    assert.actions({ { bob, { RESULT, 1, {} } } }, alice:yield(1))
    assert.actions({}, bob:chunk(1, "com.x", { 3 }))
  end)

  it("restart the clock", function()
    local r = router()
    local alice, bob = r:join(able), r:join(core.streamer)
    alice:register "com.x"
    bob:call("com.x", { 1 }, nil, { progress = true, timeout = 100 })
    for _ = 1, 3 do
      assert.actions({}, r:advance(90))
      bob:chunk(1, "com.x", { 1 }, more)
    end
    assert.actions({}, r:advance(99))
    assert.equal(2, #r:advance(1))
    assert.actions({}, bob:chunk(1, "com.x", { 1 }))
    assert.is_truthy(alice)
  end)

  it("longer than the callee accepts end the call; the callee is interrupted", function()
    local r = router()
    local alice, bob = r:join(able, { send_max = 300 }), r:join(core.streamer)
    alice:register "com.x"
    bob:call("com.x", { 1 }, nil, more)
    assert.actions({
      { alice, { core.INTERRUPT, 1, { mode = "killnowait", reason = core.any } } },
      { bob, core.failure(CALL, 1, "wamp.error.payload_size_exceeded") },
    }, bob:chunk(1, "com.x", { ("x"):rep(500) }, more))
  end)

  it("leave an id free a minute after the call", function()
    local r = router()
    local alice, bob = r:join(able), r:join(core.streamer)
    alice:register "com.x"
    bob:call("com.x", nil, nil, more)
    alice:yield(1)
    assert.actions({}, bob:chunk(1, "com.x"))
    r:advance(60001)
    assert.is_truthy(alice:first(bob:chunk(1, "com.x"), INVOCATION))
  end)
end)

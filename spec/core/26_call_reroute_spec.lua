--- call_reroute: a callee that is unavailable passes the call on; the caller sees one answer.
-- SPDX-License-Identifier: MIT
local core = require "core"

local INVOCATION, RESULT, ERROR, CALL = core.INVOCATION, core.RESULT, core.ERROR, core.CALL
local unavailable, none = "wamp.error.unavailable", "wamp.error.no_available_callee"
local able = core.callee "call_reroute"

core.describe("Call re-routing", function(router)
  local function scene(policy, count, details, options)
    local r = router(options)
    local callees, id = {}, nil
    for i = 1, count do
      callees[i] = r:join(details or able)
      id = callees[i]:register("com.x", { invoke = policy })
    end
    return r, callees, r:join(core.streamer), id
  end

  --- The place of the callee that gets an INVOCATION, and its id.
  local function invoked(callees, actions)
    for i, callee in ipairs(callees) do
      local invocation = callee:first(actions, INVOCATION)
      if invocation then
        return i, invocation[2]
      end
    end
  end

  --- Everybody refuses: the order in which they were asked, and the last actions.
  local function all_refuse(callees, actions)
    local order = {}
    local place, id = invoked(callees, actions)
    while place do
      order[#order + 1] = place
      actions = callees[place]:refuse(id, unavailable)
      place, id = invoked(callees, actions)
    end
    return table.concat(order), actions
  end

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.call_reroute)
  end)

  for policy, orders in pairs {
    single = { "1" }, first = { "123" }, last = { "321" }, roundrobin = { "123", "123" },
  } do
    it("asks in the order of the policy " .. policy, function()
      local r, callees, bob = scene(policy, policy == "single" and 1 or 3)
      for i, order in ipairs(orders) do
        local asked, actions = all_refuse(callees, bob:call("com.x", { i }))
        assert.equal(order, asked)
        assert.actions({ { bob, core.failure(CALL, i, none) } }, actions)
        assert.equal(0, r:counters().pending_calls)
      end
    end)
  end

  it("asks each one once when the policy is random", function()
    local seen = {}
    for seed = 1, 40 do
      local _, callees, bob = scene("random", 3, nil, { seed = seed })
      local asked = all_refuse(callees, bob:call "com.x")
      assert.equal(3, #asked)
      for i = 1, 3 do
        assert.is_truthy(asked:find(i, 1, true))
      end
      seen[asked] = true
    end
    local count = 0
    for _ in pairs(seen) do
      count = count + 1
    end
    assert.equal(6, count)
  end)

  it("asks by score when the call is for a shard", function()
    local r = router()
    local a, b, bob = r:join(able), r:join(able), r:join()
    a:register("com.x", { invoke = "first", nkey = "101" })
    b:register("com.x", { invoke = "first", nkey = "102" })
    local options = { runmode = "partition", rkey = "sn239019" } -- 101 before 102
    local order, actions = all_refuse({ a, b }, bob:call("com.x", nil, nil, options))
    assert.equal("12", order)
    assert.actions({ { bob, core.failure(CALL, 1, none) } }, actions)
  end)

  it("gives the next callee the whole call, and the caller one answer", function()
    local r = router()
    local alice, carol, bob = r:join(able), r:join(), r:join()
    alice:register("com.", { match = "prefix", invoke = "first" })
    local id = carol:register("com.", { match = "prefix", invoke = "first",
      disclose_caller = true })
    bob:call("com.x", { 1, "a" }, { k = 2 })
    assert.actions({ { carol, { INVOCATION, 1, id, { procedure = "com.x", caller = bob.session,
      caller_authid = core.any, caller_authrole = core.any }, { 1, "a" }, { k = 2 } } } },
      alice:refuse(1, unavailable))
    assert.actions({}, alice:yield(1))
    assert.equal(1, r:counters().pending_calls)
    assert.actions({ { bob, { RESULT, 1, {}, { 3 } } } }, carol:yield(1, { 3 }))
  end)

  it("passes the ERROR of a callee that did not announce it on as it is", function()
    local _, callees, bob = scene("first", 2, core.callee())
    bob:call "com.x"
    assert.actions({ { bob, { ERROR, CALL, 1, {}, unavailable, { "why" } } } },
      callees[1]:refuse(1, unavailable, { "why" }))
  end)

  it("does not happen for another error", function()
    local _, callees, bob = scene("first", 2)
    bob:call "com.x"
    assert.actions({ { bob, { ERROR, CALL, 1, {}, "com.error" } } },
      callees[1]:refuse(1, "com.error"))
  end)

  it("does not happen after a progressive result", function()
    local _, callees, bob = scene("first", 2)
    bob:call("com.x", nil, nil, { receive_progress = true })
    callees[1]:yield(1, nil, nil, { progress = true })
    assert.actions({ { bob, { ERROR, CALL, 1, {}, unavailable } } },
      callees[1]:refuse(1, unavailable))
  end)

  local streaming = core.callee("call_reroute", "progressive_call_invocations", "call_canceling")

  it("does not happen after a second chunk, but does after the first", function()
    local _, callees, bob, id = scene("first", 2, streaming)
    bob:call("com.x", { 1 }, nil, { progress = true })
    assert.actions({ { callees[2], { INVOCATION, 1, id, { progress = true }, { 1 } } } },
      callees[1]:refuse(1, unavailable))
    bob:chunk(1, "com.x", { 2 })
    assert.actions({ { bob, { ERROR, CALL, 1, {}, unavailable } } },
      callees[2]:refuse(1, unavailable))
  end)

  it("does not happen to a call that was canceled", function()
    local _, callees, bob = scene("first", 2, streaming)
    bob:call "com.x"
    bob:cancel(1, "kill")
    assert.actions({ { bob, { ERROR, CALL, 1, {}, unavailable } } },
      callees[1]:refuse(1, unavailable))
  end)

  it("skips callees that are busy or lack a feature", function()
    local r = router()
    local a, b, c, bob = r:join(streaming), r:join(able), r:join(streaming), r:join(core.streamer)
    a:register("com.x", { invoke = "first" })
    b:register("com.x", { invoke = "first" }) -- takes no chunks
    c:register("com.x", { invoke = "first", concurrency = 1 })
    bob:call("com.x", nil, nil, { progress = true })
    assert.is_truthy(c:first(a:refuse(1, unavailable), INVOCATION))
    bob:call("com.x", nil, nil, { progress = true })
    assert.actions({ { bob, core.failure(CALL, 2, none) } }, a:refuse(2, unavailable))
  end)

  it("does not fall through to a less specific registration", function()
    local r = router()
    local a, b, bob = r:join(able), r:join(able), r:join()
    a:register("com.x", { invoke = "first" })
    b:register("com", { match = "prefix" })
    bob:call "com.x"
    assert.actions({ { bob, core.failure(CALL, 1, none) } }, a:refuse(1, unavailable))
  end)
end)

--- progressive_call_results: partial RESULTs in order, then a final one, then nothing.
-- SPDX-License-Identifier: MIT
local core = require "core"

local INVOCATION, RESULT, ERROR, CALL = core.INVOCATION, core.RESULT, core.ERROR, core.CALL
local progress, partial = { receive_progress = true }, { progress = true }
local able = core.callee("progressive_call_results", "call_canceling")

core.describe("Progressive call results", function(router)
  local function call(details, options, knobs)
    local r = router(knobs)
    local alice, bob = r:join(details), r:join()
    local id = alice:register "com.x"
    return r, alice, bob, bob:call("com.x", nil, nil, options), id
  end

  it("are announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.progressive_call_results)
  end)

  it("arrive in order, then the final one, and nothing after it", function()
    local r, alice, bob, actions, id = call(able, progress)
    assert.actions({ { alice, { INVOCATION, 1, id, { receive_progress = true } } } }, actions)
    for i = 1, 5 do
      assert.actions({ { bob, { RESULT, 1, { progress = true }, { i }, { n = i } } } },
        alice:yield(1, { i }, { n = i }, partial))
      assert.equal(1, r:counters().pending_calls)
    end
    assert.actions({ { bob, { RESULT, 1, { progress = true } } } },
      alice:yield(1, nil, nil, partial))
    assert.actions({ { bob, { RESULT, 1, {}, { "end" } } } }, alice:yield(1, { "end" }))
    assert.actions({}, alice:yield(1, { "late" }, nil, partial))
    assert.actions({}, alice:yield(1, { "late" }))
    assert.equal(0, r:counters().pending_calls)
  end)

  it("end with progress: false, or with an ERROR", function()
    local _, alice, bob = call(able, progress)
    alice:yield(1, { 1 }, nil, partial)
    assert.actions({ { bob, { RESULT, 1, {} } } }, alice:yield(1, nil, nil, { progress = false }))
    bob:call("com.x", nil, nil, progress)
    alice:yield(2, { 1 }, nil, partial)
    assert.actions({ { bob, { ERROR, CALL, 2, {}, "com.error" } } }, alice:refuse(2, "com.error"))
    assert.actions({}, alice:yield(2, nil, nil, partial))
  end)

  for _, features in ipairs {
    {}, { "progressive_call_results" }, { "call_canceling" },
  } do
    it("are not asked of a callee that announced only " .. table.concat(features), function()
      local _, alice, bob, actions, id = call(core.callee(table.unpack(features)), progress)
      assert.actions({ { alice, { INVOCATION, 1, id, {} } } }, actions)
      assert.actions({ { bob, { RESULT, 1, { progress = true }, { 1 } } } },
        alice:yield(1, { 1 }, nil, partial)) -- it gives them all the same
    end)
  end

  it("need no call_canceling where progress_requires_cancel is off", function()
    local _, alice, _, actions, id = call(core.callee "progressive_call_results", progress,
      { progress_requires_cancel = false })
    assert.actions({ { alice, { INVOCATION, 1, id, { receive_progress = true } } } }, actions)
  end)

  it("that nobody asked for are dropped; the call goes on", function()
    for _, options in ipairs { {}, { receive_progress = false } } do
      local r, alice, bob, actions, id = call(able, options)
      assert.actions({ { alice, { INVOCATION, 1, id, {} } } }, actions)
      assert.actions({}, alice:yield(1, { 1 }, nil, partial))
      assert.equal(1, r:counters().pending_calls)
      assert.actions({ { bob, { RESULT, 1, {}, { 2 } } } }, alice:yield(1, { 2 }))
    end
  end)

  it("carry a payload passthru scheme each by itself", function()
    local r = router()
    local alice, bob = r:join { roles = core.all_roles }, r:join { roles = core.all_roles }
    alice:register "com.x"
    bob:call("com.x", nil, nil, progress)
    assert.actions({ { bob, { RESULT, 1, { progress = true, ppt_scheme = "x_a" }, { "p" } } } },
      alice:yield(1, { "p" }, nil, { progress = true, ppt_scheme = "x_a" }))
    assert.actions({ { bob, { RESULT, 1, {}, { 1 } } } }, alice:yield(1, { 1 }))
  end)

  it("are replies in the eyes of the queue: none is dropped", function()
    local _, alice = call(able, progress)
    assert.equal("reply", alice:yield(1, { 1 }, nil, partial)[1].kind)
  end)

  it("longer than the caller accepts end the call; the callee is interrupted", function()
    local r = router()
    local alice, bob = r:join(able), r:join(nil, { send_max = 500 })
    alice:register "com.x"
    bob:call("com.x", nil, nil, progress)
    assert.actions({
      { alice, { core.INTERRUPT, 1, { mode = "killnowait", reason = "wamp.error.canceled" } } },
      { bob, core.failure(CALL, 1, "wamp.error.payload_size_exceeded") },
    }, alice:yield(1, { ("x"):rep(1000) }, nil, partial))
    assert.equal(0, r:counters().pending_calls)
  end)

  for _, reinterrupt in ipairs { true, false } do
    it(("after the end are answered with INTERRUPT where reinterrupt is %s"):format(reinterrupt),
      function()
        local r, alice, bob = call(able, progress, { reinterrupt = reinterrupt })
        bob:cancel(1)
        local again = reinterrupt and
          { { alice, { core.INTERRUPT, 1, { mode = "killnowait", reason = core.any } } } } or {}
        assert.actions(again, alice:yield(1, nil, nil, partial))
        assert.actions({}, alice:yield(1, nil, nil, partial)) -- once per second
        r:advance(1000)
        assert.actions(again, alice:yield(1, nil, nil, partial))
        assert.actions({}, alice:yield(1))
      end)
  end
end)

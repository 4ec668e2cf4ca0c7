--- call_timeout: who watches the clock, when it restarts, what happens when time is up.
-- SPDX-License-Identifier: MIT
local core = require "core"

local INVOCATION, INTERRUPT, CALL = core.INVOCATION, core.INTERRUPT, core.CALL
local timeout = "wamp.error.timeout"

core.describe("Call timeout", function(router)
  local function call(ms, details, options, knobs, more)
    local r = router(knobs)
    local alice, bob = r:join(details), r:join()
    local id = alice:register("com.x", options)
    local all = { timeout = ms }
    for k, v in pairs(more or {}) do
      all[k] = v
    end
    return r, alice, bob, bob:call("com.x", nil, nil, all), id
  end

  local function expired(alice, bob, is_told)
    return {
      { bob, core.failure(CALL, 1, timeout) },
      is_told and { alice, { INTERRUPT, 1, { mode = "killnowait", reason = timeout } } } or nil,
    }
  end

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.call_timeout)
  end)

  it("gives ERROR when time is up, and INTERRUPT to a callee that can be interrupted", function()
    for _, can in ipairs { true, false } do
      local r, alice, bob, actions, id = call(100, can and core.callee "call_canceling" or nil)
      assert.actions({ { alice, { INVOCATION, 1, id, {} } } }, actions)
      assert.equal(100, r:wakes_in())
      assert.actions({}, r:advance(99))
      assert.actions(expired(alice, bob, can), r:advance(1))
      assert.equal(0, r:counters().pending_calls)
      assert.actions({}, alice:yield(1))
      assert.actions({}, r:advance(10000))
    end
  end)

  it("is over with the answer", function()
    local r, alice = call(100)
    alice:yield(1)
    assert.is_nil(r:wakes_in())
    assert.actions({}, r:advance(1000))
  end)

  it("restarts with every progressive result", function()
    local r, alice, bob = call(100, core.callee("call_canceling", "progressive_call_results"),
      nil, nil, { receive_progress = true })
    for _ = 1, 5 do
      assert.actions({}, r:advance(80))
      alice:yield(1, nil, nil, { progress = true })
    end
    assert.actions({}, r:advance(99))
    assert.actions(expired(alice, bob, true), r:advance(1))
  end)

  it("of 0, or none, is none", function()
    for _, ms in ipairs { 0, false } do
      local r = call(ms or nil)
      assert.is_nil(r:wakes_in())
    end
  end)

  it("of any length a number can say is bearable", function()
    for _, ms in ipairs { 1 << 53, math.maxinteger } do
      local r = call(ms)
      assert.actions({}, r:advance(1000000))
      assert.equal(1, r:counters().pending_calls)
    end
  end)

  it("that is no natural number is a violation", function()
    for _, ms in ipairs { -1, 1.5, "100", true } do
      local r = router()
      local bob = r:join()
      assert.actions(core.violation(bob, "timeout"), bob:call("com.x", nil, nil, { timeout = ms }))
    end
  end)

  local table_rows = {
    { forward = true, features = { "call_timeout" }, sent = true },
    { forward = true, features = {}, sent = false },
    { forward = false, features = { "call_timeout" }, sent = false },
    { forward = nil, features = {}, sent = false },
  }
  for _, row in ipairs(table_rows) do
    it(("is %s with forward_timeout %s and a callee that announced %s"):format(
      row.sent and "forwarded" or "not forwarded", row.forward, row.features[1] or "nothing"),
      function()
        local r, alice, bob, actions, id = call(100, core.callee(table.unpack(row.features)),
          { forward_timeout = row.forward })
        assert.actions({ { alice, { INVOCATION, 1, id, row.sent and { timeout = 100 } or {} } } },
          actions)
        assert.actions({}, r:advance(row.sent and 5099 or 99))
        assert.actions(expired(alice, bob), r:advance(1))
      end)
  end

  it("that the callee watches over ends with the callee's ERROR", function()
    local _, alice, bob = call(100, core.callee "call_timeout", { forward_timeout = true })
    assert.actions({ { bob, { core.ERROR, CALL, 1, {}, timeout } } }, alice:refuse(1, timeout))
  end)

  it("has a default where call_default_timeout says so", function()
    local r = call(nil, nil, nil, { call_default_timeout_ms = 300 })
    assert.equal(300, r:wakes_in())
    r = call(100, nil, nil, { call_default_timeout_ms = 300 })
    assert.equal(100, r:wakes_in())
    r = call(nil, nil, nil, { call_default_timeout_ms = 0 })
    assert.is_nil(r:wakes_in())
  end)

  it("is never more than call_max_timeout", function()
    local r, _, _, actions = call(1000, core.callee "call_timeout", { forward_timeout = true },
      { call_max_timeout_ms = 200 })
    assert.same({ timeout = 200 }, actions[1][2][4])
    assert.equal(5200, r:wakes_in())
    r = call(150, nil, nil, { call_max_timeout_ms = 200 })
    assert.equal(150, r:wakes_in())
    r = call(1000, nil, nil, { call_max_timeout_ms = 0 })
    assert.equal(1000, r:wakes_in())
  end)

  it("is not restarted by re-routing", function()
    local r = router()
    local alice, carol, bob = r:join(core.callee "call_reroute"), r:join(), r:join()
    alice:register("com.x", { invoke = "roundrobin" })
    carol:register("com.x", { invoke = "roundrobin" })
    bob:call("com.x", nil, nil, { timeout = 100 })
    r:advance(60)
    assert.is_truthy(carol:first(alice:refuse(1, "wamp.error.unavailable"), INVOCATION))
    assert.actions({}, r:advance(39))
    assert.actions({ { bob, core.failure(CALL, 1, timeout) } }, r:advance(1))
  end)
end)

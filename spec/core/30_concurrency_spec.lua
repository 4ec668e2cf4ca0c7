--- Concurrency limits: who is busy gets no more; calls may wait, for a while.
-- SPDX-License-Identifier: MIT
local core = require "core"

local CALL, INVOCATION, RESULT = core.CALL, core.INVOCATION, core.RESULT
local none = "wamp.error.no_available_callee"

core.describe("Concurrency", function(router)
  local function scene(knobs, concurrency)
    local r = router(knobs)
    local alice, bob = r:join { roles = core.all_roles }, r:join()
    local id = alice:register("com.x", { invoke = "roundrobin", concurrency = concurrency or 1 })
    return r, alice, bob, id
  end

  it("bounds what a callee works on at once; one more gets an error", function()
    local _, alice, bob = scene(nil, 2)
    bob:call "com.x"
    bob:call "com.x"
    assert.actions({ { bob, core.failure(CALL, 3, none) } }, bob:call "com.x")
    alice:yield(1)
    assert.is_truthy(alice:first(bob:call "com.x", INVOCATION))
  end)

  it("of 0 or none is no bound, and may change", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register("com.x", { invoke = "first", concurrency = 0 })
    for _ = 1, 50 do
      assert.is_truthy(alice:first(bob:call "com.x", INVOCATION))
    end
    alice:register("com.x", { invoke = "first", concurrency = 50 })
    assert.actions({ { bob, core.failure(CALL, 51, none) } }, bob:call "com.x")
    alice:register("com.x", { invoke = "first" })
    assert.is_truthy(alice:first(bob:call "com.x", INVOCATION))
  end)

  it("makes turns skip who is busy, and does not fall through to other registrations", function()
    local r, alice, bob = scene()
    local carol, dave = r:join(), r:join()
    carol:register("com.x", { invoke = "roundrobin", concurrency = 2 })
    dave:register("com", { match = "prefix" })
    assert.is_truthy(alice:first(bob:call "com.x", INVOCATION))
    assert.is_truthy(carol:first(bob:call "com.x", INVOCATION))
    assert.is_truthy(carol:first(bob:call "com.x", INVOCATION))
    assert.actions({ { bob, core.failure(CALL, 4, none) } }, bob:call "com.x")
  end)

  local endings = {
    result = function(alice) alice:yield(1) end,
    ["an error"] = function(alice) alice:refuse(1, "com.error") end,
    refusal = function(alice) alice:refuse(1, "wamp.error.unavailable") end,
    cancel = function(_, bob) bob:cancel(1) end,
    timeout = function(_, _, r) r:advance(100) end,
    ["an end of the caller"] = function(_, bob) bob:drop() end,
    ["a full queue"] = function(alice) alice:unsent(1) end,
  }
  for name, ending in pairs(endings) do
    it("counts down with " .. name, function()
      local r, alice, bob = scene()
      local carol = r:join()
      bob:call("com.x", nil, nil, { timeout = 100 })
      assert.actions({ { carol, core.failure(CALL, 1, none) } }, carol:call "com.x")
      ending(alice, bob, r)
      assert.equal(0, r:counters().pending_calls)
      assert.is_truthy(alice:first(carol:call "com.x", INVOCATION))
    end)
  end

  it("is bounded for a whole session by callee_max_pending", function()
    for _, max in ipairs { 0, 2 } do
      local r = router { callee_max_pending = max }
      local alice, bob = r:join(), r:join()
      alice:register "com.x"
      alice:register "com.y"
      bob:call "com.x"
      bob:call "com.y"
      assert.equal(max == 2 and core.ERROR or INVOCATION, bob:call("com.x")[1][2][1])
    end
  end)

  ---- waiting ----

  local queue = { call_queue_len = 2, call_queue_timeout_ms = 500 }

  it("lets calls wait for a callee, first come, first served", function()
    local r, alice, bob, id = scene(queue)
    bob:call "com.x"
    assert.actions({}, bob:call("com.x", { 2 }))
    assert.actions({}, bob:call("com.x", { 3 }))
    assert.actions({ { bob, core.failure(CALL, 4, none) } }, bob:call "com.x")
    assert.equal(3, r:counters().pending_calls)
    assert.actions({ { bob, { RESULT, 1, {} } }, { alice, { INVOCATION, 2, id, {}, { 2 } } } },
      alice:yield(1))
    assert.actions({ { bob, { RESULT, 2, {} } }, { alice, { INVOCATION, 3, id, {}, { 3 } } } },
      alice:yield(2))
    assert.actions({ { bob, { RESULT, 3, {} } } }, alice:yield(3))
    assert.is_nil(r:wakes_in())
  end)

  it("keeps the input of a call that waits, in order, and 64 chunks of it at most", function()
    local more = { progress = true }
    local r = router(queue)
    local alice, bob = r:join { roles = core.all_roles }, r:join(core.streamer)
    local carol = r:join(core.streamer)
    local id = alice:register("com.x", { concurrency = 1 })
    bob:call "com.x"
    assert.actions({}, carol:call("com.x", { 0 }, nil, more))
    assert.actions({}, carol:chunk(1, "com.x", { 1 }, more))
    assert.actions({}, carol:chunk(1, "com.x", { 2 }))
    assert.actions({ { bob, { RESULT, 1, {} } },
      { alice, { INVOCATION, 2, id, { progress = true }, { 0 } } },
      { alice, { INVOCATION, 2, id, { progress = true }, { 1 } } },
      { alice, { INVOCATION, 2, id, {}, { 2 } } } }, alice:yield(1))
    assert.actions({}, carol:call("com.x", { 0 }, nil, more))
    for i = 1, 64 do
      assert.actions({}, carol:chunk(2, "com.x", { i }, more))
    end
    assert.actions({ { carol, core.failure(CALL, 2, none) } },
      carol:chunk(2, "com.x", { 65 }, more))
    assert.actions({}, carol:chunk(2, "com.x", { 66 }))
    assert.actions({ { carol, { RESULT, 1, {} } } }, alice:yield(2))
    assert.equal(0, r:counters().pending_calls)
  end)

  it("lets them wait no longer than call_queue_timeout, or than their own timeout", function()
    local r, _, bob = scene(queue)
    bob:call "com.x"
    bob:call "com.x"
    bob:call("com.x", nil, nil, { timeout = 300 })
    assert.actions({ { bob, core.failure(CALL, 3, "wamp.error.timeout") } }, r:advance(300))
    assert.actions({}, r:advance(199))
    assert.actions({ { bob, core.failure(CALL, 2, none) } }, r:advance(1))
    assert.equal(1, r:counters().pending_calls)
  end)

  it("serves them when another callee comes", function()
    local r, _, bob, id = scene(queue)
    bob:call "com.x"
    bob:call("com.x", { 2 })
    local carol = r:join()
    assert.actions({ { carol, { core.REGISTERED, 1, id } },
      { carol, { INVOCATION, 1, id, {}, { 2 } } } },
      carol:send { core.REGISTER, 1, { invoke = "roundrobin" }, "com.x" })
  end)

  for _, mode in ipairs { "skip", "kill", "killnowait" } do
    it("ends a wait by CANCEL in mode " .. mode, function()
      local r, _, bob = scene(queue)
      bob:call "com.x"
      bob:call "com.x"
      assert.actions({ { bob, core.failure(CALL, 2, "wamp.error.canceled") } },
        bob:cancel(2, mode))
      assert.equal(1, r:counters().pending_calls)
    end)
  end

  it("ends a wait when nobody is left to wait for", function()
    local r, alice, bob, id = scene(queue)
    bob:call "com.x"
    bob:call "com.x"
    assert.actions({ { alice, { core.UNREGISTERED, 2 } },
      { bob, core.failure(CALL, 2, none) } }, alice:unregister(id))
    assert.equal(1, r:counters().pending_calls)
  end)

  it("forgets who waits when it leaves, without a word", function()
    local r, alice, bob = scene(queue)
    bob:call "com.x"
    alice:call "com.x"
    r:join():call "com.x"
    assert.actions({ { alice, { core.INTERRUPT, 1, core.any } },
      { alice, { INVOCATION, 2, core.id, {} } } }, bob:drop())
    alice:send { core.GOODBYE, {}, "wamp.close.normal" }
    assert.equal(0, r:counters().pending_calls)
  end)

  it("serves a wait of one procedure when the session is done with another", function()
    local r = router { call_queue_len = 2, callee_max_pending = 1 }
    local alice, bob = r:join(), r:join()
    alice:register "com.x"
    local id = alice:register "com.y"
    bob:call "com.x"
    assert.actions({}, bob:call "com.y")
    assert.actions({ { bob, { RESULT, 1, {} } }, { alice, { INVOCATION, 2, id, {} } } },
      alice:yield(1))
  end)
end)

--- call_canceling: every cell of the tables; S is a callee that can be interrupted, N one that
-- cannot.
-- SPDX-License-Identifier: MIT
local core = require "core"

local RESULT, INTERRUPT, ERROR, CALL = core.RESULT, core.INTERRUPT, core.ERROR, core.CALL
local canceled = "wamp.error.canceled"

local function interrupt(mode, reason)
  return { INTERRUPT, 1, { mode = mode, reason = reason or canceled } }
end

local function gone(caller)
  return { caller, core.failure(CALL, 1, canceled) }
end

core.describe("Call canceling", function(router)
  local function call(kind, knobs, options)
    local r = router(knobs)
    local alice = r:join(kind == "S" and core.callee("call_canceling", "progressive_call_results")
      or nil)
    local bob = r:join(core.streamer)
    alice:register "com.x"
    bob:call("com.x", nil, nil, options)
    return r, alice, bob
  end

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.call_canceling)
  end)

  -- Ends the call now: mode, kind of callee, whether INTERRUPT follows the ERROR.
  for _, row in ipairs {
    { "skip", "S" }, { "skip", "N" }, { "kill", "N" },
    { "killnowait", "S", true }, { "killnowait", "N" },
  } do
    it(("in mode %s of a callee that is %s ends the call at once"):format(row[1], row[2]),
      function()
        for _, answer in ipairs { "yield", "refuse" } do
          local r, alice, bob = call(row[2])
          local want = { gone(bob) }
          if row[3] then
            want[2] = { alice, interrupt "killnowait" }
          end
          assert.actions(want, bob:cancel(1, row[1]))
          assert.equal(0, r:counters().pending_calls)
          assert.actions({}, alice[answer](alice, 1, answer == "refuse" and canceled or nil))
          assert.actions({}, bob:cancel(1, row[1]))
        end
      end)
  end

  it("in mode kill of a callee that is S waits for its answer: RESULT", function()
    local r, alice, bob = call "S"
    assert.actions({ { alice, interrupt "kill" } }, bob:cancel(1, "kill"))
    assert.equal(1, r:counters().pending_calls)
    assert.actions({ { bob, { RESULT, 1, {}, { 1 } } } }, alice:yield(1, { 1 }))
    assert.equal(0, r:counters().pending_calls)
  end)

  it("in mode kill of a callee that is S waits for its answer: ERROR", function()
    for _, uri in ipairs { canceled, "com.error.mine" } do
      local r, alice, bob = call "S"
      bob:cancel(1, "kill")
      assert.actions({ { bob, { ERROR, CALL, 1, {}, uri, { "why" } } } },
        alice:refuse(1, uri, { "why" }))
      assert.equal(0, r:counters().pending_calls)
    end
  end)

  ---- while a kill is pending ----

  local function killed(knobs, options)
    local r, alice, bob = call("S", knobs, options)
    bob:cancel(1, "kill")
    return r, alice, bob
  end

  it("(kill pending) lets progressive results through, if they were asked for", function()
    local _, alice, bob = killed(nil, { receive_progress = true })
    assert.actions({ { bob, { RESULT, 1, { progress = true }, { 1 } } } },
      alice:yield(1, { 1 }, nil, { progress = true }))
    assert.actions({ { bob, { RESULT, 1, {} } } }, alice:yield(1))
    _, alice = killed()
    assert.actions({}, alice:yield(1, { 1 }, nil, { progress = true }))
  end)

  it("(kill pending) ignores another kill", function()
    local r, _, bob = killed()
    assert.actions({}, bob:cancel(1, "kill"))
    assert.equal(1, r:counters().pending_calls)
  end)

  for _, mode in ipairs { "skip", "killnowait" } do
    it(("(kill pending) ends by %s, without a second INTERRUPT"):format(mode), function()
      local r, alice, bob = killed()
      assert.actions({ gone(bob) }, bob:cancel(1, mode))
      assert.equal(0, r:counters().pending_calls)
      assert.actions({}, alice:yield(1))
    end)
  end

  it("(kill pending) ends with the timeout, without a second INTERRUPT", function()
    local r, alice, bob = killed(nil, { timeout = 100 })
    assert.actions({ { bob, core.failure(CALL, 1, "wamp.error.timeout") } }, r:advance(100))
    assert.actions({}, alice:yield(1))
  end)

  it("(kill pending) ends when the callee leaves", function()
    local r, alice, bob = killed()
    assert.actions({ gone(bob) }, alice:drop())
    assert.equal(0, r:counters().pending_calls)
  end)

  it("(kill pending) ends when the caller leaves, without a second INTERRUPT", function()
    local r, alice, bob = killed()
    assert.actions({}, bob:drop())
    assert.equal(0, r:counters().pending_calls)
    assert.actions({}, alice:yield(1))
  end)

  it("(kill pending) has no end of its own; kill_grace sets one", function()
    assert.is_nil((killed()):wakes_in())
    local r, alice, bob = killed { kill_grace_ms = 200 }
    assert.actions({}, r:advance(199))
    assert.actions({ gone(bob) }, r:advance(1))
    assert.actions({}, alice:yield(1))
  end)

  ---- corner cases ----

  it("without a mode does what cancel_default_mode says", function()
    local _, alice, bob = call "S"
    assert.actions({ gone(bob), { alice, interrupt "killnowait" } }, bob:cancel(1))
    _, alice, bob = call("S", { cancel_default_mode = "kill" })
    assert.actions({ { alice, interrupt "kill" } }, bob:cancel(1))
    _, _, bob = call("S", { cancel_default_mode = "skip" })
    assert.actions({ gone(bob) }, bob:cancel(1))
  end)

  it("of what is unknown, finished or somebody else's is discarded", function()
    for _, mode in ipairs { "skip", "kill", "killnowait" } do
      local r, alice, bob = call "S"
      local carol = r:join()
      assert.actions({}, carol:cancel(1, mode))
      assert.actions({}, bob:cancel(77, mode))
      alice:yield(1)
      assert.actions({}, bob:cancel(1, mode))
    end
  end)

  it("with a mode that is none is a violation", function()
    for _, mode in ipairs { "abort", "KILL", "", 1, true } do
      local r, alice, bob = call "S"
      local actions = bob:send { core.CANCEL, 1, { mode = mode } }
      assert.equal("wamp.error.protocol_violation", bob:first(actions, core.ABORT)[3])
      assert.same({ interrupt "killnowait" }, alice:messages(actions)) -- its caller has gone
      assert.equal(0, r:counters().pending_calls)
    end
  end)

  it("does not end other calls", function()
    local r, alice, bob = call "S"
    bob:call "com.x"
    bob:cancel(1)
    assert.equal(1, r:counters().pending_calls)
    assert.actions({ { bob, { RESULT, 2, {} } } }, alice:yield(2))
  end)
end)

--- Calls: from CALL to RESULT or ERROR, and what happens when somebody leaves.
-- SPDX-License-Identifier: MIT
local core = require "core"

local CALL, INVOCATION, RESULT, ERROR = core.CALL, core.INVOCATION, core.RESULT, core.ERROR
local INTERRUPT = core.INTERRUPT

core.describe("A call", function(router)
  it("becomes an invocation, and its answer a result", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:register "com.x"
    assert.actions({ { alice, { INVOCATION, 1, id, {}, { 1, "a" }, { k = core.null } } } },
      bob:call("com.x", { 1, "a" }, { k = core.null }))
    assert.equal(1, r:counters().pending_calls)
    assert.actions({ { bob, { RESULT, 1, {}, { "done" }, { n = 1.5 } } } },
      alice:yield(1, { "done" }, { n = 1.5 }))
    assert.equal(0, r:counters().pending_calls)
    assert.equal(1, r:counters().results)
  end)

  it("without arguments is an invocation without, and so is the result", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:register "com.x"
    assert.actions({ { alice, { INVOCATION, 1, id, {} } } }, bob:call("com.x", {}, {}))
    assert.actions({ { bob, { RESULT, 1, {} } } }, alice:yield(1, {}, {}))
  end)

  it("is an invocation in the eyes of the queue; the key is its id", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register "com.x"
    local actions = bob:call "com.x"
    assert.equal("invocation", actions[1].kind)
    assert.equal(actions[1][2][2], actions[1].key)
    assert.equal("reply", alice:yield(1)[1].kind)
  end)

  it("of what nobody has registered is an error", function()
    local alice = router():join()
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.no_such_procedure") } },
      alice:call "com.x")
  end)

  it("ends with the callee's error: its URI, its arguments", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register "com.x"
    bob:call "com.x"
    assert.actions({ { bob, { ERROR, CALL, 1, {}, "com.error.mine", { "why" }, { code = 7 } } } },
      alice:refuse(1, "com.error.mine", { "why" }, { code = 7 }))
    assert.equal(1, r:counters().errors)
    assert.equal(0, r:counters().pending_calls)
  end)

  it("gets of an error's details the callee's own keys, and no others", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register "com.x"
    bob:call "com.x"
    local details = { x_mine = { a = { 1 } }, _own = core.null, message = "m", callee = 5, x = 1,
      y_own = 1 }
    assert.actions({ { bob, { ERROR, CALL, 1, { x_mine = { a = { 1 } }, _own = core.null },
      "com.error" } } }, alice:refuse(1, "com.error", nil, nil, details))
  end)

  it("of a procedure of the session itself is invoked like any other", function()
    local alice = router():join()
    local id = alice:register "com.x"
    assert.actions({ { alice, { INVOCATION, 1, id, {}, { 1 } } } }, alice:call("com.x", { 1 }))
    assert.actions({ { alice, { RESULT, 2, {}, { 2 } } } }, alice:yield(1, { 2 }))
  end)

  it("may wait while others are answered: results come in any order", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register "com.x"
    for _ = 1, 3 do
      bob:call "com.x"
    end
    for _, i in ipairs { 2, 3, 1 } do
      assert.actions({ { bob, { RESULT, i, {}, { i } } } }, alice:yield(i, { i }))
    end
  end)

  it("does not change its callee when others register", function()
    local r = router()
    local alice, bob, carol = r:join(), r:join(), r:join()
    alice:register("com.x", { invoke = "last" })
    carol:call "com.x"
    bob:register("com.x", { invoke = "last" })
    assert.actions({ { carol, { RESULT, 1, {} } } }, alice:yield(1))
  end)

  it("copies nothing from its options into the invocation", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:register "com.x"
    assert.actions({ { alice, { INVOCATION, 1, id, {} } } },
      bob:call("com.x", nil, nil, { caller = 5, caller_authid = "root", caller_authrole = "root",
        x_mine = 1, rkey = "a", disclose_me = false, forward_for = core.list {} }))
  end)

  it("cannot be answered by anybody but its callee", function()
    local r = router()
    local alice, bob, carol = r:join(), r:join(), r:join()
    alice:register "com.x"
    carol:register "com.y"
    bob:call "com.x"
    bob:call "com.y"
    assert.actions({ { bob, { RESULT, 2, {} } } }, carol:yield(1))
    assert.actions({ { bob, { RESULT, 1, {} } } }, alice:yield(1))
  end)
end)

core.describe("When the callee leaves", function(router)
  local ways = {
    GOODBYE = function(peer) return peer:send { core.GOODBYE, {}, "wamp.close.normal" } end,
    ABORT = function(peer) return peer:send { core.ABORT, {}, "com.reason" } end,
    ["a violation"] = function(peer) return peer:send { 99 } end,
    ["a broken connection"] = function(peer) return peer:drop() end,
  }

  for name, leave in pairs(ways) do
    it(("by %s, its callers get ERROR at once"):format(name), function()
      local r = router()
      local alice, bob, carol = r:join(), r:join(), r:join()
      alice:register "com.x"
      bob:call "com.x"
      carol:call "com.x"
      bob:call "com.x"
      local actions = leave(alice)
      local canceled = { "callee gone" }
      assert.same({
        { ERROR, CALL, 1, {}, "wamp.error.canceled", canceled },
        { ERROR, CALL, 2, {}, "wamp.error.canceled", canceled },
      }, bob:messages(actions))
      assert.same({ { ERROR, CALL, 1, {}, "wamp.error.canceled", canceled } },
        carol:messages(actions))
      assert.equal(0, r:counters().pending_calls)
      assert.equal(0, r:counters().registrations)
    end)

    it(("by %s, calls that it made itself to itself end in silence"):format(name), function()
      local r = router()
      local alice = r:join { roles = core.all_roles }
      alice:register "com.x"
      alice:call "com.x"
      for _, message in ipairs(alice:messages(leave(alice))) do
        assert.is_true(message[1] == core.GOODBYE or message[1] == core.ABORT)
      end
      assert.equal(0, r:counters().pending_calls)
    end)
  end

  for name, leave in pairs(ways) do
    it(("(the caller this time) by %s, a callee that can cancel is interrupted"):format(name),
      function()
        local r = router()
        local alice = r:join { roles = core.all_roles }
        local bob, carol = r:join(), r:join()
        alice:register "com.x"
        carol:register "com.y"
        bob:call "com.x"
        bob:call "com.y"
        bob:call "com.x"
        local actions = leave(bob)
        local options = { mode = "killnowait", reason = "wamp.error.canceled" }
        assert.same({ { INTERRUPT, 1, options }, { INTERRUPT, 2, options } },
          alice:messages(actions))
        assert.same({}, carol:messages(actions))
        assert.equal(0, r:counters().pending_calls)
        assert.actions({}, alice:yield(1))
        assert.actions({}, alice:refuse(2, "com.error"))
        assert.actions({}, carol:yield(1))
      end)
  end

  it("the British spelling of the feature counts as well", function()
    local r = router()
    local alice = r:join { roles = { callee = { features = { call_cancelling = true } } } }
    local bob = r:join()
    alice:register "com.x"
    bob:call "com.x"
    assert.actions({ { alice, { INTERRUPT, 1, core.any } } }, bob:drop())
  end)

  it("a caller that is a callee, too, does both", function()
    local r = router()
    local alice, bob = r:join { roles = core.all_roles }, r:join { roles = core.all_roles }
    alice:register "com.a"
    bob:register "com.b"
    alice:call "com.b"
    bob:call "com.a"
    local messages = bob:messages(alice:drop())
    assert.same({ { ERROR, CALL, 2, {}, "wamp.error.canceled", { "callee gone" } },
      { INTERRUPT, 1, { mode = "killnowait", reason = "wamp.error.canceled" } } }, messages)
  end)

  it("others see it in order: ERROR to callers, then INTERRUPT to callees", function()
    local r = router()
    local alice = r:join { roles = core.all_roles }
    local caller, callee = r:join(), r:join { roles = core.all_roles }
    alice:subscribe "com.x"
    alice:register "com.a"
    callee:register "com.b"
    alice:call "com.b"
    caller:call "com.a"
    local actions = alice:send { core.GOODBYE, {}, "wamp.close.normal" }
    assert.actions({
      { alice, { core.GOODBYE, {}, "wamp.close.goodbye_and_out" } },
      { caller, { ERROR, CALL, 1, {}, "wamp.error.canceled", { "callee gone" } } },
      { callee, { INTERRUPT, 1, { mode = "killnowait", reason = "wamp.error.canceled" } } },
      { alice, released = true },
    }, actions)
  end)
end)

core.describe("An invocation that its callee's queue refuses", function(router)
  it("is ERROR for the caller at once; a late answer is ignored", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register "com.x"
    bob:call "com.x"
    assert.actions({ { bob, core.failure(CALL, 1, "wamp.error.network_failure") } },
      alice:unsent(1))
    assert.equal(0, r:counters().pending_calls)
    assert.actions({}, alice:yield(1))
  end)

  it("may have been answered, or its caller may be gone, meanwhile", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register "com.x"
    bob:call "com.x"
    alice:yield(1)
    assert.actions({}, alice:unsent(1))
    bob:call "com.x"
    bob:drop()
    assert.actions({}, alice:unsent(2))
    assert.actions({}, alice:unsent(99))
  end)
end)

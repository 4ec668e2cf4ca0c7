--- Request ids: three ways to look at them.
-- SPDX-License-Identifier: MIT
local core = require "core"

local LAST = 1 << 53

--- One request of each of the six types, with the given id.
local requests = {
  function(id) return { core.SUBSCRIBE, id, {}, "com.x" } end,
  function(id) return { core.UNSUBSCRIBE, id, 1000 } end,
  function(id) return { core.PUBLISH, id, {}, "com.y" } end,
  function(id) return { core.REGISTER, id, {}, "com.x" } end,
  function(id) return { core.UNREGISTER, id, 1000 } end,
  function(id) return { core.CALL, id, {}, "com.nobody" } end,
}

local function is_violation(actions)
  return #actions > 0 and actions[#actions].closed ~= nil
end

core.describe("Request ids that are checked strictly", function(router)
  local function join()
    return router { request_id_check = "strict" }:join()
  end

  it("count 1, 2, 3 over all six requests together", function()
    local alice = join()
    for id = 1, 12 do
      assert.is_false(is_violation(alice:send(requests[(id - 1) % 6 + 1](id))))
    end
  end)

  it("must begin with 1", function()
    for i, request in ipairs(requests) do
      local alice = join()
      assert.actions(core.violation(alice, "expected 1, found " .. i + 1),
        alice:send(request(i + 1)))
    end
  end)

  it("must not skip one", function()
    for _, request in ipairs(requests) do
      local alice = join()
      alice:send(requests[1](1))
      assert.actions(core.violation(alice, "expected 2, found 3"), alice:send(request(3)))
    end
  end)

  it("must not come twice", function()
    for _, request in ipairs(requests) do
      local alice = join()
      alice:send(requests[1](1))
      assert.is_true(is_violation(alice:send(request(1))))
    end
  end)

  it("are not counted by CANCEL, YIELD and ERROR", function()
    local alice = join()
    alice:register "com.own"
    alice:call "com.own"
    alice:call "com.own"
    alice:send { core.CANCEL, 500, {} }
    alice:yield(1)
    alice:refuse(2, "com.error")
    alice:subscribe "com.x"
  end)

  it("are counted by requests that fail", function()
    local alice = join()
    alice:send { core.SUBSCRIBE, 1, {}, "com..x" }
    assert.is_false(is_violation(alice:send { core.SUBSCRIBE, 2, {}, "com.x" }))
  end)
end)

core.describe("Request ids that are checked for their sequence", function(router)
  local function join()
    return router { request_id_check = "sequential" }:join()
  end

  it("may begin anywhere and go on by one", function()
    local alice = join()
    for id = 4711, 4722 do
      assert.is_false(is_violation(alice:send(requests[id % 6 + 1](id))))
    end
  end)

  it("must not skip one", function()
    local alice = join()
    alice:send(requests[1](10))
    assert.actions(core.violation(alice, "expected 11, found 12"), alice:send(requests[1](12)))
  end)

  it("must not go back", function()
    local alice = join()
    alice:send(requests[1](10))
    assert.is_true(is_violation(alice:send(requests[1](9))))
  end)

  it("go on with 1 after 2^53", function()
    local alice = join()
    for _, id in ipairs { LAST - 1, LAST, 1, 2 } do
      assert.is_false(is_violation(alice:send(requests[3](id))))
    end
    assert.is_true(is_violation(alice:send(requests[3](LAST))))
  end)
end)

core.describe("Request ids that are hardly checked", function(router)
  it("may be any in [1, 2^53], in any order, twice", function()
    local alice = router():join()
    for _, id in ipairs { 789, 123, LAST, 1, 1, 1, 5 } do
      for _, request in ipairs(requests) do
        assert.is_false(is_violation(alice:send(request(id))))
      end
    end
  end)

  it("are mirrored in the answer", function()
    local alice = router():join()
    assert.actions({ { alice, { core.SUBSCRIBED, LAST, core.id } } },
      alice:send { core.SUBSCRIBE, LAST, {}, "com.x" })
    assert.actions({ { alice, { core.PUBLISHED, 77, core.id } } },
      alice:send { core.PUBLISH, 77, { acknowledge = true }, "com.y" })
    assert.actions({ { alice, core.failure(core.CALL, 78, "wamp.error.no_such_procedure") } },
      alice:send { core.CALL, 78, {}, "com.y" })
  end)
end)

for _, check in ipairs { "lenient", "sequential", "strict" } do
  core.describe("A call that is pending, where ids are " .. check, function(router)
    local function pending()
      local r = router { request_id_check = check }
      local alice, bob = r:join(), r:join()
      alice:register "com.x"
      bob:call "com.x"
      return r, alice, bob
    end

    it("must not share its id with another call of the session", function()
      local r, _, bob = pending()
      local actions = bob:send { core.CALL, 1, {}, "com.x" }
      assert.is_true(is_violation(actions))
      assert.equal(core.ABORT, bob:messages(actions)[1][1])
      assert.equal(0, r:counters().pending_calls)
    end)

    it("may share its id with the call of another session", function()
      local r = pending()
      local carol = r:join()
      assert.is_false(is_violation(carol:send { core.CALL, 1, {}, "com.x" }))
      assert.equal(2, r:counters().pending_calls)
    end)
  end)
end

core.describe("An id whose call is over", function(router)
  it("may be used for the next call", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local registration = alice:register "com.x"
    for invocation = 1, 3 do
      assert.actions({ { alice, { core.INVOCATION, invocation, registration, {} } } },
        bob:send { core.CALL, 9, {}, "com.x" })
      assert.actions({ { bob, { core.RESULT, 9, {} } } }, alice:yield(invocation))
    end
  end)
end)

core.describe("Invocation ids", function(router)
  it("count 1, 2, 3 for each callee by itself", function()
    local r = router()
    local alice, bob, carol = r:join(), r:join(), r:join()
    local a, b = alice:register "com.a", bob:register "com.b"
    for i = 1, 3 do
      assert.actions({ { alice, { core.INVOCATION, 2 * i - 1, a, {} } } }, carol:call "com.a")
      assert.actions({ { bob, { core.INVOCATION, i, b, {} } } }, carol:call "com.b")
      assert.actions({ { alice, { core.INVOCATION, 2 * i, a, {} } } }, bob:call "com.a")
    end
  end)

  it("begin with 1 in every session of a peer", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    for _ = 1, 2 do
      local registration = alice:register "com.a"
      assert.actions({ { alice, { core.INVOCATION, 1, registration, {} } } }, bob:call "com.a")
      alice:send { core.GOODBYE, {}, "wamp.close.normal" }
      alice:hello()
    end
  end)
end)

core.describe("The answer to an invocation", function(router)
  local answers = {
    YIELD = function(peer, id) return peer:yield(id) end,
    ERROR = function(peer, id) return peer:refuse(id, "com.error") end,
  }

  for name, answer in pairs(answers) do
    it(name .. " with an id that was never issued to the session is a violation", function()
      local r = router()
      local alice, bob = r:join(), r:join()
      alice:register "com.x"
      bob:call "com.x"
      assert.is_true(is_violation(answer(alice, 2)))
      assert.is_true(is_violation(answer(bob, 1)))
    end)

    it(name .. " that comes twice is ignored the second time", function()
      local r = router()
      local alice, bob = r:join(), r:join()
      alice:register "com.x"
      bob:call "com.x"
      assert.equal(1, #answer(alice, 1))
      assert.actions({}, answer(alice, 1))
    end)

    it(name .. " is ignored when the caller has gone", function()
      local r = router()
      local alice, bob = r:join(), r:join()
      alice:register "com.x"
      bob:call "com.x"
      bob:drop()
      assert.actions({}, answer(alice, 1))
    end)
  end
end)

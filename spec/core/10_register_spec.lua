--- Registrations, also of several callees.
-- SPDX-License-Identifier: MIT
local core = require "core"

local REGISTER, UNREGISTER = core.REGISTER, core.UNREGISTER
local exists = "wamp.error.procedure_already_exists"
local shared = { "roundrobin", "random", "first", "last" }

core.describe("REGISTER", function(router)
  it("makes a registration with an id", function()
    local r = router()
    local alice = r:join()
    assert.actions({ { alice, { core.REGISTERED, 1, core.id } } },
      alice:send { REGISTER, 1, {}, "com.x" })
    assert.equal(1, r:counters().registrations)
  end)

  it("of what another session has registered is an error", function()
    local r = router()
    r:join():register "com.x"
    local bob = r:join()
    assert.actions({ { bob, core.failure(REGISTER, 1, exists) } },
      bob:send { REGISTER, 1, {}, "com.x" })
    assert.equal(1, r:counters().registrations)
  end)

  it("of what the same session has registered is an error", function()
    local alice = router():join()
    alice:register "com.x"
    assert.actions({ { alice, core.failure(REGISTER, 2, exists) } },
      alice:send { REGISTER, 2, {}, "com.x" })
  end)

  it("with another match policy is another registration", function()
    local alice, ids = router():join(), {}
    for _, match in ipairs { "exact", "prefix", "wildcard" } do
      local id = alice:register("com.x", { match = match })
      assert.is_nil(ids[id])
      ids[id] = true
    end
  end)

  it("has nothing to do with a subscription of the same URI", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    assert.not_equal(alice:register "com.x", alice:subscribe "com.x")
    assert.equal(core.EVENT, bob:publish("com.x")[1][2][1])
    assert.equal(core.INVOCATION, bob:call("com.x")[1][2][1])
  end)

  for _, policy in ipairs(shared) do
    it(("for several callees (%s) gives them one id"):format(policy), function()
      local r = router()
      local id = r:join():register("com.x", { invoke = policy })
      assert.equal(id, r:join():register("com.x", { invoke = policy }))
      assert.equal(1, r:counters().registrations)
    end)

    it(("again by the same session (%s) gives it the same id, and counts once"):format(policy),
      function()
        local r = router()
        local alice = r:join()
        local id = alice:register("com.x", { invoke = policy })
        assert.equal(id, alice:register("com.x", { invoke = policy }))
        assert.actions({ { alice, { core.UNREGISTERED, 3 } } }, alice:unregister(id))
        assert.equal(0, r:counters().registrations)
      end)

    it(("with another policy than %s is an error"):format(policy), function()
      local r = router()
      r:join():register("com.x", { invoke = policy })
      for _, other in ipairs { "single", "roundrobin", "random", "first", "last" } do
        if other ~= policy then
          local bob = r:join()
          assert.actions({ { bob, core.failure(REGISTER, 1, exists) } },
            bob:send { REGISTER, 1, { invoke = other }, "com.x" })
        end
      end
      local carol = r:join()
      assert.actions({ { carol, core.failure(REGISTER, 1, exists) } },
        carol:send { REGISTER, 1, {}, "com.x" })
    end)
  end

  it("for several callees of what is single is an error", function()
    local r = router()
    r:join():register "com.x"
    local bob = r:join()
    assert.actions({ { bob, core.failure(REGISTER, 1, exists) } },
      bob:send { REGISTER, 1, { invoke = "roundrobin" }, "com.x" })
  end)
end)

core.describe("UNREGISTER", function(router)
  it("is confirmed, and then there are no calls", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:register "com.x"
    assert.actions({ { alice, { core.UNREGISTERED, 2 } } }, alice:unregister(id))
    assert.actions({ { bob, core.failure(core.CALL, 1, "wamp.error.no_such_procedure") } },
      bob:call "com.x")
    assert.equal(0, r:counters().registrations)
  end)

  it("makes room for another session", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:register "com.x"
    alice:unregister(id)
    assert.not_equal(id, bob:register "com.x")
  end)

  it("of what the session has not registered is an error", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id, subscription = alice:register "com.x", alice:subscribe "com.x"
    for _, wrong in ipairs { id, subscription, 1000, 1 << 53 } do
      assert.actions({ { bob, core.failure(UNREGISTER, bob.last_request + 1,
        "wamp.error.no_such_registration") } }, bob:unregister(wrong))
    end
    alice:unregister(id)
    assert.actions({ { alice, core.failure(UNREGISTER, 4, "wamp.error.no_such_registration") } },
      alice:unregister(id))
  end)

  it("lets calls in flight end", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:register "com.x"
    bob:call "com.x"
    bob:call "com.x"
    alice:unregister(id)
    assert.actions({ { bob, { core.RESULT, 1, {}, { 5 } } } }, alice:yield(1, { 5 }))
    assert.actions({ { bob, { core.ERROR, core.CALL, 2, {}, "com.error" } } },
      alice:refuse(2, "com.error"))
  end)

  it("by one callee leaves the others", function()
    local r = router()
    local alice, bob, carol = r:join(), r:join(), r:join()
    local id = alice:register("com.x", { invoke = "first" })
    bob:register("com.x", { invoke = "first" })
    alice:unregister(id)
    assert.actions({ { bob, { core.INVOCATION, 1, id, {} } } }, carol:call "com.x")
  end)
end)

core.describe("The callees of a registration", function(router)
  local function callees(r, policy, count)
    local peers, id = {}, nil
    for i = 1, count do
      peers[i] = r:join()
      id = peers[i]:register("com.x", { invoke = policy })
    end
    return peers, id
  end

  --- Which one of the peers was invoked.
  local function called(peers, caller)
    local actions = caller:call "com.x"
    for i, peer in pairs(peers) do
      if peer:first(actions, core.INVOCATION) then
        return i
      end
    end
  end

  local function sequence(peers, caller, count)
    local all = {}
    for i = 1, count do
      all[i] = called(peers, caller)
    end
    return table.concat(all)
  end

  it("are called by turns (roundrobin)", function()
    local r = router()
    local peers = callees(r, "roundrobin", 3)
    assert.equal("1231231", sequence(peers, r:join(), 7))
  end)

  it("keep their turns when one before the next goes", function()
    local r = router()
    local peers, id = callees(r, "roundrobin", 4)
    local caller = r:join()
    assert.equal("12", sequence(peers, caller, 2))
    peers[1]:unregister(id)
    assert.equal("34234", sequence(peers, caller, 5))
  end)

  it("keep their turns when the next one goes", function()
    local r = router()
    local peers, id = callees(r, "roundrobin", 4)
    local caller = r:join()
    assert.equal("12", sequence(peers, caller, 2))
    peers[3]:unregister(id)
    assert.equal("41241", sequence(peers, caller, 5))
  end)

  it("keep their turns when one behind the next goes, and when one comes", function()
    local r = router()
    local peers = callees(r, "roundrobin", 3)
    local caller = r:join()
    assert.equal("1", sequence(peers, caller, 1))
    peers[3]:drop()
    peers[4] = r:join()
    peers[4]:register("com.x", { invoke = "roundrobin" })
    assert.equal("24124", sequence(peers, caller, 5))
  end)

  it("are called first come (first)", function()
    local r = router()
    local peers, id = callees(r, "first", 3)
    local caller = r:join()
    assert.equal("111", sequence(peers, caller, 3))
    peers[1]:unregister(id)
    assert.equal("222", sequence(peers, caller, 3))
    peers[2]:drop()
    assert.equal("3", sequence(peers, caller, 1))
  end)

  it("are called last come (last)", function()
    local r = router()
    local peers, id = callees(r, "last", 3)
    local caller = r:join()
    assert.equal("333", sequence(peers, caller, 3))
    peers[3]:unregister(id)
    assert.equal("222", sequence(peers, caller, 3))
    peers[3]:register("com.x", { invoke = "last" })
    assert.equal("3", sequence(peers, caller, 1))
  end)

  it("are called by chance, all of them about as often (random)", function()
    local r = router()
    local peers = callees(r, "random", 4)
    local caller, counts = r:join(), { 0, 0, 0, 0 }
    for _ = 1, 4000 do
      local i = called(peers, caller)
      counts[i] = counts[i] + 1
    end
    for i = 1, 4 do
      assert.is_true(counts[i] > 800 and counts[i] < 1200, i .. ": " .. counts[i])
    end
  end)

  it("are the registration: it ends with the last of them", function()
    local r = router()
    local peers = callees(r, "roundrobin", 3)
    for i = 1, 3 do
      assert.equal(1, r:counters().registrations)
      peers[i]:drop()
    end
    assert.equal(0, r:counters().registrations)
    r:join():register "com.x"
  end)
end)

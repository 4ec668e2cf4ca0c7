--- shared_registration: five policies; joining and leaving while turns go round. What REGISTER
-- and UNREGISTER say to it is in 10_register_spec.lua.
-- SPDX-License-Identifier: MIT
local core = require "core"

local exists = "wamp.error.procedure_already_exists"

core.describe("Shared registration", function(router)
  local function scene(policy, count, options)
    local r = router(options)
    local callees, id = {}, nil
    for i = 1, count do
      callees[i] = r:join()
      id = callees[i]:register("com.x", { invoke = policy })
    end
    return r, callees, r:join(), id
  end

  local function sequence(callees, caller, count)
    local order = {}
    for i = 1, count do
      local actions = caller:call "com.x"
      for place, callee in pairs(callees) do
        order[i] = callee:first(actions, core.INVOCATION) and place or order[i]
      end
    end
    return table.concat(order)
  end

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.shared_registration)
  end)

  for policy, order in pairs { first = "1111", last = "3333", roundrobin = "1231" } do
    it("with the policy " .. policy .. " asks " .. order, function()
      local _, callees, bob = scene(policy, 3)
      assert.equal(order, sequence(callees, bob, 4))
    end)
  end

  it("with the policy single has one callee", function()
    local r, callees, bob = scene("single", 1)
    assert.actions({ { bob, core.failure(core.REGISTER, 1, exists) } },
      bob:send { core.REGISTER, 1, { invoke = "single" }, "com.x" })
    assert.equal("111", sequence(callees, r:join(), 3))
  end)

  it("with the policy random asks everybody", function()
    local _, callees, bob = scene("random", 3)
    local order = sequence(callees, bob, 200)
    for i = 1, 3 do
      local _, count = order:gsub(i, "")
      assert.is_true(count > 40 and count < 95, i .. ": " .. count)
    end
  end)

  it("refuses another policy than the first one's", function()
    for _, policy in ipairs { "first", "last", "roundrobin", "random" } do
      local _, _, bob = scene(policy, 2)
      local other = policy == "first" and "last" or "first"
      assert.actions({ { bob, core.failure(core.REGISTER, 1, exists) } },
        bob:send { core.REGISTER, 1, { invoke = other }, "com.x" })
    end
  end)

  it("keeps turns when callees come and go (roundrobin)", function()
    local r, callees, bob, id = scene("roundrobin", 4)
    assert.equal("12", sequence(callees, bob, 2))
    callees[1]:unregister(id) -- before the next: 3 is still next
    callees[5] = r:join()
    callees[5]:register("com.x", { invoke = "roundrobin" })
    assert.equal("3", sequence(callees, bob, 1))
    callees[4]:drop() -- the next: the one behind it follows
    callees[4] = nil
    assert.equal("5235", sequence(callees, bob, 4))
  end)

  it("gives a newcomer its turn after the last one's", function()
    local r, callees, bob = scene("roundrobin", 2)
    assert.equal("12", sequence(callees, bob, 2))
    callees[3] = r:join()
    callees[3]:register("com.x", { invoke = "roundrobin" })
    assert.equal("3123", sequence(callees, bob, 4))
  end)

  it("with a policy that nobody knows is a violation, or roundrobin by invoke_unknown", function()
    local alice = router():join()
    assert.actions(core.violation(alice, "invoke"),
      alice:send { core.REGISTER, 1, { invoke = "all" }, "com.x" })
    local _, callees, bob = scene("all", 2, { invoke_unknown_fallback = true })
    assert.equal("121", sequence(callees, bob, 3))
  end)
end)

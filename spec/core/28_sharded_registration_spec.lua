--- sharded_registration: runmode "partition" and rkey choose the callee.
-- SPDX-License-Identifier: MIT
local core = require "core"

local CALL, INVOCATION = core.CALL, core.INVOCATION

local function partition(rkey)
  return { runmode = "partition", rkey = rkey }
end

core.describe("Sharded registration", function(router)
  local function scene(policy, keys, options)
    local r = router()
    local callees = {}
    for _, key in ipairs(keys) do
      callees[key] = r:join()
      local all = { invoke = policy, nkey = key }
      for k, v in pairs(options or {}) do
        all[k] = v
      end
      callees[key]:register("com.x", all)
    end
    return r, callees, r:join()
  end

  local function asked(callees, caller, rkey)
    local actions = caller:call("com.x", nil, nil, partition(rkey))
    for key, callee in pairs(callees) do
      if callee:first(actions, INVOCATION) then
        return key
      end
    end
  end

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.sharded_registration)
  end)

  for _, policy in ipairs { "first", "last", "roundrobin", "random" } do
    it("chooses by key, whatever the policy (" .. policy .. ")", function()
      local _, callees, bob = scene(policy, { "101", "102", "103" })
      for _ = 1, 3 do
        assert.equal("101", asked(callees, bob, "sn239019"))
        assert.equal("103", asked(callees, bob, "user-42"))
      end
      callees["101"]:drop() -- its shard moves to the second best, the others stay
      callees["101"] = nil
      assert.equal("102", asked(callees, bob, "sn239019"))
      assert.equal("103", asked(callees, bob, "user-42"))
    end)
  end

  it("takes the session id of a callee without nkey", function()
    local r = router()
    local a, b, bob = r:join(), r:join(), r:join()
    a:register("com.x", { invoke = "first" })
    b:register("com.x", { invoke = "first" })
    local seen = {}
    for i = 1, 64 do
      local rkey = "key" .. i
      local place = asked({ a, b }, bob, rkey)
      assert.equal(place, asked({ a, b }, bob, rkey))
      seen[place] = (seen[place] or 0) + 1
    end
    assert.is_true(seen[1] > 10 and seen[2] > 10)
  end)

  it("chooses the only callee of a single registration", function()
    local _, callees, bob = scene("single", { "a" })
    assert.equal("a", asked(callees, bob, ""))
  end)

  it("without rkey is an invalid argument", function()
    local _, _, bob = scene("first", { "a" })
    assert.actions({ { bob, core.failure(CALL, 1, "wamp.error.invalid_argument") } },
      bob:call("com.x", nil, nil, partition()))
  end)

  it("knows no other runmode", function()
    local _, _, bob = scene("first", { "a" })
    for i, runmode in ipairs { "all", "any", "" } do
      assert.actions({ { bob, core.failure(CALL, i, "wamp.error.option_not_allowed") } },
        bob:call("com.x", nil, nil, { runmode = runmode, rkey = "k" }))
    end
  end)

  it("ignores rkey without runmode", function()
    local _, callees, bob = scene("first", { "102", "101" })
    local actions = bob:call("com.x", nil, nil, { rkey = "sn239019" })
    assert.is_truthy(callees["102"]:first(actions, INVOCATION))
  end)

  it("does not spill over when the chosen one is busy", function()
    local _, callees, bob = scene("roundrobin", { "101", "102" }, { concurrency = 1 })
    assert.equal("101", asked(callees, bob, "sn239019"))
    assert.actions({ { bob, core.failure(CALL, 2, "wamp.error.no_available_callee") } },
      bob:call("com.x", nil, nil, partition "sn239019"))
  end)
end)

--- caller_identification and publisher_identification: who is told who called or published.
-- SPDX-License-Identifier: MIT
local core = require "core"

local INVOCATION, EVENT, CALL, PUBLISH = core.INVOCATION, core.EVENT, core.CALL, core.PUBLISH
local disallowed = "wamp.error.option_disallowed.disclose_me"

local function identity(key, peer)
  return { [key] = peer.session, [key .. "_authid"] = peer.welcome.authid,
    [key .. "_authrole"] = peer.welcome.authrole }
end

-- Policy; nobody asked, the callee asked, the caller asked.
local callers = {
  { "never", false, false, "error" },
  { "request", false, true, true },
  { "always", true, true, true },
}

core.describe("Caller identification", function(router)
  it("is announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.caller_identification)
  end)

  for _, row in ipairs(callers) do
    for column, case in ipairs {
      { "nobody asked", nil, nil }, { "nobody wanted", false, false },
      { "the callee asked", true, nil }, { "the callee asked, the caller objects", true, false },
      { "the caller asked", nil, true }, { "both asked", true, true },
    } do
      local expected = row[({ 2, 2, 3, 3, 4, 4 })[column]]
      it(("with the policy %s, when %s: %s"):format(row[1], case[1], expected), function()
        local r = router { disclose_caller = row[1] }
        local alice, bob = r:join(), r:join()
        local id = alice:register("com.x", { disclose_caller = case[2] })
        local actions = bob:call("com.x", nil, nil, { disclose_me = case[3] })
        if expected == "error" then
          assert.actions({ { bob, core.failure(CALL, 1, disallowed) } }, actions)
        else
          assert.actions({ { alice, { INVOCATION, 1, id,
            expected and identity("caller", bob) or {} } } }, actions)
        end
      end)
    end
  end

  it("does not count the callee's wish where disclose_callee_request is off", function()
    local r = router { disclose_callee_request = false }
    local alice, bob = r:join(), r:join()
    local id = alice:register("com.x", { disclose_caller = true })
    assert.actions({ { alice, { INVOCATION, 1, id, {} } } }, bob:call "com.x")
  end)

  it("counts the wish of the callee that is chosen", function()
    local r = router()
    local alice, carol, bob = r:join(), r:join(), r:join()
    local id = alice:register("com.x", { invoke = "roundrobin", disclose_caller = true })
    carol:register("com.x", { invoke = "roundrobin" })
    assert.actions({ { alice, { INVOCATION, 1, id, identity("caller", bob) } } }, bob:call "com.x")
    assert.actions({ { carol, { INVOCATION, 1, id, {} } } }, bob:call "com.x")
  end)

  it("changes its mind with another REGISTER", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:register("com.x", { invoke = "first", disclose_caller = true })
    alice:register("com.x", { invoke = "first" })
    assert.actions({ { alice, { INVOCATION, 1, id, {} } } }, bob:call "com.x")
  end)

  it("does not believe what a CALL says about its caller", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local id = alice:register("com.x", { disclose_caller = true })
    assert.actions({ { alice, { INVOCATION, 1, id, identity("caller", bob) } } },
      bob:call("com.x", nil, nil, { caller = 5, caller_authid = "root", caller_authrole = "root" }))
  end)
end)

local publishers = {
  { "never", false, "error" }, { "request", false, true }, { "always", true, true },
}

core.describe("Publisher identification", function(router)
  it("is announced", function()
    assert.is_true(router():join().welcome.roles.broker.features.publisher_identification)
  end)

  for _, row in ipairs(publishers) do
    for column, asks in ipairs { false, true } do
      local expected = row[column + 1]
      it(("with the policy %s, when disclose_me is %s: %s"):format(row[1], asks, expected),
        function()
          local r = router { disclose_publisher = row[1] }
          local alice, bob = r:join(), r:join()
          local id = alice:subscribe "com.x"
          local actions = bob:publish("com.x", nil, nil, { disclose_me = asks })
          if expected == "error" then
            assert.actions({}, actions)
            assert.actions({ { bob, core.failure(PUBLISH, 2, disallowed) } },
              bob:publish("com.x", nil, nil, { disclose_me = asks, acknowledge = true }))
          else
            assert.actions({ { alice, { EVENT, id, core.id,
              expected and identity("publisher", bob) or {} } } }, actions)
          end
        end)
    end
  end
end)

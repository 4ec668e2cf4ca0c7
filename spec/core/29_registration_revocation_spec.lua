--- registration_revocation, and what causes it: REGISTER with force_reregister.
-- SPDX-License-Identifier: MIT
local core = require "core"

local REGISTER, REGISTERED, UNREGISTERED = core.REGISTER, core.REGISTERED, core.UNREGISTERED
local force = { force_reregister = true }
local denied = "wamp.error.not_authorized"

core.describe("Registration revocation", function(router)
  local told = core.callee "registration_revocation"

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.dealer.features.registration_revocation)
  end)

  it("tells a callee that announced it which registration is gone, and why", function()
    local alice = router():join(told)
    local id = alice:register "com.x"
    assert.actions({
      { alice, { UNREGISTERED, 0, { registration = id, reason = "wamp.error.unregistered" } } },
      { alice, { REGISTERED, 2, core.id } },
    }, alice:send { REGISTER, 2, force, "com.x" })
  end)

  it("tells other callees nothing", function()
    local alice = router():join()
    alice:register "com.x"
    assert.actions({ { alice, { REGISTERED, 2, core.id } } },
      alice:send { REGISTER, 2, force, "com.x" })
  end)

  it("makes a new registration, lets calls in flight end, and forgets the old id", function()
    local r = router()
    local alice, bob = r:join(told), r:join()
    local old = alice:register "com.x"
    bob:call "com.x"
    local actions = alice:send { REGISTER, 2, { force_reregister = true, invoke = "last" },
      "com.x" }
    local new = actions[2][2][3]
    assert.not_equal(old, new)
    assert.equal(1, r:counters().registrations)
    alice.last_request = 2
    assert.actions({ { alice, core.failure(core.UNREGISTER, 3,
      "wamp.error.no_such_registration") } }, alice:unregister(old))
    assert.actions({ { bob, { core.RESULT, 1, {} } } }, alice:yield(1))
    assert.actions({ { alice, { core.INVOCATION, 2, new, {} } } }, bob:call "com.x")
    local carol = r:join()
    carol:register("com.x", { invoke = "last" })
  end)

  it("by force needs the authid of all present callees", function()
    local r = router()
    local alice, bob = r:join(told), r:join()
    local id = alice:register("com.x", { invoke = "first" })
    assert.actions({ { bob, core.failure(REGISTER, 1, denied) } },
      bob:send { REGISTER, 1, force, "com.x" })
    bob.last_request = 1
    bob:register("com.x", { invoke = "first" })
    assert.actions({ { alice, core.failure(REGISTER, 2, denied) } },
      alice:send { REGISTER, 2, force, "com.x" })
    assert.actions({ { alice, { core.INVOCATION, 1, id, {} } } }, bob:call "com.x")
  end)

  it("by force is for nobody where allow_force_reregister is off", function()
    local alice = router { allow_force_reregister = false }:join(told)
    alice:register "com.x"
    assert.actions({ { alice, core.failure(REGISTER, 2, denied) } },
      alice:send { REGISTER, 2, force, "com.x" })
  end)

  it("by force of what nobody has registered just registers", function()
    local r = router()
    local id = r:join():register("com.x", force)
    assert.is_truthy(id)
    assert.equal(1, r:counters().registrations)
  end)
end)

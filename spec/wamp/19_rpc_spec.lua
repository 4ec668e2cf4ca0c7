--- The Advanced Profile of calls, each feature once, with a real router.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

local able = { roles = wamp.roles {
  caller = { progressive_call_invocations = true },
  callee = { progressive_call_results = true, progressive_call_invocations = true,
    call_canceling = true, call_timeout = true, call_trustlevels = true, call_reroute = true,
    registration_revocation = true },
} }

local function specs(peer)
  local function pair(options)
    local alice, bob = peer.join(able), peer.join(able)
    local procedure = peer.uri()
    return alice, bob, procedure, alice:register(procedure, options)
  end

  it("progressive_call_results", function()
    local alice, bob, procedure, id = pair()
    local request = bob:call(procedure, nil, nil, { receive_progress = true })
    local invocation = alice:expect_invocation(id, nil, nil,
      wamp.including { receive_progress = true })
    for i = 1, 50 do
      alice:yield(invocation, { i }, nil, { progress = true })
    end
    alice:yield(invocation, { "end" })
    alice:yield(invocation, { "late" })
    for i = 1, 50 do
      bob:expect_result(request, { i }, nil, { progress = true })
    end
    bob:expect_result(request, { "end" })
    alice:expect_nothing()
    bob:expect_nothing()
  end)

  it("progressive_call_results wait for a caller that pauses: none lost, all in order", function()
    local alice, bob, procedure, id = pair()
    local carol, block = peer.join(), ("x"):rep(4000)
    local request = bob:call(procedure, nil, nil, { receive_progress = true })
    local invocation = alice:expect_invocation(id, nil, nil,
      wamp.including { receive_progress = true })
    bob.stream.is_deaf = true
    for i = 1, 1000 do
      alice:yield(invocation, { i, block }, nil, { progress = true })
      if i % 250 == 0 then
        local other = carol:call(procedure)
        alice:yield(alice:expect_invocation(id, nil, nil, wamp.any), { "other" })
        carol:expect_result(other, { "other" })
      end
    end
    alice:yield(invocation, { "end" })
    for i = 1, 1000 do
      bob:expect_result(request, { i, block }, nil, { progress = true })
    end
    bob:expect_result(request, { "end" })
  end)

  it("progressive_call_invocations", function()
    local alice, bob, procedure, id = pair()
    local request = bob:call(procedure, { 1 }, nil, { progress = true })
    bob:send { wamp.CALL, request, { progress = true }, procedure, { 2 } }
    bob:send { wamp.CALL, request, {}, procedure, { 3 } }
    local more = wamp.including { progress = true }
    assert.equal(1, alice:expect_invocation(id, { 1 }, nil, more))
    assert.equal(1, alice:expect_invocation(id, { 2 }, nil, more))
    assert.equal(1, alice:expect { wamp.INVOCATION, wamp.id, id, { trustlevel = 2 }, { 3 } })
    alice:yield(1, { 6 })
    bob:expect_result(request, { 6 })
  end)

  it("call_timeout", function()
    local alice, bob, procedure, id = pair()
    local request = bob:call(procedure, nil, nil, { timeout = 100 })
    alice:expect { wamp.INVOCATION, 1, id, wamp.any }
    bob:expect_error(wamp.CALL, request, "wamp.error.timeout")
    alice:expect { wamp.INTERRUPT, 1, { mode = "killnowait", reason = "wamp.error.timeout" } }
  end)

  it("call_canceling", function()
    local alice, bob, procedure, id = pair()
    for i, mode in ipairs { "skip", "killnowait", "kill" } do
      local request = bob:call(procedure)
      alice:expect { wamp.INVOCATION, i, id, wamp.any }
      bob:send { wamp.CANCEL, request, { mode = mode } }
      if mode ~= "skip" then
        alice:expect { wamp.INTERRUPT, i, { mode = mode, reason = "wamp.error.canceled" } }
      end
      if mode == "kill" then
        alice:send { wamp.ERROR, wamp.INVOCATION, i, {}, "wamp.error.canceled" }
      end
      bob:expect_error(wamp.CALL, request, "wamp.error.canceled")
    end
    alice:expect_nothing()
  end)

  it("caller_identification and call_trustlevels", function()
    local alice, bob, procedure, id = pair { disclose_caller = true }
    bob:call(procedure)
    alice:expect { wamp.INVOCATION, 1, id, { caller = bob.session,
      caller_authid = bob.welcome.authid, caller_authrole = "anonymous", trustlevel = 2 } }
  end)

  it("call_reroute", function()
    local alice, bob, procedure, id = pair { invoke = "first" }
    local carol = peer.join(able)
    carol:register(procedure, { invoke = "first" })
    local request = bob:call(procedure, { "x" })
    alice:expect { wamp.INVOCATION, 1, id, wamp.any, { "x" } }
    alice:send { wamp.ERROR, wamp.INVOCATION, 1, {}, "wamp.error.unavailable" }
    carol:expect { wamp.INVOCATION, 1, id, wamp.any, { "x" } }
    carol:yield(1, { "y" })
    bob:expect_result(request, { "y" })
  end)

  it("shared_registration", function()
    local alice, bob, procedure, id = pair { invoke = "roundrobin" }
    local carol = peer.join(able)
    assert.equal(id, carol:register(procedure, { invoke = "roundrobin" }))
    for i = 1, 3 do
      bob:call(procedure, { i })
      bob:call(procedure, { -i })
      alice:expect { wamp.INVOCATION, i, id, wamp.any, { i } }
      carol:expect { wamp.INVOCATION, i, id, wamp.any, { -i } }
    end
  end)

  it("sharded_registration", function()
    local alice, bob, procedure, id = pair { invoke = "first", nkey = "102" }
    local carol = peer.join(able)
    carol:register(procedure, { invoke = "first", nkey = "101" })
    bob:call(procedure, nil, nil, { runmode = "partition", rkey = "sn239019" })
    carol:expect { wamp.INVOCATION, 1, id, wamp.any }
    alice:expect_nothing()
  end)

  it("registration_revocation", function()
    local alice, _, procedure, id = pair()
    local request = alice:next_id()
    alice:send { wamp.REGISTER, request, { force_reregister = true }, procedure }
    alice:expect { wamp.UNREGISTERED, 0,
      { registration = id, reason = "wamp.error.unregistered" } }
    alice:expect { wamp.REGISTERED, request, wamp.id }
  end)

  it("concurrency, and a queue for what waits", function()
    local alice, bob, procedure, id = pair { concurrency = 1 }
    local first, second, third = bob:call(procedure), bob:call(procedure), bob:call(procedure)
    bob:expect_error(wamp.CALL, third, "wamp.error.no_available_callee")
    alice:expect { wamp.INVOCATION, 1, id, wamp.any }
    alice:yield(1)
    bob:expect_result(first)
    alice:expect { wamp.INVOCATION, 2, id, wamp.any }
    alice:yield(2)
    bob:expect_result(second)
  end)

  it("publisher_identification", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local id = alice:subscribe(topic)
    bob:publish(topic, nil, nil, { disclose_me = true })
    alice:expect_event(id, nil, nil, { publisher = bob.session,
      publisher_authid = bob.welcome.authid, publisher_authrole = "anonymous" })
  end)
end

local knobs = { realm = { trustlevel = 2, call_queue = 1, call_queue_timeout = "30s" } }

conformance.everywhere("Calls:", knobs, specs)

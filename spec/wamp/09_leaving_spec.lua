--- How sessions end: GOODBYE, ABORT, a lost connection; what becomes of what they held.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

conformance.everywhere("GOODBYE", {}, function(peer)
  for _, reason in ipairs {
    "wamp.close.close_realm", "wamp.close.normal", "wamp.close.logout", "anything at all",
  } do
    it(("with the reason %q is answered"):format(reason), function()
      local alice = peer.join()
      alice:send { wamp.GOODBYE, { message = "bye", resumable = true }, reason }
      alice:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
    end)
  end

  it("may be followed by another HELLO, for a new session with new ids", function()
    local alice = peer.join()
    local topic = peer.uri()
    alice:subscribe(topic)
    local first = alice.session
    alice:goodbye()
    assert.not_equal(first, alice:join(peer.realm))
    alice:send { wamp.SUBSCRIBE, 1, {}, topic }
    local subscription = alice:expect { wamp.SUBSCRIBED, 1, wamp.id }
    local bob = peer.join()
    bob:publish(topic)
    alice:expect_event(subscription)
  end)

  it("may be followed by HELLO to another realm", function()
    local alice = peer.join()
    alice:goodbye()
    local _, details = alice:join(peer.fresh_realm())
    assert.equal(peer.realm, details.realm)
  end)

  it("and HELLO may come in one piece", function()
    local alice = peer.join()
    alice:send_all {
      { wamp.GOODBYE, {}, "wamp.close.close_realm" },
      { wamp.HELLO, peer.realm, { roles = wamp.roles() } },
      { wamp.SUBSCRIBE, 1, {}, peer.uri() },
    }
    alice:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
    alice:expect { wamp.WELCOME, wamp.id, wamp.any }
    alice:expect { wamp.SUBSCRIBED, 1, wamp.id }
  end)

  it("must not be followed by requests of the session that is over", function()
    local alice = peer.join()
    alice:send_all {
      { wamp.GOODBYE, {}, "wamp.close.close_realm" },
      { wamp.SUBSCRIBE, 1, {}, peer.uri() },
    }
    alice:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
    alice:expect_violation()
  end)
end)

-- How a session may end; each must have ended it when the function returns.
local endings = {
  { "says GOODBYE", function(connection) connection:goodbye() end },
  { "says ABORT", function(connection)
    connection:send { wamp.ABORT, {}, "wamp.error.whatever" }
    connection:expect_closed()
  end },
  { "breaks the protocol", function(connection)
    connection:send { 7 }
    connection:expect_violation()
  end },
  { "is lost", function(connection) connection:drop() end, is_late = true },
}

--- Repeats `attempt` until it gives something true: when a connection is simply gone, only the
-- router's reaction tells that it has noticed.
local function until_true(attempt)
  local daemon = require "daemon"
  return assert(daemon.eventually(attempt), "the router has not noticed the end")
end

conformance.everywhere("When a session", {}, function(peer)
  for _, ending in ipairs(endings) do
    local name, finish = ending[1], ending[2]

    it(name .. ", its procedures are free again", function()
      local alice, bob = peer.join(), peer.join()
      local procedure, pattern = peer.uri(), peer.uri()
      alice:register(procedure)
      alice:register(pattern, { match = "prefix" })
      finish(alice)
      for uri, match in pairs { [procedure] = "exact", [pattern] = "prefix" } do
        until_true(function()
          local request = bob:next_id()
          bob:send { wamp.REGISTER, request, { match = match }, uri }
          local answer = bob:receive()
          return answer[1] == wamp.REGISTERED
        end)
      end
    end)

    it(name .. ", it is no subscriber any more, and the others are", function()
      local alice, bob, carol = peer.join(), peer.join(), peer.join()
      local topic, procedure = peer.uri(), peer.uri()
      local subscription = alice:subscribe(topic)
      bob:subscribe(topic)
      alice:register(procedure)
      finish(alice)
      until_true(function()
        local request = carol:call(procedure)
        local answer = carol:receive()
        return answer[1] == wamp.ERROR and answer[3] == request
          and answer[5] == "wamp.error.no_such_procedure"
      end)
      carol:publish_surely(topic, { 1 })
      bob:expect_event(subscription, { 1 })
    end)

    it(name .. ", the last subscription to a topic goes with it", function()
      local alice, bob = peer.join(), peer.join()
      local topic = peer.uri()
      local first = alice:subscribe(topic)
      finish(alice)
      until_true(function()
        local subscription = bob:subscribe(topic)
        bob:unsubscribe(subscription)
        return subscription ~= first
      end)
    end)

    it(name .. ", who waits for its answer gets an error", function()
      local alice, bob = peer.join(), peer.join()
      local procedure = peer.uri()
      local registration = alice:register(procedure)
      local one, two = bob:call(procedure), bob:call(procedure)
      alice:expect_invocation(registration)
      alice:expect_invocation(registration)
      finish(alice)
      bob:expect_all {
        { wamp.ERROR, wamp.CALL, one, {}, "wamp.error.canceled", wamp.rest },
        { wamp.ERROR, wamp.CALL, two, {}, "wamp.error.canceled", wamp.rest },
      }
      bob:expect_nothing()
    end)

    it(name .. ", a callee that can is told to stop working for it", function()
      local alice = peer.join { roles = wamp.roles { callee = { call_canceling = true } } }
      local bob = peer.join()
      local procedure = peer.uri()
      local registration = alice:register(procedure)
      bob:call(procedure)
      local invocation = alice:expect_invocation(registration)
      finish(bob)
      alice:expect { wamp.INTERRUPT, invocation,
        { mode = "killnowait", reason = "wamp.error.canceled" } }
      alice:yield(invocation)
      alice:send { wamp.ERROR, wamp.INVOCATION, invocation, {}, "wamp.error.canceled" }
      alice:expect_nothing()
    end)

    it(name .. ", a callee that cannot is told nothing, and its answer is discarded", function()
      local alice, bob = peer.join(), peer.join()
      local procedure, marker = peer.uri(), peer.uri()
      local registration = alice:register(procedure)
      bob:register(marker)
      bob:call(procedure)
      local invocation = alice:expect_invocation(registration)
      finish(bob)
      until_true(function()
        alice:call(marker)
        return alice:receive()[5] == "wamp.error.no_such_procedure"
      end)
      alice:yield(invocation)
      alice:expect_nothing()
    end)

    it(name .. " in the midst of a call to itself, nobody minds", function()
      local alice, bob = peer.join(), peer.join()
      local procedure = peer.uri()
      local registration = alice:register(procedure)
      alice:call(procedure)
      alice:expect_invocation(registration)
      finish(alice)
      bob:expect_nothing()
    end)
  end
end)

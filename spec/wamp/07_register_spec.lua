--- REGISTER and UNREGISTER.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

-- uri, then whether it is legal as exact, wildcard, prefix
local grammar = {
  { "com.myapp.Topic-1", true, true, true },
  { "com.myapp.", false, true, true },
  { "com..topic", false, true, false },
  { "...", false, true, false },
  { ".com.myapp", false, true, false },
  { "", false, true, true },
  { "com.my app", false, false, false },
  { "com.my#app", false, false, false },
  { "com.müller.x", true, true, true },
  { "com.a\n", false, false, false },
  { ("x"):rep(4097), false, false, false },
  -- the reserved namespace
  { "wamp", false, false, false },
  { "wamp.x", false, false, false },
  { "wamp.", false, false, false },
  { "wamp.session.count", false, false, false },
  { "wamp..count", false, false, false },
  { "wampx.foo", true, true, true },
  { "wa", true, true, true },
  { ".session.count", false, true, false },
}

conformance.everywhere("REGISTER", {}, function(peer)
  it("is answered by REGISTERED", function()
    local alice = peer.join()
    alice:send { wamp.REGISTER, 123, {}, peer.uri() }
    alice:expect { wamp.REGISTERED, 123, wamp.id }
  end)

  for _, row in ipairs(grammar) do
    for i, match in ipairs { "exact", "wildcard", "prefix" } do
      local uri, is_legal = row[1], row[i + 1]
      local shown = #uri > 40 and #uri .. " octets" or wamp.show(uri)
      it(("of %s with match %s is %s"):format(shown, match, is_legal and "fine" or "an error"),
        function()
          peer.fresh_realm()
          local alice = peer.join()
          alice:send { wamp.REGISTER, 7, { match = match }, uri }
          if is_legal then
            alice:expect { wamp.REGISTERED, 7, wamp.id }
          else
            alice:expect_error(wamp.REGISTER, 7, "wamp.error.invalid_uri")
          end
        end)
    end
  end

  it("of what another session has is an error", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    alice:register(procedure)
    bob:send { wamp.REGISTER, 7, {}, procedure }
    bob:expect_error(wamp.REGISTER, 7, "wamp.error.procedure_already_exists")
  end)

  it("of what the session has itself is an error", function()
    local alice = peer.join()
    local procedure = peer.uri()
    alice:register(procedure)
    alice:send { wamp.REGISTER, 7, {}, procedure }
    alice:expect_error(wamp.REGISTER, 7, "wamp.error.procedure_already_exists")
  end)

  it("gives a registration for each kind of match", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local exact = alice:register(procedure)
    local prefix = bob:register(procedure, { match = "prefix" })
    local wildcard = bob:register(procedure, { match = "wildcard" })
    assert.is_true(exact ~= prefix and prefix ~= wildcard and exact ~= wildcard)
    for _, match in ipairs { "exact", "prefix", "wildcard" } do
      alice:send { wamp.REGISTER, 7, { match = match }, procedure }
      alice:expect_error(wamp.REGISTER, 7, "wamp.error.procedure_already_exists")
    end
  end)

  it("of a URI that is also a topic is no conflict", function()
    local alice, bob = peer.join(), peer.join()
    local uri = peer.uri()
    local subscription, registration = alice:subscribe(uri), alice:register(uri)
    assert.not_equal(subscription, registration)
    bob:publish(uri)
    alice:expect_event(subscription)
    bob:call(uri)
    alice:expect_invocation(registration)
  end)

  it("is answered before any invocation of the registration", function()
    local alice = peer.join()
    local procedure = peer.uri()
    alice:send_all { { wamp.REGISTER, 1, {}, procedure }, { wamp.CALL, 2, {}, procedure } }
    local registration = alice:expect { wamp.REGISTERED, 1, wamp.id }
    alice:expect_invocation(registration)
  end)
end)

conformance.everywhere("UNREGISTER", {}, function(peer)
  it("is answered by UNREGISTERED, and no call arrives after that", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    alice:send { wamp.UNREGISTER, 456, registration }
    alice:expect { wamp.UNREGISTERED, 456 }
    local request = bob:call(procedure)
    bob:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
    alice:expect_nothing()
  end)

  it("frees the name for others, under an id never used before", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    alice:unregister(registration)
    assert.not_equal(registration, bob:register(procedure))
  end)

  it("lets a call that is on its way finish", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    local invocation = alice:expect_invocation(registration)
    alice:unregister(registration)
    alice:yield(invocation, { 1 })
    bob:expect_result(request, { 1 })
  end)

  it("of an id never given is an error", function()
    local alice = peer.join()
    alice:send { wamp.UNREGISTER, 7, 1 << 53 }
    alice:expect_error(wamp.UNREGISTER, 7, "wamp.error.no_such_registration")
  end)

  it("a second time is an error", function()
    local alice = peer.join()
    local registration = alice:register(peer.uri())
    alice:unregister(registration)
    alice:send { wamp.UNREGISTER, 7, registration }
    alice:expect_error(wamp.UNREGISTER, 7, "wamp.error.no_such_registration")
  end)

  it("of what another session has is an error, and changes nothing", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    bob:send { wamp.UNREGISTER, 7, registration }
    bob:expect_error(wamp.UNREGISTER, 7, "wamp.error.no_such_registration")
    bob:call(procedure)
    alice:expect_invocation(registration)
  end)

  it("of a subscription is an error", function()
    local alice = peer.join()
    local subscription = alice:subscribe(peer.uri())
    alice:send { wamp.UNREGISTER, 7, subscription }
    alice:expect_error(wamp.UNREGISTER, 7, "wamp.error.no_such_registration")
  end)
end)

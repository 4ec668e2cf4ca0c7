--- CALL, INVOCATION, YIELD, RESULT, ERROR; which registration a call finds; CANCEL of what is over.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

local payloads = {
  { "no arguments", nil, nil },
  { "positional arguments", { "a", 2, true }, nil },
  { "keyword arguments only", {}, { a = 1 } },
  { "both", { 1 }, { a = 1 } },
  { "what is hard to carry", { wamp.list {}, wamp.dict {}, wamp.null, 1.0, math.mininteger,
    wamp.binary "\0\255", "\u{7f}\n€" } },
}

conformance.everywhere("CALL", {}, function(peer)
  for _, row in ipairs(payloads) do
    it("carries " .. row[1] .. " there and back", function()
      local alice, bob = peer.join(), peer.join()
      local procedure = peer.uri()
      local registration = alice:register(procedure)
      local request = bob:call(procedure, row[2], row[3])
      local invocation = alice:expect_invocation(registration, row[2], row[3])
      alice:yield(invocation, row[2], row[3])
      bob:expect_result(request, row[2], row[3])
      alice:expect_nothing()
      bob:expect_nothing()
    end)

    it("carries an error with " .. row[1] .. " back", function()
      local alice, bob = peer.join(), peer.join()
      local procedure = peer.uri()
      local registration = alice:register(procedure)
      local request = bob:call(procedure)
      local invocation = alice:expect_invocation(registration)
      alice:send(wamp.with_payload(
        { wamp.ERROR, wamp.INVOCATION, invocation, {}, "com.myapp.error.mine" }, row[2], row[3]))
      bob:expect(wamp.with_payload(
        { wamp.ERROR, wamp.CALL, request, {}, "com.myapp.error.mine" }, row[2], row[3]))
    end)
  end

  it("of what nobody has registered is an error", function()
    local alice = peer.join()
    alice:send { wamp.CALL, 7, {}, peer.uri() }
    alice:expect_error(wamp.CALL, 7, "wamp.error.no_such_procedure")
  end)

  it("of a reserved procedure that nobody provides is an error", function()
    local alice = peer.join()
    alice:send { wamp.CALL, 7, {}, "wamp.no.such.thing" }
    alice:expect_error(wamp.CALL, 7, "wamp.error.no_such_procedure")
  end)

  for _, procedure in ipairs { "", "a..b", "a b", ".a", "a.", "a#b", ("x"):rep(4097) } do
    it(("of %s is an error"):format(wamp.show(procedure:sub(1, 10))), function()
      local alice = peer.join()
      alice:send { wamp.CALL, 7, {}, procedure }
      alice:expect_error(wamp.CALL, 7, "wamp.error.invalid_uri")
      alice:expect_nothing()
    end)
  end

  it("passes none of its options on", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    bob:call(procedure, nil, nil, { x_mine = 1, caller = 5, caller_authid = "root" })
    alice:expect_invocation(registration, nil, nil, wamp.dict {})
  end)

  it("passes none of YIELD's options on", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    alice:yield(alice:expect_invocation(registration), { 1 }, nil, { x_mine = 1, progress = false })
    bob:expect_result(request, { 1 })
  end)

  it("passes only private details of an ERROR on", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    alice:send { wamp.ERROR, wamp.INVOCATION, alice:expect_invocation(registration),
      { x_mine = 1, _also = "b", other = 3 }, "com.error" }
    bob:expect { wamp.ERROR, wamp.CALL, request, { x_mine = 1, _also = "b" }, "com.error" }
  end)

  it("may get an error URI that is no URI", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    alice:send { wamp.ERROR, wamp.INVOCATION, alice:expect_invocation(registration), {},
      "something went wrong" }
    bob:expect { wamp.ERROR, wamp.CALL, request, {}, "something went wrong" }
  end)

  it("of the own procedure works", function()
    local alice = peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = alice:call(procedure, { 1 })
    alice:yield(alice:expect_invocation(registration, { 1 }), { 2 })
    alice:expect_result(request, { 2 })
  end)

  it("may be answered in another order than it was asked", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local first, second = bob:call(procedure, { 1 }), bob:call(procedure, { 2 })
    local one = alice:expect_invocation(registration, { 1 })
    local two = alice:expect_invocation(registration, { 2 })
    alice:yield(two, { 2 })
    bob:expect_result(second, { 2 })
    alice:yield(one, { 1 })
    bob:expect_result(first, { 1 })
  end)

  it("with the id of a pending call is a protocol violation", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    bob:send { wamp.CALL, 5, {}, procedure }
    alice:expect_invocation(registration)
    bob:send { wamp.CALL, 5, {}, procedure }
    bob:expect_violation()
  end)

  it("with the id of a call that is over is a new call", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    for i = 1, 2 do
      bob:send { wamp.CALL, 5, {}, procedure }
      alice:yield(alice:expect_invocation(registration), { i })
      bob:expect_result(5, { i })
    end
  end)

  it("with the same id by two callers is two calls", function()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    bob:send { wamp.CALL, 5, {}, procedure, { "bob" } }
    local one = alice:expect_invocation(registration, { "bob" })
    carol:send { wamp.CALL, 5, {}, procedure, { "carol" } }
    local two = alice:expect_invocation(registration, { "carol" })
    alice:yield(one, { "bob" })
    alice:yield(two, { "carol" })
    bob:expect_result(5, { "bob" })
    carol:expect_result(5, { "carol" })
  end)

  it("numbers the invocations of a callee 1, 2, 3", function()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local one, two = peer.uri(), peer.uri()
    local first, second = alice:register(one), alice:register(two)
    bob:call(one)
    assert.equal(1, alice:expect_invocation(first))
    carol:call(two)
    assert.equal(2, alice:expect_invocation(second))
    bob:call(two)
    assert.equal(3, alice:expect_invocation(second))
  end)

  it("keeps 100 calls of one caller to one callee in order, across procedures", function()
    local alice, bob = peer.join(), peer.join()
    local one, two = peer.uri(), peer.uri()
    local first, second = alice:register(one), alice:register(two)
    local calls, yields = {}, {}
    for i = 1, 100 do
      calls[i] = { wamp.CALL, i, {}, i % 3 == 0 and one or two, { i } }
    end
    bob:send_all(calls)
    for i = 1, 100 do
      local invocation = alice:expect_invocation(i % 3 == 0 and first or second, { i })
      yields[i] = { wamp.YIELD, invocation, {}, { i } }
    end
    alice:send_all(yields)
    for i = 1, 100 do
      bob:expect_result(i, { i })
    end
  end)
end)

conformance.everywhere("An answer that comes twice", {}, function(peer)
  local function answered(first, second)
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    local invocation = alice:expect_invocation(registration)
    alice:send(first(invocation))
    alice:send(second(invocation))
    alice:expect_nothing()
    return bob, request
  end

  local function yield(invocation)
    return { wamp.YIELD, invocation, {} }
  end

  local function failure(invocation)
    return { wamp.ERROR, wamp.INVOCATION, invocation, {}, "com.error" }
  end

  it("as YIELD is discarded", function()
    local bob, request = answered(yield, yield)
    bob:expect_result(request)
    bob:expect_nothing()
  end)

  it("as ERROR after YIELD is discarded", function()
    local bob, request = answered(yield, failure)
    bob:expect_result(request)
    bob:expect_nothing()
  end)

  it("as YIELD after ERROR is discarded", function()
    local bob, request = answered(failure, yield)
    bob:expect { wamp.ERROR, wamp.CALL, request, {}, "com.error" }
    bob:expect_nothing()
  end)

  it("for an invocation of another session is a violation: ids are per session", function()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    local invocation = alice:expect_invocation(registration)
    carol:send { wamp.YIELD, invocation, {} }
    carol:expect_violation()
    alice:yield(invocation)
    bob:expect_result(request)
  end)
end)

conformance.everywhere("CANCEL", {}, function(peer)
  it("of a call that is over, of none, and of another's is discarded", function()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    bob:send { wamp.CALL, 5, {}, procedure }
    local invocation = alice:expect_invocation(registration)
    carol:send { wamp.CANCEL, 5, {} }
    carol:send { wamp.CANCEL, 6, { mode = "kill" } }
    carol:expect_nothing()
    alice:yield(invocation)
    bob:expect_result(5)
    bob:send { wamp.CANCEL, 5, { mode = "skip" } }
    bob:expect_nothing()
  end)
end)

local candidates = {
  { "a1.b2.c3.d4.e55", "exact" },
  { "a1.b2.c3", "prefix" },
  { "a1.b2.c3.d4", "prefix" },
  { "a1.b2..d4.e5", "wildcard" },
  { "a1.b2.c33..e5", "wildcard" },
  { "a1.b2..d4.e5..g7", "wildcard" },
  { "a1.b2..d4..f6.g7", "wildcard" },
}

local choices = {
  { "a1.b2.c3.d4.e55", 1 },
  { "a1.b2.c3.d98.e74", 2 },
  { "a1.b2.c3.d4.e325", 3 },
  { "a1.b2.c55.d4.e5", 4 },
  { "a1.b2.c33.d4.e5", 5 },
  { "a1.b2.c88.d4.e5.f6.g7", 6 },
  { "a1.b2.c88.d4.x.f6.g7", 7 },
  { "a2.b2.c2.d2.e2", nil },
  { "a1.b2.c55.d4", nil },
}

conformance.everywhere("Among registrations that match, a call", {}, function(peer)
  for _, choice in ipairs(choices) do
    local procedure, number = choice[1], choice[2]
    it(("of %s finds %s"):format(procedure, number and "number " .. number or "none"), function()
      peer.fresh_realm()
      local alice, bob = peer.join(), peer.join()
      local ids = {}
      for i, candidate in ipairs(candidates) do
        ids[i] = alice:register(candidate[1], { match = candidate[2] })
      end
      local request = bob:call(procedure, { 1 })
      if number then
        local details = number > 1 and { procedure = procedure } or wamp.dict {}
        local invocation = alice:expect_invocation(ids[number], { 1 }, nil, details)
        alice:yield(invocation)
        bob:expect_result(request)
      else
        bob:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
      end
    end)
  end

  it("finds the next best when the best is gone", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    local order = {
      alice:register("a.b", { match = "exact" }),
      alice:register("a.b", { match = "prefix" }),
      alice:register("a", { match = "prefix" }),
      alice:register("", { match = "prefix" }),
      alice:register("a.b", { match = "wildcard" }),
      alice:register("a.", { match = "wildcard" }),
      alice:register(".b", { match = "wildcard" }),
      alice:register(".", { match = "wildcard" }),
    }
    for i, registration in ipairs(order) do
      bob:call("a.b")
      alice:expect_invocation(registration, nil, nil,
        i > 1 and { procedure = "a.b" } or wamp.dict {})
      alice:unregister(registration)
    end
    local request = bob:call("a.b")
    bob:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
  end)

  it("finds the wildcard that is literal first from the left", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    alice:register("a1.b2..d4.e5", { match = "wildcard" })
    local best = alice:register("a1.b2.c33..e5", { match = "wildcard" })
    alice:register("...d4.e5", { match = "wildcard" })
    bob:call("a1.b2.c33.d4.e5")
    alice:expect_invocation(best, nil, nil, { procedure = "a1.b2.c33.d4.e5" })
  end)

  it("of a reserved procedure never finds a pattern", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    alice:register("", { match = "prefix" })
    alice:register("wa", { match = "prefix" })
    alice:register("..", { match = "wildcard" })
    local request = bob:call("wamp.no.thing")
    bob:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
    -- The same question as a fence: an INVOCATION would come before this answer.
    request = alice:call("wamp.no.thing")
    alice:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
  end)
end)

--- What is too much: for a session, for a realm, for what a peer can receive.
-- SPDX-License-Identifier: MIT
local core = require "core"

local CALL, INVOCATION, RESULT, ERROR, EVENT =
  core.CALL, core.INVOCATION, core.RESULT, core.ERROR, core.EVENT

core.describe("A session has at most", function(router)
  local not_allowed = "wamp.error.option_not_allowed"

  it("max_subscriptions subscriptions", function()
    local r = router { max_subscriptions = 2 }
    local alice, bob = r:join(), r:join()
    local id = alice:subscribe "com.x"
    alice:subscribe "com.y"
    local actions = alice:send { core.SUBSCRIBE, 3, {}, "com.z" }
    assert.actions({ { alice, core.failure(core.SUBSCRIBE, 3, not_allowed) } }, actions)
    assert.matches("max_subscriptions", actions[1][2][6][1])
    assert.equal(id, alice:subscribe "com.x")
    bob:subscribe "com.z"
    alice:unsubscribe(id)
    alice:subscribe "com.z"
  end)

  it("max_registrations registrations", function()
    local r = router { max_registrations = 2 }
    local alice, bob = r:join(), r:join()
    local id = alice:register("com.x", { invoke = "first" })
    alice:register "com.y"
    local actions = alice:send { core.REGISTER, 3, {}, "com.z" }
    assert.actions({ { alice, core.failure(core.REGISTER, 3, not_allowed) } }, actions)
    assert.matches("max_registrations", actions[1][2][6][1])
    assert.equal(id, alice:register("com.x", { invoke = "first" }))
    bob:register "com.z"
    alice:unregister(id)
    alice:register "com.w"
  end)

  it("max_pending_calls calls that wait", function()
    local r = router { max_pending_calls = 2 }
    local alice, bob, carol = r:join(), r:join(), r:join()
    alice:register "com.x"
    bob:call "com.x"
    bob:call "com.x"
    local actions = bob:call "com.x"
    assert.actions({ { bob, core.failure(CALL, 3, "wamp.error.no_available_callee") } }, actions)
    assert.matches("max_pending_calls", actions[1][2][6][1])
    assert.is_truthy(alice:first(carol:call "com.x", INVOCATION))
    alice:yield(1)
    assert.is_truthy(alice:first(bob:call "com.x", INVOCATION))
  end)
end)

core.describe("A message longer than its receiver accepts", function(router)
  local long = { ("x"):rep(2000) }

  local function peers(receiver)
    local r = router()
    local alice = r:join()
    return r, alice, r:join({ roles = receiver or core.all_roles }, { send_max = 1000 })
  end

  it("is dropped when it is an event, for that receiver alone", function()
    local r, alice, small = peers()
    local bob = r:join()
    local id = small:subscribe "com.x"
    bob:subscribe "com.x"
    assert.actions({ { bob, { EVENT, id, core.id, {}, long } } }, alice:publish("com.x", long))
    assert.equal(1, r:counters().oversized)
    assert.equal(2, #alice:publish("com.x", { 1 }))
  end)

  it("is not counted as an event, nor leaked, when it fits nobody", function()
    local r, alice, small = peers()
    small:subscribe "com.x"
    assert.actions({}, alice:publish("com.x", long))
    assert.equal(0, r:counters().events)
  end)

  it("is measured to the byte", function()
    local r, alice = peers()
    local id = r:join():subscribe "com.x"
    local length = #alice:publish("com.x", long)[1].bytes
    for _, case in ipairs { length, length - 1 } do
      local exact = r:join(nil, { send_max = case })
      assert.equal(id, exact:subscribe "com.x")
      -- Publication ids differ in length: compare with what came at the same time.
      for _ = 1, 20 do
        local actions = alice:publish("com.x", long)
        assert.equal(#actions[1].bytes <= case, exact:first(actions, EVENT) ~= nil)
      end
    end
  end)

  it("is ERROR for the caller when it is an invocation; the callee hears nothing", function()
    local r, alice, small = peers()
    small:register "com.x"
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.payload_size_exceeded") } },
      alice:call("com.x", long))
    assert.equal(0, r:counters().pending_calls)
    assert.equal(1, r:counters().oversized)
    assert.equal(1, small:first(alice:call("com.x", { 1 }), INVOCATION)[2]) -- no id was used up
  end)

  it("is ERROR for the caller when it is a result", function()
    local r, alice, small = peers()
    alice:register "com.x"
    small:call "com.x"
    assert.actions({ { small, core.failure(CALL, 1, "wamp.error.payload_size_exceeded") } },
      alice:yield(1, long))
    assert.equal(0, r:counters().pending_calls)
    assert.actions({}, alice:yield(1, { 1 }))
  end)

  it("is sent without its payload when it is an error", function()
    local r, alice, small = peers()
    alice:register "com.x"
    small:call "com.x"
    assert.actions({ { small, { ERROR, CALL, 1, {}, "com.error" } } },
      alice:refuse(1, "com.error", long, { a = 1 }, { x_mine = long }))
    assert.equal(1, r:counters().oversized)
    assert.equal(0, r:counters().pending_calls)
  end)

  it("is judged in the serializer of the receiver", function()
    for _, codec in ipairs(core.codec_names) do
      local r = core.router { codec = codec }
      local small = r:join(nil, { codec = "json", send_max = 1000 })
      local alice = r:join()
      small:subscribe "com.x"
      -- As JSON an octet of binary takes a third more, and U+0000 six.
      assert.actions({}, alice:publish("com.x", { core.binary(("x"):rep(800)) }))
      assert.equal(1, #alice:publish("com.x", { ("x"):rep(800) }))
    end
  end)
end)

core.describe("Counters", function(router)
  it("are back at zero when everybody has left, one way or the other", function()
    local r = router()
    local peers = {}
    for i = 1, 12 do
      peers[i] = r:join { roles = core.all_roles, team = "t" .. i % 3 }
      peers[i]:subscribe "com.x"
      peers[i]:subscribe("com." .. i, { match = "prefix" })
      peers[i]:register("com.x", { invoke = "roundrobin" })
    end
    for i = 1, 12 do
      peers[i]:call "com.x"
      peers[i]:publish("com.x", { i }, nil, { eligible_team = { "t1" } })
    end
    for i = 1, 12 do
      local ways = {
        function(peer) peer:drop() end,
        function(peer) peer:send { core.GOODBYE, {}, "x" } end,
        function(peer) peer:send { core.ABORT, {}, "x" } end,
        function(peer) peer:send { 99 } end,
      }
      ways[i % 4 + 1](peers[i])
    end
    local counters = r:counters()
    assert.same({ 0, 0, 0, 0 }, { counters.sessions, counters.subscriptions,
      counters.registrations, counters.pending_calls })
    assert.equal(0, (r.raw:claimed_ids()))
    assert.equal(12, counters.joins)
    assert.equal(3, counters.violations)
  end)

  it("are freed with everything in it", function()
    local r = router()
    local alice, bob = r:join(), r:join { x = 1 }
    alice:subscribe "com.x"
    alice:register "com.x"
    bob:call "com.x"
    assert.equal(RESULT, alice:yield(1)[1][2][1])
    bob:call "com.x"
    r.raw:free()
  end)
end)

--- Payloads: carried from serializer to serializer, in passthru mode, and in the older framing.
-- SPDX-License-Identifier: MIT
local core = require "core"

local CALL, INVOCATION, RESULT, ERROR, EVENT =
  core.CALL, core.INVOCATION, core.RESULT, core.ERROR, core.EVENT
local list, null, binary = core.list, core.null, core.binary

local payload = list {
  null, true, false, 0, -1, 1 << 53, math.maxinteger, math.mininteger, core.unsigned(-1), 0.5, -2.0,
  1e300, "", "text", "ü 🙂 \n\t\"\\", ("x"):rep(300), binary "", binary "\0\1\xff",
  list {}, list { list { list {} } }, { a = { b = list { 1, "x" } } }, {},
}
local words = { key = 1, nested = { list { null }, {} }, ["a key"] = binary "\xfe", [""] = "" }

for _, from in ipairs(core.codec_names) do
  for _, to in ipairs(core.codec_names) do
    describe(("A payload from %s to %s:"):format(from, to), function()
      local function pair()
        local r = core.router()
        return r:join(nil, { codec = from }), r:join(nil, { codec = to })
      end

      it("an event arrives as it was sent", function()
        local alice, bob = pair()
        local id = bob:subscribe "com.x"
        assert.actions({ { bob, { EVENT, id, core.id, {}, payload, words } } },
          alice:publish("com.x", payload, words))
      end)

      it("a call, a result and an error arrive as they were sent", function()
        local alice, bob = pair()
        local id = bob:register "com.x"
        assert.actions({ { bob, { INVOCATION, 1, id, {}, payload, words } } },
          alice:call("com.x", payload, words))
        assert.actions({ { alice, { RESULT, 1, {}, payload, words } } },
          bob:yield(1, payload, words))
        alice:call "com.x"
        assert.actions({ { alice, { ERROR, CALL, 2, { x_more = payload }, "com.error", payload,
          words } } }, bob:refuse(2, "com.error", payload, words, { x_more = payload }))
      end)

      it("keyword arguments alone come behind an empty list", function()
        local alice, bob = pair()
        local id = bob:subscribe "com.x"
        assert.actions({ { bob, { EVENT, id, core.id, {}, list {}, words } } },
          alice:publish("com.x", nil, words))
      end)

      it("empty arguments are left out", function()
        local alice, bob = pair()
        local id = bob:subscribe "com.x"
        assert.actions({ { bob, { EVENT, id, core.id, {} } } }, alice:publish("com.x", {}, {}))
        assert.actions({ { bob, { EVENT, id, core.id, {}, { 1 } } } },
          alice:publish("com.x", { 1 }, {}))
      end)

      it("the options that travel along are written anew", function()
        local alice, bob = pair()
        local id = bob:subscribe "com.x"
        local options = { transaction_hash = "\n\"ü", enc_key = "", enc_algo = "x_y" }
        assert.actions({ { bob, { EVENT, id, core.id, options } } },
          alice:publish("com.x", nil, nil, options))
      end)
    end)
  end
end

describe("One publication to subscribers of all serializers", function()
  it("arrives at each in its own, and those of one serializer share the bytes", function()
    local r = core.router()
    local id
    for _, codec in ipairs(core.codec_names) do
      for _ = 1, 2 do
        id = r:join(nil, { codec = codec }):subscribe "com.x"
      end
    end
    local actions = r:join():publish("com.x", payload, words)
    assert.equal(6, #actions)
    for i = 1, 5, 2 do
      assert.equal(actions[i].bytes, actions[i + 1].bytes)
    end
    for i = 1, 6 do
      local is_match = require("matching").match(list { EVENT, id, core.id, {}, payload, words },
        actions[i][2])
      assert.is_true(is_match)
    end
  end)
end)

local ppt = { ppt_scheme = "mqtt", ppt_serializer = "cbor", ppt_cipher = "x_none", ppt_keyid = "k" }
local secret = { binary "\1\2\3" }

core.describe("payload_passthru_mode", function(router)
  local function peers(alice, bob)
    local r = router()
    return r, r:join { roles = alice or core.all_roles }, r:join { roles = bob or core.all_roles }
  end

  local function without(role)
    local roles = {}
    for name, features in pairs(core.all_roles) do
      roles[name] = name ~= role and features or {}
    end
    return roles
  end

  it("of PUBLISH is copied to every subscriber, whatever it announced", function()
    local r, alice, bob = peers()
    local carol = r:join()
    local id = bob:subscribe "com.x"
    carol:subscribe "com.x"
    assert.actions({
      { bob, { EVENT, id, core.id, ppt, secret } },
      { carol, { EVENT, id, core.id, ppt, secret } },
    }, alice:publish("com.x", secret, nil, ppt))
  end)

  it("of PUBLISH is a violation when the publisher did not announce it", function()
    local _, alice = peers(without "publisher")
    assert.actions(core.violation(alice, "ppt_scheme"), alice:publish("com.x", secret, nil, ppt))
  end)

  it("of CALL and YIELD is copied both ways", function()
    local _, alice, bob = peers()
    local id = alice:register "com.x"
    assert.actions({ { alice, { INVOCATION, 1, id, ppt, secret } } },
      bob:call("com.x", secret, nil, ppt))
    local other = { ppt_scheme = "x_own", ppt_serializer = "native" }
    assert.actions({ { bob, { RESULT, 1, other, secret } } }, alice:yield(1, secret, nil, other))
  end)

  it("of YIELD is independent of the call's", function()
    local _, alice, bob = peers()
    alice:register "com.x"
    bob:call("com.x", { 1 })
    assert.actions({ { bob, { RESULT, 1, ppt, secret } } }, alice:yield(1, secret, nil, ppt))
    bob:call("com.x", secret, nil, ppt)
    assert.actions({ { bob, { RESULT, 2, {}, { 1 } } } }, alice:yield(2, { 1 }))
  end)

  it("of CALL is a violation when the caller did not announce it", function()
    local _, alice, bob = peers(nil, without "caller")
    alice:register "com.x"
    assert.actions(core.violation(bob, "ppt_scheme"), bob:call("com.x", secret, nil, ppt))
    assert.is_nil(alice:first(bob:drop(), INVOCATION))
  end)

  it("of CALL is ERROR when the callee did not announce it; there is no invocation", function()
    local r, alice, bob = peers(without "callee")
    alice:register "com.x"
    assert.actions({ { bob, core.failure(CALL, 1, "wamp.error.feature_not_supported") } },
      bob:call("com.x", secret, nil, ppt))
    assert.equal(0, r:counters().pending_calls)
  end)

  it("of YIELD is a violation when the callee did not announce it; first the caller gets ERROR",
    function()
      local r, alice, bob = peers(without "callee")
      alice:register "com.x"
      bob:call "com.x"
      local violation = core.violation(alice, "ppt_scheme")
      assert.actions({ { bob, core.failure(CALL, 1, "wamp.error.feature_not_supported") },
        table.unpack(violation) }, alice:yield(1, secret, nil, ppt))
      assert.equal(0, r:counters().pending_calls)
    end)

  it("of YIELD is ERROR for both when the caller did not announce it", function()
    local r, alice, bob = peers(nil, without "caller")
    alice:register "com.x"
    bob:call "com.x"
    assert.actions({
      { alice, core.failure(INVOCATION, 1, "wamp.error.feature_not_supported") },
      { bob, core.failure(CALL, 1, "wamp.error.feature_not_supported") },
    }, alice:yield(1, secret, nil, ppt))
    assert.equal(0, r:counters().pending_calls)
    assert.equal(2, r:counters().sessions)
  end)

  it("of a callee's ERROR is copied to the caller", function()
    local _, alice, bob = peers()
    alice:register "com.x"
    bob:call "com.x"
    assert.actions({ { bob, { ERROR, CALL, 1, ppt, "com.error", secret } } },
      alice:refuse(1, "com.error", secret, nil, ppt))
  end)

  it("of a callee's ERROR is taken off, with the payload, for a caller without", function()
    local _, alice, bob = peers(nil, without "caller")
    alice:register "com.x"
    bob:call "com.x"
    assert.actions({ { bob, { ERROR, CALL, 1, {}, "com.error" } } },
      alice:refuse(1, "com.error", secret, nil, ppt))
  end)

  it("needs a scheme that is not empty", function()
    local r, alice, bob = peers(core.plain_roles, core.plain_roles)
    local id = bob:subscribe "com.x"
    local options = { ppt_scheme = "", ppt_keyid = "k" }
    assert.actions({ { bob, { EVENT, id, core.id, options, { 1 } } } },
      alice:publish("com.x", { 1 }, nil, options))
    assert.equal(0, r:counters().violations)
  end)

  it("is carried by no ERROR of the router itself", function()
    local _, alice = peers()
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.no_such_procedure") } },
      alice:call("com.nobody", secret, nil, ppt))
  end)

  it("may have more than one item, or other items", function()
    local _, alice, bob = peers()
    local id = bob:subscribe "com.x"
    assert.actions({ { bob, { EVENT, id, core.id, ppt, { 1, "x" }, { a = 1 } } } },
      alice:publish("com.x", { 1, "x" }, { a = 1 }, ppt))
  end)
end)

core.describe("payload_transparency", function(router)
  local enc = { enc_algo = "cryptobox", enc_serializer = "cbor", enc_key = "0x12" }

  for name, raw in pairs { binary = binary "\1\2\xff", text = "a1666e6f74696365" } do
    it(("(%s) of PUBLISH is kept, or wrapped for those who do not know it"):format(name), function()
      local r = router()
      local alice, bob = r:join(), r:join { roles = core.all_roles }
      local carol = r:join()
      local id = bob:subscribe "com.x"
      carol:subscribe "com.x"
      assert.actions({
        { bob, { EVENT, id, core.id, enc, raw } },
        { carol, { EVENT, id, core.id, enc, { raw } } },
      }, alice:send { core.PUBLISH, 1, enc, "com.x", raw })
    end)

    it(("(%s) of CALL, YIELD and ERROR is kept where it is known"):format(name), function()
      local r = router()
      local alice, bob = r:join { roles = core.all_roles }, r:join { roles = core.all_roles }
      local id = alice:register "com.x"
      assert.actions({ { alice, { INVOCATION, 1, id, enc, raw } } },
        bob:send { CALL, 1, enc, "com.x", raw })
      assert.actions({ { bob, { RESULT, 1, enc, raw } } },
        alice:send { core.YIELD, 1, enc, raw })
      bob:send { CALL, 2, {}, "com.x" }
      assert.actions({ { bob, { ERROR, CALL, 2, enc, "com.error", raw } } },
        alice:send { ERROR, INVOCATION, 2, enc, "com.error", raw })
    end)

    it(("(%s) of CALL, YIELD and ERROR is wrapped where it is not known"):format(name), function()
      local r = router()
      local alice, bob = r:join(), r:join()
      local id = alice:register "com.x"
      assert.actions({ { alice, { INVOCATION, 1, id, enc, { raw } } } },
        bob:send { CALL, 1, enc, "com.x", raw })
      assert.actions({ { bob, { RESULT, 1, enc, { raw } } } },
        alice:send { core.YIELD, 1, enc, raw })
      bob:send { CALL, 2, {}, "com.x" }
      assert.actions({ { bob, { ERROR, CALL, 2, enc, "com.error", { raw } } } },
        alice:send { ERROR, INVOCATION, 2, enc, "com.error", raw })
    end)

    it(("(%s) is a violation where it is switched off"):format(name), function()
      local alice = router { ppt_compat = false }:join()
      assert.actions(core.violation(alice), alice:send { core.PUBLISH, 1, {}, "com.x", raw })
    end)
  end

  it("needs no announcement of the sender, and no enc_algo", function()
    local r = router()
    local alice, bob = r:join(), r:join { roles = core.all_roles }
    local id = bob:subscribe "com.x"
    assert.actions({ { bob, { EVENT, id, core.id, {}, binary "x" } } },
      alice:send { core.PUBLISH, 1, {}, "com.x", binary "x" })
  end)

  it("has no keyword arguments", function()
    local alice = router():join()
    assert.actions(core.violation(alice),
      alice:send { core.PUBLISH, 1, {}, "com.x", binary "x", { a = 1 } })
  end)
end)

--- Requests that are denied: what the client is told, and that its session may end.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"

local CALL, ERROR, PUBLISH = core.CALL, core.ERROR, core.PUBLISH
local SUBSCRIBE, REGISTER, GOODBYE = core.SUBSCRIBE, core.REGISTER, core.GOODBYE
local requests = asking.requests

local kinds = { publish = PUBLISH, call = CALL, subscribe = SUBSCRIBE, register = REGISTER }

--- The peer asks for something of that kind; returns the question.
local function ask(peer, kind)
  local options = kind == PUBLISH and { acknowledge = true } or {}
  return core.asked(peer:send { kind, peer:next_request(), options, "ask.x" })
end

local function deny(r, question, more)
  local decision = { question = question, verdict = "deny" }
  for k, v in pairs(more or {}) do
    decision[k] = v
  end
  return r:decide(decision)
end

core.describe("A denial", function(router)
  for name, kind in pairs(kinds) do
    describe("of " .. name, function()
      it("has a reason, words and a dict", function()
        for _, codec in ipairs(core.codec_names) do
          local r = router(requests())
          local alice = r:join()
          local kwargs = { retry_after = 1.5, list = { 1, "é" }, no = core.null }
          assert.actions({ { alice, { ERROR, kind, 1, {}, "com.x.no", { "not now" }, kwargs } } },
            deny(r, ask(alice, kind), { reason = "com.x.no", words = "not now", kwargs = kwargs,
              codec = codec }))
          assert.actions({ { alice, { ERROR, kind, 2, {}, "com.x.no", core.list {}, kwargs } } },
            deny(r, ask(alice, kind), { reason = "com.x.no", kwargs = kwargs, codec = codec }))
        end
      end)

      it("has as much of it as was said", function()
        local r = router(requests())
        local alice = r:join()
        assert.actions({ { alice, { ERROR, kind, 1, {}, "wamp.error.not_authorized" } } },
          deny(r, ask(alice, kind)))
        assert.actions({ { alice, { ERROR, kind, 2, {}, "com.x.no", { "words" } } } },
          deny(r, ask(alice, kind), { reason = "com.x.no", words = "words" }))
        assert.actions({ { alice, { ERROR, kind, 3, {}, "wamp.error.not_authorized",
          core.list {}, {} } } }, deny(r, ask(alice, kind), { kwargs = {} }))
      end)

      it("is shorter when the client does not accept all of it", function()
        local r = router(requests())
        local alice = r:join(nil, { send_max = 2000 })
        local question = ask(alice, kind)
        assert.actions({ { alice, { ERROR, kind, 1, {}, "com.x.no" } } },
          deny(r, question, { reason = "com.x.no", words = "x", kwargs = { a = ("x"):rep(2000) } }))
        assert.equal(1, r:counters().oversized)
      end)

      it("may end the session", function()
        local r = router(requests { goodbye_timeout_ms = 100 })
        local alice, bob = r:join(), r:join()
        local id = bob:subscribe "com.gone"
        alice:call("wamp.session.add_testament", { "com.gone", core.list {}, {} })
        local question = ask(alice, kind)
        alice:publish("com.gone", nil, nil, { acknowledge = true })
        assert.actions({
          { alice, { ERROR, kind, 2, {}, "com.x.no", { "words" } } },
          { alice, { GOODBYE, { message = "words" }, "com.x.no" } },
          { bob, { core.EVENT, id, core.id, {}, core.rest } },
        }, deny(r, question, { reason = "com.x.no", words = "words", closes = true }))
        assert.actions({}, alice:publish "com.gone")
        assert.actions({ { alice, closed = 1000 } }, r:advance(100))
        alice = r:join()
        assert.actions({
          { alice, { ERROR, kind, 1, {}, "wamp.error.not_authorized" } },
          { alice, { GOODBYE, {}, "wamp.error.not_authorized" } },
        }, deny(r, ask(alice, kind), { closes = true }))
      end)
    end)
  end

  it("of a publication that nobody waits for may end the session as well", function()
    local r = router(requests())
    local alice = r:join()
    local question = core.asked(alice:publish "ask.x")
    assert.actions({}, deny(r, question, { kwargs = { a = 1 } }))
    question = core.asked(alice:publish "ask.x")
    assert.actions({ { alice, { GOODBYE, {}, "com.x.no" } } },
      deny(r, question, { reason = "com.x.no", closes = true }))
  end)

  it("takes what waits behind it along when it ends the session", function()
    local r = router(requests())
    local alice = r:join()
    local question = ask(alice, CALL)
    for _ = 1, 70 do
      alice:publish "ask.y"
    end
    assert.actions({ { alice, core.failure(CALL, 1, "com.x.no") },
      { alice, { GOODBYE, {}, "com.x.no" } }, { alice, hold = false } },
      deny(r, question, { reason = "com.x.no", closes = true }))
    assert.equal(0, r:counters().sessions)
  end)

  it("lets go on what waits behind it when it does not", function()
    local r = router(requests())
    local alice = r:join()
    local question = ask(alice, CALL)
    alice:send { PUBLISH, 2, { acknowledge = true }, "com.x" }
    assert.actions({ { alice, { ERROR, CALL, 1, {}, "com.x.no", core.list {}, { a = 1 } } },
      { alice, { core.PUBLISHED, 2, core.id } } },
      deny(r, question, { reason = "com.x.no", kwargs = { a = 1 } }))
  end)
end)

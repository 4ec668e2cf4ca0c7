--- Results and errors that go on to their caller only when somebody has seen them.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
require "meta" -- for assert.like

local CALL, ERROR, RESULT = core.CALL, core.ERROR, core.RESULT
local INTERRUPT, INVOCATION, YIELD = core.INTERRUPT, core.INVOCATION, core.YIELD
local allow, deny = asking.allow, asking.deny
local failed = "wamp.error.authorization_failed"

--- A realm that sees both, who calls, who answers, and more options.
local function realm(router, more)
  local options = { intercepts = { "result", "error" } }
  for k, v in pairs(more or {}) do
    options[k] = v
  end
  local r = router(options)
  return r, r:join({ roles = core.all_roles }), r:join({ roles = core.all_roles })
end

--- Calls; returns the id of the INVOCATION.
local function begin(alice, bob, options, procedure)
  return bob:first(alice:call(procedure or "com.x", nil, nil, options), INVOCATION)[2]
end

--- Bob answers, about which is asked; returns the question.
local function ask(bob, message)
  local actions = bob:send(message)
  assert.actions({ { bob, ask = core.any } }, actions)
  return core.asked(actions)
end

core.describe("A result that is seen", function(router)
  it("is asked about with all that is known of it", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local id = begin(alice, bob)
    assert.like(core.including { ask = "answer", session = bob.session, caller = alice.session,
      procedure = "com.x", message = core.including { type = YIELD, id = id, args = { 1 },
        kwargs = { a = 2 } } }, r:question(ask(bob, { YIELD, id, {}, { 1 }, { a = 2 } })))
    bob:register("com.many", { match = "prefix" })
    id = begin(alice, bob, nil, "com.many.x")
    assert.equal("com.many.x", r:question(ask(bob, { YIELD, id, {} })).procedure)
  end)

  it("goes on as it is", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 }, { a = 2 } })
    assert.equal(1, r:counters().pending_calls)
    assert.equal(0, r:counters().results)
    assert.actions({ { alice, { RESULT, 1, {}, { 1 }, { a = 2 } } } }, allow(r, question))
    assert.equal(0, r:counters().pending_calls)
    assert.equal(1, r:counters().results)
    assert.is_nil(r:question(question))
  end)

  it("goes on with other arguments", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    for i, case in ipairs {
      { { args = { 9 } }, { 9 }, { a = 2 } }, { { kwargs = { b = 3 } }, { 1 }, { b = 3 } },
      { { args = { 9 }, kwargs = {} }, { 9 } }, { { args = {}, kwargs = {} } },
    } do
      local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 }, { a = 2 } })
      assert.actions({ { alice, { RESULT, i, {}, case[2], case[3] } } },
        allow(r, question, case[1]))
    end
  end)

  it("is denied", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
    assert.actions({ { alice, { ERROR, CALL, 1, {}, "wamp.error.not_authorized" } } },
      deny(r, question))
    question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
    assert.actions({ { alice, { ERROR, CALL, 2, {}, "com.x.no", { "words" }, { a = 1 } } } },
      r:decide { question = question, verdict = "deny", reason = "com.x.no", words = "words",
        kwargs = { a = 1 } })
    assert.equal(0, r:counters().results)
    assert.equal(2, r:counters().errors)
  end)

  it("may end the session that said it", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
    assert.actions({ { alice, { ERROR, CALL, 1, {}, "com.x.no" } },
      { bob, { core.GOODBYE, {}, "com.x.no" } } },
      r:decide { question = question, verdict = "deny", reason = "com.x.no", closes = true })
    alice:subscribe "com.x"
  end)

  it("cannot get what a result has not", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    for i, grant in ipairs { { uri = "com.x.error" }, { options = { progress = true } } } do
      local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
      local actions = allow(r, question, grant)
      assert.actions({ { alice, { ERROR, CALL, i, {}, failed } } }, actions)
      assert.equal("denied", actions.notes[1][2])
      assert.truthy(actions.notes[1].cause:find(next(grant), 1, true))
    end
  end)

  it("keeps a payload that is for its receiver alone", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local yield = { YIELD, begin(alice, bob), { ppt_scheme = "x_mine" }, { core.binary "x" } }
    assert.actions({ { alice, { ERROR, CALL, 1, {}, failed } } },
      allow(r, ask(bob, yield), { args = { 1 } }))
    yield[2] = begin(alice, bob)
    assert.actions({ { alice, { RESULT, 2, { ppt_scheme = "x_mine" }, { core.binary "x" } } } },
      allow(r, ask(bob, yield)))
  end)

  it("may be too long for its caller", function()
    local r = router { intercepts = { "result" } }
    local alice, bob = r:join(nil, { send_max = 2000 }), r:join()
    bob:register "com.x"
    local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.payload_size_exceeded") } },
      allow(r, question, { args = { ("x"):rep(2000) } }))
  end)
end)

core.describe("An error that is seen", function(router)
  it("goes on, changed or as it is, or is denied", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local function say()
      return ask(bob, { ERROR, INVOCATION, begin(alice, bob), { _mine = 1 }, "com.x.sorry", { 1 },
        { a = 2 } })
    end
    local question = say()
    assert.like(core.including { ask = "answer", caller = alice.session, procedure = "com.x",
      message = core.including { type = ERROR, text = "com.x.sorry", args = { 1 },
        kwargs = { a = 2 } } }, r:question(question))
    local details = { _mine = 1 }
    assert.actions({ { alice, { ERROR, CALL, 1, details, "com.x.sorry", { 1 }, { a = 2 } } } },
      allow(r, question))
    for _, codec in ipairs(core.codec_names) do
      question = say()
      assert.actions({ { alice, { ERROR, CALL, alice.last_request, details, "com.x.other", { "é" },
        { b = 1 } } } }, r:decide { question = question, verdict = "allow", codec = codec,
        grant = { uri = "com.x.other", args = { "é" }, kwargs = { b = 1 } } })
    end
    question = say()
    assert.actions({ { alice, { ERROR, CALL, alice.last_request, {}, "com.x.no" } } },
      deny(r, question, "com.x.no"))
    question = say()
    assert.actions({ { alice, { ERROR, CALL, alice.last_request, {}, failed } } },
      allow(r, question, { uri = "no uri" }))
  end)

  it("of the router itself is not", function()
    local _, alice, bob = realm(router)
    bob:register "com.x"
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.no_such_procedure") } },
      alice:call "com.none")
    begin(alice, bob)
    assert.actions({ { alice, core.failure(CALL, 2, "wamp.error.canceled") } }, bob:drop())
  end)

  it("that leads to another callee is not", function()
    local r, alice, bob = realm(router)
    local carol = r:join({ roles = core.all_roles })
    bob:register("com.x", { invoke = "roundrobin" })
    carol:register("com.x", { invoke = "roundrobin" })
    local id = begin(alice, bob)
    local actions = bob:refuse(id, "wamp.error.unavailable")
    assert.actions({ { carol, { INVOCATION, 1, core.id, {} } } }, actions)
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.no_available_callee") } },
      carol:refuse(1, "wamp.error.unavailable"))
  end)
end)

core.describe("Answers that are seen", function(router)
  local function progress(id, n)
    return { YIELD, id, { progress = true }, { n } }
  end

  it("keep their order within a call", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local id = begin(alice, bob, { receive_progress = true })
    local question = ask(bob, progress(id, 1))
    assert.actions({}, bob:send(progress(id, 2)))
    assert.actions({}, bob:send(progress(id, 3)))
    assert.actions({}, bob:send { YIELD, id, {}, { 4 } })
    for i = 1, 4 do
      local actions = allow(r, question, i == 3 and { args = { "three" } } or nil)
      assert.actions({
        { alice, { RESULT, 1, i < 4 and { progress = true } or {}, { i == 3 and "three" or i } } },
        i < 4 and { bob, ask = core.any } or nil,
      }, actions)
      question = core.asked(actions)
    end
    assert.equal(0, r:counters().pending_calls)
  end)

  it("keep their order also where only some are asked about", function()
    local r, alice, bob = realm(router, { intercepts = { "result" } })
    bob:register "com.x"
    local id = begin(alice, bob, { receive_progress = true })
    local question = ask(bob, progress(id, 1))
    assert.actions({}, bob:refuse(id, "com.x.sorry", { 5 }))
    assert.actions({ { alice, { RESULT, 1, { progress = true }, { 1 } } },
      { alice, { ERROR, CALL, 1, {}, "com.x.sorry", { 5 } } } }, allow(r, question))
    id = begin(alice, bob, { receive_progress = true })
    question = ask(bob, progress(id, 1))
    r:renew {}
    assert.actions({}, bob:send(progress(id, 2)))
    assert.actions({}, bob:yield(id, { 3 }))
    assert.actions({ { alice, { RESULT, 2, { progress = true }, { 1 } } },
      { alice, { RESULT, 2, { progress = true }, { 2 } } }, { alice, { RESULT, 2, {}, { 3 } } } },
      allow(r, question))
  end)

  it("do not hold up those of other calls", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local questions = {}
    for i = 1, 3 do
      questions[i] = ask(bob, { YIELD, begin(alice, bob), {}, { i } })
    end
    for _, i in ipairs { 2, 3, 1 } do
      assert.actions({ { alice, { RESULT, i, {}, { i } } } }, allow(r, questions[i]))
    end
  end)

  it("end the call when one of them is denied", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local id = begin(alice, bob, { receive_progress = true })
    local question = ask(bob, progress(id, 1))
    bob:send(progress(id, 2))
    assert.actions({ { alice, { ERROR, CALL, 1, {}, "com.x.no" } },
      { bob, { INTERRUPT, id, core.any } } }, deny(r, question, "com.x.no"))
    assert.actions({}, bob:yield(id, { 3 }))
  end)

  it("are the end of the work of their callee", function()
    local r, alice, bob = realm(router, { call_queue_len = 5 })
    bob:register("com.x", { concurrency = 1 })
    local first = begin(alice, bob)
    assert.actions({}, alice:call "com.x")
    local actions = bob:yield(first, { 1 })
    assert.actions({ { bob, ask = core.any }, { bob, { INVOCATION, 2, core.id, {} } } }, actions)
    assert.actions({}, bob:yield(first, { "again" }))
    assert.actions({}, bob:refuse(first, "com.x.sorry"))
    assert.actions({ { alice, { RESULT, 1, {}, { 1 } } } }, allow(r, core.asked(actions)))
  end)

  it("go on when their callee has left", function()
    for _, verdict in ipairs { "allow", "deny" } do
      local r, alice, bob = realm(router)
      bob:register "com.x"
      local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
      assert.actions({}, bob:drop())
      assert.equal(bob.session, r:question(question).session)
      assert.actions({ { alice, verdict == "allow" and { RESULT, 1, {}, { 1 } } or
        { ERROR, CALL, 1, {}, "wamp.error.not_authorized" } } },
        r:decide { question = question, verdict = verdict, closes = verdict == "deny" })
    end
  end)

  it("of a callee that left in the middle are of no interest", function()
    local _, alice, bob = realm(router)
    bob:register "com.x"
    local question = ask(bob, progress(begin(alice, bob, { receive_progress = true }), 1))
    local actions = bob:drop()
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.canceled") },
      { bob, unask = question } }, actions)
  end)

  it("are of no interest when the call is canceled", function()
    for _, mode in ipairs { "skip", "kill", "killnowait" } do
      local r, alice, bob = realm(router)
      bob:register "com.x"
      local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
      assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.canceled") },
        { bob, unask = question } }, alice:cancel(1, mode))
      assert.is_nil(r:question(question))
      assert.actions({}, allow(r, question))
    end
  end)

  it("are of no interest when a progressive call is canceled", function()
    local _, alice, bob = realm(router)
    bob:register "com.x"
    local id = begin(alice, bob, { receive_progress = true })
    local question = ask(bob, progress(id, 1))
    bob:send(progress(id, 2))
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.canceled") },
      { bob, { INTERRUPT, id, core.any } }, { bob, unask = question } },
      alice:cancel(1, "killnowait"))
  end)

  it("still count when the call was killed before", function()
    local r, alice, bob = realm(router, { kill_grace_ms = 100 })
    bob:register "com.x"
    local id = begin(alice, bob)
    assert.actions({ { bob, { INTERRUPT, id, core.any } } }, alice:cancel(1, "kill"))
    local question = ask(bob, { YIELD, id, {}, { 1 } })
    assert.actions({}, r:advance(200))
    assert.actions({ { alice, { RESULT, 1, {}, { 1 } } } }, allow(r, question))
  end)

  it("are of no interest when the call takes too long", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local id = begin(alice, bob, { timeout = 100 })
    r:advance(50)
    local question = ask(bob, { YIELD, id, {}, { 1 } })
    assert.actions({}, r:advance(99))
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.timeout") },
      { bob, unask = question } }, r:advance(1))
  end)

  it("are of no interest when the caller leaves", function()
    local _, alice, bob = realm(router)
    bob:register "com.x"
    local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
    local id = begin(alice, bob, { receive_progress = true })
    local second = ask(bob, progress(id, 1))
    assert.actions({ { bob, unask = question }, { bob, { INTERRUPT, id, core.any } },
      { bob, unask = second } }, alice:drop())
  end)

  it("are of no interest when the realm closes", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 } })
    local actions = r:close_realm()
    assert.equal(question, actions[1].unask)
  end)

  it("of one's own to oneself are seen as well", function()
    local r = realm(router)
    local alice = r:join({ roles = core.all_roles })
    alice:register "com.x"
    local question = ask(alice, { YIELD, begin(alice, alice), {}, { 1 } })
    assert.actions({ { alice, { RESULT, 2, {}, { 2 } } } }, allow(r, question, { args = { 2 } }))
    question = ask(alice, { YIELD, begin(alice, alice), {}, { 1 } })
    assert.actions({ { alice, { ERROR, CALL, 3, {}, "wamp.error.not_authorized" } },
      { alice, { core.GOODBYE, {}, "wamp.error.not_authorized" } } },
      r:decide { question = question, verdict = "deny", closes = true })
  end)

  it("take no more input of a call", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local id = begin(alice, bob, { progress = true })
    local question = ask(bob, { YIELD, id, {}, { 1 } })
    assert.actions({}, alice:chunk(1, "com.x", { 2 }, { progress = true }))
    assert.actions({}, alice:chunk(1, "com.x", { 3 }))
    assert.actions({ { alice, { RESULT, 1, {}, { 1 } } } }, allow(r, question))
    assert.actions({}, alice:chunk(1, "com.x", { 4 }))
  end)

  it("are not those of the router's own code, nor those for it", function()
    local r, alice, bob = realm(router)
    local trusted = r:join({ roles = core.all_roles }, { is_trusted = true })
    trusted:register "com.x"
    trusted:register "com.y"
    bob:register "com.z"
    assert.actions({ { alice, { RESULT, 1, {}, { 1 } } } },
      trusted:yield(begin(alice, trusted), { 1 }))
    assert.actions({ { alice, core.failure(CALL, 2, "com.x.no") } },
      trusted:refuse(begin(alice, trusted, nil, "com.y"), "com.x.no"))
    assert.actions({ { trusted, { RESULT, 3, {}, { 1 } } } },
      bob:yield(begin(trusted, bob, nil, "com.z"), { 1 }))
  end)

  it("are only those that were named", function()
    local r, alice, bob = realm(router, { intercepts = { "error" } })
    bob:register "com.x"
    assert.actions({ { alice, { RESULT, 1, {} } } }, bob:yield(begin(alice, bob)))
    assert.equal("answer", r:question(ask(bob, { ERROR, INVOCATION, begin(alice, bob), {},
      "com.x.sorry" })).ask)
    r, alice, bob = realm(router, { intercepts = { "result" } })
    bob:register "com.x"
    assert.actions({ { alice, { ERROR, CALL, 1, {}, "com.x.sorry" } } },
      bob:refuse(begin(alice, bob), "com.x.sorry"))
    assert.equal("answer", r:question(ask(bob, { YIELD, begin(alice, bob), {} })).ask)
  end)

  it("of calls from before are seen when the realm begins to look", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    bob:register "com.x"
    bob:register "com.y"
    local id, other = begin(alice, bob), begin(alice, bob, nil, "com.y")
    r:renew { intercepts = { "result" } }
    local question = ask(bob, { YIELD, id, {}, { 1 } })
    assert.equal("com.x", r:question(question).procedure)
    bob:unregister(2)
    assert.equal("", r:question(ask(bob, { YIELD, other, {} })).procedure)
    assert.actions({ { alice, { RESULT, 1, {}, { 1 } } } }, allow(r, question))
  end)

  it("have a bound, then their callee is not read", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local questions = {}
    for i = 1, 255 do
      questions[i] = ask(bob, { YIELD, begin(alice, bob), {}, { i } })
    end
    local id = begin(alice, bob)
    local actions = bob:yield(id)
    assert.actions({ { bob, hold = true }, { bob, ask = core.any } }, actions)
    for i = 1, 127 do
      assert.equal(1, #allow(r, questions[i]))
    end
    assert.actions({ { alice, { RESULT, 128, {}, { 128 } } }, { bob, hold = false } },
      allow(r, questions[128]))
  end)

  it("have a bound in octets", function()
    local r, alice, bob = realm(router)
    bob:register "com.x"
    local question = core.asked(bob:yield(begin(alice, bob), { ("x"):rep(1 << 21) }))
    local actions = bob:yield(begin(alice, bob), { ("x"):rep(1 << 21) })
    assert.actions({ { bob, hold = true }, { bob, ask = core.any } }, actions)
    assert.actions({ { alice, { ERROR, CALL, 1, {}, core.any } } }, deny(r, question))
    assert.actions({ { alice, { RESULT, 2, {}, core.any } }, { bob, hold = false } },
      allow(r, core.asked(actions)))
  end)

  it("and requests that wait hold the same socket once", function()
    local r = router(asking.requests { intercepts = { "result" } })
    local alice, bob = r:join(), r:join()
    bob:register "com.x"
    local big = { ("x"):rep(1 << 22) }
    local question = core.asked(bob:subscribe("com.t") and bob:publish "ask.x")
    local actions
    for _ = 1, 64 do
      actions = bob:publish "com.t"
    end
    assert.actions({ { bob, hold = true } }, actions)
    actions = bob:yield(begin(alice, bob), big)
    assert.actions({ { bob, ask = core.any } }, actions)
    assert.actions({}, allow(r, question))
    assert.actions({ { alice, { RESULT, 1, {}, core.any } }, { bob, hold = false } },
      allow(r, core.asked(actions)))
  end)
end)

describe("An answer", function()
  for _, sender in ipairs(core.codec_names) do
    for _, said in ipairs(core.codec_names) do
      for _, receiver in ipairs(core.codec_names) do
        it(("is sent in %s, changed in %s, arrives in %s"):format(sender, said, receiver),
          function()
            local r = core.router { intercepts = { "result", "error" } }
            local bob, alice = r:join(nil, { codec = sender }), r:join(nil, { codec = receiver })
            local values = { 1, -1.5, "é", core.null, core.list {}, { a = { true } },
              core.binary "\0\255" }
            bob:register "com.x"
            local function decide(question, grant)
              return r:decide { question = question, verdict = "allow", codec = said,
                grant = grant }
            end
            local question = ask(bob, { YIELD, begin(alice, bob), {}, { 1 }, { a = "old" } })
            assert.actions({ { alice, { RESULT, 1, {}, values, { a = "old" } } } },
              decide(question, { args = values }))
            question = ask(bob, { ERROR, INVOCATION, begin(alice, bob), { x_mine = { 5 } },
              "com.x.sorry", { 1 }, { a = "old" } })
            assert.actions({ { alice, { ERROR, CALL, 2, { x_mine = { 5 } }, "com.x.other", values,
              { b = values[7] } } } }, decide(question, { uri = "com.x.other", args = values,
                kwargs = { b = values[7] } }))
          end)
      end
    end
  end
end)

--- Who comes in is asked: from HELLO to WELCOME with somebody who decides.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local HELLO, WELCOME, ABORT, CHALLENGE = core.HELLO, core.WELCOME, core.ABORT, core.CHALLENGE
local AUTHENTICATE, GOODBYE = core.AUTHENTICATE, core.GOODBYE

--- Everything that a session which is being opened must not send.
local unexpected = {
  { HELLO, "realm1", { roles = { caller = {} } } }, { GOODBYE, {}, "wamp.close.normal" },
  { WELCOME, 1, {} }, { CHALLENGE, "ticket", {} },
  { core.PUBLISH, 1, {}, "com.x" }, { core.PUBLISHED, 1, 1 }, { core.SUBSCRIBE, 1, {}, "com.x" },
  { core.SUBSCRIBED, 1, 1 }, { core.UNSUBSCRIBE, 1, 1 }, { core.UNSUBSCRIBED, 1 },
  { core.EVENT, 1, 1, {} }, { core.EVENT_RECEIVED, 1 }, { core.CALL, 1, {}, "com.x" },
  { core.CANCEL, 1, {} }, { core.RESULT, 1, {} }, { core.REGISTER, 1, {}, "com.x" },
  { core.REGISTERED, 1, 1 }, { core.UNREGISTER, 1, 1 }, { core.UNREGISTERED, 1 },
  { core.INVOCATION, 1, 1, {} }, { core.INTERRUPT, 1, {} }, { core.YIELD, 1, {} },
  { core.ERROR, core.INVOCATION, 1, {}, "com.error" },
  { core.ERROR, core.CALL, 1, {}, "com.error" },
  {}, { 7 }, { 99 }, { AUTHENTICATE }, { AUTHENTICATE, 5, {} }, { AUTHENTICATE, "x", {}, 1 },
}

local knock, accept, challenge, enter = asking.knock, asking.accept, asking.challenge, asking.enter
local aborted, violated, claimed = asking.aborted, asking.violated, asking.claimed

core.describe("HELLO to a realm that asks", function(router, codec)
  it("puts a question that says all there is to know", function()
    local r = router(asking.join())
    local details = { authmethods = { "ticket", "anonymous" }, authid = "alice",
      roles = { caller = {} }, shoes = "red", authextra = { channel = 7 } }
    local alice, id = knock(r, details, { cookie = "c0ffee", send_max = 5000 })
    assert.like({ id = id, ask = "join", round = 0, peer = core.any, session = core.id,
      message = core.any, hello = core.any, transport = core.any }, r:question(id))
    local question = r:question(id)
    assert.equal(alice, question.peer)
    assert.equal(HELLO, question.message.type)
    assert.equal("realm1", question.hello.text)
    assert.like(details, question.hello.dict)
    assert.like({ type = "local", codec = codec, protocol = "wamp.2.local", peer = "local",
      cookie = "c0ffee", send_max = 5000 }, question.transport)
  end)

  it("is checked before anybody is asked", function()
    local r = router(asking.join { max_sessions = 1 })
    local alice, bob = r:open(), r:open()
    assert.actions(core.violation(alice, "roles"), alice:send { HELLO, "realm1", {} })
    enter(r)
    assert.actions(aborted(bob, "wamp.error.not_authorized", "max_sessions"), bob:hello())
    assert.equal(1, claimed(r))
  end)

  it("does not wait for a session of anybody else", function()
    local r = router(asking.join())
    local alice = enter(r)
    knock(r)
    local subscription = alice:subscribe "com.x"
    alice:publish("com.x", { 1 }, nil, { exclude_me = false })
    assert.actions({ { alice, { core.UNSUBSCRIBED, alice.last_request + 1 } } },
      alice:unsubscribe(subscription))
  end)

  it("is no session as long as the question is open", function()
    local r = router(asking.join())
    local watcher = enter(r)
    meta.follow(watcher, { "wamp.session.on_join", "wamp.session.on_leave" })
    local alice, question = knock(r)
    assert.equal(1, meta.one(watcher, "wamp.session.count"))
    meta.refused(watcher, meta.no_such_session, "wamp.session.get",
      { r:question(question).session })
    assert.equal(1, r:counters().sessions)
    assert.equal(1, r:counters().joins)
    assert.heard({}, watcher, alice:drop())
  end)

  it("puts questions with ids of their own, whose sessions have ids of their own", function()
    local r = router(asking.join())
    local questions, sessions = {}, {}
    for _ = 1, 20 do
      local _, id = knock(r)
      assert.is_nil(questions[id])
      questions[id] = true
      assert.is_nil(sessions[r:question(id).session])
      sessions[r:question(id).session] = true
    end
    assert.equal(20, claimed(r))
  end)

  it("is turned down when too many sessions are being opened", function()
    local r = router(asking.join { max_joining = 2 })
    local alice, question = knock(r)
    local bob = knock(r)
    local carol, dave, erin = r:open(), r:open(), r:open()
    assert.actions(aborted(carol, "wamp.error.not_authorized", "max_joining"), carol:hello())
    accept(r, question)
    assert.actions({ { dave, ask = core.any } }, dave:hello())
    assert.actions(aborted(erin, "wamp.error.not_authorized", "max_joining"), erin:hello())
    bob:drop()
    knock(r)
    assert.equal(2, r:counters().refusals)
    assert.actions({}, alice:drop())
  end)

  it("is heard although others were challenged and do not answer", function()
    local r = router(asking.join { max_joining = 2 })
    local alice, first = knock(r)
    local bob, second = knock(r)
    challenge(r, second)
    challenge(r, first)
    local carol = r:open()
    local actions = carol:hello()
    local told, closed = table.unpack(aborted(bob, "wamp.error.authentication_failed",
      "others want to log in"))
    assert.actions({ told, closed, { carol, ask = core.any } }, actions)
    alice:send { AUTHENTICATE, "x", {} }
    -- whoever has answered stays
    local dave = r:open()
    assert.actions(aborted(dave, "wamp.error.not_authorized", "max_joining"), dave:hello())
  end)

  it("may be said again after GOODBYE, and is asked about again", function()
    local r = router(asking.join())
    local alice = enter(r)
    alice:send { GOODBYE, {}, "wamp.close.normal" }
    local actions = alice:hello()
    assert.actions({ { alice, ask = core.any } }, actions)
    assert.actions({ { alice, { WELCOME, core.id, core.any } }, { alice, joined = core.any } },
      accept(r, core.asked(actions)))
  end)
end)

core.describe("CHALLENGE", function(router)
  it("is sent as decided, and its answer is asked about", function()
    local r = router(asking.join())
    local alice, question = knock(r, { shoes = "red" })
    local session = r:question(question).session
    assert.actions({ { alice, { CHALLENGE, "ticket", { salt = "é", n = 5 } } } },
      challenge(r, question, { salt = "é", n = 5 }))
    assert.is_nil(r:question(question))
    local actions = alice:send { AUTHENTICATE, "s3cret", { nonce = "abc" } }
    local second = core.asked(actions)
    assert.actions({ { alice, ask = core.any } }, actions)
    assert.not_equal(question, second)
    local asked = r:question(second)
    assert.same({ "authenticate", 1, session, "s3cret", AUTHENTICATE }, { asked.ask, asked.round,
      asked.session, asked.message.text, asked.message.type })
    assert.like({ nonce = "abc" }, asked.message.dict)
    assert.like(core.including { shoes = "red" }, asked.hello.dict)
    assert.actions({ { alice, { WELCOME, session, core.any } }, { alice, joined = session } },
      accept(r, second))
    assert.is_nil(r:question(second))
  end)

  it("has an empty Extra when there is none", function()
    local r = router(asking.join())
    local alice, question = knock(r)
    assert.actions({ { alice, { CHALLENGE, "ticket", {} } } },
      r:decide { question = question, verdict = "challenge", authmethod = "ticket" })
  end)

  it("has its Extra transcoded", function()
    for _, codec in ipairs(core.codec_names) do
      local r = router(asking.join())
      local alice, question = knock(r)
      local extra = { a = core.list {}, b = {}, c = { 1, { d = "ü" } }, e = false }
      assert.actions({ { alice, { CHALLENGE, "scram", extra } } }, r:decide { codec = codec,
        question = question, verdict = "challenge", authmethod = "scram", extra = extra })
    end
  end)

  it("may come four times, not five", function()
    local r = router(asking.join())
    local alice, question = knock(r)
    for round = 1, 4 do
      assert.actions({ { alice, { CHALLENGE, "ticket", {} } } }, challenge(r, question))
      question = core.asked(alice:send { AUTHENTICATE, "try " .. round, {} })
      assert.equal(round, r:question(question).round)
      assert.equal("try " .. round, r:question(question).message.text)
    end
    assert.actions(aborted(alice, "wamp.error.authentication_failed", "challenges"),
      challenge(r, question))
    asking.gone(r, question)
  end)

  it("may come four times and end well", function()
    local r = router(asking.join())
    local alice, question = knock(r)
    for _ = 1, 4 do
      challenge(r, question)
      question = core.asked(alice:send { AUTHENTICATE, "x", {} })
    end
    assert.equal(WELCOME, accept(r, question)[1][2][1])
  end)
end)

core.describe("A session that is refused", function(router)
  it("hears the reason and the words of the decision", function()
    for _, row in ipairs { { "wamp.error.authentication_denied", "wrong ticket" },
      { "com.acme.closed", "we are closed" } } do
      local r = router(asking.join())
      local alice, question = knock(r)
      local actions = r:decide { question = question, verdict = "refuse", reason = row[1],
        words = row[2] }
      assert.actions({ { alice, { ABORT, { message = row[2] }, row[1] } },
        { alice, closed = 1000 } }, actions)
      assert.same({ "refused", row[1] }, { actions.notes[1][2], actions.notes[1].words })
      asking.gone(r, question)
      assert.equal(1, r:counters().refusals)
    end
  end)

  it("hears the reason alone when there are no words", function()
    local r = router(asking.join())
    local alice, question = knock(r)
    challenge(r, question)
    question = core.asked(alice:send { AUTHENTICATE, "x", {} })
    local reason = "wamp.error.authentication_denied"
    assert.actions({ { alice, { ABORT, {}, reason } }, { alice, closed = 1000 } },
      r:decide { question = question, verdict = "refuse", reason = reason })
    asking.gone(r, question)
  end)
end)

core.describe("A decision", function(router)
  local verdicts = { "accept", "challenge", "refuse", "allow", "deny" }

  local function passed_over(r, question)
    for _, verdict in ipairs(verdicts) do
      assert.actions({}, r:decide { question = question, verdict = verdict, authrole = "user",
        authmethod = "ticket", reason = "wamp.error.x" })
    end
  end

  it("on a question that nobody put is passed over", function()
    local r = router(asking.join())
    local _, question = knock(r)
    passed_over(r, 0)
    passed_over(r, question + 1)
    assert.not_nil(r:question(question))
  end)

  it("that comes twice counts once", function()
    local r = router(asking.join())
    local alice, question = knock(r)
    challenge(r, question)
    passed_over(r, question)
    local second = core.asked(alice:send { AUTHENTICATE, "x", {} })
    passed_over(r, question)
    accept(r, second)
    passed_over(r, second)
    alice:subscribe "com.x"
  end)

  it("that comes too late is passed over", function()
    local r = router(asking.join())
    local alice, first = knock(r)
    local bob, second = knock(r)
    local _, third = knock(r)
    alice:drop()
    bob:send { ABORT, {}, "wamp.error.cannot_authenticate" }
    r:advance(10000)
    for _, question in ipairs { first, second, third } do
      passed_over(r, question)
      asking.gone(r, question)
    end
  end)
end)

core.describe("While a session is being opened", function(router, codec)
  -- With the question about HELLO open; challenged; with the question about AUTHENTICATE open.
  local stages = {
    ["its HELLO is judged"] = function(r)
      return knock(r)
    end,
    ["it is challenged"] = function(r)
      local alice, question = knock(r)
      challenge(r, question)
      return alice, nil
    end,
    ["its AUTHENTICATE is judged"] = function(r)
      local alice, question = knock(r)
      challenge(r, question)
      return alice, core.asked(alice:send { AUTHENTICATE, "x", {} })
    end,
  }

  for stage, reach in pairs(stages) do
    for _, message in ipairs(unexpected) do
      it("and " .. stage .. ", it must not send " .. core.show(core.list(message)), function()
        local r = router(asking.join())
        local alice, question = reach(r)
        local actions = alice:send(message)
        assert.actions(violated(alice, question), actions)
        asking.gone(r, question or 1)
        assert.equal(1, r:counters().violations)
        assert.equal("violation", actions.notes[1][2])
        assert.actions({}, alice:drop())
      end)
    end

    it("and " .. stage .. ", what is no message ends it", function()
      local r = router(asking.join())
      local alice, question = reach(r)
      assert.actions(violated(alice, question), alice:send_octets "\xc1")
      asking.gone(r, question or 1)
    end)

    it("and " .. stage .. ", ABORT ends it without an answer", function()
      local r = router(asking.join())
      local alice, question = reach(r)
      local expected = { { alice, closed = 1000 } }
      if question then
        expected[2] = { alice, unask = question }
      end
      assert.actions(expected, alice:send { ABORT, {}, "wamp.error.cannot_authenticate" })
      asking.gone(r, question or 1)
    end)

    it("and " .. stage .. ", a lost connection ends it", function()
      local r = router(asking.join())
      local alice, question = reach(r)
      assert.actions(question and { { alice, unask = question } } or {}, alice:drop())
      asking.gone(r, question or 1)
    end)

    it("and " .. stage .. ", it has auth_timeout for that", function()
      local r = router(asking.join { auth_timeout_ms = 700 })
      local alice, question = reach(r)
      assert.equal(700, r:wakes_in())
      assert.actions({}, r:advance(699))
      assert.actions(aborted(alice, "wamp.error.authentication_failed", "^timeout$", question),
        r:advance(1))
      asking.gone(r, question or 1)
      assert.equal(1, r:counters().refusals)
    end)

    it("and " .. stage .. ", the end of the realm ends it", function()
      local r = router(asking.join())
      local bob = enter(r)
      local alice, question = reach(r)
      local actions = r:close_realm "wamp.close.system_shutdown"
      local expected = aborted(alice, "wamp.close.system_shutdown", ".", question)
      expected[#expected + 1] = { bob, { GOODBYE, {}, "wamp.close.system_shutdown" } }
      assert.actions(expected, actions)
      assert.equal(0, claimed(r))
    end)

    it("and " .. stage .. ", the router may be freed", function()
      local r = router(asking.join())
      reach(r)
      reach(r)
      assert.equal(2, claimed(r))
      r.raw:free()
    end)
  end

  it("each step has the whole auth_timeout", function()
    local r = router(asking.join { auth_timeout_ms = 1000 })
    local alice, question = knock(r)
    for _ = 1, 3 do
      assert.actions({}, r:advance(999))
      challenge(r, question)
      assert.actions({}, r:advance(999))
      question = core.asked(alice:send { AUTHENTICATE, "x", {} })
    end
    assert.actions({}, r:advance(999))
    accept(r, question)
    assert.actions({}, r:advance(1000000))
    alice:subscribe "com.x"
  end)

  it("has ten seconds where nothing else is configured", function()
    local r = router(asking.join())
    knock(r)
    assert.equal(10000, r:wakes_in())
  end)

  if codec == "json" then
    it("invalid UTF-8 closes with its own code", function()
      local r = router(asking.join())
      local alice, question = knock(r)
      local expected = violated(alice, question)
      expected[3] = { alice, closed = 1007 }
      assert.actions(expected, alice:send_octets '[5,"\xff",{}]')
    end)
  end
end)

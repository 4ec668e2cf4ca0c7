--- Authorization by somebody who is asked: what waits meanwhile, and in which order all goes on.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local CALL, PUBLISH, SUBSCRIBE, REGISTER = core.CALL, core.PUBLISH, core.SUBSCRIBE, core.REGISTER
local GOODBYE, ERROR, EVENT = core.GOODBYE, core.ERROR, core.EVENT
local not_authorized = meta.not_authorized
local acknowledged = { acknowledge = true }
local options, allow, deny = asking.requests, asking.allow, asking.deny
local ask, told = asking.subscribe, asking.told

core.describe("A request that is asked about", function(router)
  local rows = {
    { "call", CALL, "ask.x", {} }, { "publish", PUBLISH, "ask.x", acknowledged },
    { "subscribe", SUBSCRIBE, "ask.x", {} }, { "register", REGISTER, "ask.x", {} },
    { "subscribe", SUBSCRIBE, "ask.", { match = "prefix" }, "prefix" },
    { "register", REGISTER, "ask..x", { match = "wildcard" }, "wildcard" },
  }

  for _, row in ipairs(rows) do
    local action, code, uri, request_options, match = table.unpack(row)
    local name = match and action .. " " .. match or action

    it("is put into a question: " .. name, function()
      local r = router(options())
      local alice = r:join()
      local actions = alice:send { code, 1, request_options, uri, { 1, "é" }, { a = 5 } }
      if code == SUBSCRIBE or code == REGISTER then
        assert.actions(core.violation(alice), actions) -- they have no payload
        alice = r:join()
        actions = alice:send { code, 1, request_options, uri }
      end
      assert.actions({ { alice, ask = core.any } }, actions)
      local question = r:question(core.asked(actions))
      assert.same({ "authorize", alice, alice.session, action, match or "exact", uri, code, 1 },
        { question.ask, question.peer, question.session, question.action, question.match,
          question.message.text, question.message.type, question.message.id })
      assert.like(request_options, question.message.dict or {})
      assert.is_nil(question.hello)
      if code == CALL or code == PUBLISH then
        assert.like(core.list { 1, "é" }, question.message.args)
        assert.like({ a = 5 }, question.message.kwargs)
      end
    end)

    it("is denied: " .. name, function()
      for _, how in ipairs { { nil, nil, not_authorized },
        { "wamp.error.authorization_failed", "it crashed", "wamp.error.authorization_failed" } } do
        local r = router(options())
        local alice = r:join()
        local question = core.asked(alice:send { code, 1, request_options, uri })
        assert.actions({ { alice, { ERROR, code, 1, {}, how[3], how[2] and { how[2] } } } },
          deny(r, question, how[1], how[2]))
        assert.is_nil(r:question(question))
        assert.actions({}, allow(r, question))
        local counters = r:counters()
        assert.same({ 0, 0, 0, 0 }, { counters.subscriptions, counters.registrations,
          counters.pending_calls, counters.publications })
      end
    end)

    it("is done when it is allowed: " .. name, function()
      local r = router(options())
      local alice = r:join()
      local question = core.asked(alice:send { code, 1, request_options, uri })
      local done = told(alice, allow(r, question))
      assert.equal(code == CALL and "wamp.error.no_such_procedure" or tostring(code + 1), done)
      assert.is_nil(r:question(question))
      assert.actions({}, allow(r, question))
      assert.actions({}, deny(r, question))
    end)
  end

  it("that is a PUBLISH nobody waits for is denied in silence", function()
    local r = router(options())
    local alice, watcher = r:join(), r:join()
    watcher:subscribe "com.x"
    local question = core.asked(alice:publish "ask.x")
    assert.actions({}, alice:publish "com.x")
    local actions = deny(r, question, "wamp.error.authorization_failed", "it crashed")
    assert.equal("", told(alice, actions))
    assert.equal("36", told(watcher, actions))
  end)

  it("is not asked about when the operation would refuse it anyway", function()
    local r = router(options())
    local alice = r:join()
    assert.equal("wamp.error.invalid_uri", told(alice, alice:send { CALL, 1, {}, "ask..x" }))
    assert.actions(core.violation(alice), alice:send { SUBSCRIBE, 2, { match = 7 }, "ask.x" })
  end)

  it("carries what it brought: payload, options, and all", function()
    local r = router(options())
    local alice, watcher = r:join(), r:join { roles = core.all_roles }
    local subscription = core.capture(core.id)
    local question = ask(watcher)
    assert.actions({ { watcher, { core.SUBSCRIBED, 1, subscription } } }, allow(r, question))
    local payload = core.list { 1, "é", 2.5, core.null, { a = core.list {} } }
    question = core.asked(alice:publish("ask.x", payload, { k = true }, { disclose_me = true,
      acknowledge = true }))
    assert.actions({ { alice, { core.PUBLISHED, 1, core.id } },
      { watcher, { EVENT, core.id, core.id, core.including { publisher = alice.session }, payload,
        { k = true } } } }, allow(r, question))
  end)

  it("is asked about again the next time", function()
    local r = router(options())
    local alice = r:join()
    local first = core.asked(alice:publish "ask.x")
    allow(r, first)
    local second = core.asked(alice:publish "ask.x")
    assert.not_nil(second)
    assert.not_equal(first, second)
  end)

  it("may be one of the router's own procedures", function()
    for _, is_explicit in ipairs { true, false } do
      local r = router { rules = { { name = "anonymous", rules = {
        { effect = "ask", actions = "call", uri = "wamp.**" } } } } }
      local alice, bob = r:join(), r:join()
      local question = core.asked(alice:call("wamp.session.kill", { bob.session }))
      local actions = allow(r, question, { is_explicit = is_explicit })
      assert.equal(is_explicit and "50" or not_authorized, told(alice, actions))
      assert.equal(is_explicit and "6" or "", told(bob, actions))
    end
  end)
end)

core.describe("What was decided with a grant", function(router)
  local function scene(more)
    local r = router(options(more))
    local callee = r:join { roles = core.all_roles }
    allow(r, core.asked(callee:send { REGISTER, callee:next_request(), {}, "ask.x" }))
    allow(r, ask(callee))
    return r, r:join(), callee
  end

  it("discloses a caller and a publisher", function()
    local r, alice, callee = scene { disclose_caller = "never", disclose_publisher = "never" }
    local grant = { disclose = true }
    local actions = allow(r, core.asked(alice:call "ask.x"), grant)
    assert.like({ caller = alice.session, caller_authid = alice.welcome.authid,
      caller_authrole = "anonymous" }, callee:first(actions, core.INVOCATION)[4])
    actions = allow(r, core.asked(alice:publish "ask.x"), grant)
    assert.equal(alice.session, callee:first(actions, EVENT)[4].publisher)
  end)

  it("hides them", function()
    local r, alice, callee = scene { disclose_caller = "always", disclose_publisher = "always" }
    local grant = { disclose = false }
    assert.like({}, callee:first(allow(r, core.asked(alice:call "ask.x"), grant),
      core.INVOCATION)[4])
    assert.like({}, callee:first(allow(r, core.asked(alice:publish "ask.x"), grant), EVENT)[4])
  end)

  it("has a trust level", function()
    local r, alice, callee = scene { trustlevel = 3 }
    for _, row in ipairs { { { trustlevel = 7 }, 7 }, { { trustlevel = 0 }, 0 }, { {}, 3 } } do
      local actions = allow(r, core.asked(alice:call "ask.x"), row[1])
      assert.equal(row[2], callee:first(actions, core.INVOCATION)[4].trustlevel)
      actions = allow(r, core.asked(alice:publish "ask.x"), row[1])
      assert.equal(row[2], callee:first(actions, EVENT)[4].trustlevel)
    end
  end)

  it("has a timeout, which begins with the call and not with the question", function()
    local r, alice = scene()
    local question = core.asked(alice:call("ask.x", nil, nil, { timeout = 100 }))
    assert.actions({}, r:advance(5000))
    allow(r, question, { timeout = 50 })
    assert.actions({}, r:advance(49))
    assert.equal("wamp.error.timeout", told(alice, r:advance(1)))
  end)

  it("is for that request only", function()
    local r, alice, callee = scene()
    allow(r, core.asked(alice:call "ask.x"), { disclose = true, trustlevel = 5, timeout = 10 })
    local actions = allow(r, core.asked(alice:call "ask.x"))
    assert.like({}, callee:first(actions, core.INVOCATION)[4])
  end)

  it("is kept for a call that waits for a callee", function()
    local r, alice, callee = scene { call_queue_len = 5, callee_max_pending = 1 }
    local first = allow(r, core.asked(alice:call "ask.x"))
    assert.actions({}, allow(r, core.asked(alice:call "ask.x"), { disclose = true }))
    local actions = callee:yield(callee:first(first, core.INVOCATION)[2])
    assert.equal(alice.session, callee:first(actions, core.INVOCATION)[4].caller)
  end)
end)

core.describe("Behind a request that is judged", function(router)
  --- A session with a question open, a subscription and a registration; and one that listens.
  local function scene(more)
    local r = router(options(more))
    local alice, watcher = r:join { roles = core.all_roles }, r:join()
    local held = { subscription = alice:subscribe "com.mine",
      registration = alice:register "com.mine" }
    watcher:subscribe "com.x"
    return r, alice, ask(alice), watcher, held
  end

  it("later requests wait, and are done in their order", function()
    local r, alice, question, watcher, held = scene()
    local base = alice.last_request
    assert.actions({}, alice:publish("com.x", { 1 }, nil, acknowledged))
    assert.actions({}, alice:send { SUBSCRIBE, alice:next_request(), {}, "com.z" })
    assert.actions({}, alice:send { REGISTER, alice:next_request(), {}, "com.z" })
    assert.actions({}, alice:call "com.nobody")
    assert.actions({}, alice:unsubscribe(held.subscription))
    assert.actions({}, alice:unregister(held.registration))
    assert.actions({}, alice:publish("com.x", { 2 }))
    assert.actions({
      { alice, { core.SUBSCRIBED, base, core.id } },
      { alice, { core.PUBLISHED, base + 1, core.id } },
      { watcher, { EVENT, core.id, core.id, {}, { 1 } } },
      { alice, { core.SUBSCRIBED, base + 2, core.id } },
      { alice, { core.REGISTERED, base + 3, core.id } },
      { alice, core.failure(CALL, base + 4, "wamp.error.no_such_procedure") },
      { alice, { core.UNSUBSCRIBED, base + 5 } },
      { alice, { core.UNREGISTERED, base + 6 } },
      { watcher, { EVENT, core.id, core.id, {}, { 2 } } },
    }, allow(r, question))
    assert.equal(tostring(core.PUBLISHED), told(alice, alice:publish("com.x", {}, nil,
      acknowledged)))
  end)

  it("later requests go on after a denial as well", function()
    local r, alice, question, watcher = scene()
    alice:publish("com.x", { 1 })
    local actions = deny(r, question)
    assert.equal(not_authorized, told(alice, actions))
    assert.equal("36", told(watcher, actions))
  end)

  it("a request that is denied by a rule is not answered before its turn", function()
    local r, alice, question = scene()
    assert.actions({}, alice:publish("no.x", {}, nil, acknowledged))
    assert.equal("33 " .. not_authorized, told(alice, allow(r, question)))
  end)

  it("one question comes after the other", function()
    local r, alice, question, watcher = scene()
    alice:publish("ask.x", { 1 }, nil, acknowledged)
    alice:publish("com.x", { 2 })
    alice:call "ask.y"
    alice:publish("com.x", { 3 })
    local actions = allow(r, question)
    assert.same({ 1, "33", "" }, { asking.count(actions), told(alice, actions),
      told(watcher, actions) })
    actions = deny(r, core.asked(actions))
    assert.same({ 1, not_authorized, "36" }, { asking.count(actions), told(alice, actions),
      told(watcher, actions) })
    assert.equal("ask.y", r:question(core.asked(actions)).message.text)
    actions = allow(r, core.asked(actions))
    assert.same({ 0, "wamp.error.no_such_procedure", "36" }, { asking.count(actions),
      told(alice, actions), told(watcher, actions) })
  end)

  it("a thousand questions may come from one session", function()
    local r, alice, question = scene()
    for _ = 1, 1000 do
      alice:publish("ask.x", {}, nil, acknowledged)
    end
    for _ = 1, 1001 do
      assert.not_nil(question)
      question = core.asked(allow(r, question))
    end
    assert.is_nil(question)
  end)

  it("other sessions are not held up", function()
    local r, alice, question, watcher = scene()
    local bob = r:join()
    alice:publish("com.x", { 1 })
    assert.equal("36", told(watcher, bob:publish("com.x", { 2 })))
    local other = ask(bob)
    assert.equal("33", told(bob, allow(r, other)))
    assert.equal("36", told(watcher, allow(r, question)))
  end)

  it("a callee goes on answering", function()
    local r, alice, question = scene()
    local bob = r:join()
    local one = alice:first(bob:call "com.mine", core.INVOCATION)
    local two = alice:first(bob:call "com.mine", core.INVOCATION)
    assert.actions({ { bob, { core.RESULT, 1, {} } } }, alice:yield(one[2]))
    assert.actions({ { bob, core.failure(CALL, 2, "com.error") } },
      alice:refuse(two[2], "com.error"))
    assert.not_nil(r:question(question))
  end)

  it("requests are read only when their turn comes", function()
    local r, alice, question, watcher = scene()
    assert.actions({}, alice:publish("com.x", { 1 }))
    assert.actions({}, alice:send { SUBSCRIBE, 50, { match = 5 }, "com.y" })
    assert.actions({}, alice:publish("com.x", { 2 }))
    local actions = allow(r, question)
    assert.equal("33 3", told(alice, actions))
    assert.equal("36", told(watcher, actions))
    assert.equal(1002, actions[#actions].closed)
    assert.equal(1, r:counters().violations)
    assert.equal(1, r:counters().sessions)
    assert.actions({}, alice:drop())
  end)

  it("a violation that does not wait ends all", function()
    local r, alice, question = scene()
    alice:publish("com.x", { 1 })
    local actions = alice:send { core.WELCOME, 1, {} }
    assert.actions({ { alice, { core.ABORT, core.any, "wamp.error.protocol_violation" } },
      { alice, unask = question }, { alice, closed = 1002 } }, actions)
    assert.is_nil(r:question(question))
    assert.actions({}, allow(r, question))
  end)

  it("EVENTs and INVOCATIONs go on coming", function()
    local r, alice = scene()
    local bob = r:join()
    assert.equal("36", told(alice, bob:publish "com.mine"))
    assert.equal("68", told(alice, bob:call "com.mine"))
  end)

  it("request ids are checked in their order", function()
    local r, alice, question = scene { request_id_check = "strict" }
    alice:publish("com.x", {}, nil, acknowledged)
    alice:publish("com.x", {}, nil, acknowledged)
    assert.equal("33 17 17", told(alice, allow(r, question)))
    question = ask(alice)
    alice:send { PUBLISH, alice.last_request + 2, acknowledged, "com.x" }
    assert.equal("33 3", told(alice, allow(r, question)))
  end)
end)

core.describe("A session that ends while it is judged", function(router)
  local ends = {
    ["GOODBYE"] = { function(alice) return alice:send { GOODBYE, {}, "wamp.close.normal" } end,
      function(alice, question)
        return { { alice, { GOODBYE, {}, "wamp.close.goodbye_and_out" } },
          { alice, unask = question }, { alice, released = true } }
      end },
    ["ABORT"] = { function(alice) return alice:send { core.ABORT, {}, "wamp.close.normal" } end,
      function(alice, question)
        return { { alice, closed = 1000 }, { alice, unask = question } }
      end },
    ["a lost connection"] = { function(alice) return alice:drop() end,
      function(alice, question) return { { alice, unask = question } } end },
    ["the end of the realm"] = { function(alice) return alice.router:close_realm() end,
      function(alice, question)
        return { { alice, { GOODBYE, {}, "wamp.close.close_realm" } },
          { alice, unask = question } }
      end },
  }

  for name, row in pairs(ends) do
    it("by " .. name .. " takes its question back and all that waits with it", function()
      local r = router(options())
      local alice = r:join()
      local question = ask(alice)
      alice:publish("com.x", {}, nil, acknowledged)
      alice:call "ask.y"
      assert.actions(row[2](alice, question), row[1](alice))
      assert.is_nil(r:question(question))
      assert.actions({}, allow(r, question))
      assert.equal(0, asking.claimed(r))
    end)
  end

  it("because another kills it", function()
    local r = router(options { anonymous_admin = true })
    local alice, boss = r:join(), r:join()
    local question = ask(alice)
    alice:publish "com.x"
    local actions = boss:call("wamp.session.kill", { alice.session })
    assert.actions({ { alice, unask = question } }, { actions[2] })
    assert.actions({}, allow(r, question))
    assert.actions({}, alice:publish "com.x")
  end)

  it("by what it asked for itself: the rest is forgotten", function()
    local r = router(options { anonymous_admin = true })
    local alice, bob = r:join(), r:join()
    local first, second = ask(alice), ask(bob)
    alice:call("wamp.session.kill", { bob.session })
    alice:publish("com.x", {}, nil, acknowledged)
    bob:publish("com.x", {}, nil, acknowledged)
    local actions = allow(r, first)
    assert.equal("33 50 17", told(alice, actions))
    assert.equal("6", told(bob, actions))
    assert.actions({}, allow(r, second))
  end)

  it("says HELLO again, and nothing of it is left", function()
    local r = router(options())
    local alice = r:join()
    local question = ask(alice)
    alice:publish("com.x", {}, nil, acknowledged)
    alice:send { GOODBYE, {}, "wamp.close.normal" }
    alice:hello()
    assert.actions({}, allow(r, question))
    assert.equal("17", told(alice, alice:publish("com.x", {}, nil, acknowledged)))
  end)

  it("leaves nothing in a core that is freed", function()
    local r = router(options())
    for _ = 1, 3 do
      local alice = r:join()
      ask(alice)
      alice:publish "com.x"
    end
    r.raw:free()
  end)
end)

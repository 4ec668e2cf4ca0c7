--- Publications and calls that go on only when somebody has seen them.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
require "meta" -- for assert.like

local CALL, ERROR, PUBLISH = core.CALL, core.ERROR, core.PUBLISH
local EVENT, INVOCATION, RESULT = core.EVENT, core.INVOCATION, core.RESULT
local allow, deny = asking.allow, asking.deny

--- Everything is allowed, but "ask.**" asked about and "no.**" denied; these are intercepted.
local function seen(...)
  return asking.requests { intercepts = { ... } }
end

local function question_of(r, actions)
  return r:question(core.asked(actions))
end

core.describe("Interception", function(router)
  local function realm(...)
    local r = router(seen(...))
    return r, r:join({ roles = core.all_roles }), r:join({ roles = core.all_roles })
  end

  it("asks about what the rules allow, and says what they gave", function()
    local r = router { intercepts = { "publish", "call" }, rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "*", uri = "**", disclose = true, trustlevel = 3,
        timeout = 100 } } } } }
    local alice = r:join()
    local question = question_of(r, alice:publish("com.x", { 1 }, { a = 2 }, { exclude = { 5 } }))
    assert.like(core.including { ask = "authorize", action = "publish", match = "exact",
      needs = "intercept", peer = core.any, session = alice.session,
      given = { disclose = true, trustlevel = 3, timeout = 100 },
      message = core.including { text = "com.x", args = { 1 }, kwargs = { a = 2 },
        dict = { exclude = { 5 } } } }, question)
    alice = r:join()
    question = question_of(r, alice:call "com.x")
    assert.like(core.including { ask = "authorize", action = "call", needs = "intercept" },
      question)
    assert.is_nil(question.is_chunk)
  end)

  it("asks all in one question", function()
    local r, alice = realm("publish", "call")
    assert.equal("authorize intercept", question_of(r, alice:publish "ask.x").needs)
    alice = r:join()
    assert.equal("authorize intercept", question_of(r, alice:call "ask.x").needs)
    alice = r:join()
    assert.equal("authorize", question_of(r, alice:send { core.SUBSCRIBE, 1, {}, "ask.x" }).needs)
    alice = r:join()
    assert.equal("authorize", question_of(r, alice:send { core.REGISTER, 1, {}, "ask.x" }).needs)
  end)

  it("works where there are no rules", function()
    local r = router { intercepts = { "publish", "call" } }
    local alice, bob = r:join(), r:join()
    local id = bob:subscribe "com.x"
    assert.actions({ { bob, { EVENT, id, core.id, {}, { 2 } } } },
      allow(r, core.asked(alice:publish("com.x", { 1 })), { args = { 2 } }))
  end)

  it("is of those messages alone that were named", function()
    local _, alice, bob = realm("publish")
    local id = bob:register "com.x"
    assert.actions({ { bob, { INVOCATION, 1, id, {} } } }, alice:call "com.x")
    assert.equal(1, asking.count(alice:publish "com.x"))
    _, alice, bob = realm("call")
    id = bob:subscribe "com.x"
    assert.actions({ { bob, { EVENT, id, core.id, {} } } }, alice:publish "com.x")
    assert.equal(1, asking.count(alice:call "com.x"))
  end)

  it("is not of what is denied or wrong anyway", function()
    local _, alice = realm("publish", "call")
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.not_authorized") } },
      alice:call "no.x")
    assert.actions({ { alice, core.failure(CALL, 2, "wamp.error.invalid_uri") } },
      alice:call "a..b")
    assert.actions({ { alice, core.failure(PUBLISH, 3, "wamp.error.invalid_uri") } },
      alice:publish("wamp.x", nil, nil, { acknowledge = true }))
  end)

  it("is not of what the router answers itself, but of what its own code does", function()
    local r, alice, bob = realm("publish", "call")
    assert.actions({ { alice, { RESULT, 1, {}, { 2 } } } }, alice:call "wamp.session.count")
    assert.actions({ { alice, core.failure(CALL, 2, "wamp.error.no_such_procedure") } },
      alice:call "nexus.x")
    local trusted = r:join(nil, { is_trusted = true })
    local id = trusted:register "nexus.x"
    local question = core.asked(alice:call "nexus.x")
    assert.actions({ { trusted, { INVOCATION, 1, id, core.any } } },
      allow(r, question, { is_explicit = true }))
    bob:subscribe "com.x"
    assert.equal(EVENT, bob:messages(trusted:publish "com.x")[1][1])
    assert.actions({ { trusted, core.failure(CALL, 2, "wamp.error.no_such_procedure") } },
      trusted:send { CALL, 2, {}, "com.none" })
  end)

  it("keeps what the rules gave unless it says otherwise", function()
    local r = router { intercepts = { "call" }, rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "*", uri = "**", disclose = true, trustlevel = 3,
        timeout = 100 } } } } }
    local alice, bob = r:join(), r:join({ roles = core.all_roles })
    local id = bob:register "com.x"
    local function details(grant)
      local actions = allow(r, core.asked(alice:call "com.x"), grant)
      assert.equal(id, actions[1][2][3])
      local after = r:wakes_in()
      bob:yield(actions[1][2][2])
      return actions[1][2][4], after
    end
    local got, timeout = details()
    assert.like(core.including { caller = alice.session, trustlevel = 3 }, got)
    assert.equal(100, timeout)
    got, timeout = details { disclose = false, trustlevel = 7, timeout = 50 }
    assert.like({ trustlevel = 7 }, got)
    assert.equal(50, timeout)
    got, timeout = details { args = { 1 }, timeout = 500 }
    assert.like(core.including { trustlevel = 3 }, got)
    assert.equal(100, timeout)
  end)

  it("may deny", function()
    local r, alice = realm("publish", "call")
    local options = { acknowledge = true }
    assert.actions({ { alice, { ERROR, PUBLISH, 1, {}, "com.x.no", { "words" } } } },
      deny(r, core.asked(alice:publish("com.x", nil, nil, options)), "com.x.no", "words"))
    assert.actions({ { alice, { ERROR, CALL, 2, {}, "com.x.no" } } },
      deny(r, core.asked(alice:call "com.x"), "com.x.no"))
    assert.equal(1, r:counters().errors)
  end)

  it("makes later requests wait, and answers pass", function()
    local r, alice, bob = realm("publish", "call")
    local id = alice:register "com.mine"
    alice:subscribe "com.topic"
    local question = core.asked(bob:call "com.mine")
    assert.actions({ { alice, { INVOCATION, 1, id, {} } } }, allow(r, question))
    question = core.asked(alice:publish "com.topic")
    assert.actions({}, alice:send { core.SUBSCRIBE, 4, {}, "com.later" })
    assert.actions({ { bob, { RESULT, 1, {} } } }, alice:yield(1))
    assert.actions({ { alice, { core.SUBSCRIBED, 4, core.id } } }, allow(r, question))
  end)

  it("is a reason to take no testaments, which cannot wait", function()
    local r, alice, bob = realm()
    local id = bob:subscribe "com.x"
    assert.actions({ { alice, { RESULT, 1, {} } } },
      alice:call("wamp.session.add_testament", { "com.x", core.list { 1 }, {} }))
    r:renew(seen "publish")
    assert.actions({ { alice, core.failure(CALL, 2, "wamp.error.not_authorized") } },
      alice:call("wamp.session.add_testament", { "com.x", core.list { 1 }, {} }))
    assert.actions({}, alice:drop())
    local trusted = r:join(nil, { is_trusted = true })
    trusted:call("wamp.session.add_testament", { "com.x", core.list { 2 }, {} })
    assert.actions({ { bob, { EVENT, id, core.id, {}, { 2 }, core.rest } } }, trusted:drop())
  end)

  it("ends when the rules of the realm are renewed without it", function()
    local r, alice = realm("publish")
    local question = core.asked(alice:publish "com.x")
    r:renew(asking.requests())
    allow(r, question)
    assert.actions({}, alice:publish "com.x")
    r:renew(seen "publish")
    assert.equal(1, asking.count(alice:publish "com.x"))
  end)
end)

core.describe("Input of a call that is intercepted", function(router)
  local function realm(more)
    local options = seen "call"
    for k, v in pairs(more or {}) do
      options[k] = v
    end
    local r = router(options)
    local alice, bob = r:join({ roles = core.all_roles }), r:join({ roles = core.all_roles })
    return r, alice, bob, bob:register "com.x"
  end

  --- The first message of a progressive call, which is allowed.
  local function begin(r, alice, grant)
    local question = core.asked(alice:send { CALL, 1, { progress = true }, "ask.x", { 0 } })
    return allow(r, question, grant or { uri = "com.x" })
  end

  it("is asked about with each message, but not whether it is allowed", function()
    local r, alice, bob, id = realm()
    assert.actions({ { bob, { INVOCATION, 1, id, { progress = true }, { 0 } } } },
      begin(r, alice))
    local question = core.asked(alice:chunk(1, "ask.x", { 1 }, { progress = true }))
    assert.like(core.including { needs = "intercept", is_chunk = true, action = "call" },
      r:question(question))
    assert.actions({ { bob, { INVOCATION, 1, id, { progress = true }, { "one" } } } },
      allow(r, question, { args = { "one" } }))
    question = core.asked(alice:chunk(1, "ask.x", { 2 }))
    assert.actions({ { bob, { INVOCATION, 1, id, {}, { 2 }, { a = 1 } } } },
      allow(r, question, { kwargs = { a = 1 } }))
    assert.actions({ { alice, { RESULT, 1, {} } } }, bob:yield(1))
  end)

  it("keeps its order", function()
    local r, alice, bob, id = realm()
    local question = core.asked(alice:send { CALL, 1, { progress = true }, "com.x", { 0 } })
    for i = 1, 3 do
      assert.actions({}, alice:chunk(1, "com.x", { i }, { progress = i < 3 }))
    end
    for i = 0, 3 do
      local actions = allow(r, question)
      assert.actions({ { bob, { INVOCATION, 1, id, core.any, { i } } },
        i < 3 and { alice, ask = core.any } or nil }, actions)
      question = core.asked(actions)
    end
  end)

  it("goes where the first message went, with its options", function()
    local r, alice, bob, id = realm()
    bob:register "com.y"
    begin(r, alice)
    local question = core.asked(alice:chunk(1, "ask.x", { 1 }))
    assert.actions({ { bob, { INVOCATION, 1, id, {}, { 5 } } } },
      allow(r, question, { uri = "com.y", options = { timeout = 5 }, args = { 5 } }))
    assert.is_nil(r:wakes_in())
  end)

  it("ends the call when it is denied", function()
    local r, alice, bob = realm()
    begin(r, alice)
    local question = core.asked(alice:chunk(1, "ask.x", { 1 }, { progress = true }))
    assert.actions({
      { bob, { core.INTERRUPT, 1, core.any } },
      { alice, { ERROR, CALL, 1, {}, "com.x.no" } },
    }, deny(r, question, "com.x.no"))
    assert.equal(0, r:counters().pending_calls)
    assert.actions({}, alice:chunk(1, "ask.x", { 2 }))
    assert.actions({}, bob:yield(1))
  end)

  it("ends the call when what is said does not fit", function()
    local r, alice, bob = realm()
    local options = { progress = true, ppt_scheme = "x_mine" }
    local question = core.asked(alice:send { CALL, 1, options, "com.x", { core.binary "x" } })
    allow(r, question)
    question = core.asked(alice:chunk(1, "com.x", { core.binary "y" }, options))
    assert.actions({
      { bob, { core.INTERRUPT, 1, core.any } },
      { alice, { ERROR, CALL, 1, {}, "wamp.error.authorization_failed" } },
    }, allow(r, question, { args = { 1 } }))
  end)

  it("is of no interest when the call has ended meanwhile", function()
    for _, verdict in ipairs { "allow", "deny" } do
      local r, alice, bob = realm()
      begin(r, alice)
      local question = core.asked(alice:chunk(1, "ask.x", { 1 }))
      assert.actions({ { alice, { RESULT, 1, {} } } }, bob:yield(1))
      assert.actions({}, alice:cancel(1))
      assert.actions({}, alice:send { core.SUBSCRIBE, 2, {}, "com.t" })
      assert.actions({ { alice, { core.SUBSCRIBED, 2, core.id } } },
        r:decide { question = question, verdict = verdict })
    end
  end)

  it("is late however long it had to wait", function()
    local r, alice, bob = realm()
    begin(r, alice)
    local question = core.asked(alice:send { core.SUBSCRIBE, 2, {}, "ask.y" })
    assert.actions({ { alice, { RESULT, 1, {} } } }, bob:yield(1))
    assert.actions({}, alice:chunk(1, "ask.x", { 1 }))
    r:advance(70000)
    assert.actions({}, alice:cancel(1))
    assert.actions({ { alice, { core.SUBSCRIBED, 2, core.id } } }, allow(r, question))
  end)

  it("may still end the session then", function()
    local r, alice, bob = realm()
    begin(r, alice)
    local question = core.asked(alice:chunk(1, "ask.x", { 1 }))
    bob:yield(1)
    assert.actions({ { alice, { core.GOODBYE, {}, "wamp.error.not_authorized" } } },
      r:decide { question = question, verdict = "deny", closes = true })
  end)

  it("is no reason to answer a CANCEL twice", function()
    local r, alice, bob = realm()
    begin(r, alice)
    local question = core.asked(alice:chunk(1, "ask.x", { 1 }, { progress = true }))
    assert.actions({}, alice:chunk(1, "ask.x", { 2 }))
    assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.canceled") },
      { bob, { core.INTERRUPT, 1, core.any } } }, alice:cancel(1, "killnowait"))
    assert.actions({}, alice:cancel(1, "killnowait"))
    assert.actions({}, allow(r, question))
  end)

  it("waits for a callee as well", function()
    local r, alice, bob, id = realm { call_queue_len = 5 }
    bob:unregister(id)
    id = bob:register("com.x", { concurrency = 1 })
    local carol = r:join()
    allow(r, core.asked(carol:call "com.x"))
    assert.actions({}, begin(r, alice))
    local question = core.asked(alice:chunk(1, "ask.x", { 1 }))
    assert.actions({}, allow(r, question, { args = { "one" } }))
    assert.actions({ { carol, { RESULT, 1, {} } },
      { bob, { INVOCATION, 2, id, { progress = true }, { 0 } } },
      { bob, { INVOCATION, 2, id, {}, { "one" } } } }, bob:yield(1))
  end)
end)

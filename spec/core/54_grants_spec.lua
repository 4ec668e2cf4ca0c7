--- What those who are asked replace in a request that they allow.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
require "meta" -- for assert.like

local CALL, PUBLISH, SUBSCRIBE, REGISTER = core.CALL, core.PUBLISH, core.SUBSCRIBE, core.REGISTER
local EVENT, INVOCATION, RESULT = core.EVENT, core.INVOCATION, core.RESULT
local failed = "wamp.error.authorization_failed"
local allow, requests = asking.allow, asking.requests

--- The peer says that, about which is asked; returns the question.
local function ask(peer, message)
  local actions = peer:send(message)
  assert.actions({ { peer, ask = core.any } }, actions)
  return core.asked(actions)
end

core.describe("A publication that is allowed", function(router)
  local details = core.any -- the router's own code is told who publishes

  local function realm(options)
    local r = router(requests(options))
    return r, r:join({ roles = core.all_roles }),
      r:join({ roles = core.all_roles }, { is_trusted = true })
  end

  it("may get another topic, which is not judged again", function()
    local r, alice, bob = realm()
    for i, topic in ipairs { "com.other", "no.other", "ask.other" } do
      local id = bob:subscribe(topic)
      local question = ask(alice, { PUBLISH, i, {}, "ask.x", { 1 } })
      assert.actions({ { bob, { EVENT, id, core.id, details, { 1 } } } },
        allow(r, question, { uri = topic }))
    end
  end)

  it("may get other arguments", function()
    local r, alice, bob = realm()
    local id = bob:subscribe "ask.x"
    local function event(...)
      return { { bob, { EVENT, id, core.id, details, ... } } }
    end
    local question = ask(alice, { PUBLISH, 1, {}, "ask.x", { 1, 2 }, { a = 3 } })
    assert.actions(event({ "new" }, { a = 3 }), allow(r, question, { args = { "new" } }))
    question = ask(alice, { PUBLISH, 2, {}, "ask.x", { 1, 2 }, { a = 3 } })
    assert.actions(event({ 1, 2 }, { b = "é" }), allow(r, question, { kwargs = { b = "é" } }))
    question = ask(alice, { PUBLISH, 3, {}, "ask.x" })
    assert.actions(event({ 7 }, { b = 8 }),
      allow(r, question, { args = { 7 }, kwargs = { b = 8 } }))
  end)

  it("may lose its arguments", function()
    local r, alice, bob = realm()
    local id = bob:subscribe "ask.x"
    local question = ask(alice, { PUBLISH, 1, {}, "ask.x", { 1, 2 }, { a = 3 } })
    assert.actions({ { bob, { EVENT, id, core.id, details, core.list {}, { a = 3 } } } },
      allow(r, question, { args = {} }))
    question = ask(alice, { PUBLISH, 2, {}, "ask.x", { 1, 2 }, { a = 3 } })
    assert.actions({ { bob, { EVENT, id, core.id, details, { 1, 2 } } } },
      allow(r, question, { kwargs = {} }))
    question = ask(alice, { PUBLISH, 3, {}, "ask.x", { 1, 2 }, { a = 3 } })
    assert.actions({ { bob, { EVENT, id, core.id, details } } },
      allow(r, question, { args = {}, kwargs = {} }))
  end)

  it("keeps what it has got as a retained event and in its history", function()
    local r, alice = realm { event_history = { { uri = "com.kept" } } }
    local question = ask(alice, { PUBLISH, 1, {}, "ask.x", { 1 }, { a = 1 } })
    assert.actions({}, allow(r, question,
      { uri = "com.kept", args = { "other" }, options = { retain = true } }))
    local bob = r:join()
    local request = bob:next_request()
    local actions = bob:send { SUBSCRIBE, request, { get_retained = true }, "com.kept" }
    assert.like({ "other" }, actions[2][2][5])
    assert.like({ a = 1 }, actions[2][2][6])
    local events = bob:call("wamp.subscription.get_events", { actions[1][2][3] })
    assert.actions({ { bob, { RESULT, 2, {}, { core.including { args = { "other" },
      kwargs = { a = 1 } } }, core.any } } }, events)
  end)

  it("may get options, which stand before its own", function()
    local r, alice, bob = realm()
    local carol = r:join(nil, { is_trusted = true })
    local id = bob:subscribe "ask.x"
    carol:subscribe "ask.x"
    local question = ask(alice, { PUBLISH, 1, { eligible = { carol.session }, acknowledge = true },
      "ask.x" })
    assert.actions({ { alice, { core.PUBLISHED, 1, core.id } },
      { bob, { EVENT, id, core.id, details } } },
      allow(r, question, { options = { eligible = { bob.session } } }))
    question = ask(alice, { PUBLISH, 2, {}, "ask.x" })
    assert.actions({ { carol, { EVENT, id, core.id, details } } },
      allow(r, question, { options = { exclude = { bob.session } } }))
  end)

  it("may lose options of its own", function()
    local r, alice, bob = realm()
    local id = bob:subscribe "ask.x"
    local question = ask(alice, { PUBLISH, 1, { eligible = core.list {}, exclude_me = false },
      "ask.x" })
    assert.actions({ { bob, { EVENT, id, core.id, details } } },
      allow(r, question, { options = { eligible = core.null } }))
  end)

  it("is denied when an option is not one", function()
    local r, alice = realm()
    for i, options in ipairs { { exclude_me = 5 }, { eligible = "bob" }, { acknowledge = false },
      { ppt_scheme = "x_mine" } } do
      local question = ask(alice, { PUBLISH, i, { acknowledge = true }, "ask.x" })
      local actions = allow(r, question, { options = options })
      assert.actions({ { alice, { core.ERROR, PUBLISH, i, {}, failed } } }, actions)
      assert.equal("denied", actions.notes[1][2])
      assert.truthy(actions.notes[1].cause:find(next(options):match "^%l+", 1, true),
        actions.notes[1].cause)
    end
  end)

  it("is denied when its new topic is not one", function()
    local r, alice = realm()
    for i, uri in ipairs { "", "a..b", "a b", "wamp.x", "nexus.x" } do
      local question = ask(alice, { PUBLISH, 2 * i - 1, { acknowledge = true }, "ask.x" })
      assert.actions({ { alice, { core.ERROR, PUBLISH, 2 * i - 1, {}, failed } } },
        allow(r, question, { uri = uri }))
      question = ask(alice, { PUBLISH, 2 * i, {}, "ask.x" })
      assert.actions({}, allow(r, question, { uri = uri }))
    end
  end)

  it("keeps a payload that is for its receivers alone", function()
    local r, alice, bob = realm()
    local id = bob:subscribe "ask.x"
    local options = { ppt_scheme = "x_mine", acknowledge = true }
    for i, grant in ipairs { { args = { 1 } }, { kwargs = { a = 1 } } } do
      local question = ask(alice, { PUBLISH, i, options, "ask.x", { core.binary "x" } })
      local actions = allow(r, question, grant)
      assert.actions({ { alice, { core.ERROR, PUBLISH, i, {}, failed } } }, actions)
      assert.truthy(actions.notes[1].cause:find "payload")
    end
    local question = ask(alice, { PUBLISH, 3, options, "ask.x", { core.binary "x" } })
    assert.actions({ { alice, { core.PUBLISHED, 3, core.id } },
      { bob, { EVENT, id, core.id, core.including { ppt_scheme = "x_mine" },
        { core.binary "x" } } } },
      allow(r, question, { options = { exclude_me = true } }))
    question = ask(alice, { PUBLISH, 4, { acknowledge = true }, "ask.x", core.binary "raw" })
    assert.actions({ { alice, { core.ERROR, PUBLISH, 4, {}, failed } } },
      allow(r, question, { args = { 1 } }))
  end)
end)

core.describe("A call that is allowed", function(router)
  local function realm(options)
    local r = router(requests(options))
    local alice, bob = r:join({ roles = core.all_roles }), r:join({ roles = core.all_roles })
    return r, alice, bob
  end

  it("may go to another procedure, which is not judged again", function()
    local r, alice, bob = realm()
    local id = bob:register "com.other"
    local pattern = bob:register("com.many", { match = "prefix" })
    local question = ask(alice, { CALL, 1, {}, "ask.x", { 1 } })
    assert.actions({ { bob, { INVOCATION, 1, id, {}, { 1 } } } },
      allow(r, question, { uri = "com.other" }))
    question = ask(alice, { CALL, 2, {}, "ask.x" })
    assert.actions({ { bob, { INVOCATION, 2, pattern, { procedure = "com.many.x" } } } },
      allow(r, question, { uri = "com.many.x" }))
    question = ask(alice, { CALL, 3, {}, "ask.x" })
    assert.actions({ { alice, core.failure(CALL, 3, "wamp.error.no_such_procedure") } },
      allow(r, question, { uri = "no.x" }))
  end)

  it("may go to the router itself, in any serializer", function()
    for _, codec in ipairs(core.codec_names) do
      local r, alice = realm()
      local bob = r:join()
      local question = ask(alice, { CALL, 1, {}, "ask.x", { "what" } })
      local actions = r:decide { question = question, verdict = "allow", codec = codec,
        grant = { uri = "wamp.session.get", args = { bob.session } } }
      assert.like(core.including { session = bob.session }, actions[1][2][4][1])
      question = ask(alice, { CALL, 2, {}, "ask.x", { bob.session } })
      local kill = { question = question, verdict = "allow", codec = codec,
        grant = { uri = "wamp.session.kill", kwargs = { reason = "com.x.go" } } }
      assert.actions({ { alice, core.failure(CALL, 2, "wamp.error.not_authorized") } },
        r:decide(kill))
      kill.question = ask(alice, { CALL, 3, {}, "ask.x", { bob.session } })
      kill.grant.is_explicit = true
      assert.actions({ { bob, { core.GOODBYE, {}, "com.x.go" } }, { alice, { RESULT, 3, {} } } },
        r:decide(kill))
    end
  end)

  it("may get other arguments and a shorter time", function()
    local r, alice = realm()
    local bob = r:join(nil, { is_trusted = true })
    local id = bob:register "ask.x"
    local question = ask(alice, { CALL, 1, { timeout = 500 }, "ask.x", { 1 } })
    assert.actions({ { bob, { INVOCATION, 1, id, core.any, { 2 }, { b = 3 } } } },
      allow(r, question, { args = { 2 }, kwargs = { b = 3 }, timeout = 100 }))
    assert.equal(100, r:wakes_in())
    question = ask(alice, { CALL, 2, { timeout = 500 }, "ask.x", { 1 } })
    allow(r, question, { options = { timeout = 50 } })
    assert.equal(50, r:wakes_in())
  end)

  it("has its new arguments when it goes to another callee", function()
    local r, alice, bob = realm()
    local carol = r:join({ roles = core.all_roles })
    for _, callee in ipairs { bob, carol } do
      callee:register("com.other", { invoke = "roundrobin" })
    end
    local question = ask(alice, { CALL, 1, {}, "ask.x", { 1 } })
    allow(r, question, { uri = "com.other", args = { 2 } })
    assert.actions({ { carol, { INVOCATION, 1, core.id, {}, { 2 } } } },
      bob:refuse(1, "wamp.error.unavailable"))
  end)

  it("has them when it waits for a callee", function()
    local r, alice, bob = realm { call_queue_len = 5 }
    bob:register("com.other", { concurrency = 1 })
    alice:call "com.other"
    local question = ask(alice, { CALL, 2, {}, "ask.x", { 1 }, { a = 1 } })
    assert.actions({}, allow(r, question, { uri = "com.other", args = { 2 },
      options = { disclose_me = true } }))
    assert.actions({ { alice, { RESULT, 1, {} } },
      { bob, { INVOCATION, 2, core.id, core.including { caller = alice.session }, { 2 },
        { a = 1 } } } }, bob:yield(1))
  end)

  it("goes on with more input under the name that the caller knows", function()
    for _, check in ipairs { "lenient", "sequential", "strict" } do
      local r, alice, bob = realm { request_id_check = check }
      local id = bob:register "com.other"
      local question = ask(alice, { CALL, 1, { progress = true }, "ask.x", { 1 } })
      assert.actions({ { bob, { INVOCATION, 1, id, { progress = true }, { 5 } } } },
        allow(r, question, { uri = "com.other", args = { 5 } }))
      assert.actions({ { bob, { INVOCATION, 1, id, { progress = true }, { 2 } } } },
        alice:chunk(1, "ask.x", { 2 }, { progress = true }))
      assert.actions({ { bob, { INVOCATION, 1, id, {}, { 3 } } } },
        alice:chunk(1, "ask.x", { 3 }))
      assert.actions({ { alice, { RESULT, 1, {} } } }, bob:yield(1))
      assert.actions({}, alice:chunk(1, "ask.x", { 4 }))
    end
  end)

  it("is denied when it is made another kind of call", function()
    local r, alice = realm()
    for i, options in ipairs { { progress = true }, { timeout = "long" }, { disclose_me = 1 } } do
      local question = ask(alice, { CALL, i, {}, "ask.x" })
      assert.actions({ { alice, { core.ERROR, CALL, i, {}, failed } } },
        allow(r, question, { options = options }))
    end
  end)
end)

core.describe("A subscription or registration that is allowed", function(router)
  it("may be for another URI", function()
    local r = router(requests())
    local alice = r:join()
    local question = ask(alice, { SUBSCRIBE, 1, {}, "ask.x" })
    local id = alice:messages(allow(r, question, { uri = "com.topic" }))[1][3]
    question = ask(alice, { REGISTER, 2, {}, "ask.x" })
    local registration = alice:messages(allow(r, question, { uri = "com.procedure" }))[1][3]
    local bob = r:join()
    assert.actions({ { alice, { EVENT, id, core.id, {} } } }, bob:publish "com.topic")
    assert.actions({ { alice, { INVOCATION, 1, registration, {} } } }, bob:call "com.procedure")
  end)

  it("may be for another pattern", function()
    local r = router(requests())
    local alice = r:join()
    local question = ask(alice, { SUBSCRIBE, 1, {}, "ask.x" })
    local id = alice:messages(allow(r, question,
      { uri = "com.", options = { match = "prefix" } }))[1][3]
    assert.actions({ { alice, { EVENT, id, core.id, { topic = "com.x" } } } },
      r:join():publish "com.x")
    question = ask(alice, { SUBSCRIBE, 2, { match = "wildcard" }, "ask..x" })
    assert.actions({ { alice, { core.SUBSCRIBED, 2, core.id } } },
      allow(r, question, { uri = "com..y" }))
    question = ask(alice, { SUBSCRIBE, 3, { match = "wildcard" }, "ask..x" })
    assert.actions({ { alice, { core.ERROR, SUBSCRIBE, 3, {}, failed } } },
      allow(r, question, { uri = "com..y", options = { match = "exact" } }))
  end)

  it("is denied when its new URI is not one", function()
    local r = router(requests())
    local alice = r:join()
    for i, uri in ipairs { "", "a..b", "a b" } do
      local question = ask(alice, { SUBSCRIBE, 2 * i - 1, {}, "ask.x" })
      assert.actions({ { alice, { core.ERROR, SUBSCRIBE, 2 * i - 1, {}, failed } } },
        allow(r, question, { uri = uri }))
      question = ask(alice, { REGISTER, 2 * i, {}, "ask.x" })
      assert.actions({ { alice, { core.ERROR, REGISTER, 2 * i, {}, failed } } },
        allow(r, question, { uri = uri }))
    end
    local question = ask(alice, { REGISTER, 7, {}, "ask.x" })
    assert.actions({ { alice, { core.ERROR, REGISTER, 7, {}, failed } } },
      allow(r, question, { uri = "nexus.x" }))
    question = ask(alice, { SUBSCRIBE, 8, {}, "ask.x" })
    assert.actions({ { alice, { core.SUBSCRIBED, 8, core.id } } },
      allow(r, question, { uri = "wamp.session.on_join" }))
  end)

  it("may get options", function()
    local r = router(requests())
    local alice, bob = r:join(), r:join()
    local question = ask(alice, { REGISTER, 1, {}, "ask.x" })
    allow(r, question, { options = { invoke = "roundrobin" } })
    question = ask(bob, { REGISTER, 1, { invoke = "roundrobin" }, "ask.x" })
    assert.actions({ { bob, { core.REGISTERED, 1, core.id } } }, allow(r, question))
    question = ask(bob, { REGISTER, 2, {}, "ask.y" })
    assert.actions({ { bob, { core.ERROR, REGISTER, 2, {}, failed } } },
      allow(r, question, { options = { invoke = "sometimes" } }))
  end)
end)

core.describe("Options of a rule", function(router)
  local encode = core.codecs.msgpack.encode

  --- A realm where "com.**" has these options, and more of them in other places.
  local function realm(forced, more)
    local rules = {
      { effect = "allow", actions = "*", uri = "**" },
      { effect = "allow", actions = "*", uri = "com.**", options = encode(forced) },
    }
    local options = { rules = { { name = "anonymous", rules = rules } } }
    for k, v in pairs(more or {}) do
      options[k] = v
    end
    local r = router(options)
    return r, r:join({ roles = core.all_roles }), r:join({ roles = core.all_roles })
  end

  it("stand before those of the client", function()
    local r, alice, bob = realm { exclude_me = false, eligible_authrole = { "anonymous" } }
    local trusted = r:join(nil, { is_trusted = true })
    for _, peer in ipairs { alice, bob, trusted } do
      peer:subscribe "other.x"
    end
    assert.equal(2, #alice:publish "other.x")
    local id = r:join():subscribe "unheard" and trusted:subscribe "com.x"
    alice:subscribe "com.x"
    assert.actions({ { alice, { EVENT, id, core.id, {} } } },
      alice:publish("com.x", nil, nil, { exclude_me = true, eligible_authrole = { "trusted" } }))
  end)

  it("count for calls, and for registrations", function()
    local r, alice, bob = realm { timeout = 70, invoke = "roundrobin" }
    local id = bob:register "com.x"
    assert.equal(id, alice:register("com.x", { invoke = "roundrobin" }))
    assert.actions({ { bob, { INVOCATION, 1, id, {}, { 1 } } } }, alice:call("com.x", { 1 }))
    assert.equal(70, r:wakes_in())
  end)

  it("count for testaments", function()
    local _, alice, bob = realm { eligible = core.list {} }
    bob:subscribe "com.x"
    local id = bob:subscribe "other.x"
    for _, topic in ipairs { "com.x", "other.x" } do
      alice:call("wamp.session.add_testament", { topic, core.list { 1 }, {} })
    end
    assert.actions({ { bob, { EVENT, id, core.id, {}, { 1 }, core.rest } } }, alice:drop())
  end)

  it("count for what is asked about as well, unless that has others", function()
    local r, alice, bob = realm({ exclude = { 1 }, eligible = core.list {} },
      { intercepts = { "publish" } })
    local id = bob:subscribe "com.x"
    assert.actions({}, allow(r, core.asked(alice:publish "com.x")))
    assert.actions({ { bob, { EVENT, id, core.id, {} } } },
      allow(r, core.asked(alice:publish "com.x"), { options = { eligible = core.null } }))
  end)

  it("outlive the rules while a question is open", function()
    local r, alice, bob = realm({ eligible = core.list {} }, { intercepts = { "publish" } })
    bob:subscribe "com.x"
    local question = core.asked(alice:publish "com.x")
    r:renew {}
    assert.actions({}, allow(r, question))
  end)

  it("that do not fit deny", function()
    local _, alice = realm { acknowledge = true, progress = true }
    assert.actions({}, alice:publish "com.x")
    local actions = alice:call "com.x"
    assert.actions({ { alice, { core.ERROR, CALL, 2, {}, failed } } }, actions)
    assert.truthy(actions.notes[1].cause:find "progress")
  end)
end)

describe("What is replaced:", function()
  local values = { 1, -1, 1.5, "text", "é", true, core.null, core.list {}, { a = { 1, 2 } },
    core.binary "\0\255x" }

  for _, sender in ipairs(core.codec_names) do
    for _, said in ipairs(core.codec_names) do
      for _, receiver in ipairs(core.codec_names) do
        it(("%s is sent, %s is said, %s arrives"):format(sender, said, receiver), function()
          local r = core.router(requests())
          local alice, bob = r:join(nil, { codec = sender }), r:join(nil, { codec = receiver })
          local _, procedure = bob:subscribe "com.x", bob:register "com.y"
          local dict = { list = core.list(values), number = 5 }
          local function decide(question, grant)
            return r:decide { question = question, verdict = "allow", codec = said, grant = grant }
          end
          local question = ask(alice, { PUBLISH, 1, { exclude = { 5 } }, "ask.x", { "old" },
            { old = 1 } })
          local actions = decide(question,
            { uri = "com.x", args = values, options = { exclude = { 6 } } })
          assert.like(core.list(values), bob:first(actions, EVENT)[5])
          assert.like({ old = 1 }, bob:first(actions, EVENT)[6])
          question = ask(alice, { CALL, 2, {}, "ask.x", { "old", 2 } })
          actions = decide(question, { uri = "com.y", kwargs = dict })
          assert.actions({ { bob, { INVOCATION, 1, procedure, {}, { "old", 2 }, dict } } }, actions)
          question = ask(alice, { CALL, 3, {}, "ask.x", { "old" }, { old = 1 } })
          actions = decide(question, { uri = "com.y", args = values, kwargs = dict })
          assert.like(core.list(values), bob:first(actions, INVOCATION)[5])
          assert.like(dict, bob:first(actions, INVOCATION)[6])
        end)
      end
    end
  end
end)

--- Authorization by rules: who may do what, and what a right carries.
-- How rules are found and compared is not the business of this spec.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local CALL, PUBLISH, SUBSCRIBE, REGISTER = core.CALL, core.PUBLISH, core.SUBSCRIBE, core.REGISTER
local not_authorized = meta.not_authorized
local disallowed = "wamp.error.option_disallowed.disclose_me"

--- Options of a router with one role, that of everybody, and these rules; and more options.
local function ruled(rules, more)
  local options = { rules = { { name = "anonymous", rules = rules } } }
  for k, v in pairs(more or {}) do
    options[k] = v
  end
  return options
end

local function allow(actions, uri, more)
  local rule = { effect = "allow", actions = actions, uri = uri }
  for k, v in pairs(more or {}) do
    rule[k] = v
  end
  return rule
end

local function deny(actions, uri)
  return { effect = "deny", actions = actions, uri = uri }
end

--- Options of a router that asks who comes in, with an allowing role "user" beside the one that is
-- tested.
local function with_role(name, rules)
  return asking.join { rules = { { name = "user", rules = { allow("*", "**") } },
    { name = name, rules = rules } } }
end

local requests = {
  { "CALL", CALL, "call" }, { "REGISTER", REGISTER, "register" },
  { "SUBSCRIBE", SUBSCRIBE, "subscribe" }, { "PUBLISH", PUBLISH, "publish" },
}

--- Sends that request for the URI; PUBLISH wants an answer.
local function request(peer, code, uri, options)
  options = options or {}
  options.acknowledge = code == PUBLISH and true or nil
  return peer:send { code, peer:next_request(), options, uri }
end

--- What the first message says that answers: the URI of an ERROR, or the code.
local function outcome(peer, actions)
  local message = peer:messages(actions)[1]
  return message[1] == core.ERROR and message[5] or message[1]
end

core.describe("A role with rules", function(router)
  for _, row in ipairs(requests) do
    local name, code, action = table.unpack(row)

    it("is denied " .. name .. " when no rule is about it", function()
      for _, rules in ipairs { {}, { allow(action, "com.other") } } do
        local r = router(ruled(rules))
        local alice = r:join()
        assert.actions({ { alice, core.failure(code, 1, not_authorized) } },
          request(alice, code, "com.x"))
        local counters = r:counters()
        assert.same({ 0, 0, 0, 0, 1 }, { counters.subscriptions, counters.registrations,
          counters.pending_calls, counters.publications, counters.sessions })
      end
    end)

    it("is denied " .. name .. " by a rule, which says so in words", function()
      local alice = router(ruled { allow("*", "com.**"), deny(action, "com.x") }):join()
      assert.actions({ { alice, { core.ERROR, code, 1, {}, not_authorized,
        { core.text "role" } } } }, request(alice, code, "com.x"))
      assert.not_equal(not_authorized, outcome(alice, request(alice, code, "com.y")))
    end)

    it("is allowed " .. name .. " alone by a rule for that action", function()
      local alice = router(ruled { allow(action, "com.x") }):join()
      for _, other in ipairs(requests) do
        assert.equal(other[2] ~= code,
          outcome(alice, request(alice, other[2], "com.x")) == not_authorized, other[1])
      end
    end)
  end

  it("is denied a PUBLISH that nobody waits for in silence", function()
    local r = router(ruled { allow("subscribe", "com.x") })
    local alice, bob = r:join(), r:join()
    alice:subscribe "com.x"
    assert.actions({}, bob:publish("com.x", { 1 }))
    assert.actions({}, bob:publish("com.x", { 1 }, nil, { acknowledge = false }))
    assert.equal(0, r:counters().publications)
  end)

  it("needs no right to give up what it has, or to answer", function()
    local r = router(ruled { allow("subscribe register call", "com.x") })
    local alice, bob = r:join(), r:join()
    local subscription, registration = alice:subscribe "com.x", alice:register "com.x"
    local invocation = alice:first(bob:call "com.x", core.INVOCATION)
    assert.actions({ { bob, { core.RESULT, 1, {} } } }, alice:yield(invocation[2]))
    assert.equal(core.UNSUBSCRIBED, outcome(alice, alice:unsubscribe(subscription)))
    assert.equal(core.UNREGISTERED, outcome(alice, alice:unregister(registration)))
  end)

  it("may do everything where the realm has no rules", function()
    local alice = router():join()
    for _, row in ipairs(requests) do
      assert.not_equal(not_authorized, outcome(alice, request(alice, row[2], "com.x")))
    end
  end)

  it("must exist, also for those who need not say who they are", function()
    local r = router { rules = { { name = "user", rules = { allow("*", "**") } } } }
    local alice = r:open()
    assert.actions(asking.aborted(alice, "wamp.error.no_such_role"), alice:hello())
    assert.equal(0, asking.claimed(r))
    assert.equal(0, r:counters().sessions)
  end)

  it("is judged by its own rules, and by those it inherits", function()
    local r = router(asking.join { rules = {
      { name = "base", rules = { allow("subscribe", "com.base") } },
      { name = "user", inherit = "base", rules = { allow("subscribe", "com.user") } },
      { name = "guest", rules = {} },
    } })
    for _, row in ipairs { { "base", true, false }, { "user", true, true },
      { "guest", false, false } } do
      local peer = asking.enter(r, { authrole = row[1] })
      for i, uri in ipairs { "com.base", "com.user" } do
        assert.equal(row[i + 1], outcome(peer, request(peer, SUBSCRIBE, uri)) == core.SUBSCRIBED)
      end
    end
  end)

  it("is judged by the attributes of its session", function()
    local r = router(with_role("member", { allow("subscribe", "com.{session.org}.**") }))
    local function may(peer, uri)
      return outcome(peer, request(peer, SUBSCRIBE, uri)) == core.SUBSCRIBED
    end
    local acme = asking.enter(r, { authrole = "member", attributes = { org = "acme" } },
      { org = "other" })
    assert.same({ true, true, false }, { may(acme, "com.acme"), may(acme, "com.acme.x.y"),
      may(acme, "com.other") })
    for _, attributes in ipairs { {}, { org = { "acme", "other" } }, { org = 7 }, { org = "" },
      { org = true } } do
      local peer = asking.enter(r, { authrole = "member", attributes = attributes })
      for _, uri in ipairs { "com.acme", "com.other", "com.7", "com.true", "com" } do
        assert.is_false(may(peer, uri))
      end
    end
  end)

  it("is judged by the identity of its session", function()
    local r = router(with_role("member", { allow("subscribe", "com.user.{session.authid}") }))
    local peer = asking.enter(r, { authrole = "member", authid = "bob" })
    assert.equal(core.SUBSCRIBED, outcome(peer, request(peer, SUBSCRIBE, "com.user.bob")))
    assert.equal(not_authorized, outcome(peer, request(peer, SUBSCRIBE, "com.user.alice")))
  end)

  it("may have a pattern where it may have all that the pattern matches", function()
    local alice = router(ruled { allow("*", "com.**"), deny("*", "com.secret.**") }):join()
    for _, row in ipairs {
      { "com.a.", "prefix", true }, { "com.", "prefix", false }, { "com.secret.", "prefix", false },
      { "com.sec", "prefix", false }, { "co", "prefix", false }, { "com.a..c", "wildcard", true },
      { "com..c", "wildcard", false }, { ".a.b", "wildcard", false },
    } do
      for _, code in ipairs { SUBSCRIBE, REGISTER } do
        local got = outcome(alice, request(alice, code, row[1], { match = row[2] }))
        assert.equal(row[3] and code + 1 or not_authorized, got, row[1])
      end
    end
  end)
end)

core.describe("What is wrong with a request", function(router)
  it("is told before rights are looked at", function()
    local alice = router(ruled {}):join()
    for _, row in ipairs(requests) do
      assert.equal("wamp.error.invalid_uri", outcome(alice, request(alice, row[2], "com..x")))
    end
    for _, code in ipairs { PUBLISH, REGISTER } do
      assert.equal("wamp.error.invalid_uri", outcome(alice, request(alice, code, "wamp.x")))
    end
  end)

  it("is a violation whatever the rights are", function()
    for _, message in ipairs {
      { PUBLISH, 1, { acknowledge = 1 }, "com.x" }, { SUBSCRIBE, 1, { match = 5 }, "com.x" },
      { REGISTER, 1, { invoke = "best" }, "com.x" }, { CALL, 1, { timeout = -1 }, "com.x" },
      { CALL, 1, { progress = true }, "com.x" }, { CALL, 1, { ppt_scheme = "x_a" }, "com.x" },
      { PUBLISH, 1, { ppt_scheme = "x_a" }, "com.x" },
    } do
      local alice = router(ruled {}):join()
      assert.actions(core.violation(alice), alice:send(message))
    end
  end)

  it("with the operation itself is told to those who may do it, not to others", function()
    local alice = router(ruled { allow("call", "com.x") }):join()
    assert.equal("wamp.error.no_such_procedure", outcome(alice, request(alice, CALL, "com.x")))
    assert.equal(not_authorized, outcome(alice, request(alice, CALL, "com.y")))
  end)
end)

core.describe("A right to publish", function(router)
  local function scene(more, options)
    local r = router(ruled({ allow("subscribe", "**"), allow("publish", "com.x", more) }, options))
    local watcher = r:join { roles = core.all_roles }
    watcher:subscribe "com.x"
    local alice = r:join()
    return function(publish_options)
      local actions = alice:publish("com.x", nil, nil, publish_options)
      local event = watcher:first(actions, core.EVENT)
      return event and event[4], alice:messages(actions)[1]
    end, alice
  end

  it("that discloses tells who it is, whatever was asked for", function()
    for _, disclosure in ipairs { "never", "request", "always" } do
      local publish, alice = scene({ disclose = true }, { disclose_publisher = disclosure })
      for _, options in ipairs { {}, { disclose_me = false }, { disclose_me = true } } do
        assert.like({ publisher = alice.session, publisher_authid = alice.welcome.authid,
          publisher_authrole = "anonymous" }, publish(options))
      end
    end
  end)

  it("that hides does not tell, and refuses those who insist", function()
    for _, disclosure in ipairs { "never", "request", "always" } do
      local publish = scene({ disclose = false }, { disclose_publisher = disclosure })
      assert.like({}, publish {})
      assert.like({}, publish { disclose_me = false })
      local details, answer = publish { disclose_me = true, acknowledge = true }
      assert.is_nil(details)
      assert.equal(disallowed, answer[5])
    end
  end)

  it("that says nothing of it leaves it to the publisher", function()
    local publish, alice = scene()
    assert.like({}, publish {})
    assert.equal(alice.session, publish { disclose_me = true }.publisher)
  end)

  it("has a trust level that stands before that of the session", function()
    assert.equal(7, scene({ trustlevel = 7 }, { trustlevel = 3 }) {}.trustlevel)
    assert.equal(0, scene({ trustlevel = 0 }, { trustlevel = 3 }) {}.trustlevel)
    assert.equal(3, scene(nil, { trustlevel = 3 }) {}.trustlevel)
    assert.equal(7, scene { trustlevel = 7 } {}.trustlevel)
    assert.is_nil(scene() {}.trustlevel)
  end)
end)

core.describe("A right to call", function(router)
  local function scene(more, options)
    local r = router(ruled({ allow("register", "**"), allow("call", "com.x", more) }, options))
    local callee = r:join { roles = core.all_roles }
    callee:register "com.x"
    local alice = r:join()
    return function(call_options)
      local actions = alice:call("com.x", nil, nil, call_options)
      local invocation = callee:first(actions, core.INVOCATION)
      return invocation and invocation[4], alice:messages(actions)[1]
    end, alice, r
  end

  it("that discloses tells who it is, whatever was asked for", function()
    for _, disclosure in ipairs { "never", "request", "always" } do
      local call, alice = scene({ disclose = true }, { disclose_caller = disclosure })
      for _, options in ipairs { {}, { disclose_me = false }, { disclose_me = true } } do
        assert.like({ caller = alice.session, caller_authid = alice.welcome.authid,
          caller_authrole = "anonymous" }, call(options))
      end
    end
  end)

  it("that hides does not tell, and refuses those who insist", function()
    for _, disclosure in ipairs { "never", "request", "always" } do
      local call = scene({ disclose = false }, { disclose_caller = disclosure })
      assert.like({}, call {})
      local details, answer = call { disclose_me = true }
      assert.is_nil(details)
      assert.equal(disallowed, answer[5])
    end
  end)

  it("has a trust level that stands before that of the session", function()
    assert.equal(7, scene({ trustlevel = 7 }, { trustlevel = 3 }) {}.trustlevel)
    assert.equal(3, scene(nil, { trustlevel = 3 }) {}.trustlevel)
    assert.is_nil(scene() {}.trustlevel)
  end)

  it("with a timeout ends calls no later than that", function()
    for _, asked in ipairs { false, 100, 99999 } do
      local call, alice, r = scene { timeout = 100 }
      call { timeout = asked or nil }
      assert.actions({}, r:advance(99))
      local actions = r:advance(1)
      assert.actions({ { alice, core.failure(CALL, 1, "wamp.error.timeout") } }, { actions[1] })
    end
  end)

  it("with a timeout lets calls end before", function()
    local call, alice, r = scene { timeout = 100 }
    call { timeout = 20 }
    assert.equal(alice, r:advance(20)[1][1])
  end)

  it("without a timeout leaves it to the caller", function()
    local call, _, r = scene()
    call {}
    assert.is_nil(r:wakes_in())
  end)
end)

core.describe("Procedures of the router", function(router)
  it("are called by those who may", function()
    local alice = router(ruled { allow("call", "wamp.session.count") }):join()
    assert.equal(1, meta.one(alice, "wamp.session.count"))
    meta.refused(alice, not_authorized, "wamp.session.list")
    meta.refused(alice, not_authorized, "wamp.session.no_such_thing")
  end)

  it("for all need a rule, and any rule will do", function()
    for _, uri in ipairs { "**", "wamp.**", "*.session.*", "wamp.session.get" } do
      local alice = router(ruled { allow("call", uri) }):join()
      meta.one(alice, "wamp.session.get", { alice.session })
    end
  end)

  it("for administrators need a rule that is about the router's own", function()
    for _, row in ipairs { { "**", false }, { "*.session.kill", false }, { "wamp.**", true },
      { "wamp.session.*", true }, { "wamp.session.kill", true } } do
      local r = router(ruled { allow("call", row[1]) })
      local alice, bob = r:join(), r:join()
      if row[2] then
        local actions = alice:call("wamp.session.kill", { bob.session })
        assert.equal(core.GOODBYE, bob:messages(actions)[1][1])
      else
        meta.refused(alice, not_authorized, "wamp.session.kill", { bob.session })
      end
    end
  end)

  it("for administrators need a rule also when the session is one", function()
    local r = router(ruled({ allow("call", "com.**") }, { anonymous_admin = true }))
    local alice, bob = r:join(), r:join()
    meta.refused(alice, not_authorized, "wamp.session.kill", { bob.session })
  end)

  it("for administrators are theirs by any rule", function()
    local r = router(ruled({ allow("call", "**") }, { anonymous_admin = true }))
    local alice, bob = r:join(), r:join()
    assert.equal(core.GOODBYE,
      bob:messages(alice:call("wamp.session.kill", { bob.session }))[1][1])
  end)

  it("are denied by the more specific rule", function()
    local alice = router(ruled { allow("call", "wamp.**"), deny("call", "wamp.session.**") }):join()
    meta.refused(alice, not_authorized, "wamp.session.kill_all")
    meta.one(alice, "wamp.registration.list")
  end)

  it("have topics that need the right to subscribe", function()
    local r = router(ruled { allow("subscribe", "wamp.session.on_join") })
    local watcher = meta.watch(r, { "wamp.session.on_join" })
    assert.equal(not_authorized, outcome(watcher, request(watcher, SUBSCRIBE,
      "wamp.session.on_leave")))
    local bob = r:open()
    assert.heard({ { "wamp.session.on_join", core.any } }, watcher, bob:hello())
  end)
end)

core.describe("Testaments and rules:", function(router)
  local add = "wamp.session.add_testament"
  local calls = allow("call", "wamp.session.*")

  it("what may not be published cannot be left behind", function()
    local alice = router(ruled { calls, allow("publish", "com.x") }):join()
    meta.done(alice, add, { "com.x" })
    meta.refused(alice, not_authorized, add, { "com.y" })
  end)

  it("what has to be asked about cannot be left behind", function()
    local alice = router(ruled { calls,
      { effect = "ask", actions = "publish", uri = "com.x" } }):join()
    meta.refused(alice, not_authorized, add, { "com.x" })
  end)

  it("what the right carries, they carry too", function()
    local r = router(ruled { calls, allow("subscribe", "**"),
      allow("publish", "com.x", { disclose = true, trustlevel = 5 }) })
    local watcher, alice = r:join { roles = core.all_roles }, r:join()
    watcher:subscribe "com.x"
    meta.done(alice, add, { "com.x" })
    assert.like(core.including { publisher = alice.session, trustlevel = 5 },
      watcher:first(alice:drop(), core.EVENT)[4])
  end)

  it("who hides and insists on being disclosed leaves nothing", function()
    local r = router(ruled { calls, allow("subscribe", "**"),
      allow("publish", "com.x", { disclose = false }) })
    local watcher, alice = r:join { roles = core.all_roles }, r:join()
    watcher:subscribe "com.x"
    alice:call(add, { "com.x" }, { publish_options = { disclose_me = true } })
    assert.actions({}, alice:drop())
  end)

  it("they are judged again when the session ends", function()
    local options = with_role("member", { calls,
      allow("publish", "com.{session.org}"), allow("call", "wamp.session.modify_details") })
    options.enable_modify_details = true
    local r = router(options)
    local watcher = asking.enter(r)
    meta.follow(watcher, { "com.acme", "com.other" })
    local alice = asking.enter(r, { authrole = "member", attributes = { org = "acme" } })
    meta.done(alice, add, { "com.acme" })
    meta.done(alice, "wamp.session.modify_details", { alice.session, { org = "other" } })
    meta.done(alice, add, { "com.other" })
    assert.heard({ { "com.other" } }, watcher, alice:drop())
  end)
end)

core.describe("wamp.subscription.get_events", function(router)
  local get_events = "wamp.subscription.get_events"

  local function scene(rules)
    local all = { allow("publish", "com.**"), allow("call", "wamp.subscription.*"),
      table.unpack(rules) }
    local r = router(ruled(all, { event_history = {
      { uri = "com.x" }, { uri = "com.y.", match = "prefix" } } }))
    local alice = r:join()
    alice:publish("com.x", { 1 })
    alice:publish("com.y.z", { 2 })
    local exact = meta.one(alice, "wamp.subscription.lookup", { "com.x" })
    local prefix = meta.one(alice, "wamp.subscription.lookup", { "com.y.", { match = "prefix" } })
    return alice, exact, prefix
  end

  local function events_of(peer, id)
    return peer:first(peer:call(get_events, { id }), core.RESULT)[4]
  end

  it("needs the right to subscribe", function()
    local alice, exact, prefix = scene {}
    meta.refused(alice, not_authorized, get_events, { exact })
    meta.refused(alice, not_authorized, get_events, { prefix })
  end)

  it("is for those who may subscribe to that, pattern and all", function()
    local alice, exact, prefix = scene { allow("subscribe", "com.x"),
      allow("subscribe", "com.y.z") }
    assert.equal(1, #events_of(alice, exact))
    meta.refused(alice, not_authorized, get_events, { prefix })
    alice, exact, prefix = scene { allow("subscribe", "com.y.**") }
    meta.refused(alice, not_authorized, get_events, { exact })
    assert.equal(1, #events_of(alice, prefix))
  end)

  it("does not wait for somebody to decide", function()
    local alice, exact = scene { { effect = "ask", actions = "subscribe", uri = "com.**" } }
    meta.refused(alice, not_authorized, get_events, { exact })
  end)

  it("knows what was published with a right that discloses", function()
    local r = router(ruled({ allow("subscribe call", "**"),
      allow("publish", "com.x", { disclose = true }) }, { event_history = { { uri = "com.x" } } }))
    local alice = r:join()
    alice:publish("com.x", { 1 })
    local id = meta.one(alice, "wamp.subscription.lookup", { "com.x" })
    assert.equal(alice.session, events_of(alice, id)[1].details.publisher)
  end)
end)

core.describe("Reflection tells a role", function(router)
  local function lists(rules, asks)
    local base = { allow("register subscribe", "**"), allow("call publish", "**") }
    local r = router(asking.join { rules = { { name = "owner", rules = base },
      { name = "user", rules = { allow("call", "wamp.**"), table.unpack(rules) } } } })
    local owner = asking.enter(r, { authrole = "owner", is_admin = true })
    for _, uri in ipairs { "com.a", "com.b" } do
      owner:register(uri)
      owner:subscribe(uri)
    end
    owner:register("com.a.", { match = "prefix" })
    meta.done(owner, "wamp.reflect.define", { "com.b.defined", { kind = "procedure" } })
    return meta.sorted(asking.enter(r), ("wamp.reflection.%s.list"):format(asks))
  end

  local function only_com(uris)
    local some = {}
    for _, uri in ipairs(uris) do
      if uri:find "^com" then
        some[#some + 1] = uri
      end
    end
    return some
  end

  it("the procedures that it may call", function()
    assert.same({}, only_com(lists({}, "procedure")))
    assert.same({ "com.a", "com.a." },
      only_com(lists({ allow("call", "com.a.**") }, "procedure")))
    assert.same({ "com.b", "com.b.defined" },
      only_com(lists({ allow("call", "com.b.**") }, "procedure")))
  end)

  it("the procedures that it may ask for", function()
    assert.same({ "com.b" },
      only_com(lists({ { effect = "ask", actions = "call", uri = "com.b" } }, "procedure")))
  end)

  it("the topics that it may subscribe or publish to", function()
    assert.same({}, only_com(lists({ allow("call", "com.**") }, "topic")))
    assert.same({ "com.a" }, only_com(lists({ allow("subscribe", "com.a") }, "topic")))
    assert.same({ "com.b" }, only_com(lists({ allow("publish", "com.b") }, "topic")))
    assert.same({ "com.a", "com.b" }, only_com(lists({ allow("publish", "com.**") }, "topic")))
  end)

  it("all errors", function()
    assert.is_true(#lists({}, "error") > 20)
  end)
end)

--- Who gets an event, as rules and policies say it: audiences, and questions about them.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"

local list = core.list

-- Who hears it: what each of them says of itself in HELLO.
local hellos = {
  a = { org = "acme", level = 5, teams = list { "x", "y" }, on = true },
  b = { org = "beta", level = "5", teams = list { "y" } },
  c = { org = "acme", level = -5, ratio = 0.5 },
  d = { teams = "x" },
}

local function only(attribute, ...)
  return { only = attribute, values = { ... } }
end

local function except(attribute, ...)
  return { except = attribute, values = { ... } }
end

local function both(...)
  return { both = { ... } }
end

local function either(...)
  return { either = { ... } }
end

local mine = { publisher = "org" }

-- An audience, who is in it when a member of acme publishes, and when somebody without org does.
local rows = {
  { "nobody", "nobody", "", "" },
  { "only one value", only("org", "acme"), "ac", "ac" },
  { "only some values", only("org", "acme", "beta", "gamma"), "abc", "abc" },
  { "only without values", only "org", "", "" },
  { "only a value that nobody has", only("org", "gamma"), "", "" },
  { "only an attribute that nobody has", only("shoes", "black"), "", "" },
  { "only members of a list", only("teams", "x"), "ad", "ad" },
  { "only another member", only("teams", "y", "z"), "ab", "ab" },
  { "only a number", only("level", 5), "a", "a" },
  { "only a text of digits", only("level", "5"), "b", "b" },
  { "only a negative number", only("level", -5), "c", "c" },
  { "only a fraction", only("ratio", 0.5), "c", "c" },
  { "a whole fraction is no integer", only("level", 5.0), "", "" },
  { "only a boolean", only("on", true), "a", "a" },
  { "a boolean is no text", only("on", "true"), "", "" },
  { "except one value", except("org", "acme"), "bd", "bd" },
  { "except without values", except "org", "abcd", "abcd" },
  { "except an attribute that nobody has", except("shoes", "black"), "abcd", "abcd" },
  { "except members of a list", except("teams", "x"), "bc", "bc" },
  { "except values of several types", except("level", 5, "5"), "cd", "cd" },
  { "the publisher's value", only("org", mine), "ac", "" },
  { "but the publisher's value", except("org", mine), "bd", "abcd" },
  { "the publisher's value or another", only("org", mine, "beta"), "abc", "b" },
  { "a list of the publisher", only("teams", { publisher = "teams" }), "abd", "" },
  { "another attribute of the publisher", only("teams", { publisher = "org" }), "", "" },
  { "the publisher's role", only("authrole", { publisher = "authrole" }), "abcd", "abcd" },
  { "a text like a placeholder", only("org", "{session.org}"), "", "" },
  { "both", both(only("org", "acme"), only("teams", "x")), "a", "a" },
  { "both with nobody", both(only("org", "acme"), "nobody"), "", "" },
  { "either", either(only("org", "beta"), only("teams", "x")), "abd", "abd" },
  { "either with nobody", either(only("org", "acme"), "nobody"), "ac", "ac" },
  { "both of either", both(either(only("org", "acme"), only("teams", "x")),
    except("level", 5)), "cd", "cd" },
  { "either of both", either(both(only("org", "acme"), except("teams", "x")),
    only("org", "beta")), "bc", "bc" },
}

--- The names of those who got an event, sorted.
local function who_got(sessions, actions)
  local got = {}
  for name, peer in pairs(sessions) do
    for _, message in ipairs(peer:messages(actions)) do
      if message[1] == core.EVENT then
        got[#got + 1] = name
      end
    end
  end
  table.sort(got)
  return table.concat(got)
end

local function subscribe_all(r, topic)
  local sessions = {}
  for name, hello in pairs(hellos) do
    sessions[name] = r:join(hello)
    sessions[name]:subscribe(topic or "com.x")
  end
  return sessions
end

local function ruled(filter, more)
  local options = { rules = { { name = "anonymous", rules = {
    { effect = "allow", actions = "*", uri = "**" },
    { effect = "allow", actions = "publish", uri = "com.x", filter = filter },
  } } } }
  for k, v in pairs(more or {}) do
    options[k] = v
  end
  return options
end

local publisher_hello = { org = "acme", teams = list { "x", "y" } }

core.describe("A rule with a filter", function(router)
  for _, row in ipairs(rows) do
    local name, audience, of_acme, of_nobody = table.unpack(row)
    it(name .. " lets its audience have the event, and nobody else", function()
      local r = router(ruled(audience))
      local sessions = subscribe_all(r)
      local alice, bob = r:join(publisher_hello), r:join()
      assert.equal(of_acme, who_got(sessions, alice:publish("com.x", { 1 })))
      assert.equal(4 - #of_acme, r:counters().filtered)
      assert.equal(of_nobody, who_got(sessions, bob:publish("com.x", { 1 })))
      assert.equal("", who_got(sessions, bob:publish("com.y", { 1 })))
    end)
  end

  it("narrows what the publisher's own options allow", function()
    local r = router(ruled(only("org", "acme")))
    local sessions = subscribe_all(r)
    assert.equal("a", who_got(sessions,
      r:join():publish("com.x", nil, nil, { eligible_level = { 5, "5" } })))
    assert.equal("c", who_got(sessions,
      r:join():publish("com.x", nil, nil, { exclude = { sessions.a.session } })))
  end)

  it("is no matter of other topics, and does not keep a publisher's exclude_me", function()
    local r = router(ruled(only("org", "acme")))
    local sessions = subscribe_all(r)
    assert.equal("c", who_got(sessions, sessions.a:publish("com.x")))
    assert.equal("ac", who_got(sessions, sessions.a:publish("com.x", nil, nil,
      { exclude_me = false })))
    local others = subscribe_all(r, "com.y")
    assert.equal("abcd", who_got(others, r:join():publish "com.y"))
  end)

  it("is for all subscriptions that match", function()
    local r = router(ruled(only("org", "beta")))
    local bob = r:join(hellos.b)
    bob:subscribe("com.", { match = "prefix" })
    bob:subscribe(".x", { match = "wildcard" })
    r:join(hellos.a):subscribe("com.", { match = "prefix" })
    assert.equal(2, #r:join():publish "com.x")
  end)

  it("is for testaments, when their session is gone", function()
    local r = router(ruled(only("org", mine)))
    local sessions = subscribe_all(r)
    local alice = r:join(publisher_hello)
    alice:call("wamp.session.add_testament", { "com.x", { 1 } })
    assert.equal("ac", who_got(sessions, alice:drop()))
  end)

  it("keeps the event out of the history", function()
    local r = router(ruled(only("org", "acme"),
      { event_history = { { uri = "com.", match = "prefix" } } }))
    local alice = r:join(hellos.a)
    local sub = alice:subscribe("com.", { match = "prefix" })
    alice:publish("com.x", { 1 })
    alice:publish("com.y", { 2 })
    local events = alice:messages(alice:call("wamp.subscription.get_events", { sub }))[1][4]
    assert.equal(1, #events)
    assert.same({ 2 }, events[1].args)
  end)

  it("is a mistake in other than allow rules, and where nothing is published", function()
    for _, effect in ipairs { "ask", "deny" } do
      assert.has_error(function()
        router { rules = { { name = "x", rules = {
          { effect = effect, actions = "publish", uri = "**", filter = "nobody" } } } } }
      end, ("rules: the spec: %s rules carry nothing; disclose, trustlevel, timeout, filter and "
        .. "options are for allow"):format(effect))
    end
    assert.has_error(function()
      router { rules = { { name = "x", rules = {
        { effect = "allow", actions = "subscribe call", uri = "**", filter = "nobody" } } } } }
    end, "rules: the spec: filter is for publish, which is no action here")
  end)

  it("is told from another one: which of two equal patterns counts is a mistake", function()
    local function rule(filter)
      return { effect = "allow", actions = "publish", uri = "com.x", filter = filter }
    end
    assert.has_error(function()
      router { rules = { { name = "x", rules = { rule(only("a", 1)), rule(only("a", 2)) } } } }
    end)
  end)
end)

---- questions ----

local function filtering(more)
  local options = { asks_filter = true }
  for k, v in pairs(more or {}) do
    options[k] = v
  end
  return options
end

--- The peer publishes and is asked about; returns the question.
local function publish(peer, topic, options, args)
  local actions = peer:publish(topic or "com.x", args or { 1 }, nil, options)
  assert.actions({ { peer, ask = core.any } }, actions)
  return core.asked(actions)
end

local function allow(r, question, audience)
  return r:decide { question = question, verdict = "allow", audience = audience }
end

--- Answers a question with an audience.
local function answer(router, audience)
  local r = router(filtering())
  r:join():subscribe "com.x"
  return allow(r, publish(r:join()), audience)
end

core.describe("Audiences", function(router)
  it("have at most 10,000 values in one condition", function()
    local values = {}
    for i = 1, 10000 do
      values[i] = "v" .. i
    end
    values[10000] = "acme"
    local r = router(ruled { only = "org", values = values })
    assert.equal("ac", who_got(subscribe_all(r), r:join():publish "com.x"))
    values[10001] = "more"
    assert.error_matches(function() answer(router, { only = "org", values = values }) end,
      "wamp.error.invalid_argument: org: found 10001 values, at most 10000 are allowed", 1, true)
  end)

  it("have at most 64 conditions", function()
    local all = only("org", "acme")
    for _ = 2, 64 do
      all = both(all, except("org", "beta"))
    end
    local r = router(ruled(all))
    assert.equal("ac", who_got(subscribe_all(r), r:join():publish "com.x"))
    assert.error_matches(function() answer(router, either(all, only "org")) end,
      "found 65 conditions, at most 64 are allowed", 1, true)
  end)

  it("compare with strings, numbers and booleans", function()
    assert.error_matches(function() answer(router, only("org", "x", print)) end,
      "org: value 2: expected a string, a number or a boolean", 1, true)
  end)

  it("never have a value that is longer than any attribute", function()
    local r = router(ruled(except("org", ("x"):rep(5000))))
    assert.equal("abcd", who_got(subscribe_all(r), r:join():publish "com.x"))
  end)
end)

-- An authorizer says who may publish some of it.
local authorizing = { rules = { { name = "anonymous", rules = {
  { effect = "allow", actions = "*", uri = "**" },
  { effect = "ask", actions = "publish", uri = "ask.**" } } } } }

core.describe("A realm that asks who gets events", function(router)
  for _, row in ipairs(rows) do
    local name, audience, of_acme, of_nobody = table.unpack(row)
    it("is told: " .. name, function()
      local r = router(filtering())
      local sessions = subscribe_all(r)
      assert.equal(of_acme, who_got(sessions, allow(r, publish(r:join(publisher_hello)), audience)))
      assert.equal(of_nobody, who_got(sessions, allow(r, publish(r:join()), audience)))
    end)
  end

  it("asks about a publication that somebody hears", function()
    local r = router(filtering())
    local bob, alice = r:join(), r:join()
    bob:subscribe("com.", { match = "prefix" })
    local question = r:question(publish(alice, "com.x", { acknowledge = true }))
    assert.equal("authorize", question.ask)
    assert.equal("filter", question.needs)
    assert.equal("publish", question.action)
    assert.equal(alice.session, question.session)
    assert.equal("com.x", question.message.text)
    assert.same({ 1 }, question.message.args)
    local actions = allow(r, question.id)
    assert.equal("17", asking.told(alice, actions))
    assert.equal(2, #actions)
    -- the publication had its id when it was asked about
    assert.equal(question.publication, alice:messages(actions)[1][3])
    assert.equal(question.publication, bob:messages(actions)[1][3])
  end)

  it("does not ask about what nobody hears", function()
    local r = router(filtering())
    local alice = r:join()
    r:join():subscribe "com.y"
    assert.equal("17", asking.told(alice, alice:publish("com.x", nil, nil, { acknowledge = true })))
    local id = alice:subscribe "com.x"
    assert.actions({}, alice:publish "com.x") -- only the publisher, who is left out
    local own = publish(alice, "com.x", { exclude_me = false })
    assert.actions({ { alice, { core.EVENT, id, core.id, {}, { 1 } } } }, allow(r, own))
  end)

  it("does not ask about what is refused anyway", function()
    local r = router(filtering { rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "*", uri = "**" },
      { effect = "deny", actions = "publish", uri = "com.no" } } } } })
    local bob, alice = r:join(), r:join()
    bob:subscribe("com", { match = "prefix" })
    local told = {}
    for i, row in ipairs { { "com.no" }, { "com x" }, { "wamp.x" } } do
      told[i] = asking.told(alice, alice:publish(row[1], nil, nil, { acknowledge = true }))
    end
    assert.same({ "wamp.error.not_authorized", "wamp.error.invalid_uri",
      "wamp.error.invalid_uri" }, told)
  end)

  it("asks once, about both, where a rule asks as well", function()
    local r = router(filtering(asking.requests()))
    local bob, alice = r:join(hellos.a), r:join()
    bob:subscribe "ok.x"
    local first = publish(alice, "ok.x")
    assert.equal("filter", r:question(first).needs)
    allow(r, first)
    local second = publish(alice, "ask.x")
    assert.equal("authorize filter", r:question(second).needs)
    assert.actions({}, allow(r, second, "nobody"))
    assert.actions({ { alice, ask = core.any } }, alice:send { core.SUBSCRIBE, 99, {}, "ask.x" })
  end)

  it("takes what was granted and what was filtered together", function()
    local r = router(filtering(authorizing))
    local sessions = subscribe_all(r, "ask.x")
    local function decide(granted, audience)
      return who_got(sessions, r:decide { question = publish(sessions.d, "ask.x"),
        verdict = "allow", granted_audience = granted, audience = audience })
    end
    assert.equal("ac", decide(only("org", "acme")))
    assert.equal("ab", decide(nil, only("teams", "y")))
    assert.equal("a", decide(only("org", "acme"), only("teams", "y")))
    assert.equal("", decide(only("org", "acme"), "nobody"))
  end)

  it("keeps what an authorizer said, and asks who gets the next event", function()
    local r = router(filtering(authorizing))
    local sessions = subscribe_all(r, "ask.x")
    local alice = r:join()
    local function decide(question, audience)
      return who_got(sessions, r:decide { question = question, verdict = "allow",
        audience = audience, keep = 60000, reads = {} })
    end
    assert.equal("ac", decide(publish(alice, "ask.x"), only("org", "acme")))
    local second = publish(alice, "ask.x")
    assert.equal("filter", r:question(second).needs)
    assert.equal("b", decide(second, only("org", "beta")))
    assert.equal(1, r:counters().decisions_kept)
  end)

  it("tells the reason to a publisher who wants to know, and nobody gets the event", function()
    local r = router(filtering())
    local sessions = subscribe_all(r)
    local alice = r:join()
    local denied = asking.deny(r, publish(alice, "com.x", { acknowledge = true }),
      "wamp.error.authorization_failed", "it failed")
    assert.actions({ { alice, { core.ERROR, core.PUBLISH, 1, {}, "wamp.error.authorization_failed",
      { "it failed" } } } }, denied)
    assert.actions({}, asking.deny(r, publish(alice), "wamp.error.authorization_failed"))
    assert.equal("", who_got(sessions, denied))
  end)

  it("keeps the filter of the rule, whatever is answered", function()
    local r = router(ruled(only("org", "acme"), { asks_filter = true }))
    local sessions = subscribe_all(r)
    local alice = r:join()
    assert.equal("ac", who_got(sessions, allow(r, publish(alice))))
    assert.equal("a", who_got(sessions, allow(r, publish(alice), only("teams", "x"))))
    assert.equal("", who_got(sessions, allow(r, publish(alice), only("org", "beta"))))
    local question = publish(alice)
    r:renew { rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "*", uri = "**" } } } }, asks_filter = true }
    assert.equal("ac", who_got(sessions, allow(r, question)))
    assert.equal("abcd", who_got(sessions, allow(r, publish(alice))))
  end)

  it("does not let testaments out unasked", function()
    local r = router(filtering())
    local sessions = subscribe_all(r)
    local alice = r:join()
    alice:call("wamp.session.add_testament", { "com.x", { 1 } })
    assert.actions({}, alice:drop())
    assert.equal("", who_got(sessions, {}))
  end)

  it("says nothing of events of the router itself", function()
    local r = router(filtering())
    local bob = r:join()
    bob:subscribe "wamp.session.on_join"
    local alice = r:open()
    assert.equal("b", who_got({ b = bob }, alice:hello()))
  end)

  it("keeps events in the history that everybody may have", function()
    local r = router(filtering { event_history = { { uri = "com.", match = "prefix" } } })
    local bob, alice = r:join(), r:join()
    local sub = bob:subscribe("com.", { match = "prefix" })
    bob:unsubscribe(sub)
    allow(r, publish(alice, "com.x", nil, { 1 }))
    allow(r, publish(alice, "com.x", nil, { 2 }), except("org", "acme"))
    allow(r, publish(alice, "com.x", nil, { 3 }), { predicate = function() return true, {} end })
    asking.deny(r, publish(alice, "com.x", nil, { 4 }))
    local events = bob:messages(bob:call("wamp.subscription.get_events", { sub }))[1][4]
    assert.equal(1, #events)
    assert.same({ 1 }, events[1].args)
  end)

  it("goes on without asking when its policy is another one", function()
    local r = router(filtering())
    local sessions = subscribe_all(r)
    r:renew { filterable = { "org" } }
    assert.equal("abcd", who_got(sessions, r:join():publish "com.x"))
    local alice = r:join()
    assert.equal("wamp.error.option_not_allowed", asking.told(alice, alice:publish("com.x", nil,
      nil, { acknowledge = true, eligible_level = { 5 } })))
    r:renew { asks_filter = true }
    publish(alice)
  end)
end)

---- predicates ----

--- A predicate on what the sessions said in HELLO, that counts its runs.
local function predicate(sessions, run)
  local runs = { count = 0 }
  local by_id = {}
  for name, peer in pairs(sessions) do
    by_id[peer.session] = name
  end
  runs.predicate = function(id)
    runs.count = runs.count + 1
    return run(by_id[id], id)
  end
  return runs
end

core.describe("A predicate", function(router)
  it("is run once for each value that it looks at", function()
    local r = router(filtering())
    local sessions = {}
    for i = 1, 200 do
      sessions["s" .. i] = r:join { org = i % 50 ~= 0 and "o" .. i % 50 or nil, n = i }
      sessions["s" .. i]:subscribe "com.x"
    end
    local runs = predicate(sessions, function(name)
      return tonumber(name:sub(2)) % 50 < 3, { { "value", "org" } }
    end)
    local actions = allow(r, publish(r:join()), runs)
    assert.equal(12, #actions)
    assert.equal(50, runs.count)
    assert.equal(0, r:counters().filter_per_session)
  end)

  it("may look at one thing after the other", function()
    local r = router(filtering())
    local sessions = subscribe_all(r)
    local runs = predicate(sessions, function(name)
      local looks = { { "value", "org" } }
      if hellos[name].org == "acme" then
        looks[2] = { "value", "level" }
        return hellos[name].level == 5, looks
      end
      looks[2] = { "has", "teams", "x" }
      return name == "d", looks
    end)
    assert.equal("ad", who_got(sessions, allow(r, publish(r:join()), runs)))
    assert.equal(4, runs.count)
    assert.equal(0, r:counters().filter_per_session)
  end)

  it("that looks at nothing is run once", function()
    for _, is_in in ipairs { true, false } do
      local r = router(filtering())
      local sessions = subscribe_all(r)
      local runs = predicate(sessions, function() return is_in, {} end)
      assert.equal(is_in and "abcd" or "", who_got(sessions, allow(r, publish(r:join()), runs)))
      assert.equal(1, runs.count)
    end
  end)

  it("tells lists from what they have in them", function()
    local r = router(filtering())
    local sessions = {
      l = r:join { teams = list { "x" } }, s = r:join { teams = "x" }, e = r:join(),
      m = r:join { teams = list { "x" } }, d = r:join { teams = { x = 1 } },
      n = r:join { teams = list {} }, t = r:join { teams = "x" },
    }
    for _, peer in pairs(sessions) do
      peer:subscribe "com.x"
    end
    local runs = predicate(sessions, function(name)
      return name:match "[mst]" ~= nil, { { "value", "teams" } }
    end)
    assert.equal("mst", who_got(sessions, allow(r, publish(r:join()), runs)))
    assert.equal(6, runs.count) -- s and t are the same
    assert.equal(4, r:counters().filter_per_session) -- l, m, n, d
    local has = predicate(sessions, function(name)
      return name:match "[lmst]" ~= nil, { { "has", "teams", "x" } }
    end)
    assert.equal("lmst", who_got(sessions, allow(r, publish(r:join()), has)))
    assert.equal(2, has.count)
  end)

  it("that looks at what only one session has is run for each", function()
    local r = router(filtering())
    local sessions = subscribe_all(r)
    for _, look in ipairs { { "self" }, { "value", "session" }, { "value", "transport" } } do
      local before = r:counters().filter_per_session
      local runs = predicate(sessions, function(name) return name < "c", { look } end)
      assert.equal("ab", who_got(sessions, allow(r, publish(r:join()), runs)))
      assert.equal(4, runs.count)
      assert.equal(before + 4, r:counters().filter_per_session)
    end
  end)

  it("stops to be kept by what it looks at when nobody is the same", function()
    local r = router(filtering())
    local sessions, expected = {}, 0
    for i = 1, 300 do
      sessions[i] = r:join { n = i }
      sessions[i]:subscribe "com.x"
      expected = expected + (i % 3 == 0 and 1 or 0)
    end
    local runs = predicate(sessions, function(i) return i % 3 == 0, { { "value", "n" } } end)
    assert.equal(expected, #allow(r, publish(r:join()), runs))
    assert.equal(300, runs.count)
    assert.equal(44, r:counters().filter_per_session)
  end)

  it("that looks at more than 64 things is run for each", function()
    for _, count in ipairs { 64, 65 } do
      local r = router(filtering())
      local sessions = subscribe_all(r)
      local runs = predicate(sessions, function()
        local looks = {}
        for i = 1, count do
          looks[i] = { "has", "teams", "t" .. i }
        end
        return true, looks
      end)
      assert.equal("abcd", who_got(sessions, allow(r, publish(r:join()), runs)))
      assert.equal(count == 64 and 1 or 4, runs.count)
    end
  end)

  it("is asked about those who could get the event, and nobody else", function()
    local r = router(filtering { rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "*", uri = "**", filter = except("org", "beta") } } } } })
    local sessions = subscribe_all(r)
    r:join { org = "acme" }:subscribe "com.y"
    local seen = {}
    local runs = predicate(sessions, function(name)
      seen[#seen + 1] = name
      return true, { { "self" } }
    end)
    local question = publish(sessions.a, "com.x", { exclude = { sessions.d.session } })
    assert.equal("c", who_got(sessions, allow(r, question, runs)))
    assert.same({ "c" }, seen)
  end)

  it("does not let in who comes between question and answer and is not the same", function()
    local r = router(filtering())
    local sessions = subscribe_all(r)
    local question = publish(r:join())
    local late = r:join { org = "acme", level = 7 }
    late:subscribe "com.x"
    sessions.late = late
    -- what is in the tree is made when the answer is, so the late one is asked about as well
    local runs = predicate(sessions, function(name)
      return name == "a" or name == "late", { { "value", "level" } }
    end)
    assert.equal("alate", who_got(sessions, allow(r, question, runs)))
    assert.equal(5, runs.count)
  end)

  it("that is not the same the next time is believed for whom it was asked", function()
    local r = router(filtering())
    local sessions = {}
    for i = 1, 20 do
      sessions[i] = r:join { org = "o" .. i % 4, n = i % 2 }
      sessions[i]:subscribe "com.x"
    end
    local expected = 0
    local turn = 0
    local runs = predicate(sessions, function(i)
      turn = turn + 1
      local looks = { { "value", "org" } }
      if turn % 2 == 1 then
        table.insert(looks, 1, { "value", "n" })
      end
      if turn == 3 then
        looks = {}
      end
      expected = expected + (i % 4 == 0 and 1 or 0)
      return i % 4 == 0, looks
    end)
    local got = 0
    for _, action in ipairs(allow(r, publish(r:join()), runs)) do
      got = got + (action[2] and 1 or 0)
    end
    assert.is_true(got <= 5)
    assert.is_true(expected <= 5)
    assert.equal(turn, runs.count)
  end)

  it("can be one of several conditions", function()
    local r = router(filtering())
    local sessions = subscribe_all(r)
    local function runs()
      return predicate(sessions, function(name) return name < "c", { { "self" } } end)
    end
    assert.equal("a", who_got(sessions,
      allow(r, publish(r:join()), both(only("org", "acme"), runs()))))
    assert.equal("abc", who_got(sessions,
      allow(r, publish(r:join()), either(only("org", "acme"), runs()))))
  end)
end)

describe("The tree of a predicate", function()
  it("has at most 65,536 edges; what does not fit is kept for one session each", function()
    local r = core.router(filtering { max_subscriptions = 10 })
    local expected, fits = 0, 65536 // 60
    for n = 1, fits + 8 do
      for _ = 1, 2 do -- the second one finds the answer of the first
        r:join { n = n }:subscribe "com.x"
        expected = expected + 1
      end
    end
    local runs = predicate({}, function()
      local looks = { { "value", "n" } }
      for i = 2, 60 do
        looks[i] = { "has", "teams", i }
      end
      return true, looks
    end)
    assert.equal(expected, #allow(r, publish(r:join()), runs))
    assert.equal(fits + 16, runs.count)
    assert.equal(16, r:counters().filter_per_session)
  end)
end)

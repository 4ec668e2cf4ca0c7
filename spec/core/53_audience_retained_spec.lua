--- Retained events of realms that say who gets events: what is kept of that, and asked again.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"

local acme = { only = "org", values = { "acme" } }
local everybody = { predicate = function() return true, {} end }

local function filtering(more)
  local options = { asks_filter = true }
  for k, v in pairs(more or {}) do
    options[k] = v
  end
  return options
end

--- Publishes with `retain`; where it is asked about, the answer is `audience`.
local function retain(r, peer, topic, args, audience, options)
  local all = { retain = true }
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  local actions = peer:publish(topic, args, nil, all)
  local question = core.asked(actions)
  if question then
    return r:decide { question = question, verdict = "allow", audience = audience }
  end
  return actions
end

--- SUBSCRIBEs with get_retained; returns the actions.
local function subscribe(peer, topic, options)
  local all = { get_retained = true }
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  return peer:send { core.SUBSCRIBE, peer:next_request(), all, topic }
end

--- The first arguments of the retained events, or of all events, among the actions.
local function got(peer, actions, is_live)
  local args = {}
  for _, message in ipairs(peer:messages(actions)) do
    if message[1] == core.EVENT and (message[4].retained or is_live) then
      args[#args + 1] = message[5][1]
    end
  end
  return args
end

local function allow(r, actions, audience)
  return r:decide { question = core.asked(actions), verdict = "allow", audience = audience }
end

core.describe("A retained event", function(router)
  --- A realm with somebody who hears com., so that it is asked about.
  local function heard(more)
    local r = router(filtering(more))
    r:join { org = "acme" }:subscribe("com.", { match = "prefix" })
    return r, r:join { org = "acme", level = 7 }
  end

  it("for everybody is for late subscribers without a question", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 })
    local bob = r:join()
    assert.same({ 1 }, got(bob, subscribe(bob, "com.x")))
  end)

  it("keeps the conditions of its audience", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 }, acme)
    local bob, carol = r:join(), r:join { org = "acme" }
    assert.same({}, got(bob, subscribe(bob, "com.x")))
    assert.same({ 1 }, got(carol, subscribe(carol, "com.x")))
  end)

  it("keeps what its publisher was", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 }, { only = "org", values = { { publisher = "org" } } })
    retain(r, alice, "com.y", { 2 }, { except = "org", values = { { publisher = "org" }, "beta" } })
    retain(r, alice, "com.z", { 3 }, { only = "level", values = { { publisher = "shoes" } } })
    alice:drop()
    r:join { org = "gamma" }
    local told = {}
    for _, org in ipairs { "acme", "beta", "gamma" } do
      local peer = r:join { org = org }
      told[#told + 1] = table.concat(got(peer, subscribe(peer, "com.", { match = "prefix" })), " ")
    end
    assert.same({ "1", "", "2" }, told)
  end)

  it("for nobody is not kept, and what was kept before stays", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 })
    retain(r, alice, "com.x", { 2 }, "nobody")
    retain(r, alice, "com.x", { 3 }, { both = { acme, { only = "org", values = {} } } })
    local bob = r:join()
    assert.same({ 1 }, got(bob, subscribe(bob, "com.x")))
  end)

  it("with the filter of a rule keeps that", function()
    local r = router { rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "*", uri = "**",
        filter = { only = "org", values = { { publisher = "org" } } } } } } } }
    local alice = r:join { org = "acme" }
    alice:publish("com.x", { 1 }, nil, { retain = true })
    alice:drop()
    local bob, carol = r:join { org = "beta" }, r:join { org = "acme" }
    assert.same({}, got(bob, subscribe(bob, "com.x")))
    assert.same({ 1 }, got(carol, subscribe(carol, "com.x")))
  end)

  it("with a predicate is asked about again, with its publisher as it was", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 }, everybody, { eligible_org = { "acme", "beta" } })
    local id = alice.session
    alice:drop()
    local bob = r:join { org = "beta" }
    local actions = subscribe(bob, "com.x")
    assert.actions({ { bob, { core.SUBSCRIBED, 1, core.id } }, { bob, ask = core.any } }, actions)
    local question = r:question(core.asked(actions))
    assert.equal("retained", question.ask)
    assert.equal("filter", question.needs)
    assert.equal(bob, question.peer)
    assert.equal(bob.session, question.session)
    assert.equal("com.x", question.message.text)
    assert.same({ 1 }, question.message.args)
    assert.equal(id, question.publisher.id)
    assert.equal("anonymous", question.publisher.authrole)
    assert.equal("acme", question.publisher.details.org)
    assert.equal(7, question.publisher.details.level)
    local answered = r:decide { question = question.id, verdict = "allow" }
    assert.same({ 1 }, got(bob, answered))
    assert.equal(1, #answered)
    assert.equal(question.publication, bob:messages(answered)[1][3])
    assert.is_nil(r:question(question.id))
    local dora = r:join { org = "delta" } -- is kept out by the publisher's options
    assert.is_nil(core.asked(subscribe(dora, "com.x")))
  end)

  it("that nobody heard is asked about", function()
    local r = router(filtering())
    local alice, bob = r:join(), r:join()
    alice:publish("com.x", { 1 }, nil, { retain = true })
    local actions = subscribe(bob, "com.x")
    assert.same({ 1 }, got(bob, allow(r, actions)))
  end)

  it("of a testament is asked about, since nobody was when its session ended", function()
    local r = router(filtering())
    local alice, bob = r:join { org = "acme" }, r:join { org = "acme" }
    bob:subscribe "com.x"
    alice:call("wamp.session.add_testament", { "com.x", { 1 } }, { publish_options = {
      retain = true } })
    assert.actions({}, alice:drop())
    local actions = subscribe(bob, "com.x")
    local question = r:question(core.asked(actions))
    assert.equal("acme", question.publisher.details.org)
    assert.same({ 1 }, got(bob, allow(r, actions, acme)))
  end)

  for _, row in ipairs {
    { "a denial", { verdict = "deny" }, false },
    { "nobody", { verdict = "allow", audience = "nobody" }, false },
    { "others", { verdict = "allow", audience = { only = "org", values = { "beta" } } }, false },
    { "it", { verdict = "allow", audience = acme }, true },
    { "those like its publisher", { verdict = "allow",
      audience = { only = "org", values = { { publisher = "org" } } } }, true },
    { "those like another publisher", { verdict = "allow",
      audience = { only = "org", values = { { publisher = "no" } } } }, false },
    { "a predicate", { verdict = "allow", audience = everybody }, true },
    { "a predicate that says no",
      { verdict = "allow", audience = { predicate = function() return false, {} end } }, false },
  } do
    local name, answer, is_in = table.unpack(row)
    it("is " .. (is_in and "" or "not ") .. "for a late subscriber by an answer: " .. name,
      function()
        local r = router(filtering())
        local alice, bob = r:join { org = "acme" }, r:join { org = "acme" }
        alice:publish("com.x", { 1 }, nil, { retain = true })
        answer.question = core.asked(subscribe(bob, "com.x"))
        assert.same(is_in and { 1 } or {}, got(bob, r:decide(answer)))
        assert.equal(is_in and 0 or 1, r:counters().filtered)
      end)
  end

  it("that is not for a subscriber leaves the one before it", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 })
    retain(r, alice, "com.x", { 2 }, everybody)
    retain(r, alice, "com.x", { 3 }, acme)
    retain(r, alice, "com.x", { 4 }, everybody)
    local bob = r:join()
    local first = subscribe(bob, "com.x")
    assert.same({ 4 }, r:question(core.asked(first)).message.args)
    local second = asking.deny(r, core.asked(first))
    assert.same({ 2 }, r:question(core.asked(second)).message.args)
    local third = asking.deny(r, core.asked(second))
    assert.is_nil(core.asked(third))
    assert.same({ 1 }, got(bob, third))
  end)

  it("of one topic keeps those behind it waiting, in order", function()
    local r, alice = heard()
    for i = 1, 6 do
      retain(r, alice, "com.t" .. i, { i }, (i == 2 or i == 5) and everybody or nil)
    end
    local bob = r:join()
    local first = subscribe(bob, "com.", { match = "prefix" })
    assert.same({ 1 }, got(bob, first))
    local second = allow(r, first)
    assert.same({ 2, 3, 4 }, got(bob, second))
    local third = asking.deny(r, core.asked(second))
    assert.same({ 6 }, got(bob, third))
    assert.is_nil(core.asked(third))
  end)

  it("does not come behind a live one of its topic", function()
    local r, alice = heard()
    for i = 1, 4 do
      retain(r, alice, "com.t" .. i, { i }, everybody)
    end
    local bob = r:join()
    local first = subscribe(bob, "com.", { match = "prefix" })
    assert.same({ 11 }, got(bob, retain(r, alice, "com.t3", { 11 }), true))
    local live = retain(r, alice, "com.t1", { 12 })
    assert.same({ 12 }, got(bob, live, true))
    assert.is_nil(r:question(core.asked(first))) -- nobody needs the answer any more
    local second = core.asked(live)
    assert.same({ 2 }, r:question(second).message.args)
    local third = r:decide { question = second, verdict = "allow" }
    assert.same({ 2 }, got(bob, third))
    assert.same({ 4 }, got(bob, allow(r, third)))
  end)

  it("comes behind a live one that the subscriber did not get", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 }, everybody)
    local bob = r:join()
    local first = subscribe(bob, "com.x")
    assert.same({}, got(bob, retain(r, alice, "com.x", { 2 }, acme), true))
    assert.same({ 1 }, got(bob, allow(r, first)))
  end)

  it("that is gone by its turn is not sent", function()
    local r, alice = heard()
    retain(r, alice, "com.a", { 1 }, everybody)
    retain(r, alice, "com.b", { 2 }, everybody)
    local bob = r:join()
    local first = subscribe(bob, "com.", { match = "prefix" })
    retain(r, alice, "com.b", nil, "nobody")
    local second = allow(r, first)
    assert.same({ 1 }, got(bob, second))
    assert.is_nil(core.asked(second))
  end)

  it("is of no interest when its subscription has ended", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 }, everybody)
    local bob = r:join()
    local actions = subscribe(bob, "com.x")
    local question, id = core.asked(actions), bob:messages(actions)[1][3]
    assert.actions({ { bob, { core.UNSUBSCRIBED, 2 } }, { bob, unask = question } },
      bob:unsubscribe(id))
    assert.actions({}, r:decide { question = question, verdict = "allow" })
  end)

  it("is of no interest when its subscriber has left", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 }, everybody)
    for _, leave in ipairs {
      function(peer) return peer:drop() end,
      function(peer) return peer:send { core.GOODBYE, {}, "wamp.close.normal" } end,
      function(peer) return peer:send { core.WELCOME, 1, {} } end,
    } do
      local bob = r:join()
      local question = core.asked(subscribe(bob, "com.x"))
      local unasked
      for _, action in ipairs(leave(bob)) do
        unasked = unasked or action.unask
      end
      assert.equal(question, unasked)
      assert.actions({}, r:decide { question = question, verdict = "allow" })
    end
  end)

  it("is asked about once when it is subscribed to again", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 }, everybody)
    local bob = r:join()
    local first = core.asked(subscribe(bob, "com.x"))
    local again = subscribe(bob, "com.x")
    assert.actions({ { bob, { core.SUBSCRIBED, 2, core.id } }, { bob, unask = first },
      { bob, ask = core.any } }, again)
    assert.same({ 1 }, got(bob, allow(r, again)))
  end)

  it("of more than 16 subscriptions at once is not sent", function()
    local r, alice = heard()
    local bob = r:join()
    local questions = {}
    for i = 1, 20 do
      retain(r, alice, "com.x" .. i, { i }, everybody)
      questions[#questions + 1] = core.asked(subscribe(bob, "com.x" .. i))
    end
    assert.equal(16, #questions)
    for i = 1, 16 do
      assert.same({ i }, got(bob, r:decide { question = questions[i], verdict = "allow" }))
    end
    assert.same({ 20 }, got(bob, allow(r, subscribe(bob, "com.x20"))))
  end)

  it("is not sent any more when nobody says who gets events", function()
    local r, alice = heard()
    retain(r, alice, "com.x", { 1 }, everybody)
    retain(r, alice, "com.y", { 2 }, acme)
    r:renew {}
    local bob = r:join { org = "acme" }
    assert.same({ 2 }, got(bob, subscribe(bob, "com.", { match = "prefix" })))
  end)

  it("takes room for its audience and its publisher's details", function()
    local r = router(filtering { retained_max_bytes = 3000 })
    local alice = r:join { note = ("x"):rep(4000) }
    alice:publish("com.x", { 1 }, nil, { retain = true })
    assert.equal(1, r:counters().unretained)
    r:join():subscribe "com.x"
    local bob = r:join { note = ("x"):rep(4000) }
    retain(r, bob, "com.x", { 1 })
    assert.equal(1, r:counters().unretained)
    retain(r, bob, "com.x", { 1 }, { only = "note", values = { ("y"):rep(4000) } })
    assert.equal(2, r:counters().unretained)
  end)
end)

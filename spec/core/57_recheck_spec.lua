--- Other rules in a running realm: who may do what from now on, and what is held already.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local UNSUBSCRIBED, UNREGISTERED = core.UNSUBSCRIBED, core.UNREGISTERED
local not_authorized = meta.not_authorized

--- Roles whose rules are written { "allow", "subscribe", "com.**" }, ...
local function roles(all)
  local list = {}
  for name, rules in pairs(all) do
    local role = { name = name, rules = {} }
    for i, rule in ipairs(rules) do
      role.rules[i] = { effect = rule[1], actions = rule[2], uri = rule[3] }
    end
    list[#list + 1] = role
  end
  return list
end

local everything = roles { anonymous = { { "allow", "*", "**" } } }
local revocable = { roles = {
  caller = {}, publisher = {},
  subscriber = { features = { subscription_revocation = true } },
  callee = { features = { registration_revocation = true } },
} }

--- What is revoked of this peer: "s12" and "r13", in order.
local function revoked(peer, actions)
  local ids = {}
  for _, message in ipairs(peer:messages(actions)) do
    if (message[1] == UNSUBSCRIBED or message[1] == UNREGISTERED) and message[2] == 0 then
      ids[#ids + 1] = message[3].subscription or message[3].registration
    end
  end
  return ids
end

core.describe("Other rules", function(router)
  it("count from the next request on", function()
    local r = router { rules = everything }
    local alice = r:join()
    alice:subscribe "com.x"
    assert.actions({}, r:renew { rules = roles { anonymous = { { "allow", "publish", "**" } } } })
    assert.equal(not_authorized, asking.told(alice,
      alice:send { core.SUBSCRIBE, alice:next_request(), {}, "com.y" }))
    assert.equal("17", asking.told(alice, alice:publish("com.y", {}, nil, { acknowledge = true })))
  end)

  it("may come where there were none, and none where there were some", function()
    local r = router()
    local alice = r:join()
    r:renew { rules = roles { anonymous = {} } }
    assert.equal(not_authorized, asking.told(alice, alice:call "com.x"))
    r:renew {}
    assert.equal(meta.no_such_procedure, asking.told(alice, alice:call "com.x"))
    alice:subscribe "com.x"
  end)

  it("leave a session whose role is gone without any right, and find it when it is back", function()
    local r = router { rules = everything }
    local alice = r:join()
    r:renew { rules = roles { user = { { "allow", "*", "**" } } } }
    for _, message in ipairs {
      { core.SUBSCRIBE, 1, {}, "com.x" }, { core.SUBSCRIBE, 2, { match = "prefix" }, "com" },
      { core.REGISTER, 3, {}, "com.x" }, { core.CALL, 4, {}, "wamp.session.count" },
      { core.PUBLISH, 5, { acknowledge = true }, "com.x" },
    } do
      assert.equal(not_authorized, asking.told(alice, alice:send(message)))
    end
    alice.last_request = 5
    r:renew { rules = everything }
    alice:subscribe "com.x"
    assert.equal(1, r:counters().sessions)
  end)

  it("decide who comes in", function()
    local r = router { rules = everything }
    r:renew { rules = roles { user = {} } }
    local bob = r:open()
    assert.equal(core.ABORT, bob:messages(bob:hello())[1][1])
  end)

  it("leave alone what is held, if nobody wants it judged", function()
    local r = router { rules = everything }
    local alice = r:join(revocable)
    alice:subscribe "com.x"
    alice:register "com.x"
    r:renew { rules = roles { anonymous = {} } }
    assert.actions({}, r:advance(60000))
    assert.equal(1, r:counters().subscriptions)
    assert.equal(1, r:counters().registrations)
  end)
end)

core.describe("What is held is judged again", function(router)
  local only_y = roles { anonymous = { { "allow", "*", "com.y.**" }, { "allow", "*", "wamp.**" } } }

  it("and revoked with a reason, or silently", function()
    local r = router { rules = everything }
    local alice, bob = r:join(revocable), r:join()
    local x, y = alice:subscribe "com.x", alice:subscribe "com.y.a"
    local p, q = alice:register "com.x", alice:register "com.y.p"
    bob:subscribe "com.x"
    bob:register("com.z", { match = "prefix" })
    assert.actions({}, r:renew { rules = only_y, recheck = true })
    local actions = r:advance(10)
    assert.same({ { UNSUBSCRIBED, 0, { subscription = x, reason = not_authorized } },
      { UNREGISTERED, 0, { registration = p, reason = not_authorized } } }, alice:messages(actions))
    assert.same({}, bob:messages(actions))
    assert.equal(4, r:counters().revoked)
    assert.is_nil(r:wakes_in())
    assert.equal(1, #alice:unsubscribe(y))
    assert.equal("67", asking.told(alice, alice:unregister(q)))
    assert.equal(meta.no_such_subscription, asking.told(alice, alice:unsubscribe(x)))
  end)

  it("patterns by containment", function()
    local r = router { rules = everything }
    local alice = r:join(revocable)
    local kept = alice:subscribe("com.y", { match = "prefix" })
    local wide = alice:subscribe("com", { match = "prefix" })
    local inside = alice:subscribe("com.y.", { match = "prefix" })
    r:renew { rules = roles { anonymous = { { "allow", "*", "com.y.**" },
      { "deny", "subscribe", "com.yz" } } }, recheck = true }
    assert.same({ kept, wide }, revoked(alice, r:advance(10)))
    assert.equal(1, #alice:unsubscribe(inside))
  end)

  it("with the events of the meta API", function()
    local r = router { rules = everything }
    local boss, alice = r:join(), r:join(revocable)
    boss:subscribe("wamp.", { match = "prefix" })
    local x, topics = alice:subscribe "com.x", {}
    r:renew { rules = roles { anonymous = { { "allow", "*", "wamp.**" } } }, recheck = true }
    for _, message in ipairs(boss:messages(r:advance(10))) do
      assert.equal(x, message[5][2])
      topics[#topics + 1] = message[4].topic
    end
    assert.same({ "wamp.subscription.on_unsubscribe", "wamp.subscription.on_delete" }, topics)
  end)

  it("so many in a millisecond, and what is new is not judged twice", function()
    local r = router { rules = everything }
    local alice, bob = r:join(revocable), r:join(revocable)
    for i = 1, 1500 do
      alice:subscribe("com.x.i" .. i)
      bob:subscribe("com.x.i" .. i)
    end
    r:renew { rules = only_y, recheck = true }
    assert.equal(1, r:wakes_in())
    local first = r:advance(1)
    local count = #revoked(alice, first) + #revoked(bob, first)
    assert.is_true(count >= 1900 and count <= 2000, count)
    alice:subscribe "com.y.new"
    local rest = r:advance(10)
    assert.equal(3000, count + #revoked(alice, rest) + #revoked(bob, rest))
    assert.equal(1, r:counters().subscriptions)
  end)

  it("but not of sessions of the router's own code", function()
    local r = router { rules = everything }
    local own = r:join(revocable, { is_trusted = true })
    own:subscribe "com.x"
    r:renew { rules = only_y, recheck = true }
    assert.actions({}, r:advance(10))
    assert.equal(1, r:counters().subscriptions)
  end)

  it("but not the subscription that exists for its history", function()
    local r = router { rules = everything, event_history = { { uri = "com.x" } } }
    local alice = r:join(revocable)
    local x = alice:subscribe "com.x"
    r:renew { rules = only_y, recheck = true }
    assert.same({ x }, revoked(alice, r:advance(10)))
    assert.equal(1, r:counters().subscriptions)
  end)

  it("by whoever wants it, for one session or all", function()
    local r = router { rules = everything }
    local alice, bob = r:join(revocable), r:join(revocable)
    local x, y = alice:subscribe "com.x", bob:subscribe "com.x"
    r:renew { rules = only_y }
    r:recheck(bob)
    assert.same({ y }, revoked(bob, r:advance(10)))
    r:recheck()
    assert.same({ x }, revoked(alice, r:advance(10)))
  end)
end)

core.describe("What rules ask about is held", function(router)
  local asked = roles { anonymous = { { "ask", "*", "**" } } }

  local function scene(count)
    local r = router { rules = everything }
    local alice, ids = r:join(revocable), {}
    for i = 1, count or 1 do
      ids[i] = alice:subscribe("com.x" .. i)
    end
    r:renew { rules = asked, recheck = true }
    local actions = r:advance(5)
    return r, alice, ids, core.asked(actions), actions
  end

  it("until it is denied", function()
    local r, alice, ids, question, actions = scene()
    assert.actions({ { alice, ask = question } }, actions)
    local said = r:question(question)
    assert.equal("recheck", said.ask)
    assert.equal("subscribe", said.action)
    assert.equal("exact", said.match)
    assert.equal("com.x1", said.message.text)
    assert.equal(alice.session, said.session)
    assert.equal(alice, said.peer)
    assert.same({ { UNSUBSCRIBED, 0, { subscription = ids[1], reason = "com.why" } } },
      alice:messages(asking.deny(r, question, "com.why")))
    assert.is_nil(r:question(question))
    assert.is_nil(r:wakes_in())
  end)

  it("and when it is allowed", function()
    local r, alice, ids, question = scene()
    assert.actions({}, asking.allow(r, question))
    assert.equal(1, #alice:unsubscribe(ids[1]))
    assert.equal(0, r:counters().revoked)
  end)

  it("and the session ends when the denial says so", function()
    local r, alice, _, question = scene()
    local actions = r:decide { question = question, verdict = "deny", closes = true,
      reason = "com.out" }
    assert.equal("35 6", asking.told(alice, actions))
    assert.equal(0, r:counters().sessions)
  end)

  it("and a question is taken back when that is given up, or the session ends", function()
    local r, alice, ids, question = scene()
    assert.actions({ { alice, { UNSUBSCRIBED, 2 } }, { alice, unask = question } },
      alice:unsubscribe(ids[1]))
    assert.is_nil(r:question(question))
    assert.actions({}, asking.deny(r, question))
    r, alice, ids, question = scene()
    assert.equal(1, #ids)
    assert.actions({ { alice, unask = question } }, alice:drop())
    assert.is_nil(r:wakes_in())
  end)

  it("and 64 questions are open at a time", function()
    local r, alice, ids, _, actions = scene(200)
    assert.equal(64, asking.count(actions))
    assert.is_nil(r:wakes_in())
    local open, answered = {}, 0
    for _, action in ipairs(actions) do
      open[#open + 1] = action.ask
    end
    local gone = {}
    while #open > 0 do
      answered = answered + 1
      local more = asking.deny(r, table.remove(open, 1))
      table.move(revoked(alice, more), 1, 9, #gone + 1, gone)
      for _, action in ipairs(r:advance(1)) do
        open[#open + 1] = action.ask
      end
      assert.is_true(#open <= 64)
    end
    assert.equal(200, answered)
    assert.same(ids, gone)
  end)

  it("and asked about anew when the rules change once more", function()
    local r, alice, ids, question = scene()
    r:renew { rules = asked, recheck = true }
    local actions = r:advance(5)
    assert.actions({ { alice, unask = question }, { alice, ask = core.any } }, actions)
    assert.same({ ids[1] }, revoked(alice, asking.deny(r, core.asked(actions))))
    r, alice, ids, question = scene()
    r:renew { rules = roles { anonymous = {} }, recheck = true }
    actions = r:advance(5)
    assert.same({ ids[1] }, revoked(alice, actions))
    assert.is_nil(r:question(question))
  end)
end)

describe("Rules that change all the time", function()
  --- A pattern for each name: what is allowed, denied, asked about.
  local function random_rules(random)
    local by_name, list = {}, {}
    for i = 1, 6 do
      local effect = ({ "allow", "deny", "ask" })[random(3)]
      by_name["n" .. i] = effect
      list[i] = { effect, "*", "com.n" .. i }
    end
    return by_name, roles { anonymous = list }
  end

  it("leave exactly what they allow, whatever happens meanwhile", function()
    for seed = 1, 40 do
      math.randomseed(seed)
      local random = math.random
      local r = core.router { codec = "msgpack", rules = everything, seed = seed }
      local peers, held, questions, effects = {}, {}, {}, nil
      for i = 1, 4 do
        peers[i] = r:join(revocable)
        held[peers[i]] = {}
      end
      local function read(actions)
        for _, action in ipairs(actions) do
          if action.ask then
            questions[action.ask] = true
          elseif action.unask then
            assert.is_true(questions[action.unask])
            questions[action.unask] = nil
          elseif action[2] and action[2][2] == 0 then
            local id = action[2][3].subscription or action[2][3].registration
            assert.not_nil(held[action[1]][id])
            held[action[1]][id] = nil
          end
        end
      end
      for _ = 1, 60 do
        local peer, what = peers[random(#peers)], random(8)
        if what <= 4 and not effects then
          local name, request = "n" .. random(6), peer:next_request()
          local is_topic = what % 2 == 1
          local actions = peer:send { is_topic and core.SUBSCRIBE or core.REGISTER, request, {},
            "com." .. name }
          local answer = peer:messages(actions)[1]
          if answer[1] ~= core.ERROR then
            held[peer][answer[3]] = name
          end
        elseif what == 5 then
          local rules
          effects, rules = random_rules(random)
          read(r:renew { rules = rules, recheck = true })
        elseif what == 6 then
          read(r:advance(random(3)))
        elseif what == 7 and effects and next(questions) then
          local question = next(questions)
          local said = r:question(question)
          local name = said.message.text:match "n%d"
          questions[question] = nil
          read(random(2) == 1 and asking.allow(r, question) or asking.deny(r, question))
          assert.equal("recheck", said.ask)
          assert.is_string(name)
        elseif what == 8 and effects and next(held[peer]) then
          local id, name = next(held[peer])
          if name then
            held[peer][id] = nil
            local is_topic = r.raw:find("subscribers", "com." .. name)
            local mine = false
            for _, row in ipairs(is_topic) do
              mine = mine or row.session == peer.session and row.id == id
            end
            read(mine and peer:unsubscribe(id) or peer:unregister(id))
          end
        end
      end
      if not effects then
        local rules
        effects, rules = random_rules(random)
        read(r:renew { rules = rules, recheck = true })
      end
      read(r:advance(100))
      local allowed = 0
      while next(questions) do
        local question = next(questions)
        questions[question] = nil
        read(asking.allow(r, question))
        read(r:advance(1))
      end
      for _, peer in ipairs(peers) do
        for _, name in pairs(held[peer]) do
          assert.not_equal("deny", effects[name])
          allowed = allowed + 1
        end
      end
      local total = 0
      for i = 1, 6 do
        total = total + #r:find("subscribers", "com.n" .. i) + #r:find("callees", "com.n" .. i)
      end
      assert.equal(allowed, total)
      assert.is_nil(r:wakes_in())
    end
  end)
end)

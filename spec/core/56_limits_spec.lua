--- Limits of a policy: how often, and how many sessions.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local list = core.list
local CALL, SUBSCRIBE, REGISTER, ERROR = core.CALL, core.SUBSCRIBE, core.REGISTER, core.ERROR
local GOODBYE, ABORT, EVENT = core.GOODBYE, core.ABORT, core.EVENT
local limited = "nexus.error.rate_limited"
local acknowledged = { acknowledge = true }

--- Options of a router with these limits.
local function limits(...)
  return { limits = { ... } }
end

--- One limit; what is not said is that of PUBLISH, two a second for each session.
local function limit(more)
  local all = { action = "publish", per = "session", rate = 2 }
  for k, v in pairs(more or {}) do
    all[k] = v
  end
  return all
end

local function publish(peer, uri)
  return asking.told(peer, peer:publish(uri or "com.x", {}, nil, acknowledged))
end

--- How many of so many PUBLISHes pass.
local function passed(peer, count, uri)
  local passing = 0
  for _ = 1, count do
    passing = passing + (publish(peer, uri) == "17" and 1 or 0)
  end
  return passing
end

core.describe("A limit on requests", function(router)
  it("lets as many pass as the bucket has room for, then as they come", function()
    local r = router(limits(limit { rate = 4, burst = 10 }))
    local alice = r:join()
    assert.equal(10, passed(alice, 20))
    r:advance(249)
    assert.equal(0, passed(alice, 1))
    r:advance(1)
    assert.equal(1, passed(alice, 3))
    r:advance(1000)
    assert.equal(4, passed(alice, 9))
    r:advance(3600000)
    assert.equal(10, passed(alice, 20))
    assert.equal(10 + 1 + 2 + 5 + 10, r:counters().limited)
  end)

  it("has room for those of a second if nothing is said, and for one at least", function()
    assert.equal(5, passed(router(limits(limit { rate = 5 })):join(), 9))
    local r = router(limits(limit { rate = 0.1 }))
    local alice = r:join()
    assert.equal(1, passed(alice, 2))
    r:advance(9999)
    assert.equal(0, passed(alice, 1))
    r:advance(1)
    assert.equal(1, passed(alice, 2))
  end)

  it("tells when to try again", function()
    local r = router(limits(limit { rate = 0.5 }, limit { action = "call", rate = 0.5 }))
    local alice = r:join()
    local function refused(request)
      return { { alice, { ERROR, request[1], request[2], {}, limited,
        list { "too many requests of this kind" }, { retry_after = request[3] } } } }
    end
    publish(alice)
    r:advance(500)
    assert.actions(refused { 16, 2, 1.5 }, alice:publish("com.x", {}, nil, acknowledged))
    assert.actions({}, alice:publish "com.x")
    alice:call "com.x"
    assert.actions(refused { 48, 5, 2.0 }, alice:call "com.x")
    r:advance(1500)
    assert.equal("17", publish(alice))
  end)

  it("is for one action", function()
    for _, action in ipairs { "publish", "subscribe", "call", "register" } do
      local r = router(limits(limit { action = action, rate = 1 }))
      local alice, request = r:join(), 0
      for _ = 1, 2 do
        for name, message in pairs {
          publish = { 16, acknowledged, "com.x" }, subscribe = { SUBSCRIBE, {}, "com.x" },
          call = { CALL, {}, "wamp.session.count" },
          register = { REGISTER, { invoke = "roundrobin" }, "com.x" },
        } do
          request = request + 1
          local told = asking.told(alice,
            alice:send { message[1], request, message[2], message[3] })
          assert.equal(name == action and request > 4, told == limited, name)
        end
      end
    end
  end)

  it("costs nothing when the request is refused anyway", function()
    local alice = router(limits(limit { rate = 1 })):join()
    assert.equal("wamp.error.invalid_uri", publish(alice, "com..x"))
    assert.equal("wamp.error.invalid_uri", publish(alice, "wamp.x"))
    assert.equal(1, passed(alice, 2))
  end)

  it("may be for some URIs", function()
    local r = router(limits(limit { rate = 1, uri = "com.*.{name}.**" }))
    local alice = r:join()
    assert.equal(3, passed(alice, 3, "com.a"))
    assert.equal(1, passed(alice, 3, "com.a.b"))
    assert.equal(0, passed(alice, 3, "com.c.d.e"))
    r = router(limits(limit { rate = 1, uri = "com.{session.org}.**" }))
    alice = r:join { org = "acme" }
    assert.equal(3, passed(alice, 3, "com.b.x"))
    assert.equal(1, passed(alice, 3, "com.acme.x"))
  end)

  it("may be for one role", function()
    local r = router(asking.join(limits(limit { rate = 1, role = "guest" })))
    assert.equal(3, passed(asking.enter(r, { authrole = "user" }), 3))
    assert.equal(1, passed(asking.enter(r, { authrole = "guest" }), 3))
  end)

  it("counts together who is equal in something", function()
    local function scene(per)
      local r = router(asking.join(limits(limit { rate = 3, per = per })))
      local function enter(authid, authrole, org, address)
        return asking.enter(r, { authid = authid, authrole = authrole, attributes = { org = org } },
          nil, { address = address })
      end
      local peers = { enter("a", "user", "acme", "tcp4:192.0.2.1:5000"),
        enter("a", "boss", "b", "tcp4:192.0.2.1:5001"), enter("b", "user", "acme", "tcp6:[::1]:5"),
        enter("b", "boss", nil, "tcp6:[::1]:6"), enter("c", "user", nil, "unix:/run/x") }
      local counts = {}
      for i, peer in ipairs(peers) do
        counts[i] = passed(peer, 2)
      end
      return table.concat(counts, " ")
    end
    assert.equal("2 2 2 2 2", scene "session")
    assert.equal("2 1 2 1 2", scene "authid")
    assert.equal("2 2 1 1 0", scene "authrole")
    assert.equal("2 2 1 2 1", scene "org")
    assert.equal("2 1 2 1 2", scene "ip")
    assert.equal("2 1 0 0 0", scene "realm")
    assert.equal("2 1 0 0 0", scene "nothing")
  end)

  it("counts each session alone by an attribute that is a list", function()
    local r = router(limits(limit { rate = 1, per = "teams" }))
    local alice, bob = r:join { teams = list { "a" } }, r:join { teams = list { "a" } }
    assert.equal(1, passed(alice, 2))
    assert.equal(1, passed(bob, 2))
  end)

  it("takes one of each bucket, or none", function()
    local r = router(limits(limit { rate = 1 }, limit { rate = 3, per = "realm" }))
    local alice, bob = r:join(), r:join()
    assert.equal(1, passed(alice, 5))
    assert.equal(1, passed(bob, 5))
    local carol, dan = r:join(), r:join()
    assert.equal(1, passed(carol, 1))
    assert.equal(0, passed(dan, 1))
    r:advance(334) -- one for the realm; dan's own is still there
    assert.equal(1, passed(dan, 2))
  end)

  it("is not for the router's own code", function()
    local r = router(limits(limit { rate = 1, per = "realm" },
      { action = "session", per = "realm", max = 1 },
      { action = "join", per = "realm", rate = 0.001 }))
    for _ = 1, 2 do
      assert.equal(5, passed(r:join({}, { is_trusted = true }), 5))
    end
    assert.equal(1, passed(r:join(), 5))
  end)

  it("comes before whoever is asked", function()
    local r = router(asking.requests(limits(limit { rate = 1, action = "subscribe" })))
    local alice = r:join()
    asking.allow(r, asking.subscribe(alice))
    assert.equal(limited, asking.told(alice,
      alice:send { SUBSCRIBE, alice:next_request(), {}, "ask.x" }))
  end)

  it("counts a progressive call once", function()
    local r = router(limits(limit { rate = 1, action = "call" }))
    local callee, alice = r:join { roles = core.all_roles }, r:join(core.streamer)
    callee:register "com.x"
    for i = 1, 3 do
      assert.equal(68, callee:messages(alice:chunk(1, "com.x", { i }, { progress = true }))[1][1])
    end
    alice:chunk(1, "com.x", { 4 })
    alice.last_request = 1
    assert.equal(limited, asking.told(alice, alice:call "com.x"))
  end)

  it("may end the session", function()
    local r = router(limits(limit { rate = 1, over = "close" }))
    local alice = r:join()
    publish(alice)
    assert.actions({ { alice, { GOODBYE, core.any, limited } } },
      alice:publish("com.x", {}, nil, acknowledged))
    assert.equal(0, r:counters().sessions)
  end)
end)

core.describe("A limit with which requests wait", function(router)
  local waiting = limits(limit { rate = 2, burst = 1, over = "wait" })

  it("holds them in order, and all that follows", function()
    local r = router(waiting)
    local alice = r:join()
    assert.equal("17", publish(alice))
    assert.equal("", publish(alice))
    assert.equal("", publish(alice))
    assert.actions({}, alice:send { SUBSCRIBE, alice:next_request(), {}, "com.x" })
    assert.equal(500, r:wakes_in())
    assert.equal("", asking.told(alice, r:advance(499)))
    assert.equal("17", asking.told(alice, r:advance(1)))
    assert.equal("17 33", asking.told(alice, r:advance(500)))
    assert.is_nil(r:wakes_in())
  end)

  it("does not count them twice by their ids", function()
    local r = router { limits = { limit { rate = 1, over = "wait" },
      limit { rate = 1, over = "wait", action = "call" } }, request_id_check = "strict" }
    local alice = r:join()
    publish(alice)
    alice:call "wamp.session.count"
    assert.equal("", publish(alice))
    assert.equal("", asking.told(alice, alice:call "wamp.session.count"))
    assert.equal("", asking.told(alice, alice:call "com.x"))
    assert.equal("17 50", asking.told(alice, r:advance(1000)))
    assert.equal("wamp.error.no_such_procedure", asking.told(alice, r:advance(1000)))
    assert.equal(0, r:counters().violations)
  end)

  it("goes on with what is not held: answers, CANCEL, GOODBYE", function()
    local r = router(limits(limit { action = "call", rate = 1, over = "wait" }))
    local alice, bob = r:join(), r:join()
    alice:register "com.alice"
    bob:call "com.alice"
    alice:call "com.x"
    assert.actions({}, alice:call "com.x")
    assert.equal("50", asking.told(bob, alice:yield(1)))
    assert.equal("wamp.error.canceled", asking.told(alice, alice:cancel(3)))
    assert.equal("", asking.told(alice, r:advance(5000)))
    alice:call "com.x"
    assert.actions({}, alice:call "com.x")
    assert.equal("6", asking.told(alice, alice:send { GOODBYE, {}, "wamp.close.normal" }))
    assert.is_nil(r:wakes_in())
  end)

  it("stops reading when too many wait", function()
    local r = router(waiting)
    local alice = r:join()
    publish(alice)
    for _ = 1, 63 do
      assert.actions({}, alice:publish("com.x", {}, nil, acknowledged))
    end
    assert.actions({ { alice, hold = true } }, alice:publish("com.x", {}, nil, acknowledged))
    local told, is_read = "", false
    for _ = 1, 64 do
      local actions = r:advance(500)
      told = told .. asking.told(alice, actions)
      for _, action in ipairs(actions) do
        is_read = is_read or action.hold == false
      end
    end
    assert.equal(("17"):rep(64), told)
    assert.is_true(is_read)
  end)

  it("serves whoever comes first when several wait for one bucket", function()
    local r = router(limits(limit { rate = 1, per = "realm", over = "wait" }))
    local peers, order = { r:join(), r:join(), r:join() }, {}
    publish(peers[1])
    for i = 1, 3 do
      assert.equal("", publish(peers[i]))
    end
    for _ = 1, 3 do
      local actions = r:advance(1000)
      assert.equal(1, #actions)
      for i, peer in ipairs(peers) do
        order[#order + 1] = actions[1][1] == peer and i or nil
      end
    end
    table.sort(order)
    assert.same({ 1, 2, 3 }, order)
  end)

  it("denies what another limit denies", function()
    local r = router(limits(limit { rate = 1, over = "wait" },
      limit { rate = 1, over = "deny", uri = "com.y" }))
    local alice = r:join()
    assert.equal("17", publish(alice, "com.y"))
    assert.equal(limited, publish(alice, "com.y"))
    assert.equal("", publish(alice, "com.x"))
  end)

  it("is forgotten with the session", function()
    local r = router(waiting)
    local alice = r:join()
    publish(alice)
    publish(alice)
    alice:drop()
    assert.is_nil(r:wakes_in())
  end)
end)

core.describe("A limit on joining", function(router)
  local function knock(r, address)
    local peer = r:open { address = address }
    local message = peer:messages(peer:hello())[1]
    if message[1] == ABORT then
      assert.equal(limited, message[3])
      assert.matches("retry after %d", message[2].message)
    end
    return message[1]
  end

  it("is for one address, whatever its port", function()
    local r = router(limits { action = "join", per = "ip", rate = 1, burst = 2 })
    assert.equal(2, knock(r, "tcp4:192.0.2.1:1"))
    assert.equal(2, knock(r, "tcp4:192.0.2.1:2"))
    assert.equal(ABORT, knock(r, "tcp4:192.0.2.1:3"))
    assert.equal(2, knock(r, "tcp4:192.0.2.2:3"))
    r:advance(1000)
    assert.equal(2, knock(r, "tcp4:192.0.2.1:4"))
    assert.equal(ABORT, knock(r, "tcp4:192.0.2.1:5"))
    assert.equal(2, r:counters().limited)
  end)

  it("is for one network of IPv6, as who has one of its addresses has them all", function()
    local r = router(limits { action = "join", per = "ip", rate = 1, burst = 2 })
    assert.equal(2, knock(r, "tcp6:[2001:db8::1]:1"))
    assert.equal(2, knock(r, "tcp6:[2001:db8::dead:beef]:1"))
    assert.equal(ABORT, knock(r, "tcp6:[2001:db8::2]:1"))
    assert.equal(2, knock(r, "tcp6:[2001:db8:0:1::2]:1"))
  end)

  it("comes before anybody is asked", function()
    local r = router(asking.join(limits { action = "join", per = "realm", rate = 1 }))
    asking.knock(r)
    assert.equal(ABORT, knock(r))
  end)

  it("waits until it is known who it is, if that counts", function()
    local r = router(asking.join(limits { action = "join", per = "authid", rate = 1 }))
    asking.enter(r, { authid = "alice" })
    asking.enter(r, { authid = "bob" })
    local peer, question = asking.knock(r)
    assert.actions({ { peer, { ABORT, core.any, limited } }, { peer, closed = 1000 } },
      asking.accept(r, question, { authid = "alice" }))
    assert.equal(2, asking.claimed(r))
    r = router(asking.join(limits { action = "join", per = "realm", role = "guest", rate = 1 }))
    asking.enter(r, { authrole = "guest" })
    asking.enter(r, { authrole = "user" })
    peer, question = asking.knock(r)
    assert.equal(ABORT, peer:messages(asking.accept(r, question, { authrole = "guest" }))[1][1])
  end)
end)

core.describe("A limit on the number of sessions", function(router)
  local function max(more)
    local all = { action = "session", per = "authid", max = 2 }
    for k, v in pairs(more or {}) do
      all[k] = v
    end
    return asking.join(limits(all))
  end

  it("turns down who is too much", function()
    local r = router(max())
    local alice = asking.enter(r, { authid = "alice" })
    asking.enter(r, { authid = "alice" })
    asking.enter(r, { authid = "bob" })
    local peer, question = asking.knock(r)
    assert.actions({ { peer, { ABORT, { message = core.text "as many sessions" }, limited } },
      { peer, closed = 1000 } }, asking.accept(r, question))
    alice:drop()
    asking.enter(r, { authid = "alice" })
    assert.same({ 3, 3 }, { r:counters().sessions, asking.claimed(r) })
  end)

  it("or ends who has been there longest, before the new one is told", function()
    local r = router(max { over = "replace_oldest" })
    local first, second = asking.enter(r), asking.enter(r)
    asking.enter(r, { authid = "bob" })
    local peer, question = asking.knock(r)
    local actions = asking.accept(r, question)
    assert.actions({ { first, { GOODBYE, { message = core.text "newer session" },
      "wamp.close.killed" } }, { peer, { 2, core.id, core.any } }, { peer, joined = core.any } },
      actions)
    assert.equal(3, r:counters().sessions)
    peer, question = asking.knock(r)
    actions = asking.accept(r, question)
    assert.equal("6", asking.told(second, actions))
    assert.equal("2", asking.told(peer, actions))
  end)

  it("is for one role, and for realms that are open to all", function()
    local r = router(max { per = "realm", max = 1, role = "guest" })
    asking.enter(r, { authrole = "user" })
    asking.enter(r, { authrole = "user" })
    asking.enter(r, { authrole = "guest" })
    local peer, question = asking.knock(r)
    assert.equal("3", asking.told(peer, asking.accept(r, question, { authrole = "guest" })))
    r = router(limits { action = "session", per = "ip", max = 1 })
    r:join({}, { address = "tcp4:192.0.2.1:1" })
    r:join({}, { address = "tcp4:192.0.2.2:1" })
    peer = r:open { address = "tcp4:192.0.2.2:2" }
    assert.equal("3", asking.told(peer, peer:hello()))
    assert.equal(2, asking.claimed(r))
  end)

  it("counts anew when an attribute changes", function()
    local r = router(limits { action = "session", per = "org", max = 1 })
    local alice = r:join { org = "a" }
    local function enters(org)
      local peer = r:open()
      local is_in = asking.told(peer, peer:hello { org = org }) == "2"
      if is_in then
        peer:drop()
      end
      return is_in
    end
    assert.same({ false, true }, { enters "a", enters "b" })
    r:set(alice, { org = "b" })
    assert.same({ true, false }, { enters "a", enters "b" })
  end)

  it("leaves those who are there when it comes later, and counts them", function()
    local r = router()
    local peers = { r:join(), r:join(), r:join() }
    r:renew(limits { action = "session", per = "realm", max = 2 })
    assert.equal(3, r:counters().sessions)
    local peer = r:open()
    assert.equal("3", asking.told(peer, peer:hello()))
    peers[1]:drop()
    peers[2]:drop()
    r:join()
    r:renew(limits { action = "session", per = "realm", max = 2, over = "replace_oldest" })
    local actions = r:open():hello()
    assert.equal("6", asking.told(peers[3], actions))
    assert.equal(2, r:counters().sessions)
  end)
end)

core.describe("Limits that change", function(router)
  it("keep their buckets where they are the same", function()
    local same, other = limit { rate = 1 }, limit { rate = 1, per = "authid" }
    local r = router(limits(same, other))
    local alice = r:join()
    publish(alice)
    r:renew(limits(limit { rate = 1, over = "wait" }))
    assert.equal("", publish(alice))
    assert.equal("17", asking.told(alice, r:advance(1000)))
    r:renew(limits(limit { rate = 2 }))
    assert.equal(2, passed(alice, 5))
    r:renew {}
    assert.equal(5, passed(alice, 5))
    r:renew(limits(same))
    assert.equal(1, passed(alice, 5))
  end)

  it("let go of what waits when its time comes", function()
    local r = router(limits(limit { rate = 0.01, over = "wait" }))
    local alice = r:join()
    publish(alice)
    publish(alice)
    r:renew {}
    assert.equal("17", asking.told(alice, r:advance(100000)))
  end)

  it("forget buckets that are full, and the oldest when there are too many", function()
    local r = router { limits = { limit { rate = 1, per = "org" } }, max_buckets = 10 }
    local peers = {}
    for i = 1, 11 do
      peers[i] = r:join { org = i }
      assert.equal(1, passed(peers[i], 2))
    end
    assert.equal(0, passed(peers[2], 1))
    assert.equal(1, passed(peers[1], 2)) -- its bucket was forgotten
    r:advance(1000)
    for i = 1, 11 do
      assert.equal(1, passed(peers[i], 2), i)
    end
  end)

  it("must make sense", function()
    for words, wrong in pairs {
      ["rate: expected"] = limit { rate = 0 },
      ["burst: at this rate"] = limit { rate = 1e-6, burst = 4000000000 },
      ["max: is for"] = limit { max = 1 },
      ["\"replace_oldest\" is for"] = limit { over = "replace_oldest" },
      ["max: expected"] = { action = "session", per = "ip" },
      ["has max"] = { action = "session", per = "ip", max = 1, rate = 1 },
      ["expected \"deny\" or \"replace_oldest\""] = { action = "session", per = "ip", max = 1,
        over = "wait" },
      ["uri: makes no sense"] = { action = "session", per = "ip", max = 1, uri = "com.x" },
      ["expected \"deny\" for action"] = { action = "join", per = "ip", rate = 1, over = "wait" },
      ["\"session\": makes no sense"] = { action = "join", per = "session", rate = 1 },
      ["per: expected"] = { action = "call", rate = 1 },
      ["limits: "] = limit { uri = "com.{" },
    } do
      local done, why = pcall(router, limits(wrong))
      assert.is_false(done, words)
      assert.truthy(tostring(why):find(words, 1, true), why)
    end
  end)
end)

describe("Limits, compared with a model", function()
  --- Tokens at a time, as a number.
  local Bucket = {}
  Bucket.__index = Bucket

  local function level(bucket, now, rate, burst)
    return math.min(burst, bucket.level + (now - bucket.at) * rate / 1000)
  end

  it("let pass what it lets pass", function()
    for seed = 1, 40 do
      math.randomseed(seed)
      local random = math.random
      local all, pers = {}, { "session", "authid", "org", "realm" }
      for i = 1, random(3) do
        local rate = ({ 0.5, 1, 2, 4, 8 })[random(5)]
        all[i] = limit { rate = rate, burst = random(6), per = pers[random(4)],
          uri = random(3) == 1 and "com.n1" or nil }
      end
      local r = core.router { asks_join = true, limits = all, seed = seed, codec = "msgpack" }
      local peers, buckets, now = {}, {}, 0
      for i = 1, 4 do
        local authid, org = "u" .. random(2), ({ "a", "b" })[random(3)]
        peers[i] = { session = i, authid = authid, org = org, realm = 1,
          peer = asking.enter(r, { authid = authid, attributes = { org = org } }) }
      end
      for _ = 1, 150 do
        if random(3) == 1 then
          local ms = random(8) * 125
          r:advance(ms)
          now = now + ms
        end
        local who, uri = peers[random(4)], "com.n" .. random(2)
        local used, is_good = {}, true
        for i, one in ipairs(all) do
          if not one.uri or one.uri == uri then
            local key = i .. "/" .. tostring(who[one.per])
            buckets[key] = buckets[key] or setmetatable({ level = one.burst, at = 0 }, Bucket)
            used[#used + 1] = { buckets[key], one }
            is_good = is_good and level(buckets[key], now, one.rate, one.burst) >= 1
          end
        end
        for _, row in ipairs(is_good and used or {}) do
          local bucket, one = row[1], row[2]
          bucket.level, bucket.at = level(bucket, now, one.rate, one.burst) - 1, now
        end
        assert.equal(is_good and "17" or limited, publish(who.peer, uri), seed)
      end
    end
  end)

  it("leave the sessions that came last, of each kind so many", function()
    for seed = 1, 30 do
      math.randomseed(seed)
      local random = math.random
      local max, over = random(3), ({ "deny", "replace_oldest" })[random(2)]
      local function policy()
        return limits { action = "session", per = "org", max = max, over = over }
      end
      local options = policy()
      options.seed, options.codec = seed, "msgpack"
      local r, there = core.router(options), {} -- in the order in which they came
      local function of(org)
        local found = {}
        for _, one in ipairs(there) do
          found[#found + 1] = one.org == org and one or nil
        end
        return found
      end
      local function away(one)
        for i, other in ipairs(there) do
          if other == one then
            table.remove(there, i)
          end
        end
      end
      for _ = 1, 120 do
        local what, org = random(10), ({ "a", "b" })[random(3)]
        local peers = of(org)
        if what <= 5 then
          local peer = r:open()
          local actions = peer:hello { org = org }
          local gone = {}
          for i = 1, over == "deny" and 0 or math.max(0, #peers - max + 1) do
            gone[i] = peers[i]
            assert.equal("6", asking.told(peers[i].peer, actions))
          end
          for _, one in ipairs(gone) do
            away(one)
          end
          local is_in = over ~= "deny" or #peers < max
          assert.equal(is_in and "2" or "3", asking.told(peer, actions))
          there[#there + 1] = is_in and { peer = peer, org = org } or nil
        elseif what == 6 and #peers > 0 then
          local one = peers[random(#peers)]
          one.peer:drop()
          away(one)
        elseif what == 7 and #peers > 0 then
          local one = peers[random(#peers)]
          one.org = ({ "a", "b" })[random(2)]
          r:set(one.peer, { org = one.org })
        elseif what == 8 then
          max = random(3)
          r:renew(policy())
        end
        assert.equal(#there, r:counters().sessions)
      end
    end
  end)

  it("let everything pass in its order when it waits", function()
    for seed = 1, 20 do
      math.randomseed(seed)
      local random = math.random
      local r = core.router { seed = seed, codec = "cbor", limits = {
        limit { rate = random(4), per = "realm", over = "wait" },
        limit { rate = 1, over = "wait", uri = "com.n1" } } }
      local watcher, peers, sent, got = r:join(), {}, {}, {}
      watcher:subscribe("com", { match = "prefix" })
      for i = 1, 3 do
        peers[i], sent[i], got[i] = r:join(), 0, 0
      end
      local function read(actions)
        for _, message in ipairs(watcher:messages(actions)) do
          assert.equal(EVENT, message[1])
          local i, number = message[5][1], message[5][2]
          got[i] = got[i] + 1
          assert.equal(got[i], number)
        end
      end
      for _ = 1, 60 do
        local i = random(3)
        sent[i] = sent[i] + 1
        read(peers[i]:publish("com.n" .. random(2), { i, sent[i] }))
        read(r:advance(random(200)))
      end
      read(r:advance(100000))
      assert.same(sent, got)
      assert.is_nil(r:wakes_in())
      assert.equal(meta.invalid_uri, publish(peers[1], ""))
    end
  end)
end)

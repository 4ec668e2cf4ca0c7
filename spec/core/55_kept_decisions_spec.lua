--- Answers of an authorizer that are kept, for those who are equal in what it read.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local list, null = core.list, core.null
local CALL, SUBSCRIBE, PUBLISH, REGISTER = core.CALL, core.SUBSCRIBE, core.PUBLISH, core.REGISTER
local not_authorized = meta.not_authorized
local acknowledged = { acknowledge = true }

--- Everything is asked about.
local rules = { { name = "anonymous", rules = {
  { effect = "ask", actions = "*", uri = "**" } } } }

--- Answers the question and has it kept for a minute; `more` stands before.
local function keep(r, question, reads, more)
  local decision = { question = question, verdict = "allow", keep = 60000, reads = reads }
  for k, v in pairs(more or {}) do
    decision[k] = v
  end
  return r:decide(decision)
end

--- PUBLISHes; the question, or nil, and what the peer was told.
local function publish(peer, uri)
  local actions = peer:publish(uri or "com.x", {}, nil, acknowledged)
  return core.asked(actions), asking.told(peer, actions)
end

core.describe("A decision that is kept", function(router)
  it("is for all who are equal in what was read", function()
    local r = router { rules = rules }
    local alice, bob, carol = r:join { org = "acme" }, r:join { org = "acme" }, r:join { org = "b" }
    keep(r, publish(alice), { "org" })
    for _ = 1, 3 do
      assert.same({ nil, "17" }, { publish(alice) })
      assert.same({ nil, "17" }, { publish(bob) })
    end
    assert.is_number((publish(carol)))
    assert.equal(1, r:counters().decisions_kept)
    assert.equal(6, r:counters().decisions_reused)
  end)

  it("is for everybody when nothing was read", function()
    local r = router { rules = rules }
    keep(r, publish(r:join()), {})
    assert.same({ nil, "17" }, { publish(r:join { org = "acme" }) })
  end)

  it("is not kept when nobody says so", function()
    local r = router { rules = rules }
    local alice = r:join()
    for _ = 1, 3 do
      asking.allow(r, (publish(alice)))
    end
    assert.equal(0, r:counters().decisions_kept)
  end)

  it("is for one action, URI and match", function()
    local r = router { rules = rules }
    local alice = r:join()
    keep(r, core.asked(alice:send { SUBSCRIBE, 1, {}, "com.x" }), {})
    for i, message in ipairs {
      { SUBSCRIBE, 2, { match = "prefix" }, "com.x" }, { SUBSCRIBE, 2, {}, "com.xy" },
      { SUBSCRIBE, 2, { match = "wildcard" }, "com.x" }, { CALL, 2, {}, "com.x" },
      { REGISTER, 2, {}, "com.x" }, { PUBLISH, 2, {}, "com.x" },
    } do
      local peer = r:join()
      assert.is_number(core.asked(peer:send(message)), i)
    end
    assert.equal("33", asking.told(alice, alice:send { SUBSCRIBE, 2, {}, "com.x" }))
  end)

  it("is over after its time", function()
    local r = router { rules = rules }
    local alice = r:join()
    keep(r, publish(alice), {}, { keep = 1000 })
    r:advance(999)
    assert.same({ nil, "17" }, { publish(alice) })
    r:advance(1)
    keep(r, publish(alice), {}, { keep = 1000 })
    assert.same({ nil, "17" }, { publish(alice) })
    assert.equal(1, r:counters().decisions_kept)
  end)

  it("may be a denial, with its reason and words", function()
    local r = router { rules = rules }
    local alice = r:join()
    keep(r, core.asked(alice:call "com.x"), {}, { verdict = "deny", reason = "com.why",
      words = "because" })
    assert.actions({ { alice, { core.ERROR, CALL, 2, {}, "com.why", list { "because" } } } },
      alice:call "com.x")
    keep(r, core.asked(alice:call "com.y"), {}, { verdict = "deny" })
    assert.equal(not_authorized, asking.told(alice, alice:call "com.y"))
    local actions = alice:publish "com.z"
    keep(r, core.asked(actions), {}, { verdict = "deny" })
    assert.actions({}, alice:publish "com.z")
  end)

  it("keeps what it grants", function()
    local r = router { rules = rules, disclose_publisher = "never" }
    local alice, bob = r:join(), r:join()
    asking.allow(r, core.asked(bob:send { SUBSCRIBE, bob:next_request(), {}, "com.x" }))
    keep(r, publish(alice), {}, { grant = { disclose = true } })
    local event = bob:first(alice:publish "com.x", core.EVENT)
    assert.equal(alice.session, event[4].publisher)
  end)

  it("does not overtake what is judged before it", function()
    local r = router { rules = rules }
    local alice = r:join()
    keep(r, publish(alice), {})
    local first = core.asked(alice:publish("com.y", {}, nil, acknowledged))
    assert.actions({}, alice:publish("com.x", {}, nil, acknowledged))
    assert.equal("17 17", asking.told(alice, asking.allow(r, first)))
  end)

  it("knows absent, and the types of values", function()
    local r = router { rules = rules }
    local peers = { r:join(), r:join { v = 3 }, r:join { v = "3" }, r:join { v = 3.5 },
      r:join { v = true }, r:join { v = false }, r:join { v = "" } }
    for _, peer in ipairs(peers) do
      keep(r, publish(peer), { "v" })
    end
    assert.equal(#peers, r:counters().decisions_kept)
    for _, peer in ipairs(peers) do
      assert.same({ nil, "17" }, { publish(peer) })
    end
    assert.same({ nil, "17" }, { publish(r:join { w = 3 }) })
  end)

  it("is for one session when what was read is its own", function()
    for _, name in ipairs { "id", "joined", "roles", "transport", "hello" } do
      local r = router { rules = rules }
      local alice, bob = r:join(), r:join()
      keep(r, publish(alice), { name })
      assert.same({ nil, "17" }, { publish(alice) })
      assert.is_number((publish(bob)), name)
    end
  end)

  it("is for one session when what was read is a list or a dict", function()
    local r = router { rules = rules }
    for _, value in ipairs { list { "a" }, list {}, { a = 1 }, core.binary "a" } do
      local alice, bob = r:join { v = value }, r:join { v = value }
      keep(r, publish(alice), { "v" })
      assert.same({ nil, "17" }, { publish(alice) })
      assert.is_number((publish(bob)))
    end
    assert.is_number((publish(r:join { v = "a" })))
  end)

  it("tells trust levels apart", function()
    local r = router(asking.join { rules = { { name = "user", rules = rules[1].rules } } })
    local function enter(level)
      return asking.enter(r, { trustlevel = level })
    end
    keep(r, publish(enter(0)), { "trustlevel" })
    assert.same({ nil, "17" }, { publish(enter(0)) })
    assert.is_number((publish(enter(nil))))
    assert.is_number((publish(enter(1))))
  end)

  it("is another one when the authorizer reads something else", function()
    local r = router { rules = rules }
    local alice, bob = r:join { a = 1, b = 1 }, r:join { a = 2, b = 1 }
    keep(r, publish(alice), { "a" })
    keep(r, publish(bob), { "b", "a" })
    assert.equal(1, r:counters().decisions_kept)
    assert.is_number((publish(alice)))
    assert.same({ nil, "17" }, { publish(bob) })
    keep(r, publish(r:join { b = 7 }), {})
    assert.equal(1, r:counters().decisions_kept)
    assert.same({ nil, "17" }, { publish(bob) })
  end)

  it("is not kept when it cannot be", function()
    local reads = {}
    for i = 1, 17 do
      reads[i] = "a" .. i
    end
    for i, row in ipairs {
      { { "vars" } }, { reads }, { {}, { verdict = "deny", closes = true } },
      { {}, { verdict = "deny", kwargs = { a = 1 } } },
    } do
      local r = router { rules = rules }
      keep(r, publish(r:join()), row[1], row[2])
      assert.equal(0, r:counters().decisions_kept, i)
    end
  end)
end)

core.describe("A decision is forgotten", function(router)
  it("when the rules change, and so is one that is on its way", function()
    local r = router { rules = rules }
    local alice, bob = r:join(), r:join()
    keep(r, publish(alice), {})
    local late = publish(bob, "com.y")
    r:renew { rules = rules }
    keep(r, late, {})
    assert.equal(0, r:counters().decisions_kept)
    keep(r, publish(alice), {})
    assert.equal(1, r:counters().decisions_kept)
  end)

  it("by a session whose attribute changes", function()
    local r = router { rules = rules }
    local alice, bob = r:join { org = "acme" }, r:join { org = "acme" }
    keep(r, publish(alice), { "org" })
    r:set(alice, { org = "other" })
    keep(r, publish(alice), { "org" }, { verdict = "deny" })
    assert.same({ nil, not_authorized }, { publish(alice) })
    assert.same({ nil, "17" }, { publish(bob) })
    r:set(alice, { org = "acme" })
    assert.same({ nil, "17" }, { publish(alice) })
    r:set(bob, { org = null })
    assert.is_number((publish(bob)))
  end)

  it("by a session whose attributes change, if it was for that session", function()
    local r = router { rules = rules }
    local alice = r:join { teams = list { "a" } }
    keep(r, publish(alice), { "id" })
    keep(r, publish(alice, "com.y"), { "teams" })
    assert.same({ nil, "17" }, { publish(alice) })
    r:set(alice, { teams = list { "b" } })
    asking.allow(r, (publish(alice)))
    assert.is_number((publish(alice, "com.y")))
  end)

  it("if the attributes changed while it was asked for", function()
    local r = router { rules = rules }
    local alice = r:join { org = "acme" }
    local question = publish(alice)
    r:set(alice, { org = "other" })
    keep(r, question, { "org" })
    assert.equal(0, r:counters().decisions_kept)
  end)

  it("by whoever wants it, all or some", function()
    local r = router { rules = rules }
    local alice, bob = r:join { org = "acme" }, r:join { org = "b" }
    local function all()
      keep(r, publish(alice, "com.1"), {})
      for _, peer in ipairs { alice, bob } do
        keep(r, publish(peer, "com.2"), { "authrole", "org" })
        keep(r, publish(peer, "com.3"), { "id" })
      end
    end
    local function asked(peer)
      local uris = {}
      for i = 1, 3 do
        local question = publish(peer, "com." .. i)
        uris[#uris + 1] = question and i
        if question then
          asking.allow(r, question)
        end
      end
      return uris
    end
    all()
    assert.same({ {}, {} }, { asked(alice), asked(bob) })
    r:forget("org", "acme")
    assert.same({ { 2, 3 }, {} }, { asked(alice), asked(bob) })
    r:forget("org", 1)
    r:forget("nothing", "at all")
    assert.same({ {}, 4 }, { asked(bob), r:counters().decisions_kept })
    r:forget()
    assert.same({ { 1, 2, 3 }, { 1, 2, 3 } }, { asked(alice), asked(bob) })
    assert.equal(0, r:counters().decisions_kept)
  end)

  it("when there are too many: first what was not used for longest", function()
    local r = router { rules = rules, max_kept_nodes = 20 }
    local alice = r:join()
    for i = 1, 15 do -- two nodes each
      keep(r, publish(alice, "com.n" .. i), { "org" })
      assert.same({ nil, "17" }, { publish(alice, "com.n1") })
    end
    assert.equal(10, r:counters().decisions_kept)
    for _, i in ipairs { 1, 7, 8, 15 } do
      assert.same({ nil, "17" }, { publish(alice, "com.n" .. i) })
    end
    assert.is_number((publish(alice, "com.n6")))
  end)

  it("when one URI alone has too many", function()
    local r = router { rules = rules, max_kept_nodes = 20 }
    for i = 1, 19 do
      keep(r, publish(r:join { org = i }), { "org" })
    end
    assert.equal(19, r:counters().decisions_kept)
    keep(r, publish(r:join { org = 20 }), { "org" })
    assert.equal(0, r:counters().decisions_kept)
  end)

  it("when it is too long", function()
    local r = router { rules = rules }
    local alice = r:join()
    for i = 1, 20 do
      keep(r, publish(alice, "com.n" .. i), {}, { verdict = "deny", words = ("x"):rep(1048576) })
    end
    assert.equal(7, r:counters().decisions_kept)
  end)
end)

core.describe("What is held is judged again", function(router)
  it("by what is kept, and what is said then is kept", function()
    local r = router()
    local peers = {}
    for i = 1, 10 do
      peers[i] = r:join { roles = { subscriber = { features = {
        subscription_revocation = true } } }, org = i % 2 == 0 and "even" or "odd" }
      peers[i]:subscribe "com.x"
    end
    r:renew { rules = rules }
    for _, question in ipairs { core.asked(peers[1]:send { SUBSCRIBE, 2, {}, "com.x" }) } do
      keep(r, question, { "org" })
    end
    r:recheck()
    local actions = r:advance(5)
    assert.equal(5, asking.count(actions))
    actions = keep(r, core.asked(actions), { "org" }, { verdict = "deny", reason = "com.out" })
    assert.equal(1, #actions)
    r:recheck()
    actions = r:advance(5)
    local revoked, unasked = 0, 0
    for _, action in ipairs(actions) do
      revoked = revoked + (action[2] and action[2][1] == core.UNSUBSCRIBED and 1 or 0)
      unasked = unasked + (action.unask and 1 or 0)
    end
    assert.same({ 4, 4, 5 }, { revoked, unasked, r:counters().revoked })
    assert.equal(5, #r:find("subscribers", "com.x"))
  end)
end)

describe("An authorizer whose answers are kept", function()
  --- What it says, by what it reads through `read`.
  local function authorize(uri, read)
    if uri == "com.n1" then
      return true
    elseif read "a" == 1 then
      return (read "b" or 0) ~= 2
    elseif uri == "com.n2" then
      return read "c" == "x"
    end
    return read "c" ~= "y" and read "b" ~= 3
  end

  it("is asked once for each combination of what it reads, and never contradicted", function()
    for seed = 1, 30 do
      math.randomseed(seed)
      local random = math.random
      local r = core.router { codec = "msgpack", rules = rules, seed = seed }
      local peers, attributes, known = {}, {}, {}
      local function change(i)
        local all = { a = random(2), b = random(4) > 1 and random(3) or nil,
          c = random(3) > 1 and ({ "x", "y" })[random(2)] or nil }
        attributes[i] = all
        if peers[i] then
          r:set(peers[i], { a = all.a, b = all.b or null, c = all.c or null })
        else
          peers[i] = r:join { a = all.a, b = all.b, c = all.c }
        end
      end
      for i = 1, 5 do
        change(i)
      end
      local now = 0
      for _ = 1, 200 do
        local i, what = random(5), random(20)
        if what == 1 then
          change(i)
        elseif what == 2 then
          local ms = random(2000)
          r:advance(ms)
          now = now + ms
        elseif what == 3 and random(4) == 1 then
          r:forget()
          known = {}
        else
          local uri, reads, way = "com.n" .. random(3), {}, {}
          way[1] = uri
          local allowed = authorize(uri, function(name)
            for _, read in ipairs(reads) do
              if read == name then
                return attributes[i][name]
              end
            end
            reads[#reads + 1] = name
            way[#way + 1] = tostring(attributes[i][name])
            return attributes[i][name]
          end)
          local key = table.concat(way, "/")
          local question, told = publish(peers[i], uri)
          if known[key] and known[key] > now then
            assert.is_nil(question)
          else
            assert.is_number(question)
            known[key] = now + 3000
            told = asking.told(peers[i], keep(r, question, reads, {
              verdict = allowed and "allow" or "deny", keep = 3000 }))
          end
          assert.equal(allowed and "17" or not_authorized, told)
        end
      end
    end
  end)
end)

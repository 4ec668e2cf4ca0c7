--- sharded_subscription: rkey of the publisher and nkey of the subscribers choose who gets it.
-- SPDX-License-Identifier: MIT
local core = require "core"
local shards = require "shards"

local EVENT = core.EVENT

-- Taken from the definition of the hash, not from a program.
local vectors = {
  { "sn239019", { ["101"] = 0x8192fbe2d0d37aa8, ["102"] = 0x74ce08df97cebef9,
    ["103"] = 0x17a6705a1553aeac }, "101" },
  { "user-42", { ["101"] = 0x2cbaa1007c7618c5, ["102"] = 0x0bc8c8ac3e5359c0,
    ["103"] = 0x98b816de2c4aa95d }, "103" },
}

local three = { "101", "102", "103" }

describe("The hash that this spec compares with", function()
  for _, row in ipairs(vectors) do
    it("has the scores and the winner that are defined for " .. row[1], function()
      for key, score in pairs(row[2]) do
        assert.equal(score, shards.score(row[1], key))
      end
      assert.equal(row[3], shards.winner(row[1], three))
    end)
  end
end)

core.describe("Sharded subscription", function(router)
  --- Sessions by name; a name is the key, with a letter behind it when a key has several.
  local function scene(names, options)
    local r = router()
    local members, id = {}, nil
    for _, name in ipairs(names) do
      members[name] = r:join()
      local all = { nkey = name:match "^%d+" }
      for k, v in pairs(options or {}) do
        all[k] = v
      end
      id = members[name]:subscribe(options and options.match and "com." or "com.x", all)
    end
    return r, members, r:join(), id
  end

  local function audience(members, actions)
    local got = {}
    for name, peer in pairs(members) do
      local count = 0
      for _, message in ipairs(peer:messages(actions)) do
        count = count + (message[1] == EVENT and 1 or 0)
      end
      assert.is_true(count <= 1, name)
      got[#got + 1] = count == 1 and name or nil
    end
    table.sort(got)
    return table.concat(got, " ")
  end

  local function published(members, publisher, rkey, options)
    local all = { rkey = rkey }
    for k, v in pairs(options or {}) do
      all[k] = v
    end
    return audience(members, publisher:publish("com.x", { 1 }, nil, all))
  end

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.broker.features.sharded_subscription)
  end)

  it("needs no announcement of either side", function()
    local r = router()
    local alice, bob = r:join { roles = { subscriber = {} } }, r:join { roles = { publisher = {} } }
    local carol = r:join { roles = { subscriber = {} } }
    alice:subscribe("com.x", { nkey = "101" })
    carol:subscribe("com.x", { nkey = "102" })
    assert.equal("a", published({ a = alice, c = carol }, bob, "sn239019"))
  end)

  for _, row in ipairs(vectors) do
    it(("delivers %s to %s, every time"):format(row[1], row[3]), function()
      local _, members, bob = scene(three)
      for _ = 1, 5 do
        assert.equal(row[3], published(members, bob, row[1]))
      end
    end)
  end

  it("chooses what the hash says, for any key and any set of keys", function()
    local _, members, bob = scene { "7", "101", "102", "103", "20000" }
    local keys = { "7", "101", "102", "103", "20000" }
    local rkeys = { "", " ", "0", "müller", "漢字", ("x"):rep(1000), "a\n\"b\\" }
    for i = 1, 100 do
      rkeys[#rkeys + 1] = "key" .. i
    end
    local seen = {}
    for _, rkey in ipairs(rkeys) do
      local winner = shards.winner(rkey, keys)
      assert.equal(winner, published(members, bob, rkey), rkey)
      seen[winner] = true
    end
    for _, key in ipairs(keys) do
      assert.is_true(seen[key], key)
    end
  end)

  it("an empty nkey and one of many octets are keys as well", function()
    local r = router()
    local long = ("ü"):rep(300)
    local keys, members = { "", "a", long }, {}
    for _, key in ipairs(keys) do
      members[key] = r:join()
      members[key]:subscribe("com.x", { nkey = key })
    end
    local bob = r:join()
    local seen = {}
    for i = 1, 60 do
      local rkey = "r" .. i
      local winner = shards.winner(rkey, keys)
      assert.equal(winner, published(members, bob, rkey))
      seen[winner] = true
    end
    assert.is_true(seen[""] and seen.a and seen[long])
  end)

  it("delivers to all members of the group that wins", function()
    local _, members, bob = scene { "101a", "102a", "101b", "103a", "101c", "103b" }
    assert.equal("101a 101b 101c", published(members, bob, "sn239019"))
    assert.equal("103a 103b", published(members, bob, "user-42"))
  end)

  it("counts a key once, however many have it", function()
    local _, members, bob = scene { "102a", "102b", "102c", "102d", "101" }
    assert.equal("101", published(members, bob, "sn239019"))
  end)

  it("delivers to everybody when the publication has no rkey", function()
    local _, members, bob = scene { "101", "102", "103a", "103b" }
    members.none = bob.router:join()
    members.none:subscribe "com.x"
    assert.equal("101 102 103a 103b none", published(members, bob))
  end)

  it("delivers to subscribers without nkey in any case", function()
    local r, members, bob = scene(three)
    members.none, members.neither = r:join(), r:join()
    members.none:subscribe "com.x"
    members.neither:subscribe "com.x"
    assert.equal("101 neither none", published(members, bob, "sn239019"))
    assert.equal("103 neither none", published(members, bob, "user-42"))
  end)

  it("delivers to all when nobody has an nkey", function()
    local r = router()
    local alice, carol, bob = r:join(), r:join(), r:join()
    alice:subscribe "com.x"
    carol:subscribe "com.x"
    assert.equal("a c", published({ a = alice, c = carol }, bob, "sn239019"))
  end)

  it("delivers to the only key there is", function()
    local _, members, bob = scene { "102" }
    for i = 1, 20 do
      assert.equal("102", published(members, bob, "key" .. i))
    end
  end)

  it("moves only the shard of who leaves", function()
    local _, members, bob = scene(three)
    members["101"]:drop()
    assert.equal("102", shards.winner("sn239019", { "102", "103" }))
    assert.equal("102", published(members, bob, "sn239019"))
    assert.equal("103", published(members, bob, "user-42"))
  end)

  it("keeps a key as long as one member has it", function()
    local _, members, bob, id = scene { "101a", "101b", "102" }
    members["101a"]:unsubscribe(id)
    assert.equal("101b", published(members, bob, "sn239019"))
    members["101b"]:unsubscribe(id)
    assert.equal("102", published(members, bob, "sn239019"))
  end)

  it("does not move a shard because of a filter", function()
    local _, members, bob = scene { "101", "102", "103" }
    local winner = members["101"]
    for _, options in ipairs {
      { exclude = { winner.session } },
      { exclude_authid = { winner.welcome.authid } },
      { eligible = { members["102"].session, members["103"].session } },
      { eligible_authid = { members["102"].welcome.authid } },
      { eligible = core.list {} },
    } do
      assert.equal("", published(members, bob, "sn239019", options))
    end
  end)

  it("filters within the group that won", function()
    local _, members, bob = scene { "101a", "101b", "102" }
    assert.equal("101b", published(members, bob, "sn239019",
      { exclude = { members["101a"].session } }))
    assert.equal("101a", published(members, bob, "sn239019",
      { eligible = { members["101a"].session, members["102"].session } }))
  end)

  it("does not move a shard because its member is the publisher", function()
    local _, members = scene(three)
    assert.equal("", published(members, members["101"], "sn239019"))
    assert.equal("101", published(members, members["101"], "sn239019", { exclude_me = false }))
    assert.equal("103", published(members, members["101"], "user-42"))
  end)

  it("replaces the nkey when the session subscribes again", function()
    local _, members, bob, id = scene { "101", "102" }
    assert.equal("101", published(members, bob, "sn239019"))
    assert.equal(id, members["101"]:subscribe("com.x", { nkey = "103" }))
    assert.equal("102", shards.winner("sn239019", { "102", "103" }))
    assert.equal("102", published(members, bob, "sn239019"))
    assert.equal("101", published(members, bob, "user-42"))
  end)

  it("removes the nkey when the session subscribes again without", function()
    local _, members, bob, id = scene { "101", "102" }
    assert.equal("101", published(members, bob, "sn239019"))
    assert.equal(id, (members["101"]:subscribe "com.x"))
    assert.equal("101 102", published(members, bob, "sn239019"))
    members["102"]:subscribe("com.x", { nkey = "101" })
    assert.equal("101 102", published(members, bob, "sn239019"))
  end)

  it("adds a nkey when the session subscribes again with one", function()
    local _, members, bob = scene { "101", "none" }
    assert.equal("101 none", published(members, bob, "user-42"))
    members.none:subscribe("com.x", { nkey = "103" })
    assert.equal("none", published(members, bob, "user-42"))
  end)

  it("makes no difference for which subscription it is: nkey is not part of its key", function()
    local r = router()
    local alice, carol = r:join(), r:join()
    local id = alice:subscribe("com.x", { nkey = "1" })
    assert.equal(id, carol:subscribe("com.x", { nkey = "2" }))
    assert.equal(id, (r:join():subscribe "com.x"))
    assert.equal(1, r:counters().subscriptions)
  end)

  for match, pattern in pairs { prefix = "com.", wildcard = "com." } do
    it("works for subscriptions by " .. match, function()
      local r, members, bob, id = scene(three, { match = match })
      assert.equal("101", published(members, bob, "sn239019"))
      assert.actions({ { members["103"], { EVENT, id, core.id, { topic = "com.y" }, { 2 } } } },
        bob:publish("com.y", { 2 }, nil, { rkey = "user-42" }))
      assert.equal(id, r:join():subscribe(pattern, { match = match }))
    end)
  end

  it("chooses on each matching subscription by itself", function()
    local r = router()
    local alice, carol, bob = r:join(), r:join(), r:join()
    local exact = alice:subscribe("com.x", { nkey = "101" })
    carol:subscribe("com.x", { nkey = "102" })
    local prefix = carol:subscribe("com", { match = "prefix", nkey = "102" })
    alice:subscribe("com", { match = "prefix", nkey = "103" })
    local wildcard = alice:subscribe(".x", { match = "wildcard", nkey = "103" })
    local actions = bob:publish("com.x", nil, nil, { rkey = "sn239019" })
    assert.equal(3, #actions)
    local seen = {}
    for _, action in ipairs(actions) do
      seen[action[2][2]] = action[1]
      assert.equal(actions[1][2][3], action[2][3])
      assert.equal(action[2][2] ~= exact and "com.x" or nil, action[2][4].topic)
    end
    assert.same({ [exact] = alice, [prefix] = carol, [wildcard] = alice }, seen)
  end)

  it("passes neither rkey nor nkey on", function()
    local _, members, bob, id = scene { "101" }
    assert.actions({ { members["101"], { EVENT, id, core.id, {}, { 1 } } } },
      bob:publish("com.x", { 1 }, nil, { rkey = "a" }))
  end)

  it("is no matter of the acknowledgement", function()
    local _, members, bob = scene(three)
    local actions = bob:publish("com.x", nil, nil, { rkey = "user-42", acknowledge = true })
    assert.equal(core.PUBLISHED, bob:messages(actions)[1][1])
    assert.equal("103", audience(members, actions))
  end)

  for seed = 1, 3 do
    it(("delivers to whom it should, whoever comes and goes (seed %d)"):format(seed), function()
      local state = seed
      local function roll(most)
        state = state * 6364136223846793005 + 1442695040888963407
        return (state >> 33) % most + 1
      end
      local r = router()
      local bob, id = r:join(), nil
      local crowd, key_of = {}, {} -- places; what is attached: a key, or "" for none
      for i = 1, 12 do
        crowd[i] = r:join()
      end
      local function move(i)
        local what = roll(5)
        if what == 5 and key_of[i] then
          crowd[i]:unsubscribe(id)
          key_of[i] = nil
        elseif what == 4 then
          crowd[i]:drop()
          crowd[i], key_of[i] = r:join(), nil
        else
          local key = roll(5)
          id = crowd[i]:subscribe("com.x", { nkey = key < 5 and "k" .. key or nil })
          key_of[i] = key < 5 and "k" .. key or ""
        end
      end
      for round = 1, 300 do
        move(roll(#crowd))
        local rkey, keys, expected, got = "r" .. round, {}, {}, {}
        for _, key in pairs(key_of) do
          keys[#keys + 1] = key ~= "" and key or nil
        end
        local winner = shards.winner(rkey, keys)
        local actions = bob:publish("com.x", nil, nil, { rkey = rkey })
        for i, peer in ipairs(crowd) do
          expected[i] = key_of[i] == "" or key_of[i] ~= nil and key_of[i] == winner
          got[i] = #peer:messages(actions) == 1
        end
        assert.same(expected, got)
      end
    end)
  end

  for _, bad in ipairs { 5, true, 1.5, core.null, core.list { "a" }, { a = 1 } } do
    it(core.show(bad) .. " as rkey or nkey is a violation that names it", function()
      local r = router()
      local alice, bob = r:join(), r:join()
      assert.actions(core.violation(alice, "nkey"),
        alice:send { core.SUBSCRIBE, 1, { nkey = bad }, "com.x" })
      assert.actions(core.violation(bob, "rkey"),
        bob:send { core.PUBLISH, 1, { rkey = bad }, "com.x" })
    end)
  end
end)

--- Prefixes and wildcards: which subscriptions hear, and which registration is called.
-- SPDX-License-Identifier: MIT
local core = require "core"

-- Match policy, pattern, URIs that match, URIs that do not.
local rows = {
  { "exact", "com.x", { "com.x" }, { "com", "com.x.y", "com.X", "com.xx" } },
  { "prefix", "com.myapp.top", { "com.myapp.top", "com.myapp.topic", "com.myapp.top-1.x" },
    { "com.myapp.to", "com.myapp", "org.myapp.top", "com.myapp.tox" } },
  { "prefix", "com.", { "com.x", "com.x.y" }, { "com", "comx.y" } },
  { "prefix", "com", { "com", "com.x", "comx.y" }, { "co", "dom" } },
  { "prefix", "", { "a", "com.x.y", "ü" }, {} },
  { "wildcard", "com..x", { "com.a.x", "com.b.x" },
    { "com.x", "com.a.b.x", "com.a.y", "org.a.x" } },
  { "wildcard", "..", { "a.b.c", "x.y.z" }, { "a", "a.b", "a.b.c.d" } },
  { "wildcard", "", { "a", "com" }, { "a.b" } },
  { "wildcard", ".x", { "a.x", "x.x" }, { "x", "a.b", "a.x.x" } },
  { "wildcard", "x.", { "x.a", "x.x" }, { "x", "a.x", "x.a.b" } },
  { "wildcard", "a.b.c", { "a.b.c" }, { "a.b", "a.b.d", "a.b.c.d" } },
  { "wildcard", "a..c.", { "a.b.c.d", "a.x.c.x" }, { "a.b.c", "a.b.d.d", "b.b.c.d" } },
  { "wildcard", "com.é.", { "com.é.x" }, { "com.e.x" } },
}

core.describe("The pattern", function(router)
  for _, row in ipairs(rows) do
    local match, pattern, good, bad = table.unpack(row)

    it(("%q (%s) of a subscription hears what it matches"):format(pattern, match), function()
      local r = router()
      local alice, bob = r:join(), r:join()
      local id = alice:subscribe(pattern, { match = match })
      for _, uri in ipairs(good) do
        local details = match ~= "exact" and { topic = uri } or {}
        assert.actions({ { alice, { core.EVENT, id, core.id, details } } }, bob:publish(uri))
      end
      for _, uri in ipairs(bad) do
        assert.actions({}, bob:publish(uri))
      end
    end)

    it(("%q (%s) of a registration is called by what it matches"):format(pattern, match), function()
      local r = router()
      local alice, bob = r:join(), r:join()
      local id = alice:register(pattern, { match = match })
      for i, uri in ipairs(good) do
        local details = match ~= "exact" and { procedure = uri } or {}
        assert.actions({ { alice, { core.INVOCATION, i, id, details } } }, bob:call(uri))
      end
      for _, uri in ipairs(bad) do
        assert.actions({ { bob, core.failure(core.CALL, bob.last_request + 1,
          "wamp.error.no_such_procedure") } }, bob:call(uri))
      end
    end)
  end
end)

core.describe("pattern_based_subscription: a publication to several", function(router)
  it("is sent once for each, under one publication id", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local ids = {
      alice:subscribe "com.a.x",
      alice:subscribe("com.a.x", { match = "prefix" }),
      alice:subscribe("com.a", { match = "prefix" }),
      alice:subscribe("", { match = "prefix" }),
      alice:subscribe("com.a.", { match = "wildcard" }),
      alice:subscribe("com..x", { match = "wildcard" }),
      alice:subscribe("..", { match = "wildcard" }),
    }
    alice:subscribe("com.b", { match = "prefix" })
    alice:subscribe(".", { match = "wildcard" })
    local actions = bob:publish "com.a.x"
    local got = {}
    for i, message in ipairs(alice:messages(actions)) do
      got[i] = message[2]
      assert.equal(actions[1][2][3], message[3])
    end
    assert.same(ids, got)
  end)

  it("hears nothing of a pattern that was unsubscribed", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local ids = {}
    for i, pattern in ipairs { "com", "com.", "com.a", "com.ab", "com.abc", "c" } do
      ids[i] = alice:subscribe(pattern, { match = "prefix" })
    end
    for i, id in ipairs { ids[3], ids[1], ids[5], ids[2], ids[6], ids[4] } do
      assert.equal(7 - i, #bob:publish "com.abcd")
      alice:unsubscribe(id)
    end
    assert.actions({}, bob:publish "com.abcd")
  end)
end)

core.describe("pattern_based_registration: a call that several match", function(router)
  local patterns = {
    { "a1.b2.c3.d4.e55", "exact" }, { "a1.b2.c3", "prefix" }, { "a1.b2.c3.d4", "prefix" },
    { "a1.b2..d4.e5", "wildcard" }, { "a1.b2.c33..e5", "wildcard" },
    { "a1.b2..d4.e5..g7", "wildcard" }, { "a1.b2..d4..f6.g7", "wildcard" },
  }
  local calls = {
    { "a1.b2.c3.d4.e55", 1 }, { "a1.b2.c3.d98.e74", 2 }, { "a1.b2.c3.d4.e325", 3 },
    { "a1.b2.c55.d4.e5", 4 }, { "a1.b2.c88.d4.e5.f6.g7", 6 }, { "a2.b2.c2.d2.e2" },
    -- A prefix is one of bytes, so "a1.b2.c3" matches; but it ends inside a component.
    { "a1.b2.c33.d4.e5", 5 },
  }

  local function expect(r, callee, ids, uri, index)
    local caller = r:join()
    local actions = caller:call(uri)
    if index then
      assert.equal(ids[index], callee:first(actions, core.INVOCATION)[3], uri)
      assert.equal(patterns[index] and patterns[index][2] ~= "exact" and uri or nil,
        callee:first(actions, core.INVOCATION)[4].procedure)
      assert.equal(1, #actions)
    else
      assert.actions({ { caller, core.failure(core.CALL, 1, "wamp.error.no_such_procedure") } },
        actions)
    end
  end

  for _, order in ipairs { "forwards", "backwards" } do
    it("goes to the best one, registered " .. order, function()
      local r = router()
      local alice = r:join()
      local ids = {}
      for i = 1, #patterns do
        local k = order == "forwards" and i or #patterns + 1 - i
        ids[k] = alice:register(patterns[k][1], { match = patterns[k][2] })
      end
      for _, call in ipairs(calls) do
        expect(r, alice, ids, call[1], call[2])
      end
    end)
  end

  it("goes to the wildcard that is literal first from the left", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local later = alice:register("a1.b2..d4.e5", { match = "wildcard" })
    local first = alice:register("a1.b2.c33..e5", { match = "wildcard" })
    assert.equal(first, alice:first(bob:call "a1.b2.c33.d4.e5", core.INVOCATION)[3])
    assert.equal(later, alice:first(bob:call "a1.b2.c34.d4.e5", core.INVOCATION)[3])
  end)

  it("goes to a wildcard when all prefixes end inside a component, else to the longest", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local function chosen()
      return alice:first(bob:call "com.abc.x", core.INVOCATION)[3]
    end
    local inside = alice:register("com.ab", { match = "prefix" })
    assert.equal(inside, chosen())
    local wildcard = alice:register("com..x", { match = "wildcard" })
    assert.equal(wildcard, chosen())
    local whole = alice:register("com.", { match = "prefix" })
    assert.equal(inside, chosen())
    alice:unregister(inside)
    assert.equal(whole, chosen())
    alice:unregister(whole)
    assert.equal(wildcard, chosen())
  end)

  it("goes to exact before prefix before wildcard, as they go away", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local best = {
      { "com.a.x", "exact" }, { "com.a.x", "prefix" }, { "com.a.", "prefix" }, { "com", "prefix" },
      { "", "prefix" }, { "com.a.x", "wildcard" }, { "com.a.", "wildcard" },
      { "com..x", "wildcard" }, { "com..", "wildcard" }, { ".a.x", "wildcard" },
      { ".a.", "wildcard" }, { "..x", "wildcard" }, { "..", "wildcard" },
    }
    local ids = {}
    for i = #best, 1, -1 do
      ids[i] = alice:register(best[i][1], { match = best[i][2] })
    end
    for i = 1, #best do
      assert.equal(ids[i], alice:first(bob:call "com.a.x", core.INVOCATION)[3])
      alice:unregister(ids[i])
    end
    assert.is_nil(alice:first(bob:call "com.a.x", core.INVOCATION))
  end)

  it("does not turn back too early where a literal branch ends", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register("a.b.c.d", { match = "wildcard" })
    local id = alice:register("a...x", { match = "wildcard" })
    assert.equal(id, alice:first(bob:call "a.b.c.x", core.INVOCATION)[3])
  end)
end)

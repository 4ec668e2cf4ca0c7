--- reflection: what a realm has, what has been said about it, and who hears when that changes.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"

local list, null = core.list, core.null
local define, describe_all = "wamp.reflect.define", "wamp.reflect.describe"
local on_define, on_undefine = "wamp.reflect.on_define", "wamp.reflect.on_undefine"
local admin = { anonymous_admin = true }
local kinds = { "procedure", "topic", "error" }

-- The error of describe for what nobody has defined.
local unknown = { procedure = meta.no_such_procedure, topic = meta.invalid_argument,
  error = meta.invalid_argument }

local predefined = {
  "invalid_uri", "no_such_procedure", "procedure_already_exists", "no_such_registration",
  "no_such_subscription", "no_such_session", "invalid_argument", "canceled", "timeout",
  "payload_size_exceeded", "protocol_violation", "not_authorized", "authorization_failed",
  "authorization_denied", "authorization_required", "authentication_denied",
  "authentication_failed", "authentication_required", "no_matching_auth_method",
  "no_such_principal", "no_such_realm", "no_such_role", "option_not_allowed",
  "option_disallowed.disclose_me", "feature_not_supported", "unavailable", "no_available_callee",
  "network_failure", "history_unavailable", "unregistered", "runtime_error",
}

local function call(kind, verb)
  return ("wamp.reflection.%s.%s"):format(kind, verb)
end

core.describe("Reflection", function(router)
  --- A session that may define, and another one.
  local function scene(options)
    local r = router(options or admin)
    return r:join(), r:join(), r
  end

  --- The URIs of a list, sorted; none of them twice.
  local function uris(peer, kind)
    local all = meta.sorted(peer, call(kind, "list"))
    for i = 2, #all do
      assert.not_equal(all[i - 1], all[i])
    end
    return all
  end

  local function has(peer, kind, uri)
    for _, other in ipairs(uris(peer, kind)) do
      if other == uri then
        return true
      end
    end
    return false
  end

  it("is announced at both places by both roles", function()
    local roles = router():join().welcome.roles
    for _, role in ipairs { "broker", "dealer" } do
      assert.is_true(roles[role].reflection)
      assert.is_true(roles[role].features.reflection)
    end
  end)

  it("has no procedure that is in the catalog only", function()
    local alice = router(admin):join()
    for _, name in ipairs { "wamp.interface.list", "wamp.interface.get",
      "wamp.interface.match_procedure", "wamp.interface.match_topic", "wamp.type.list",
      "wamp.type.get", "wamp.reflection", "wamp.reflection.procedure", "wamp.reflect",
      "wamp.reflection.list", "wamp.reflection.topic.define", "wamp.reflect.undefine" } do
      meta.refused(alice, meta.no_such_procedure, name)
    end
  end)

  describe("wamp.reflection.procedure.list", function()
    it("is empty where nothing is registered and defined; meta procedures are hidden", function()
      local alice = router():join()
      assert.like(list {}, (meta.one(alice, call("procedure", "list"))))
      assert.like(list {}, (meta.one(alice, call("procedure", "list"), { "surplus" }, { a = 1 })))
    end)

    it("has what is registered, exact names first, then patterns, and what is defined", function()
      local alice, bob = scene()
      alice:register("com.p.", { match = "prefix" })
      alice:register("com..w", { match = "wildcard" })
      alice:register("com.b", { invoke = "first" })
      bob:register("com.b", { invoke = "first" })
      alice:register "com.a"
      local all = meta.one(bob, call("procedure", "list"))
      assert.equal(4, #all)
      local exact, patterns = list { all[1], all[2] }, list { all[3], all[4] }
      table.sort(exact)
      table.sort(patterns)
      assert.like(list { "com.a", "com.b" }, exact)
      assert.like(list { "com..w", "com.p." }, patterns)
      meta.done(alice, define, { "com.defined", { kind = "procedure" } })
      meta.done(alice, define, { "com.a", { kind = "procedure" } })
      meta.done(alice, define, { "com.topic", { kind = "topic" } })
      assert.like(list { "com..w", "com.a", "com.b", "com.defined", "com.p." },
        uris(bob, "procedure"))
    end)

    it("forgets what is unregistered", function()
      local alice, bob = scene()
      local id = alice:register "com.a"
      bob:register "com.b"
      alice:unregister(id)
      bob:drop()
      assert.like(list {}, (meta.one(alice, call("procedure", "list"))))
    end)

    it("does not know topics", function()
      local alice = scene()
      alice:subscribe "com.topic"
      assert.is_false(has(alice, "procedure", "com.topic"))
    end)
  end)

  describe("wamp.reflection.topic.list", function()
    it("is empty where nothing is subscribed and defined", function()
      local alice = router():join()
      assert.like(list {}, (meta.one(alice, call("topic", "list"))))
      assert.like(list {}, (meta.one(alice, call("topic", "list"), { "surplus" }, { a = 1 })))
    end)

    it("has what is subscribed and what is defined, each once", function()
      local alice, bob = scene()
      alice:subscribe "com.a"
      bob:subscribe "com.a"
      bob:subscribe "com.b"
      alice:subscribe("com.p.", { match = "prefix" })
      alice:register "com.procedure"
      meta.done(alice, define, { "com.a", {} })
      meta.done(alice, define, { "com.defined", { kind = "topic" } })
      meta.done(alice, define, { "com.error", { kind = "error" } })
      assert.like(list { "com.a", "com.b", "com.defined", "com.p." }, uris(bob, "topic"))
      bob:drop()
      assert.is_false(has(alice, "topic", "com.b"))
      assert.is_true(has(alice, "topic", "com.a"))
    end)

    it("has topics with retained events", function()
      local alice, bob = scene()
      alice:publish("com.kept", { 1 }, nil, { retain = true })
      assert.is_true(has(bob, "topic", "com.kept"))
      alice:publish("com.kept", nil, nil, { retain = true })
      assert.is_false(has(bob, "topic", "com.kept"))
    end)
  end)

  describe("wamp.reflection.error.list", function()
    it("has the predefined errors and those that are defined", function()
      local alice, bob = scene()
      for _, name in ipairs(predefined) do
        assert.is_true(has(bob, "error", "wamp.error." .. name), name)
      end
      local before = #uris(bob, "error")
      meta.done(alice, define, { "com.error.a", { kind = "error" } })
      meta.done(alice, define, { "com.any", {} })
      meta.done(alice, define, { "com.topic", { kind = "topic" } })
      assert.is_true(has(bob, "error", "com.error.a"))
      assert.is_true(has(bob, "error", "com.any"))
      assert.equal(before + 2, #uris(bob, "error"))
    end)
  end)

  describe("describe", function()
    local schema = { text = "adds", args = list { "int", { type = "é", min = -1.5 } },
      none = null, empty = list {}, nested = { a = {} } }

    it("gives a definition without kind under all three", function()
      local alice, bob = scene()
      meta.done(alice, define, { "com.x", schema, "surplus" }, { surplus = 1 })
      for _, kind in ipairs(kinds) do
        assert.like(schema, (meta.one(bob, call(kind, "describe"), { "com.x", "surplus" },
          { surplus = 1 })))
        assert.is_true(has(bob, kind, "com.x"))
      end
      assert.like(schema, (meta.one(bob, describe_all, { "com.x" })))
    end)

    for _, kind in ipairs(kinds) do
      it("gives a definition of a " .. kind .. " there and nowhere else", function()
        local alice, bob = scene()
        meta.done(alice, define, { "com.x", { kind = kind, a = 1 } })
        for _, other in ipairs(kinds) do
          assert.equal(kind == other, has(bob, other, "com.x"))
          if kind == other then
            assert.like({ kind = kind, a = 1 }, (meta.one(bob, call(other, "describe"),
              { "com.x" })))
          else
            meta.refused(bob, unknown[other], call(other, "describe"), { "com.x" })
          end
        end
        assert.like({ kind = kind, a = 1 }, (meta.one(bob, describe_all, { "com.x" })))
      end)

      it("of a " .. kind .. " knows nothing that nobody has defined", function()
        local alice = scene()
        alice:register "com.x"
        alice:subscribe "com.x"
        meta.refused(alice, unknown[kind], call(kind, "describe"), { "com.x" })
        meta.refused(alice, unknown[kind], call(kind, "describe"), { "com..x" })
      end)

      it("of a " .. kind .. " refuses what is no text", function()
        local alice = scene()
        meta.refused(alice, meta.invalid_argument, call(kind, "describe"))
        meta.refused(alice, meta.invalid_argument, call(kind, "describe"), nil,
          { uri = "com.x" })
        meta.refused_at(alice, meta.invalid_argument, call(kind, "describe"), {}, 1,
          meta.no_texts)
      end)
    end

    it("gives a definition in every serializer", function()
      local r = router(admin)
      for i, codec in ipairs(core.codec_names) do
        local alice = r:join(nil, { codec = codec })
        meta.done(alice, define, { "com.x" .. i, schema })
        for _, other in ipairs(core.codec_names) do
          assert.like(schema, (meta.one(r:join(nil, { codec = other }), describe_all,
            { "com.x" .. i })))
        end
      end
    end)
  end)

  describe("wamp.reflect.describe", function()
    it("without argument gives all definitions by name", function()
      local alice, bob = scene()
      assert.like({}, (meta.one(bob, describe_all)))
      meta.done(alice, define, { "com.a", { a = 1 } })
      meta.done(alice, define, { "com.b", { kind = "topic" } })
      meta.done(alice, define, { "com.c", {} })
      local all = { ["com.a"] = { a = 1 }, ["com.b"] = { kind = "topic" }, ["com.c"] = {} }
      assert.like(all, (meta.one(bob, describe_all)))
      assert.like(all, (meta.one(bob, describe_all, nil, { uri = "com.a" })))
    end)

    it("knows nothing that nobody has defined, and refuses what is no text", function()
      local alice = scene()
      meta.refused(alice, meta.invalid_argument, describe_all, { "com.x" })
      meta.refused_at(alice, meta.invalid_argument, describe_all, {}, 1,
        { 5, true, list { "com.x" }, {} })
    end)
  end)

  describe("wamp.reflect.define", function()
    it("is for administrators only", function()
      local alice, bob = scene {}
      meta.refused(alice, meta.not_authorized, define, { "com.x", {} })
      meta.refused(alice, meta.not_authorized, define, { "com.x", null })
      assert.like({}, (meta.one(bob, describe_all)))
    end)

    it("replaces, and null removes", function()
      local alice, bob = scene()
      meta.done(alice, define, { "com.x", { kind = "procedure", a = 1 } })
      meta.done(bob, define, { "com.x", { kind = "topic", b = 2 } })
      assert.like({ ["com.x"] = { kind = "topic", b = 2 } }, (meta.one(bob, describe_all)))
      assert.is_false(has(bob, "procedure", "com.x"))
      meta.done(bob, define, { "com.x", null })
      assert.like({}, (meta.one(bob, describe_all)))
      assert.is_false(has(bob, "topic", "com.x"))
      meta.done(bob, define, { "com.x", null })
    end)

    it("outlives the session that called it", function()
      local alice, bob = scene()
      meta.done(alice, define, { "com.x", { a = 1 } })
      alice:drop()
      assert.like({ a = 1 }, (meta.one(bob, describe_all, { "com.x" })))
      assert.is_true(has(bob, "procedure", "com.x"))
    end)

    it("refuses what is no URI text and no dict, and an unknown kind", function()
      local alice = scene()
      meta.refused(alice, meta.invalid_argument, define)
      meta.refused(alice, meta.invalid_argument, define, { "com.x" })
      meta.refused(alice, meta.invalid_argument, define, nil, { uri = "com.x", schema = {} })
      meta.refused_at(alice, meta.invalid_argument, define, { "com.x", {} }, 1, meta.no_texts)
      meta.refused_at(alice, meta.invalid_argument, define, { "com.x", {} }, 2, {
        5, "x", true, 1.5, list {}, list { {} }, core.binary "x",
        { kind = "Procedure" }, { kind = "" }, { kind = 5 }, { kind = list { "topic" } },
      })
      assert.like({}, (meta.one(alice, describe_all)))
    end)
  end)

  it("tells who listens of definitions, also who makes them", function()
    local alice, bob, r = scene()
    local watcher = meta.watch(r, { on_define, on_undefine })
    meta.follow(alice, { on_define, on_undefine })
    local function expect(events, ...)
      local actions = meta.done(alice, define, { ... })
      assert.heard(events, watcher, actions)
      assert.equal(#events + 1, #alice:messages(actions))
      for _, event in ipairs(events) do
        local own = alice:first(actions, core.EVENT)
        assert.like(list { table.unpack(event, 2) }, own[5])
      end
    end
    expect({ { on_define, "com.x", { a = list { 1 } } } }, "com.x", { a = list { 1 } })
    expect({ { on_define, "com.x", { kind = "topic" } } }, "com.x", { kind = "topic" })
    expect({ { on_undefine, "com.x" } }, "com.x", null)
    expect({}, "com.x", null)
    assert.heard({}, watcher, bob:call(define, { "com.x", { kind = "?" } }))
    assert.heard({}, watcher, bob:drop())
  end)

  it("has room for 16 MiB of definitions, less what was removed or replaced", function()
    local alice = scene()
    local schema = { text = ("x"):rep(65000) }
    local count = 0
    repeat
      local full = alice:first(alice:call(define, { "com.x" .. count, schema }), core.ERROR)
      count = count + (full and 0 or 1)
      assert.is_true(count <= 258)
    until full
    assert.is_true(count >= 256, count)
    meta.refused(alice, "wamp.error.invalid_argument", define, { "com.more", schema })
    meta.done(alice, define, { "com.x1", schema })
    meta.done(alice, define, { "com.x0", {} })
    meta.done(alice, define, { "com.more", schema })
    meta.refused(alice, "wamp.error.invalid_argument", define, { "com.x0", schema })
    meta.done(alice, define, { "com.x2", null })
    meta.done(alice, define, { "com.x0", schema })
  end)

  it("tells nobody when a definition is refused", function()
    local alice, _, r = scene {}
    local watcher = meta.watch(r, { on_define, on_undefine })
    assert.heard({}, watcher, alice:call(define, { "com.x", {} }))
  end)
end)

--- session_meta_api: two topics, seven procedures, and the order in which a session's end is told.
-- What else a session may have done to itself is in 32 (testaments) and 37 (modify_details).
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"

local list, null, any = core.list, core.null, core.any
local GOODBYE = core.GOODBYE
local on_join, on_leave = "wamp.session.on_join", "wamp.session.on_leave"
local admin = { anonymous_admin = true }

local transport = { type = "local", protocol = "wamp.2.local", peer = "local", secure = false }

--- The attributes that the protocol names.
local function standard(peer, authrole)
  return { session = peer.session, authid = peer.welcome.authid, authrole = authrole or "anonymous",
    authmethod = "anonymous", authprovider = "static", transport = transport }
end

local function with(dict, more)
  for k, v in pairs(more) do
    dict[k] = v
  end
  return dict
end

--- The ways in which a session ends, each as a step.
local endings = {
  ["GOODBYE"] = function(peer) return peer:send { GOODBYE, {}, "wamp.close.normal" } end,
  ["ABORT"] = function(peer) return peer:send { core.ABORT, {}, "wamp.close.normal" } end,
  ["a violation"] = function(peer) return peer:send { core.WELCOME, 1, {} } end,
  ["a broken connection"] = function(peer) return peer:drop() end,
  ["a kill"] = function(peer, killer) return killer:call("wamp.session.kill", { peer.session }) end,
}

core.describe("The session meta API", function(router)
  it("is announced by broker and dealer", function()
    local roles = router():join().welcome.roles
    assert.is_true(roles.broker.features.session_meta_api)
    assert.is_true(roles.dealer.features.session_meta_api)
  end)

  for _, procedure in ipairs { "wamp", "wamp.session", "wamp.session.nothing", "wamp.session.Count",
    "wamp.session.count.x", "wamp.session.authenticate", "wamp.session.authorize" } do
    it("has no procedure " .. procedure .. ", and no client's pattern takes its calls", function()
      local r = router()
      local alice, bob = r:join(), r:join()
      alice:register("", { match = "prefix" })
      alice:register(("."):rep(select(2, procedure:gsub("%.", ""))), { match = "wildcard" })
      meta.refused(bob, meta.no_such_procedure, procedure)
    end)
  end

  it("answers at once, whatever a CALL asks of a callee", function()
    local r = router { disclose_caller = "never" }
    local alice = r:join(core.streamer)
    for _, options in ipairs { { receive_progress = true }, { timeout = 1 }, { disclose_me = true },
      { receive_progress = true, timeout = 1, disclose_me = true, rkey = "x" } } do
      assert.equal(1, (meta.one(alice, "wamp.session.count", nil, nil, options)))
      assert.actions({}, alice:cancel(alice.last_request, "kill"))
    end
    assert.actions({}, r:advance(1000))
    assert.equal(0, r:counters().pending_calls)
  end)

  for _, check in ipairs { "lenient", "sequential", "strict" } do
    it("answers the first chunk of a call and drops the later ones, request ids " .. check,
      function()
        local r = router { request_id_check = check }
        local alice = r:join(core.streamer)
        for request, procedure in ipairs { "wamp.session.count", "wamp.session.get" } do
          local more = { core.CALL, request, { progress = true }, procedure }
          assert.equal(1, #alice:send(more))
          assert.actions({}, alice:send(more))
          assert.actions({}, alice:send { core.CALL, request, {}, procedure })
        end
        alice.last_request = 2
        assert.equal(1, (meta.one(alice, "wamp.session.count")))
      end)
  end

  it("does not go through the callees of a prefix that is everything", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register("", { match = "prefix" })
    assert.equal(2, (meta.one(bob, "wamp.session.count")))
  end)

  it("takes an opaque payload for one argument that is no id", function()
    local alice = router():join { roles = core.all_roles }
    local actions = alice:send { core.CALL, 1, { enc_algo = "cryptobox", enc_serializer = "cbor" },
      "wamp.session.get", core.binary "xyz" }
    assert.actions({ { alice, core.failure(core.CALL, 1, meta.invalid_argument) } }, actions)
  end)
end)

core.describe("wamp.session.on_join", function(router)
  it("tells the details of who has joined, after WELCOME", function()
    local r = router()
    local watcher = meta.watch(r, { on_join })
    local alice = r:open()
    local actions = alice:hello()
    assert.equal(core.WELCOME, alice:messages(actions)[1][1])
    assert.equal(alice, actions[1][1])
    assert.heard({ { on_join, with(standard(alice), { realm = "realm1" }) } }, watcher, actions)
  end)

  it("has what HELLO said of the client: agent and keys that no paper knows", function()
    local r = router()
    local watcher = meta.watch(r, { on_join })
    local alice = r:open()
    local said = { agent = "red-1.0", team = "one", level = 5, ratio = 0.5, tags = list { 1, "x" },
      nested = { a = list {}, b = {}, c = null } }
    local actions = alice:hello(said)
    assert.heard({ { on_join, with(with(standard(alice), { realm = "realm1" }), said) } },
      watcher, actions)
  end)

  it("believes nothing that HELLO says of the session, and hides what is not for others", function()
    local r = router()
    local watcher = meta.watch(r, { on_join })
    local alice = r:open()
    local actions = alice:hello {
      session = 5, authid = "root", authmethod = "ticket", authprovider = "me", realm = "realm7",
      authmethods = list { "anonymous" }, authextra = { secret = "x" },
      transport = { type = "carrier pigeon", auth = { secret = "x" } },
    }
    assert.heard({ { on_join, with(standard(alice), { realm = "realm1" }) } }, watcher, actions)
  end)

  it("has the standard attributes only where meta_strict is on", function()
    local r = router { meta_strict = true }
    local watcher = meta.watch(r, { on_join })
    local alice = r:open()
    local actions = alice:hello { agent = "red-1.0", team = "one" }
    assert.heard({ { on_join, standard(alice) } }, watcher, actions)
    assert.like(standard(alice), (meta.one(watcher, "wamp.session.get", { alice.session })))
  end)

  it("tells the role that the realm gives to anonymous sessions", function()
    local r = router { anonymous_role = "guest" }
    local watcher = meta.watch(r, { on_join })
    local alice = r:open()
    local actions = alice:hello()
    assert.heard({ { on_join, core.including(standard(alice, "guest")) } }, watcher, actions)
  end)

  it("is not about a HELLO that is refused", function()
    local r = router { max_sessions = 1 }
    local watcher = meta.watch(r, { on_join })
    assert.heard({}, watcher, r:open():hello())
    assert.heard({}, watcher, r:open():hello { roles = {} })
  end)

  it("is written in each subscriber's serializer", function()
    local r = router()
    local watchers = {}
    for _, codec in ipairs(core.codec_names) do
      watchers[codec] = r:join(nil, { codec = codec })
      meta.follow(watchers[codec], { on_join })
    end
    local alice = r:open()
    local actions = alice:hello { team = list { "one", 2, 2.5, true, null } }
    for _, codec in ipairs(core.codec_names) do
      assert.heard({ { on_join, core.including {
        session = alice.session, team = list { "one", 2, 2.5, true, null },
      } } }, watchers[codec], actions)
    end
  end)

  it("is one publication for all its subscriptions, patterns too, which learn the topic", function()
    local r = router()
    local one, two = r:join(), r:join()
    local exact, everything = one:subscribe(on_join), one:subscribe("", { match = "prefix" })
    local prefix = two:subscribe("wamp.session", { match = "prefix" })
    local wildcard = two:subscribe("wamp..on_join", { match = "wildcard" })
    two:subscribe("..on_leave", { match = "wildcard" })
    local actions = r:open():hello()
    local publication = one:first(actions, core.EVENT)[3]
    local pattern = { topic = on_join }
    local function messages(peer, expected)
      assert.like(list(expected), list(peer:messages(actions)))
    end
    messages(one, { { core.EVENT, exact, publication, {}, { any } },
      { core.EVENT, everything, publication, pattern, { any } } })
    messages(two, { { core.EVENT, prefix, publication, pattern, { any } },
      { core.EVENT, wildcard, publication, pattern, { any } } })
  end)

  it("names no publisher and no trust level", function()
    local r = router { disclose_publisher = "always", trustlevel = 3 }
    local watcher = meta.watch(r, { on_join }, { roles = core.all_roles })
    assert.heard({ { on_join, any } }, watcher, r:open():hello())
  end)
end)

core.describe("wamp.session.on_leave", function(router)
  for name, leave in pairs(endings) do
    it("tells who has left by " .. name, function()
      local r = router(admin)
      local watcher, killer = meta.watch(r, { on_leave }), r:join()
      local alice = r:join()
      assert.heard({ { on_leave, alice.session, alice.welcome.authid, "anonymous" } }, watcher,
        leave(alice, killer))
      assert.heard({}, watcher, r:advance(60000))
    end)

    it("does not reach who leaves by " .. name, function()
      local r = router(admin)
      local alice, killer = meta.watch(r, meta.topics.all), r:join()
      assert.is_nil(alice:first(leave(alice, killer), core.EVENT))
    end)
  end

  it("is told once of a session that was killed and then breaks or answers", function()
    local r = router(admin)
    local watcher = meta.watch(r, { on_leave })
    local alice, bob = r:join(), r:join()
    watcher:call("wamp.session.kill", { alice.session })
    watcher:call("wamp.session.kill", { bob.session })
    assert.heard({}, watcher, alice:send { GOODBYE, {}, "wamp.close.goodbye_and_out" })
    assert.heard({}, watcher, bob:drop())
  end)

  it("is told before the same peer joins again", function()
    local r = router()
    local watcher = meta.watch(r, { on_join, on_leave })
    local alice = r:join()
    local first = alice.session
    assert.heard({ { on_leave, first, any, any } }, watcher,
      alice:send { GOODBYE, {}, "wamp.close.close_realm" })
    local actions = alice:hello()
    assert.heard({ { on_join, core.including { session = alice.session } } }, watcher, actions)
    assert.not_equal(first, alice.session)
  end)

  it("is not told when the realm ends", function()
    local r = router()
    local watcher = meta.watch(r, meta.topics.all)
    local alice = r:join()
    alice:subscribe "com.x"
    alice:register "com.y"
    alice:call("wamp.session.add_testament", { "com.x", list {}, {} })
    local actions = r:close_realm()
    assert.heard({ { GOODBYE, {}, "wamp.close.close_realm" } }, watcher, actions)
    assert.equal(2, #actions)
  end)
end)

core.describe("wamp.session.count and wamp.session.list", function(router)
  local function scene(options)
    local r = router(options)
    local alice, bob = r:join(), r:join()
    local ids = { alice.session, bob.session }
    table.sort(ids)
    return alice, list(ids), bob, r
  end

  local filters = {
    { "no filter", nil, 2 }, { "null", { null }, 2 },
    { "the role of all", { list { "anonymous" } }, 2 },
    { "a role among others", { list { "x", "anonymous", "anonymous" } }, 2 },
    { "another role", { list { "x" } }, 0 }, { "no role", { list {} }, 0 },
    { "a bare text", { "anonymous" }, 2 }, { "a bare text of another role", { "x" }, 0 },
    { "surplus arguments", { null, "surplus", 7, {} }, 2 },
    { "a surplus argument behind a filter", { list { "x" }, list { "anonymous" } }, 0 },
  }

  for _, row in ipairs(filters) do
    it("with " .. row[1], function()
      local alice, ids = scene()
      assert.equal(row[3], (meta.one(alice, "wamp.session.count", row[2])))
      assert.like(row[3] == 0 and list {} or ids, meta.sorted(alice, "wamp.session.list", row[2]))
    end)
  end

  it("take no notice of keywords", function()
    local alice, ids = scene()
    local kwargs = { filter_authroles = list { "x" }, surplus = 1 }
    assert.equal(2, (meta.one(alice, "wamp.session.count", nil, kwargs)))
    assert.like(ids, meta.sorted(alice, "wamp.session.list", nil, kwargs))
  end)

  it("refuse a filter that is no list of texts", function()
    local alice = scene()
    for _, procedure in ipairs { "wamp.session.count", "wamp.session.list" } do
      meta.refused_at(alice, meta.invalid_argument, procedure, {}, 1, {
        5, true, 1.5, {}, { a = "anonymous" }, list { 5 }, list { "anonymous", null },
        list { list { "anonymous" } },
      })
    end
  end)

  it("read a filter to its end, or refuse it", function()
    local alice = scene()
    local roles = {}
    for i = 1, 5000 do
      roles[i] = "realm1"
    end
    roles[#roles + 1] = "anonymous"
    local answer = alice:call("wamp.session.count", { list(roles) })[1][2]
    assert.is_true(answer[1] == core.RESULT and answer[4][1] == 2
      or answer[5] == meta.invalid_argument, core.show(answer))
  end)

  it("answer payload_size_exceeded when the caller does not accept so much", function()
    local r = router()
    local alice = r:join(nil, { send_max = 1500 })
    for _ = 1, 200 do
      r:join()
    end
    meta.refused(alice, "wamp.error.payload_size_exceeded", "wamp.session.list")
    assert.equal(201, (meta.one(alice, "wamp.session.count")))
  end)

  it("see roles as they are", function()
    local alice = scene { anonymous_role = "guest" }
    assert.equal(2, (meta.one(alice, "wamp.session.count", { list { "guest" } })))
    assert.equal(0, (meta.one(alice, "wamp.session.count", { list { "anonymous" } })))
  end)

  it("leave out who has left, is leaving, or has not joined", function()
    local alice, _, bob, r = scene(admin)
    r:open()
    r:open():hello { roles = {} }
    alice:call("wamp.session.kill", { bob.session })
    assert.equal(1, (meta.one(alice, "wamp.session.count")))
    assert.like(list { alice.session }, (meta.one(alice, "wamp.session.list")))
    bob:drop()
    assert.equal(1, (meta.one(alice, "wamp.session.count")))
  end)
end)

core.describe("wamp.session.get", function(router)
  it("gives the details that on_join told, of others and of oneself", function()
    local r = router()
    local alice, bob = r:join { agent = "red", team = { "one" } }, r:join()
    local expected = with(standard(alice), { realm = "realm1", agent = "red", team = { "one" } })
    for _, peer in ipairs { alice, bob } do
      assert.like(expected, (meta.one(peer, "wamp.session.get", { alice.session })))
    end
  end)

  it("takes no notice of surplus arguments and keywords", function()
    local alice = router():join()
    assert.like(core.including(standard(alice)), (meta.one(alice, "wamp.session.get",
      { alice.session, "surplus", 7 }, { session = 5, surplus = 1 })))
  end)

  it("takes an id that a client has written as a float", function()
    local alice = router():join()
    assert.like(core.including { session = alice.session },
      (meta.one(alice, "wamp.session.get", { alice.session + 0.0 })))
  end)

  it("gives attributes in the serializer of who asks", function()
    local r = router()
    local said = { team = { a = list { 1, 2.5, null, "é" }, b = core.binary "\0\1\255" } }
    for _, codec in ipairs(core.codec_names) do
      local alice = r:join(said, { codec = codec })
      for _, other in ipairs(core.codec_names) do
        assert.like(core.including(said), (meta.one(r:join(nil, { codec = other }),
          "wamp.session.get", { alice.session })))
      end
    end
  end)

  it("refuses what is no id", function()
    local alice = router():join()
    meta.refused(alice, meta.invalid_argument, "wamp.session.get")
    meta.refused(alice, meta.invalid_argument, "wamp.session.get", nil,
      { session = alice.session })
    meta.refused_at(alice, meta.invalid_argument, "wamp.session.get", {}, 1, meta.no_ids)
  end)

  it("knows nobody who has left, is leaving, or never was", function()
    local r = router(admin)
    local alice, bob, carol = r:join(), r:join(), r:join()
    alice:call("wamp.session.kill", { bob.session })
    carol:drop()
    for _, id in ipairs { bob.session, carol.session, 1, 1 << 53 } do
      meta.refused(alice, meta.no_such_session, "wamp.session.get", { id })
    end
  end)
end)

local kills = {
  { "wamp.session.kill", function(victim) return { victim.session } end },
  { "wamp.session.kill_by_authid", function(victim) return { victim.welcome.authid } end },
  { "wamp.session.kill_by_authrole", function() return { "anonymous" } end },
  { "wamp.session.kill_all", function() return nil end },
}

core.describe("The kill procedures", function(router)
  for _, row in ipairs(kills) do
    local procedure, args_for = row[1], row[2]

    local function scene(options)
      local r = router(options or admin)
      local alice, victim = r:join(), r:join()
      return alice, victim, args_for(victim), r
    end

    describe(procedure, function()
      it("is for administrators only", function()
        local alice, _, args, r = scene {}
        meta.refused(alice, meta.not_authorized, procedure, args)
        assert.equal(2, r:counters().sessions)
      end)

      it("says GOODBYE to the victim, wamp.close.killed, before its RESULT", function()
        local alice, victim, args, r = scene()
        local _, actions = meta.ask(alice, procedure, args)
        assert.actions({
          { victim, { GOODBYE, {}, "wamp.close.killed" } },
          { alice, { core.RESULT, 1, {}, core.rest } },
        }, actions)
        assert.equal(1, r:counters().sessions)
      end)

      it("passes a reason and a message on", function()
        local alice, victim, args = scene()
        local _, actions = meta.ask(alice, procedure, args,
          { reason = "com.My-reason.1", message = "Go, é!", surplus = 1 })
        assert.same({ { GOODBYE, { message = "Go, é!" }, "com.My-reason.1" } },
          victim:messages(actions))
      end)

      it("passes an empty message on", function()
        local alice, victim, args = scene()
        local _, actions = meta.ask(alice, procedure, args, { message = "" })
        assert.same({ { GOODBYE, { message = "" }, "wamp.close.killed" } },
          victim:messages(actions))
      end)

      it("takes a reason of the loose grammar where URIs are strict", function()
        local alice, victim, args = scene { anonymous_admin = true, strict_uris = true }
        local _, actions = meta.ask(alice, procedure, args, { reason = "com.My-reason" })
        assert.equal("com.My-reason", victim:first(actions, GOODBYE)[3])
      end)

      it("refuses a reason that is no URI, and kills nobody", function()
        local alice, _, args, r = scene()
        meta.refused_key(alice, meta.invalid_uri, procedure, args, "reason", meta.no_texts)
        meta.refused_key(alice, meta.invalid_uri, procedure, args, "reason", meta.no_uris)
        assert.equal(2, r:counters().sessions)
      end)

      it("refuses a message that is no text, and kills nobody", function()
        local alice, _, args, r = scene()
        meta.refused_key(alice, meta.invalid_argument, procedure, args, "message",
          { 5, true, list {}, {} })
        assert.equal(2, r:counters().sessions)
      end)

      it("says wamp.close.normal where kill_reason is normal", function()
        local alice, victim, args = scene { anonymous_admin = true, kill_reason = "normal" }
        local _, actions = meta.ask(alice, procedure, args)
        assert.equal("wamp.close.normal", victim:first(actions, GOODBYE)[3])
      end)

      it("closes the victim's connection when it answers, or after goodbye_timeout", function()
        local alice, victim, args, r = scene { anonymous_admin = true, goodbye_timeout_ms = 300 }
        local late = r:join()
        meta.ask(alice, procedure, args)
        meta.ask(alice, "wamp.session.kill_all")
        assert.actions({ { victim, closed = 1000 } },
          victim:send { GOODBYE, {}, "wamp.close.goodbye_and_out" })
        assert.actions({}, r:advance(299))
        assert.actions({ { late, closed = 1000 } }, r:advance(1))
      end)

      it("lets the victim say nothing more", function()
        local alice, victim, args, r = scene()
        alice:subscribe "com.x"
        victim:subscribe "com.y"
        meta.ask(alice, procedure, args)
        assert.actions({}, victim:publish "com.x")
        assert.actions({}, victim:send { core.WELCOME, 1, {} })
        assert.actions({}, alice:publish "com.y")
        assert.equal(0, r:counters().violations)
      end)

      it("does not kill the caller", function()
        local alice, _, _, r = scene()
        local args = args_for(alice)
        alice:call(procedure, args)
        assert.is_true(r:counters().sessions >= 1)
        assert.is_true(meta.one(alice, "wamp.session.count") >= 1)
      end)
    end)
  end
end)

core.describe("wamp.session.kill", function(router)
  it("says GOODBYE in the victim's serializer", function()
    local r = router(admin)
    local alice = r:join()
    local message = 'a "quoted" \\ line\nand another: \u{e9} \u{1F642} \1'
    for _, codec in ipairs(core.codec_names) do
      local victim = r:join(nil, { codec = codec })
      local actions = meta.done(alice, "wamp.session.kill", { victim.session },
        { message = message, reason = "com.müller.x" })
      assert.same({ { GOODBYE, { message = message }, "com.müller.x" } },
        victim:messages(actions))
    end
  end)

  it("has no result", function()
    local r = router(admin)
    local alice, bob = r:join(), r:join()
    meta.done(alice, "wamp.session.kill", { bob.session, "surplus" })
  end)

  it("refuses what is no id", function()
    local alice = router(admin):join()
    meta.refused(alice, meta.invalid_argument, "wamp.session.kill")
    meta.refused_at(alice, meta.invalid_argument, "wamp.session.kill", {}, 1, meta.no_ids)
  end)

  it("knows neither the caller's own id nor one of nobody", function()
    local r = router(admin)
    local alice, bob, carol = r:join(), r:join(), r:join()
    bob:drop()
    meta.done(alice, "wamp.session.kill", { carol.session })
    for _, id in ipairs { alice.session, bob.session, carol.session, 1, 2, 1 << 53 } do
      meta.refused(alice, meta.no_such_session, "wamp.session.kill", { id })
    end
    assert.equal(1, r:counters().sessions)
  end)

  it("tells everything that the end of a session tells, before the RESULT", function()
    local r = router(admin)
    local alice, bob = meta.watch(r, meta.topics.all), r:join()
    local sub, reg = bob:subscribe "com.x", bob:register "com.y"
    meta.follow(alice, { "com.last" })
    meta.done(bob, "wamp.session.add_testament", { "com.last", list { 1 } })
    local id = bob.session
    assert.heard({
      { "com.last", 1 },
      { "wamp.subscription.on_unsubscribe", id, sub }, { "wamp.subscription.on_delete", id, sub },
      { "wamp.registration.on_unregister", id, reg }, { "wamp.registration.on_delete", id, reg },
      { on_leave, id, bob.welcome.authid, "anonymous" },
      { core.RESULT, alice.last_request + 1, {} },
    }, alice, alice:call("wamp.session.kill", { id }))
  end)

  it("cancels the caller's call that the victim has", function()
    local r = router(admin)
    local alice, bob = r:join(core.callee "call_canceling"), r:join()
    bob:register "com.x"
    alice:register "com.y"
    alice:call "com.x"
    bob:call "com.y"
    assert.actions({
      { bob, { GOODBYE, {}, "wamp.close.killed" } },
      { alice, core.failure(core.CALL, 2, "wamp.error.canceled") },
      { alice, { core.INTERRUPT, 1, { mode = "killnowait", reason = "wamp.error.canceled" } } },
      { alice, { core.RESULT, 3, {} } },
    }, alice:call("wamp.session.kill", { bob.session }))
  end)
end)

core.describe("wamp.session.kill_by_authid", function(router)
  it("gives the ids of the sessions that it killed", function()
    local r = router(admin)
    local alice, bob, carol = r:join(), r:join(), r:join()
    assert.like(list { bob.session },
      (meta.one(alice, "wamp.session.kill_by_authid", { bob.welcome.authid, "surplus" })))
    assert.like(list {}, (meta.one(alice, "wamp.session.kill_by_authid", { bob.welcome.authid })))
    assert.like(list {}, (meta.one(alice, "wamp.session.kill_by_authid", { "" })))
    assert.like(list {}, (meta.one(alice, "wamp.session.kill_by_authid", { "no body" })))
    assert.like(list {}, (meta.one(alice, "wamp.session.kill_by_authid",
      { alice.welcome.authid })))
    assert.equal(2, r:counters().sessions)
    assert.is_true(meta.one(carol, "wamp.session.count") == 2)
  end)

  it("tells what the end of a session tells", function()
    local r = router(admin)
    local watcher = meta.watch(r, { on_leave })
    local alice = r:join()
    local actions = watcher:call("wamp.session.kill_by_authid", { alice.welcome.authid })
    assert.heard({ { on_leave, alice.session, alice.welcome.authid, "anonymous" },
      { core.RESULT, watcher.last_request, {}, { list { alice.session } } } }, watcher, actions)
  end)
end)

core.describe("wamp.session.kill_by_authrole", function(router)
  it("gives the number of sessions that it killed, never the caller's", function()
    local r = router(admin)
    local alice, bob, carol = r:join(), r:join(), r:join()
    assert.equal(0, (meta.one(alice, "wamp.session.kill_by_authrole", { "root", "surplus" })))
    assert.equal(3, r:counters().sessions)
    local count, actions = meta.one(alice, "wamp.session.kill_by_authrole", { "anonymous" })
    assert.equal(2, count)
    assert.is_truthy(bob:first(actions, GOODBYE) and carol:first(actions, GOODBYE))
    assert.equal(0, (meta.one(alice, "wamp.session.kill_by_authrole", { "anonymous" })))
  end)

  it("tells what the end of each session tells", function()
    local r = router(admin)
    local watcher = meta.watch(r, { on_leave })
    local leaving = {}
    for i = 1, 3 do
      leaving[r:join().session] = i
    end
    local heard = meta.heard(watcher,
      watcher:call("wamp.session.kill_by_authrole", { "anonymous" }))
    assert.same({ core.RESULT, watcher.last_request, {}, { 3 } }, heard[4])
    for i = 1, 3 do
      assert.equal(on_leave, heard[i][1])
      assert.is_truthy(leaving[heard[i][2]])
      leaving[heard[i][2]] = nil
    end
  end)
end)

core.describe("wamp.session.kill_by_authid and kill_by_authrole", function(router)
  for _, procedure in ipairs { "wamp.session.kill_by_authid", "wamp.session.kill_by_authrole" } do
    it("refuse what is no text: " .. procedure, function()
      local r = router(admin)
      local alice = r:join()
      r:join()
      meta.refused(alice, meta.invalid_argument, procedure)
      meta.refused_at(alice, meta.invalid_argument, procedure, {}, 1, meta.no_texts)
      meta.refused_at(alice, meta.invalid_argument, procedure, {}, 1,
        { list { "anonymous" }, core.unsigned(-1) })
      assert.equal(2, r:counters().sessions)
    end)
  end

  for kind, expected in pairs { count = { 1, 1 }, list = { "ids", "ids" },
    standard = { "ids", 1 } } do
    it("answer as kill_results says: " .. kind, function()
      local r = router { anonymous_admin = true, kill_results = kind }
      local alice, bob = r:join(), r:join()
      local ids = list { bob.session }
      assert.like(expected[1] == "ids" and ids or expected[1],
        (meta.one(alice, "wamp.session.kill_by_authid", { bob.welcome.authid })))
      local carol = r:join()
      ids = list { carol.session }
      assert.like(expected[2] == "ids" and ids or expected[2],
        (meta.one(alice, "wamp.session.kill_by_authrole", { "anonymous" })))
      local none = list {}
      assert.like(expected[1] == "ids" and none or 0,
        (meta.one(alice, "wamp.session.kill_by_authid", { "x" })))
      assert.like(expected[2] == "ids" and none or 0,
        (meta.one(alice, "wamp.session.kill_by_authrole", { "x" })))
    end)
  end
end)

core.describe("wamp.session.kill_all", function(router)
  it("kills everybody but the caller, without meta events and testaments", function()
    local r = router(admin)
    local alice = meta.watch(r, meta.topics.all)
    alice:subscribe("", { match = "prefix" })
    local left = r:counters()
    for _ = 1, 3 do
      local victim = meta.watch(r, meta.topics.all)
      victim:subscribe "com.x"
      victim:register("com.y", { invoke = "random" })
      meta.done(victim, "wamp.session.add_testament", { "com.last", list { 1 } })
      meta.done(victim, "wamp.session.add_testament", { "com.last" }, { scope = "detached" })
    end
    assert.heard({ { core.RESULT, alice.last_request + 1, {}, { 3 } } }, alice,
      alice:call("wamp.session.kill_all", { "surplus", 7 }))
    local now = r:counters()
    assert.same({ 1, left.subscriptions, 0 }, { now.sessions, now.subscriptions,
      now.registrations })
    assert.heard({}, alice, r:advance(60000))
  end)

  it("counts nobody when the caller is alone", function()
    assert.equal(0, (meta.one(router(admin):join(), "wamp.session.kill_all")))
  end)

  it("ends the calls between caller and victims", function()
    local r = router(admin)
    local alice, bob = r:join(core.callee "call_canceling"), r:join()
    bob:register "com.x"
    alice:register "com.y"
    alice:call "com.x"
    bob:call "com.y"
    local actions = alice:call "wamp.session.kill_all"
    assert.same({ { GOODBYE, {}, "wamp.close.killed" } }, bob:messages(actions))
    local messages = alice:messages(actions)
    assert.equal(3, #messages)
    assert.like(list(core.failure(core.CALL, 2, "wamp.error.canceled")), messages[1])
    assert.same({ core.INTERRUPT, 1, { mode = "killnowait", reason = "wamp.error.canceled" } },
      messages[2])
    assert.same({ core.RESULT, 3, {}, { 1 } }, messages[3])
    assert.equal(0, r:counters().pending_calls)
  end)

  it("ends the calls between victims without a word", function()
    for _ = 1, 8 do -- they go in the order of their ids, and those are random
      local r = router(admin)
      local alice, bob, carol = r:join(), r:join(core.callee "call_canceling"), r:join()
      bob:register "com.x"
      carol:call "com.x"
      local actions = alice:call "wamp.session.kill_all"
      for _, victim in ipairs { bob, carol } do
        assert.same({ { GOODBYE, {}, "wamp.close.killed" } }, victim:messages(actions))
      end
      assert.equal(0, r:counters().pending_calls)
    end
  end)
end)

core.describe("The end of a session", function(router)
  for name, leave in pairs(endings) do
    it("is told in this order, when it ends by " .. name, function()
      local r = router(admin)
      local killer = r:join()
      local watcher = meta.watch(r, meta.topics.all, core.callee "call_canceling")
      meta.follow(watcher, { "com.detached", "com.destroyed" })
      watcher:register "com.watch"
      local alice = r:join()
      local subs, regs = {}, {}
      for i, topic in ipairs { "com.c", "com.a", "com.b" } do
        subs[i] = alice:subscribe(topic)
        regs[i] = alice:register(topic, { invoke = "first" })
      end
      local other = r:join()
      other:subscribe "com.a"
      other:register("com.a", { invoke = "first" })
      for _, scope in ipairs { "destroyed", "detached" } do
        for i = 1, 2 do
          meta.done(alice, "wamp.session.add_testament", { "com." .. scope, list { i } },
            { scope = scope })
        end
      end
      watcher:call "com.c"
      local request = watcher.last_request
      alice:call "com.watch"

      local id = alice.session
      local expected = { { "com.detached", 1 }, { "com.detached", 2 }, { "com.destroyed", 1 },
        { "com.destroyed", 2 } }
      local function members(ids, shared, gone, deleted)
        table.sort(ids)
        for _, member in ipairs(ids) do
          expected[#expected + 1] = { gone, id, member }
          if member ~= shared then
            expected[#expected + 1] = { deleted, id, member }
          end
        end
      end
      members(subs, subs[2], "wamp.subscription.on_unsubscribe", "wamp.subscription.on_delete")
      members(regs, regs[2], "wamp.registration.on_unregister", "wamp.registration.on_delete")
      expected[#expected + 1] = core.failure(core.CALL, request, "wamp.error.canceled")
      expected[#expected + 1] =
        { core.INTERRUPT, 1, { mode = "killnowait", reason = "wamp.error.canceled" } }
      expected[#expected + 1] = { on_leave, id, alice.welcome.authid, "anonymous" }
      assert.heard(expected, watcher, leave(alice, killer))
    end)
  end

  it("is over before a kill's RESULT: the victim is in no list any more", function()
    local r = router(admin)
    local alice, bob = r:join(), r:join()
    local id = bob:subscribe "com.x"
    alice:subscribe "com.x"
    meta.done(alice, "wamp.session.kill", { bob.session })
    assert.like(list { alice.session },
      (meta.one(alice, "wamp.subscription.list_subscribers", { id })))
  end)
end)

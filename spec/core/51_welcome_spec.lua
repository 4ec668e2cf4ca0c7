--- Who was let in: what a decision makes of a session.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"
local meta = require "meta"

local WELCOME, ABORT, GOODBYE = core.WELCOME, core.ABORT, core.GOODBYE
local start = 1700000000000 -- the wall clock of a new router
local knock, accept, enter = asking.knock, asking.accept, asking.enter
local aborted, claimed = asking.aborted, asking.claimed

core.describe("A session that is accepted", function(router)
  it("gets a WELCOME that says what was decided", function()
    local r = router(asking.join { agent = "house-1.0" })
    local alice, question = knock(r, { authid = "mallory", authrole = "king" })
    local session = r:question(question).session
    local actions = accept(r, question, { authid = "alice@x", authrole = "user",
      authmethod = "scram", authprovider = "file", extra = { a = { 1, "é", true } } })
    assert.actions({
      { alice, { WELCOME, session, { realm = "realm1", agent = "house-1.0", authid = "alice@x",
        authrole = "user", authmethod = "scram", authprovider = "file",
        authextra = { a = { 1, "é", true } }, roles = core.any } } },
      { alice, joined = session },
    }, actions)
    assert.same({ "joined", "alice@x" }, { actions.notes[1][2], actions.notes[1].words })
    assert.is_nil(r:question(question))
    assert.is_nil(r:wakes_in())
    assert.same({ 1, 1, 1, 0 }, { claimed(r), r:counters().sessions, r:counters().joins,
      r:counters().refusals })
  end)

  it("gets its authextra in its own serializer", function()
    for _, codec in ipairs(core.codec_names) do
      local r = router(asking.join())
      local extra = { text = "ü", number = 5, list = core.list {}, dict = {}, no = core.null }
      assert.like(extra, enter(r, { codec = codec, extra = extra }).welcome.authextra)
    end
  end)

  it("gets no authextra when there is none, and an empty one when that is what it is", function()
    local r = router(asking.join())
    assert.is_nil(enter(r).welcome.authextra)
    assert.like({}, enter(r, { extra = {} }).welcome.authextra)
  end)

  it("gets an authid that is made up when none was decided", function()
    local r = router(asking.join())
    local one, other = enter(r, { authid = "" }), enter(r, { authid = "" })
    for _, peer in ipairs { one, other } do
      local block = "[3-9ACEFGHJKLMNPQRSTUVWXY]"
      assert.truthy(peer.welcome.authid:find("^" .. ((block:rep(4) .. "%-"):rep(6)):sub(1, -3) ..
        "$"), peer.welcome.authid)
    end
    assert.not_equal(one.welcome.authid, other.welcome.authid)
  end)

  it("is what others hear of, after its WELCOME", function()
    local r = router(asking.join())
    local watcher = meta.follow(enter(r), { "wamp.session.on_join" })
    local alice, question = knock(r, { agent = "red-1.0" })
    local actions = accept(r, question, { authid = "bob" })
    assert.equal(WELCOME, actions[1][2][1])
    assert.equal(alice, actions[1][1])
    assert.heard({ { "wamp.session.on_join", core.including { authid = "bob", authrole = "user",
      authmethod = "ticket", authprovider = "static", agent = "red-1.0" } } }, watcher, actions)
  end)

  it("has the roles and features of its HELLO", function()
    local r = router(asking.join { role_check = true })
    local alice = enter(r, {}, { roles = { caller = {} } })
    assert.actions(core.violation(alice, "role"), alice:publish "com.x")
    local bob, callee = enter(r), enter(r, {}, { roles = core.all_roles })
    callee:register "com.proc"
    local invocation = callee:first(bob:call "com.proc", core.INVOCATION)
    assert.actions({ { bob, core.failure(core.CALL, 1, "wamp.error.canceled") },
      { callee, { core.INTERRUPT, invocation[2], core.any } } }, bob:cancel(1, "killnowait"))
  end)

  it("counts its requests from the beginning", function()
    local r = router(asking.join { request_id_check = "strict" })
    local alice = enter(r)
    assert.equal(0, alice.last_request)
    alice:subscribe "com.x"
  end)

  it("is an administrator when that was decided", function()
    local r = router(asking.join())
    local user, boss = enter(r), enter(r, { is_admin = true })
    meta.refused(user, meta.not_authorized, "wamp.session.kill", { boss.session })
    assert.equal(GOODBYE, user:messages(boss:call("wamp.session.kill", { user.session }))[1][1])
  end)

  it("has the trust level that was decided", function()
    local r = router(asking.join { trustlevel = 9 })
    local watcher = enter(r, {}, { roles = core.all_roles })
    local subscription = watcher:subscribe "com.x"
    for _, row in ipairs { { 3, 3 }, { 0, 0 }, { -1, nil } } do
      assert.actions({ { watcher, { core.EVENT, subscription, core.id,
        { trustlevel = row[2] } } } }, enter(r, { trustlevel = row[1] }):publish "com.x")
    end
  end)

  it("has a name of at most 4095 octets", function()
    local r = router(asking.join())
    for _, row in ipairs { { "authid", 4095, true }, { "authid", 4096 }, { "authrole", 4095, true },
      { "authrole", 4096 } } do
      local alice, question = knock(r)
      local actions = accept(r, question, { [row[1]] = ("x"):rep(row[2]) })
      assert.equal(row[3] and WELCOME or ABORT, alice:messages(actions)[1][1])
    end
  end)

  it("is refused without a role", function()
    local r = router(asking.join())
    local alice, question = knock(r)
    assert.actions({ { alice, { ABORT, core.any, "wamp.error.authentication_failed" } },
      { alice, closed = 1000 } }, accept(r, question, { authrole = "" }))
    asking.gone(r, question)
  end)

  it("is refused when its role is not one of the rules", function()
    local roles = { { name = "user", rules = {} }, { name = "guest", rules = {} } }
    local r = router(asking.join { rules = roles })
    for _, role in ipairs { "king", "User", "use", "userx", "*" } do
      local alice, question = knock(r)
      assert.actions(aborted(alice, "wamp.error.no_such_role"),
        accept(r, question, { authrole = role }))
      asking.gone(r, question)
    end
    enter(r, { authrole = "user" })
    enter(r, { authrole = "guest" })
  end)

  it("may have any role where there are rules for all others", function()
    local r = router(asking.join { rules = { { name = "user", rules = {} }, { name = "*", rules = {
      { effect = "allow", actions = "subscribe", uri = "com.x" } } } } })
    local king, user = enter(r, { authrole = "king" }), enter(r)
    king:subscribe "com.x"
    assert.equal("king", king.welcome.authrole)
    assert.actions({ { user, core.failure(core.SUBSCRIBE, 1, "wamp.error.not_authorized") } },
      user:send { core.SUBSCRIBE, 1, {}, "com.x" })
  end)

  it("is refused when others have filled the realm meanwhile", function()
    local r = router(asking.join { max_sessions = 1 })
    local _, first = knock(r)
    local bob, second = knock(r)
    accept(r, first)
    assert.actions(aborted(bob, "wamp.error.not_authorized", "max_sessions"), accept(r, second))
    assert.equal(1, claimed(r))
    assert.equal(1, r:counters().refusals)
  end)
end)

core.describe("The attributes of a session that is asked about", function(router)
  local function get(r, peer)
    return meta.one(enter(r), "wamp.session.get", { peer.session })
  end

  it("are those of HELLO and of the decision, which wins", function()
    local r = router(asking.join())
    local alice = enter(r, { attributes = { team = "one", level = 5, tags = { "a", "b" } } },
      { team = "two", shoes = "red", level = "high" })
    local details = get(r, alice)
    assert.like({ "one", "red", 5, { "a", "b" } },
      core.list { details.team, details.shoes, details.level, details.tags })
  end)

  it("cannot be what only the router says", function()
    local r = router(asking.join())
    local alice = enter(r, { attributes = { authid = "x", authrole = "x", authmethod = "x",
      session = 1, realm = "x", transport = "x", authprovider = "x", roles = "x" } })
    assert.like(core.including { authid = "alice", authrole = "user", authmethod = "ticket",
      session = alice.session, transport = core.including { type = "local" } }, get(r, alice))
  end)

  it("are missing where the decision says null", function()
    local r = router(asking.join())
    local alice = enter(r, { attributes = { team = core.null } }, { team = "two" })
    assert.like(core.without "team", get(r, alice))
  end)

  it("are what filters look at", function()
    local r = router(asking.join())
    local one = enter(r, { attributes = { team = "one" } }, { team = "two" })
    local two = enter(r, { attributes = { level = 3 } }, { team = "two" })
    local bob = enter(r)
    local subscription = one:subscribe "com.x"
    two:subscribe "com.x"
    local function hears(options)
      local actions, who = bob:publish("com.x", nil, nil, options), {}
      for _, action in ipairs(actions) do
        assert.equal(subscription, action[2][2])
        who[#who + 1] = action[1] == one and "one" or "two"
      end
      return table.concat(who, " ")
    end
    assert.equal("one", hears { eligible_team = { "one" } })
    assert.equal("two", hears { eligible_team = { "two" } })
    assert.equal("two", hears { eligible_level = { 3 } })
    assert.equal("two", hears { exclude_team = { "one" } })
    assert.equal("", hears { eligible_authid = { "bob" } })
    assert.equal("one two", hears { eligible_authrole = { "user" } })
  end)

  it("come in any serializer, of any length", function()
    local long = ("x"):rep(9000)
    for _, codec in ipairs(core.codec_names) do
      local r = router(asking.join())
      local alice = enter(r, { codec = codec, attributes = { long = long, n = 1.5 } })
      local details = get(r, alice)
      assert.equal(long, details.long)
      assert.equal(1.5, details.n)
    end
  end)
end)

core.describe("A session that expires", function(router)
  local function told(peer)
    return { peer, { GOODBYE, { message = core.text "expired" }, "wamp.close.killed" } }
  end

  it("gets GOODBYE at that time", function()
    local r = router(asking.join { goodbye_timeout_ms = 500 })
    local watcher = meta.follow(enter(r), { "wamp.session.on_leave" })
    local alice = enter(r, { expires = start + 60000 })
    assert.equal(60000, r:wakes_in())
    assert.actions({}, r:advance(59999))
    local actions = r:advance(1)
    assert.actions({ told(alice), { watcher, { core.EVENT, core.rest } } }, actions)
    assert.heard({ { "wamp.session.on_leave", alice.session, "alice", "user" } }, watcher, actions)
    assert.actions({}, alice:publish "com.x")
    assert.actions({ { alice, closed = 1000 } },
      alice:send { GOODBYE, {}, "wamp.close.goodbye_and_out" })
    assert.equal(1, claimed(r))
  end)

  it("is closed when it does not answer", function()
    local r = router(asking.join { goodbye_timeout_ms = 500 })
    local alice = enter(r, { expires = start + 1000 })
    r:advance(1000)
    assert.actions({ { alice, closed = 1000 } }, r:advance(500))
  end)

  it("is told so at once when the time has passed already", function()
    for _, expires in ipairs { start, start - 1, 1 } do
      local r = router(asking.join())
      local alice, question = knock(r)
      assert.equal(WELCOME, accept(r, question, { expires = expires })[1][2][1])
      assert.equal(0, r:wakes_in())
      assert.actions({ told(alice) }, r:advance(1))
    end
  end)

  it("never does so when no time was decided", function()
    local r = router(asking.join())
    enter(r)
    assert.is_nil(r:wakes_in())
  end)

  it("lives as long as was left when it came, whatever is done to the clock later", function()
    for _, step in ipairs { -3600000, 3600000 } do
      local r = router(asking.join())
      local alice = enter(r, { expires = start + 60000 })
      r:set_wall(start + step)
      assert.actions({}, r:advance(59999))
      assert.actions({ told(alice) }, r:advance(1))
    end
  end)

  it("may have a far end", function()
    local r = router(asking.join())
    enter(r, { expires = math.maxinteger })
    assert.actions({}, r:advance(1 << 40))
  end)

  it("may leave before", function()
    local r = router(asking.join())
    local alice = enter(r, { expires = start + 60000 })
    alice:send { GOODBYE, {}, "wamp.close.normal" }
    assert.is_nil(r:wakes_in())
    assert.actions({}, r:advance(60000))
  end)
end)

core.describe("The id of a session that is being opened", function(router)
  it("is drawn again when it is taken elsewhere", function()
    local r = router(asking.join { taken_ids = 2 })
    local _, question = knock(r)
    local count, refused = r.raw:claimed_ids()
    assert.equal(1, count)
    assert.not_equal(refused, r:question(question).session)
  end)

  it("is the session's until that ends", function()
    local r = router(asking.join())
    local alice = enter(r)
    assert.equal(1, claimed(r))
    alice:send { GOODBYE, {}, "wamp.close.normal" }
    assert.equal(0, claimed(r))
  end)
end)

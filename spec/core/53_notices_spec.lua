--- What the core tells of who did what: joins, ends, kills, refusals, denied requests.
-- SPDX-License-Identifier: MIT
local asking = require "asking"
local core = require "core"

--- The only note of that kind among the actions.
local function note(actions, kind)
  local found
  for _, entry in ipairs(actions.notes) do
    if entry[2] == kind then
      assert.is_nil(found)
      found = entry
    end
  end
  assert.not_nil(found)
  return found
end

core.describe("A notice", function(router)
  it("says who joined and who left", function()
    local r = router(asking.join())
    local alice, question = asking.knock(r)
    local joined = note(asking.accept(r, question, { authid = "al", authrole = "boss" }), "joined")
    assert.same({ "al", "boss" }, { joined.authid, joined.authrole })
    local left = note(alice:drop(), "left")
    assert.same({ "al", "boss", "wamp.close.transport_lost", joined.session },
      { left.authid, left.authrole, left.words, left.session })
  end)

  it("of a refusal has what the client is told, and what it is not", function()
    local r = router(asking.join())
    local _, question = asking.knock(r, { authid = "mallory" })
    local refused = note(r:decide { question = question, verdict = "refuse",
      reason = "wamp.error.authentication_denied", words = "no", cause = "the key is old" },
      "refused")
    assert.same({ "mallory", "wamp.error.authentication_denied", "no", "the key is old", "local" },
      { refused.authid, refused.words, refused.text, refused.cause, refused.address })
  end)

  it("of a kill names both sides and the procedure", function()
    local r = router { anonymous_admin = true }
    local alice, bob, carol = r:join(), r:join(), r:join()
    local killed = note(alice:call("wamp.session.kill", { bob.session }), "killed")
    assert.same({ bob.session, bob.welcome.authid, alice.session, alice.welcome.authid,
      "anonymous", "wamp.session.kill", "wamp.close.killed" },
      { killed.session, killed.authid, killed.by, killed.by_authid, killed.by_authrole, killed.uri,
        killed.words })
    killed = note(alice:call("wamp.session.kill_all", {}, { reason = "com.x.out" }), "killed")
    assert.same({ carol.session, "wamp.session.kill_all", "com.x.out" },
      { killed.session, killed.uri, killed.words })
  end)

  it("of a denied request says what it wanted", function()
    local r = router { rules = { { name = "anonymous", rules = {
      { effect = "allow", actions = "call", uri = "com.**" } } } } }
    local alice = r:join()
    for _, try in ipairs {
      { { core.PUBLISH, 1, {}, "com.x" }, "publish", "com.x", "exact" },
      { { core.SUBSCRIBE, 2, { match = "prefix" }, "com.y" }, "subscribe", "com.y", "prefix" },
      { { core.REGISTER, 3, { match = "wildcard" }, "com..z" }, "register", "com..z", "wildcard" },
      { { core.CALL, 4, {}, "org.x" }, "call", "org.x", "exact" },
    } do
      local denied = note(alice:send(try[1]), "denied")
      assert.same({ alice.session, "wamp.error.not_authorized", try[2], try[3], try[4] },
        { denied.session, denied.words, denied.action, denied.uri, denied.match })
    end
    assert.same({}, alice:call("com.x").notes)
  end)

  it("of what is for administrators names the procedure", function()
    local r = router()
    local alice = r:join()
    local denied = note(alice:call("wamp.session.kill_all"), "denied")
    assert.same({ "call", "wamp.session.kill_all" }, { denied.action, denied.uri })
  end)

  it("holds no more of a text than has a bound", function()
    local r = router { rules = { { name = "anonymous", rules = {} } } }
    local denied = note(r:join():call("com." .. ("x"):rep(3000)), "denied")
    assert.equal(1024, #denied.uri)
  end)
end)

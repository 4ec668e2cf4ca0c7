--- Who may receive a publication: eligible and exclude, by id and by any attribute.
-- SPDX-License-Identifier: MIT
local core = require "core"

local list, null = core.list, core.null

-- The audience: what each of them says of itself in HELLO.
local hellos = {
  a = { agent = "red", team = "one", level = 5, admin = true, tags = list { "x", "y" } },
  b = { agent = "blue", team = "two", level = "5", admin = false, tags = list { "y", 7, true } },
  c = { agent = "green", level = -5, ratio = 0.5, tags = list {}, big = 1 << 60 },
  d = { tags = "x", team = null, nested = { team = "one" } },
}

-- What is tested, the options by the sessions' ids and identities, who gets the event.
local rows = {
  { "no filter", function() return {} end, "abcd" },
  { "eligible", function(s) return { eligible = { s.a.session, s.c.session } } end, "ac" },
  { "eligible with ids of nobody",
    function(s) return { eligible = { 1, s.a.session, 1 << 53 } } end, "a" },
  { "eligible with an id twice",
    function(s) return { eligible = { s.a.session, s.a.session } } end, "a" },
  { "an empty eligible", function() return { eligible = list {} } end, "" },
  { "exclude", function(s) return { exclude = { s.a.session } } end, "bcd" },
  { "exclude with ids of nobody", function() return { exclude = { 1, 2, 3 } } end, "abcd" },
  { "an empty exclude", function() return { exclude = list {} } end, "abcd" },
  { "eligible and exclude",
    function(s)
      return { eligible = { s.a.session, s.b.session }, exclude = { s.b.session } }
    end, "a" },
  { "eligible_authid",
    function(s) return { eligible_authid = { s.a.welcome.authid, "nobody" } } end, "a" },
  { "an empty eligible_authid", function() return { eligible_authid = list {} } end, "" },
  { "eligible_authid of nobody", function() return { eligible_authid = { "nobody" } } end, "" },
  { "exclude_authid",
    function(s) return { exclude_authid = { s.a.welcome.authid, s.d.welcome.authid } } end, "bc" },
  { "an empty exclude_authid", function() return { exclude_authid = list {} } end, "abcd" },
  { "eligible_authrole", function() return { eligible_authrole = { "anonymous" } } end, "abcd" },
  { "eligible_authrole of another role",
    function() return { eligible_authrole = { "admin" } } end, "" },
  { "an empty eligible_authrole", function() return { eligible_authrole = list {} } end, "" },
  { "exclude_authrole", function() return { exclude_authrole = { "anonymous", "x" } } end, "" },
  { "exclude_authrole of another role",
    function() return { exclude_authrole = { "admin" } } end, "abcd" },
  { "an empty exclude_authrole", function() return { exclude_authrole = list {} } end, "abcd" },
  { "eligible_authmethod",
    function() return { eligible_authmethod = { "anonymous" } } end, "abcd" },
  { "exclude_realm", function() return { exclude_realm = { "realm1" } } end, "" },
  { "eligible_agent", function() return { eligible_agent = { "red", "blue" } } end, "ab" },
  { "exclude_agent", function() return { exclude_agent = { "red" } } end, "bcd" },
  { "eligible_team, a key that no paper knows",
    function() return { eligible_team = { "one" } } end, "a" },
  { "eligible_team for sessions without a team",
    function() return { eligible_team = { "one", "two", "" } } end, "ab" },
  { "exclude_team for sessions without a team",
    function() return { exclude_team = { "one", "two" } } end, "cd" },
  { "an empty eligible_team", function() return { eligible_team = list {} } end, "" },
  { "an empty exclude_team", function() return { exclude_team = list {} } end, "abcd" },
  { "eligible of an attribute that nobody has",
    function() return { eligible_shoes = { "black" } } end, "" },
  { "exclude of an attribute that nobody has",
    function() return { exclude_shoes = { "black" } } end, "abcd" },
  { "a number as text", function() return { eligible_level = { "5" } } end, "b" },
  { "a number", function() return { eligible_level = { 5 } } end, "a" },
  { "a negative number", function() return { eligible_level = { -5 } } end, "c" },
  { "a fraction", function() return { eligible_ratio = { 0.5 } } end, "c" },
  { "a large number", function() return { eligible_big = { 1 << 60 } } end, "c" },
  { "numbers and texts together", function() return { exclude_level = { 5, "5" } } end, "cd" },
  { "true", function() return { eligible_admin = { true } } end, "a" },
  { "false", function() return { eligible_admin = { false } } end, "b" },
  { "a boolean is no text", function() return { eligible_admin = { "true" } } end, "" },
  { "a member of a list", function() return { eligible_tags = { "x" } } end, "ad" },
  { "another member of a list", function() return { eligible_tags = { "y" } } end, "ab" },
  { "a number in a list", function() return { eligible_tags = { 7 } } end, "b" },
  { "exclude by a member of a list", function() return { exclude_tags = { "y" } } end, "cd" },
  { "a list as a value", function() return { eligible_tags = { list { "x", "y" } } } end, "" },
  { "a dict is no attribute", function() return { eligible_nested = { "one" } } end, "" },
  { "null is no attribute", function() return { eligible_team = { null } } end, "" },
  { "roles are no attribute", function() return { exclude_roles = { "caller" } } end, "abcd" },
  { "all conditions together",
    function(s)
      return { eligible = { s.a.session, s.b.session, s.d.session },
        eligible_agent = { "blue", "green" }, exclude_team = { "one" } }
    end, "b" },
  { "conditions that exclude each other",
    function() return { eligible_team = { "one" }, exclude_team = { "one" } } end, "" },
  { "a key that only begins like a filter",
    function() return { eligibles = { "x" }, excluded = { 1 }, eligible_ = { "x" } } end, "abcd" },
}

--- The names of those who got an event.
local function audience(sessions, actions)
  local got = {}
  for name, peer in pairs(sessions) do
    if peer:first(actions, core.EVENT) then
      got[#got + 1] = name
    end
  end
  table.sort(got)
  return table.concat(got)
end

core.describe("subscriber_blackwhite_listing: a publication with", function(router)
  local function subscribers(options)
    local r = router(options)
    local sessions = {}
    for name, hello in pairs(hellos) do
      sessions[name] = r:join(hello)
      sessions[name]:subscribe "com.x"
    end
    return r, sessions
  end

  for _, row in ipairs(rows) do
    local name, options, expected = table.unpack(row)
    it(("%s reaches %s"):format(name, expected == "" and "nobody" or expected), function()
      local r, sessions = subscribers()
      local actions = r:join():publish("com.x", nil, nil, options(sessions))
      assert.equal(expected, audience(sessions, actions))
      assert.equal(4 - #expected, r:counters().filtered)
    end)
  end

  it("eligible keeps its publisher out, unless exclude_me is false", function()
    local _, sessions = subscribers()
    local a, b = sessions.a, sessions.b
    local options = { eligible = { a.session, b.session } }
    assert.equal("b", audience(sessions, a:publish("com.x", nil, nil, options)))
    options.exclude_me = false
    assert.equal("ab", audience(sessions, a:publish("com.x", nil, nil, options)))
  end)

  it("exclude and exclude_me false leaves its publisher out when it names it", function()
    local _, sessions = subscribers()
    local a = sessions.a
    assert.equal("bcd", audience(sessions,
      a:publish("com.x", nil, nil, { exclude = { a.session }, exclude_me = false })))
  end)

  it("filters on a pattern subscription is filtered as well", function()
    local r, sessions = subscribers()
    for _, peer in pairs(sessions) do
      peer:subscribe("com", { match = "prefix" })
      peer:subscribe(".x", { match = "wildcard" })
    end
    local actions = r:join():publish("com.x", nil, nil, { eligible_team = { "one" } })
    assert.equal(3, #actions)
    assert.equal("a", audience(sessions, actions))
  end)

  it("an empty eligible reaches everybody where that is configured to mean nothing", function()
    local r, sessions = subscribers { empty_eligible_is_absent = true }
    for _, key in ipairs { "eligible", "eligible_authid", "eligible_authrole", "eligible_team" } do
      assert.equal("abcd", audience(sessions,
        r:join():publish("com.x", nil, nil, { [key] = list {} })))
    end
    assert.equal("a", audience(sessions, r:join():publish("com.x", nil, nil,
      { eligible = list {}, eligible_team = { "one" } })))
  end)

  for _, row in ipairs {
    { "eligible_team", "one" }, { "exclude_team", 5 }, { "eligible_agent", {} },
    { "exclude_agent", null }, { "eligible_x", true },
  } do
    local key, no_list = row[1], row[2]
    it(("%s that is no list is refused, and not delivered"):format(key), function()
      local r, sessions = subscribers()
      local alice = r:join()
      local actions = alice:publish("com.x", nil, nil, { acknowledge = true, [key] = no_list })
      assert.actions({ { alice, core.failure(core.PUBLISH, 1, "wamp.error.invalid_argument") } },
        actions)
      assert.equal(key .. ": expected a list", actions[1][2][6][1])
      assert.actions({}, alice:publish("com.x", nil, nil, { [key] = no_list }))
      assert.equal("", audience(sessions, {}))
    end)
  end

  it("a filter by an attribute outside filterable is refused, in words", function()
    local r, sessions = subscribers { filterable = { "team", "level" } }
    local alice = r:join()
    assert.equal("a", audience(sessions,
      alice:publish("com.x", nil, nil, { eligible_team = { "one" } })))
    for _, key in ipairs { "authid", "authrole" } do
      assert.equal("abcd", audience(sessions,
        alice:publish("com.x", nil, nil, { ["exclude_" .. key] = { "nobody" } })))
    end
    assert.equal("b", audience(sessions,
      alice:publish("com.x", nil, nil, { eligible = { sessions.b.session } })))
    for _, key in ipairs { "eligible_agent", "exclude_agent", "eligible_authmethod" } do
      local actions = alice:publish("com.x", nil, nil, { acknowledge = true, [key] = { "red" } })
      assert.actions({ { alice, core.failure(core.PUBLISH, alice.last_request,
        "wamp.error.option_not_allowed") } }, actions)
      assert.equal(key .. ": clients may not filter by this attribute (filterable)",
        actions[1][2][6][1])
      assert.actions({}, alice:publish("com.x", nil, nil, { [key] = { "red" } }))
    end
    local none = router { filterable = {} }
    local bob = none:join()
    assert.actions({ { bob, core.failure(core.PUBLISH, 1, "wamp.error.option_not_allowed") } },
      bob:publish("com.x", nil, nil, { acknowledge = true, exclude_team = { "a" } }))
  end)

  for _, count in ipairs { 8, 9, 100, 10000 } do
    it(("%d values in a list finds the one that counts"):format(count), function()
      local r, sessions = subscribers()
      local ids, teams = list {}, list {}
      for i = 1, count - 1 do
        ids[i], teams[i] = i, "team" .. i
      end
      ids[count], teams[count] = sessions.b.session, "one"
      local publisher = r:join()
      for _, case in ipairs { { "eligible", ids, "b" }, { "exclude", ids, "acd" },
        { "eligible_team", teams, "a" }, { "exclude_team", teams, "bcd" } } do
        assert.equal(case[3], audience(sessions,
          publisher:publish("com.x", nil, nil, { [case[1]] = case[2] })))
      end
    end)
  end

  for _, key in ipairs { "eligible", "exclude", "eligible_authid", "exclude_authrole",
    "eligible_team", "exclude_team" } do
    it("10,001 values in " .. key .. " is refused, and not delivered", function()
      local r, sessions = subscribers()
      local values = list {}
      for i = 1, 10001 do
        values[i] = (key == "eligible" or key == "exclude") and i or "v" .. i
      end
      local alice = r:join()
      local actions = alice:publish("com.x", nil, nil, { acknowledge = true, [key] = values })
      assert.actions({ { alice, core.failure(core.PUBLISH, 1, "wamp.error.option_not_allowed") } },
        actions)
      assert.matches(key .. ":", actions[1][2][6][1], 1, true)
      assert.actions({}, alice:publish("com.x", nil, nil, { [key] = values }))
      assert.equal("", audience(sessions, {}))
    end)
  end

  it("32 filters is delivered, with any more it is refused", function()
    local r, sessions = subscribers()
    local alice = r:join()
    local options = { acknowledge = true }
    for i = 1, 32 do
      options["exclude_x" .. i] = { "a" }
    end
    assert.equal("abcd", audience(sessions, alice:publish("com.x", nil, nil, options)))
    for i = 33, 300 do
      options["exclude_x" .. i] = { "a" }
      if i < 40 or i == 300 then
        assert.actions({ { alice, core.failure(core.PUBLISH, alice.last_request + 1,
          "wamp.error.option_not_allowed") } }, alice:publish("com.x", nil, nil, options))
      end
    end
  end)
end)

core.describe("Attributes of HELLO", function(router)
  it("end with the session: another one with the same value is found by itself", function()
    local r = router()
    local publisher = r:join()
    for _ = 1, 3 do
      local alice, bob = r:join { team = "one" }, r:join { team = "two" }
      alice:subscribe "com.x"
      bob:subscribe "com.x"
      local actions = publisher:publish("com.x", nil, nil, { eligible_team = { "one" } })
      assert.equal(1, #actions)
      assert.equal(alice, actions[1][1])
      alice:drop()
      assert.actions({}, publisher:publish("com.x", nil, nil, { eligible_team = { "one" } }))
      bob:drop()
    end
  end)

  it("are compared across serializers", function()
    local r = router()
    for _, codec in ipairs(core.codec_names) do
      local options = { codec = codec }
      r:join({ level = 5, deep = "ü\n", on = true, tags = { 1, "a" } }, options):subscribe "com.x"
      r:join({ level = 6 }, options):subscribe "com.x"
    end
    for _, options in ipairs { { eligible_level = { 5 } }, { eligible_deep = { "ü\n" } },
      { eligible_on = { true } }, { eligible_tags = { "a" } }, { eligible_tags = { 1 } } } do
      assert.equal(3, #r:join():publish("com.x", nil, nil, options))
    end
  end)

  it("are kept up to 32, of 4 KiB each and 16 KiB together; the rest is dropped", function()
    local r = router()
    local many = {}
    for i = 1, 100 do
      many["key" .. i] = "v"
    end
    r:join(many):subscribe "com.x"
    r:join({ long = ("x"):rep(5000) }):subscribe "com.x"
    local large = {}
    for i = 1, 10 do
      large["large" .. i] = ("x"):rep(3000)
    end
    r:join(large):subscribe "com.x"
    local alice = r:join()
    local kept, large_kept = 0, 0
    for i = 1, 100 do
      kept = kept + #alice:publish("com.x", nil, nil, { ["eligible_key" .. i] = { "v" } })
    end
    for i = 1, 10 do
      large_kept = large_kept + #alice:publish("com.x", nil, nil,
        { ["eligible_large" .. i] = { ("x"):rep(3000) } })
    end
    assert.equal(32, kept)
    assert.equal(5, large_kept)
    assert.actions({}, alice:publish("com.x", nil, nil, { eligible_long = { ("x"):rep(5000) } }))
  end)

  it("cannot pretend to be what the router knows", function()
    local r = router()
    local alice = r:join { authmethod = "ticket", authprovider = "x", session = 5, realm = "other" }
    alice:subscribe "com.x"
    for _, options in ipairs { { eligible_authmethod = { "ticket" } },
      { eligible_authprovider = { "x" } }, { eligible_realm = { "other" } } } do
      assert.actions({}, r:join():publish("com.x", nil, nil, options))
    end
  end)
end)

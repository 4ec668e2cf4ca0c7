--- Presets: the habits of other routers as defaults, as config/moving.md promises them.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local wamp = require "wamp"

local root = debug.getinfo(1, "S").source:match("^@(.*)spec/daemon/")

local function printed(realm, place)
  local text = 'return { listen = { "127.0.0.1:0" }, ' .. (place or "realms = { realm1 = %s }")
  local program = daemon.spawn { flags = "--print-config", config = text:format(realm) .. " }" }
  local code = program:wait()
  program:assert_clean()
  assert.same({ 0, "" }, { code, program:log() })
  local config = load(program:out())()
  return config.realm_template or config.realms.realm1, program:out()
end

-- The table of moving.md: option -> { otherwise, nexus, crossbar }.
local function promises()
  local rows, count = {}, 0
  for line in io.lines(root .. "config/moving.md") do
    local name, plain, nexus, crossbar =
      line:match("^| `([%l_]+)` |([^|]*)|([^|]*)|([^|]*)|$")
    if name then
      local function read(cell)
        return load("return " .. (cell:match "`(.*)`" or plain:match "`(.*)`"))()
      end
      rows[name] = { none = read(plain), nexus = read(nexus), crossbar = read(crossbar) }
      count = count + 1
    end
  end
  assert.is_true(count >= 15)
  return rows
end

describe("compat", function()
  for _, preset in ipairs { "none", "nexus", "crossbar" } do
    for _, place in ipairs { "realms = { realm1 = %s }", "realm_template = %s" } do
      it(("%q sets what moving.md says, and nothing else, in %s"):format(preset, place), function()
        local expected = printed('{ policy = "open" }', place)
        for name, row in pairs(promises()) do
          assert.same(expected[name], row.none, name)
          expected[name] = row[preset]
        end
        expected.compat = preset
        local realm, text = printed(('{ policy = "open", compat = %q }'):format(preset), place)
        assert.same(expected, realm)
        -- what is printed says the same when it is read
        local program = daemon.spawn { flags = "--print-config", config = text }
        assert.equal(0, program:wait())
        assert.equal(text, program:out())
      end)
    end
  end

  it("yields to what is written, before it or behind it", function()
    for _, realm in ipairs {
      [[{ policy = "open", lookup_miss = "null", kill_results = "list", compat = "nexus",
          disclose_caller = "always" }]],
      [[{ policy = "open", compat = "nexus", disclose_caller = "always", lookup_miss = "null",
          kill_results = "list" }]],
    } do
      local expected = printed '{ policy = "open", compat = "nexus" }'
      expected.lookup_miss, expected.kill_results = "null", "list"
      expected.disclose_caller = "always"
      assert.same(expected, (printed(realm)))
    end
  end)

  it("holds for its realm only", function()
    local program = daemon.spawn { flags = "--print-config", config = [[return {
      listen = { "127.0.0.1:0" },
      realms = { aaa = { policy = "open", compat = "nexus" }, bbb = { policy = "open" } },
      realm_template = { policy = "open", compat = "crossbar" },
    }]] }
    assert.equal(0, program:wait())
    local config = load(program:out())()
    assert.same({ "count", "standard", "list" }, { config.realms.aaa.kill_results,
      config.realms.bbb.kill_results, config.realm_template.kill_results })
  end)

  it("that is refused is told once, without errors that follow from it", function()
    local program = daemon.spawn { flags = "--check-config", config = [[return {
      listen = { "127.0.0.1:0" },
      realms = { realm1 = { policy = "open", compat = "Nexus", lookup_miss = "zero" } },
    }]] }
    assert.equal(78, program:wait())
    assert.equal('nexusd.lua:3: realms["realm1"].compat: found the string "Nexus"; allowed: '
      .. '"none", "nexus", "crossbar"\n', program:log())
  end)
end)

describe("a realm with compat", function()
  local router
  setup(function()
    router = daemon.start { config = {
      listen = { "127.0.0.1:0" },
      realms = {
        plain = { policy = "open", event_history = { { uri = "org.kept.one" } } },
        nexus = { policy = "open", compat = "nexus" },
        crossbar = { policy = "open", compat = "crossbar", anonymous_admin = true,
          event_history = { { uri = "org.kept.", match = "prefix" } } },
      },
    } }
  end)
  teardown(function()
    wamp.close_all()
    router:stop()
  end)

  local function join(realm)
    local peer = wamp.connect { transport = "ws", serializer = "json",
      port = router:port() }
    peer:join(realm)
    return peer
  end

  it("sends to everybody what is eligible for an empty list", function()
    for realm, is_sent in pairs { plain = false, nexus = true, crossbar = true } do
      local alice, bob = join(realm), join(realm)
      local id = alice:subscribe "com.acme.news"
      bob:publish_surely("com.acme.news", { 1 }, nil, { eligible = wamp.list {} })
      bob:publish_surely("com.acme.news", { 2 })
      if is_sent then
        alice:expect_event(id, { 1 })
      end
      alice:expect_event(id, { 2 })
    end
  end)

  it("takes a policy that is none, or ends the session", function()
    join("nexus"):register("com.acme.odd", { invoke = "whoever" })
    for _, realm in ipairs { "plain", "crossbar" } do
      local alice = join(realm)
      alice:send { wamp.REGISTER, 1, { invoke = "whoever" }, "com.acme.odd" }
      alice:expect_violation "invoke"
    end
  end)

  it("discloses who asks for it, or refuses", function()
    for realm, is_refused in pairs { plain = false, nexus = true, crossbar = false } do
      local alice = join(realm)
      alice:send { wamp.PUBLISH, 1, { acknowledge = true, disclose_me = true }, "com.acme.news" }
      if is_refused then
        alice:expect_error(wamp.PUBLISH, 1, "wamp.error.option_disallowed.disclose_me")
      else
        alice:expect { wamp.PUBLISHED, 1, wamp.id }
      end
    end
  end)

  it("asks callees that cannot be canceled for progress, or does not", function()
    local features = { roles = { callee = { features = { progressive_call_results = true } } } }
    for realm, is_asked in pairs { plain = false, nexus = false, crossbar = true } do
      local callee = wamp.connect { transport = "ws", serializer = "json",
        port = router:port() }
      callee:join(realm, features)
      local caller = join(realm)
      local id = callee:register "com.acme.slow"
      caller:call("com.acme.slow", nil, nil, { receive_progress = true })
      callee:expect_invocation(id, nil, nil, is_asked and { receive_progress = true } or nil)
    end
  end)

  it("answers null or 0 where nothing is found", function()
    for realm, answer in pairs { plain = wamp.null, nexus = 0, crossbar = wamp.null } do
      local alice = join(realm)
      for _, procedure in ipairs { "wamp.registration.match", "wamp.registration.lookup",
        "wamp.subscription.lookup" } do
        alice:expect_result(alice:call(procedure, { "com.acme.nobody" }), { answer })
      end
    end
  end)

  it("answers a killer, and tells the killed, as the other router does", function()
    local alice, bob = join "nexus", join "nexus"
    alice:expect_result(alice:call("wamp.session.kill_by_authid", { bob.welcome.authid }), { 1 })
    bob:expect { wamp.GOODBYE, wamp.including {}, "wamp.close.normal" }
    alice, bob = join "crossbar", join "crossbar"
    alice:expect_result(alice:call("wamp.session.kill_by_authid", { bob.welcome.authid }),
      { { bob.session } })
    bob:expect { wamp.GOODBYE, wamp.including {}, "wamp.close.normal" }
    alice, bob = join "plain", join "plain"
    local request = alice:call("wamp.session.kill_by_authid", { bob.welcome.authid })
    alice:expect_error(wamp.CALL, request, "wamp.error.not_authorized")
  end)

  it("tells who caused a meta event of it, or does not", function()
    for realm, is_told in pairs { plain = true, nexus = false, crossbar = true } do
      local alice = join(realm)
      local id = alice:subscribe "wamp.subscription.on_subscribe"
      local other = alice:subscribe "com.acme.other"
      if is_told then
        alice:expect_event(id, { alice.session, other })
      end
      alice:expect_nothing()
    end
  end)

  it("answers get_events with events, or with a list of them", function()
    for realm, match in pairs { plain = "exact", crossbar = "prefix" } do
      local alice = join(realm)
      alice:publish_surely("org.kept.one", { 1 })
      alice:publish_surely("org.kept.one", { 2 })
      local id = alice:subscribe(match == "exact" and "org.kept.one" or "org.kept.",
        { match = match })
      local request = alice:call("wamp.subscription.get_events", { id })
      local one = wamp.including { args = { 1 } }
      local two = wamp.including { args = { 2 } }
      local events = { one, two }
      alice:expect_result(request, realm == "plain" and events or { events }, wamp.including {})
    end
  end)
end)

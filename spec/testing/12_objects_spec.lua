--- What hooks and handlers are given: sessions, hello, requests, events, calls.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local head <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1,
  attributes = { org = "string", level = "integer", teams = "list", on = "boolean" } }
policy.roles.user = { { allow = "*", uri = "com.acme.**" } }
function policy.authenticate.ticket(hello)
  return { authrole = "user", ticket = "x", authprovider = "book", trustlevel = 4, attributes =
    { org = "acme", teams = nexus.list{ "red", "blue" }, on = false } }
end
local function procedure(name, fn) policy.procedures["com.acme." .. name] = fn end
--- Calls, and says what was raised.
local function words_of(fn, ...)
  local ok <const>, words <const> = pcall(fn, ...)
  return not ok and words:gsub("^.-%.lua:%d+: ", "") or "none"
end
]]

local hello <const> = { authid = "alice", ticket = "x", peer = "tcp4:192.0.2.1:4711",
  serializer = "cbor", agent = "probe/1", hello = { shoes = 43, org = "claimed" } }

describe("what a policy is given:", function()
  local router, alice

  local function open(text)
    router = testing.router { policy = policies.write(head .. text .. "\nreturn policy\n"),
      now = 1000 }
    alice = router:join(hello)
  end

  --- The fields that the policy gave the only line of the log with these words.
  local function said(words)
    local lines, fields = router:log { msg = words }, {}
    assert.equal(1, #lines, words)
    for name, value in (", " .. lines[1].with):gmatch ", ([%w_]+)=([^,]*)" do
      fields[name] = value
    end
    return fields
  end

  after_each(function()
    router:close()
  end)

  local facts <const> = [[
local function facts(s)
  local t <const> = s.transport
  return { id = s.id, authid = s.authid, authrole = s.authrole, authmethod = s.authmethod,
    authprovider = s.authprovider, realm = s.realm, trustlevel = s.trustlevel, org = s.org,
    joined = s.joined or false, open = s.open, on = s.on, level = s.level == nil,
    teams = nexus.list(s.teams), shoes = s.hello.shoes, claim = s.hello.org == nil,
    agent = s.hello.agent, cancels = s.roles.callee.call_canceling, vars = s.vars.x or false,
    transport = { t.type, t.peer, t.ip, t.port, t.protocol, t.serializer, t.secure,
      t.headers.none == nil, t.cookies.none == nil, t.tls == nil } }
end
]]

  local function expected(more)
    local all = { id = alice.id, authid = "alice", authrole = "user", authmethod = "ticket",
      authprovider = "book", realm = "realm1", trustlevel = 4, org = "acme", joined = 1000.0,
      open = true, on = false, level = true, teams = { "red", "blue" }, shoes = 43,
      claim = true, agent = "probe/1", cancels = true, vars = false, transport = { "websocket",
        "tcp4:192.0.2.1:4711", "192.0.2.1", 4711, "wamp.2.cbor", "cbor", false, true, true, true } }
    for key, value in pairs(more or {}) do all[key] = value end
    return all
  end

  it("a session, from admit to on_leave", function()
    open(facts .. [[
local seen = {}
function policy.admit(session) seen.admit = facts(session) return true end
function policy.on_join(session) session.vars.x = "kept" seen.join = facts(session) end
function policy.on_leave(session, reason)
  seen.leave, seen.reason = facts(session), reason
  seen.words = words_of(function() session.vars.x = 1 end)
end
procedure("seen", function(call) seen.call = facts(call.caller) return seen end)
]])
    local seen = alice:call "com.acme.seen"
    assert.same(expected { joined = false, open = false }, seen.admit)
    assert.same(expected { vars = "kept" }, seen.join)
    assert.same(expected { vars = "kept" }, seen.call)
    local first = alice
    alice:leave()
    alice = router:join { authid = "bob", ticket = "x" }
    seen = alice:call "com.acme.seen"
    alice = first
    assert.same(expected { vars = "kept", open = false }, seen.leave)
    assert.equal("wamp.close.close_realm", seen.reason)
    assert.equal("session.vars: only those of sessions that are open can be set", seen.words)
  end)

  it("a session cannot be assigned to, and has no fields that nobody declared", function()
    open [[
procedure("words", function(call)
  local s <const> = call.caller
  return words_of(function() s.org = "beta" end), words_of(function() s.hello.org = "beta" end),
    words_of(function() s.transport.ip = "::1" end), words_of(function() return s.ogr end),
    words_of(function() return s:has("ogr", 1) end), words_of(s.set, s, { ogr = 1 }),
    words_of(s.set, s, { org = 1 }), words_of(s.set, s, { org = nexus.bytes "x" }), s.org
end)]]
    assert.same({ "session is read-only; use session:set", "hello is read-only",
      "transport is read-only", 'no attribute "ogr" (did you mean "org"?)',
      'no attribute "ogr" (did you mean "org"?)', 'no attribute "ogr" (did you mean "org"?)',
      "session:set: org: found a number; allowed: a string, nexus.null",
      "session:set: org: found a userdata; allowed: a string, nexus.null", "acme" },
      { alice:call "com.acme.words" })
  end)

  it("session:has is equal, or contained, and never for nil", function()
    open [[
procedure("has", function(call)
  local s <const> = call.caller
  return s:has("org", "acme"), s:has("org", "beta"), s:has("org", nil), s:has("teams", "blue"),
    s:has("teams", "green"), s:has("teams", nil), s:has("level", nil), s:has("on", false),
    s:has("authrole", "user")
end)]]
    assert.same({ true, false, false, true, false, false, false, true, true },
      { alice:call "com.acme.has" })
  end)

  it("session:set changes what filters, rules, kept answers and the meta API see", function()
    open [[
policy.roles.user = { { allow = "call", uri = "com.acme.**" }, { allow = "call", uri = "wamp.**" },
  { allow = "publish subscribe", uri = "com.acme.{session.org}.**" },
  { ask = "call", uri = "com.acme.kept" } }
local asked = 0
function policy.authorize(request)
  asked = asked + 1
  return request.session.org == "acme" and nexus.allow{ cache = 60 }
end
procedure("kept", function() return asked end)
procedure("set", function(call) call.caller:set(call.args[1]) end)
procedure("null", function(call) call.caller:set{ org = nexus.null } return call.caller.org end)
]]
    local bob = router:join { authid = "bob", ticket = "x" }
    local seen = alice:collect "com.acme.acme.x"
    for _ = 1, 2 do assert.equal(1, alice:call "com.acme.kept") end
    bob:publish("com.acme.acme.x", {}, nil, { eligible_org = { "acme" } })
    assert.equal(1, #seen)
    alice:call("com.acme.set", { org = "beta", level = 7 })
    bob:publish("com.acme.acme.x", {}, nil, { eligible_org = { "acme" } })
    assert.equal(1, #seen)
    bob:publish("com.acme.acme.x", {}, nil, { eligible_level = { 7 } })
    assert.equal(2, #seen)
    assert.is_nil((alice:try_publish("com.acme.acme.x", {})))
    assert.is_truthy(alice:try_publish("com.acme.beta.x", {}))
    assert.is_false((alice:try_call "com.acme.kept"))
    local details = bob:call("wamp.session.get", alice.id)
    assert.same({ "beta", 7 }, { details.org, details.level })
    assert.is_nil(alice:call "com.acme.null")
    assert.is_nil(bob:call("wamp.session.get", alice.id).org)
  end)

  it("session:kill ends it, with a reason", function()
    open [[
local killed
procedure("kill", function(call)
  killed = nexus.realm:session(call.args[1])
  return killed:kill("com.acme.close.out", "go home"), killed.open
end)
procedure("again", function()
  return killed:kill(), words_of(function() return killed.authid end)
end)
]]
    local bob = router:join { authid = "bob", ticket = "x" }
    assert.same({ true, false }, { alice:call("com.acme.kill", bob.id) })
    assert.is_false(bob.open)
    assert.equal("com.acme.close.out", bob.reason)
    assert.equal("go home", bob.farewell.message)
    assert.same({ false, "session is over" }, { alice:call "com.acme.again" })
  end)

  it("session.vars survive a reload, and are not another's", function()
    open [[
procedure("vars", function(call)
  local vars <const> = call.caller.vars
  vars.count = (vars.count or 0) + 1
  vars.deep = { list = nexus.list{ 1, 2.5, "x" } }
  local names = nexus.list()
  for name in pairs(vars) do names[#names + 1] = name end
  return vars.count, vars.deep.list[2], #names, words_of(function() vars.f = print end),
    words_of(function() vars.long = ("x"):rep(20000) end)
end)]]
    local function vars(session, count)
      assert.same({ count, 2.5, 2, "vars.f: function cannot be sent",
        "session.vars: more than a session may keep (16 KiB)" }, { session:call "com.acme.vars" })
    end
    vars(alice, 1)
    vars(alice, 2)
    router:reload()
    vars(alice, 3)
    vars(router:join { authid = "bob", ticket = "x" }, 1)
  end)

  it("hello", function()
    open [[
function policy.authenticate.ticket(hello)
  nexus.log.info("hello of " .. hello.authid, { realm = hello.realm, authid = hello.authid,
    authrole = hello.authrole, methods = table.concat(hello.authmethods, " "),
    extra = hello.authextra and hello.authextra.deep.er or nexus.null,
    method = hello.method, agent = hello.agent,
    cancels = hello.roles.callee.features.call_canceling,
    ip = hello.transport.ip, serializer = hello.transport.serializer,
    words = words_of(function() return hello.authidd end),
    write = words_of(function() hello.authid = "x" end) })
  return { authrole = "user", ticket = "x" }
end]]
    router:join { authid = "carol", ticket = "x", peer = "tcp6:[2001:db8::1]:5", agent = "probe/2",
      authrole = "boss", authextra = { deep = { er = 7 } } }
    local line = said "hello of carol"
    for key, value in pairs { realm = "realm1", authid = "carol", authrole = "boss", extra = "7",
      method = "ticket", agent = "probe/2", cancels = "true", ip = "2001:db8::1",
      serializer = "msgpack", methods = "ticket", write = "hello is read-only",
      words = 'no field of hello "authidd" (did you mean "authid"?)' } do
      assert.equal(value, tostring(line[key]), key)
    end
  end)

  it("a request", function()
    open [[
policy.roles.user[2] = { ask = "*", uri = "com.acme.ask.{what}.**" }
function policy.authorize(request)
  local f <const> = { action = request.action, uri = request.uri, match = request.match,
    authid = request.session.authid, what = request.params.what,
    args = request.args and #request.args, kwargs = request.kwargs and request.kwargs.k,
    option = request.options.disclose_me or request.options.get_retained,
    no_args = request.args == nil, no_kwargs = request.kwargs == nil,
    write = words_of(function() request.uri = "x" end),
    words = words_of(function() return request.urii end) }
  nexus.log.info("asked " .. request.action .. " " .. request.uri, f)
  return true
end]]
    local function asked(what, more)
      local line = said("asked " .. what)
      for key, value in pairs { authid = "alice", write = "request is read-only",
        words = 'no field of a request "urii" (did you mean "uri"?)' } do
        assert.equal(value, line[key])
      end
      for key, value in pairs(more) do assert.equal(value, tostring(line[key]), key) end
    end
    alice:publish("com.acme.ask.one.x", { 1, 2 }, { k = "v" })
    asked("publish com.acme.ask.one.x", { match = "exact", what = "one", args = "2", kwargs = "v",
      no_args = "false" })
    alice:try_call("com.acme.ask.two")
    asked("call com.acme.ask.two", { match = "exact", what = "two", args = "0",
      no_kwargs = "false" })
    alice:register("com.acme.ask.three.", function() end, { match = "prefix" })
    asked("register com.acme.ask.three.", { match = "prefix", what = "three" })
    alice:subscribe("com.acme.ask..x", function() end, { match = "wildcard", get_retained = true })
    asked("subscribe com.acme.ask..x", { match = "wildcard", option = "true" })
    -- what only its ends can read
    alice:try_publish("com.acme.ask.four", { testing.bytes "secret" }, nil,
      { ppt_scheme = "x_mine", ppt_serializer = "cbor" })
    asked("publish com.acme.ask.four", { no_args = "true", no_kwargs = "true" })
  end)

  it("nothing that is good for longer than it is judged or handled", function()
    open [[
local kept, fields = {}, { hello = "authid", admitted = "authid", request = "uri",
  message = "uri", answer = "uri", published = "topic", publisher = "authid", heard = "topic",
  call = "uri", args = "args", session = "authid", vars = "x", left = "authid" }
policy.roles.user[2] = { ask = "*", uri = "com.acme.ask.{what}.**" }
local function keep(name, object) kept[name] = object end
function policy.authenticate.ticket(hello)
  keep("hello", hello)
  return { authrole = "user", ticket = "x" }
end
function policy.admit(session) keep("admitted", session) return true end
function policy.authorize(request) keep("request", request) return true end
function policy.intercept.publish(message) keep("message", message) end
function policy.intercept.error(message) keep("answer", message) end
function policy.filter(event) keep("published", event) end
function policy.on_leave(session) keep("left", session) end
policy.subscriptions["com.acme.ask.x"] = function(event)
  keep("heard", event)
  keep("publisher", event.publisher)
end
procedure("kept", function(call)
  keep("call", call)
  keep("args", call)
  keep("session", call.caller)
  keep("vars", call.caller.vars)
end)
procedure("uses", function(call)
  local words = {}
  for name, object in pairs(kept) do
    local field <const> = fields[name]
    words[name] = words_of(function() return object[field] end)
  end
  words.progress = words_of(function() kept.call:progress(1) end)
  words.kill = words_of(function() kept.admitted:kill() end)
  words.set = words_of(function() kept.session:set{ org = "beta" } end)
  return words
end)]]
    local bob = router:join { authid = "bob", ticket = "x" }
    bob:call "com.acme.kept"
    bob:register("com.acme.fails", function() testing.raise("com.acme.error.no") end)
    alice:try_call "com.acme.fails"
    bob:publish("com.acme.ask.x", {}, nil, { acknowledge = true })
    bob:leave()
    router:run()
    assert.same({ hello = "hello is over", admitted = "session is over",
      request = "request is over", message = "message is over", answer = "message is over",
      published = "event is over", publisher = "session is over", heard = "event is over",
      call = "call is over", args = "call is over", session = "session is over",
      vars = "session is over", left = "session is over", progress = "call is over",
      kill = "session is over", set = "session:set: the session has ended" },
      alice:call "com.acme.uses")
  end)

  it("an event that a policy hears", function()
    open [[
policy.subscriptions["com.acme.heard.{what}"] = function(event)
  nexus.log.info("heard " .. event.topic, { publication = event.publication,
    authid = event.publisher and event.publisher.authid or "nobody", args = event.args[1],
    kwargs = event.kwargs.k, what = event.params.what, retained = event.retained,
    detail = event.details.trustlevel, write = words_of(function() event.topic = "x" end),
    words = words_of(function() return event.topci end) })
end]]
    local id = alice:publish("com.acme.heard.one", { 7 }, { k = "v" }, { acknowledge = true })
    local line = said "heard com.acme.heard.one"
    for key, value in pairs { publication = tostring(id), authid = "alice", args = "7",
      kwargs = "v", what = "one", retained = "false", detail = "4", write = "event is read-only",
      words = 'no field "topci" of an event (did you mean "topic"?)' } do
      assert.equal(value, tostring(line[key]), key)
    end
  end)

  it("a call", function()
    open [[
policy.procedures["com.acme.call.{what}"] = function(call)
  return { uri = call.uri, args = #call.args, kwargs = call.kwargs.k, caller = call.caller.authid,
    what = call.params.what, details = call.details.trustlevel, progress = call.wants_progress,
    canceled = call.canceled, deadline = math.type(call.deadline),
    left = call.deadline and math.floor(call.deadline - nexus.now() + 0.5),
    write = words_of(function() call.uri = "x" end),
    words = words_of(function() return call.ur end) }
end]]
    local result = alice:call { "com.acme.call.one", args = { 1, 2, 3 }, kwargs = { k = "v" },
      timeout = 5 }
    assert.same({ uri = "com.acme.call.one", args = 3, kwargs = "v", caller = "alice", what = "one",
      details = 4, progress = false, canceled = false, deadline = "float", left = 5,
      write = "call is read-only", words = 'no field "ur" of a call (did you mean "uri"?)' },
      result.args[1])
    result = alice:call { "com.acme.call.two", on_progress = function() end }
    assert.is_true(result.args[1].progress)
  end)

  it("the caller of a procedure, with any options of REGISTER", function()
    open [[
local function who(call) return call.caller.authid end
policy.procedures["com.acme.hidden"] = { handler = who, disclose_caller = false, nkey = "a",
  invoke = "roundrobin" }
procedure("make", function(call)
  nexus.realm:register("com.acme.made", who, { force_reregister = true, disclose_caller = true })
  return words_of(nexus.realm.register, nexus.realm, "com.acme.wrong", who, { nkey = 7 }),
    words_of(nexus.realm.register, nexus.realm, "com.acme.wrong", who,
      { force_reregister = "yes" }),
    words_of(nexus.realm.register, nexus.realm, "com.acme.wrong", who, { match = "prefix" })
end)]]
    assert.equal("alice", alice:call "com.acme.hidden")
    alice:register("com.acme.made", function() return "a client's" end)
    assert.equal("a client's", alice:call "com.acme.made")
    assert.same({ "register: nkey: found a number; allowed: a text",
      'register: force_reregister: found "yes"; allowed: true, false',
      "register: match: no such option" }, { alice:call "com.acme.make" })
    assert.equal("alice", alice:call "com.acme.made")
  end)
end)

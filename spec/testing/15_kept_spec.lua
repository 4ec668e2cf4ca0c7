--- Answers of policy.authorize that are kept: for whom they are good, and for whom they are not.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local head <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, cache_decisions = 60,
  attributes = { org = "string", level = "integer", teams = "list" } }
function policy.authenticate.anonymous(hello)
  return { authid = hello.authid, authrole = hello.authextra.role,
    attributes = hello.authextra.attributes }
end
local asked = 0
policy.procedures["com.acme.x"] = function() local n <const> = asked asked = 0 return n end
policy.procedures["com.acme.acme.x"] = policy.procedures["com.acme.x"]
policy.roles.user = { { ask = "call", uri = "com.acme.x" } }
local function authorize(fn)
  function policy.authorize(request) asked = asked + 1 return fn(request) end
end
]]

describe("an answer that is kept", function()
  local router, folder

  local function open(text)
    folder = policies.write(head .. text .. "\nreturn policy\n")
    router = testing.router { policy = folder }
  end

  after_each(function()
    router:close()
  end)

  local function join(attributes, role, authid)
    return router:join { method = "anonymous", authid = authid, authextra = {
      role = role or "user", attributes = attributes } }
  end

  --- How often authorize was asked since the last call, this one included; nil: it is denied.
  local function asked(session, uri)
    local ok, count = session:try_call(uri or "com.acme.x")
    return ok and count or nil
  end

  it("is that of the rule that asked, where its captures were read", function()
    open [[
policy.roles.user = { { ask = "call", uri = "com.acme.{order}" } }
policy.roles.other = { { ask = "call", uri = "com.acme.{user}" } }
authorize(function(request) return request.params.order == "x" end)]]
    local alice, bob, carol = join(), join({}, "other"), join()
    assert.equal(1, asked(alice))
    assert.is_nil(asked(bob)) -- his rule has captured something else
    assert.equal(1, asked(carol)) -- bob's was asked for
    assert.equal(0, asked(carol))
  end)

  it("is that of the attributes that have chosen the rule", function()
    open [[
policy.roles.user = { { ask = "call", uri = "com.acme.{session.org}.{order}" },
  { ask = "call", uri = "com.acme.{place}.{what}" } }
authorize(function(request) return request.params.order == "x" end)]]
    local acme, beta = join { org = "acme" }, join { org = "beta" }
    assert.equal(1, asked(acme, "com.acme.acme.x"))
    assert.is_nil(asked(beta, "com.acme.acme.x"))
    assert.equal(1, asked(join { org = "acme" }, "com.acme.acme.x")) -- beta's; acme's was found
  end)

  for how, body in pairs {
    ["in a coroutine"] = "coroutine.wrap(function() return f() end)()",
    ["by a function that runs beside it"] = "(nexus.parallel{ f, function() end })",
    ["within a deadline"] = "nexus.timeout(1, f)",
    ["behind pcall"] = "select(2, pcall(f))",
    ["after a wait"] = "(function() nexus.sleep(1) return f() end)()",
    ["by one beside one beside it"] = "nexus.timeout(1, nexus.timeout, 1, f)",
  } do
    it("depends on what was read " .. how, function()
      open(([[
authorize(function(request)
  local function f() return request.session.org == "acme" end
  return %s
end)]]):format(body))
      local acme, beta = join { org = "acme" }, join { org = "beta" }
      assert.equal(1, asked(acme))
      assert.is_nil(asked(beta))
      assert.is_nil(asked(join {}))
      assert.equal(2, asked(join { org = "acme" }))
    end)
  end

  for what, expression in pairs {
    args = "#request.args == 0", kwargs = "next(request.kwargs) == nil",
    options = "request.options.timeout == nil",
    ["the peer"] = 'request.session.transport.type == "websocket"',
    hello = "request.session.hello.x == nil", vars = "request.session.vars.x == nil",
    ["when it came"] = "request.session.joined > 0",
    ["its features"] = "request.session.roles.caller",
    ["its trust"] = "request.session.trustlevel == nil",
  } do
    it("is not kept when it depends on " .. what, function()
      open("authorize(function(request) return (" .. expression .. ") and true end)")
      local alice = join()
      for _ = 1, 3 do assert.equal(1, asked(alice)) end
    end)
  end

  for what, expression in pairs {
    nothing = "true", action = 'request.action == "call"', uri = 'request.uri == "com.acme.x"',
    match = 'request.match == "exact"', ["whether it is open"] = "request.session.open",
    authrole = 'request.session.authrole == "user"', realm = "request.session.realm ~= nil",
    ["an attribute that is absent"] = "request.session.org == nil",
    ["has"] = 'not request.session:has("org", "acme")',
    ["has nil"] = 'not request.session:has("org", nil)',
    authmethod = 'request.session.authmethod == "anonymous"',
    authprovider = 'request.session.authprovider == "policy"',
  } do
    it("is kept for all who are equal, when it depends on " .. what, function()
      open("authorize(function(request) return (" .. expression .. ") and true end)")
      assert.equal(1, asked(join()))
      assert.equal(0, asked(join()))
    end)
  end

  for what, expression in pairs {
    id = "request.session.id > 0", ["a list"] = 'not request.session:has("teams", "green")',
  } do
    it("is for one session alone when it depends on " .. what, function()
      open("authorize(function(request) return (" .. expression .. ") and true end)")
      local alice = join { teams = testing.list { "red" } }
      assert.equal(1, asked(alice))
      assert.equal(0, asked(alice))
      assert.equal(1, asked(join { teams = testing.list { "red" } }))
    end)
  end

  for what, answer in pairs {
    ["rewrites the arguments"] = "nexus.allow{ args = {} }",
    ["rewrites the names"] = "nexus.allow{ kwargs = {} }",
    ["rewrites the URI"] = 'nexus.allow{ uri = "com.acme.x" }',
    ["changes options"] = "nexus.allow{ options = { timeout = 1000 } }",
    ["is not to be kept"] = "nexus.allow{ cache = 0 }",
    ["is undone by an error"] = "error('not now')",
    ["has details"] = "nexus.deny{ kwargs = { left = 0 } }",
    ["came too late"] = "nexus.sleep(6)",
    ["is none"] = "7",
  } do
    it("is not one that " .. what, function()
      open(([[
authorize(function(request) return %s end)
policy.roles.user[2] = { allow = "call", uri = "com.acme.count" }
policy.procedures["com.acme.count"] = policy.procedures["com.acme.x"]
policy.procedures["com.acme.x"] = function() end]]):format(answer))
      local alice = join()
      for _ = 1, 3 do alice:try_call "com.acme.x" end
      assert.equal(3, alice:call "com.acme.count")
    end)
  end

  it("is not one that says who gets an event, which is for each publication", function()
    open [[
policy.roles.user[2] = { ask = "publish", uri = "com.acme.t" }
policy.roles.user[3] = { allow = "subscribe", uri = "com.acme.t" }
authorize(function(request)
  return request.action == "call" or nexus.allow{ filter = nexus.only("org", request.session.org) }
end)]]
    local acme, beta = join { org = "acme" }, join { org = "beta" }
    local seen = { acme = join({ org = "acme" }):collect "com.acme.t",
      beta = join({ org = "beta" }):collect "com.acme.t" }
    for i = 1, 2 do
      acme:publish("com.acme.t", {}, nil, { acknowledge = true })
      assert.same({ i, 0 }, { #seen.acme, #seen.beta })
    end
    beta:publish("com.acme.t", {}, nil, { acknowledge = true })
    assert.same({ 2, 1 }, { #seen.acme, #seen.beta })
    assert.equal(4, asked(acme))
  end)

  it("is forgotten for those whom forget_decisions names", function()
    open [[
authorize(function(request) return request.session.org ~= nil end)
policy.roles.user[2] = { allow = "call", uri = "com.acme.forget" }
policy.procedures["com.acme.forget"] = function(call)
  nexus.realm:forget_decisions(call.args[1])
end]]
    local acme, beta = join { org = "acme" }, join { org = "beta" }
    assert.same({ 1, 1 }, { asked(acme), asked(beta) })
    acme:call("com.acme.forget", { org = "acme" })
    assert.same({ 0, 1 }, { asked(beta), asked(acme) })
    acme:call("com.acme.forget", { org = "nobody's" })
    assert.same({ 0, 0 }, { asked(beta), asked(acme) })
    acme:call("com.acme.forget", {})
    assert.same({ 1, 1 }, { asked(beta), asked(acme) })
  end)

  it("is asked for anew when what it depends on changes, and once its time is over", function()
    open [[
policy.procedures["com.acme.set"] = function(call) call.caller:set{ org = call.args[1] } end
policy.roles.user[2] = { allow = "call", uri = "com.acme.set" }
authorize(function(request)
  return request.session.org == "acme" and nexus.allow{ cache = 5 }
end)]]
    local alice = join { org = "acme" }
    assert.equal(1, asked(alice))
    assert.equal(0, asked(alice))
    alice:call("com.acme.set", "beta")
    assert.is_nil(asked(alice))
    alice:call("com.acme.set", "acme")
    assert.equal(1, asked(alice)) -- beta's; that of acme was kept
    router:advance(4.9)
    assert.equal(0, asked(alice))
    router:advance(0.2)
    assert.equal(1, asked(alice))
    local file <close> = assert(io.open(folder .. "/policy.lua", "a"))
    file:write "-- another version\n"
    file:flush()
    router:reload()
    assert.equal(1, asked(alice))
    assert.equal(0, asked(alice))
  end)

  it("is not kept when what it depended on has changed meanwhile", function()
    open [[
local waiting
policy.procedures["com.acme.set"] = function(call)
  nexus.realm:session(waiting):set{ org = "beta" }
end
policy.roles.user[2] = { allow = "call", uri = "com.acme.set" }
authorize(function(request)
  local is_acme <const> = request.session.org == "acme"
  waiting = request.session.id
  nexus.sleep(10)
  return is_acme
end)]]
    local alice, bob = join { org = "acme" }, join()
    local pending = alice:start_call "com.acme.x"
    router:advance(1)
    bob:call "com.acme.set"
    router:advance(10)
    assert.is_true(pending:is_done())
    assert.is_nil(asked(alice))
  end)

  it("may deny, with its words, or allow, with what it allows", function()
    open [[
local count = 0
authorize(function(request)
  count = count + 1
  if request.session.org == "acme" then return nexus.allow{ trustlevel = 3 } end
  return nexus.deny{ error = "com.acme.error.no", message = "no " .. count }
end)
policy.procedures["com.acme.x"] = function(call) return call.details.trustlevel end]]
    for _ = 1, 2 do
      assert.equal(3, (join { org = "acme" }):call "com.acme.x")
      local _, failure = (join { org = "beta" }):try_call "com.acme.x"
      assert.same({ "com.acme.error.no", "no 2" }, { failure.uri, failure.args[1] })
    end
  end)

  it("is counted as undecided when nothing was said", function()
    open [[
authorize(function(request) if request.session.org == "acme" then return true end end)]]
    local labels <const> = { hook = "authorize", kind = "undecided" }
    assert.equal(1, asked(join { org = "acme" }))
    assert.is_nil(router:metric("nexus_lua_errors_total", labels))
    local _, failure = (join {}):try_call "com.acme.x"
    assert.equal("wamp.error.not_authorized", failure.uri)
    assert.equal(1, router:metric("nexus_lua_errors_total", labels))
    assert.same({}, router:log { id = "policy-failed" })
  end)
end)

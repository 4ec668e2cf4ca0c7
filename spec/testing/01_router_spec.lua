--- nexus.testing: a router in a test, its clock, and what its sessions do.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local policy <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }

policy.roles = {
  guest = { { allow = "subscribe", uri = "com.acme.news.**" } },
  user = { { allow = "*", uri = "com.acme.**" }, { deny = "*", uri = "com.acme.admin.**" },
           { ask = "*", uri = "com.acme.asked.**" } },
}

function policy.authenticate.ticket(hello)
  if hello.authid == "slow" then nexus.sleep(5) end
  return hello.authid ~= "nobody"
    and { authrole = "user", ticket = "t", attributes = { org = "acme" } } or nil
end

function policy.authenticate.anonymous()
  return { authrole = "guest" }
end

function policy.authorize(request)
  if request.uri:find("crash", 1, true) then error("no such table") end
  nexus.sleep(2)
  return request.session:has("org", "acme")
end

return policy
]]

describe("a router in a test", function()
  local router

  before_each(function()
    router = testing.router { policy = policies.write(policy) }
  end)

  after_each(function()
    router:close()
  end)

  local function user(authid)
    return router:join { authid = authid or "alice", ticket = "t" }
  end

  it("lets in who the policy lets in", function()
    local alice = user()
    assert.are.equal("alice", alice.authid)
    assert.are.equal("user", alice.authrole)
    assert.are.equal("ticket", alice.authmethod)
    assert.is_true(alice.open)
    local guest = router:join {}
    assert.are.equal("guest", guest.authrole)
    assert.are_not.equal(alice.id, guest.id)
  end)

  it("says why somebody is refused", function()
    local session, err = router:try_join { authid = "nobody", ticket = "t" }
    assert.is_nil(session)
    assert.are.equal("wamp.error.authentication_denied", err.uri)
    assert.has_error(function() router:join { authid = "alice", ticket = "wrong" } end,
      "join: wamp.error.authentication_denied: ticket: the credentials are not accepted")
    assert.has_error(function() router:join { authid = "alice", tickt = "t" } end)
  end)

  it("speaks every serializer", function()
    for _, serializer in ipairs { "json", "msgpack", "cbor" } do
      local session = router:join { authid = "alice", ticket = "t", serializer = serializer }
      session:register("com.acme.echo." .. serializer, function(call)
        return table.unpack(call.args)
      end)
      local a, b, c = session:call("com.acme.echo." .. serializer, 1, "two", { three = { 4.5 } })
      assert.are.same({ 1, "two", { three = { 4.5 } } }, { a, b, c })
      assert.are.equal("integer", math.type(a))
    end
  end)

  it("publishes to those who subscribed", function()
    local alice, bob = user(), user("bob")
    local seen, patterns = bob:collect("com.acme.news"),
      bob:collect("com.acme.news", { match = "prefix", only = "topic" })
    alice:publish("com.acme.news", { "hi" }, { from = "alice" })
    assert.are.equal("number", type(alice:publish("com.acme.news.x", nil, nil,
      { acknowledge = true })))
    assert.are.equal(1, #seen)
    assert.are.same({ "hi" }, seen[1].args)
    assert.are.same({ from = "alice" }, seen[1].kwargs)
    assert.are.same({ "com.acme.news", "com.acme.news.x" }, patterns)
  end)

  it("ends a subscription when its last handler goes", function()
    local alice, bob, count = user(), user("bob"), 0
    local function tally() count = count + 1 end
    local first = bob:subscribe("com.acme.news", tally)
    local second = bob:subscribe("com.acme.news", tally)
    alice:publish "com.acme.news"
    first:remove()
    alice:publish "com.acme.news"
    second:remove()
    alice:publish "com.acme.news"
    assert.are.equal(3, count)
  end)

  it("calls, with both kinds of results and with errors", function()
    local alice, bob = user(), user("bob")
    bob:register("com.acme.both", function(call)
      return testing.result({ #call.args }, { name = call.kwargs.name })
    end)
    bob:register("com.acme.fail", function()
      testing.raise("com.acme.error.sold_out", { 7 }, { left = 0 })
    end)
    bob:register("com.acme.crash", function() error("oh") end)
    local result = alice:call { "com.acme.both", args = { 1, 2 }, kwargs = { name = "x" } }
    assert.are.same({ 2 }, result.args)
    assert.are.same({ name = "x" }, result.kwargs)
    local ok, err = alice:try_call("com.acme.fail")
    assert.is_false(ok)
    assert.are.equal("com.acme.error.sold_out", err.uri)
    assert.are.same({ 7 }, err.args)
    assert.are.same({ left = 0 }, err.kwargs)
    assert.are.equal("wamp.error.runtime_error", select(2, alice:try_call("com.acme.crash")).uri)
    assert.are.equal("wamp.error.no_such_procedure", select(2, alice:try_call("com.acme.no")).uri)
    assert.has_error(function() alice:call("com.acme.no") end)
  end)

  it("says which keys of a call there are", function()
    local client = user()
    assert.has_error(function() client:call { "com.acme.add", arg = { 1 } } end,
      'call: no such key "arg"; allowed: 1, args, kwargs, on_progress, options, timeout')
  end)

  it("hears progress, and cancels", function()
    local alice, bob, parts = user(), user("bob"), {}
    bob:register("com.acme.slow", function(call)
      if call.args[1] == "wait" then
        call.on_interrupt = function() call:raise("wamp.error.canceled") end
        return testing.later
      end
      call:progress(1)
      call:progress(2)
      return 3
    end)
    local result = alice:call { "com.acme.slow",
      on_progress = function(n) parts[#parts + 1] = n end }
    assert.are.same({ 3 }, result.args)
    assert.are.same({ 1, 2 }, parts)
    local pending = alice:start_call("com.acme.slow", "wait")
    assert.is_false(pending:is_done())
    pending:cancel("kill")
    assert.are.equal("wamp.error.canceled", pending:error().uri)
  end)

  it("has a clock that stands still until something waits for it", function()
    local began = router:now()
    user("slow")
    assert.are.equal(5, router:now() - began)
    local alice = user()
    alice:register("com.acme.asked.x", function() return "x" end)
    assert.are.equal("x", alice:call("com.acme.asked.x"))
    assert.are.equal(9, router:elapsed()) -- register and call were asked about
    router:advance(3600)
    assert.are.equal(3609, router:elapsed())
    assert.are.equal(1767225600, began)
  end)

  it("moves the clock for no longer than it is told", function()
    local alice = user()
    local pending = alice:start_call("com.acme.asked.nothing")
    router:advance(1.9)
    assert.is_false(pending:is_done())
    router:advance(0.1)
    assert.is_true(pending:is_done())
    assert.are.equal("wamp.error.no_such_procedure", pending:error().uri)
  end)

  it("gives up where no answer can come", function()
    local alice, bob = user(), user("bob")
    bob:register("com.acme.never", function() return testing.later end)
    assert.has_error(function() alice:call("com.acme.never") end,
      "call com.acme.never: no answer, and nothing is left that could happen")
    local ok, err = alice:try_call { "com.acme.never", timeout = 30 }
    assert.is_false(ok)
    assert.are.equal("wamp.error.timeout", err.uri)
  end)

  it("makes sessions out of attributes", function()
    local beta = router:session { authrole = "user", authid = "ben", org = "beta" }
    assert.are.equal("ben", beta.authid)
    assert.are.equal("wamp.error.not_authorized", select(2, beta:try_call("com.acme.asked.x")).uri)
    assert.has_error(function() router:session { authrole = "stranger" } end)
    assert.has_error(function() router:session {} end, "session: authrole is missing")
  end)

  it("keeps the log", function()
    local ok, err = user():try_call("com.acme.asked.crash")
    assert.is_false(ok)
    assert.are.equal("wamp.error.authorization_failed", err.uri)
    local lines = router:log { id = "policy-failed", msg = "no such table" }
    assert.are.equal(1, #lines)
    assert.are.equal("authorize", lines[1].hook)
    assert.is_truthy(lines[1].msg:find "acme/policy.lua:%d+: no such table")
    assert.are.same({}, router:log { id = "no-such-line" })
  end)

  it("ends sessions", function()
    local alice, bob = user(), user("bob")
    bob:register("com.acme.x", function() return 1 end)
    bob:leave()
    assert.is_false(bob.open)
    assert.are.equal("wamp.error.no_such_procedure", select(2, alice:try_call("com.acme.x")).uri)
    alice:send { 64, "broken" }
    router:run()
    assert.is_false(alice.open)
    assert.are.equal("wamp.error.protocol_violation", alice.reason)
  end)
end)

describe("a router in a test begins", function()
  it("with settings and secrets, and ends with its folder", function()
    local folder = policies.write [[
      local nexus <const> = require "nexus"
      local policy <const> = nexus.policy{ api = 1 }
      function policy.authenticate.ticket(hello)
        return { authrole = nexus.config.role, ticket = nexus.secret("ticket") }
      end
      policy.roles.boss = {}
      return policy ]]
    local router = testing.router { policy = folder, settings = { role = "boss" },
      secrets = { ticket = "sesame" }, realm = "com.acme", now = 1000 }
    assert.are.equal("boss", router:join { authid = "x", ticket = "sesame" }.authrole)
    assert.are.equal(1000, router:now())
    local place = router:folder()
    assert.is_truthy(os.rename(place, place))
    router:close()
    assert.is_nil((os.rename(place, place)))
    router:close()
    assert.has_error(function() router:now() end)
  end)

  it("with what is wrong with the policy, with file and line", function()
    local folder = policies.write "local policy = { api = 1 }\npolicy.authorise = 1\nreturn policy"
    local ok, words = pcall(testing.router, { policy = folder })
    assert.is_false(ok)
    assert.is_truthy(words:find("acme/policy.lua:2: policy.authorise: no such key", 1, true))
    assert.has_error(function() testing.router { policy = "/no/such/policy" } end)
    assert.has_error(function() testing.router {} end)
    assert.has_error(function() testing.router { policy = "open", color = 1 } end)
  end)

  it("without a policy", function()
    local router <close> = testing.router { policy = "open" }
    local session = router:join {}
    session:register("com.x", function() return 1 end)
    assert.are.equal(1, router:join { serializer = "cbor" }:call("com.x"))
  end)
end)

describe("a login in a test", function()
  local function router_of(record, method, attributes)
    return testing.router { policy = policies.write(([[
      local nexus <const> = require "nexus"
      local policy <const> = nexus.policy{ api = 1 }
      policy.authenticate.%s = %s
      policy.roles.user = {}
      return policy ]]):format(method, record)), settings = attributes }
  end

  it("by wampcra, with and without salt", function()
    local router <close> = router_of([[function(hello)
      return { authrole = "user", secret = "sesame" } end]], "wampcra")
    assert.are.equal("wampcra", router:join { authid = "x", secret = "sesame" }.authmethod)
    assert.is_nil(router:try_join { authid = "x", secret = "sesam" })
    local salted <close> = router_of([[function(hello)
      return { authrole = "user", secret = "b1sSN7v0pV6yqCwkohsSs5IT/7joKePbt3l5oxs1ch4=",
               salt = "saltsalt", iterations = 1000, keylen = 32 } end]], "wampcra")
    assert.are.equal("user", salted:join { authid = "x", secret = "sesame" }.authrole)
    assert.is_nil(salted:try_join { authid = "x", secret = "wrong" })
  end)

  it("by scram", function()
    local router <close> = router_of("function() return "
      .. policies.scram_record("pencil", "saltsalt", 4096) .. " end", "scram")
    local session = router:join { authid = "sa,l=ly", password = "pencil" }
    assert.are.equal("user", session.authrole)
    assert.is_nil(router:try_join { authid = "sally", password = "crayon" })
  end)

  it("by cryptosign", function()
    local seed = ("01"):rep(32)
    local router <close> = router_of(([[function()
      return { authrole = "user", pubkeys = "%s" } end]]):format(testing.public_key(seed)),
      "cryptosign")
    assert.are.equal("cryptosign", router:join { authid = "device", key = seed }.authmethod)
    assert.is_nil(router:try_join { authid = "device", key = ("02"):rep(32) })
  end)

  it("by a certificate", function()
    local router <close> = router_of([[function(hello)
      local tls <const> = hello.transport.tls
      return { authid = tls.subject .. "/" .. tls.issuer, authrole = "user" } end]], "tls")
    assert.are.equal("CN=reports/CN=nexus.testing",
      router:join { tls = { subject = "reports" } }.authid)
    assert.are.equal("CN=a,O=Acme/CN=ca",
      router:join { method = "tls", tls = { subject = "CN=a,O=Acme", issuer = "ca" } }.authid)
    assert.is_nil(router:try_join { tls = { subject = "reports", verified = false } })
    assert.is_nil(router:try_join { method = "tls" })
  end)

  it("by a method of the policy's own", function()
    local router <close> = router_of([[{
      challenge = function(hello) return { riddle = "2+3" } end,
      verify = function(hello, signature, extra)
        return signature == "5" and extra.sure and { authrole = "user", authid = "m" } or nil
      end }]], "magic")
    local asked
    local session = router:join { method = "magic", authid = "m", authenticate = function(extra)
      asked = extra.riddle
      return "5", { sure = true }
    end }
    assert.are.equal("m", session.authid)
    assert.are.equal("2+3", asked)
    assert.has_error(function() router:join { method = "magic", authid = "m" } end)
  end)
end)

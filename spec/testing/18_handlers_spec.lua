--- How many calls and events a policy works on at one time, in which order and for how long, by the
-- numbers that hold where nothing is said; and the session that does it.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local head <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous(hello)
  return { authid = hello.authid, authrole = "user" }
end
policy.roles.user = { { allow = "*", uri = "com.acme.**" }, { allow = "call", uri = "wamp.**" } }
local running, most, seen = 0, 0, {}
local function work(what)
  running = running + 1
  most = math.max(most, running)
  seen[#seen + 1] = what
  nexus.sleep(1)
  running = running - 1
end
policy.procedures["com.acme.seen"] = function()
  return most, #seen, seen[1], seen[2], seen[#seen]
end
]]

describe("in a policy", function()
  local router, alice, folder

  local function open(text)
    folder = policies.write(head .. text .. "\nreturn policy\n")
    router = testing.router { policy = folder }
    alice = router:join { method = "anonymous", authid = "alice" }
  end

  after_each(function()
    router:close()
  end)

  it("64 calls run at one time, and more wait in order", function()
    open [[
policy.procedures["com.acme.work"] = function(call) work(call.args[1]) return call.args[1] end]]
    local pending = {}
    for i = 1, 200 do pending[i] = alice:start_call("com.acme.work", i) end
    router:advance(1.5)
    assert.is_true(pending[64]:is_done())
    assert.is_false(pending[65]:is_done())
    router:advance(3)
    for i = 1, 200 do assert.is_true(pending[i]:is_done()) end
    assert.same({ 64, 200, 1, 2, 200 }, { alice:call "com.acme.seen" })
  end)

  it("as many run as concurrency says, or one for each caller that is ordered", function()
    open [[
policy.procedures["com.acme.two"] = { concurrency = 2,
  handler = function(call) work(call.args[1]) end }
policy.procedures["com.acme.ordered"] = { ordered = true,
  handler = function(call) work(call.caller.authid .. call.args[1]) end }
policy.procedures["com.acme.reset"] = function() most, seen = 0, {} end]]
    for i = 1, 5 do alice:start_call("com.acme.two", i) end
    router:advance(10)
    assert.same({ 2, 5, 1, 2, 5 }, { alice:call "com.acme.seen" })
    alice:call "com.acme.reset"
    local bob = router:join { method = "anonymous", authid = "bob" }
    for i = 1, 3 do
      alice:start_call("com.acme.ordered", i)
      bob:start_call("com.acme.ordered", i)
    end
    router:advance(10)
    assert.same({ 2, 6, "alice1", "bob1", "bob3" }, { alice:call "com.acme.seen" })
  end)

  it("a call takes 30 s at most, or what it or the procedure says", function()
    open [[
local function long(call) nexus.sleep(1000) return call.canceled end
policy.procedures["com.acme.long"] = long
policy.procedures["com.acme.brief"] = { timeout = 5, handler = long }]]
    local function time(call)
      local began = router:elapsed()
      local ok, failure = alice:try_call(call)
      assert.is_false(ok)
      assert.equal("wamp.error.timeout", failure.uri)
      return router:elapsed() - began
    end
    assert.equal(30, time { "com.acme.long" })
    assert.equal(5, time { "com.acme.brief" })
    assert.equal(3, time { "com.acme.brief", timeout = 3 })
    assert.equal(5, time { "com.acme.brief", timeout = 50 })
  end)

  local function publish(count)
    for i = 1, count do alice:publish("com.acme.t", { i }) end
  end

  it("events are heard in order, one at a time; 1000 wait, and then the oldest are dropped",
    function()
      open 'policy.subscriptions["com.acme.t"] = function(event) work(event.args[1]) end'
      publish(1101)
      router:advance(1200)
      assert.same({ 1, 1001, 1, 102, 1101 }, { alice:call "com.acme.seen" })
      assert.truthy(router:log { msg = "com.acme.t: events are dropped, as 1000 of them wait" }[1])
    end)

  it("more events are heard at one time, and others are dropped, where that is said", function()
    open [[
policy.subscriptions["com.acme.t"] = { concurrency = 3, queue = 10, overflow = "drop_newest",
  handler = function(event) work(event.args[1]) end }]]
    publish(20)
    router:advance(20)
    assert.same({ 3, 13, 1, 2, 13 }, { alice:call "com.acme.seen" })
  end)

  it("all is done by one session, which is the same after a reload, and no rule is for it",
    function()
      local text <const> = [[
policy.roles.trusted = {}
function policy.authorize() error("not asked") end
function policy.filter(event) return event.publisher.authid ~= "policy" end
function policy.intercept.publish(message)
  if message.session.authid == "policy" then return nexus.deny{} end
end
policy.procedures["com.acme.act"] = function()
  nexus.realm:subscribe("org.other.x", function(event) seen[#seen + 1] = event.args[1] end)
  nexus.realm:publish("com.acme.t", { "done" }, nil, { acknowledge = true })
  return nexus.realm:callees("com.acme.act")[1].id
end]]
      open(text)
      local heard = alice:collect "com.acme.t"
      local id = alice:call "com.acme.act"
      local details = alice:call("wamp.session.get", id)
      assert.same({ "policy", "trusted" }, { details.authid, details.authrole })
      assert.equal("done", heard[1].args[1])
      local registration = alice:call("wamp.registration.match", "com.acme.act")
      local file <close> = assert(io.open(folder .. "/policy.lua", "w"))
      file:write(head, text, "\n-- another version\nreturn policy\n")
      file:flush()
      router:reload()
      assert.equal(id, alice:call "com.acme.act")
      assert.equal(registration, alice:call("wamp.registration.match", "com.acme.act"))
    end)
end)

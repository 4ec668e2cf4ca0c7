--- Who may do what: rules, and policy.authorize for what they ask about.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{ api = 1, attributes = { org = "string", teams = "list" } }

policy.roles = {
  guest = { { allow = "subscribe", uri = "com.acme.news.**" } },
  user  = { { allow = "call subscribe register", uri = "com.acme.**" },
            { allow = "publish",        uri = "com.acme.org.{session.org}.**" },
            { allow = "publish",        uri = "com.acme.told.**", disclose = true },
            { allow = "publish",        uri = "com.acme.echo.**",
              options = { exclude_me = false } },
            { deny  = "*",              uri = "com.acme.admin.**" },
            { ask   = "*",              uri = "com.acme.orders.{order}.**" } },
}
policy.roles.admin = { inherit = "user", { allow = "*", uri = "com.acme.admin.**" } }

local users <const> = {
  alice = { authrole = "user", ticket = "t", attributes = { org = "acme", teams = { "a", "b" } } },
  bob = { authrole = "user", ticket = "t", attributes = { org = "beta" } },
  carol = { authrole = "user", ticket = "t" },
  root = { authrole = "admin", ticket = "t" },
}

function policy.authenticate.ticket(hello)
  return users[hello.authid]
end

function policy.authenticate.anonymous()
  return { authrole = "guest" }
end

local answers <const> = {}

function answers.yes() return true end
function answers.no() return false end
function answers.words() return false, "not today" end
function answers.nothing() end
function answers.deny()
  return nexus.deny{ error = "com.acme.error.sold_out", message = "all gone" }
end
function answers.plain_deny() return nexus.deny{} end
function answers.known() return nexus.allow{ disclose = true, trustlevel = 7 } end
function answers.hidden() return nexus.allow{ disclose = false } end
function answers.brief() return nexus.allow{ timeout = 0.05 } end
function answers.number() return 5 end
function answers.table() return {} end
function answers.crash() local x = nil; return x.y end
function answers.loop() while true do end end
function answers.caught() while true do pcall(function() while true do end end) end end
function answers.memory() local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end end
function answers.long() return ("x"):rep(1 << 30) end
function answers.slices()
  local sum = 0
  for i = 1, 100000 do sum = sum + i end
  return sum == 5000050000
end
function answers.waits(request)
  local args <const> = request.args
  nexus.sleep(args[2])
  return args[1] == "waits" and request.args[2] == args[2]
end
function answers.forever() nexus.sleep(1000) return true end
function answers.breathes()
  for _ = 1, 20 do nexus.breathe() end
  return true
end
function answers.ogr(request) return request.session.ogr end
function answers.write(request) request.session.org = "x" end
function answers.global() return _ENV["undecl" .. "ared"] end
function answers.org(request) return request.session:has("org", "acme") end
function answers.team(request) return request.session:has("teams", "b") end
function answers.facts(request)
  local s <const> = request.session
  assert(request.uri == "com.acme.orders.17.facts" and request.action == "call")
  assert(request.match == "exact" and request.params.order == "17" and request.kwargs.k == 1.5)
  assert(s.authid == "alice" and s.authrole == "user" and s.realm == "realm1" and s.org == "acme")
  assert(s.authmethod == "ticket" and s.authprovider == "policy" and s.id > 0)
  assert(s.trustlevel == nil and s.teams[2] == "b" and s.transport.ip == "127.0.0.1")
  assert(s.transport.type == "websocket" and s.transport.serializer == "json")
  assert(request.options.receive_progress == nil and request.session == s)
  return true
end
local kept
function answers.keeps(request) kept = request; return true end
function answers.reads_kept() return kept.uri ~= nil end

function policy.authorize(request)
  return answers[request.args[1] or "yes"](request)
end

return policy
]]

for _, workers in ipairs { 1, 2 } do
  describe(("what may be done with %d workers"):format(workers), function()
    local nexusd, alice, callee

    before_each(function()
      nexusd = policies.start(policy, { workers = workers })
      callee = policies.connect(nexusd)
      policies.hello(callee, { authmethods = { "ticket" }, authid = "root",
        roles = wamp.roles { callee = { caller_identification = true, call_trustlevels = true } } })
      policies.answer(callee, "ticket", function() return "t" end)
      policies.expect_welcome(callee)
      callee:register("com.acme.open")
      for _, name in ipairs { "facts", "do" } do
        callee:send { wamp.REGISTER, callee:next_id(), {}, "com.acme.orders.17." .. name }
        callee:expect { wamp.REGISTERED, callee.last_id, wamp.id }
      end
      alice = policies.connect(nexusd)
      policies.login_ticket(alice, "alice", "t")
    end)

    after_each(function()
      wamp.close_all()
      nexusd:stop()
    end)

    local function call(client, uri, args, kwargs)
      local id = client:next_id()
      client:send(wamp.with_payload({ wamp.CALL, id, {}, uri }, args, kwargs))
      return id
    end

    --- A call that gets through to the callee; returns the details of the INVOCATION.
    local function passes(client, uri, args, kwargs)
      local id = call(client, uri, args, kwargs)
      local invocation, _, details = callee:expect { wamp.INVOCATION, wamp.id, wamp.id,
        wamp.capture(wamp.including {}), wamp.rest }
      callee:send { wamp.YIELD, invocation, {} }
      client:expect { wamp.RESULT, id, {} }
      return details
    end

    local function refused(client, uri, args, reason, words)
      local id = call(client, uri, args)
      local payload = words and { words } or wamp.rest
      client:expect { wamp.ERROR, wamp.CALL, id, {}, reason, payload }
    end

    local function ask(answer, ...)
      return { answer, ... }
    end

    it("is said by rules", function()
      passes(alice, "com.acme.open")
      refused(alice, "com.acme.admin.reset", nil, "wamp.error.not_authorized")
      refused(alice, "org.other", nil, "wamp.error.not_authorized")
      local guest = policies.connect(nexusd)
      policies.hello(guest)
      policies.expect_welcome(guest)
      guest:subscribe("com.acme.news.today")
      guest:send { wamp.SUBSCRIBE, guest:next_id(), {}, "com.acme.other" }
      guest:expect_error(wamp.SUBSCRIBE, guest.last_id, "wamp.error.not_authorized")
      guest:send { wamp.SUBSCRIBE, guest:next_id(), { match = "prefix" }, "com.acme" }
      guest:expect_error(wamp.SUBSCRIBE, guest.last_id, "wamp.error.not_authorized")
    end)

    it("may force options of what is sent", function()
      local id = alice:subscribe "com.acme.echo.x"
      alice:send { wamp.PUBLISH, alice:next_id(), { exclude_me = true }, "com.acme.echo.x", { 5 } }
      alice:expect { wamp.EVENT, id, wamp.id, {}, { 5 } }
    end)

    it("depends on what the policy said of the session, not on what HELLO says", function()
      alice:publish("com.acme.org.acme.x", nil, nil, { acknowledge = true })
      alice:send { wamp.PUBLISH, alice:next_id(), { acknowledge = true }, "com.acme.org.beta.x" }
      alice:expect_error(wamp.PUBLISH, alice.last_id, "wamp.error.not_authorized")
      local carol = policies.connect(nexusd)
      policies.hello(carol, { authmethods = { "ticket" }, authid = "carol", org = "acme" })
      policies.answer(carol, "ticket", function() return "t" end)
      policies.expect_welcome(carol)
      carol:send { wamp.PUBLISH, carol:next_id(), { acknowledge = true }, "com.acme.org.acme.x" }
      carol:expect_error(wamp.PUBLISH, carol.last_id, "wamp.error.not_authorized")
      refused(carol, "com.acme.orders.17.do", ask "org", "wamp.error.not_authorized")
    end)

    it("is inherited from other roles", function()
      local root = policies.connect(nexusd)
      policies.login_ticket(root, "root", "t")
      refused(root, "com.acme.admin.reset", nil, "wamp.error.no_such_procedure")
    end)

    it("is said by policy.authorize where the rules ask", function()
      passes(alice, "com.acme.orders.17.do", ask "yes")
      passes(alice, "com.acme.orders.17.do", ask "org")
      passes(alice, "com.acme.orders.17.do", ask "team")
      passes(alice, "com.acme.orders.17.facts", ask "facts", { k = 1.5 })
      passes(alice, "com.acme.orders.17.do", ask "slices")
      passes(alice, "com.acme.orders.17.do", ask "breathes")
      passes(alice, "com.acme.orders.17.do", ask("waits", 0.02))
      local bob = policies.connect(nexusd)
      policies.login_ticket(bob, "bob", "t")
      refused(bob, "com.acme.orders.17.do", ask "org", "wamp.error.not_authorized")
      refused(bob, "com.acme.orders.17.do", ask "team", "wamp.error.not_authorized")
    end)

    it("is refused in the words of the policy", function()
      for _, answer in ipairs { "no", "nothing", "plain_deny" } do
        refused(alice, "com.acme.orders.17.do", ask(answer), "wamp.error.not_authorized")
      end
      refused(alice, "com.acme.orders.17.do", ask "words", "wamp.error.not_authorized", "not today")
      refused(alice, "com.acme.orders.17.do", ask "deny", "com.acme.error.sold_out", "all gone")
    end)

    it("may be changed by the policy", function()
      local details = passes(alice, "com.acme.orders.17.do", ask "known")
      assert.equal("alice", details.caller_authid)
      assert.equal(7, details.trustlevel)
      assert.is_nil(passes(alice, "com.acme.orders.17.do", ask "hidden").caller)
      local id = call(alice, "com.acme.orders.17.do", ask "brief")
      callee:expect { wamp.INVOCATION, wamp.id, wamp.id, wamp.any, wamp.rest }
      alice:expect_error(wamp.CALL, id, "wamp.error.timeout")
    end)

    it("is refused without details when the policy fails, and the router goes on", function()
      for _, answer in ipairs { "number", "table", "crash", "loop", "caught", "memory", "long",
        "ogr", "write", "global", "reads_kept" } do
        if answer == "reads_kept" then
          passes(alice, "com.acme.orders.17.do", ask "keeps")
        end
        local id = call(alice, "com.acme.orders.17.do", ask(answer))
        alice:expect { wamp.ERROR, wamp.CALL, id, {}, "wamp.error.authorization_failed" }
        passes(alice, "com.acme.orders.17.do", ask "yes")
      end
      local log = nexusd:log()
      for _, words in ipairs {
        'no attribute "ogr" (did you mean "org"?)', "session is read-only", "request is over",
        "policy.authorize returned a number; allowed: true, false, nexus.allow{}, nexus.deny{}",
        "20 ms without waiting; call nexus.breathe() in long loops", "hook=authorize",
        'there is no global "undeclared"',
      } do
        assert.matches(words, log, 1, true)
      end
    end)

    it("says the same error once", function()
      for _ = 1, 20 do
        local id = call(alice, "com.acme.orders.17.do", ask "crash")
        alice:expect { wamp.ERROR, wamp.CALL, id, {}, "wamp.error.authorization_failed" }
      end
      local _, count = nexusd:log():gsub("policy%-failed", "")
      assert.equal(1, count)
    end)

    it("keeps the order of a session while one request waits, and lets others pass", function()
      local first = call(alice, "com.acme.orders.17.do", ask("waits", 0.1))
      local later = {}
      for i = 1, 10 do
        later[i] = call(alice, i % 2 == 0 and "com.acme.open" or "com.acme.orders.17.do",
          { "yes", i })
      end
      local bob = policies.connect(nexusd)
      policies.login_ticket(bob, "bob", "t")
      passes(bob, "com.acme.orders.17.do", ask "yes")
      local invocation = callee:expect { wamp.INVOCATION, wamp.capture(wamp.id), wamp.id, wamp.any,
        { "waits", 0.1 } }
      callee:send { wamp.YIELD, invocation, {} }
      alice:expect { wamp.RESULT, first, {} }
      for i = 1, 10 do
        invocation = callee:expect { wamp.INVOCATION, wamp.capture(wamp.id), wamp.id, wamp.any,
          { "yes", i } }
        callee:send { wamp.YIELD, invocation, {} }
        alice:expect { wamp.RESULT, later[i], {} }
      end
    end)

    it("is of no interest when the session has gone", function()
      for _ = 1, 5 do
        local bob = policies.connect(nexusd)
        policies.login_ticket(bob, "bob", "t")
        call(bob, "com.acme.orders.17.do", ask "forever")
        bob:drop()
      end
      passes(alice, "com.acme.orders.17.do", ask "yes")
      assert.is_nil(nexusd:log():find("policy-failed", 1, true))
    end)

    it("ends a request that is canceled while it is judged", function()
      local id = call(alice, "com.acme.orders.17.do", ask "forever")
      alice:send { wamp.CANCEL, id, {} }
      alice:expect_error(wamp.CALL, id, "wamp.error.canceled")
      passes(alice, "com.acme.orders.17.do", ask "yes")
    end)

    it("is nothing that the end of the router waits for", function()
      call(alice, "com.acme.orders.17.do", ask "forever")
      alice:drop()
      local bob = policies.connect(nexusd)
      policies.login_ticket(bob, "bob", "t")
      call(bob, "com.acme.orders.17.do", ask "forever")
      nexusd:signal("TERM")
      bob:expect { wamp.GOODBYE, wamp.any, "wamp.close.system_shutdown" }
    end)
  end)
end

describe("a policy without roles", function()
  it("asks authorize about everything", function()
    local nexusd = policies.start([[
      return { api = 1,
        authenticate = { anonymous = function() return { authrole = "anybody" } end },
        authorize = function(request)
          return request.action == "subscribe" and request.match == "exact"
        end }
    ]])
    local guest = policies.connect(nexusd)
    policies.hello(guest)
    policies.expect_welcome(guest)
    guest:subscribe("com.acme.x")
    guest:send { wamp.SUBSCRIBE, guest:next_id(), { match = "prefix" }, "com.acme." }
    guest:expect_error(wamp.SUBSCRIBE, guest.last_id, "wamp.error.not_authorized")
    guest:send { wamp.CALL, guest:next_id(), {}, "com.acme.x" }
    guest:expect_error(wamp.CALL, guest.last_id, "wamp.error.not_authorized")
    wamp.close_all()
    nexusd:stop()
  end)
end)

describe("five seconds", function()
  it("are the most that authorize may take", function()
    local nexusd = policies.start([[
      local nexus = require "nexus"
      return { api = 1,
        authenticate = { anonymous = function() return { authrole = "anybody" } end },
        authorize = function(request) nexus.sleep(60) return true end }
    ]])
    local guest = policies.connect(nexusd)
    policies.hello(guest)
    policies.expect_welcome(guest)
    guest:send { wamp.CALL, guest:next_id(), {}, "com.acme.x" }
    local answer = daemon.eventually(function() return (guest:receive()) end, 8)
    assert.is_true(wamp.same(answer, wamp.list { wamp.ERROR, wamp.CALL, guest.last_id,
      wamp.dict {}, "wamp.error.authorization_failed" }))
    assert.matches("not done after 5 s", nexusd:log(), 1, true)
    wamp.close_all()
    nexusd:stop()
  end)
end)

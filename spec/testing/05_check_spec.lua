--- policy.check(t): the tests that a policy brings along.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local testing = require "nexus.testing"
local wamp = require "wamp"

local policy <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }
local visits <const> = nexus.kv("visits")

policy.roles = {
  guest = { { allow = "call", uri = "com.acme.visit" } },
  user = { { allow = "*", uri = "com.acme.**" }, { ask = "call", uri = "com.acme.orders.**" } },
}

function policy.authenticate.ticket(hello)
  return hello.authid == "alice" and { authrole = "user", ticket = "wonder" } or nil
end

function policy.authenticate.anonymous()
  return { authrole = "guest" }
end

function policy.authorize(request)
  nexus.sleep(1)
  return request.session:has("org", "acme")
end

policy.procedures["com.acme.visit"] = function()
  return visits:incr("count", 1)
end

function policy.check(t)
  local guest <const> = t:join{ method = "anonymous" }
  assert(not t:allows(guest, "call", "com.acme.admin.reset"), "guests must not reset")
  local acme <const> = t:session{ authrole = "user", org = "acme" }
  assert(t:allows(acme, "call", "com.acme.orders.show"))
  assert(guest:call("com.acme.visit") == 1)
  assert(t:kv("visits"):get("count") == 1)
  t:advance(3600)
  -- more
end

return policy
]]

local function with(lines)
  return (policy:gsub("%-%- more", function() return lines end))
end

--- What `nexusd check` says of it, and its exit code.
local function check(text)
  local pipe = assert(io.popen(("timeout 60 '%s' check '%s' 2>&1; echo \"code $?\"")
    :format(os.getenv "NEXUSD", policies.write(text))))
  local said = pipe:read "a"
  pipe:close()
  return said, tonumber(said:match "code (%d+)\n$")
end

local function line_of(text, words)
  local count = 1
  for line in text:gmatch "[^\n]*\n" do
    if line:find(words, 1, true) then
      return count
    end
    count = count + 1
  end
end

describe("policy.check", function()
  it("passes", function()
    local said, code = check(policy)
    assert.is_truthy(said:find("no errors", 1, true))
    assert.are.equal(0, code)
  end)

  local cases <const> = {
    ['assert(t:allows(guest, "call", "com.acme.no"), "guests must do that")'] =
      "guests must do that",
    ['t:join{ authid = "bob", ticket = "builder" }'] =
      "join: wamp.error.authentication_denied: ticket: the credentials are not accepted",
    ['acme:call("com.acme.nobody")'] =
      "wamp.error.no_such_procedure: no callee has registered this procedure",
    ['nexus.realm:call("com.acme.nobody")'] = "wamp.error.no_such_procedure",
    ['nexus.realm:register("com.acme.x", print)'] =
      "not here; register and subscribe with a session of t",
    ['guest:register("com.other.x", print)'] = "wamp.error.not_authorized",
    ['t:close()'] = "this router ends by itself",
    ['local x <const> = nil; x.y = 1'] = "attempt to index a nil value",
    ['while true do end'] = "not done after 2 s of CPU",
  }
  for line, words in pairs(cases) do
    it("says what failed, and where: " .. line, function()
      local text = with(line)
      local said, code = check(text)
      assert.are.equal(78, code)
      local place = ("acme/policy.lua:%d: policy.check: "):format(line_of(text, line))
      assert.is_truthy(said:find(place, 1, true), said)
      if not line:find "while" then
        assert.is_truthy(said:find(words, 1, true), said)
      end
    end)
  end

  it("may wait, while its router's clock goes on", function()
    local said, code = check(with [[
  local began <const> = t:elapsed()
  nexus.sleep(7200)
  assert(t:elapsed() - began == 7200)
  nexus.breathe()
  local ok, err = pcall(nexus.timeout, 2, nexus.sleep, 10)
  assert(not ok and err.uri == "wamp.error.timeout", tostring(err))
  local one, two = nexus.parallel{
    function() nexus.sleep(1) return t:join{ method = "anonymous" }.authrole end,
    function() return nexus.crypto.password_verify("x", nexus.crypto.password_hash("x")) end,
  }
  assert(one == "guest" and two == true)
  local later
  nexus.after(30, function() later = true end)
  nexus.spawn(function() nexus.sleep(3) later = false end)
  nexus.sleep(10)
  assert(later == false)
  nexus.sleep(21)
  assert(later == true)]])
    assert.is_truthy(said:find("no errors", 1, true), said)
    assert.are.equal(0, code)
  end)

  it("has what the policy has: stores, databases, HTTP, the realm", function()
    local said, code = check(with [[
  visits:set("count", 41)
  assert(nexus.realm:call("com.acme.visit") == 42)
  local db <const> = nexus.sqlite("orders.db")
  db:exec("CREATE TABLE o (id)")
  db:transaction(function() db:exec("INSERT INTO o VALUES (?)", 17) end)
  assert(t:sqlite("orders.db"):row("SELECT id FROM o").id == 17)
  t:answer_http("GET http://orders/17", { status = 404 })
  assert(nexus.http.get("http://orders/17").status == 404)
  assert(not pcall(nexus.http.get, "http://orders/18"))
  local user <const> = t:session{ authrole = "user", org = "acme" }
  user:register("com.acme.double", function(call) return 2 * call.args[1] end)
  assert(nexus.realm:call("com.acme.double", 21) == 42)
  local seen <const> = user:collect("com.acme.news", { only = "args" })
  nexus.realm:publish("com.acme.news", { "hi" })
  t:run()
  assert(#seen == 1 and seen[1][1] == "hi")
  assert(nexus.realm:count{ authrole = "user" } == 2)
  assert(nexus.now() == t:now())]])
    assert.is_truthy(said:find("no errors", 1, true), said)
    assert.are.equal(0, code)
  end)

  it("waits no longer than something can come of it, and 5 s of real time", function()
    local endless <const> = {
      [ [[local later <const> = require "nexus.testing.inbox".later
  t:session{ authrole = "user" }:register("com.acme.never", function() return later end)
  pcall(nexus.realm.call, nexus.realm, "com.acme.never")]] ] =
        "policy.check: it waits for what does not come: no answer, and nothing is left",
      ["while true do pcall(nexus.sleep, 0.001) end"] = "policy.check: not done after ",
    }
    for lines, words in pairs(endless) do
      local said, code = check(with(lines))
      assert.are.equal(78, code, said)
      assert.is_truthy(said:find(words, 1, true), said)
    end
  end)

  it("fails when it returns false", function()
    local said, code = check(with "do return false end")
    assert.is_truthy(said:find("acme/policy.lua: policy.check: it returned false", 1, true))
    assert.are.equal(78, code)
  end)

  it("must be a function", function()
    local said = check((policy:gsub("function policy.check%(t%)",
      "policy.check = 7 local function _(t)")))
    assert.is_truthy(said:find("policy.check: ", 1, true))
    assert.is_truthy(said:find("function", 1, true))
  end)

  it("does not read files, and has no other routers", function()
    local said, code = check(with [[
  local core <const> = require "nexus.testing_core"
  assert(core.new == nil and core.capture_log == nil)
  assert(not pcall(function() return t:reload() end))]])
    assert.is_truthy(said:find("no errors", 1, true), said)
    assert.are.equal(0, code)
  end)

  it("is not part of nexus.testing", function()
    local router <close> = testing.router { policy = policies.write(with 'error("no")') }
    assert.are.equal("guest", router:join {}.authrole)
  end)

  it("keeps a router from starting, and does not touch its data", function()
    local nexusd = policies.start(policy)
    local function visit()
      local guest = policies.connect(nexusd)
      policies.hello(guest, { authmethods = { "anonymous" } })
      policies.expect_welcome(guest)
      guest:send { wamp.CALL, 1, {}, "com.acme.visit" }
      return guest:expect { wamp.RESULT, 1, {}, { wamp.capture(wamp.any) } }
    end
    assert.are.equal(1, visit())
    assert.are.equal(2, visit())
    wamp.close_all()
    nexusd:stop()
    local folder = policies.write(with 'error("not today")')
    local pipe = assert(io.popen(("timeout 20 '%s' --realm realm1 --ws 127.0.0.1:0 "
      .. "--policy '%s' 2>&1"):format(os.getenv "NEXUSD", folder)))
    local said = pipe:read "a"
    local _, _, code = pipe:close()
    assert.are.equal(78, code)
    assert.is_truthy(said:find("policy.check: not today", 1, true), said)
  end)

  it("keeps a router with the policy that it has", function()
    local folder = policies.write(policy)
    local nexusd = daemon.start { flags = ("--realm realm1 --ws 127.0.0.1:0 --policy '%s'")
      :format(folder) }
    local file = assert(io.open(folder .. "/policy.lua", "w"))
    file:write(with 'error("not today")')
    file:close()
    nexusd:signal "HUP"
    nexusd:wait_for_log "policy-reload-failed"
    assert.is_truthy(nexusd:log():find("policy.check: not today", 1, true))
    nexusd:stop()
  end)
end)

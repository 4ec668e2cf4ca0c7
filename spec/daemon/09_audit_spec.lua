-- The audit log (option audit.file): who did what, one line of JSON each, and no secret.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local json = require "json"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local known <const> = {
  alice = { authrole = "admin", ticket = "wonderland" },
  bob = { authrole = "user", ticket = "builder-secret" },
}
function policy.authenticate.ticket(hello)
  return known[hello.authid]
end
policy.roles.admin = { { allow = "*", uri = "**" },
  { allow = "call", uri = "wamp.session.kill" },
  { allow = "call", uri = "wamp.session.kill_by_authid" } }
policy.roles.user = { { allow = "*", uri = "com.acme.**" }, { deny = "*", uri = "com.acme.x.**" },
  { ask = "call", uri = "com.acme.ask" } }
function policy.authorize(request)
  return nexus.deny{ error = "com.acme.error.no", message = "not today" }
end
return policy
]]

for _, workers in ipairs { 1, 2 } do
  describe(("the audit log with %d workers"):format(workers), function()
    local nexusd, path

    before_each(function()
      local config = policies.config(policy, { workers = workers })
      path = os.tmpname()
      config.audit = { file = path }
      nexusd = daemon.start { config = config }
    end)

    after_each(function()
      wamp.close_all()
      nexusd:stop()
      os.remove(path)
    end)

    local function read(name)
      local lines, file = {}, io.open(name or path)
      for line in file and file:lines() or function() end do
        local entry = json.decode(line)
        assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", entry.ts)
        entry.ts = nil
        lines[#lines + 1] = entry
      end
      return lines
    end

    -- The lines of that event, when there are `count`.
    local function wait_for(event, count)
      local found
      daemon.eventually(function()
        found = {}
        for _, entry in ipairs(read()) do
          if entry.event == event then
            found[#found + 1] = entry
          end
        end
        return #found >= (count or 1)
      end)
      assert.equal(count or 1, #found)
      return found[1], found
    end

    local function login(authid, ticket)
      local client = policies.connect(nexusd)
      policies.login_ticket(client, authid, ticket)
      return client
    end

    it("has who joined and left", function()
      local bob = login("bob", "builder-secret")
      local entry = wait_for("join")
      assert.matches("^tcp4:127%.0%.0%.1:%d+$", entry.address)
      entry.address = nil
      assert.same({ event = "join", realm = "realm1", session = bob.session, authid = "bob",
        authrole = "user", authmethod = "ticket", authprovider = "policy",
        transport = "websocket" }, entry)
      bob:goodbye()
      assert.same({ event = "leave", realm = "realm1", session = bob.session, authid = "bob",
        authrole = "user", reason = "wamp.close.close_realm" }, (wait_for("leave")))
    end)

    it("has who was refused, and what was really wrong", function()
      for i, try in ipairs {
        { "bob", "wrong-guess" }, { "nobody", "builder-secret" },
      } do
        policies.try_ticket(policies.connect(nexusd), try[1], try[2])
        local _, all = wait_for("refuse", i)
        local entry = all[i]
        assert.matches("^tcp4:127%.0%.0%.1:%d+$", entry.address)
        assert.equal(try[1], entry.authid)
        assert.equal("wamp.error.authentication_denied", entry.reason)
        assert.equal(i == 2 and "there is no such principal" or nil,
          i == 2 and entry.cause or nil)
        assert.is_string(entry.cause)
      end
    end)

    it("has who was refused before there was a realm, or in the middle of a login", function()
      policies.hello(policies.connect(nexusd), nil, "realm7")
      local entry = wait_for("refuse")
      assert.same({ "realm7", "wamp.error.no_such_realm" }, { entry.realm, entry.reason })
      assert.matches("^tcp4:127%.0%.0%.1:%d+$", entry.address)
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "ticket" }, authid = "bob" })
      client:expect { wamp.CHALLENGE, "ticket", wamp.any }
      client:send { wamp.SUBSCRIBE, 1, wamp.dict {}, "com.acme.x" }
      local _, all = wait_for("refuse", 2)
      assert.same({ "realm1", "wamp.error.protocol_violation" }, { all[2].realm, all[2].reason })
    end)

    it("has who killed whom, and by what", function()
      local alice, bob = login("alice", "wonderland"), login("bob", "builder-secret")
      local call = alice:call("wamp.session.kill", { bob.session })
      alice:expect_result(call)
      assert.same({ event = "kill", realm = "realm1", session = bob.session, authid = "bob",
        authrole = "user", reason = "wamp.close.killed", by_session = alice.session,
        by_authid = "alice", by_authrole = "admin", procedure = "wamp.session.kill" },
        (wait_for("kill")))
      local others = { login("bob", "builder-secret"), login("bob", "builder-secret") }
      alice:call("wamp.session.kill_by_authid", { "bob" }, { reason = "com.acme.out" })
      local _, all = wait_for("kill", 1 + #others)
      assert.same({ "com.acme.out", "wamp.session.kill_by_authid" },
        { all[3].reason, all[3].procedure })
    end)

    it("has what was denied: once, then a sum", function()
      local bob = login("bob", "builder-secret")
      local request
      for _ = 1, 5 do
        request = bob:call("com.acme.x.y")
        bob:expect_error(wamp.CALL, request, "wamp.error.not_authorized")
      end
      request = bob:call("com.acme.ask")
      bob:expect_error(wamp.CALL, request, "com.acme.error.no")
      bob:send { wamp.SUBSCRIBE, bob:next_id(), { match = "prefix" }, "com" }
      bob:send { wamp.PUBLISH, bob:next_id(), wamp.dict {}, "com.acme.x.y" }
      request = bob:call("wamp.session.kill", { bob.session })
      bob:receive() -- ERROR of SUBSCRIBE
      bob:expect_error(wamp.CALL, request, "wamp.error.not_authorized")
      local _, all = wait_for("deny", 5)
      local function entry(action, uri, error, match)
        return { event = "deny", realm = "realm1", session = bob.session, authid = "bob",
          authrole = "user", action = action, uri = uri, error = error, count = 1, match = match }
      end
      assert.same({
        entry("call", "com.acme.x.y", "wamp.error.not_authorized"),
        entry("call", "com.acme.ask", "com.acme.error.no"),
        entry("subscribe", "com", "wamp.error.not_authorized", "prefix"),
        entry("publish", "com.acme.x.y", "wamp.error.not_authorized"),
        entry("call", "wamp.session.kill", "wamp.error.not_authorized"),
      }, all)
      wamp.close_all()
      nexusd:stop()
      local sum = read()
      local last
      for _, line in ipairs(sum) do
        last = line.event == "deny" and line.seconds and line or last
      end
      assert.same({ "com.acme.x.y", "call", 4, 60 },
        { last.uri, last.action, last.count, last.seconds })
    end)

    it("has what others are denied, whatever one session does", function()
      local bob = login("bob", "builder-secret")
      for i = 1, 4200 do
        bob:send { wamp.PUBLISH, bob:next_id(), wamp.dict {}, "com.acme.x." .. i }
      end
      bob:expect_error(wamp.CALL, bob:call("com.acme.ask"), "com.acme.error.no")
      local other = login("bob", "builder-secret")
      other:expect_error(wamp.CALL, other:call("com.acme.x.y"), "wamp.error.not_authorized")
      local _, all = wait_for("deny", 64 + 1 + 1)
      assert.same({ "com.acme.x.64", nil }, { all[64].uri, all[64].seconds })
      assert.same({ event = "deny", realm = "realm1", session = bob.session, authid = "bob",
        authrole = "user", uri = "others", count = 1 }, all[65])
      assert.same({ other.session, "com.acme.x.y", "call" },
        { all[66].session, all[66].uri, all[66].action })
      wamp.close_all()
      nexusd:stop()
      local sum = 0
      for _, line in ipairs(read()) do
        sum = sum + (line.event == "deny" and line.session == bob.session and line.count or 0)
      end
      assert.equal(4201, sum)
    end)

    it("goes on in a new file after SIGHUP", function()
      login("bob", "builder-secret")
      wait_for("join")
      assert(os.rename(path, path .. ".1"))
      nexusd:signal("HUP")
      assert(daemon.eventually(function() return io.open(path) end))
      login("alice", "wonderland")
      assert.equal("alice", wait_for("join").authid)
      local old = read(path .. ".1")
      assert.same({ "join", "bob" }, { old[1].event, old[1].authid })
      os.remove(path .. ".1")
    end)

    it("has no secret in it", function()
      login("bob", "builder-secret")
      policies.try_ticket(policies.connect(nexusd), "bob", "wrong-guess")
      wait_for("refuse")
      local text = assert(io.open(path)):read("a") .. nexusd:log()
      for _, secret in ipairs { "builder-secret", "wonderland", "wrong-guess" } do
        assert.is_nil(text:find(secret, 1, true))
      end
    end)
  end)
end

describe("the option audit.file", function()
  it("may name the log", function()
    local nexusd = daemon.start { config = { listen = { "127.0.0.1:0" },
      realms = { realm1 = { policy = "open" } }, audit = { file = "log" } } }
    local client = wamp.connect { transport = "ws", serializer = "json", port = nexusd:port() }
    client:join("realm1")
    assert(daemon.eventually(function()
      return nexusd:log():find('\n{"ts":"[^\n]-","event":"join","realm":"realm1"[^\n]*}\n')
    end))
    wamp.close_all()
    nexusd:stop()
  end)

  it("must name a file that can be opened", function()
    local nexusd = daemon.spawn { config = { listen = { "127.0.0.1:0" },
      realms = { realm1 = { policy = "open" } }, audit = { file = "/nowhere/at/all" } } }
    assert.equal(1, nexusd:wait())
    assert.matches('cannot open the audit file "/nowhere/at/all": No such file or directory',
      nexusd:log(), 1, true)
  end)
end)

--- Another version of a policy takes over while everybody goes on.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local function version(number, more)
  return ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "admin" } end
policy.roles.admin = { { allow = "*", uri = "com.acme.**" }, { allow = "call", uri = "wamp.**" },
  { allow = "call", uri = "nexus.policy.**" }, { allow = "subscribe", uri = "nexus.policy.**" } }
policy.procedures["com.acme.version"] = function() return %d end
policy.procedures["com.acme.slow"] = function() nexus.sleep(0.3) return %d end
local seen = {}
policy.procedures["com.acme.seen"] = function() return nexus.list(seen) end
policy.subscriptions["com.acme.event"] = function(event)
  nexus.realm:publish("com.acme.heard", { %d, event.args[1] })
end
%s
return policy
]]):format(number, number, number, more or "")
end

for _, workers in ipairs { 1, 2 } do
  describe(("a reload with %d workers"):format(workers), function()
    local nexusd, folder

    local function write(text)
      local file = assert(io.open(folder .. "/policy.lua.new", "wb"))
      file:write(text)
      assert(file:close())
      assert(os.rename(folder .. "/policy.lua.new", folder .. "/policy.lua"))
    end

    before_each(function()
      local config = policies.config(version(1), { workers = workers })
      folder = config.realms.realm1.policy
      nexusd = daemon.start { config = config }
    end)

    after_each(function()
      wamp.close_all()
      nexusd:stop()
    end)

    local function join()
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "anonymous" }, roles = wamp.roles {
        callee = { registration_revocation = true },
        subscriber = { subscription_revocation = true } } })
      policies.expect_welcome(client)
      return client
    end

    local function request(client)
      client.last_id = client.last_id + 1
      return client.last_id
    end

    local function call(client, uri, ...)
      client:send { wamp.CALL, request(client), wamp.dict {}, uri, wamp.list { ... } }
      local answer = client:receive()
      if answer[1] == wamp.ERROR then
        return nil, answer[5], answer
      end
      return table.unpack(answer[4] or {})
    end

    it("is made when a file is saved, and says what it was", function()
      local client = join()
      local id = call(client, "wamp.registration.lookup", "com.acme.version")
      assert.equal(1, call(client, "com.acme.version"))
      local status = call(client, "nexus.policy.status")
      write(version(2))
      nexusd:wait_for_log("policy-reloaded")
      assert.equal(2, call(client, "com.acme.version"))
      assert.equal(id, call(client, "wamp.registration.lookup", "com.acme.version"))
      local now = call(client, "nexus.policy.status")
      assert.not_equal(status.version, now.version)
      local history = call(client, "nexus.policy.history")
      assert.same({ now.version, status.version }, { history[1].version, history[2].version })
      assert.same({ "file", "start" }, { history[1].by, history[2].by })
    end)

    it("is made by a procedure, and by a signal", function()
      local client = join()
      client:send { wamp.SUBSCRIBE, request(client), wamp.dict {}, "nexus.policy.on_reload" }
      local subscription = client:receive()[3]
      write(version(2))
      client:send { wamp.CALL, request(client), wamp.dict {}, "nexus.policy.reload" }
      local event, result
      for _ = 1, 2 do
        local message = client:receive()
        if message[1] == wamp.EVENT then event = message else result = message end
      end
      assert.is_true(result[4][1].changed)
      assert.equal(subscription, event[2])
      assert.is_true(event[5][1].ok)
      assert.equal(result[4][1].version, event[5][1].version)
      assert.is_false(call(client, "nexus.policy.reload").changed)
      write(version(3))
      nexusd:signal("HUP")
      assert.truthy(daemon.eventually(function()
        return call(client, "com.acme.version") == 3
      end))
    end)

    it("that fails leaves the old version, and says why", function()
      local client = join()
      write("return { api = 1, authorise = 1 }")
      local _, uri, answer = call(client, "nexus.policy.reload")
      assert.equal("nexus.error.reload_failed", uri)
      assert.matches('policy.lua:1: policy.authorise: no such key %(did you mean "authorize"%?%)',
        answer[6][1])
      assert.equal(1, call(client, "com.acme.version"))
      assert.truthy(nexusd:log():find("policy-reload-failed", 1, true))
      write(version(2, "x = 1"))
      _, uri, answer = call(client, "nexus.policy.check")
      assert.equal("nexus.error.reload_failed", uri)
      assert.matches("policy.lua:%d+: .*x", answer[6][1])
      write(version(2))
      assert.is_true(call(client, "nexus.policy.reload").changed)
    end)

    it("keeps what began in the old version until it is done", function()
      local slow, client = join(), join()
      slow:send { wamp.CALL, request(slow), wamp.dict {}, "com.acme.slow" }
      write(version(2))
      assert.is_true(call(client, "nexus.policy.reload").changed)
      assert.equal(2, call(client, "com.acme.version"))
      assert.equal(1, slow:receive()[4][1])
      assert.truthy(daemon.eventually(function()
        return call(client, "nexus.policy.status").versions == 1
      end))
    end)

    it("adds and takes away what is served, and hears every event", function()
      local client = join()
      client:send { wamp.SUBSCRIBE, request(client), wamp.dict {}, "com.acme.heard" }
      client:receive()
      write(version(2, [[policy.procedures["com.acme.new"] = function() return "new" end]]))
      client:send { wamp.PUBLISH, request(client), wamp.dict {}, "com.acme.event", { "a" } }
      assert.same({ 1, "a" }, { table.unpack(client:receive()[5]) })
      assert.is_true(call(client, "nexus.policy.reload").changed)
      client:send { wamp.PUBLISH, request(client), wamp.dict {}, "com.acme.event", { "b" } }
      assert.same({ 2, "b" }, { table.unpack(client:receive()[5]) })
      assert.equal("new", call(client, "com.acme.new"))
      write(version(3))
      assert.is_true(call(client, "nexus.policy.reload").changed)
      assert.equal("wamp.error.no_such_procedure", select(2, call(client, "com.acme.new")))
    end)

    it("fails when a client has what it wants to serve", function()
      local client = join()
      client:send { wamp.REGISTER, request(client), wamp.dict {}, "com.acme.taken" }
      client:receive()
      write(version(2, [[policy.procedures["com.acme.taken"] = function() end]]))
      local _, uri, answer = call(client, "nexus.policy.reload")
      assert.equal("nexus.error.reload_failed", uri)
      assert.matches('policy.procedures%["com.acme.taken"%]: a client has registered it',
        answer[6][1])
      assert.equal(1, call(client, "com.acme.version"))
    end)

    it("takes what a client has where that is said", function()
      local client = join()
      client:send { wamp.REGISTER, request(client), wamp.dict {}, "com.acme.taken" }
      client:receive()
      write(version(2, [[policy.procedures["com.acme.taken"] = { force_reregister = true,
        handler = function() return "taken" end }]]))
      local other = join()
      assert.is_true(call(other, "nexus.policy.reload").changed)
      assert.equal("taken", call(other, "com.acme.taken"))
    end)

    it("judges again what clients hold", function()
      local client, other = join(), join()
      other:send { wamp.SUBSCRIBE, request(other), wamp.dict {}, "com.acme.news" }
      local id = other:receive()[3]
      write((version(2):gsub('{ allow = "%*", uri = "com.acme.%*%*" }',
        '{ allow = "call", uri = "com.acme.**" }')))
      assert.is_true(call(client, "nexus.policy.reload").changed)
      local message = other:receive()
      assert.same({ wamp.UNSUBSCRIBED, 0, id }, { message[1], message[2], message[3].subscription })
    end)

    it("is taken back by a rollback", function()
      local client = join()
      local first = call(client, "nexus.policy.status").version
      write(version(2))
      call(client, "nexus.policy.reload")
      local back = call(client, "nexus.policy.rollback", first)
      assert.equal(first, back.version)
      assert.equal(1, call(client, "com.acme.version"))
      assert.equal("wamp.error.invalid_argument",
        select(2, call(client, "nexus.policy.rollback", "none")))
    end)

    it("leaves five versions to go back to", function()
      local client = join()
      local known = { call(client, "nexus.policy.status").version }
      for number = 2, 7 do
        write(version(number))
        call(client, "nexus.policy.reload")
        known[number] = call(client, "nexus.policy.status").version
      end
      local kept = {}
      for i, entry in ipairs(call(client, "nexus.policy.history")) do kept[i] = entry.version end
      assert.same({ known[7], known[6], known[5], known[4], known[3] }, kept)
      assert.equal("wamp.error.invalid_argument",
        select(2, call(client, "nexus.policy.rollback", known[2])))
      assert.equal(7, call(client, "com.acme.version"))
      assert.equal(known[3], call(client, "nexus.policy.rollback", known[3]).version)
      assert.equal(3, call(client, "com.acme.version"))
    end)

    it("tells the versions of each other", function()
      local hooks = [[
function policy.on_load(info)
  nexus.realm:publish("com.acme.heard", { "load", info.version, info.previous, info.first })
end
function policy.on_unload(info)
  nexus.realm:publish("com.acme.heard", { "unload", info.version, info.next })
end]]
      local client = join()
      client:send { wamp.SUBSCRIBE, request(client), wamp.dict {}, "com.acme.heard" }
      client:receive()
      local function heard() return { table.unpack(client:receive()[5]) } end
      local first = call(client, "nexus.policy.status").version
      write(version(2, hooks))
      local second = nexusd:wait_for_log("policy-reloaded"):match "version=(%x+)"
      assert.not_equal(first, second)
      assert.same({ "load", second, first, false }, heard())
      write(version(3, hooks))
      assert.same({ "unload", second }, { table.unpack(heard(), 1, 2) })
      local loaded = heard()
      local third = call(client, "nexus.policy.status").version
      assert.same({ "load", third, second, false }, loaded)
    end)

    it("goes on when the folder vanishes, and when it is there again", function()
      local client = join()
      assert(os.rename(folder, folder .. ".gone"))
      nexusd:wait_for_log("policy-reload-failed")
      assert.equal(1, call(client, "com.acme.version"))
      assert(os.execute(("cp -r '%s.gone' '%s.next'"):format(folder, folder)))
      local file = assert(io.open(folder .. ".next/policy.lua", "wb"))
      file:write(version(4))
      assert(file:close())
      assert(os.rename(folder .. ".next", folder))
      assert.truthy(daemon.eventually(function()
        return call(client, "com.acme.version") == 4
      end))
    end)

    it("loses no call while versions come and go", function()
      local client, sent, answers = join(), 0, 0
      for i = 2, 12 do
        for _ = 1, 50 do
          client:send { wamp.CALL, request(client), wamp.dict {}, "com.acme.version" }
          sent = sent + 1
        end
        write(version(i))
        nexusd:signal("HUP")
        for _ = 1, 50 do
          local message = client:receive()
          assert.equal(wamp.RESULT, message[1])
          answers = answers + 1
        end
      end
      assert.equal(sent, answers)
      assert.truthy(daemon.eventually(function()
        return call(client, "com.acme.version") == 12
      end))
    end)
  end)
end

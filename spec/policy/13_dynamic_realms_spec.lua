--- Realms that router.lua opens when somebody asks for them, and that close when nobody is there.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local opener = [[
local nexus <const> = require "nexus"
local router <const> = { api = 1 }
local tenants <const> = nexus.kv("tenants", { scope = "router" })
local asked = 0

function router.realm_requested(hello)
  asked = asked + 1
  local tenant <const> = hello.realm:match("^com%.acme%.tenant%.(%w+)$")
  if hello.realm == "com.acme.slow" then nexus.sleep(0.3) end
  if hello.realm == "com.acme.never" then nexus.sleep(60) end
  if hello.realm == "com.acme.broken" then error("broken on purpose") end
  if hello.realm == "com.acme.strange" then return { template = "tenent" } end
  if hello.realm == "com.acme.odd" then return { template = "tenant", close_when_idl = 1 } end
  if hello.realm == "com.acme.free" then return { template = "free" } end
  if hello.realm == "com.acme.slow" or tenant and not tenant:find("x") then
    return { template = "tenant", close_when_idle = tenant and 0.3 or nil,
      settings = { tenant = tenant or "slow", asked = asked, who = hello.authid or "",
        peer = hello.transport.type } }
  end
end

function router.realm_opened(realm)
  tenants:incr("opened")
  nexus.log.info("opened " .. realm.uri)
end
function router.realm_closed(realm)
  tenants:incr("closed")
  nexus.log.info("closed " .. realm.uri)
end
return router
]]

local tenant = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local router <const> = nexus.kv("tenants", { scope = "router" })
local own <const> = nexus.kv("own", { persist = nexus.config.persists })
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "*", uri = "com.acme.**" } }
local function procedure(name, fn) policy.procedures["com.acme." .. name] = fn end
procedure("told", function()
  local c <const> = nexus.config
  return c.tenant, c.asked, c.who, c.peer, c.shared
end)
procedure("opened", function() return router:get("opened") or 0, router:get("closed") or 0 end)
procedure("count", function() return own:incr("count") end)
procedure("uri", function() return nexus.realm.uri end)
policy.tasks.tick = { every = 0.05, run = function() own:incr("ticks") end }
return policy
]]

local function config_of(options)
  local folder = policies.write { ["router.lua"] = options.opener or opener,
    ["tenant.lua"] = options.tenant or tenant }
  return {
    listen = { "127.0.0.1:0" },
    workers = options.workers,
    limits = options.limits,
    data_folder = options.data_folder,
    realms = { fixed = { policy = "open" } },
    router_policy = folder .. "/router.lua",
    templates = {
      tenant = { policy = folder .. "/tenant.lua",
        settings = { shared = "by all", tenant = "nobody",
          persists = options.data_folder ~= nil } },
      free = { policy = "open" },
    },
    max_dynamic_realms = options.max, opening_rate = options.rate,
  }
end

for _, workers in ipairs { 1, 2 } do
  describe(("dynamic realms with %d workers"):format(workers), function()
    local nexusd

    local function start(options)
      options = options or {}
      options.workers = workers
      nexusd = daemon.start { config = config_of(options) }
    end

    after_each(function()
      wamp.close_all()
      if nexusd then
        nexusd:stop()
      end
      nexusd = nil
    end)

    local function ask(realm, details)
      local client = policies.connect(nexusd)
      details = details or {}
      details.authmethods = { "anonymous" }
      policies.hello(client, details, realm)
      return client
    end

    local function join(realm, details)
      local client = ask(realm, details)
      policies.expect_welcome(client)
      return client
    end

    local function call(client, uri, ...)
      local id = client:next_id()
      client:send { wamp.CALL, id, wamp.dict {}, uri, wamp.list { ... } }
      local answer = client:receive()
      assert.equal(wamp.RESULT, answer[1], answer[5])
      return table.unpack(answer[4] or {})
    end

    local function told(client)
      local name, number = call(client, "com.acme.told")
      return { name, number }
    end

    local function count_log(words)
      return select(2, nexusd:log():gsub(words:gsub("%p", "%%%0"), ""))
    end

    local function expect_refused(client, reason)
      client:expect { wamp.ABORT, wamp.any, reason or "wamp.error.no_such_realm" }
    end

    it("come into being, with settings of their own", function()
      start()
      local one = join("com.acme.tenant.one", { authid = "alice" })
      assert.same({ "one", 1, "alice", "websocket", "by all" }, { call(one, "com.acme.told") })
      assert.equal("com.acme.tenant.one", call(one, "com.acme.uri"))
      local two = join("com.acme.tenant.two")
      assert.same({ "two", 2 }, told(two))
      assert.same({ "one", 1 }, told(join "com.acme.tenant.one"))
      assert.truthy(daemon.eventually(function() return call(one, "com.acme.opened") == 2 end))
      nexusd:wait_for_log("realm-opened")
    end)

    it("are opened once for many that ask at the same time", function()
      start()
      local clients = {}
      for i = 1, 60 do
        clients[i] = ask("com.acme.slow")
      end
      for _, client in ipairs(clients) do
        policies.expect_welcome(client)
        assert.same({ "slow", 1 }, told(client))
      end
      assert.equal(1, count_log("INFO  realm-opened") + count_log("INFO realm-opened"))
    end)

    it("are refused when router.lua says nothing, or fails, or names what is not there", function()
      start()
      expect_refused(ask("com.acme.tenant.x"))
      expect_refused(ask("com.acme.broken"))
      assert.matches("broken on purpose", nexusd:wait_for_log("policy-failed"))
      expect_refused(ask("com.acme.strange"))
      expect_refused(ask("com.acme.odd"))
      local log = nexusd:log()
      assert.matches('the configuration has no template "tenent" (did you mean "tenant"?)', log, 1,
        true)
      assert.matches("close_when_idl", log, 1, true)
      expect_refused(ask("#router"), "wamp.error.invalid_uri")
      join("fixed")
      join("com.acme.free")
    end)

    it("do not outlast hello_timeout while they are asked for", function()
      start { limits = { hello_timeout = "200ms" } }
      local waiting = ask("com.acme.never")
      local other = join("com.acme.tenant.one") -- nobody waits for it
      assert.same({ "one", 2 }, told(other))
      assert.is_nil(waiting:receive())
      assert.same({ "one", 2 }, told(other))
    end)

    it("are no more than the configuration allows", function()
      start { max = 2 }
      join("com.acme.tenant.one")
      join("com.acme.tenant.two")
      expect_refused(ask("com.acme.tenant.three"))
      nexusd:wait_for_log("realm-not-opened")
      join("com.acme.tenant.two")
    end)

    it("are not asked for faster than the configuration allows", function()
      start { rate = 5 }
      local refused, limited = 0, 0
      for i = 1, 100 do
        local answer = ask(("com.acme.name%d"):format(i)):receive()
        assert.equal(wamp.ABORT, answer[1])
        if answer[3] == "nexus.error.rate_limited" then
          limited = limited + 1
        else
          assert.equal("wamp.error.no_such_realm", answer[3])
          refused = refused + 1
        end
      end
      assert.is_true(refused >= 5 and limited > 0, refused .. " and " .. limited)
      join("fixed")
    end)

    it("leave no trace of those who ask, and go before they are answered", function()
      start()
      local keeper = join("fixed")
      for round = 1, 5 do
        for _ = 1, 40 do
          ask("com.acme.slow" .. (round % 2 == 0 and "" or "er")).stream:close()
        end
        ask("com.acme.never").stream:close()
      end
      local slow = join("com.acme.slow")
      assert.equal("slow", told(slow)[1])
      assert.truthy(daemon.eventually(function()
        return nexusd:status().connections == 3 -- these two, and the one that asks
      end))
      keeper:goodbye()
    end)

    it("take their events and calls as others do, from all workers", function()
      start()
      local clients = {}
      for i = 1, 6 do
        clients[i] = join("com.acme.tenant.one")
        clients[i]:send { wamp.SUBSCRIBE, clients[i]:next_id(), wamp.dict {}, "com.acme.news" }
        assert.equal(wamp.SUBSCRIBED, clients[i]:receive()[1])
      end
      local other = join("com.acme.tenant.two")
      for _, client in ipairs { clients[1], other } do
        client:send { wamp.PUBLISH, client:next_id(), wamp.dict { acknowledge = true },
          "com.acme.news", { client == other and "foreign" or "own" } }
        assert.equal(wamp.PUBLISHED, client:receive()[1])
      end
      for i = 2, 6 do
        assert.same({ "own" }, { table.unpack(clients[i]:receive()[5]) })
        assert.equal(i - 1, call(clients[i], "com.acme.count"))
      end
    end)

    it("close when nobody is there, and can be asked for again", function()
      start()
      local one = join("com.acme.tenant.one")
      assert.equal(1, call(one, "com.acme.count"))
      one.stream:close()
      nexusd:wait_for_log("realm-closed")
      assert.truthy(daemon.eventually(function()
        return nexusd:log():find("closed com.acme.tenant.one", 1, true)
      end))
      one = join("com.acme.tenant.one")
      assert.same({ "one", 2 }, told(one))
      assert.equal(1, call(one, "com.acme.count")) -- its state has gone
      assert.truthy(daemon.eventually(function()
        local opened, closed = call(one, "com.acme.opened")
        return opened == 2 and closed == 1
      end))
    end)

    it("find what they have kept on disk", function()
      start { data_folder = daemon.folder() .. "/dynamic" .. workers }
      for i = 1, 3 do
        local one = join("com.acme.tenant.kept")
        assert.equal(i, call(one, "com.acme.count"))
        one.stream:close()
        assert.truthy(daemon.eventually(function()
          return count_log("closed com.acme.tenant.kept") == i
        end))
      end
    end)

    it("stay while somebody is there, however silent", function()
      start()
      local one = join("com.acme.tenant.one")
      local two = join("com.acme.tenant.two")
      two.stream:close()
      nexusd:wait_for_log("realm-closed")
      assert.equal(1, call(one, "com.acme.count"))
      assert.equal(0, count_log("closed com.acme.tenant.one"))
    end)

    it("lose nobody who comes while they close", function()
      start { rate = 100000 }
      local joined, ends = 0, os.time() + 4
      local keeper = join("com.acme.free")
      while os.time() < ends do
        -- Several leave at about the time that others come.
        local clients = {}
        for i = 1, 4 do
          clients[i] = ask("com.acme.tenant.t" .. i % 2)
        end
        for _, client in ipairs(clients) do
          policies.expect_welcome(client)
          joined = joined + 1
          client.stream:close()
        end
        local pause = 0.28 + math.random() * 0.05
        daemon.eventually(function() end, pause)
      end
      assert.is_true(joined > 20)
      assert.is_true(count_log("closed com.acme.tenant") > 2)
      keeper.stream:close()
    end)

    it("end with the router", function()
      start()
      for i = 1, 8 do
        join("com.acme.tenant.t" .. i)
      end
      ask("com.acme.never")
      nexusd:stop()
    end)

    it("are opened by another version of router.lua when that has changed", function()
      local config = config_of { workers = workers }
      nexusd = daemon.start { config = config }
      expect_refused(ask("com.acme.new"))
      local file = assert(io.open(config.router_policy .. ".new", "wb"))
      file:write((opener:gsub("com%.acme%.free", "com.acme.new")))
      assert(file:close())
      assert(os.rename(config.router_policy .. ".new", config.router_policy))
      nexusd:wait_for_log("policy-reloaded")
      join("com.acme.new")
    end)
  end)
end

describe("the configuration of dynamic realms", function()
  local function refused(change)
    local config = config_of {}
    change(config)
    local program = daemon.spawn { config = config, flags = "--check-config" }
    local code = program:wait()
    program:assert_clean()
    return code, program:log()
  end

  it("says what does not go together", function()
    local function expect(words, change)
      local code, log = refused(change)
      assert.equal(78, code)
      assert.matches(words, log, 1, true)
    end
    expect("templates: nobody opens realms", function(c) c.router_policy = nil end)
    expect("for the same realms", function(c) c.realm_template = { policy = "open" } end)
    expect('templates.tenant.policcy: no such option (did you mean "policy"?)',
      function(c) c.templates.tenant.policcy = "x" end)
    expect("/nowhere/router.lua: No such file",
      function(c) c.router_policy = "/nowhere/router.lua" end)
  end)

  local function check(text)
    local folder = policies.write { ["router.lua"] = text }
    local program = daemon.spawn { flags = "check " .. folder .. "/router.lua" }
    return program:wait(), program:log() .. program:out()
  end

  it("has a policy that is checked", function()
    local code, words = check(opener)
    assert.equal(0, code)
    assert.matches("no errors", words)
    code, words = check("return {\n api = 1,\n realm_requestd = function() end }")
    assert.equal(78, code)
    assert.matches('router.lua:3: router.realm_requestd: no such key (did you mean '
      .. '"realm_requested"?)', words, 1, true)
    code, words = check("return { api = 1, realm_opened = function() end }")
    assert.equal(78, code)
    assert.matches("router.realm_requested is missing", words, 1, true)
    code, words = check("return { api = 1, realm_requested = 7 }")
    assert.equal(78, code)
    assert.matches("realm_requested: found 7; allowed: a function", words, 1, true)
    assert.equal(78, (refused(function(c)
      c.router_policy = policies.write { ["router.lua"] = "return { api = 1, roles = {} }" }
    end)))
  end)
end)

--- What the configuration of a realm says to its policy: settings, secrets, bounds, reloads.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local function policy(body, roles)
  return ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { %s { allow = "call", uri = "nexus.policy.**" } }
local function procedure(name, fn) policy.procedures["com.acme." .. name] = fn end
%s
return policy
]]):format(roles or '{ allow = "*", uri = "com.acme.**" },', body)
end

local function write(folder, text)
  local file = assert(io.open(folder .. "/policy.lua.new", "wb"))
  file:write(text)
  assert(file:close())
  assert(os.rename(folder .. "/policy.lua.new", folder .. "/policy.lua"))
end

local function write_secret(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  assert(file:close())
  return path
end

describe("the configuration of a policy", function()
  local nexusd, folder, garbage

  before_each(function()
    garbage = {}
  end)

  after_each(function()
    wamp.close_all()
    if nexusd then
      nexusd:stop()
    end
    nexusd = nil
    for _, path in ipairs(garbage) do
      os.remove(path)
    end
  end)

  local function start(text, realm)
    local config = policies.config(text, { realm = realm })
    folder = config.realms.realm1.policy
    nexusd = daemon.start { config = config }
  end

  local function join(realm)
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "anonymous" }, roles = wamp.roles {
      caller = wamp.dict {}, subscriber = { subscription_revocation = true } } }, realm)
    policies.expect_welcome(client)
    return client
  end

  -- The results, or nil, URI and arguments of the error.
  local function call(client, uri, ...)
    local id = client:next_id()
    client:send { wamp.CALL, id, wamp.dict {}, uri, wamp.list { ... } }
    local answer = client:receive()
    if answer[1] == wamp.ERROR then
      return nil, answer[5], answer[6] or {}
    end
    return table.unpack(answer[4] or {})
  end

  local function refused(text, realm)
    local program = daemon.spawn { config = policies.config(text, { realm = realm }) }
    local code = program:wait()
    program:assert_clean()
    return code, program:log()
  end

  it("has settings and secrets of each realm, even when they share a file", function()
    local path = policies.write(policy [[
procedure("told", function() return nexus.config.tenant, #nexus.secret("key") end)]])
    local first, second = write_secret("abcdef\n"), write_secret("0123456789\r\n")
    garbage = { first, second }
    nexusd = daemon.start { config = { listen = { "127.0.0.1:0" }, realms = {
      one = { policy = path, settings = { tenant = "eins" },
        secrets = { key = { file = first } } },
      two = { policy = path, settings = { tenant = "zwei" },
        secrets = { key = { file = second } } },
    } } }
    assert.same({ "eins", 6 }, { call(join "one", "com.acme.told") })
    assert.same({ "zwei", 10 }, { call(join "two", "com.acme.told") })
  end)

  it("fails in the function that wants a secret which is not there", function()
    start(policy [[procedure("key", function() return nexus.secret("kee") end)]],
      { secrets = { key = { env = "HOME" } } })
    local _, uri = call(join(), "com.acme.key")
    assert.equal("wamp.error.runtime_error", uri)
    assert.matches('nexus.secret: found "kee"; the configuration of the realm has no such '
      .. 'secret (did you mean "key"?)', nexusd:wait_for_log("policy-failed"), 1, true)
  end)

  it("names the option when a host is not among http_hosts", function()
    start(policy [[procedure("get", function()
      local _, words = pcall(nexus.http.get, "http://127.0.0.2:1/")
      return words
    end)]], { http_hosts = { "127.0.0.1:1" } })
    assert.matches("the host 127.0.0.2:1 is not among http_hosts of the configuration",
      call(join(), "com.acme.get"), 1, true)
  end)

  it("lets cjson in, or what it names, or nothing", function()
    local text = policy [[local cjson <const> = require "cjson"
      procedure("encode", function() return cjson.encode{ 1 } end)]]
    start(text)
    assert.equal("[1]", call(join(), "com.acme.encode"))
    for _, modules in ipairs { { "lpeg" }, {} } do
      local code, log = refused(text, { c_modules = modules })
      assert.equal(78, code)
      assert.matches("no C module of that name is allowed by the configuration", log, 1, true)
    end
  end)

  it("bounds the memory of a policy", function()
    start(policy [[
local kept = {}
procedure("keep", function(call)
  kept[#kept + 1] = ("x"):rep(call.args[1])
  return #kept
end)
procedure("drop", function() kept = {} end)]], { memory = "8MiB" })
    local client = join()
    assert.equal(1, call(client, "com.acme.keep", 2 << 20))
    assert.equal(2, call(client, "com.acme.keep", 2 << 20))
    assert.equal("wamp.error.runtime_error", select(2, call(client, "com.acme.keep", 3 << 20)))
    assert.matches("memory", nexusd:wait_for_log("policy-failed"))
    call(client, "com.acme.drop")
    assert.equal(1, call(client, "com.acme.keep", 1 << 20))
  end)

  it("bounds the time of calls, by their kind", function()
    start(policy [[
procedure("sleep", function() nexus.sleep(20) end)
procedure("spin", function() while true do end end)
procedure("grow", function() return #("x"):rep(2 << 20) end)]],
      { budgets = { procedure = { stretch = "5ms", cpu = "8ms", wall = 0.2 }, growth = "1MiB" } })
    local client = join()
    local began = os.time()
    assert.equal("wamp.error.timeout", select(2, call(client, "com.acme.sleep")))
    assert.is_true(os.time() - began < 10)
    assert.equal("wamp.error.runtime_error", select(2, call(client, "com.acme.spin")))
    assert.is_truthy(nexusd:wait_for_log("5 ms without waiting"):find("policy-failed", 1, true))
    assert.equal("wamp.error.runtime_error", select(2, call(client, "com.acme.grow")))
  end)

  it("lets a policy lower its bounds, and never raise them", function()
    local text = policy [[
policy.budgets = { procedure = { wall = 0.2 } }
procedure("sleep", function() nexus.sleep(20) end)]]
    start(text, { budgets = { procedure = { wall = 10 } } })
    assert.equal("wamp.error.timeout", select(2, call(join(), "com.acme.sleep")))
    local code, log = refused(text, { budgets = { procedure = { wall = 0.1 } } })
    assert.equal(78, code)
    assert.matches("policy.budgets.procedure.wall: found 0.2; allowed: seconds, above 0 and at "
      .. "most 0.1", log, 1, true)
  end)

  -- The budget of predicates is for all subscribers of a publication, not that of policy.filter.
  local judging = policy [[
function policy.filter(event)
  local n = 0
  local function work(count) for i = 1, count do n = n + i end end
  if event.topic == "com.acme.looping" then return function() work(math.huge) end end
  return function(session) work(event.args[1]) return session.id ~= n end
end]]

  local function publish(client, topic, ...)
    local id = client:next_id()
    client:send { wamp.PUBLISH, id, { acknowledge = true }, topic, wamp.list { ... } }
    return client:receive()
  end

  it("bounds predicates by themselves", function()
    start(judging, { budgets = { filter = { stretch = "3ms", cpu = "3ms" },
      predicate = { stretch = "10s", cpu = "10s" } } })
    local publisher, subscriber = join(), join()
    local id = subscriber:next_id()
    subscriber:send { wamp.SUBSCRIBE, id, wamp.dict {}, "com.acme.judged" }
    subscriber:expect { wamp.SUBSCRIBED, id, wamp.id }
    assert.equal(wamp.PUBLISHED, publish(publisher, "com.acme.judged", 2000000)[1])
    assert.equal(wamp.EVENT, subscriber:receive()[1])
  end)

  it("lets a policy lower the bounds of predicates", function()
    start(judging, { budgets = { filter = { stretch = "10s", cpu = "10s" } } })
    local function loop(words)
      local publisher, subscriber = join(), join()
      local id = subscriber:next_id()
      subscriber:send { wamp.SUBSCRIBE, id, wamp.dict {}, "com.acme.looping" }
      subscriber:expect { wamp.SUBSCRIBED, id, wamp.id }
      assert.equal("wamp.error.authorization_failed", publish(publisher, "com.acme.looping")[5])
      assert.is_truthy(daemon.eventually(function() return nexusd:log():find(words, 1, true) end))
    end
    loop("policy.lua:8: 20 ms of CPU where nothing can wait")
    write(folder, (judging:gsub("return policy",
      "policy.budgets = { predicate = { stretch = 0.007 } }\n%0")))
    nexusd:wait_for_log("policy-reloaded")
    loop("policy.lua:8: 7 ms of CPU where nothing can wait")
    assert.is_nil(nexusd:log():find("hook=predicate", 1, true)) -- it is named once, by what ran it
  end)

  it("says what is wrong with bounds", function()
    local function expect(realm, words)
      local code, log = refused("return { api = 1 }", realm)
      assert.equal(78, code)
      assert.matches(words, log, 1, true)
    end
    expect({ memory = "64KiB" }, 'memory: found the string "64KiB"; allowed: bytes or a string '
      .. 'such as "16MiB", from 1MiB to 1024GiB')
    expect({ budgets = { authorise = { wall = 1 } } },
      'budgets.authorise: no such option (did you mean "authorize"?)')
    expect({ budgets = { authorize = { wal = 1 } } },
      'budgets.authorize.wal: no such option (did you mean "wall"?)')
    expect({ budgets = { task = { wall = 0 } } }, "budgets.task.wall: found the number 0; allowed: "
      .. 'seconds or a string such as "500ms", from 1ms to 24h')
    expect({ probation = -1 }, "probation: found the number -1; allowed: seconds")
    expect({ recheck = "no" }, 'recheck: found the string "no"; allowed: true or false')
    expect({ watch = 1 }, "watch: found the number 1; allowed: true or false")
  end)

  local failing = [[
procedure("work", function() error("no longer") end)
procedure("version", function() return 2 end)]]
  local working = [[
procedure("work", function() return "done" end)
procedure("version", function() return 1 end)]]

  it("takes a version back that fails on probation", function()
    start(policy(working), { probation = "30s" })
    local client = join()
    assert.equal("done", call(client, "com.acme.work"))
    write(folder, policy(failing))
    nexusd:wait_for_log("policy-reloaded")
    assert.equal(2, call(client, "com.acme.version"))
    assert.equal("wamp.error.runtime_error", select(2, call(client, "com.acme.work")))
    nexusd:wait_for_log("policy-rolled-back")
    assert.equal(1, call(client, "com.acme.version"))
    assert.equal("done", call(client, "com.acme.work"))
  end)

  it("leaves it where there is no probation", function()
    start(policy(working))
    local client = join()
    write(folder, policy(failing))
    nexusd:wait_for_log("policy-reloaded")
    assert.equal("wamp.error.runtime_error", select(2, call(client, "com.acme.work")))
    nexusd:wait_for_log("policy-failed")
    assert.equal(2, call(client, "com.acme.version"))
  end)

  for _, rechecks in ipairs { false, true } do
    it(("with recheck = %s"):format(rechecks) .. (rechecks and " ends" or " keeps")
      .. " a subscription that the new version denies", function()
      start(policy(working), { recheck = rechecks })
      local client, other = join(), join()
      other:send { wamp.SUBSCRIBE, other:next_id(), wamp.dict {}, "com.acme.news" }
      other:receive()
      write(folder, policy(working, [[
        { allow = "call", uri = "com.acme.**" }, { allow = "publish", uri = "com.acme.**" },]]))
      assert.is_true(call(client, "nexus.policy.reload").changed)
      if rechecks then
        assert.equal(wamp.UNSUBSCRIBED, other:receive()[1])
      end
      for _ = 1, 20 do
        client:send { wamp.PUBLISH, client:next_id(), wamp.dict { acknowledge = true },
          "com.acme.news", { "new" } }
        assert.equal(wamp.PUBLISHED, client:receive()[1])
        if not rechecks then
          assert.equal(wamp.EVENT, other:receive()[1])
        end
      end
      other:send { wamp.SUBSCRIBE, other:next_id(), wamp.dict {}, "com.acme.others" }
      assert.equal(wamp.ERROR, other:receive()[1])
    end)
  end

  it("with watch = false reads a policy again only when told", function()
    start(policy(working), { watch = false })
    local client = join()
    write(folder, policy(failing))
    call(client, "com.acme.work")
    local ends = os.time() + 2
    repeat
      assert.equal(1, call(client, "com.acme.version"))
    until os.time() > ends
    assert.is_true(call(client, "nexus.policy.reload").changed)
    assert.equal(2, call(client, "com.acme.version"))
  end)
end)

--- Reloads at bad moments: under load, in the midst of hooks that wait, two at once; databases and
-- servers that do not answer.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local socket = require "socket"
local wamp = require "wamp"

local function version(number, more)
  return ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "user" } end
policy.roles.user = { { allow = "*", uri = "com.acme.**" }, { ask = "call", uri = "com.ask.**" },
  { allow = "call", uri = "nexus.policy.**" } }
local begun = 0
function policy.authorize() begun = begun + 1 nexus.sleep(0.5) return true end
policy.procedures["com.ask.version"] = function() return %d end
policy.procedures["com.acme.version"] = function() return %d end
policy.procedures["com.acme.begun"] = function() return begun end
%s
return policy
]]):format(number, number, more or "")
end

describe("a reload", function()
  local nexusd, folder

  local function write(text)
    local file = assert(io.open(folder .. "/policy.lua.new", "wb"))
    file:write(text)
    assert(file:close())
    assert(os.rename(folder .. "/policy.lua.new", folder .. "/policy.lua"))
  end

  local function start(text, options)
    local config = policies.config(text, options)
    folder = config.realms.realm1.policy
    nexusd = daemon.start { config = config }
  end

  local function join()
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "anonymous" } })
    policies.expect_welcome(client)
    return client
  end

  local function send(client, uri, ...)
    client.last_id = client.last_id + 1
    client:send { wamp.CALL, client.last_id, wamp.dict {}, uri, wamp.list { ... } }
  end

  local function call(client, uri, ...)
    send(client, uri, ...)
    local answer = client:receive()
    if answer[1] == wamp.ERROR then
      return nil, answer[5], answer
    end
    return table.unpack(answer[4] or {})
  end

  after_each(function()
    wamp.close_all()
    if nexusd then
      nexusd:stop()
    end
    nexusd = nil
  end)

  it("loses nothing while a hundred sessions call and publish at full speed", function()
    local pipe = assert(io.popen(("python3 spec/bench/reload_load.py '%s' 100 10 2>&1"):format(
      os.getenv "NEXUSD")))
    local out = pipe:read("a")
    assert.truthy(pipe:close(), out)
    assert.matches("reloads: 10\n", out, 1, true)
    assert.matches("calls failed: 0\n", out, 1, true)
  end)

  it("in the midst of a thousand hooks that wait lets them end", function()
    start(version(1))
    local admin, clients = join(), {}
    for i = 1, 1000 do
      clients[i] = policies.connect(nexusd)
      policies.hello(clients[i], { authmethods = { "anonymous" } })
      policies.expect_welcome(clients[i])
    end
    for _, client in ipairs(clients) do send(client, "com.ask.version") end
    assert.truthy(daemon.eventually(function()
      return call(admin, "com.acme.begun") >= 100
    end))
    write(version(2))
    assert.is_true(call(admin, "nexus.policy.reload").changed)
    assert.equal(2, call(admin, "com.acme.version"))
    for _, client in ipairs(clients) do
      local answer = client:receive()
      assert.equal(wamp.RESULT, answer[1])
    end
    assert.truthy(daemon.eventually(function()
      return call(admin, "nexus.policy.status").versions == 1
    end))
  end)

  it("wanted twice at once, by a call, a signal and a file, is made in order", function()
    start(version(1))
    local one, two = join(), join()
    for number = 2, 6 do
      write(version(number))
      send(one, "nexus.policy.reload")
      nexusd:signal("HUP")
      send(two, "nexus.policy.reload")
      assert.equal(wamp.RESULT, one:receive()[1])
      assert.equal(wamp.RESULT, two:receive()[1])
      assert.equal(number, call(one, "com.acme.version"))
    end
    local status = call(one, "nexus.policy.status")
    assert.same({ 1, 0 }, { status.versions, status.reload_failures })
  end)

  it("of a version that loops, fills its memory or does not compile is refused", function()
    start(version(1))
    local client = join()
    for _, way in ipairs {
      { "while true do end", "policy.lua:11: " },
      { "while true do pcall(function() while true do end end) end", "policy.lua:11: " },
      { "local t = {} while true do t[#t + 1] = ('x'):rep(100000 + #t) end", "policy.lua:11: " },
      { "local function f() return 1 + f() end f()", "policy.lua:11: " },
      { "nexus.sleep(1)", "policy.lua:11: not while loading; use policy.on_load" },
      { "error(nil)", "policy.lua:11: an error that is no text but a nil" },
      { "policy.authorize = 7", "policy.lua:%d+: " },
      { "undeclared = 1", "policy.lua:11: " },
      { "if", "policy.lua:%d+: " },
    } do
      write(version(2, way[1]))
      local _, uri, answer = call(client, "nexus.policy.reload")
      assert.equal("nexus.error.reload_failed", uri, way[1])
      assert.matches(way[2], answer[6][1])
      assert.equal(1, call(client, "com.acme.version"))
    end
  end)
end)

describe("a policy whose", function()
  local nexusd

  local function join()
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "anonymous" } })
    policies.expect_welcome(client)
    return client
  end

  local function call(client, uri)
    client.last_id = client.last_id + 1
    client:send { wamp.CALL, client.last_id, wamp.dict {}, uri }
    return client:receive()
  end

  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  it("HTTP server never answers says so, and the rest goes on", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    local _, port = server:getsockname()
    nexusd = policies.start(([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "user" } end
policy.roles.user = { { ask = "call", uri = "com.ask.**" }, { allow = "*", uri = "com.acme.**" } }
policy.budgets = { authorize = { wall = 0.3 } }
function policy.authorize()
  return nexus.http.get("http://127.0.0.1:%d/").status == 200
end
policy.procedures["com.ask.a"] = function() end
policy.procedures["com.acme.ping"] = function() return "pong" end
return policy
]]):format(port), { realm = { http_hosts = { "127.0.0.1:" .. port } } })
    local client, other = join(), join()
    client:send { wamp.CALL, 1, wamp.dict {}, "com.ask.a" }
    assert.equal("pong", call(other, "com.acme.ping")[4][1])
    assert.equal("wamp.error.authorization_failed", client:receive()[5])
    assert.matches("policy.lua:7: not done after 0.3 s", nexusd:wait_for_log("policy-failed"), 1,
      true)
    server:close()
  end)

  it("database is locked says so, and the rest goes on", function()
    local data = daemon.folder() .. "/locked"
    assert(os.execute(("mkdir -p '%s'"):format(data)))
    local config = policies.config([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "user" } end
policy.roles.user = { { ask = "call", uri = "com.ask.**" }, { allow = "*", uri = "com.acme.**" } }
policy.budgets = { authorize = { wall = 0.3 } }
local db <const> = nexus.sqlite("a.db")
function policy.authorize()
  db:exec("insert into t values (1)")
  return true
end
policy.procedures["com.acme.make"] = function() db:exec("create table t (x)") return "made" end
policy.procedures["com.acme.lock"] = function()
  db:transaction(function() db:exec("insert into t values (2)") nexus.sleep(2) end)
end
policy.procedures["com.ask.a"] = function() return "asked" end
policy.procedures["com.acme.ping"] = function() return "pong" end
return policy
]])
    config.data_folder = data
    nexusd = daemon.start { config = config }
    local client, other = join(), join()
    assert.equal("made", call(client, "com.acme.make")[4][1])
    other:send { wamp.CALL, 1, wamp.dict {}, "com.acme.lock" }
    other.last_id = 1
    socket.sleep(0.1)
    assert.equal("wamp.error.authorization_failed", call(client, "com.ask.a")[5])
    assert.equal("pong", call(client, "com.acme.ping")[4][1])
    assert.matches("policy.lua:8: not done after 0.3 s", nexusd:wait_for_log("policy-failed"), 1,
      true)
    assert.equal(wamp.RESULT, other:receive()[1])
    assert.equal("asked", call(client, "com.ask.a")[4][1])
  end)
end)

--- What outlives the state of Lua: stores, limiters, metrics, in a real router.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }

local joins <const> = nexus.kv("joins", { persist = true })
local shared <const> = nexus.kv("shared", { scope = "router" })
local limiter <const> = nexus.limiter{ name = "joins", rate = 0.001, burst = 3 }

function policy.authenticate.ticket(hello)
  if hello.authid == "error" then error("no") end
  return {
    authrole = "user", ticket = "t",
    extra = { own = joins:incr(hello.authid), all = shared:incr("all") },
  }
end

function policy.admit(session)
  while session.authid == "loop" do end
  nexus.metrics.counter("admitted", { who = session.authid }):inc()
  if session.authid ~= "free" then
    local ok, after = limiter:take(session.authid)
    if not ok then
      return nexus.deny{ message = ("again in %.0f s"):format(after) }
    end
  end
  return true
end

policy.roles.user = { { allow = "*", uri = "com.acme.**" } }

return policy
]]

local function size_of(path)
  local file = io.open(path, "rb")
  local size = file and file:seek("end") or 0
  if file then
    file:close()
  end
  return size
end

describe("state of policies:", function()
  local nexusd, folder, acme
  local folders = 0

  local function start(changes, workers)
    local config = policies.config(policy, { workers = workers })
    acme = config.realms.realm1.policy
    config.data_folder = folder
    config.realms.realm2 = { policy = config.realms.realm1.policy }
    config.listen = { "127.0.0.1:0", { address = "127.0.0.1:0", metrics = true } }
    for name, value in pairs(changes or {}) do
      config.realms.realm1[name] = value
    end
    nexusd = daemon.start { config = config }
  end

  local function log_in(authid, realm)
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" }, authid = authid }, realm)
    policies.answer(client, "ticket", function() return "t" end)
    return client
  end

  local function counts(authid, realm)
    local welcome = policies.expect_welcome(log_in(authid, realm))
    return { welcome.authextra.own, welcome.authextra.all }
  end

  before_each(function()
    folders = folders + 1
    folder = ("%s/state%d"):format(daemon.folder(), folders)
  end)

  after_each(function()
    wamp.close_all()
    if nexusd then
      nexusd:stop()
      nexusd = nil
    end
  end)

  it("stores are of the realm or of the router", function()
    start()
    assert.same({ 1, 1 }, counts("free"))
    assert.same({ 2, 2 }, counts("free"))
    assert.same({ 1, 3 }, counts("free", "realm2"))
  end)

  it("what persists is there after a restart", function()
    start()
    assert.same({ 1, 1 }, counts("free"))
    assert.same({ 2, 2 }, counts("free"))
    wamp.close_all()
    nexusd:stop()
    start()
    assert.same({ 3, 1 }, counts("free"))
    assert.same({ 1, 2 }, counts("free", "realm2"))
  end)

  it("what persists is there after a kill, but for the last moment", function()
    start()
    local log = folder .. "/realm1.kv-wal"
    local before = size_of(log)
    assert.same({ 1, 1 }, counts("free"))
    assert.is_truthy(daemon.eventually(function() return size_of(log) > before end))
    nexusd:kill()
    start()
    assert.same({ 2, 1 }, counts("free"))
  end)

  it("a damaged file is named, and lets nobody in", function()
    assert(os.execute("mkdir -p " .. folder))
    local file = assert(io.open(folder .. "/realm1.kv", "wb"))
    file:write(("This is no file of stores. "):rep(100))
    file:close()
    start()
    assert.is_truthy(nexusd:log():find("nexus.kv: " .. folder
      .. "/realm1.kv: cannot read: file is not a database", 1, true))
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" }, authid = "free" })
    client:expect { wamp.ABORT, wamp.including {}, "wamp.error.authentication_failed" }
    assert.same({ 1, 1 }, counts("free", "realm2"))
  end)

  it("a quota is that of the configuration", function()
    start { kv = { max_entries = 1 } }
    assert.same({ 1, 1 }, counts("free"))
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" }, authid = "other" })
    client:expect { wamp.ABORT, wamp.including {}, "wamp.error.authentication_failed" }
    assert.is_truthy(nexusd:log():find(
      'kv:incr: the store "joins" is full: max_entries of realm realm1 is 1', 1, true))
  end)

  it("a limiter limits", function()
    start()
    for i = 1, 3 do
      assert.same({ i, i }, counts("alice"))
    end
    local client = log_in("alice")
    client:expect { wamp.ABORT, wamp.including { message = "again in 1000 s" },
      "wamp.error.not_authorized" }
    assert.same({ 1, 5 }, counts("bob"))
  end)

  local function metrics()
    local status, body, headers = nexusd:http("GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
      .. "Connection: close\r\n\r\n", 2)
    assert.equal(200, status)
    return body, headers
  end

  local function change_policy(from, to)
    local file = assert(io.open(acme .. "/policy.lua.new", "wb"))
    file:write((policy:gsub(from, to)))
    assert(file:close())
    assert(os.rename(acme .. "/policy.lua.new", acme .. "/policy.lua"))
  end

  for workers = 1, 2 do
    it(("all of it outlives a reload, with %d workers"):format(workers), function()
      start({}, workers)
      assert.same({ 1, 1 }, counts("alice"))
      assert.same({ 2, 2 }, counts("alice"))
      change_policy('authrole = "user",', 'authrole = "user", authid = hello.authid,')
      assert.is_truthy(daemon.eventually(function()
        return select(2, nexusd:log():gsub("policy%-reloaded", "")) == 2
      end))
      assert.same({ 3, 3 }, counts("alice"))
      log_in("alice"):expect { wamp.ABORT, wamp.including { message = "again in 1000 s" },
        "wamp.error.not_authorized" }
      assert.same({ 1, 5 }, counts("alice", "realm2"))
      assert.is_truthy(metrics():find('admitted{realm="realm1",who="alice"} 4\n', 1, true))
    end)
  end

  it("a reload that cannot have its stores fails, and the old policy goes on", function()
    start()
    assert.same({ 1, 1 }, counts("free"))
    change_policy("persist = true", "persist = false")
    nexusd:wait_for_log("policy-reload-failed", 1)
    assert.is_truthy(nexusd:log():find('the store "joins" is open with persist = true, and keeps '
      .. "that as long as the router runs", 1, true)
      or nexusd:log():find('the store \\"joins\\" is open with persist = true', 1, true))
    assert.same({ 2, 2 }, counts("free"))
  end)

  it("metrics are exported where that is said, and nowhere else", function()
    start()
    counts("alice")
    counts("bob", "realm2")
    log_in("loop", "realm2"):expect { wamp.ABORT, wamp.including {},
      "wamp.error.authentication_failed" }
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" }, authid = "error" }, "realm2")
    client:expect { wamp.ABORT, wamp.including {}, "wamp.error.authentication_failed" }
    local body, headers = metrics()
    assert.matches("^text/plain; version=0%.0%.4", headers["content-type"])
    local status_json = nexusd:status()
    for name, text in pairs {
      joins = "# TYPE nexus_joins_total counter\nnexus_joins_total %d\n",
      sessions = "# TYPE nexus_sessions gauge\nnexus_sessions %d\n",
      workers = "# TYPE nexus_workers gauge\nnexus_workers %d\n",
    } do
      assert.is_truthy(body:find(text:format(status_json[name]), 1, true))
    end
    assert.is_truthy(body:find('# TYPE admitted counter\nadmitted{realm="realm1",who="alice"} 1\n'
      .. 'admitted{realm="realm2",who="bob"} 1\n', 1, true))
    for _, line in ipairs {
      'nexus_lua_calls_total{realm="realm1",hook="authenticate"} 1',
      'nexus_lua_calls_total{realm="realm1",hook="admit"} 1',
      'nexus_lua_killed_total{realm="realm1",hook="admit"} 0',
      'nexus_lua_seconds_count{realm="realm2",hook="admit"} 2',
      'nexus_lua_errors_total{realm="realm2",hook="admit",kind="stretch"} 1',
      'nexus_lua_killed_total{realm="realm2",hook="admit"} 1',
      'nexus_lua_errors_total{realm="realm2",hook="authenticate",kind="error"} 1',
      'nexus_lua_waiting{realm="realm1"} 0',
    } do
      assert.is_truthy(body:find("\n" .. line .. "\n", 1, true), line)
    end
    assert.is_true(tonumber(body:match('nexus_lua_memory_bytes{realm="realm1"} (%d+)')) > 10000)
    for line in body:gmatch("[^\n]+") do
      assert.is_truthy(line:match("^# %u+ [%w_]+") or line:match("^[%a_][%w_]*{[^}]*} [%d.e+-]+$")
        or line:match("^[%a_][%w_]* [%d.e+-]+$"), line)
    end
    assert.equal(404, (nexusd:http("GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
      .. "Connection: close\r\n\r\n", 1)))
  end)
end)

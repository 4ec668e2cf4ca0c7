--- The module `nexus` in a running router: databases, HTTP, slow cryptography, settings, secrets,
-- and modules in C.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local cjson <const> = require "cjson"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }

local users <const> = nexus.sqlite("users.db")

function policy.on_load()
  users:exec("CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, role, org, ticket_hash)")
  for _, name in ipairs{ "alice", "bob" } do
    users:exec("INSERT OR REPLACE INTO users VALUES (?, 'user', 'acme', ?)", name,
      nexus.crypto.password_hash(name .. "'s ticket", { memory = 64 }))
  end
  print("there are users")
end

function policy.authenticate.ticket(hello)
  local row = users:row("SELECT role, org, ticket_hash FROM users WHERE name = ?", hello.authid)
  return row and { authrole = row.role, ticket_hash = row.ticket_hash,
    attributes = { org = row.org } }
end

policy.roles.user = { { allow = "call", uri = "com.acme.**" } }

local function procedure(name, fn) policy.procedures["com.acme." .. name] = fn end

procedure("settings", function()
  local c <const> = nexus.config
  return c.url, c.limit, c.ratio, nexus.list(c.hosts), c.deep.er, c.nothing == nil
end)
procedure("secret", function()
  print("the key is " .. nexus.secret("jwt_key"))
  nexus.log.info("the pin", { pin = nexus.secret("pin") })
  return #nexus.secret("jwt_key")
end)
procedure("leak", function() error("with " .. nexus.secret("jwt_key")) end)
procedure("names", function()
  local names = {}
  for row in users:rows("SELECT name FROM users ORDER BY name") do names[#names + 1] = row.name end
  return nexus.list(names)
end)
procedure("add", function(call)
  return users:transaction(function(db)
    db:exec("INSERT INTO users VALUES (?, 'user', NULL, '')", call.args[1])
    if call.args[2] then error("changed my mind") end
    return db:row("SELECT count(*) n FROM users").n
  end)
end)
procedure("broken", function()
  local ok, words = pcall(users.row, users, "SELECT nme FROM users")
  return ok, words
end)
procedure("get", function(call)
  local ok, answer = pcall(nexus.http.get, call.args[1], { timeout = 2 })
  return ok, ok and answer.status or answer, ok and #answer.body or 0
end)
procedure("hash", function(call)
  local hash = nexus.crypto.password_hash(call.args[1], { memory = 1024 })
  return nexus.crypto.password_verify(call.args[1], hash), nexus.crypto.password_verify("x", hash)
end)
procedure("cjson", function() return cjson.encode({ 1, 2 }), nexus.json.encode({ 1, 2 }) end)
procedure("time", function()
  return math.abs(nexus.now() - os.time()) < 2, #nexus.date(), nexus.version, #nexus.realm_version
end)
return policy
]]

describe("the module nexus", function()
  local nexusd, client

  setup(function()
    local key = daemon.folder() .. "/jwt.key"
    local file = assert(io.open(key, "w"))
    file:write("open sesame\n")
    file:close()
    local config = policies.config(policy)
    config.data_folder = daemon.folder() .. "/module-data"
    config.listen = { "127.0.0.1:0", { address = "127.0.0.1:0", metrics = true } }
    local realm = config.realms.realm1
    realm.settings = { url = "http://127.0.0.1/", limit = 7, ratio = 0.5, hosts = { "a", "b" },
      deep = { er = true } }
    realm.secrets = { jwt_key = { file = key }, pin = { env = "NEXUS_SPEC_PIN" } }
    realm.http_hosts = { "127.0.0.1" }
    nexusd = daemon.start { config = config, environment = "NEXUS_SPEC_PIN=987654321" }
    nexusd:wait_for_log("policy-says") -- on_load is done
    client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" }, authid = "alice",
      roles = wamp.roles { caller = wamp.dict {} } })
    policies.answer(client, "ticket", function() return "alice's ticket" end)
    policies.expect_welcome(client)
  end)

  teardown(function()
    wamp.close_all()
    nexusd:stop()
  end)

  local function call(name, ...)
    local id = client:next_id()
    client:send { wamp.CALL, id, wamp.dict {}, "com.acme." .. name, wamp.list { ... } }
    return client:expect { wamp.RESULT, id, wamp.any, wamp.capture(wamp.any) }
  end

  it("knows users of a database", function()
    local stranger = policies.connect(nexusd)
    policies.try_ticket(stranger, "bob", "alice's ticket")
    stranger:expect { wamp.ABORT, wamp.any, "wamp.error.authentication_denied" }
    assert.same({ wamp.list { "alice", "bob" } }, call("names"))
  end)

  it("undoes a transaction that fails", function()
    local id = client:next_id()
    client:send { wamp.CALL, id, wamp.dict {}, "com.acme.add", { "carol", true } }
    client:expect { wamp.ERROR, wamp.CALL, id, wamp.any, "wamp.error.runtime_error", wamp.any,
      wamp.any }
    assert.same({ wamp.list { "alice", "bob" } }, call("names"))
    assert.same({ 3 }, call("add", "carol"))
  end)

  it("names the file and the place of an error in SQL", function()
    local result = call("broken")
    assert.is_false(result[1])
    assert.matches("nexus.sqlite: users.db: no such column: nme, at octet 8", result[2], 1, true)
  end)

  it("has the settings of the realm", function()
    assert.same({ "http://127.0.0.1/", 7, 0.5, wamp.list { "a", "b" }, true, true },
      call("settings"))
  end)

  it("has secrets, and keeps them out of the log", function()
    assert.same({ 11 }, call("secret"))
    local id = client:next_id()
    client:send { wamp.CALL, id, wamp.dict {}, "com.acme.leak" }
    client:expect { wamp.ERROR, wamp.CALL, id, wamp.any, "wamp.error.runtime_error", wamp.any,
      wamp.any }
    nexusd:wait_for_log("policy-failed")
    local log = nexusd:log()
    assert.matches("the key is ***", log, 1, true)
    assert.matches("pin=***", log, 1, true)
    assert.matches("with ***", log, 1, true)
    assert.is_nil(log:find("sesame", 1, true))
    assert.is_nil(log:find("987654321", 1, true))
  end)

  it("asks hosts by HTTP, and only those that are allowed", function()
    local result = call("get", ("http://127.0.0.1:%d/metrics"):format(nexusd:port(2)))
    assert.same({ true, 200 }, { result[1], result[2] })
    assert.is_true(result[3] > 100)
    result = call("get", "http://localhost/")
    assert.is_false(result[1])
    assert.matches("the host localhost:80 is not among http_hosts of the configuration", result[2],
      1, true)
  end)

  it("derives keys beside other work", function()
    assert.same({ true, false }, call("hash", "secret"))
  end)

  it("lets modules in C in that the configuration allows", function()
    assert.same({ "[1,2]", "[1,2]" }, call("cjson"))
  end)

  it("knows the time and its versions", function()
    local result = call("time")
    assert.is_true(result[1])
    assert.equal(20, result[2])
    assert.is_true(result[4] >= 12)
  end)
end)

describe("a configuration of the module", function()
  local function refuses(realm, words)
    local config = policies.config("return { api = 1 }", { realm = realm })
    local nexusd = daemon.spawn { config = config }
    daemon.eventually(function() return nexusd:code() end)
    assert.matches(words, nexusd:log(), 1, true)
    assert.equal(78, nexusd:code())
  end

  it("says what is wrong with secrets and settings", function()
    refuses({ secrets = { key = { file = "/nowhere/at/all" } } },
      'secrets.key: cannot read "/nowhere/at/all": No such file or directory')
    refuses({ secrets = { key = "in the clear" } },
      'secrets.key: found a string; allowed: { file = "/etc/nexus/key" }, or { env = "KEY" }')
    refuses({ secrets = { key = { path = "/etc/nexus/key" } } },
      'secrets.key: found a table; allowed: { file = "/etc/nexus/key" }, or { env = "KEY" }')
    refuses({ secrets = { key = { env = "NEXUS_SPEC_NOT_THERE" } } },
      "realms[\"realm1\"].secrets.key: NEXUS_SPEC_NOT_THERE: there is no such variable")
    refuses({ settings = 7 }, "settings: found the number 7; allowed: a table: numbers")
    refuses({ http_hosts = "orders" }, "http_hosts: found the string \"orders\"; allowed: a list")
  end)

  it("refuses a module in C that is not allowed", function()
    local config = policies.config("require 'cjson' return { api = 1 }",
      { realm = { c_modules = {} } })
    local nexusd = daemon.spawn { config = config }
    daemon.eventually(function() return nexusd:code() end)
    assert.matches("no C module of that name is allowed by the configuration", nexusd:log(), 1,
      true)
  end)
end)

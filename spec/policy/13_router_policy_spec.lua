--- What the configuration says to router.lua, and one with all that belongs to policies.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local opener = [[
local nexus <const> = require "nexus"
local router <const> = { api = 1 }

function router.realm_requested(hello)
  local extra <const> = hello.authextra or {}
  if extra.key and extra.key ~= nexus.secret "key" then return nil end
  local reply <const> = extra.url and nexus.http.get(extra.url)
  nexus.log.info("opens with " .. nexus.secret "key")
  return { template = nexus.config.template, settings = { status = reply and reply.status or 0 } }
end
return router
]]

local tenant = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "call", uri = "com.acme.**" } }
policy.procedures["com.acme.status"] = function() return nexus.config.status end
return policy
]]

local function config_of(router_policy)
  local folder = policies.write { ["router.lua"] = opener, ["tenant.lua"] = tenant }
  router_policy.policy = router_policy.policy or folder .. "/router.lua"
  return {
    listen = { "127.0.0.1:0", { address = "127.0.0.1:0", metrics = true } },
    realms = { fixed = { policy = "open" } },
    router_policy = router_policy,
    templates = { tenant = { policy = folder .. "/tenant.lua" } },
  }
end

local function run(config, flags)
  local program = daemon.spawn { config = config, flags = flags or "--check-config" }
  local code = program:wait()
  program:assert_clean()
  return code, program:log(), program:out()
end

describe("router.lua", function()
  local nexusd

  after_each(function()
    wamp.close_all()
    if nexusd then
      nexusd:stop()
    end
    nexusd = nil
  end)

  local function ask(realm, extra)
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "anonymous" }, authextra = extra }, realm)
    return client
  end

  it("has settings, secrets and hosts of its own", function()
    nexusd = daemon.start { environment = "OPENER_KEY=opensesame", config = config_of {
      settings = { template = "tenant" },
      secrets = { key = { env = "OPENER_KEY" } },
      http_hosts = { "127.0.0.1" },
    } }
    ask("com.acme.other", { key = "wrong" }):expect {
      wamp.ABORT, wamp.any, "wamp.error.no_such_realm" }
    local client = ask("com.acme.one", { key = "opensesame",
      url = ("http://127.0.0.1:%d/metrics"):format(nexusd:port(2)) })
    policies.expect_welcome(client)
    local id = client:next_id()
    client:send { wamp.CALL, id, wamp.dict {}, "com.acme.status" }
    client:expect { wamp.RESULT, id, wamp.any, { 200 } }
    nexusd:wait_for_log("policy-says")
    assert.matches("opens with ***", nexusd:log(), 1, true)
    assert.is_nil(nexusd:log():find("opensesame", 1, true))
    ask("com.acme.two", { url = "http://localhost/" }):expect {
      wamp.ABORT, wamp.any, "wamp.error.no_such_realm" }
    nexusd:wait_for_log("policy-failed")
    assert.matches("the host localhost:80 is not among http_hosts of the configuration",
      nexusd:log(), 1, true)
  end)

  it("that may take no time opens nothing", function()
    local config = config_of {
      settings = { template = "tenant" }, secrets = { key = { env = "OPENER_KEY" } },
      http_hosts = { "127.0.0.1" }, budgets = { authenticate = { wall = "20ms" } },
    }
    config.templates.free = { policy = "open" }
    local file = assert(io.open(config.router_policy.policy, "wb"))
    file:write([[local nexus <const> = require "nexus"
      return { api = 1, realm_requested = function(hello)
        if hello.realm == "com.acme.late" then nexus.sleep(3) end
        return { template = "free" }
      end }]])
    assert(file:close())
    nexusd = daemon.start { config = config, environment = "OPENER_KEY=opensesame" }
    ask("com.acme.late"):expect { wamp.ABORT, wamp.any, "wamp.error.no_such_realm" }
    policies.expect_welcome(ask("com.acme.early"))
  end)
end)

describe("the option router_policy", function()
  it("prints what it was given", function()
    local config = config_of {
      settings = { template = "tenant" }, secrets = { key = { env = "OPENER_KEY" } },
      http_hosts = { "127.0.0.1" }, memory = "8MiB",
    }
    local _, _, first = run(config, "--print-config")
    local _, _, second = run(first, "--print-config")
    assert.equal(first, second)
    local printed = assert(load(first))().router_policy
    assert.equal(config.router_policy.policy, printed.policy)
    assert.same({ template = "tenant" }, printed.settings)
    assert.same({ key = { env = "OPENER_KEY" } }, printed.secrets)
    assert.same({ "127.0.0.1" }, printed.http_hosts)
    assert.equal("8MiB", printed.memory)
  end)

  it("says what is wrong", function()
    local function expect(words, option_of)
      local config = config_of {}
      config.router_policy = option_of(config.router_policy.policy)
      local code, log = run(config)
      assert.equal(78, code)
      assert.matches(words, log, 1, true)
    end
    expect('router_policy.setings: no such option (did you mean "settings"?)',
      function(path) return { policy = path, setings = {} } end)
    expect("router_policy: policy is missing; allowed: a string that is not empty",
      function() return { settings = {} } end)
    expect("router_policy: found the number 7; allowed: the path of a policy, or a table such as "
      .. '{ policy = "router.lua", settings = { ... } }', function() return 7 end)
    expect('router_policy: found the string ""; allowed: the path of a policy',
      function() return "" end)
    expect("router_policy.secrets.key: NEXUS_NO_SUCH: there is no such variable", function(path)
      return { policy = path, secrets = { key = { env = "NEXUS_NO_SUCH" } } }
    end)
  end)
end)

describe("a configuration with a policy, its files and router.lua", function()
  local files = {
    ["acme/policy.lua"] = [[
local nexus <const> = require "nexus"
local tokens <const> = require "lib.tokens"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles = require "rules"
policy.procedures["com.acme.told"] = function()
  return nexus.config.orders_url, tokens.length()
end
return policy
]],
    ["acme/spec/policy_spec.lua"] = 'it("is not for the router", function() end)',
    ["acme/rules.lua"] = 'return { guest = { { allow = "call", uri = "com.acme.**" } } }',
    ["acme/lib/tokens.lua"] = [[
local nexus <const> = require "nexus"
return { length = function() return #nexus.secret "jwt_key" end }
]],
    ["router.lua"] = "return { api = 1, realm_requested = function() end }",
    ["jwt.key"] = "0123456789\n",
  }

  local text = [[
return {
  listen = { "127.0.0.1:0" },
  realms = {
    ["com.acme"] = {
      policy   = "acme/policy.lua",
      settings = { orders_url = "http://127.0.0.1:9000/" },
      secrets  = { jwt_key = { file = env "FOLDER" .. "/jwt.key" } },
    },
  },
  router_policy = "router.lua",       -- optional: dynamic realms
}
]]

  -- Files of the policy, the configuration and router.lua are in one folder, as people have them.
  local function options(flags)
    local folder = policies.write(files)
    return { folder = folder, environment = "FOLDER=" .. folder, config = text, flags = flags }
  end

  it("is right, and a router that can open nothing is worth a note", function()
    local program = daemon.spawn(options "--check-config")
    assert.equal(0, program:wait())
    assert.equal("nexusd.lua:10: router_policy: it can open nothing; templates = { tenant = "
      .. '{ policy = "tenant.lua" } } is missing\n', program:log())
  end)

  it("runs", function()
    local nexusd = daemon.start(options())
    local client, stranger = policies.connect(nexusd), policies.connect(nexusd)
    policies.hello(client, { authmethods = { "anonymous" } }, "com.acme")
    policies.expect_welcome(client)
    local id = client:next_id()
    client:send { wamp.CALL, id, wamp.dict {}, "com.acme.told" }
    client:expect { wamp.RESULT, id, wamp.any, { "http://127.0.0.1:9000/", 10 } }
    policies.hello(stranger, { authmethods = { "anonymous" } }, "com.acme.other")
    stranger:expect { wamp.ABORT, wamp.any, "wamp.error.no_such_realm" }
    wamp.close_all()
    nexusd:stop()
  end)
end)

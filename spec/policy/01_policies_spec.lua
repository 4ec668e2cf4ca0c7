--- What the configuration says of policies, and what is said about those that are not sound.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local function refuse(files, flags)
  local config = policies.config(files)
  local nexusd = daemon.spawn { config = config, flags = flags }
  local code = nexusd:wait()
  nexusd:assert_clean()
  return code, nexusd:log()
end

local broken = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }

function policy.authorise(request)
  return true
end

policy.roles.user = {
  { allow = "call subscribe", uri = "com.acme.**", disclos = true },
}
return policy
]]

describe("a policy in the configuration", function()
  local nexusd

  after_each(function()
    wamp.close_all()
    if nexusd then
      nexusd:stop()
    end
    nexusd = nil
  end)

  it("that is not sound keeps the router from starting", function()
    local words = 'acme/policy.lua:4: policy.authorise: no such key (did you mean "authorize"?)\n'
      .. 'acme/policy.lua:9: policy.roles.user[1].disclos: no such option '
      .. '(did you mean "disclose"?)\n'
    for _, flags in ipairs { "", "--check-config" } do
      local code, log = refuse(broken, flags)
      assert.equal(78, code)
      assert.equal(words, log)
    end
  end)

  it("that does not compile is an error with its line", function()
    local code, log = refuse("return {\n  api = = 1,\n}\n")
    assert.equal(78, code)
    assert.matches("^acme/policy.lua:2: unexpected symbol near '='", log)
  end)

  it("that is not there is an error", function()
    local config = policies.config("return { api = 1 }")
    config.realms.realm1.policy = config.realms.realm1.policy .. "/nowhere.lua"
    nexusd = daemon.spawn { config = config }
    assert.equal(78, nexusd:wait())
    assert.matches("nowhere.lua", nexusd:log(), 1, true)
    nexusd = nil
  end)

  it("that loops while it is loaded is stopped", function()
    local code, log = refuse("while true do end\n")
    assert.equal(78, code)
    assert.matches("^acme/policy.lua:1: ", log)
  end)

  it("is checked by --check-config", function()
    local config = policies.config("return { api = 1 }")
    nexusd = daemon.spawn { config = config, flags = "--check-config" }
    assert.equal(0, nexusd:wait())
    nexusd = nil
  end)

  it("is checked by nexusd check", function()
    local sound, wrong = policies.write "return { api = 1 }", policies.write(broken)
    for _, try in ipairs {
      { sound, 0, "", sound .. ": no errors\n" },
      { wrong .. "/policy.lua " .. sound, 78, "acme/policy.lua:4: policy.authorise: no such key",
        sound .. ": no errors\n" },
      { sound .. "/nowhere", 78, "nowhere", "" },
      { "", 2, "nexusd check: missing: POLICY...", "" },
    } do
      nexusd = daemon.spawn { flags = "check " .. try[1] }
      assert.equal(try[2], nexusd:wait())
      assert.matches(try[3], nexusd:log(), 1, true)
      assert.equal(try[4], nexusd:out())
    end
    nexusd = nil
  end)

  it("may be a folder with modules, relative to the file that names it", function()
    local folder = policies.write {
      ["policy.lua"] = 'local rules = require "lib.rules"\n'
        .. 'return { api = 1, roles = rules, authenticate = {\n'
        .. '  anonymous = function() return { authrole = "guest" } end } }\n',
      ["lib/rules.lua"] = 'return { guest = { { allow = "subscribe", uri = "com.**" } } }\n',
    }
    local base = folder:match("(.*)/acme$")
    nexusd = daemon.start { folder = base, config = {
      listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = "acme/" } },
    } }
    local guest = policies.connect(nexusd)
    policies.hello(guest)
    assert.equal("guest", policies.expect_welcome(guest).authrole)
  end)

  it("that keeps something on disk needs a data_folder", function()
    for use, words in pairs {
      ['nexus.kv("members", { persist = true })'] =
        'nexus.kv: the store "members" cannot persist: the configuration has no data_folder',
      ['nexus.kv("members", { persist = true, scope = "router" })'] =
        'nexus.kv: the store "members" cannot persist: the configuration has no data_folder',
      ['nexus.sqlite("users.db")'] =
        "nexus.sqlite: users.db: the configuration has no data_folder, where databases are",
    } do
      local text = "local nexus <const> = require 'nexus'\nlocal _ <const> = " .. use
        .. "\nreturn nexus.policy{ api = 1 }"
      for _, flags in ipairs { "", "--check-config" } do
        local code, log = refuse(text, flags)
        assert.equal(78, code)
        assert.equal("acme/policy.lua:2: " .. words .. "\n", log)
      end
      -- what no configuration was named for is not known
      nexusd = daemon.spawn { flags = "check " .. policies.write(text) }
      assert.equal(0, nexusd:wait())
      local config = policies.config(text)
      config.data_folder = "data"
      nexusd = daemon.spawn { config = config, flags = "--check-config" }
      assert.equal(0, nexusd:wait())
    end
    nexusd = nil
  end)

  it("lets nobody in when it says nothing", function()
    nexusd = policies.start("return { api = 1 }")
    local guest = policies.connect(nexusd)
    policies.hello(guest)
    guest:expect_abort("wamp.error.no_matching_auth_method")
  end)

  it("serves several realms, each with its own state", function()
    local config = policies.config([[
      local count = 0
      return { api = 1,
        authenticate = { anonymous = function()
          count = count + 1
          return { authid = "guest" .. count, authrole = "guest" }
        end } }
    ]])
    config.realms.realm2 = config.realms.realm1
    nexusd = daemon.start { config = config }
    for _, realm in ipairs { "realm1", "realm2" } do
      for i = 1, 2 do
        local guest = policies.connect(nexusd)
        policies.hello(guest, nil, realm)
        assert.equal("guest" .. i, policies.expect_welcome(guest).authid)
      end
    end
  end)
end)

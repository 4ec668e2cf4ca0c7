--- Policies that come with nexusd: by their names in a configuration, and their own specs.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local nexusd_path <const> = os.getenv "NEXUSD"

local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  local ok = pipe:close()
  return text, ok == true
end

local root <const> = output_of "pwd":gsub("\n", "")

local function folders()
  local names = {}
  for name in output_of "ls lua/policies":gmatch "[^\n]+" do names[#names + 1] = name end
  return names
end

local function write(path, text)
  local file = assert(io.open(path .. ".new", "wb"))
  file:write(text)
  assert(file:close())
  assert(os.rename(path .. ".new", path))
end

local users <const> = [[
return {
  users = { alice = { role = "user", ticket = "%s" } },
  roles = { user = { { allow = "*", uri = "com.acme.**" } } },
}
]]

describe("ready-made policies", function()
  local nexusd

  after_each(function()
    wamp.close_all()
    if nexusd then nexusd:stop() end
    nexusd = nil
  end)

  it("are named when a name is none of them, and are all there", function()
    local words = output_of(nexusd_path .. " --realm realm1 --ws 127.0.0.1:0 --policy closed")
    local named = {}
    for name in words:match 'allowed: (.-), or the path':gmatch '"(.-)"' do
      named[#named + 1] = name
    end
    table.sort(named)
    assert.same(folders(), named)
  end)

  it("have specs that pass, in nexusd and in busted", function()
    for _, name in ipairs(folders()) do
      if name ~= "open" then
        local text, ok = output_of(("%s test %s/lua/policies/%s"):format(nexusd_path, root, name))
        assert.is_true(ok, text)
      end
    end
    local text, ok = output_of(('cd %s/lua/policies/users && LUA_PATH="%s/lua/?.lua;;" LUA_CPATH='
      .. '"%s/lua/?.so;;" lua5.4 "$(command -v busted)" spec'):format(root, root,
      os.getenv "NEXUS_BUILD"))
    assert.is_true(ok, text)
  end)

  --- What the header of a policy shows for the configuration: the whole, a realm, or its settings.
  local function shown(name)
    local file = assert(io.open(("lua/policies/%s/policy.lua"):format(name)))
    local lines = {}
    for line in file:lines() do
      local text = line:match "^%-%-   (.*)"
      if text then
        lines[#lines + 1] = text
      elseif #lines ~= 0 then
        break
      end
    end
    file:close()
    local text = table.concat(lines, "\n")
    if text:find "^settings" then
      text = ('["com.acme"] = { policy = "%s", %s },'):format(name, text)
    end
    return text:find '^%["com.acme"%]' and ("realms = { %s },"):format(text) or text
  end

  it("start with the configuration that they show", function()
    local folder = daemon.folder() .. "/shown"
    assert(os.execute(("mkdir -p '%s/data' && cd '%s' && openssl genpkey -algorithm ed25519 "
      .. "-out key.pem 2>&1 && openssl pkey -in key.pem -pubout -out jwt.pem"):format(folder,
      folder)))
    write(folder .. "/users.lua", (users:format "one":gsub('ticket =',
      'attributes = { org = "acme" }, ticket =') .. 'attributes'):gsub("}\nattributes$",
      '  attributes = { org = "string" },\n}\n'))
    write(folder .. "/word", "a long enough secret")
    for _, name in ipairs(folders()) do
      if name ~= "open" then
        local text = shown(name):gsub("/etc/nexus/jwt.pem", "jwt.pem"):gsub('env = "[%w_]+"',
          'file = "word"')
        write(folder .. "/nexusd.lua", ('return { listen = { "127.0.0.1:0" }, '
          .. 'data_folder = "data",\n%s\n}\n'):format(text))
        nexusd = daemon.start { flags = ("--config '%s/nexusd.lua'"):format(folder) }
        if text:find("users.lua", 1, true) then
          local client = policies.connect(nexusd)
          policies.hello(client, { authmethods = { "ticket" }, authid = "alice" }, "com.acme")
          policies.answer(client, "ticket", function() return "one" end)
          assert.equal("user", policies.expect_welcome(client).authrole)
        end
        wamp.close_all()
        nexusd:stop()
        nexusd = nil
      end
    end
  end)

  it("read the file of users again when it has changed, and keep it when it is bad", function()
    local file = daemon.folder() .. "/users.lua"
    write(file, users:format "one")
    nexusd = daemon.start { config = {
      listen = { "127.0.0.1:0" }, logins = { max_delay = 0 },
      realms = { realm1 = { policy = "users", settings = { file = file } } },
    } }
    policies.login_ticket(policies.connect(nexusd), "alice", "one")
    write(file, users:format "two")
    nexusd:wait_for_log("policy-reloaded")
    local client = policies.connect(nexusd)
    policies.login_ticket(client, "alice", "two")
    write(file, (users:format "three":gsub("role =", "rule =")))
    nexusd:wait_for_log("policy-reload-failed")
    assert.truthy(nexusd:log():find('users.lua:2: users["alice"].rule: no such key', 1, true))
    policies.login_ticket(policies.connect(nexusd), "alice", "two")
    policies.try_ticket(policies.connect(nexusd), "alice", "one")
  end)

  it("are found beside an installed program, and where NEXUS_POLICIES says", function()
    local folder = daemon.folder() .. "/installed"
    local there = folder .. "/share/nexus"
    assert(os.execute(("mkdir -p %s/bin %s && cp %s %s/bin/nexusd && cp -r lua/policies %s")
      :format(folder, there, nexusd_path, folder, there)))
    local words = output_of(folder .. "/bin/nexusd check open")
    assert.truthy(words:find("open: no errors", 1, true), words)
    words = output_of("NEXUS_POLICIES=/nowhere " .. nexusd_path .. " check users")
    assert.truthy(words:find("No such file or directory", 1, true), words)
    words = output_of(("NEXUS_POLICIES=%s/policies %s check open"):format(there, nexusd_path))
    assert.truthy(words:find("open: no errors", 1, true), words)
  end)

  it("publish retained state again when the router starts", function()
    local file, data = daemon.folder() .. "/state_users.lua", daemon.folder() .. "/state_data"
    write(file, users:format "one")
    assert(os.execute("mkdir -p " .. data))
    local config = { listen = { "127.0.0.1:0" }, data_folder = data, realms = { realm1 = {
      policy = "retained-state", settings = { file = file, topics = { "com.acme.state.*" } } } } }
    for run = 1, 2 do
      nexusd = daemon.start { config = config }
      local client = policies.connect(nexusd)
      policies.login_ticket(client, "alice", "one")
      if run == 1 then
        client:send { wamp.PUBLISH, 1, { acknowledge = true }, "com.acme.state.lamp", { "on" } }
        assert.equal(wamp.PUBLISHED, client:receive()[1])
        nexusd:stop()
      else
        client:send { wamp.SUBSCRIBE, 1, { get_retained = true }, "com.acme.state.lamp" }
        assert.equal(wamp.SUBSCRIBED, client:receive()[1])
        assert.same({ "on" }, client:receive()[5])
      end
    end
  end)

  it("open realms of tenants", function()
    local file = daemon.folder() .. "/tenants_users.lua"
    write(file, 'return { users = { root = { role = "admin", ticket = "r" } }, '
      .. 'roles = { admin = { { allow = "call", uri = "tenants.**" } } } }')
    local data = daemon.folder() .. "/tenants_data"
    assert(os.execute("mkdir -p " .. data))
    nexusd = daemon.start { config = {
      listen = { "127.0.0.1:0" }, logins = { max_delay = 0 }, router_policy = "tenants",
      data_folder = data,
      realms = { realm1 = { policy = "tenants",
        settings = { file = file, manages = "com.acme.tenant." } } },
      templates = { tenant = { policy = "tenants" } },
    } }
    local function call(client, uri, ...)
      client:send { wamp.CALL, client:next_id(), wamp.dict {}, uri, wamp.list { ... } }
      local answer = client:receive()
      return answer[1] == wamp.RESULT and answer[4][1] or answer[5]
    end
    local function ask(realm, authid, ticket)
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "ticket" }, authid = authid }, realm)
      local answer = client:receive()
      if answer[1] == wamp.ABORT then return nil, answer[3] end
      client:send { wamp.AUTHENTICATE, ticket, wamp.dict {} }
      answer = client:receive()
      if answer[1] == wamp.ABORT then return nil, answer[3] end
      client.last_id = 0
      return client
    end
    local admin = policies.connect(nexusd)
    policies.login_ticket(admin, "root", "r")
    local _, why = ask("com.acme.tenant.north", "owner", "x")
    assert.equal("wamp.error.no_such_realm", why)
    local made = call(admin, "tenants.add", "north")
    local owner = assert(ask(made.realm, "owner", made.ticket))
    _, why = ask(made.realm, "owner", "wrong")
    assert.equal("wamp.error.authentication_denied", why)
    local member = assert(ask(made.realm, "ann", call(owner, "tenant.members.add", "ann")))
    assert.equal("wamp.error.not_authorized", call(member, "tenant.members.add", "bob"))
    assert.equal(1, call(owner, "tenant.members.remove", "ann"))
    assert.is_true(call(admin, "tenants.lock", "north"))
    _, why = ask(made.realm, "owner", made.ticket)
    assert.equal("wamp.error.authentication_denied", why)
  end)

  it("can be required, and merged with a policy of one's own", function()
    local folder = policies.write [[
local nexus <const> = require "nexus"
local users <const> = require "policies.users"
local function hello() return "hello" end
return nexus.merge(users, { api = 1, procedures = { ["com.acme.hello"] = hello } })
]]
    local file = daemon.folder() .. "/merged.lua"
    write(file, users:format "one")
    nexusd = daemon.start { config = {
      listen = { "127.0.0.1:0" }, logins = { max_delay = 0 },
      realms = { realm1 = { policy = folder, settings = { file = file } } },
    } }
    local client = policies.connect(nexusd)
    policies.login_ticket(client, "alice", "one")
    client:send { wamp.CALL, 1, wamp.dict {}, "com.acme.hello" }
    assert.same({ "hello" }, client:receive()[4])
  end)
end)

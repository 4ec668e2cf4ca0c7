-- admin_socket: who may open it may do everything. nexusd reload goes that way.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local function version(number, more)
  return ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.ticket() return nil end
policy.roles.user = {}
policy.limits = { { action = "join", per = "realm", rate = 0.001, burst = 1 },
                  { action = "call", per = "session", rate = 0.001, burst = 1 } }
policy.procedures["com.acme.version"] = function(call) return %d, call.caller.authrole end
%s
return policy
]]):format(number, more or "")
end

local function run(flags)
  local program = daemon.spawn { flags = flags }
  local code = program:wait()
  program:assert_clean()
  return code, program:out(), program:log()
end

local function write(folder, text)
  local file = assert(io.open(folder .. "/policy.lua.new", "wb"))
  file:write(text)
  assert(file:close())
  assert(os.rename(folder .. "/policy.lua.new", folder .. "/policy.lua"))
end

describe("admin_socket", function()
  local nexusd, socket, one, two

  before_each(function()
    socket = os.tmpname()
    os.remove(socket)
    one, two = policies.write(version(1)), policies.write(version(1))
    nexusd = daemon.start { config = { listen = { "127.0.0.1:0" }, admin_socket = socket,
      realms = { one = { policy = one }, two = { policy = two }, open = { policy = "open" } } } }
  end)

  after_each(function()
    wamp.close_all()
    nexusd:stop()
    assert.is_nil(io.open(socket))
  end)

  local function connect(realm)
    local client = wamp.connect { transport = "unix", path = socket, serializer = "msgpack" }
    client:send { wamp.HELLO, realm, wamp.dict { roles = wamp.roles() } }
    client.last_id = 0
    return client
  end

  local function call(client, uri, ...)
    client.last_id = client.last_id + 1
    client:send { wamp.CALL, client.last_id, wamp.dict {}, uri, wamp.list { ... } }
    local answer = client:receive()
    return answer[1] == wamp.RESULT and answer[4] or answer[5]
  end

  it("is for the user alone that the router runs as", function()
    local pipe = io.popen(("stat -c '%%a %%F' '%s'"):format(socket))
    assert.equal("600 socket\n", pipe:read "a")
    pipe:close()
  end)

  it("lets in without a login, past rules and limits, as an administrator", function()
    for _ = 1, 3 do
      local client = connect "one"
      local welcome = client:receive()
      assert.equal(wamp.WELCOME, welcome[1])
      assert.same({ "admin", "admin", "socket" },
        { welcome[3].authid, welcome[3].authrole, welcome[3].authmethod })
      for _ = 1, 3 do
        assert.same({ 1, "admin" }, call(client, "com.acme.version"))
      end
      local names = call(client, "nexus.policy.realms")[1]
      table.sort(names)
      assert.same({ "one", "two" }, names)
      assert.equal("admin", call(client, "wamp.session.get", welcome[2])[1].authrole)
    end
    local client = connect "open"
    assert.equal("admin", client:receive()[3].authrole)
    assert.equal("wamp.error.no_such_procedure", call(client, "nexus.policy.reload"))
    client = connect "nowhere"
    client:expect_abort "wamp.error.no_such_realm"
  end)

  it("changes nothing for those who come by other addresses", function()
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" }, authid = "admin", authrole = "admin" },
      "one")
    client:expect { wamp.CHALLENGE, "ticket", wamp.capture(wamp.including {}) }
    client:send { wamp.AUTHENTICATE, "x", wamp.dict {} }
    client:expect_abort "wamp.error.authentication_denied"
  end)

  describe("nexusd reload", function()
    local function reload(more)
      return run(("reload --admin '%s' %s"):format(socket, more or ""))
    end

    it("reloads all policies, and says what came of it", function()
      local code, out, log = reload()
      assert.same({ 0, "" }, { code, log })
      local lines = {}
      for realm, outcome in out:gmatch "(%w+): (%w+) %x+\n" do lines[realm] = outcome end
      assert.same({ one = "unchanged", two = "unchanged" }, lines)
      local client = connect "two"
      client:receive()
      write(two, version(2))
      code, out = reload "--realm two"
      assert.equal(0, code)
      -- A file that has changed is seen anyway, perhaps before.
      assert.matches("^two: %l+ %x+\n$", out)
      assert.same({ 2, "admin" }, call(client, "com.acme.version"))
    end)

    it("tells of a policy that is refused", function()
      write(one, version(2, "policy.authorise = 1"))
      local code, out, log = reload "--realm one"
      assert.same({ 78, "" }, { code, out })
      assert.matches('^one: nexus.error.reload_failed\n.*policy.lua:%d+: policy.authorise: ' ..
        'no such key %(did you mean "authorize"%?%)\n', log)
      assert.equal(78, (reload()))
      code, out = reload "--check --realm two"
      assert.equal(0, code)
      assert.matches("^two: sound ", out)
      assert.equal(78, (reload "--check"))
      local client = connect "one"
      client:receive()
      assert.same({ 1, "admin" }, call(client, "com.acme.version"))
    end)

    it("says what is wrong", function()
      assert.same({ 2, "", "nexusd reload: missing: --admin SOCKET, or the "
        .. "variable NEXUS_ADMIN; try nexusd reload --help\n" },
        { run "reload" })
      assert.same({ 1, "", "nexusd reload: /nowhere: No such file or directory\n" },
        { run "reload --admin /nowhere" })
      assert.same({ 78, "", "open: it has no policy\n" }, { reload "--realm open" })
      local code, out, log = reload "--realm nowhere"
      assert.same({ 1, "" }, { code, out })
      assert.matches('realm "nowhere": wamp.error.no_such_realm\n$', log)
    end)
  end)
end)

describe("the option admin_socket", function()
  it("is no address of listen, and is printed as it is", function()
    local socket = os.tmpname()
    os.remove(socket)
    local config = { listen = { "unix:" .. socket }, admin_socket = socket,
      realms = { one = { policy = "open" } } }
    local program = daemon.spawn { config = config }
    assert.equal(78, program:wait())
    assert.matches('admin_socket: "' .. socket:gsub("%W", "%%%0") ..
      '" is an address of listen as well', program:log())
    config.listen = { "127.0.0.1:0" }
    program = daemon.spawn { config = config, flags = "--print-config" }
    program:wait()
    assert.matches('admin_socket = "' .. socket:gsub("%W", "%%%0") .. '"', program:out())
    assert.is_nil(program:out():find("unix:", 1, true))
  end)
end)

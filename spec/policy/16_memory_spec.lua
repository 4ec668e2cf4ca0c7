--- Memory of a policy that runs out for good: its state is made anew.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "user" } end
policy.roles.user = { { allow = "*", uri = "com.acme.**" }, { ask = "call", uri = "com.ask.**" },
  { allow = "call", uri = "wamp.**" }, { allow = "call", uri = "nexus.policy.**" } }
function policy.authorize() nexus.sleep(60) return true end
policy.procedures["com.ask.a"] = function() end
local kept, loads = {}, 0
policy.procedures["com.acme.hoard"] = function(call)
  for _ = 1, call.args[1] do kept[#kept + 1] = ("x"):rep(1000 * 1000 + #kept) end
  return #kept
end
policy.procedures["com.acme.bomb"] = function()
  local garbage = {}
  while true do garbage[#garbage + 1] = ("y"):rep(1000 * 1000 + #garbage) end
end
policy.procedures["com.acme.kept"] = function() return #kept end
policy.procedures["com.acme.wait"] = function() nexus.sleep(60) end
function policy.on_load(info) loads = info.first and 1 or 2 end
policy.procedures["com.acme.loads"] = function() return loads end
return policy
]]

describe("a state of a policy", function()
  local nexusd

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
      return nil, answer[5]
    end
    return table.unpack(answer[4] or {})
  end

  --- Until there is no room for more.
  local function fill(client)
    local count, uri
    repeat
      count, uri = call(client, "com.acme.hoard", 5)
    until not count
    assert.equal("wamp.error.runtime_error", uri)
  end

  before_each(function()
    nexusd = policies.start(policy)
  end)

  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  it("that is full of what is no garbage is made anew, once in a while", function()
    local client, waiting, asking = join(), join(), join()
    local version = call(client, "nexus.policy.status").version
    local id = call(client, "wamp.registration.lookup", "com.acme.hoard")
    send(waiting, "com.acme.wait")
    send(asking, "com.ask.a")
    fill(client)
    nexusd:wait_for_log("policy-rebuilt")
    assert.equal(wamp.ERROR, waiting:receive()[1])
    assert.equal("wamp.error.authorization_failed", asking:receive()[5])
    assert.equal(0, call(client, "com.acme.kept"))
    assert.equal(2, call(client, "com.acme.loads"))
    assert.equal(id, call(client, "wamp.registration.lookup", "com.acme.hoard"))
    local status = call(client, "nexus.policy.status")
    assert.same({ version, 1, 1 }, { status.version, status.rebuilds, status.versions })
    for _ = 1, 3 do fill(client) end
    assert.equal(1, call(client, "nexus.policy.status").rebuilds)
    assert.is_true(call(client, "com.acme.kept") >= 50)
  end)

  it("that has made much garbage goes on", function()
    local client = join()
    call(client, "com.acme.hoard", 3)
    for _ = 1, 5 do
      assert.equal("wamp.error.runtime_error", select(2, call(client, "com.acme.bomb")))
      assert.equal(3, call(client, "com.acme.kept"))
    end
    assert.equal(0, call(client, "nexus.policy.status").rebuilds)
    local log = nexusd:log()
    assert.truthy(log:find("policy.lua:%d+: not enough memory")
      or log:find("policy.lua:%d+: %d+ ms without waiting")) -- where memory is slow to come by
  end)

  it("that cannot be made anew goes on as it is", function()
    nexusd:stop()
    local spoils = os.time() + 2
    nexusd = policies.start(("if os.time() >= %d then error('not again') end\n"):format(spoils)
      .. policy)
    local client = join()
    for i = 1, 5 do assert.equal(10 * i, call(client, "com.acme.hoard", 10)) end
    while os.time() < spoils do call(client, "com.acme.kept") end
    fill(client)
    assert.matches("policy.lua:1: not again", nexusd:wait_for_log("policy-rebuild-failed"))
    assert.is_true(call(client, "com.acme.kept") >= 50)
    assert.equal(0, call(client, "nexus.policy.status").rebuilds)
  end)
end)

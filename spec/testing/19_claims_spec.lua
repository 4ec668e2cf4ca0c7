--- What clients say of themselves in HELLO is never taken for what a policy gives, also not when a
-- reload declares an attribute of that name.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local policy <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { %s } }
local function record() return { authrole = "user", attributes = %s } end
policy.authenticate.anonymous = record
policy.authenticate.slow = { verify = record }
policy.roles.user = { { allow = "call subscribe", uri = "com.acme.**" },
  { allow = "call", uri = "wamp.**" }, { ask = "call", uri = "com.acme.ask" },
  { allow = "publish", uri = "com.acme.open.**" } }
if policy.attributes.org then
  policy.roles.user[5] = { allow = "publish", uri = "com.acme.{session.org}.**" }
end
function policy.authorize(request)
  return policy.attributes.org ~= nil and request.session:has("org", "acme")
end
policy.procedures["com.acme.ask"] = function(call) return call.caller.org end
policy.procedures["com.acme.hello"] = function(call)
  return call.caller.hello.org or nexus.null, call.caller.hello.shoes or nexus.null
end
return policy
]]

describe("a claim", function()
  local router, folder

  local function write(declared, given)
    local file <close> = assert(io.open(folder .. "/policy.lua", "w"))
    file:write(policy:format(declared, given or "nil"))
    file:flush()
    router:reload()
  end

  local function open(declared, given)
    folder = policies.write(policy:format(declared, given or "nil"))
    router = testing.router { policy = folder }
  end

  local function join(hello)
    return router:join { method = "anonymous", hello = hello }
  end

  after_each(function()
    router:close()
  end)

  --- What the session may do, and is shown as, where its org counts.
  local function rights(session)
    local other = join()
    local seen = session:collect "com.acme.open.x"
    other:publish("com.acme.open.x", {}, nil, { eligible_org = { "acme" }, acknowledge = true })
    return { (session:try_publish("com.acme.acme.x", {})) ~= nil, (session:try_call "com.acme.ask"),
      #seen, other:call("wamp.session.get", session.id).org or "none" }
  end

  local mine <const> = { org = "acme", shoes = 43 }

  it("is gone once a policy declares an attribute of that name", function()
    open 'level = "integer"'
    local alice = join(mine)
    assert.same({ "acme", 43 }, { alice:call "com.acme.hello" })
    assert.equal("acme", rights(alice)[4])
    write 'level = "integer", org = "string"'
    assert.same({ false, false, 0, "none" }, rights(alice))
    assert.same({ testing.null, 43 }, { alice:call "com.acme.hello" })
    assert.same({ false, false, 0, "none" }, rights(join(mine)))
  end)

  it("is gone also where the reload comes while the login waits", function()
    open 'level = "integer"'
    local alice = router:join { method = "slow", authid = "alice", hello = mine,
      authenticate = function()
        write 'level = "integer", org = "string"'
        return "signature"
      end }
    assert.same({ false, false, 0, "none" }, rights(alice))
  end)

  it("is none when the policy has given it, whatever versions come and go", function()
    open('org = "string"', '{ org = "acme" }')
    local alice = join { org = "beta" }
    local all <const> = { true, true, 1, "acme" }
    assert.same(all, rights(alice))
    write 'level = "integer"'
    write('org = "string"', '{ org = "acme" }')
    assert.same(all, rights(alice))
  end)
end)

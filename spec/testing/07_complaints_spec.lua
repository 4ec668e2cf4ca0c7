--- What goes wrong in a policy is said once, and then summed up.
-- SPDX-License-Identifier: MIT
local testing = require "nexus.testing"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "*", uri = "com.acme.**" } }
policy.procedures["com.acme.broken"] = function(call) error("no " .. call.args[1], 0) end
return policy
]]

describe("complaints", function()
  local router, client, path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    assert(os.execute("mkdir " .. path))
    local file = assert(io.open(path .. "/policy.lua", "wb"))
    file:write(policy)
    file:close()
    router = testing.router{ policy = path }
    client = router:join{ method = "anonymous" }
  end)

  after_each(function()
    router:close()
    os.execute("rm -r " .. path)
  end)

  local function incident(...)
    local _, err = client:try_call("com.acme.broken", ...)
    assert.are.equal("wamp.error.runtime_error", err.uri)
    return err.kwargs.incident
  end

  local function lines(words)
    return router:log { id = "policy-failed", msg = words }
  end

  it("are said once a minute, with a number that callers are told", function()
    local number = incident "bread"
    for _ = 1, 3 do assert.are.equal(number, incident "bread") end
    assert.are_not.equal(number, incident "milk")
    assert.are.equal(1, #lines "no bread")
    router:advance(61)
    assert.are.equal(2, #lines "no bread")
    assert.truthy(lines("no bread")[2].msg:find("(3 more in 60 s)", 1, true))
    assert.are.equal(number, lines("no bread")[1].incident)
    router:advance(61)
    assert.are.equal(2, #lines "no bread")
    assert.are_not.equal(number, incident "bread")
  end)
end)

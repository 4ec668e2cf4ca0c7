--- What goes wrong in a policy is said once, and then summed up.
-- SPDX-License-Identifier: MIT
local testing = require "nexus.testing"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "*", uri = "com.acme.**" } }
local function broken(call) error("no " .. call.args[1], 0) end
policy.procedures["com.acme.broken"] = broken
policy.procedures["com.acme.other"] = broken
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

  it("have a line of their own for each hook and version, which is the one that failed", function()
    local first <const> = incident "bread"
    local ok, err = client:try_call("com.acme.other", "bread")
    assert.is_false(ok)
    assert.are_not.equal(first, err.kwargs.incident)
    local file = assert(io.open(path .. "/policy.lua", "ab"))
    file:write "-- another version\n"
    file:close()
    router:reload()
    local third <const> = incident "bread"
    local found = {}
    for _, line in ipairs(lines "no bread") do
      found[#found + 1] = { line.incident, line.hook, line.version }
    end
    assert.are.same({ first, err.kwargs.incident, third },
      { found[1][1], found[2][1], found[3][1] })
    assert.are.equal("procedure com.acme.broken", found[1][2])
    assert.are.equal("procedure com.acme.other", found[2][2])
    assert.are.equal(found[1][3], found[2][3])
    assert.are_not.equal(found[1][3], found[3][3])
  end)

  it("can be found by every number that a client is told", function()
    local told = {}
    for round = 1, 3 do
      for word = 1, 40 do -- more than are remembered
        told[#told + 1] = incident(("%d"):format(word % (10 * round) + 1))
      end
      router:advance(45)
    end
    local logged = {}
    for _, line in ipairs(lines()) do logged[line.incident] = true end
    for _, number in ipairs(told) do assert.is_true(logged[number], number) end
  end)
end)

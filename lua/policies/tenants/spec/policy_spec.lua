--- The managing realm of the policy "tenants". That realms open is in the router's own specs.
-- SPDX-License-Identifier: MIT
local testing <const> = require "nexus.testing"

describe("tenants", function()
  local router, root

  before_each(function()
    router = testing.router{ policy = "policy.lua",
      settings = { file = "spec/users.lua", manages = "com.acme.tenant." } }
    root = router:join{ authid = "root", ticket = "r" }
  end)

  after_each(function() router:close() end)

  local function error_of(session, ...)
    local ok <const>, failure <const> = session:try_call(...)
    assert.is_false(ok)
    return failure.uri
  end

  it("are made, locked and removed", function()
    local made <const> = root:call("tenants.add", "north")
    assert.are.equal("com.acme.tenant.north", made.realm)
    assert.is_string(made.ticket)
    assert.are.equal("tenants.error.exists", error_of(root, "tenants.add", "north"))
    assert.is_true(root:call("tenants.lock", "north"))
    assert.are.same({ { name = "north", realm = made.realm, locked = true } },
      root:call "tenants.list")
    assert.is_true(root:call("tenants.lock", "north", false))
    assert.is_false(root:call "tenants.list"[1].locked)
    assert.is_true(root:call("tenants.remove", "north"))
    assert.are.same({}, root:call "tenants.list")
    for _, name in ipairs{ "lock", "remove" } do
      assert.are.equal("tenants.error.no_such_tenant", error_of(root, "tenants." .. name, "north"))
    end
  end)

  it("are for whom the roles allow, and have names", function()
    local eve <const> = router:join{ authid = "eve", ticket = "e" }
    assert.are.equal("wamp.error.not_authorized", error_of(eve, "tenants.add", "south"))
    for _, name in ipairs{ "", "North", "a.b", ("x"):rep(51), 17 } do
      assert.are.equal("wamp.error.invalid_argument", error_of(root, "tenants.add", name))
    end
  end)
end)

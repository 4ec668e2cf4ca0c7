--- The policy "scram-users".
-- SPDX-License-Identifier: MIT
local testing <const> = require "nexus.testing"

local settings <const> = { prefix = "com.acme.users.", roles = {
  user = { { allow = "*", uri = "com.acme.**" } },
  admin = { { allow = "*", uri = "com.acme.**" } },
} }

describe("scram-users", function()
  local router, admin

  before_each(function()
    router = testing.router{ policy = "policy.lua", settings = settings,
      secrets = { first_password = "open sesame" } }
    admin = router:join{ authid = "admin", password = "open sesame" }
    assert.is_true(admin:call("com.acme.users.add", "alice", "wonderland", "user"))
  end)

  after_each(function() router:close() end)

  local function error_of(session, uri, ...)
    local ok <const>, failure <const> = session:try_call(uri, ...)
    assert.is_false(ok)
    return failure.uri
  end

  it("lets in who has an account", function()
    local alice <const> = router:join{ authid = "alice", password = "wonderland" }
    assert.are.equal("user", alice.authrole)
    assert.are.equal("wamp-scram", alice.authmethod)
    for _, how in ipairs{ { authid = "alice", password = "wonderlamp" },
      { authid = "bob", password = "wonderland" } } do
      local _, failure = router:try_join(how)
      assert.are.equal("wamp.error.authentication_denied", failure.uri)
    end
  end)

  it("makes, lists and removes accounts", function()
    assert.are.equal("com.acme.users.error.exists",
      error_of(admin, "com.acme.users.add", "alice", "looking-glass", "user"))
    assert.are.same({ { name = "admin", role = "admin" }, { name = "alice", role = "user" } },
      admin:call "com.acme.users.list")
    local alice <const> = router:join{ authid = "alice", password = "wonderland" }
    assert.are.equal(1, admin:call("com.acme.users.remove", "alice"))
    router:run()
    assert.is_false(alice.open)
    assert.is_nil((router:try_join{ authid = "alice", password = "wonderland" }))
    assert.are.equal("com.acme.users.error.no_such_user",
      error_of(admin, "com.acme.users.remove", "alice"))
  end)

  it("changes passwords and roles", function()
    local alice <const> = router:join{ authid = "alice", password = "wonderland" }
    assert.is_true(alice:call("com.acme.users.set_password", "alice", "looking-glass"))
    assert.is_nil((router:try_join{ authid = "alice", password = "wonderland" }))
    assert.are.equal("wamp.error.not_authorized",
      error_of(alice, "com.acme.users.set_password", "admin", "looking-glass"))
    assert.is_true(admin:call("com.acme.users.set_role", "alice", "admin"))
    assert.is_false(alice.open)
    assert.are.equal("admin", router:join{ authid = "alice", password = "looking-glass" }.authrole)
    assert.are.equal("com.acme.users.error.no_such_user",
      error_of(admin, "com.acme.users.set_role", "bob", "user"))
  end)

  it("is for admins, and takes no nonsense", function()
    local alice <const> = router:join{ authid = "alice", password = "wonderland" }
    for _, name in ipairs{ "add", "set_role", "remove", "list" } do
      assert.are.equal("wamp.error.not_authorized",
        error_of(alice, "com.acme.users." .. name, "x", "long enough", "user"))
    end
    assert.is_false((router:allows(alice, "register", "com.acme.users.add")))
    for _, arguments in ipairs{ {}, { "" }, { 17, "long enough", "user" },
      { "bob", "short", "user" },
      { "bob", "long enough", "king" }, { ("x"):rep(101), "long enough", "user" } } do
      assert.are.equal("wamp.error.invalid_argument",
        error_of(admin, "com.acme.users.add", table.unpack(arguments)))
    end
  end)

  it("needs rules, with one for admins", function()
    for _, row in ipairs{ { {}, "settings.roles is missing" },
      { { roles = { user = {} } }, "settings.roles.admin is missing" } } do
      local ok <const>, words <const> = pcall(testing.router, { policy = "policy.lua",
        settings = row[1] })
      assert.is_false(ok)
      assert.is_truthy(tostring(words):find(row[2], 1, true), words)
    end
  end)
end)

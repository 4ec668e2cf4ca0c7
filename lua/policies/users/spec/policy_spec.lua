--- The policy "users".
-- SPDX-License-Identifier: MIT
local testing <const> = require "nexus.testing"

--- Writes a file, and returns its name.
local function write(name, text)
  local path <const> = os.tmpname() .. name
  local file <const> = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

describe("users", function()
  local router

  local function open(file)
    router = testing.router{ policy = "policy.lua", settings = { file = file } }
    return router
  end

  after_each(function()
    if router then router:close() end
    router = nil
  end)

  it("come in by the methods that their entries have", function()
    open "spec/users.lua"
    local alice <const> = router:join{ authid = "alice", ticket = "wonder" }
    assert.are.equal("admin", alice.authrole)
    assert.are.equal("users", alice.authprovider)
    assert.are.equal("admin", router:join{ authid = "alice", secret = "wonder" }.authrole)
    assert.are.equal("user", router:join{ authid = "bob", key = ("00"):rep(32) }.authrole)
    assert.are.equal("guest", router:join{ method = "anonymous" }.authrole)
  end)

  it("stay out without an entry, and with what is wrong", function()
    open "spec/users.lua"
    for _, how in ipairs{ { authid = "alice", ticket = "wander" },
      { authid = "dave", ticket = "x" },
      { authid = "bob", ticket = "builder" }, { authid = "alice", key = ("00"):rep(32) } } do
      local session, failure = router:try_join(how)
      assert.is_nil(session)
      assert.are.equal("wamp.error.authentication_denied", failure.uri)
    end
    local _, failure = router:try_join{ authid = "carol", ticket = "song" }
    assert.are.equal("ask the office", failure.message)
  end)

  it("may do what the roles say", function()
    open "spec/users.lua"
    local bob <const> = router:join{ authid = "bob", key = ("00"):rep(32) }
    local guest <const> = router:join{ method = "anonymous" }
    assert.is_true(router:allows(bob, "publish", "com.acme.org.beta.news"))
    assert.is_false((router:allows(bob, "publish", "com.acme.org.acme.news")))
    assert.is_true(router:allows(bob, "subscribe", "com.acme.news.today"))
    assert.is_false((router:allows(guest, "publish", "com.acme.org.beta.news")))
    assert.is_false((router:allows(guest, "subscribe", "com.acme", { match = "prefix" })))
  end)

  it("are read again; a bad file is named with its line, and the old one goes on", function()
    local good <const> = [[
return {
  users = {
    alice = { role = "user", ticket = "one" },
    bob = { role = "user", ticket = "two" },
  },
  roles = { user = { { allow = "*", uri = "com.acme.**" } } },
}
]]
    local path <const> = write("users.lua", good)
    local label <const> = path:match "[^/]*/[^/]*$"
    local function put(from, to)
      local file <const> = assert(io.open(path, "w"))
      local text <const>, count <const> = good:gsub(from, to)
      assert.are.equal(1, count)
      file:write(text)
      file:close()
      local ok <const>, words <const> = pcall(router.reload, router)
      return ok or words
    end
    open(path)
    assert.is_true(put('ticket = "two"', 'ticket = "three"'))
    assert.is_truthy(router:join{ authid = "bob", ticket = "three" })
    for _, row in ipairs{
      { 'role = "user", ticket = "two"', 'role = "usr", ticket = "two"',
        ':4: users["bob"].role: found "usr"; allowed: one of the roles user' },
      { 'ticket = "two"', 'tickt = "two"', ':4: users["bob"].tickt: no such key; allowed: ' },
      { '{ role = "user", ticket = "two" }', '17',
        ':4: users["bob"]: found number; allowed: a table' },
      { 'allow = "%*"', 'allow = "*" "', ":6: " },
      { 'allow = "%*"', 'alow = "*"', ":6: " },
      { "return", "x = 1 return", ":1: " },
      { "roles = ", "rules = ", "no such key; allowed: " },
    } do
      local words <const> = put(row[1], row[2])
      assert.is_string(words, row[3])
      assert.is_truthy(words:find(label .. row[3], 1, true) or words:find(row[3], 1, true), words)
      assert.is_truthy(router:join{ authid = "bob", ticket = "three" })
    end
    os.remove(path)
  end)

  it("may be JSON", function()
    local path <const> = write("users.json", [[
{ "users": { "alice": { "role": "user", "ticket": "a]=]b" } },
  "roles": { "guest": [ { "allow": "call", "uri": "com.acme.**" } ],
             "user": { "inherit": "guest",
                       "rules": [ { "allow": "publish", "uri": "com.acme.**" } ] } } }
]])
    open(path)
    local alice <const> = router:join{ authid = "alice", ticket = "a]=]b" }
    assert.is_true(router:allows(alice, "call", "com.acme.x"))
    assert.is_false((router:allows(alice, "subscribe", "com.acme.x")))
    local file <const> = assert(io.open(path, "w"))
    file:write '{ "users": { '
    file:close()
    local ok <const>, words <const> = pcall(router.reload, router)
    assert.is_false(ok)
    assert.is_truthy(words:find("users.json", 1, true), words)
    os.remove(path)
  end)

  it("need a file", function()
    local ok, words = pcall(testing.router, { policy = "policy.lua" })
    assert.is_false(ok)
    assert.is_truthy(tostring(words):find("settings.file is missing", 1, true), words)
    ok, words = pcall(testing.router, { policy = "policy.lua",
      settings = { file = "no/such.lua" } })
    assert.is_false(ok)
    assert.is_truthy(tostring(words):find("no/such.lua: No such file", 1, true), words)
  end)
end)

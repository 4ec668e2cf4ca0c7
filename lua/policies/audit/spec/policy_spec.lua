--- The policy "audit".
-- SPDX-License-Identifier: MIT
local testing <const> = require "nexus.testing"

describe("audit", function()
  local router, root

  local function open(more)
    local settings <const> = { file = "spec/users.lua", watch = { "com.acme.admin.**" } }
    for key, value in pairs(more or {}) do settings[key] = value end
    router = testing.router{ policy = "policy.lua", settings = settings }
    root = router:join{ authid = "root", ticket = "r" }
  end

  after_each(function()
    if router then router:close() end
    router = nil
  end)

  local function said(entry)
    return table.concat({ entry.event, entry.authid, entry.uri or entry.reason }, " ")
  end

  it("notes who comes, goes, calls and publishes", function()
    open()
    local live <const> = root:collect("audit.entry", { only = "kwargs" })
    root:register("com.acme.admin.reset", function() return true end)
    local alice <const> = router:join{ authid = "alice", ticket = "a" }
    alice:call("com.acme.admin.reset", "secret")
    alice:publish("com.acme.admin.note", { 1 }, nil, { acknowledge = true })
    alice:publish("com.acme.news", { 1 }, nil, { acknowledge = true })
    alice:leave()
    local all <const> = root:call "audit.last"
    assert.are.equal("leave alice", said(all[1]):match "^%w+ %w+")
    assert.are.equal("publish alice com.acme.admin.note", said(all[2]))
    assert.are.equal("call alice com.acme.admin.reset", said(all[3]))
    assert.is_nil(all[3].arguments)
    assert.are.equal("join alice", said(all[4]))
    assert.are.equal("join root", said(all[5]))
    assert.are.equal(5, #all)
    assert.are.equal(4, #live)
    assert.are.same(all[2], live[3])
    assert.are.equal(1, #root:call("audit.last", 1))
    assert.are.equal("join root", said(root:call("audit.last", 10, "root")[1]))
  end)

  it("notes arguments when it is told to, and keeps so many entries", function()
    open{ arguments = true, keep = 3 }
    for i = 1, 5 do root:publish("com.acme.admin.x", { i }, nil, { acknowledge = true }) end
    local all <const> = root:call("audit.last", 1000)
    assert.are.equal(3, #all)
    for i, entry in ipairs(all) do assert.are.same({ 6 - i }, entry.arguments.args) end
    assert.are.equal(4, router:kv("audit"):size())
  end)

  it("is for those whom the rules allow, and takes no nonsense", function()
    open()
    local alice <const> = router:join{ authid = "alice", ticket = "a" }
    local _, failure = alice:try_call "audit.last"
    assert.are.equal("wamp.error.not_authorized", failure.uri)
    for _, n in ipairs{ 0, 1001, "x", 1.5 } do
      _, failure = root:try_call("audit.last", n)
      assert.are.equal("wamp.error.invalid_argument", failure.uri)
    end
    local ok <const>, words <const> = pcall(testing.router, { policy = "policy.lua",
      settings = { keep = 0 } })
    assert.is_false(ok)
    assert.is_truthy(tostring(words):find("settings.keep: found 0", 1, true), words)
  end)
end)

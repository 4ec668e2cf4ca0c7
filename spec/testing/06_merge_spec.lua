--- nexus.merge: what becomes of what both policies say.
-- SPDX-License-Identifier: MIT
local testing = require "nexus.testing"

local count = 0

local function policy(base, extra)
  count = count + 1
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  local file = assert(io.open(folder .. "/policy.lua", "w"))
  file:write(([[
local nexus <const> = require "nexus"
local seen = {}
local function say(word) return function() seen[#seen + 1] = word end end
local function guest() return { authrole = "guest" } end
local rules <const> = { { allow = "call", uri = "com.acme.**" } }
local base <const>, extra <const> = { api = 1, %s }, { api = 1, %s }
say "loaded" ()
local merged = nexus.merge(base, extra)
merged.procedures = merged.procedures or {}
merged.procedures["com.acme.seen"] = function() return nexus.list(seen) end
return merged
]]):format(base, extra))
  file:close()
  return folder
end

local common <const> = "authenticate = { anonymous = guest }, roles = { guest = rules },"

describe("nexus.merge", function()
  local router

  local function open(base, extra)
    router = testing.router { policy = policy(base, extra) }
    return router
  end

  after_each(function()
    if router then router:close() end
    router = nil
  end)

  it("puts tables together, and rules of one role one behind the other", function()
    open(common .. 'procedures = { ["com.acme.one"] = function() return 1 end }',
      'roles = { guest = { { allow = "publish", uri = "com.acme.**" } }, other = {} }, '
      .. 'procedures = { ["com.acme.two"] = function() return 2 end }')
    local guest = router:join { method = "anonymous" }
    assert.equal(1, guest:call "com.acme.one")
    assert.equal(2, guest:call "com.acme.two")
    assert.is_true(router:allows(guest, "publish", "com.acme.x"))
    assert.is_false((router:allows(guest, "subscribe", "com.acme.x")))
  end)

  it("runs both functions of on_join and its like, also when they wait", function()
    open(common .. 'on_leave = function() nexus.sleep(1) seen[#seen + 1] = "one" end',
      'on_leave = say "two", on_load = say "load"')
    router:join { method = "anonymous" }:leave()
    local guest = router:join { method = "anonymous" }
    router:advance(2)
    assert.same({ "loaded", "load", "one", "two" }, guest:call "com.acme.seen")
  end)

  it("admits whom both admit", function()
    local yes <const> = "admit = function() nexus.sleep(1) return true end"
    open(common .. yes, yes)
    assert.truthy(router:join { method = "anonymous" })
    router:close()
    for _, no in ipairs { "return false", "return nil", "return nexus.deny{}" } do
      no = "admit = function() " .. no .. " end"
      for _, both in ipairs { { yes, no }, { no, yes } } do
        open(common .. both[1], both[2])
        assert.is_nil((router:try_join { method = "anonymous" }))
        router:close()
      end
    end
    router = nil
  end)

  it("refuses what neither may overrule", function()
    for _, row in ipairs {
      { "authorize = guest", "authorize = say", "both policies have authorize" },
      { 'procedures = { ["com.acme.one"] = guest }', 'procedures = { ["com.acme.one"] = say }',
        'both policies have procedures["com.acme.one"]' },
      { "authenticate = { ticket = guest }", "authenticate = { ticket = say }",
        'both policies have authenticate["ticket"]' },
      { 'roles = { guest = { inherit = "a" } }', 'roles = { guest = { inherit = "b" } }',
        'both policies have "inherit" in a role of one name' },
      { "cache_decisions = 1", "cache_decisions = 2", "both policies have cache_decisions" },
    } do
      local ok, words = pcall(open, row[1], row[2])
      assert.is_false(ok)
      assert.truthy(tostring(words):find("policy.lua:8: nexus.merge: " .. row[3], 1, true), words)
    end
  end)
end)

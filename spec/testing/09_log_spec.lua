--- nexus.log and print: a line tells the realm, the hook, the session and the place.
-- SPDX-License-Identifier: MIT
local testing = require "nexus.testing"

local text <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
print "loaded"
function policy.authenticate.anonymous() print "authenticate" return { authrole = "guest" } end
function policy.admit() nexus.log.debug "not seen" nexus.log.warn "admit" return true end
function policy.authorize(request) nexus.log.info(request.action) return true end
function policy.filter() print "filter" end
function policy.intercept.call() print "intercept" end
function policy.on_join() print "on_join" end
function policy.on_leave() warn "on_leave" end
policy.procedures["com.acme.log"] = function()
  nexus.log.error("handler", { b = 2, a = "x" })
  nexus.spawn(function() nexus.sleep(1) print "spawned" end)
  nexus.after(2, print, "after")
  nexus.parallel{ function() print "beside" end }
end
policy.subscriptions["com.acme.news"] = function() print "heard" end
policy.tasks.tick = { every = 60, run = function() print "tick" end }
return policy
]]

local function line_of(words)
  local count = 1
  for line in text:gmatch "[^\n]*\n" do
    if line:find('"' .. words .. '"', 1, true) then
      return count
    end
    count = count + 1
  end
end

describe("nexus.log", function()
  local router, path

  setup(function()
    path = os.tmpname()
    os.remove(path)
    assert(os.execute("mkdir " .. path))
    local file = assert(io.open(path .. "/policy.lua", "wb"))
    file:write(text)
    file:close()
    router = testing.router{ policy = path, realm = "com.acme" }
  end)

  teardown(function()
    router:close()
    os.execute("rm -r " .. path)
  end)

  it("adds realm, hook, session and file:line", function()
    local alice <const> = router:join{ method = "anonymous" }
    local bob <const> = router:join{ method = "anonymous" }
    bob:collect "com.acme.news"
    alice:call "com.acme.log"
    alice:publish("com.acme.news", {}, nil, { acknowledge = true })
    router:advance(60)
    alice:leave()
    router:run()
    local found = {}
    for _, line in ipairs(router:log { id = "policy-says" }) do
      if not found[line.msg] or line.session == ("%d"):format(alice.id) then
        found[line.msg] = line
      end
    end
    local expected <const> = {
      authenticate = "authenticate", admit = "admit", publish = "authorize", call = "authorize",
      filter = "filter", intercept = "intercept", on_join = "on_join", on_leave = "on_leave",
      handler = "procedure", spawned = "spawn", beside = "parallel", heard = "subscription",
    }
    for words, hook in pairs(expected) do
      local line = assert(found[words], words)
      assert.are.equal(hook, line.hook, words)
      assert.are.equal("com.acme", line.realm)
      assert.are.equal(("%d"):format(alice.id), line.session, words)
      local place <const> = line_of(words == "call" and "not seen" or words)
      if words ~= "call" and words ~= "publish" then
        assert.are.equal(("%s/policy.lua:%d"):format(path:match "[^/]+$", place), line.at, words)
      end
    end
    assert.are.equal("after", found.after.hook)
    assert.are.equal(("%d"):format(alice.id), found.after.session)
    assert.are.equal("a=x, b=2", found.handler.with)
    assert.are.same({ "warn", "warn", "error", "info" }, { found.admit.level, found.on_leave.level,
      found.handler.level, found.filter.level })
    assert.is_nil(found["not seen"])
    assert.are.same({ "task" }, { found.tick.hook, found.tick.session })
    assert.is_nil(found.loaded.hook)
  end)
end)

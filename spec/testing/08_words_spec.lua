--- What policies are told when something is wrong, word for word.
-- SPDX-License-Identifier: MIT
local testing = require "nexus.testing"

local head <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "*", uri = "com.acme.**" } }
]]

--- The folder "acme" with that policy.
local function write(text)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir -p " .. folder .. "/acme"))
  local file = assert(io.open(folder .. "/acme/policy.lua", "w"))
  file:write(text)
  file:close()
  return folder .. "/acme"
end

describe("the words", function()
  local router, guest

  local function open(text)
    router = testing.router { policy = write(head .. text .. "\nreturn policy\n") }
    guest = router:join { method = "anonymous" }
  end

  after_each(function()
    if router then router:close() end
    router = nil
  end)

  local function expect_refused(text, words)
    local ok, found = pcall(open, text)
    assert.is_false(ok)
    assert.truthy(tostring(found):find(words, 1, true), tostring(found))
  end

  local function expect_logged(words)
    for _, line in ipairs(router:log()) do
      for _, value in pairs(line) do
        if tostring(value):find(words, 1, true) then return end
      end
    end
    local all = {}
    for _, line in ipairs(router:log()) do
      all[#all + 1] = tostring(line.msg) .. " " .. tostring(line.error)
    end
    error(words .. " is not in the log:\n" .. table.concat(all, "\n"), 2)
  end

  --- A procedure with that body fails, and the log says why.
  local function expect_failure(body, words)
    open(('policy.procedures["com.acme.run"] = function(call)\n%s\nend'):format(body))
    local ok, failure = guest:try_call("com.acme.run", 1)
    assert.is_false(ok)
    assert.equal("wamp.error.runtime_error", failure.uri)
    assert.is_nil(failure.message)
    assert.same({ incident = failure.kwargs.incident }, failure.kwargs)
    assert.truthy(tostring(failure):find(words, 1, true))
    expect_logged(words)
  end

  it("of what fails behind a refusal", function()
    open [[
policy.roles.guest[2] = { ask = "call", uri = "com.acme.ask" }
function policy.authenticate.ticket() error("the list is lost") end
function policy.authorize() error("no rates today") end
]]
    local _, failure = router:try_join { authid = "alice", ticket = "wonder" }
    assert.equal("wamp.error.authentication_failed", failure.uri)
    assert.truthy(failure.cause:find("acme/policy.lua:6: the list is lost", 1, true))
    _, failure = guest:try_call "com.acme.ask"
    assert.equal("wamp.error.authorization_failed", failure.uri)
    assert.truthy(tostring(failure):find("acme/policy.lua:7: no rates today", 1, true))
    _, failure = guest:try_call "com.acme.nothing"
    assert.equal("wamp.error.no_such_procedure", failure.uri)
    assert.is_nil(failure.cause)
  end)

  it("of a wrong key, with its line", function()
    expect_refused("function policy.authorise() end",
      'acme/policy.lua:5: policy.authorise: no such key (did you mean "authorize"?)')
    expect_refused('policy.procedures["com.acme.add"] = { handler = print,\nconcurency = 1 }',
      'policy.procedures["com.acme.add"].concurency: no such option (did you mean "concurrency"?)')
  end)

  it("of what acts while it loads", function()
    expect_refused('nexus.realm:publish("com.acme.x")',
      "acme/policy.lua:5: not while loading; use policy.on_load")
    expect_refused("nexus.sleep(1)", "acme/policy.lua:5: not while loading; use policy.on_load")
    expect_refused('nexus.sqlite("x.db"):row("SELECT 1")',
      "acme/policy.lua:5: not while loading; use policy.on_load")
    expect_refused('nexus.http.get("http://x/")',
      "acme/policy.lua:5: not while loading; use policy.on_load")
  end)

  it("of objects", function()
    expect_failure("call.caller.org = 'acme'", "session is read-only; use session:set")
    router:close()
    expect_failure("return call.caller.ogr", 'no attribute "ogr" (did you mean "org"?)')
    router:close()
    open [[
local kept
policy.roles.guest[2] = { ask = "call", uri = "com.acme.ask" }
function policy.authorize(request) kept = request return true end
policy.procedures["com.acme.ask"] = function() return kept.uri end
]]
    assert.is_false((guest:try_call "com.acme.ask"))
    expect_logged "request is over"
  end)

  it("of values that cannot be sent, with their path", function()
    expect_failure("return nexus.result({}, { items = { 1, 2, { price = print } } })",
      "kwargs.items[3].price: function cannot be sent")
  end)

  it("of loops", function()
    expect_failure("while true do end",
      "acme/policy.lua:6: 50 ms without waiting; call nexus.breathe() in long loops")
  end)

  it("of predicates that wait", function()
    open [[
function policy.filter()
  return function(session) nexus.sleep(1) return session ~= nil end
end
]]
    local seen = router:join { method = "anonymous" }:collect "com.acme.x"
    guest:publish("com.acme.x", { 1 }, nil, { acknowledge = true })
    router:run()
    assert.same({}, seen)
    expect_logged "cannot wait in a filter predicate; look it up in policy.filter"
  end)

  it("of a reload that failed, which is counted", function()
    local folder = write(head .. "return policy")
    router = testing.router { policy = folder }
    local file = assert(io.open(folder .. "/policy.lua", "a"))
    file:write " return"
    file:close()
    assert.is_false((pcall(router.reload, router)))
    assert.equal(1, router:metric "nexus_policy_reload_failures_total")
  end)
end)

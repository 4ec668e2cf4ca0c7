--- `nexusd test`: the specs of a policy, in nexusd and in busted.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"

local policy <const> = [[
local nexus <const> = require "nexus"
local rules <const> = require "lib.rules"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }

policy.roles = rules.roles

local users <const> = {
  alice = { authrole = "user", ticket = "wonder", attributes = { org = "acme" } },
  bob = { authrole = "user", ticket = "builder", attributes = { org = "beta" } },
}

function policy.authenticate.ticket(hello)
  return users[hello.authid]
end

function policy.authorize(request)
  if request.uri == "com.acme.orders.closed" then
    nexus.sleep(1)
    return false
  end
  return request.session:has("org", "acme")
end

return policy
]]

local rules <const> = [[
local rules <const> = {}
rules.roles = { user = { { allow = "*", uri = "com.acme.**" },
                         { ask = "call", uri = "com.acme.orders.**" } } }
function rules.unused(x)
  if x then
    return 1
  end
  return 2
end
return rules
]]

local spec <const> = [[
local testing <const> = require "nexus.testing"

describe("acme", function()
  local router
  before_each(function() router = testing.router{ policy = "policy.lua" } end)
  after_each(function() router:close() end)

  it("keeps organisations apart", function()
    local alice = router:join{ authid = "alice", ticket = "wonder" }
    local bob   = router:join{ authid = "bob", ticket = "builder" }
    local seen  = bob:collect("com.acme.news")
    alice:publish("com.acme.news", { "hi" }, nil, { eligible_org = { "acme" }, acknowledge = true })
    assert.are.same({}, seen)
    alice:publish("com.acme.news", { "hi" }, nil, { eligible_org = { "beta" } })
    assert.are.same({ "hi" }, seen[1].args)
  end)

  describe("orders", function()
    local alice

    before_each(function() alice = router:join{ authid = "alice", ticket = "wonder" } end)

    it("are for those of acme", function()
      local bob = router:join{ authid = "bob", ticket = "builder" }
      bob:register("com.acme.orders.show", function(call) return { id = call.args[1] } end)
      assert.are.same({ id = 17 }, alice:call("com.acme.orders.show", 17))
      local ok, err = bob:try_call("com.acme.orders.show", 17)
      assert.is_false(ok)
      assert.are.equal("wamp.error.not_authorized", err.uri)
    end)

    it("close slowly", function()
      assert.is_false((alice:try_call("com.acme.orders.closed")))
      assert.are.equal(1, router:elapsed())
    end)
  end)
end)
]]

local bad_spec <const> = [[
describe("bad:", function()
  local count = 0
  setup(function() count = count + 1 end)
  after_each(function() count = count + 1 end)
  it("differs", function()
    assert.are.same({ 1, { a = "x" } }, { 1, { a = "y" } })
  end)
  it("raises", function() local x; return x.y end)
  pending("waits")
  it("is told to wait", function() pending("not now") end)
  it("passes", function() finally(function() count = 0 end) assert(count == 4, "four") end)
  it("breaks words", function() assert(false, "in so many words") end)
  describe("within", function()
    setup(function() error("no ground") end)
    it("is not run", function() assert.is_true(false) end)
  end)
end)
]]

--- What a command prints, and its exit code.
local function run(command, folder)
  local pipe = assert(io.popen(("cd '%s' && { timeout 60 %s; } 2>&1; echo \"code $?\"")
    :format(folder or daemon.folder(), command)))
  local text = pipe:read "a"
  pipe:close()
  return text, tonumber(text:match "code (%d+)\n$")
end

local function has(text, words)
  assert.is_truthy(text:find(words, 1, true), ("%q is not in:\n%s"):format(words, text))
end

local nexusd <const> = ("'%s' test"):format(os.getenv "NEXUSD")
local busted <const> = [[lua5.4 "$(command -v busted)" -o plainTerminal]]

local function write(specs)
  return policies.write { ["policy.lua"] = policy, ["lib/rules.lua"] = rules,
    ["spec/acme_spec.lua"] = specs }
end

describe("nexusd test", function()
  it("runs the specs of a policy, as busted does", function()
    local folder = write(spec)
    local text, code = run(("%s '%s'"):format(nexusd, folder))
    has(text, "3 successes / 0 failures / 0 errors / 0 pending")
    assert.are.equal(0, code)
    text, code = run(busted .. " spec", folder)
    has(text, "3 successes / 0 failures / 0 errors / 0 pending")
    assert.are.equal(0, code)
    text, code = run(nexusd .. " --filter 'for those'", folder)
    has(text, "1 success / 0 failures")
    assert.are.equal(0, code)
  end)

  it("runs the specs of nexus.testing itself", function()
    local files, tests = {}, 0
    for _, name in ipairs { "01_router_spec.lua", "04_policy_spec.lua" } do
      local file = assert(io.open("spec/testing/" .. name))
      local text = file:read "a"
      file:close()
      files["spec/" .. name] = text
      tests = tests + select(2, text:gsub("\n +it%(", ""))
    end
    local command = "env -u LD_PRELOAD ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=1\" "
    local text, code = run(("%s %s '%s'"):format(command, nexusd, policies.write(files)))
    has(text, tests .. " successes / 0 failures / 0 errors / 0 pending")
    assert.are.equal(0, code)
  end)

  it("says what failed and where, as busted does", function()
    local folder = write(bad_spec)
    local text, code = run(("%s '%s'"):format(nexusd, folder))
    local other = run(busted .. " spec", folder)
    local counts = text:match "%d+ success.- pending"
    assert.are.equal("1 success / 2 failures / 2 errors / 2 pending", counts)
    has(other, counts)
    assert.are.equal(1, code)
    has(text, "Failure -> spec/acme_spec.lua:5\nbad: differs\nspec/acme_spec.lua:6: ")
    has(text, "The first difference is at .[2].a")
    has(text, "Error -> spec/acme_spec.lua:8\nbad: raises\nspec/acme_spec.lua:8: attempt to index")
    has(text, "bad: within\nspec/acme_spec.lua:14: no ground")
    has(text, "bad: breaks words")
    has(text, "in so many words")
    assert.is_nil(text:find("is not run", 1, true))
    assert.is_nil(text:find("nexus.testing.runner", 1, true))
  end)

  it("says which lines of the policy ran", function()
    local folder = write(spec)
    local text, code = run(("%s '%s' --coverage"):format(nexusd, folder))
    assert.are.equal(0, code)
    assert.is_truthy(text:find "lib/rules.lua +6 of +9 +66.7 %%  not: 5%-6, 8")
    assert.is_truthy(text:find "policy.lua +%d+ of +%d+ +100.0 %%\n")
    local file = assert(io.open(folder .. "/lcov.info"))
    local lcov = file:read "a"
    file:close()
    has(lcov, "SF:lib/rules.lua\n")
    has(lcov, "DA:5,0\nDA:6,0\n")
    has(lcov, "LF:9\nLH:6\nend_of_record\n")
  end)

  it("takes no comment for code", function()
    local folder = policies.write { ["policy.lua"] = "-- what this is\n\n" .. policy,
      ["lib/rules.lua"] = rules, ["spec/acme_spec.lua"] = spec }
    local text, code = run(("%s '%s' --coverage"):format(nexusd, folder))
    assert.are.equal(0, code)
    assert.is_truthy(text:find "policy.lua +%d+ of +%d+ +100.0 %%\n")
  end)

  it("takes the file of a policy for its folder", function()
    local folder = write(spec)
    local text, code = run(("%s '%s/policy.lua'"):format(nexusd, folder))
    has(text, "3 successes / 0 failures")
    assert.are.equal(0, code)
    text, code = run(([[sh -c "cd '%s' && %s policy.lua"]]):format(folder, nexusd))
    has(text, "3 successes / 0 failures")
    assert.are.equal(0, code)
    text, code = run(("%s '%s/policy.lua/more'"):format(nexusd, folder))
    has(text, "/policy.lua/more: Not a directory")
    assert.are.equal(2, code)
  end)

  it("says when there is nothing to run", function()
    local folder = policies.write(policy)
    local text, code = run(("%s '%s'"):format(nexusd, folder))
    has(text, "no specs ran; they are files named spec/*_spec.lua")
    assert.are.equal(2, code)
    text, code = run(nexusd .. " /no/such/folder")
    has(text, "/no/such/folder: No such file or directory")
    assert.are.equal(2, code)
    text, code = run(("%s '%s' --filter nothing"):format(nexusd, write(spec)))
    has(text, "no specs ran; none has \"nothing\" in its name")
    assert.are.equal(2, code)
    text, code = run(("%s '%s' --filter %%"):format(nexusd, write(spec)))
    has(text, "nexusd test: --filter: malformed pattern (ends with '%')\n")
    assert.are.equal(2, code)
    code = select(2, run(nexusd .. " --colour"))
    assert.are.equal(2, code)
  end)

  it("says what is wrong with a spec that does not compile", function()
    local text, code = run(("%s '%s'"):format(nexusd, write "describe("))
    has(text, "spec/acme_spec.lua:1:")
    assert.are.equal(1, code)
  end)
end)

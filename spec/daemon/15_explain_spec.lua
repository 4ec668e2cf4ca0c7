-- nexusd explain, and nexus.policy.explain of a router that runs: which rule decides, and why.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local rules <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string", teams = "list" } }
function policy.authenticate.ticket(hello)
  return { authrole = hello.authid == "root" and "admin" or "user", ticket = "x",
           attributes = { org = "acme" } }
end
policy.roles.admin = { { allow = "call", uri = "nexus.policy.explain" } }
policy.roles.user = {
  { allow = "call subscribe", uri = "com.acme.**" },
  { allow = "publish", uri = "com.acme.org.{session.org}.**" },
  { deny = "*", uri = "com.acme.admin.**" },
  { ask = "call", uri = "com.acme.orders.**" },
}
function policy.authorize(request)
  return request.session:has("org", "acme")
end
function policy.check()
  error("it is not for explain")
end
return policy
]]

local function run(folder, flags)
  local program = daemon.spawn { flags = ("explain '%s' %s"):format(folder, flags) }
  local code = program:wait()
  program:assert_clean()
  return code, program:out(), program:log()
end

local user <const> = [[--as '{"authrole":"user","org":"acme"}' ]]
local answers <const> = {
  { "publish com.acme.org.acme.x",
    "allowed rule  acme/policy.lua:10  user: allow publish com.acme.org.{session.org}.**" },
  { "publish com.acme.org.beta.x", "denied  no rule is for it" },
  { "call com.acme.admin.x", "denied  rule  acme/policy.lua:11  user: deny * com.acme.admin.**\n" ..
    "        beats acme/policy.lua:9  user: allow call subscribe com.acme.**" },
  { "call com.acme.orders.x", "asked   rule  acme/policy.lua:12  user: ask call " ..
    "com.acme.orders.**\n        beats acme/policy.lua:9  user: allow call subscribe com.acme.**" ..
    "\n        asks  acme/policy.lua:14  policy.authorize" },
}

describe("nexusd explain", function()
  local folder

  before_each(function() folder = policies.write(rules) end)

  it("says which rule decides", function()
    for _, try in ipairs(answers) do
      assert.same({ 0, try[2] .. "\n", "" }, { run(folder, user .. try[1]) })
    end
  end)

  it("judges patterns, and attributes that are lists of one", function()
    local code, out = run(folder, user .. "--match prefix subscribe com.acme.")
    assert.equal(0, code)
    assert.matches("^denied  rule  acme/policy.lua:11 ", out)
    code, out = run(folder, user .. "--match prefix subscribe com.acme.news.")
    assert.equal(0, code)
    assert.matches("^allowed rule  acme/policy.lua:9 ", out)
    local list = [[--as '{"authrole":"user","org":["acme"]}' publish com.acme.org.acme.x]]
    assert.matches("^allowed rule", select(2, run(folder, list)))
    list = list:gsub('"acme"', '"acme","beta"')
    assert.equal("denied  no rule is for it\n", select(2, run(folder, list)))
  end)

  it("says what is wrong", function()
    for flags, words in pairs {
      ["dance com.acme.x"] = 'found "dance"; allowed: "call", "register", "publish", "subscribe"',
      ["--match most call com.x"] = '--match: found "most"; allowed: "exact", "prefix", "wildcard"',
      ["--as '[]' call com.x"] =
        '--as: found no object; allowed: {"authrole":"anonymous"}',
      ["call"] = "missing: POLICY ACTION URI",
    } do
      assert.same({ 2, "", ("nexusd explain: %s; try nexusd explain --help\n"):format(words) },
        { run(folder, flags) })
    end
    for _, flags in ipairs { "--as '{\"authrole\":' call com.x", "--as '{} x' call com.x",
      "--as '' call com.x" } do
      local code, out, log = run(folder, flags)
      assert.same({ 2, "" }, { code, out })
      assert.matches("^nexusd explain: %-%-as: not JSON: ", log)
    end
    for flags, words in pairs {
      ["call com.x"] = 'the policy has no role "anonymous"; there are admin, user',
      ["--as '{}' call com.x"] = "authrole is missing; it must be a text",
      ["--as '{\"authrole\":7}' call com.x"] = "authrole is missing; it must be a text",
      ["--as '{\"authrole\":\"user\",\"orgg\":\"x\"}' call com.x"] =
        'no attribute "orgg" (did you mean "org"?)',
      ["--as '{\"authrole\":\"user\",\"org\":7}' call com.x"] =
        "org must be a string, as policy.attributes says",
      ["--as '{\"authrole\":\"user\"}' call com..x"] = 'found "com..x"; allowed: a URI',
    } do
      assert.same({ 2, "", "nexusd explain: " .. words .. "\n" }, { run(folder, flags) })
    end
    local code, out, log = run(policies.write("return { apy = 1 }"), "call com.x")
    assert.same({ 78, "" }, { code, out })
    assert.matches('policy.apy: no such key %(did you mean "api"%?%)', log)
  end)
end)

describe("nexus.policy.explain", function()
  local nexusd, root

  local function call(...)
    root.last_id = root.last_id + 1
    root:send { wamp.CALL, root.last_id, wamp.dict {}, "nexus.policy.explain", wamp.list { ... } }
    local answer = root:receive()
    if answer[1] == wamp.ERROR then
      return nil, answer[5], answer[6]
    end
    return answer[4][1]
  end

  setup(function()
    local config = policies.config((rules:gsub('error%("it is not for explain"%)', "")))
    nexusd = daemon.start { config = config }
    root = policies.connect(nexusd)
    policies.login_ticket(root, "root", "x")
  end)

  teardown(function()
    wamp.close_all()
    nexusd:stop()
  end)

  it("judges attributes, and sessions", function()
    local alice = policies.connect(nexusd)
    policies.login_ticket(alice, "alice", "x")
    for _, subject in ipairs { wamp.dict { authrole = "user", org = "acme" }, alice.session } do
      for _, try in ipairs(answers) do
        local action, uri = try[1]:match("(%l+) (.*)")
        local answer = call(subject, action, uri)
        assert.same({ try[2], try[2]:match("%l+"), try[2]:match("rule  (%S+)") },
          { answer.text, answer.outcome, answer.rule })
      end
    end
    assert.equal("denied", call(alice.session, "subscribe", "com.acme.", "prefix").outcome)
  end)

  it("refuses what it does not understand", function()
    local dict = wamp.dict { authrole = "user" }
    for _, try in ipairs {
      { {}, "arguments are: session or attributes, action, URI, match" },
      { { dict, "call" }, "arguments are: session or attributes, action, URI, match" },
      { { "x", "call", "com.x" },
        "the first argument must be a dict of attributes, or the id of a session" },
      { { dict, "dance", "com.x" },
        'the second argument must be "call", "register", "publish" or "subscribe"' },
      { { dict, "call", 7 }, "the third argument must be a URI" },
      { { dict, "call", "com.x", "most" },
        'the fourth argument must be "exact", "prefix" or "wildcard"' },
      { { dict, "call", "com.x", "exact", 1 },
        "more arguments than session or attributes, action, URI, match" },
      { { 17, "call", "com.x" }, "there is no such session" },
      { { wamp.dict { authrole = "nobody" }, "call", "com.x" },
        'the policy has no role "nobody"; there are admin, user' },
      { { wamp.dict { authrole = "user", auth_id = "x" }, "call", "com.x" },
        'no attribute "auth_id" (did you mean "authid"?)' },
    } do
      local _, uri, args = call(table.unpack(try[1]))
      assert.same({ "wamp.error.invalid_argument", { try[2] } }, { uri, args })
    end
  end)
end)

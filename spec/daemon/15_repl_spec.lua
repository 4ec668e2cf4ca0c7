-- nexusd repl: a prompt with a policy, and a router that it is in.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"

local text <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }
policy.roles.user = {
  { allow = "call subscribe", uri = "com.acme.**" },
  { deny = "*", uri = "com.acme.admin.**" },
}
policy.procedures["com.acme.add"] = function(call)
  return call.args[1] + call.args[2]
end
return policy
]]

local function run(input, policy)
  local folder = policies.write(policy or text)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(input)
  file:close()
  local pipe = io.popen(("'%s' repl '%s' <'%s' 2>'%s.err'; echo $?"):format(os.getenv "NEXUSD",
    folder, name, name))
  local out, code = pipe:read("a"):match "^(.-)(%d+)\n$"
  pipe:close()
  local errors = assert(io.open(name .. ".err")):read "a"
  os.remove(name)
  os.remove(name .. ".err")
  return tonumber(code), out, errors
end

describe("nexusd repl", function()
  it("shows what expressions are, and runs statements", function()
    local code, out, errors = run [[
1 + 2, "a\"b"
x = { 1, "two", { three = 3 } }

x
print("hello", 7)
for i = 1, 2 do
  print(i)
end
nil
nexus.type(nexus.null)
policy.api, type(policy.procedures["com.acme.add"])
local y = 5; return y
"a\n\"b\"\27[1m\\"
"a\nb", 1
]]
    assert.same({ 0, "" }, { code, errors })
    assert.equal('3\t"a\\"b"\n{ 1, "two", { ["three"] = 3 } }\nhello\t7\n1\n2\nnil\n"null"\n' ..
      '1\t"function"\n5\na\n"b"\\x1b[1m\\\n"a\\nb"\t1\n', out)
  end)

  it("has a router with the policy in it", function()
    local code, out, errors = run [[
alice = t:session{ authrole = "user", authid = "alice", org = "acme" }
alice:call("com.acme.add", 1, 2)
print(t:explain(alice, "publish", "com.acme.admin.x"))
t:allows(alice, "call", "com.acme.x")
t:advance(60) and t:elapsed()
]]
    assert.same({ 0, "" }, { code, errors })
    assert.equal("3\ndenied  rule  acme/policy.lua:5  user: deny * com.acme.admin.**\n" ..
      "true\tnil\n60.0\n", out)
  end)

  it("waits, and acts in that router", function()
    local code, out, errors = run [[
nexus.sleep(10) t:elapsed()
nexus.realm:call("com.acme.add", 1, 2)
store = nexus.kv "x" store:set("a", 1)
t:kv("x"):get("a"), store:get("a")
nexus.parallel{ function() nexus.sleep(1) return 1 end, function() return 2 end }
]]
    assert.same({ 0, "" }, { code, errors })
    assert.equal("3\n1\t1\n1\t2\n", out)
  end)

  it("goes on after errors", function()
    local code, out, errors = run [[
print "before" error "oh"
x ==
y)
undeclared
nexus.realm:register("com.acme.x", print)
t:session{ authrole = "user" }:call("com.acme.no")
while true do end
1
]]
    assert.same({ 0, "1\n" }, { code, out })
    assert.matches("^before\n", errors)
    for _, words in ipairs { "oh", "syntax error near", 'there is no global "undeclared"',
      "not here; register and subscribe with a session of t", "wamp.error.no_such_procedure" } do
      assert.is_truthy(errors:find(words, 1, true), words .. " in " .. errors)
    end
  end)

  it("says when the input ends too early, or the policy is not sound", function()
    local code, out, errors = run "function f()\n"
    assert.same({ 0, "", "nexusd repl: the input ends in the middle of a statement\n" },
      { code, out, errors })
    code, out, errors = run("1\n", "return { apy = 1 }")
    assert.same({ 78, "" }, { code, out })
    assert.matches('no such key %(did you mean "api"%?%)', errors)
  end)

  it("has a prompt at a terminal", function()
    local folder = policies.write(text)
    local script = daemon.folder() .. "/repl.py"
    local file = assert(io.open(script, "w"))
    file:write([=[
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "repl", sys.argv[2]])
seen = b""
for word in [b"1 +\n", b"2\n", b"\x04"]:
    while not seen.endswith(b"> "):
        seen += os.read(fd, 1000)
    os.write(fd, word)
    seen += b"|"
try:
    while True:
        seen += os.read(fd, 1000)
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode())
]=])
    file:close()
    local pipe = io.popen(("python3 '%s' '%s' '%s'"):format(script, os.getenv "NEXUSD", folder))
    local seen = pipe:read("a"):gsub("\r", "")
    pipe:close()
    assert.equal("0 > |1 +\n>> |2\n3\n> |\n\n", seen)
  end)
end)

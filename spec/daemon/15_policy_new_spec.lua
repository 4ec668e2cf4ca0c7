-- nexusd policy new: what it writes is sound, is tested, and is clean.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"

local function run(flags)
  local program = daemon.spawn { flags = flags }
  local code = program:wait()
  program:assert_clean()
  return code, program:out(), program:log()
end

local function sh(command)
  local pipe = io.popen(command .. "; echo $?")
  local out, code = pipe:read("a"):match "^(.-)(%d+)\n$"
  pipe:close()
  return tonumber(code), out
end

local count = 0
local function new_path()
  count = count + 1
  return ("%s/new%d"):format(daemon.folder(), count)
end

describe("nexusd policy new", function()
  it("writes a policy that passes its checks and specs", function()
    local path = new_path()
    assert.same({ 0, ("%s: a policy; nexusd check %s, nexusd test %s\n"):format(path, path, path),
      "" }, { run(("policy new '%s'"):format(path)) })
    assert.same({ 0, path .. ": no errors\n", "" }, { run(("check '%s'"):format(path)) })
    local code, out = run(("test '%s'"):format(path))
    assert.equal(0, code)
    assert.matches("4 successes / 0 failures / 0 errors / 0 pending", out)
    code, out = run(("explain '%s' --as '{\"authrole\":\"user\",\"org\":\"acme\"}' call " ..
      "com.example.admin.x"):format(path))
    assert.equal(0, code)
    assert.matches("^denied  rule  %w+/policy.lua:13  user: deny %* com.example.admin.%*%*\n", out)
  end)

  it("writes what luacheck has nothing to say about, and annotations", function()
    local path = new_path()
    assert.equal(0, (run(("policy new '%s'"):format(path))))
    assert.same({ 0, "" }, { sh(("cd '%s' && luacheck -q --formatter plain ."):format(path)) })
    local _, files = sh(("cd '%s' && find . -type f | LC_ALL=C sort"):format(path))
    assert.equal("./.luacheckrc\n./.luarc.json\n./.types/nexus.lua\n./policy.lua\n" ..
      "./spec/policy_spec.lua\n", files)
    local _, types = run "types"
    assert.is_true(types == io.open(path .. "/.types/nexus.lua"):read "a")
    assert.matches('"workspace.library": %[".types"%]', io.open(path .. "/.luarc.json"):read "a")
  end)

  it("fills a folder that is empty, and no other", function()
    local path = new_path()
    assert(os.execute(("mkdir '%s'"):format(path)))
    assert.equal(0, (run(("policy new '%s'"):format(path))))
    for _, taken in ipairs { path, policies.write "return { api = 1 }" } do
      assert.same({ 1, "", "nexusd policy: " .. taken .. ": the folder is not empty\n" },
        { run(("policy new '%s'"):format(taken)) })
    end
    assert.same({ 1, "", "nexusd policy: /dev/null: Not a directory\n" },
      { run "policy new /dev/null" })
    assert.same({ 1, "", "nexusd policy: /nowhere/at/all: No such file or directory\n" },
      { run "policy new /nowhere/at/all" })
  end)

  it("knows no other word", function()
    assert.same({ 2, "", 'nexusd policy: found "old"; allowed: "new"; try nexusd policy --help\n' },
      { run "policy old x" })
    assert.same({ 2, "", "nexusd policy: missing: new DIR; try nexusd policy --help\n" },
      { run "policy new" })
  end)
end)

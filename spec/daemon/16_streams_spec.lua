-- Standard streams that are closed, or full: said in one line and by the exit code.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local nexusd <const> = os.getenv "NEXUSD"

--- The exit code of a command line of the shell, and what it prints to both streams.
local function sh(command)
  local pipe = assert(io.popen(("{ %s ; } 2>&1 ; echo $?"):format(command)))
  local text = pipe:read "a"
  pipe:close()
  local out, code = text:match "^(.-)(%d+)\n$"
  return tonumber(code), out
end

describe("standard streams", function()
  local folder
  local spec <const> = 'it("is fine", function() end)'

  local commands <const> = {
    "check %s", "test %s", "types", "keygen", "--version", "--help", "--sample-config",
    "policy new %s/new", "check --help", "--realm realm1 --ws 127.0.0.1:0 --check-config",
    "explain %s --as '{\"authrole\":\"x\"}' call a.b", "repl %s",
  }

  local function line_of(command)
    local line = nexusd .. " " .. command:format(folder)
    return command:find "repl" and "echo 1 | " .. line or line
  end

  before_each(function()
    folder = policies.write { ["spec/a_spec.lua"] = spec, ["policy.lua"] = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
policy.roles.x = {}
return policy
]] }
  end)

  it("that cannot be written to are an error", function()
    for _, command in ipairs(commands) do
      for _, to in ipairs { ">/dev/full", ">&-" } do
        local code, out = sh(line_of(command) .. " " .. to)
        assert.same({ 1, "nexusd: cannot write to standard output\n" }, { code, out }, command)
        os.execute(("rm -rf '%s/new'"):format(folder))
      end
    end
  end)

  it("that are closed hurt nobody who does not use them", function()
    for _, closed in ipairs { "<&-", "2>&-", "<&- 2>&-" } do
      for _, command in ipairs { "check %s", "test %s" } do
        local code, out = sh(line_of(command) .. " " .. closed)
        assert.equal(0, code, command)
        assert.truthy(out:find "no errors" or out:find "1 success /", out)
      end
    end
    local code = sh(("%s repl '%s' <&-"):format(nexusd, folder))
    assert.equal(0, code)
    code = sh(("%s check '%s' 2>&-"):format(nexusd, folder .. "/nothing"))
    assert.equal(78, code)
  end)

  it("may be closed for a router", function()
    local script = folder .. "/closed.sh"
    local file = assert(io.open(script, "w"))
    file:write(('#!/bin/sh\nexec %s "$@" <&- >&-\n'):format(nexusd))
    file:close()
    assert(os.execute("chmod +x " .. script))
    local router = daemon.start { program = script, config = {
      listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = folder .. "/" } },
    } }
    local client = policies.connect(router)
    policies.hello(client, { authmethods = { "anonymous" } })
    assert.equal(wamp.ABORT, client:receive()[1])
    wamp.close_all()
    router:stop()
    assert.equal(0, router:code())
  end)
end)

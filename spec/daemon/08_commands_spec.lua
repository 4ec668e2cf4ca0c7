-- What all commands (nexusd WORD ...) have in common: their table, --help, what is unknown.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

local function run(flags)
  local program = daemon.spawn { flags = flags }
  local code = program:wait()
  program:assert_clean()
  return code, program:out(), program:log()
end

local function names()
  local _, out = run("--help")
  local list = {}
  for name in out:match("^(.-)\nFlags:"):gmatch("\n  nexusd (%l+)") do
    list[#list + 1] = name
  end
  return list
end

describe("commands", function()
  it("are listed in --help", function()
    local list = table.concat(names(), " ")
    assert.matches("%f[%w]check%f[%W]", list)
  end)

  it("have a --help each, whatever else is there", function()
    for _, name in ipairs(names()) do
      for _, flags in ipairs { "--help", "-h", "--nonsense --help" } do
        local code, out, log = run(name .. " " .. flags)
        assert.same({ 0, "" }, { code, log })
        assert.matches("^nexusd " .. name .. " .-%-%- .-\n\nFlags:\n", out)
        assert.matches("\n  %-%-help +print this, and end\n", out)
      end
    end
  end)

  it("say what was probably meant", function()
    for words, answer in pairs {
      chek = 'no such command: chek (did you mean "check"?)',
      ["/dev/null"] = "no such command: /dev/null (a configuration is named by --config)",
      CHECK = 'no such command: CHECK (did you mean "check"?)',
      entirely = "no such command: entirely",
      [("x"):rep(200)] = "no such command: " .. ("x"):rep(200),
    } do
      local code, out, log = run(words)
      assert.same({ 2, "", "nexusd: " .. answer .. "; try nexusd --help\n" }, { code, out, log })
    end
  end)

  it("refuse flags that they do not have", function()
    for words, answer in pairs {
      ["check --hlp a"] = 'unknown flag: --hlp (did you mean "--help"?)',
      ["check -x a"] = "unknown flag: -x",
      ["check --nonsense=3 a"] = "unknown flag: --nonsense",
      ["check"] = "missing: POLICY...",
      ["check --"] = "missing: POLICY...",
    } do
      local code, out, log = run(words)
      assert.same({ 2, "", "nexusd check: " .. answer .. "; try nexusd check --help\n" },
        { code, out, log })
    end
  end)

  it("take what stands behind -- as arguments", function()
    local code, _, log = run("check -- --help")
    assert.equal(78, code)
    assert.matches("%-%-help", log)
  end)
end)

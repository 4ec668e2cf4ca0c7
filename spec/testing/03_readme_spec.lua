--- What the README says of tests of policies.
-- SPDX-License-Identifier: MIT

local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  return text, pipe:close()
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

describe("the README's tests of a policy", function()
  local readme = read_file "README.md"

  it("are those in examples/", function()
    local spec = read_file "examples/spec/policy_spec.lua"
    assert.is_truthy(readme:find("\n```lua\n" .. spec .. "```\n", 1, true))
  end)

  it("end as shown", function()
    local shown = readme:match "%$ nexusd test examples\n(.-)```"
    local text, ok = output_of(("timeout 60 '%s' test examples"):format(os.getenv "NEXUSD"))
    assert.is_true(ok)
    assert.are.equal(shown:gsub("%d+%.%d+ sec", "N sec"), text:gsub("%d+%.%d+ sec", "N sec"))
  end)

  it("pass under busted as well", function()
    local _, ok = output_of [[cd examples && timeout 60 lua5.4 "$(command -v busted)" spec]]
    assert.is_true(ok)
  end)
end)

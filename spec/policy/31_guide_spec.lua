--- The guide for authors of policies, done as it says: files are written, commands run.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

local nexusd_path <const> = os.getenv "NEXUSD"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function write(path, text)
  assert(os.execute("mkdir -p '" .. path:match "(.*)/" .. "'"))
  local file = assert(io.open(path, "wb"))
  file:write(text)
  assert(file:close())
end

--- What a command prints, without how long tests took.
local function run(folder, command)
  local pipe = assert(io.popen(("cd '%s' && %s 2>&1"):format(folder,
    command:gsub("^nexusd", nexusd_path))))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub(" : [%d.]+ seconds", ""))
end

--- Runs the commands of a block, and compares what they print.
local function check_console(folder, block)
  local command, expected
  local function finish()
    if command then
      assert.equal(expected, run(folder, command), command)
    end
  end
  for line in block:gmatch "[^\n]+" do
    if line:sub(1, 2) == "$ " then
      finish()
      command, expected = line:sub(3), ""
    else
      expected = expected .. line .. "\n"
    end
  end
  finish()
end

-- Files that are beside the folder of the policy, not in it.
local beside <const> = { ["nexusd.lua"] = true, ["router.lua"] = true, ["tenant.lua"] = true }

describe("the guide", function()
  it("is true", function()
    local folder = daemon.folder() .. "/guide"
    local files, consoles = 0, 0
    for language, block in read "lua/GUIDE.md":gmatch "\n```(%l+)\n(.-)\n```" do
      if language == "console" then
        check_console(folder, block)
        consoles = consoles + 1
      else
        local name = assert(block:match "^%-%- ([%w_/]+%.lua)\n", block)
        write(folder .. (beside[name] and "/" or "/acme/") .. name, block .. "\n")
        files = files + 1
      end
      if files == 2 then -- the least, and the configuration that names it
        assert.equal("nexusd.lua: no errors\n",
          run(folder, "nexusd --config nexusd.lua --check-config"))
      end
    end
    assert.equal(15, files)
    assert.equal(9, consoles)
  end)

  it("names the policies that there are", function()
    local named = {}
    for name in read "lua/GUIDE.md":gmatch '\n| `("[%w-]+")`' do
      named[#named + 1] = name
    end
    assert.equal(daemon.ready_policies, table.concat(named, ", "))
  end)
end)

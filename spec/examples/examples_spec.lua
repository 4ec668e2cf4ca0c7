-- The README's examples, word for word: its commands and its outputs, its snippets in a browser.
-- Only the address is another one, since the router listens on any free port here.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

-- Interpreters and browsers start slowly on a busy machine.
local PATIENCE = 60

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function is_there(command)
  return os.execute("command -v " .. command .. " >/dev/null 2>&1") == true
end

local readme = read_file("README.md")

--- The fenced blocks of one language that have the text.
local function blocks(language, text)
  local found = {}
  for block in readme:gmatch("\n```" .. language .. "\n(.-\n)```\n") do
    if block:find(text, 1, true) then
      found[#found + 1] = block
    end
  end
  return found
end

--- The outputs that the README shows below a command.
local function shown(command)
  local outputs = {}
  for _, block in ipairs(blocks("console", "$ " .. command .. "\n")) do
    outputs[#outputs + 1] = block:gsub("^[^\n]*\n", "", 1)
  end
  assert(#outputs > 0, "the README does not show: " .. command)
  return outputs
end

--- Publications have random ids; here all are 1.
local function same_ids(text)
  return (text:gsub("publication %d+", "publication 1"))
end

describe("the README's examples", function()
  local nexusd

  setup(function()
    nexusd = daemon.start { flags = "--realm realm1 --ws 127.0.0.1:0" }
  end)

  teardown(function()
    nexusd:stop()
  end)

  local function at_our_port(text)
    return (text:gsub("127%.0%.0%.1:8080", nexusd:address()))
  end

  local function write(name, text)
    local path = daemon.folder() .. "/" .. name
    local file = assert(io.open(path, "wb"))
    file:write(at_our_port(text))
    assert(file:close())
    return path
  end

  --- Runs a command to its end; returns everything it printed, and its exit code.
  local function run(command)
    local pipe = assert(io.popen("timeout " .. PATIENCE .. " " .. command .. " 2>&1"))
    local text = pipe:read("a")
    local _, _, code = pipe:close()
    return text, code
  end

  --- Runs a program that goes on, in a folder that sees examples/; waits for its first line.
  local function start(program, first)
    local self = daemon.spawn {
      program = "python3",
      flags = "-B " .. os.getenv("PWD") .. "/examples/" .. program .. " " .. nexusd:address(),
    }
    finally(function() self:kill() end)
    daemon.eventually(function() return self:out() ~= "" or self:code() end, PATIENCE)
    assert.are.equal(first .. "\n", self:out(), self:log())
    return self
  end

  local function python(command)
    return run(command:gsub("^python3", "python3 -B") .. " " .. nexusd:address())
  end

  it("publish to a subscriber", function()
    local subscriber = start("subscribe.py", "subscribed to com.example.news")
    local command = 'python3 examples/publish.py "good morning"'
    local text, code = python(command)
    assert.are.equal(0, code, text)
    assert.are.equal(same_ids(shown(command)[1]), same_ids(text))
    local expected = shown("python3 examples/subscribe.py")[1]
    daemon.eventually(function() return subscriber:out() == expected end, PATIENCE)
    assert.are.equal(expected, subscriber:out())
  end)

  it("call a procedure, which is there as long as its callee", function()
    local command = "python3 examples/call.py 2 3"
    local callee = start("callee.py", "registered com.example.add")
    local text, code = python(command)
    assert.are.equal(shown(command)[1], text)
    assert.are.equal(0, code)
    assert.are.equal(shown("python3 examples/callee.py")[1], callee:out())

    text, code = python("python3 examples/call.py 2 '\"x\"'")
    assert.is_truthy(text:find("^wamp%.error%.invalid_argument: "), text)
    assert.are.equal(1, code)

    callee:kill()
    daemon.eventually(function() return nexusd:status().registrations == 0 end)
    text, code = python(command)
    assert.are.equal(shown(command)[2], text)
    assert.are.equal(1, code)
  end)

  it("end with words when the router does", function()
    local router = daemon.start { flags = "--realm realm1 --ws 127.0.0.1:0" }
    local subscriber = daemon.spawn {
      program = "python3",
      flags = "-B " .. os.getenv("PWD") .. "/examples/subscribe.py " .. router:address(),
    }
    finally(function() subscriber:kill() end)
    daemon.eventually(function() return subscriber:out() ~= "" end, PATIENCE)
    router:signal("TERM")
    assert.are.equal(1, subscriber:wait())
    assert.are.equal("wamp.close.system_shutdown\n", subscriber:log())
    router:stop()
  end)

  it("work from the console of a browser", function()
    if not is_there("chromium") then
      print("\nSKIPPED: the README's browser snippets, for there is no chromium\n")
      pending("there is no chromium (apt-get install chromium)")
      return
    end
    local files = {}
    for i, block in ipairs(blocks("js", "new WebSocket")) do
      files[i] = write(("snippet%d.js"):format(i), block)
    end
    assert.are.equal(2, #files)
    local text, code = run(("python3 -B spec/examples/console.py http://%s/ 3 %s"):format(
      nexusd:address(), table.concat(files, " ")))
    assert.are.equal(0, code, text)
    -- The publisher's answer and the subscriber's event come over connections of their own.
    local lines = {}
    for line in text:gmatch("[^\n]+") do
      lines[#lines + 1] = line
      assert.is_truthy(readme:find("`" .. line .. "`", 1, true), "not in the README: " .. line)
    end
    table.sort(lines)
    assert.are.same({ "event: hello", "published", "subscribed" }, lines)
  end)

  it("work with a client library", function()
    local program = "build/interop/python/bin/python"
    if not is_there(program) then
      print("\nSKIPPED: the README's client library, for it is not installed\n")
      pending("Autobahn|Python is not in build/interop (spec/interop/setup)")
      return
    end
    local found = blocks("python", "import Component")
    assert.are.equal(1, #found)
    local text, code = run(program .. " -B " .. write("autobahn_example.py", found[1]))
    assert.are.equal(0, code, text)
    assert.is_truthy(readme:find("\n```\n" .. text .. "```\n", 1, true), text)
  end)

  it("configure what they say, and are refused with the words shown", function()
    local found = blocks("lua", "listen = {")
    local nexusd_program = os.getenv("NEXUSD")
    assert.are.equal(3, #found)
    write("good.lua", found[1])
    write("bad.lua", found[2])
    local folder = daemon.folder()
    local text, code = run(("env -C %s %s --config good.lua --check-config"):format(folder,
      nexusd_program))
    assert.are.equal(0, code, text)
    text, code = run(("env -C %s %s --config bad.lua --check-config"):format(folder,
      nexusd_program))
    assert.are.equal(78, code, text)
    assert.are.equal(shown("nexusd --config bad.lua --check-config")[1], text)
  end)

  it("let a user in over TLS, from nothing", function()
    local command = blocks("console", "$ openssl req")[1]:match("^%$ (.-)\n")
    local folder = daemon.folder()
    local text, code = run(("env -C %s %s"):format(folder, command))
    assert.are.equal(0, code, text)
    local users = blocks("lua", "-- users.lua")[1]
    write("users.lua", users)
    local printed = blocks("console", "$ nexusd passwd --method wampcra")[1]
      :match("\n(alice = .-)\n")
    assert.is_truthy(users:gsub("%s+", " "):find(printed, 1, true), printed)
    local config = blocks("lua", "-- nexusd.lua")[1]
    local router = daemon.start { folder = folder, config = config:gsub("8443", "0") }
    local login = "python3 examples/login.py wampcra alice router.pem"
    for i, password in ipairs { "wonderland", "wrong" } do
      text = run(("sh -c 'echo %s | %s localhost:%d'"):format(password,
        login:gsub("^python3", "python3 -B"):gsub("router.pem", folder .. "/%0"), router:port()))
      assert.are.equal(shown(login)[i], text)
    end
    router:stop()
  end)

  it("leave out no program of the folder", function()
    local pipe = assert(io.popen("ls examples"))
    for name in pipe:lines() do
      if name ~= "__pycache__" then
        assert.is_truthy(readme:find("examples/" .. name, 1, true), "not in the README: " .. name)
      end
    end
    pipe:close()
  end)
end)

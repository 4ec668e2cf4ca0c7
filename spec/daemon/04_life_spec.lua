-- nexusd as a process: start, signals, end, and what keeps it from starting.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local socket = require "socket"
local wamp = require "wamp"

local short = "--realm realm1 --ws 127.0.0.1:0 "

local function join(port, realm)
  local client = wamp.connect { transport = "ws", serializer = "json", port = port }
  client:join(realm)
  return client
end

local function assert_fails(options, code, pattern)
  local program = daemon.spawn(options)
  assert.equal(code, program:wait())
  program:assert_clean()
  local errors = {}
  for line in program:log():gmatch("[^\n]+") do
    if not line:find(" WARN ", 1, true) and not line:find(" INFO ", 1, true) then
      errors[#errors + 1] = line
    end
  end
  assert.equal(1, #errors, program:log())
  assert.matches(pattern, errors[1])
end

describe("nexusd", function()
  local running = {}

  local function start(options)
    local program = daemon.start(options)
    running[#running + 1] = program
    return program
  end

  after_each(function()
    for i = #running, 1, -1 do
      running[i]:stop()
      running[i] = nil
    end
  end)

  it("says where it listens, and when it is ready", function()
    local program = start { flags = short .. "--ws '[::1]:0' --unix nexus.sock" }
    local log = program:log()
    local port = log:match("listening accepting connections address=127%.0%.0%.1:(%d+) "
      .. "url=ws://127%.0%.0%.1:(%d+)/\n")
    assert.is_true(tonumber(port) > 0)
    assert.matches("address=%[::1%]:%d+ url=ws://%[::1%]:%d+/\n", log)
    assert.matches("address=%S*nexus%.sock\n", log)
    assert.matches("ready nexusd %d+%.%d+%.%d+ is ready\n", log)
    assert.matches('WARN  open%-realm policy "open": anybody may join and do everything '
      .. "realm=realm1\n", log)
  end)

  it("serves the configuration that ships with it", function()
    local root = debug.getinfo(1, "S").source:match("^@(.*)spec/daemon/")
    local file = assert(io.open(root .. "config/nexusd.lua"))
    local text = file:read("a"):gsub('"127.0.0.1:8080"', '"127.0.0.1:0"')
    file:close()
    local program = start { config = text }
    assert.equal("nexus", program:status().router)
  end)

  it("logs JSON when asked to", function()
    local program = start { flags = short .. "--log-format json" }
    local json = require "json"
    for line in program:log():gmatch("[^\n]+") do
      assert.is_string(json.decode(line).id)
    end
  end)

  it("tells of start and end at every level", function()
    local program = start { flags = short .. "--log-level error" }
    program:stop()
    assert.matches(" listening ", program:log())
    assert.matches(" stopped ", program:log())
  end)

  it("logs to a file", function()
    local path = daemon.folder() .. "/own.log"
    local program = daemon.spawn { config = {
      listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = "open" } }, log = { file = path },
    } }
    local function log()
      local file = io.open(path)
      local text = file and file:read("a") or ""
      if file then file:close() end
      return text
    end
    assert.truthy(daemon.eventually(function() return log():find(" ready ", 1, true) end))
    program:stop()
    assert.matches(" stopped ", log())
    assert.equal("", program:log())
    assert_fails({ config = {
      listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = "open" } },
      log = { file = "/nowhere/x.log" },
    } }, 1, '^nexusd: cannot open the log file "/nowhere/x.log": No such file or directory$')
  end)

  it("goes on in a new log file after SIGHUP, and in the old one if there can be none", function()
    local folder = daemon.folder() .. "/logs"
    assert(os.execute("mkdir '" .. folder .. "'"))
    local path = folder .. "/own.log"
    local program = daemon.spawn { config = {
      listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = "open" } }, log = { file = path },
    } }
    local function says(name, words)
      return daemon.eventually(function()
        local file = io.open(name)
        local text = file and file:read("a") or ""
        if file then file:close() end
        return text:find(words, 1, true) and text
      end)
    end
    assert.truthy(says(path, " ready "))
    assert(os.rename(path, path .. ".1"))
    program:signal("HUP")
    assert.truthy(says(path, ""))
    assert(os.execute(("mv '%s' '%s.moved'"):format(folder, folder)))
    program:signal("HUP")
    local text = says(folder .. ".moved/own.log", " log-not-reopened ")
    assert.matches('ERROR log%-not%-reopened .* error="No such file or directory"', text)
    program:stop()
    assert.truthy(says(folder .. ".moved/own.log", " stopped "))
    assert.falsy(assert(io.open(folder .. ".moved/own.log.1")):read("a"):find " stopped ")
    assert.equal("", program:log())
  end)

  for _, name in ipairs { "TERM", "INT" } do
    it("says goodbye on SIG" .. name .. " and ends with 0", function()
      local program = daemon.start { flags = short }
      local client = join(program:port(), "realm1")
      program:signal(name)
      client:expect { wamp.GOODBYE, wamp.any, "wamp.close.system_shutdown" }
      client:drop()
      assert.equal(0, program:wait())
      program:assert_clean()
      assert.matches("stopping [^\n]* signal=SIG" .. name, program:log())
    end)
  end

  it("ends at once on a second signal", function()
    local program = daemon.start { config = {
      listen = { "127.0.0.1:0" }, shutdown_grace = "20s", limits = { close_timeout = "20s" },
      realms = { realm1 = { policy = "open", goodbye_timeout = "20s" } },
    } }
    local client = join(program:port(), "realm1")
    program:signal("TERM")
    client:expect { wamp.GOODBYE, wamp.any, "wamp.close.system_shutdown" }
    program:signal("TERM")
    assert.equal(130, program:wait())
    assert.matches(" stopping%-at%-once ", program:log())
    client:drop()
  end)

  it("lives on after SIGHUP, and says that there is nothing to read again", function()
    local program = start { flags = short }
    program:signal("HUP")
    program:wait_for_log("reload-not-supported")
    assert.equal("nexus", program:status().router)
  end)

  it("does not start twice on one port", function()
    for _, workers in ipairs { 1, 2 } do
      local program = start { flags = short .. "--workers " .. workers }
      local again = ("--realm realm1 --ws 127.0.0.1:%d --workers %d"):format(
        program:port(), workers)
      local words = ("cannot listen on 127%%.0%%.0%%.1 port %d: the address is in use$"):format(
        program:port())
      assert_fails({ flags = again }, 1, "ERROR cannot%-start " .. words)
      assert_fails({ flags = again:gsub("127.0.0.1", "0.0.0.0") }, 1,
        "ERROR cannot%-start " .. words:gsub("127", "0"):gsub("%%.1", "%%.0"))
    end
  end)

  it("does not start where another program listens", function()
    local other = assert(socket.bind("127.0.0.1", 0))
    local _, port = other:getsockname()
    assert_fails({ flags = "--realm realm1 --ws 127.0.0.1:" .. port }, 1, "the address is in use$")
    other:close()
  end)

  it("starts again where it has just served", function()
    local first = daemon.start { config = {
      listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = "open" } },
      shutdown_grace = "200ms",
    } }
    local port = first:port()
    local client = join(port, "realm1")
    first:stop() -- closes before its peer does: its side of the connection lingers
    client:drop()
    local second = start { flags = "--realm realm1 --ws 127.0.0.1:" .. port }
    assert.equal(port, second:port())
  end)

  it("does not start on a unix socket in use, and takes over a stale one", function()
    local path = daemon.folder() .. "/twice.sock"
    local flags = "--realm realm1 --unix " .. path
    local first = daemon.start { flags = flags }
    assert_fails({ flags = flags }, 1, "ERROR cannot%-start .*twice%.sock")
    first:kill()
    start { flags = flags }
  end)

  it("does not start with a certificate that cannot be used", function()
    local cert = daemon.certificate()
    local junk = daemon.folder() .. "/junk.pem"
    local file = assert(io.open(junk, "w"))
    file:write("no certificate\n")
    file:close()
    local flags = "--realm realm1 --ws 127.0.0.1:0 --tls-cert %s --tls-key %s"
    assert_fails({ flags = flags:format(junk, cert.key) }, 1, "ERROR cannot%-start .*junk%.pem")
    assert_fails({ flags = flags:format(cert.cert, junk) }, 1, "ERROR cannot%-start .*junk%.pem")
    assert_fails({ flags = flags:format("nowhere.pem", cert.key) }, 2,
      '^nexusd: %-%-tls%-cert: cannot read "nowhere%.pem": No such file or directory$')
  end)

  it("does not start with a bad key in the configuration", function()
    assert_fails({ config = 'return { listen = { "127.0.0.1:0" },\nrealms = { ["realm1"] = {\n'
      .. 'policy = "open", uri_chek = "strict" } } }' }, 78,
      '^nexusd%.lua:3: realms%["realm1"%]%.uri_chek: no such option '
      .. '%(did you mean "uri_check"%?%)$')
  end)

  it("does not start on an address that this machine does not have", function()
    assert_fails({ flags = "--realm realm1 --ws 192.0.2.1:8080" }, 1,
      "ERROR cannot%-start cannot listen on 192%.0%.2%.1 port 8080")
  end)

  it("says when the system allows fewer connections than the configuration", function()
    local program = start { config = {
      listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = "open" } },
      limits = { max_connections = 10000000 },
    } }
    assert.matches("WARN  few%-descriptors [^\n]* allowed=%d+ needed=100000%d%d\n", program:log())
  end)

  it("makes realms from the template, as many as allowed", function()
    local program = start { config = {
      listen = { "127.0.0.1:0" }, realm_template = { policy = "open" }, max_realms = 1,
    } }
    local client = join(program:port(), "com.first")
    local late = wamp.connect { transport = "ws", serializer = "json", port = program:port() }
    late:send { wamp.HELLO, "com.second", { roles = wamp.roles() } }
    late:expect_abort("wamp.error.no_such_realm")
    late:drop()
    client:drop()
  end)
end)

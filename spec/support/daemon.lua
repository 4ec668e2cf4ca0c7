--- Runs the program under test: $NEXUSD, on free ports, watched until its end.
--
--   local daemon = require "daemon"
--   local nexusd = daemon.start { config = { ... } }     -- or { flags = "--realm r --ws ..." }
--   nexusd:port()  nexusd:rss()  nexusd:log()  nexusd:stop()
--
-- A program that ends with another code than 0, or whose log holds the report of a sanitizer or a
-- failed check, fails the spec that stops it. It dies with the process that started it, and
-- nothing but what was started here is ever signalled.
-- SPDX-License-Identifier: MIT
local socket = require "socket"
local framing = require "framing"
local json = require "json"
local stream = require "stream"

local daemon = {
  --- The policies that come with nexusd, as errors name them.
  ready_policies = '"open", "users", "jwt", "scram-users", "tenants", "presence", '
    .. '"retained-state", "webhook", "audit"',
}

local Daemon = {}
Daemon.__index = Daemon

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("a")
  file:close()
  return text
end

local function write_file(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  assert(file:close())
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  assert(pipe:close(), "failed: " .. command)
  return (text:gsub("%s+$", ""))
end

--- A folder of this process, removed at its end if every program in it ended well.
local folder
local running = 0
daemon.sweeper = setmetatable({}, { __gc = function()
  if folder and running == 0 then
    os.execute("rm -rf " .. folder)
  end
end })

function daemon.folder()
  folder = folder or output_of("mktemp -d /tmp/nexus-spec.XXXXXX")
  return folder
end

local count = 0
local function new_folder()
  count = count + 1
  local path = ("%s/%d"):format(daemon.folder(), count)
  assert(os.execute("mkdir " .. quote(path)))
  return path
end

--- Waits until `check` returns something true, and returns it; nil when time is up. The pause
-- between two looks decides nothing.
function daemon.eventually(check, patience)
  local ends = socket.gettime() + (patience or stream.patience)
  repeat
    local result = check()
    if result then
      return result
    end
    socket.sleep(0.003)
  until socket.gettime() > ends
  return nil
end

---- configuration ----

local function lua_text(v, indent)
  if type(v) == "string" then
    return ("%q"):format(v)
  elseif type(v) ~= "table" then
    return tostring(v)
  end
  local parts, inner = {}, indent .. "  "
  for i, member in ipairs(v) do
    parts[i] = inner .. lua_text(member, inner) .. ",\n"
  end
  for k, member in pairs(v) do
    if type(k) == "string" then
      parts[#parts + 1] = ("%s[%q] = %s,\n"):format(inner, k, lua_text(member, inner))
    end
  end
  return "{\n" .. table.concat(parts) .. indent .. "}"
end

--- The text of a configuration file that holds the table.
function daemon.config_text(config)
  return "return " .. lua_text(config, "") .. "\n"
end

--- A program of the specs' own, written in Lua, started like the router; ready when its log says
-- so.
function daemon.start_lua(script, ...)
  local words = { os.getenv("PWD") .. "/" .. script, ... }
  for i, word in ipairs(words) do
    words[i] = quote(tostring(word))
  end
  local self = daemon.spawn {
    program = "lua5.4",
    flags = table.concat(words, " "),
    environment = "LUA_PATH=" .. quote(os.getenv("PWD") .. "/spec/support/?.lua;;"),
  }
  self:wait_for_log("ready")
  return self
end

--- A certificate that signs itself, made once a process: paths of certificate and key.
local certificate
function daemon.certificate()
  if not certificate then
    local base = daemon.folder()
    certificate = { cert = base .. "/cert.pem", key = base .. "/key.pem" }
    assert(os.execute(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
      .. "-subj /CN=localhost -days 2 -keyout %s -out %s >%s/openssl.log 2>&1"):format(
      quote(certificate.key), quote(certificate.cert), quote(base))))
  end
  return certificate
end

---- life ----

-- The wrapper's standard input is a pipe from this process: when that ends, for whatever reason,
-- so does the program. The exit code goes to a file, written under another name first.
local wrapper = [[
cd %s || exit 1
exec 3<&0 2>shell.log
%s %s </dev/null 3<&- >out 2>log &
pid=$!
echo $pid >pid.new && mv pid.new pid
(read -r _ <&3; kill -KILL $pid) 2>/dev/null &
watch=$!
wait $pid
echo $? >code.new && mv code.new code
kill $watch 2>/dev/null
]]

--- Starts the program and does not wait for it. `options`: config (table or text), flags (text),
-- environment (assignments for env), program.
function daemon.spawn(options)
  local program = options.program or os.getenv("NEXUSD")
  assert(program, "set NEXUSD to the program under test")
  local self = setmetatable({ folder = options.folder or new_folder() }, Daemon)
  local flags = options.flags or ""
  if options.config then
    local text = options.config
    if type(text) == "table" then
      text = daemon.config_text(text)
    end
    write_file(self.folder .. "/nexusd.lua", text)
    flags = "--config nexusd.lua " .. flags
  end
  -- What the interpreter of the specs needs under a sanitizer is not for the router.
  local command = ("exec env %s %s %s"):format(os.getenv "NEXUSD_ENVIRONMENT" or "",
    options.environment or "", quote(program))
  running = running + 1
  self.pipe = assert(io.popen(wrapper:format(quote(self.folder), command, flags), "w"))
  local pid = daemon.eventually(function() return read_file(self:path("pid")) end)
  self.pid = tonumber(pid) or error("the shell did not start the program")
  return self
end

function Daemon:path(name)
  return self.folder .. "/" .. name
end

function Daemon:log()
  return read_file(self:path("log")) or ""
end

function Daemon:out()
  return read_file(self:path("out")) or ""
end

--- The exit code as a shell gives it (137 after SIGKILL); nil while the program runs.
function Daemon:code()
  return tonumber(read_file(self:path("code")))
end

--- Waits for the log line with that id; returns it.
function Daemon:wait_for_log(id)
  local pattern = "[^\n]*%f[%w-]" .. id:gsub("%-", "%%-") .. "%f[^%w-][^\n]*"
  local line = daemon.eventually(function()
    return self:log():match(pattern) or self:code() and "ended"
  end)
  if not line or line == "ended" then
    line = self:log():match(pattern)
  end
  return line or error(("no log line %q in:\n%s"):format(id, self:log()), 2)
end

--- Starts the program and waits until it serves.
function daemon.start(options)
  local self = daemon.spawn(options)
  self:wait_for_log("ready")
  self.addresses = {}
  for line in self:log():gmatch("[^\n]+") do
    local address = line:find("%f[%w]listening%f[%W]") and line:match("address=(%S+)")
    if address then
      self.addresses[#self.addresses + 1] = (address:gsub('^"(.*)"$', "%1"))
    end
  end
  return self
end

--- The real address of a listener, in the order of the configuration.
function Daemon:address(index)
  return self.addresses[index or 1] or error("no listener number " .. (index or 1), 2)
end

function Daemon:port(index)
  return tonumber(self:address(index):match(":(%d+)$"))
end

--- Resident memory in KiB.
function Daemon:rss()
  local status = read_file(("/proc/%d/status"):format(self.pid))
  return status and tonumber(status:match("VmRSS:%s*(%d+)"))
end

--- Seconds of processor time used so far.
function Daemon:cpu_time()
  local stat = read_file(("/proc/%d/stat"):format(self.pid)):match("%) (.*)")
  local fields = {}
  for field in stat:gmatch("%S+") do
    fields[#fields + 1] = field
  end
  return (tonumber(fields[12]) + tonumber(fields[13])) / 100
end

function Daemon:signal(name)
  assert(not self:code(), "the program has ended already")
  self.is_told = self.is_told or name == "TERM" or name == "INT"
  assert(os.execute(("kill -%s %d"):format(name, self.pid)))
end

local reports = {
  "AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "UndefinedBehavior", "runtime error:",
  "check failed",
}

function Daemon:assert_clean()
  local log = self:log()
  for _, words in ipairs(reports) do
    local at = log:find(words, 1, true)
    if at then
      error(("the program complains:\n%s"):format(log:sub(math.max(1, at - 500), at + 6000)), 0)
    end
  end
end

--- Waits for the end and returns the exit code.
function Daemon:wait()
  local code = daemon.eventually(function() return self:code() end)
  if not code then
    error("the program does not end; its log:\n" .. self:log(), 2)
  end
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
  end
  return code
end

--- Waits for an end that is clean.
function Daemon:finish()
  local code = self:wait()
  self:assert_clean()
  assert(code == 0, ("the program ended with code %d; its log:\n%s"):format(code, self:log()))
  running = running - 1
end

--- SIGTERM (or another signal), unless it was told to end already; the end must be clean.
function Daemon:stop(signal)
  if not self.pipe then
    return
  end
  if not self:code() and not self.is_told then
    self:signal(signal or "TERM")
  end
  self:finish()
end

function Daemon:kill()
  if not self:code() then
    self:signal("KILL")
  end
  self:wait()
  self:assert_clean()
  running = running - 1
end

---- its own words about itself ----

--- One HTTP request on a listener: status, body, headers.
function Daemon:http(request, index)
  local bytes = assert(stream.open { port = self:port(index) })
  assert(bytes:write(request))
  local status, headers = framing.http_head(bytes)
  local body
  if headers and headers["content-length"] then
    body = bytes:read(tonumber(headers["content-length"]))
  else
    body = bytes:read_all()
  end
  bytes:close()
  return status, body, headers
end

--- The status page as a table.
function Daemon:status(index)
  local status, body = self:http(
    "GET /status.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", index)
  assert(status == 200, "no status page: " .. tostring(status))
  return json.decode(body)
end

return daemon

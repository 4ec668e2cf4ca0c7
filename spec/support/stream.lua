--- Byte streams for the test client: TCP, unix sockets, and TLS on top of TCP.
--
-- Sockets never block: everything that waits does so in select, with a deadline that only bounds
-- how long a failure takes.
-- SPDX-License-Identifier: MIT
local socket = require "socket"
local ssl = require "ssl"
local unix = require "socket.unix"

local Stream = {}
Stream.__index = Stream

local stream = {}

--- Seconds after which a wait counts as failed. Generous, since sanitizers slow everything down.
stream.patience = tonumber(os.getenv("NEXUS_PATIENCE") or "30")

local function wait(sock, to_read, to_write, ends)
  local left = ends - socket.gettime()
  if left <= 0 then
    return false
  end
  local reading = to_read and { sock } or nil
  local writing = to_write and { sock } or nil
  local readable, writable = socket.select(reading, writing, left)
  return readable[sock] ~= nil or writable[sock] ~= nil
end

local function handshake(sock, ends)
  while true do
    local done, why = sock:dohandshake()
    if done then
      return sock
    elseif why ~= "wantread" and why ~= "wantwrite" and why ~= "timeout" then
      return nil, why
    elseif not wait(sock, why ~= "wantwrite", why == "wantwrite", ends) then
      return nil, "no answer to the TLS handshake"
    end
  end
end

local tls_parameters = {
  mode = "client",
  protocol = "any",
  verify = "none",
  options = { "all", "no_sslv2", "no_sslv3" },
}

local function open_socket(options)
  local sock, done, why
  if options.path then
    sock = unix.stream()
    done, why = sock:connect(options.path)
  elseif (options.host or "127.0.0.1"):find(":", 1, true) then
    sock = socket.tcp6()
    sock:settimeout(stream.patience)
    done, why = sock:connect(options.host, options.port)
  else
    sock = socket.tcp()
    sock:settimeout(stream.patience)
    if options.receive_buffer then
      -- Has an effect on the window only before the connection is made.
      sock:setoption("recv-buffer-size", options.receive_buffer)
    end
    if options.from then
      assert(sock:bind(options.from, 0))
    end
    done, why = sock:connect(options.host or "127.0.0.1", options.port)
  end
  if not done then
    return nil, why
  end
  if not options.path then
    sock:setoption("tcp-nodelay", true)
  end
  return sock
end

--- Connects: `options` has `port` (and `host`) or `path`; `tls` is true or a table of lua-sec
-- parameters, and `server_name` for SNI; `from` is the address to come from. Returns nil and a
-- reason when the other side refuses.
function stream.open(options)
  local sock, why = open_socket(options)
  if not sock then
    return nil, why
  end
  if options.tls then
    local parameters = {}
    for k, v in pairs(tls_parameters) do
      parameters[k] = v
    end
    for k, v in pairs(type(options.tls) == "table" and options.tls or {}) do
      parameters[k] = v
    end
    sock, why = ssl.wrap(sock, parameters)
    if not sock then
      return nil, why
    end
    if parameters.server_name then
      sock:sni(parameters.server_name)
    end
    sock:settimeout(0)
    sock, why = handshake(sock, socket.gettime() + stream.patience)
    if not sock then
      return nil, why
    end
  end
  sock:settimeout(0)
  return setmetatable({
    sock = sock, buffer = "", at_end = false, is_tls = options.tls and true or false,
  }, Stream)
end

--- Takes what has arrived, without waiting. True when there was something.
function Stream:fill()
  if self.at_end then
    return false
  end
  local bytes, why, partial = self.sock:receive(262144)
  bytes = bytes or partial or ""
  if why and why ~= "timeout" and why ~= "wantread" and why ~= "wantwrite" then
    self.at_end = true
    self.why = why
  end
  if #bytes > 0 then
    self.buffer = self.buffer .. bytes
  end
  return #bytes > 0
end

--- Waits until something arrived or the stream ended. False when time is up.
function Stream:wait(ends)
  while not self:fill() and not self.at_end do
    if not wait(self.sock, true, false, ends) then
      return false
    end
  end
  return true
end

--- Writes everything. What the other side sends meanwhile is taken in, so that two sides that
-- write at once do not wait for each other. False when the stream ended or time is up.
function Stream:write(bytes)
  if not self.sock then
    return false, "closed"
  end
  local ends = socket.gettime() + stream.patience
  local from = 1
  while from <= #bytes do
    local last, why, partial = self.sock:send(bytes, from)
    from = (last or partial or from - 1) + 1
    if not last then
      if why ~= "timeout" and why ~= "wantwrite" and why ~= "wantread" then
        -- lua-sec may never return from reading after a failed write.
        self.at_end = self.at_end or self.is_tls
        return false, why
      end
      if not self.is_deaf then
        self:fill()
      end
      if not wait(self.sock, not self.is_deaf, true, ends) then
        return false, "the other side does not read"
      end
    end
  end
  return true
end

--- Writes as much as fits, without waiting; returns how many octets.
function Stream:write_some(bytes)
  local last, why, partial = self.sock:send(bytes)
  if not last and why ~= "timeout" and why ~= "wantwrite" then
    return nil, why
  end
  return last or partial or 0
end

--- Exactly `count` octets, or nil at the end of the stream or when time is up.
function Stream:read(count, ends)
  ends = ends or socket.gettime() + stream.patience
  while #self.buffer < count do
    if self.at_end or not self:wait(ends) then
      return nil
    end
  end
  local bytes = self.buffer:sub(1, count)
  self.buffer = self.buffer:sub(count + 1)
  return bytes
end

--- Everything up to and including `mark`.
function Stream:read_until(mark, ends)
  ends = ends or socket.gettime() + stream.patience
  while true do
    local _, last = self.buffer:find(mark, 1, true)
    if last then
      return self:read(last)
    elseif self.at_end or not self:wait(ends) then
      return nil
    end
  end
end

--- Everything up to the end of the stream; nil when it does not end.
function Stream:read_all()
  local ends = socket.gettime() + stream.patience
  while not self.at_end do
    if not self:wait(ends) then
      return nil
    end
  end
  local bytes = self.buffer
  self.buffer = ""
  return bytes
end

function Stream:close()
  if self.sock then
    self.sock:close()
    self.at_end = true
    self.sock = nil
  end
end

return stream

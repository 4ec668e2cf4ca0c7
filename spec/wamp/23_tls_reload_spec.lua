--- TLS: new certificates while the router runs.
-- SPDX-License-Identifier: MIT
local certificates = require "certificates"
local conformance = require "conformance"
local daemon = require "daemon"
local stream = require "stream"
local wamp = require "wamp"

local SESSIONS = 1000

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function copy(from, to)
  local file = assert(io.open(to, "w"))
  file:write(type(from) == "table" and from.text or read_file(from))
  file:close()
end

local first, second = certificates.issue "first", certificates.issue "second"
local ca, other_ca = certificates.issue "CA-1", certificates.issue "CA-2"
local alice = certificates.issue("alice-1", ca)
local cert, key = daemon.folder() .. "/live.pem", daemon.folder() .. "/live.key"
local client_ca = daemon.folder() .. "/live-ca.pem"

local function install(pair)
  copy(pair.certificate, cert)
  copy(pair.key, key)
end

install(first)
copy(ca.certificate, client_ca)

for workers = 1, 2 do
  conformance.with_router(("Certificates of a router with %d workers"):format(workers), {
    workers = workers,
    certificate_check = 0, -- here only signals count
    listen = {
      { address = "tls://127.0.0.1:0", tls = { cert = cert, key = key } },
      { address = "tls://127.0.0.1:0", tls = { cert = cert, key = key, client_ca = client_ca,
        client_certificate = "required" } },
    },
  }, function(router)
    local function shown()
      local bytes = assert(stream.open { port = router():port(1), tls = true })
      local pem = bytes.sock:getpeercertificate():pem()
      bytes:close()
      return (pem:gsub("%s", ""))
    end

    --- Waits until new connections are shown that certificate, whatever worker has them.
    local function expect_shown(pair)
      local expected = read_file(pair.certificate):gsub("%s", "")
      assert.truthy(daemon.eventually(function()
        for _ = 1, 10 do
          if shown() ~= expected then
            return false
          end
        end
        return true
      end), "another certificate is shown")
    end

    local function reload(expected)
      local from = #router():log() + 1
      router():signal("HUP")
      return daemon.eventually(function()
        local lines = select(2, router():log():sub(from):gsub(expected .. "[^\n]*\n", ""))
        return lines == 2 and router():log():sub(from)
      end) or error("no two lines of " .. expected .. " in:\n" .. router():log():sub(from))
    end

    before_each(function()
      install(first)
      copy(ca.certificate, client_ca)
      reload "tls%-reloaded"
      expect_shown(first)
    end)

    it("change under live sessions", function()
      local sessions = {}
      for i = 1, SESSIONS do
        sessions[i] = wamp.connect { transport = i % 2 == 0 and "wss" or "rawsocket_tls",
          serializer = "cbor", port = router():port(1) }
        sessions[i]:join("realm1")
      end
      install(second)
      reload "tls%-reloaded"
      expect_shown(second)
      local subscription = sessions[1]:subscribe("spec.reload")
      for i = 2, SESSIONS do
        sessions[i]:publish("spec.reload", { i })
        sessions[1]:expect_event(subscription, { i })
      end
    end)

    it("stay when the new ones are bad, and the log says why", function()
      copy(second.key, key)
      local log = reload "tls%-not%-reloaded"
      assert.truthy(log:find(("private key %s: does not belong to the certificate"):format(key), 1,
        true), log)
      expect_shown(first)
      copy({ text = "no certificate\n" }, cert)
      log = reload "tls%-not%-reloaded"
      assert.truthy(log:find(("certificate %s: "):format(cert), 1, true), log)
      expect_shown(first)
      assert(os.remove(cert))
      log = reload "tls%-not%-reloaded"
      assert.truthy(log:find(("certificate %s: No such file or directory"):format(cert), 1, true),
        log)
      expect_shown(first)
    end)

    it("of clients are judged by the new CA", function()
      local function is_in()
        local done, result = pcall(function()
          local peer = wamp.try_connect { transport = "wss", serializer = "json",
            port = router():port(2), tls = { certificate = alice.certificate, key = alice.key } }
          peer:join("realm1")
          peer:drop()
          return true
        end)
        return done and result
      end
      assert.is_true(is_in())
      copy(other_ca.certificate, client_ca)
      reload "tls%-reloaded"
      assert.truthy(daemon.eventually(function()
        return not is_in() and not is_in() and not is_in() and not is_in()
      end))
    end)
  end)
end

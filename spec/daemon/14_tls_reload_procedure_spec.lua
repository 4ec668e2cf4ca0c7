-- The procedure nexus.tls.reload: administrators have certificates read again, and hear of it.
-- SPDX-License-Identifier: MIT
local certificates = require "certificates"
local daemon = require "daemon"
local json = require "json"
local policies = require "policies"
local stream = require "stream"
local wamp = require "wamp"

local first, second = certificates.issue "call-1", certificates.issue "call-2"
local cert, key = daemon.folder() .. "/call.pem", daemon.folder() .. "/call.key"

local function read(path)
  return assert(io.open(path, "rb")):read("a")
end

local function install(pair)
  for from, to in pairs { [pair.certificate] = cert, [pair.key] = key } do
    local file = assert(io.open(to, "wb"))
    file:write(read(from))
    file:close()
  end
end

local policy = [[
local policy <const> = { api = 1, authenticate = {}, roles = {} }
local roles <const> = { alice = "admin", bob = "user" }
function policy.authenticate.ticket(hello)
  return { authrole = roles[hello.authid], ticket = "t" }
end
policy.roles.admin = { { allow = "call", uri = "nexus.tls.reload" } }
policy.roles.user = { { allow = "*", uri = "**" } }
return policy
]]

for _, workers in ipairs { 1, 2 } do
  describe(("nexus.tls.reload with %d workers"):format(workers), function()
    local nexusd, audit

    before_each(function()
      install(first)
      audit = os.tmpname()
      local config = policies.config(policy, { workers = workers })
      config.listen = { "127.0.0.1:0", { address = "tls://127.0.0.1:0",
        tls = { cert = cert, key = key } } }
      config.certificate_check, config.audit = 0, { file = audit }
      nexusd = daemon.start { config = config }
    end)

    after_each(function()
      wamp.close_all()
      nexusd:stop()
      os.remove(audit)
    end)

    local function login(authid)
      local client = policies.connect(nexusd)
      policies.login_ticket(client, authid, "t")
      return client
    end

    local function shows(pair)
      local bytes = assert(stream.open { port = nexusd:port(2), tls = true })
      local pem = bytes.sock:getpeercertificate():pem():gsub("%s", "")
      bytes:close()
      return pem == read(pair.certificate):gsub("%s", "")
    end

    it("shows new certificates and answers with their number", function()
      local alice = login "alice"
      install(second)
      assert.is_true(shows(first))
      alice:expect_result(alice:call "nexus.tls.reload", { 1 })
      assert(daemon.eventually(function() return shows(second) end))
      local found = daemon.eventually(function()
        for line in io.lines(audit) do
          local entry = json.decode(line)
          if entry.event == "reload" then
            return entry
          end
        end
      end)
      assert.same({ "tls", "session " .. alice.session, "ok" },
        { found.what, found.by, found.result })
    end)

    it("answers with what is wrong, and keeps what there was", function()
      local alice = login "alice"
      assert(os.remove(key))
      local error = alice:call "nexus.tls.reload"
      local words = alice:expect { wamp.ERROR, wamp.CALL, error, {}, "nexus.error.reload_failed",
        { wamp.capture(wamp.any) } }
      assert.matches("private key .-/call%.key: No such file or directory", words)
      assert.is_true(shows(first))
    end)

    it("answers each of many calls", function()
      local alice = login "alice"
      local open = {}
      for _ = 1, 50 do
        open[alice:call "nexus.tls.reload"] = true
      end
      local done = 0
      for _ = 1, 50 do
        local message = alice:receive()
        local request = message[1] == wamp.RESULT and message[2] or message[3]
        assert.is_true(open[request])
        open[request] = nil
        done = done + (message[1] == wamp.RESULT and 1 or 0)
        assert(message[1] == wamp.RESULT or message[5] == "wamp.error.unavailable")
      end
      assert(done >= 1)
    end)

    it("is for administrators", function()
      local bob = login "bob"
      bob:expect_error(wamp.CALL, bob:call "nexus.tls.reload", "wamp.error.not_authorized")
    end)

    it("may have nobody left to answer", function()
      for _ = 1, 10 do
        local alice = login "alice"
        alice:call "nexus.tls.reload"
        alice:drop()
      end
      local alice = login "alice"
      assert(daemon.eventually(function()
        alice:call "nexus.tls.reload"
        return alice:receive()[1] == wamp.RESULT
      end))
    end)
  end)
end

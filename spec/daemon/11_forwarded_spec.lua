-- Options trusted_proxies and forwarded_header: policies and the audit log see who is behind one.
-- How the headers are read is in spec/net/forwarded_test.c.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local json = require "json"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
return { api = 1,
  authenticate = { anonymous = function() return { authrole = "guest" } end },
  admit = function(session) return session.transport.ip == "2001:db8::7" end,
  roles = { guest = {} },
}
]]

describe("who is behind a proxy", function()
  local nexusd, audit

  local function start(listen)
    local config = policies.config(policy)
    listen.address = "127.0.0.1:0"
    audit = os.tmpname()
    config.listen, config.audit = { listen }, { file = audit }
    nexusd = daemon.start { config = config }
  end

  local function hello(headers)
    local client = wamp.connect { transport = "ws", serializer = "json", port = nexusd:port(),
      headers = headers }
    policies.hello(client)
    return client
  end

  local function addresses()
    local list = {}
    for line in io.lines(audit) do
      local entry = json.decode(line)
      list[#list + 1] = entry.event .. " " .. tostring(entry.address):gsub(":%d+$", "")
    end
    return list
  end

  after_each(function()
    wamp.close_all()
    nexusd:stop()
    os.remove(audit)
  end)

  it("is who the proxy names", function()
    start { trusted_proxies = { "127.0.0.1", "10.0.0.0/8" } }
    policies.expect_welcome(hello { ["X-Forwarded-For"] = "192.0.2.1, 2001:db8::7, 10.0.0.1" })
    hello { ["X-Forwarded-For"] = "2001:db8::7, 192.0.2.1" }:receive()
    assert(daemon.eventually(function() return #addresses() == 2 end))
    assert.same({ "join tcp6:[2001:db8::7]", "refuse tcp4:192.0.2.1" }, addresses())
    local ok, status = wamp.try_connect { transport = "ws", serializer = "json",
      port = nexusd:port(), headers = { ["X-Forwarded-For"] = "not an address" } }
    assert.same({ nil, 400 }, { ok, status })
    assert.matches("bad%-forwarded%-header .* peer=tcp4:127%.0%.0%.1:%d+", nexusd:log())
  end)

  it("may be named as RFC 7239 has it", function()
    start { trusted_proxies = { "127.0.0.1" }, forwarded_header = "forwarded" }
    policies.expect_welcome(hello { Forwarded = 'for="[2001:db8::7]:4711";proto=https' })
  end)

  it("is nobody else's to say", function()
    start { trusted_proxies = { "10.0.0.0/8" } }
    hello { ["X-Forwarded-For"] = "2001:db8::7" }:receive()
    assert(daemon.eventually(function() return #addresses() == 1 end))
    assert.same({ "refuse tcp4:127.0.0.1" }, addresses())
  end)
end)

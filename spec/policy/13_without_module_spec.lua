-- Policies that never say require "nexus" get the same objects as others.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
return { api = 1,
  attributes = { org = "string" },
  authenticate = {
    anonymous = function(hello)
      return { authrole = "user", attributes = { org = hello.transport.type } }
    end,
  },
  admit = function(session) return session.transport.ip == "127.0.0.1" and session.org ~= "x" end,
  on_join = function(session) session.vars.seen = session.authid end,
  roles = { user = { { ask = "call", uri = "com.acme.**" } } },
  authorize = function(request)
    return request.session:has("org", "websocket") and request.session.vars.seen ~= nil
  end,
  procedures = {
    ["com.acme.who"] = function(call) return call.caller.authrole, call.uri end,
  },
}
]]

describe("a policy without the module", function()
  local nexusd

  before_each(function() nexusd = policies.start(policy) end)
  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  it("has sessions, requests and calls all the same", function()
    local client = policies.connect(nexusd)
    policies.hello(client)
    policies.expect_welcome(client)
    client:send { 48, 1, {}, "com.acme.who" }
    client:expect { 50, 1, {}, { "user", "com.acme.who" } }
  end)
end)

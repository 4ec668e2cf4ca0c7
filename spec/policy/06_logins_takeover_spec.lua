-- One session per user: the login that comes last takes over.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }

function policy.authenticate.ticket(hello)
  return { authrole = "user", ticket = "ticket of " .. hello.authid }
end

policy.limits = { { action = "session", per = "authid", max = 1, over = "replace_oldest" } }
policy.roles.user = { { allow = "*", uri = "com.acme.**" } }
return policy
]]

for _, workers in ipairs { 1, 2 } do
  describe(("one session per user, with %d workers:"):format(workers), function()
    local nexusd

    before_each(function() nexusd = policies.start(policy, { workers = workers }) end)
    after_each(function()
      wamp.close_all()
      nexusd:stop()
    end)

    --- Several connections, so that both workers have some.
    local function login(authid)
      local client = policies.connect(nexusd)
      policies.login_ticket(client, authid, "ticket of " .. authid)
      return client
    end

    local function is_there(client)
      client.last_id = client.last_id + 1
      client:send { wamp.SUBSCRIBE, client.last_id, {}, "com.acme.x" }
      return client:receive()[1] == wamp.SUBSCRIBED
    end

    it("the last one takes over, and the one before is told", function()
      local other, before = login "bob", nil
      for _ = 1, 8 do
        local client = login "alice"
        if before then
          before:expect { wamp.GOODBYE, wamp.including {}, "wamp.close.killed" }
          before:send { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
          before:expect_closed()
        end
        assert.is_true(is_there(client))
        before = client
      end
      assert.is_true(is_there(other))
    end)

    it("who does not prove to be that user takes over nothing", function()
      local alice = login "alice"
      for _ = 1, 3 do
        local client = policies.connect(nexusd)
        policies.try_ticket(client, "alice", "guessed")
        client:expect { wamp.ABORT, wamp.any, "wamp.error.authentication_denied" }
        policies.hello(policies.connect(nexusd), { authmethods = { "ticket" }, authid = "alice" })
      end
      assert.is_true(is_there(alice))
    end)

    it("of many at once one is left", function()
      local clients = {}
      for i = 1, 10 do
        clients[i] = policies.connect(nexusd)
        policies.hello(clients[i], { authmethods = { "ticket" }, authid = "alice" })
        clients[i]:expect { wamp.CHALLENGE, "ticket", wamp.any }
      end
      for _, client in ipairs(clients) do
        client:send { wamp.AUTHENTICATE, "ticket of alice", {} }
      end
      local left = 0
      for _, client in ipairs(clients) do
        policies.expect_welcome(client)
      end
      for _, client in ipairs(clients) do
        left = left + (is_there(client) and 1 or 0)
      end
      assert.equal(1, left)
    end)
  end)
end

--- policy.limits, .expose and .filterable, over the wire.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local wamp = require "wamp"

local limited = "nexus.error.rate_limited"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string", seat = "string" } }

policy.roles = {
  user = { { allow = "*", uri = "**" } },
  guest = { { allow = "*", uri = "**" } },
}
policy.limits = {
  { action = "publish", role = "guest", per = "session", rate = 0.01, burst = 2, over = "deny" },
  { action = "call", uri = "com.slow.**", per = "authid", rate = 5, burst = 1, over = "wait" },
  { action = "subscribe", uri = "com.once.**", per = "realm", rate = 0.01, over = "close" },
  { action = "session", per = "seat", max = 1, over = "replace_oldest" },
  { action = "session", role = "guest", per = "ip", max = 3 },
}
policy.expose = { "org" }
policy.filterable = { "org" }

function policy.authenticate.anonymous(hello)
  return { authrole = "guest", attributes = { org = "acme", seat = hello.authid } }
end
function policy.authenticate.ticket(hello)
  return { authrole = "user", ticket = "t", attributes = { org = "acme", seat = hello.authid } }
end

return policy
]]

describe("Limits of a policy", function()
  local nexusd

  before_each(function()
    nexusd = policies.start(policy)
  end)

  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  local function guest()
    local client = policies.connect(nexusd)
    policies.hello(client, { authid = "seat" .. math.random(1 << 30) })
    return client
  end

  local function alice(authid)
    local client = policies.connect(nexusd)
    policies.login_ticket(client, authid or "alice", "t")
    return client
  end

  it("deny, and tell when to try again", function()
    local client = guest()
    policies.expect_welcome(client)
    for _ = 1, 2 do
      client:send { wamp.PUBLISH, client:next_id(), { acknowledge = true }, "com.x" }
      client:expect { wamp.PUBLISHED, client.last_id, wamp.id }
    end
    client:send { wamp.PUBLISH, client:next_id(), { acknowledge = true }, "com.x" }
    local kwargs = client:expect { wamp.ERROR, wamp.PUBLISH, client.last_id, {}, limited,
      wamp.rest, wamp.capture(wamp.including {}) }
    assert.is_true(kwargs.retry_after > 90 and kwargs.retry_after <= 100)
  end)

  it("let requests wait in their order", function()
    local client = alice()
    for _ = 1, 3 do
      client:send { wamp.CALL, client:next_id(), {}, "com.slow.x" }
    end
    client:send { wamp.SUBSCRIBE, client:next_id(), {}, "com.x" }
    local began = os.time()
    for i = 1, 3 do
      client:expect_error(wamp.CALL, i, "wamp.error.no_such_procedure")
    end
    client:expect { wamp.SUBSCRIBED, 4, wamp.id }
    assert.is_true(os.time() - began < 5)
  end)

  it("end a session", function()
    local client = alice()
    client:subscribe "com.once.x"
    client:send { wamp.SUBSCRIBE, client:next_id(), {}, "com.once.y" }
    client:expect { wamp.GOODBYE, wamp.including {}, limited }
  end)

  it("end the oldest session, or let no more in", function()
    local first = alice()
    alice()
    first:expect { wamp.GOODBYE, wamp.including {}, "wamp.close.killed" }
    for _ = 1, 3 do
      policies.expect_welcome(guest())
    end
    guest():expect { wamp.ABORT, wamp.including {}, limited }
  end)

  it("of what is shown and may be filtered by", function()
    local client, other = alice(), alice "bob"
    client:send { wamp.CALL, client:next_id(), {}, "wamp.session.get", { other.session } }
    local result = client:expect { wamp.RESULT, client.last_id, {}, wamp.capture { wamp.including {
      authid = "bob" } } }
    assert.equal("acme", result[1].org)
    assert.is_nil(result[1].seat)
    client:send { wamp.PUBLISH, client:next_id(), { acknowledge = true,
      eligible_org = { "acme" } }, "com.x" }
    client:expect { wamp.PUBLISHED, client.last_id, wamp.id }
    client:send { wamp.PUBLISH, client:next_id(), { acknowledge = true,
      eligible_seat = { "acme" } }, "com.x" }
    client:expect_error(wamp.PUBLISH, client.last_id, "wamp.error.option_not_allowed")
  end)
end)

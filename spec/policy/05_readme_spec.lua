--- The policy that the README shows does what it says there.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local readme, example = read_file("README.md"), read_file("examples/policy.lua")

describe("the README's policy", function()
  local nexusd

  setup(function()
    nexusd = daemon.start {
      flags = ("--realm realm1 --ws 127.0.0.1:0 --policy '%s/examples/policy.lua'"):format(
        os.getenv("PWD")),
    }
  end)

  teardown(function()
    wamp.close_all()
    nexusd:stop()
  end)

  it("is the one in examples/", function()
    assert.is_truthy(readme:find("\n```lua\n" .. example .. "```\n", 1, true))
  end)

  local function alice()
    local peer = policies.connect(nexusd)
    policies.login_ticket(peer, "alice", "wonderland")
    return peer
  end

  local function guest()
    local peer = policies.connect(nexusd)
    policies.hello(peer, { authmethods = { "anonymous" } })
    assert.equal("guest", policies.expect_welcome(peer).authrole)
    return peer
  end

  local function denied(peer, message)
    peer:send(message)
    peer:expect { wamp.ERROR, message[1], message[2], {}, "wamp.error.not_authorized", wamp.any }
  end

  it("lets members in by ticket, and nobody with a wrong one", function()
    assert.equal("member", alice().welcome.authrole)
    for authid, ticket in pairs { alice = "wrong", nobody = "wonderland" } do
      local peer = policies.connect(nexusd)
      policies.try_ticket(peer, authid, ticket)
      peer:expect { wamp.ABORT, wamp.any, "wamp.error.authentication_denied" }
    end
  end)

  it("lets guests listen to news, and do nothing else", function()
    local peer = guest()
    peer:subscribe "com.example.news.sports"
    peer:subscribe("com.example.news.", { match = "prefix" })
    denied(peer, { wamp.SUBSCRIBE, 3, { match = "prefix" }, "com.example" })
    denied(peer, { wamp.CALL, 4, {}, "com.example.time" })
  end)

  it("lets members publish for their own organisation, and call what is not for admins", function()
    local peer = alice()
    peer:send { wamp.PUBLISH, 1, { acknowledge = true }, "com.example.org.acme.x" }
    peer:expect { wamp.PUBLISHED, 1, wamp.id }
    denied(peer, { wamp.PUBLISH, 2, { acknowledge = true }, "com.example.org.other.x" })
    denied(peer, { wamp.CALL, 3, {}, "com.example.admin.x" })
    peer:send { wamp.CALL, 4, {}, "com.example.time" }
    peer:expect { wamp.ERROR, wamp.CALL, 4, {}, "wamp.error.no_such_procedure", wamp.any }
  end)

  it("asks about orders", function()
    local peer = alice()
    peer:send { wamp.CALL, 1, {}, "com.example.orders.7.pay" }
    peer:expect { wamp.ERROR, wamp.CALL, 1, {}, "wamp.error.no_such_procedure", wamp.any }
    peer:send { wamp.CALL, 2, {}, "com.example.orders.0.pay" }
    peer:expect { wamp.ERROR, wamp.CALL, 2, {}, "wamp.error.not_authorized",
      { "orders are for acme only" } }
  end)

  it("is refused with the words that the README shows when a key is wrong", function()
    local path = policies.write {
      ["policy.lua"] = 'local nexus <const> = require "nexus"\n'
        .. "local policy <const> = nexus.policy{ api = 1 }\n\n"
        .. "function policy.authorise() return true end\nreturn policy\n",
    }
    local shown = readme:match("%$ nexusd check acme/policy%.lua\n(.-)```")
    local check = daemon.spawn { flags = "check acme/policy.lua", folder = path:match "(.*)/" }
    assert.equal(78, check:wait())
    assert.equal(shown, check:out() .. check:log())
  end)
end)

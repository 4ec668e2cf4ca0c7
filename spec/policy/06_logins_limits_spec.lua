--- Logins that fail again and again, or are never finished: late answers, bounds, and that others
-- still get in.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local socket = require "socket"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local hash <const> =
  "$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ$ZfSwzHwgKdDv4HOgkKAwNyZMYR0ss30ryZYrTGA9ZF8"

function policy.authenticate.ticket(hello)
  if hello.authid:match("^slow") then
    return { authrole = "user", ticket_hash = hash }
  end
  return hello.authid ~= "nobody" and { authrole = "user", ticket = "right" } or nil
end

function policy.authenticate.wampcra(hello)
  return { authrole = "user", secret = "right" }
end

policy.roles.user = {}
return policy
]]

local words = "ticket: the credentials are not accepted"

describe("failed logins", function()
  local nexusd

  local function start(max_delay)
    nexusd = policies.start(policy, { workers = 2, logins = { free_failures = 2,
      max_delay = max_delay } })
  end

  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  local function connect(from)
    return wamp.connect { transport = "ws", serializer = "json", port = nexusd:port(),
      from = from or "127.0.0.1" }
  end

  --- How long it takes to be refused.
  local function fails(authid, from, realm)
    local client = connect(from)
    policies.hello(client, { authmethods = { "ticket" }, authid = authid }, realm)
    client:expect { wamp.CHALLENGE, "ticket", wamp.any }
    local began = socket.gettime()
    client:send { wamp.AUTHENTICATE, "wrong", {} }
    client:expect_abort("wamp.error.authentication_denied", words)
    return socket.gettime() - began
  end

  it("of an address are answered late, and later; success is not", function()
    start "600ms"
    for i = 1, 2 do
      fails("user" .. i)
    end
    assert.is_true(fails "user3" >= 0.24)
    assert.is_true(fails "nobody" >= 0.49)
    assert.is_true(fails "user5" >= 0.59)
    -- others are not concerned
    local began = socket.gettime()
    for i = 1, 2 do
      fails("user" .. 5 + i, "127.0.0.2")
    end
    policies.login_ticket(connect(), "user1", "right")
    assert.is_true(socket.gettime() - began < 0.5)
  end)

  it("of an address count in all realms, those of an authid in one", function()
    local config = policies.config(policy, { workers = 2, logins = { free_failures = 2,
      max_delay = "600ms" } })
    config.realms["com.acme.other"] = config.realms.realm1
    nexusd = require "daemon".start { config = config }
    fails "user1"
    fails("user2", nil, "com.acme.other")
    assert.is_true(fails "user3" >= 0.24)
    assert.is_true(fails("user4", nil, "com.acme.other") >= 0.49)
    local began = socket.gettime()
    for i = 2, 4 do
      fails("alice", "127.0.0." .. i, i == 2 and "com.acme.other" or nil)
    end
    assert.is_true(socket.gettime() - began < 0.2)
  end)

  it("of an authid are answered late, until it gets in", function()
    start "600ms"
    for i = 1, 2 do
      fails("alice", "127.0.0." .. i)
    end
    assert.is_true(fails("alice", "127.0.0.3") >= 0.24)
    policies.login_ticket(connect "127.0.0.4", "alice", "right")
    -- it begins anew
    local began = socket.gettime()
    fails("alice", "127.0.0.5")
    assert.is_true(socket.gettime() - began < 0.2)
  end)

  it("gain nothing by being many at once, or by hanging up", function()
    start "8s"
    for i = 1, 6 do -- the next answer is due in 4 s, which is time enough for what follows
      fails("user" .. i)
    end
    local clients, refused = {}, 0
    for i = 1, 12 do
      clients[i] = connect()
      policies.hello(clients[i], { authmethods = { "ticket" }, authid = "user" .. i + 6 })
      clients[i]:expect { wamp.CHALLENGE, "ticket", wamp.any }
    end
    for i = 1, 4 do
      clients[i]:send { wamp.AUTHENTICATE, "wrong", {} }
      policies.login_ticket(connect "127.0.0.9", "probe", "right") -- it has been judged by now
      clients[i]:drop()
    end
    for i = 5, 12 do
      clients[i]:send { wamp.AUTHENTICATE, "right", {} }
    end
    for i = 5, 12 do
      clients[i]:expect_abort("wamp.error.authentication_failed",
        "^too many logins from this address have failed; try again later$")
      refused = refused + 1
    end
    assert.equal(8, refused)
    local late = connect()
    policies.hello(late, { authmethods = { "ticket" }, authid = "user1" })
    late:expect_abort("wamp.error.authentication_failed", "try again later")
    -- later it is looked at again, and others always were
    policies.login_ticket(connect "127.0.0.2", "user1", "right")
    assert.truthy(require "daemon".eventually(function()
      local client = connect()
      policies.hello(client, { authmethods = { "ticket" }, authid = "user1" })
      local message = client:receive()
      client:drop()
      return message[1] == wamp.CHALLENGE
    end))
  end)
end)

describe("logins that are not finished", function()
  local nexusd

  setup(function()
    nexusd = policies.start(policy, { workers = 2, realm = { max_joining = 100 } })
  end)

  teardown(function()
    nexusd:stop()
  end)

  after_each(function()
    wamp.close_all()
  end)

  local function connect(from)
    return wamp.connect { transport = "rawsocket", serializer = "json", port = nexusd:port(),
      from = from or "127.0.0.1" }
  end

  local function knock(from, method)
    local client = connect(from)
    policies.hello(client, { authmethods = { method or "ticket" }, authid = "half" })
    return client
  end

  it("of one address are no more than half of all", function()
    for i = 1, 50 do
      knock("127.0.0.1", i % 2 == 0 and "wampcra" or "ticket")
        :expect { wamp.CHALLENGE, wamp.any, wamp.any }
    end
    for _ = 1, 10 do
      knock():expect_abort("wamp.error.authentication_failed",
        "^too many sessions of this address are being opened at this time$")
    end
    for i = 2, 20 do
      policies.login_ticket(connect "127.0.0.2", "user" .. i, "right")
    end
  end)

  it("of all addresses keep nobody out", function()
    local before = nexusd:rss()
    for i = 1, 400 do
      knock("127.0.1." .. i % 200 + 1):expect { wamp.CHALLENGE, "ticket", wamp.any }
      if i % 20 == 0 then
        policies.login_ticket(connect "127.0.0.2", "user" .. i, "right")
      end
    end
    assert.is_true(nexusd:rss() - before < 64 << 20)
  end)

  it("but wait for a key to be derived keep no other address out", function()
    local flood = {}
    for i = 1, 50 do
      flood[i] = knock "127.0.0.3"
      flood[i]:drop()
      flood[i] = connect "127.0.0.3"
      policies.hello(flood[i], { authmethods = { "ticket" }, authid = "slow" .. i })
    end
    for i = 1, 50 do
      local message = flood[i]:receive()
      if message[1] == wamp.CHALLENGE then
        flood[i]:send { wamp.AUTHENTICATE, "wrong", {} }
      end
    end
    local client = connect "127.0.0.4"
    policies.try_ticket(client, "slow", "pw")
    client:expect { wamp.ABORT, wamp.any, "wamp.error.authentication_denied" }
    local waiting = 0
    for i = 1, 50 do
      flood[i].stream:fill()
      waiting = waiting + (#flood[i].stream.buffer == 0 and not flood[i].stream.at_end and 1 or 0)
    end
    assert.is_true(waiting > 0, "the flood was served first")
  end)
end)

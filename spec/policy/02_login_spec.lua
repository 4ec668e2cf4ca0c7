--- Who comes in: policies look up, the router verifies.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local wamp = require "wamp"

local key, pubkey = policies.make_key()

local policy = ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{
  api = 1,
  attributes = { org = "string", level = "integer", teams = "list" },
}

local users <const> = {
  alice = { authrole = "user", ticket = "wonder", attributes = { org = "acme", level = 3 } },
  bob = { authrole = "user", ticket = { "old", "new" }, authprovider = "book",
          extra = { hint = "hi" }, trustlevel = 5 },
  carl = { authrole = "user" },
  dora = { authrole = "user", ticket = "x", attributes = { ogr = "acme" } },
  emil = { authrole = "user", ticket = "x", attributes = { org = 5 } },
  fred = { authrole = "stranger", ticket = "x" },
  gina = { authrole = "user", ticket = "x", expires = 1000 },
  hugo = { authrole = "user", ticket_hash =
    "$pbkdf2-sha256$i=1000$c2FsdHNhbHQ$A+Pkljr7A4W/zbzUWSStAfjTCX2GWVTHwva2WigH9ow" },
}

function policy.authenticate.ticket(hello)
  if hello.authid == "locked" then
    return nexus.deny{ message = "account locked" }
  elseif hello.authid == "crash" then
    error("no such table")
  elseif hello.authid == "slow" then
    nexus.sleep(0.05)
    return { authrole = "user", ticket = "slow" }
  elseif hello.authid == "facts" then
    local t = hello.transport
    return { authrole = "user", ticket = "x", extra = { realm = hello.realm, method = hello.method,
      authid = hello.authid, ip = t.ip, kind = t.type, serializer = t.serializer,
      port = math.type(t.port), secure = t.secure, asked = hello.authextra.asked } }
  elseif hello.authid == "typo" then
    return hello.authidd
  end
  return users[hello.authid]
end

function policy.authenticate.wampcra(hello)
  return hello.authid == "alice" and { authrole = "user", secret = "cra-secret" } or nil
end

function policy.authenticate.cryptosign(hello)
  return hello.authid == "device" and { authrole = "user", pubkeys = "%s" } or nil
end

function policy.authenticate.scram(hello)
  return hello.authid == "sally" and %s or nil
end

function policy.authenticate.anonymous(hello)
  if hello.transport.ip == "127.0.0.1" then
    return { authrole = "guest" }
  end
end

policy.authenticate.magic = {
  challenge = function(hello)
    return { riddle = "2+3", who = hello.authid }
  end,
  verify = function(hello, signature, extra)
    if extra.shout then
      return nexus.deny{ error = "com.acme.error.noise", message = "do not shout" }
    end
    return signature == "5" and { authrole = "user", authid = "magician" } or nil
  end,
}

function policy.admit(session)
  if session.authid == "bob" and session.authmethod == "ticket" then
    assert(session.authrole == "user" and session.realm == "realm1" and session.trustlevel == 5)
    assert(session.authprovider == "book" and session.org == nil)
    assert(not session:has("org", nil) and session.transport.ip == "127.0.0.1")
  end
  if session.authid == "alice" and session.authmethod == "ticket" then
    assert(session.org == "acme" and session.level == 3 and session:has("org", "acme"))
    assert(not session:has("level", "3") and session:has("level", 3))
    assert(not session:has("teams", 1))
  end
  return session.authrole ~= "guest" or session.authid:match("^[%%w-]+$") ~= nil
end

policy.roles.user = { { allow = "*", uri = "com.acme.**" },
                      { allow = "call", uri = "wamp.session.get" } }
policy.roles.guest = {}
return policy
]]):format(pubkey, policies.scram_record("pencil", "saltsalt", 4096))

for _, workers in ipairs { 1, 2 } do
  describe(("a login with %d workers"):format(workers), function()
    local nexusd

    setup(function()
      nexusd = policies.start(policy, { workers = workers })
    end)

    teardown(function()
      nexusd:stop()
    end)

    after_each(function()
      wamp.close_all()
    end)

    local function connect(serializer)
      return policies.connect(nexusd, serializer)
    end

    local function refused(authid, ticket, uri, words)
      local client = connect()
      policies.try_ticket(client, authid, ticket)
      client:expect_abort(uri, words)
    end

    it("by ticket", function()
      for _, serializer in ipairs { "json", "msgpack", "cbor" } do
        local welcome = policies.login_ticket(connect(serializer), "alice", "wonder")
        assert.equal("alice", welcome.authid)
        assert.equal("user", welcome.authrole)
        assert.equal("ticket", welcome.authmethod)
        assert.equal("policy", welcome.authprovider)
      end
    end)

    it("by one of several tickets, with extra and provider", function()
      for _, ticket in ipairs { "old", "new" } do
        local welcome = policies.login_ticket(connect(), "bob", ticket)
        assert.equal("book", welcome.authprovider)
        assert.equal("hi", welcome.authextra.hint)
      end
    end)

    it("by a ticket that is stored as a hash", function()
      assert.equal("hugo", policies.login_ticket(connect(), "hugo", "pw").authid)
      refused("hugo", "wrong", "wamp.error.authentication_denied")
    end)

    it("is refused alike for the wrong ticket and for nobody", function()
      local words = "ticket: the credentials are not accepted"
      refused("alice", "wrong", "wamp.error.authentication_denied", words)
      refused("nobody", "wonder", "wamp.error.authentication_denied", words)
    end)

    it("waits for the policy", function()
      assert.equal("slow", policies.login_ticket(connect(), "slow", "slow").authid)
    end)

    it("is refused with the words of the policy", function()
      local client = connect()
      policies.hello(client, { authmethods = { "ticket" }, authid = "locked" })
      client:expect_abort("wamp.error.authentication_denied", "^account locked$")
    end)

    it("fails without details when the policy does", function()
      for _, authid in ipairs { "crash", "typo", "carl", "dora", "emil" } do
        local client = connect()
        policies.hello(client, { authmethods = { "ticket" }, authid = authid })
        client:expect { wamp.ABORT, wamp.any, "wamp.error.authentication_failed" }
      end
      local log = nexusd:log()
      assert.matches("acme/policy.lua:24: no such table", log, 1, true)
      assert.matches('no field of hello "authidd" (did you mean "authid"?)', log, 1, true)
      assert.matches("record for ticket: ticket: is missing", log, 1, true)
      assert.matches("attributes.ogr: policy.attributes does not declare it", log, 1, true)
      assert.matches("attributes.org: must be a string", log, 1, true)
    end)

    it("needs a role that there is, and time left", function()
      refused("fred", "x", "wamp.error.no_such_role")
      refused("gina", "x", "wamp.error.authentication_denied")
    end)

    it("tells the policy the facts", function()
      local client = connect("msgpack")
      policies.hello(client, { authmethods = { "ticket" }, authid = "facts",
        authextra = { asked = true } })
      policies.answer(client, "ticket", function() return "x" end)
      assert.same({ realm = "realm1", method = "ticket", authid = "facts", ip = "127.0.0.1",
        kind = "websocket", serializer = "msgpack", port = "integer", secure = false,
        asked = true }, policies.expect_welcome(client).authextra)
    end)

    it("by challenge-response", function()
      for _, secret in ipairs { "cra-secret", "wrong" } do
        local client = connect()
        policies.hello(client, { authmethods = { "wampcra" }, authid = "alice" })
        policies.answer(client, "wampcra", function(extra)
          return policies.sign_cra(secret, extra.challenge)
        end)
        if secret == "wrong" then
          client:expect_abort("wamp.error.authentication_denied")
        else
          assert.equal("wampcra", policies.expect_welcome(client).authmethod)
        end
      end
    end)

    it("challenges nobody as well", function()
      local client = connect()
      policies.hello(client, { authmethods = { "wampcra" }, authid = "nobody" })
      policies.answer(client, "wampcra", function(extra)
        assert.matches('"authid":%s*"nobody"', extra.challenge)
        return policies.sign_cra("x", extra.challenge)
      end)
      client:expect_abort("wamp.error.authentication_denied",
        "wampcra: the credentials are not accepted")
    end)

    it("by key", function()
      local client = connect()
      policies.hello(client, { authmethods = { "cryptosign" }, authid = "device",
        authextra = { pubkey = pubkey } })
      policies.answer(client, "cryptosign", function(extra)
        return policies.sign_key(key, extra.challenge)
      end)
      assert.equal("cryptosign", policies.expect_welcome(client).authmethod)
    end)

    it("by SCRAM, under both of its names", function()
      for _, try in ipairs { { "wamp-scram", "pencil" }, { "wamp-scram", "pen" } } do
        local method, password = try[1], try[2]
        local client = connect()
        local nonce = "cm9wck5HZndFYmVSV2diTkVrcU8="
        policies.hello(client, { authmethods = { method }, authid = "sally",
          authextra = { nonce = nonce } })
        local extra = client:expect { wamp.CHALLENGE, method, wamp.capture(wamp.including {}) }
        local proof, verifier = policies.sign_scram("sally", password, "saltsalt", nonce, extra)
        client:send { wamp.AUTHENTICATE, proof, { nonce = extra.nonce } }
        if password == "pencil" then
          local welcome = policies.expect_welcome(client)
          assert.equal(method, welcome.authmethod)
          assert.equal(verifier, welcome.authextra.verifier)
        else
          client:expect { wamp.ABORT, wamp.any, "wamp.error.authentication_denied" }
        end
      end
      local client = connect()
      policies.hello(client, { authmethods = { "scram" }, authid = "sally",
        authextra = { nonce = "cm9wck5HZndFYmVSV2diTkVrcU8=" } })
      client:expect { wamp.CHALLENGE, "scram", wamp.any }
    end)

    it("of guests gives them a name", function()
      local client = connect()
      policies.hello(client)
      local welcome = policies.expect_welcome(client)
      assert.equal(29, #welcome.authid)
      assert.equal("guest", welcome.authrole)
    end)

    it("by a method of the policy's own", function()
      local client = connect()
      policies.hello(client, { authmethods = { "magic" }, authid = "merlin" })
      policies.answer(client, "magic", function(extra)
        assert.same({ riddle = "2+3", who = "merlin" }, extra)
        return "5"
      end)
      assert.equal("magician", policies.expect_welcome(client).authid)

      client = connect()
      policies.hello(client, { authmethods = { "magic" } })
      policies.answer(client, "magic", function() return "6" end)
      client:expect_abort("wamp.error.authentication_denied")

      client = connect()
      policies.hello(client, { authmethods = { "magic" } })
      client:expect { wamp.CHALLENGE, "magic", wamp.any }
      client:send { wamp.AUTHENTICATE, "5", { shout = true } }
      client:expect_abort("com.acme.error.noise", "^do not shout$")
    end)

    it("takes the first method of the client that there is", function()
      local client = connect()
      policies.hello(client, { authmethods = { "tls", "wampcra", "ticket" }, authid = "alice" })
      client:expect { wamp.CHALLENGE, "wampcra", wamp.any }
      client = connect()
      policies.hello(client, { authmethods = { "tls" }, authid = "alice" })
      client:expect_abort("wamp.error.no_matching_auth_method")
    end)

    it("goes on when peers leave in the middle", function()
      for _ = 1, 20 do
        local client = connect()
        policies.hello(client, { authmethods = { "ticket" }, authid = "slow" })
        client:drop()
        client = connect()
        policies.hello(client, { authmethods = { "ticket" }, authid = "alice" })
        client:expect { wamp.CHALLENGE, "ticket", wamp.any }
        client:drop()
      end
      policies.login_ticket(connect(), "alice", "wonder")
    end)

    it("shows declared attributes, which HELLO cannot claim", function()
      local alice, bob = connect(), connect()
      policies.login_ticket(alice, "alice", "wonder")
      policies.hello(bob, { authmethods = { "ticket" }, authid = "bob", org = "acme", other = "o" })
      policies.answer(bob, "ticket", function() return "new" end)
      policies.expect_welcome(bob)
      local id = alice:next_id()
      alice:send { wamp.CALL, id, {}, "wamp.session.get", { alice.session } }
      local details = alice:expect { wamp.RESULT, id, {}, { wamp.capture(wamp.including {}) } }
      assert.equal("acme", details.org)
      assert.equal(3, details.level)
      id = alice:next_id()
      alice:send { wamp.CALL, id, {}, "wamp.session.get", { bob.session } }
      details = alice:expect { wamp.RESULT, id, {}, { wamp.capture(wamp.including {}) } }
      assert.is_nil(details.org)
      assert.equal("o", details.other)
    end)
  end)
end

-- No secret in what the router writes: every method, right and wrong, with the log at "debug".
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local mime = require "mime"
local policies = require "policies"
local wamp = require "wamp"

local key, pubkey = policies.make_key()
local pbkdf2 = "AAECAwQFBgcICQoLDA0ODw=="
local router_key = ("5ec3e7"):rep(10) .. "abcd"

-- two that the policy gets by nexus.secret, and keys of tokens
local jwt_secret, api_key = "secret-of-the-tokens-of-the-realm", "key-of-an-api-elsewhere"

local policy = ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = {} }
local known <const> = {
  alice = { authrole = "user", ticket = "ticket-of-alice" },
  carol = { authrole = "user", secret = "secret-of-carol" },
  sally = %s,
  broken = { authrole = "user", ticket = "ticket-of-broken", ticket_hash = "hash-of-broken" },
}
local function find(hello) return known[hello.authid] end
policy.authenticate.ticket = find
policy.authenticate.wampcra = find
policy.authenticate.scram = find
function policy.authenticate.cryptosign(hello)
  return { authid = "device", authrole = "user", pubkeys = "%s" }
end
policy.authenticate.jwt = {
  challenge = function() return {} end,
  verify = function(hello, token)
    nexus.log.info("looking at a token", { key = nexus.secret("jwt"), api = nexus.secret("api") })
    if hello.authid == "raises" then
      error("the key is " .. nexus.secret("jwt") .. " and not " .. nexus.secret("api"))
    elseif hello.authid == "denies" then
      return nexus.deny{ message = "the key is " .. nexus.secret("jwt") }
    elseif hello.authid == "wrong" then
      return nexus.crypto.jwt(token, { alg = "RS256", key = nexus.secret("jwt") })
    end
    local claims = nexus.crypto.jwt(token, { alg = "HS256", key = nexus.secret("jwt") })
    return claims and { authrole = "user", authid = claims.sub } or nil
  end,
}
policy.authenticate.own = {
  challenge = function() return {} end,
  verify = function(hello, signature)
    return signature == "word-of-merlin" and { authrole = "user" } or nil
  end,
}
policy.roles.user = {}
return policy
]]):format(policies.scram_record("password-of-sally", "saltsalt", 4096), pubkey)

local function base64url(octets)
  return (mime.b64(octets):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }))
end

--- A token of this subject, signed with HS256.
local function token(secret, subject)
  local text = base64url '{"alg":"HS256","typ":"JWT"}' .. "."
    .. base64url(('{"sub":"%s","exp":4102444800}'):format(subject))
  local signature = policies.sign_cra(secret, text):gsub("[+/=]",
    { ["+"] = "-", ["/"] = "_", ["="] = "" })
  return text .. "." .. signature
end

for _, workers in ipairs { 1, 2 } do
  describe(("what a router with %d workers writes"):format(workers), function()
    local nexusd, secrets

    setup(function()
      local config = policies.config(policy, { workers = workers })
      local file = assert(io.open(daemon.folder() .. "/router.key", "w"))
      file:write(router_key)
      file:close()
      file = assert(io.open(daemon.folder() .. "/jwt.key", "w"))
      file:write(jwt_secret)
      file:close()
      config.realms.realm1.secrets = { jwt = { file = daemon.folder() .. "/jwt.key" },
        api = { env = "API_KEY" } }
      config.log = { level = "debug" }
      config.audit = { file = "log" }
      config.logins = { router_key_file = daemon.folder() .. "/router.key", free_failures = 1000,
        secret_env = "SECRET" }
      nexusd = daemon.start { config = config,
        environment = "SECRET=secret-of-the-router-secret-of-the-router API_KEY=" .. api_key }
      secrets = { "secret-of-the-router", router_key, jwt_secret, api_key }
    end)

    teardown(function()
      wamp.close_all()
      nexusd:stop()
    end)

    local function login(method, authid, answer, extra)
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { method }, authid = authid, authextra = extra })
      local answered
      policies.answer(client, method, function(challenge)
        answered = answer(challenge)
        return answered
      end)
      secrets[#secrets + 1] = answered
      return client:receive()[1]
    end

    local function say(text)
      secrets[#secrets + 1] = text
      return function() return text end
    end

    local function scram(password, nonce)
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "wamp-scram" }, authid = "sally",
        authextra = { nonce = nonce } })
      local extra = client:expect { wamp.CHALLENGE, "wamp-scram",
        wamp.capture(wamp.including {}) }
      local proof = policies.sign_scram("sally", password, "saltsalt", nonce, extra)
      client:send { wamp.AUTHENTICATE, proof, { nonce = extra.nonce } }
      secrets[#secrets + 1] = proof
      secrets[#secrets + 1] = password
      return client:receive()[1]
    end

    it("has none of them, whatever happens", function()
      local WELCOME, ABORT = wamp.WELCOME, wamp.ABORT
      assert.equal(WELCOME, login("ticket", "alice", say "ticket-of-alice"))
      assert.equal(ABORT, login("ticket", "alice", say "wrong-ticket\n\"of\" alice"))
      assert.equal(ABORT, login("ticket", "nobody", say "ticket-of-nobody"))
      assert.equal(ABORT, login("ticket", "alice", say(("long-ticket"):rep(1000))))
      secrets[#secrets + 1] = "long-ticket"
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "ticket" }, authid = "broken" })
      assert.equal(ABORT, client:receive()[1])
      for _, secret in ipairs { "secret-of-carol", "wrong-secret-of-carol" } do
        secrets[#secrets + 1] = secret
        assert.equal(secret == "secret-of-carol" and WELCOME or ABORT,
          login("wampcra", "carol", function(challenge)
            return policies.sign_cra(secret, challenge.challenge)
          end))
      end
      assert.equal(WELCOME, scram("password-of-sally", pbkdf2))
      assert.equal(ABORT, scram("wrong-password-of-sally", pbkdf2))
      assert.equal(WELCOME, login("cryptosign", nil, function(challenge)
        return policies.sign_key(key, challenge.challenge)
      end, { pubkey = pubkey, challenge = ("a1"):rep(32) }))
      assert.equal(ABORT, login("cryptosign", nil, say(("ab"):rep(96)), { pubkey = pubkey }))
      assert.equal(WELCOME, login("own", "merlin", say "word-of-merlin"))
      assert.equal(ABORT, login("own", "merlin", say "wrong-word-of-merlin"))
      assert.equal(WELCOME, login("jwt", "jane", say(token(jwt_secret, "jane"))))
      for _, authid in ipairs { "jane", "raises", "denies", "wrong" } do
        assert.equal(ABORT, login("jwt", authid, say(token("guessed-secret", authid))))
      end
      -- A credential in the wrong place, and one that is no message.
      client = policies.connect(nexusd)
      client:send { wamp.AUTHENTICATE, say "early-ticket"(), wamp.dict {} }
      client:receive()
      client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "ticket" }, authid = "alice" })
      client:receive()
      client:send_payload('[5,"' .. say "half-ticket"() .. '",{]')
      client:receive()
      for _, word in ipairs { "ticket-of-broken", "hash-of-broken" } do
        secrets[#secrets + 1] = word
      end
      local log = daemon.eventually(function()
        local text = nexusd:log()
        return select(2, text:gsub('"event":"refuse"', "")) >= 13 and text
      end)
      assert.is_string(log)
      assert.matches("session%-joined", log)
      for _, secret in ipairs(secrets) do
        assert(#secret >= 10, secret)
        assert.is_nil(log:find(secret, 1, true), secret)
      end
    end)
  end)
end

describe("the option core_dumps", function()
  local function limit(config)
    config.listen, config.realms = { "127.0.0.1:0" }, { realm1 = { policy = "open" } }
    local nexusd = daemon.start { config = config }
    local text = assert(io.open(("/proc/%d/limits"):format(nexusd.pid))):read("a")
    nexusd:stop()
    return text:match("Max core file size +(%w+) +(%w+)")
  end

  it("is off, as memory has secrets in it", function()
    assert.same({ "0", "0" }, { limit {} })
  end)

  it("leaves things as they are when it is on", function()
    local own = assert(io.open("/proc/self/limits")):read("a")
    assert.same({ own:match("Max core file size +(%w+) +(%w+)") }, { limit { core_dumps = true } })
  end)
end)

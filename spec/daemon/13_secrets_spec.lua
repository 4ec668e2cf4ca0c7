-- No secret in what the router writes: every method, right and wrong, with the log at "debug".
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local mime = require "mime"
local policies = require "policies"
local wamp = require "wamp"

local key, pubkey = policies.make_key()
local nonce = "AAECAwQFBgcICQoLDA0ODw=="
local origin = "https://app.example.com"
local scram_record = policies.scram_record("password-of-sally", "saltsalt", 4096)
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
policy.authenticate.cookie = true
policy.roles.user = { { allow = "call", uri = "wamp.session.get" } }
return policy
]]):format(scram_record, pubkey)

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
    local nexusd, secrets, receive_payload
    local heard = {} -- what clients were sent

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
      config.listen = { { address = "127.0.0.1:0", origins = { origin }, cookie = { name = "id" },
        headers = { "user-agent", "authorization" } } }
      nexusd = daemon.start { config = config,
        environment = "SECRET=secret-of-the-router-secret-of-the-router API_KEY=" .. api_key }
      secrets = { "secret-of-the-router", router_key, jwt_secret, api_key }
      for stored in scram_record:gmatch("_key = '([^']+)'") do
        secrets[#secrets + 1] = stored
      end
      receive_payload = wamp.Connection.receive_payload
      wamp.Connection.receive_payload = function(...)
        local payload, why = receive_payload(...)
        heard[#heard + 1] = payload
        return payload, why
      end
    end)

    teardown(function()
      wamp.Connection.receive_payload = receive_payload
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

    local function scram(password, method, binding)
      secrets[#secrets + 1] = password
      return login(method, "sally", function(extra)
        return (policies.sign_scram("sally", password, "saltsalt", nonce, extra, binding))
      end, { nonce = nonce })
    end

    --- A ticket, then the cookie, a logout, and the cookie again.
    local function by_cookie()
      local function connect(cookie)
        return wamp.connect { transport = "ws", serializer = "json", port = nexusd:port(),
          headers = { Origin = origin, Cookie = cookie,
            Authorization = "Basic credential-of-a-page",
            ["User-Agent"] = "probe" } }
      end
      local client = connect()
      local cookie = client.frames.headers["set-cookie"]:match("^id=([^;]+)")
      secrets[#secrets + 1] = cookie
      secrets[#secrets + 1] = "credential-of-a-page"
      policies.login_ticket(client, "alice", "ticket-of-alice")
      client = connect("id=" .. cookie)
      policies.hello(client, { authmethods = { "cookie" } })
      policies.expect_welcome(client)
      client:send { wamp.CALL, 1, {}, "wamp.session.get", { client.session } }
      client:expect { wamp.RESULT, 1, {}, wamp.any }
      client:send { wamp.GOODBYE, {}, "wamp.close.logout" }
      client:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
      client = connect("id=" .. cookie)
      policies.hello(client, { authmethods = { "cookie" } })
      client:expect_abort("wamp.error.no_matching_auth_method")
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
      for method, binding in pairs { ["wamp-scram"] = "n,,", scram = "" } do
        assert.equal(WELCOME, scram("password-of-sally", method, binding))
        assert.equal(ABORT, scram("wrong-password-of-sally", method, binding))
      end
      by_cookie()
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
      for _, page in ipairs { "/", "/status.json" } do
        local status, body = nexusd:http(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n"):format(page))
        assert.equal(200, status)
        heard[#heard + 1] = body
      end
      local said = table.concat(heard, "\n")
      assert.matches('"authmethod":"cookie"', said, 1, true)
      assert.is_nil(log:find(nonce, 1, true))
      for _, secret in ipairs(secrets) do
        assert(#secret >= 10, secret)
        assert.is_nil(log:find(secret, 1, true), secret)
        assert.is_nil(said:find(secret, 1, true), secret)
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

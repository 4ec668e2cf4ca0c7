--- Logins by cookie: known again after a login that proved it, until logout, expiry, or a change.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local socket = require "socket"
local wamp = require "wamp"

local origin = "https://app.example.com"

local function policy(cookie)
  return ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string", teams = "list" } }

function policy.authenticate.ticket(hello)
  return { authrole = hello.authid == "root" and "admin" or "user", ticket = "right",
    authprovider = "book", attributes = { org = "acme", teams = nexus.list{ "a" } },
    extra = { hint = "hi" }, trustlevel = 4 }
end

function policy.authenticate.anonymous()
  return { authrole = "guest" }
end

policy.authenticate.cookie = %s

function policy.admit(session)
  return session.authid ~= "banned" or session.authmethod ~= "cookie"
end

policy.roles.user = { { allow = "call", uri = "spec.**" },
  { allow = "call", uri = "wamp.session.*" } }
policy.roles.admin = { { allow = "call", uri = "wamp.session.*" } }
policy.roles.guest = {}
return policy
]]):format(cookie)
end

local function start(cookie, options)
  options = options or {}
  local cert = daemon.certificate()
  local config = policies.config(policy(cookie), { workers = 2, listen = {
    { address = "127.0.0.1:0", origins = { origin },
      cookie = { name = "id", max_age = options.max_age or "1h" } },
    { address = "tls://127.0.0.1:0", origins = { origin }, cookie = { name = "id" },
      tls = { cert = cert.cert, key = cert.key } },
  } })
  config.realms.realm2 = config.realms.realm1
  return daemon.start { config = config }
end

for _, kind in ipairs { "true", "function(hello) return hello.cookie end" } do
  describe("a login by cookie = " .. kind:match("%w+"), function()
    local nexusd

    setup(function()
      nexusd = start(kind == "true" and "true" or [[function(hello)
        local known = hello.cookie
        assert(known.authmethod == "ticket" and known.authprovider == "book")
        if known.authid == "revoked" then return nil end
        return { authrole = known.authrole, attributes = known.attributes, extra = known.extra }
      end]])
    end)

    teardown(function()
      nexusd:stop()
    end)

    after_each(function()
      wamp.close_all()
    end)

    --- Connects, with a cookie or without; the second result is the one that it has then.
    local function connect(cookie, transport)
      local client = wamp.connect { transport = transport or "ws", serializer = "json",
        port = nexusd:port(transport == "wss" and 2 or 1),
        headers = { Origin = origin, Cookie = cookie and "a=b; id=" .. cookie } }
      local set = client.frames.headers["set-cookie"]
      return client, set and set:match("^id=([^;]+)") or cookie, set
    end

    local function login(authid, realm, presented)
      local client, cookie = connect(presented)
      policies.hello(client, { authmethods = { "ticket" }, authid = authid }, realm)
      policies.answer(client, "ticket", function() return "right" end)
      policies.expect_welcome(client)
      return client, cookie
    end

    local function by_cookie(cookie, details, realm)
      local client = connect(cookie)
      policies.hello(client, details or { authmethods = { "cookie" } }, realm)
      return client, policies.expect_welcome(client)
    end

    local function unknown(cookie, details, realm)
      local client = connect(cookie)
      details = details or {}
      details.authmethods = { "cookie" }
      policies.hello(client, details, realm)
      client:expect_abort("wamp.error.no_matching_auth_method")
    end

    local function leave(client, reason)
      client:send { wamp.GOODBYE, {}, reason }
      client:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
    end

    it("is set for browsers only, and for the page only", function()
      local _, cookie, set = connect()
      assert.equal(43, #cookie)
      assert.equal(("id=%s; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax"):format(cookie), set)
      _, cookie, set = connect(nil, "wss")
      assert.equal(("id=%s; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax; Secure")
        :format(cookie), set)
    end)

    it("needs no challenge, and has what was proved", function()
      local _, cookie = login "alice"
      for _, details in ipairs { { authmethods = { "cookie", "ticket" } }, {},
          { authmethods = { "ticket", "cookie" } }, { authmethods = { "cookie" },
          authid = "alice" } } do
        local client, welcome = by_cookie(cookie, details)
        assert.equal("alice", welcome.authid)
        assert.equal("user", welcome.authrole)
        assert.equal("cookie", welcome.authmethod)
        assert.equal("cookie", welcome.authprovider)
        assert.same({ hint = "hi" }, welcome.authextra)
        client:send { wamp.CALL, client:next_id(), {}, "wamp.session.get", { client.session } }
        local got = client:expect { wamp.RESULT, wamp.any, {}, { wamp.capture(wamp.including {}) } }
        assert.equal("acme", got.org)
        assert.same({ "a" }, got.teams)
      end
    end)

    it("survives the session that proved it, and being killed", function()
      local client, cookie = login "alice"
      local admin = login "root"
      admin:send { wamp.CALL, admin:next_id(), {}, "wamp.session.kill", { client.session } }
      leave(by_cookie(cookie), "wamp.close.normal")
      by_cookie(cookie):drop()
      client:drop()
      by_cookie(cookie)
    end)

    it("is of one realm, one user, one cookie", function()
      local _, cookie = login "alice"
      unknown(cookie, nil, "realm2")
      unknown(cookie, { authid = "bob" })
      local _, other = connect()
      unknown(other)
      unknown(("A"):rep(43))
      unknown(cookie:reverse())
      -- the next method of the list is taken
      local client = connect(cookie)
      policies.hello(client, { authmethods = { "cookie", "ticket" }, authid = "bob" })
      policies.answer(client, "ticket", function() return "right" end)
      policies.expect_welcome(client)
      -- and the cookie is nobody's from now on; bob's is the next
      unknown(cookie)
      local _, new = login("bob", nil, cookie)
      assert.not_equal(cookie, new)
      assert.equal("bob", select(2, by_cookie(new)).authid)
      unknown(new, { authid = "alice" })
      -- it is of the realm where it was got
      login("carl", "realm2", new)
      unknown(new, nil, "realm2")
      assert.equal("bob", select(2, by_cookie(new)).authid)
    end)

    it("is of every realm in which one logs in by the connection that brought it", function()
      local client, cookie = login "alice"
      leave(client, "wamp.close.normal")
      policies.hello(client, { authmethods = { "ticket" }, authid = "carl" }, "realm2")
      policies.answer(client, "ticket", function() return "right" end)
      policies.expect_welcome(client)
      assert.equal("carl", select(2, by_cookie(cookie, nil, "realm2")).authid)
      assert.equal("alice", select(2, by_cookie(cookie)).authid)
    end)

    it("cannot be put there by somebody else, who would know it", function()
      -- one that was never given out, and one that was, to somebody else
      for _, planted in ipairs { ("A"):rep(43), (select(2, connect())) } do
        local _, cookie, set = connect(planted)
        assert.not_nil(set)
        assert.not_equal(planted, cookie)
        login("alice", nil, planted)
        unknown(planted)
      end
      -- one by which its owner is known
      local _, planted = login "mallory"
      login("alice", nil, planted)
      unknown(planted)
      -- a login renews one's own
      local _, own = login "alice"
      assert.equal(own, (select(2, login("alice", nil, own))))
      assert.equal("alice", select(2, by_cookie(own)).authid)
    end)

    it("is not given to guests, or for a wrong ticket", function()
      local client, cookie = connect()
      policies.hello(client, {})
      policies.expect_welcome(client)
      unknown(cookie)
      client, cookie = connect()
      policies.try_ticket(client, "alice", "wrong")
      client:expect_abort("wamp.error.authentication_denied")
      unknown(cookie)
    end)

    it("is asked about by policy.admit", function()
      local _, cookie = login "banned"
      local client = connect(cookie)
      policies.hello(client, { authmethods = { "cookie" } })
      client:expect { wamp.ABORT, {}, "wamp.error.not_authorized" }
    end)

    it("ends with a logout, of all sessions that are there by it", function()
      local first, cookie = login "alice"
      local second, third = by_cookie(cookie), by_cookie(cookie)
      local other = login "alice"
      third:drop()
      leave(second, "wamp.close.logout")
      first:expect { wamp.GOODBYE, wamp.any, "wamp.close.logout" }
      unknown(cookie)
      other:expect_nothing()
    end)

    if kind ~= "true" then
      it("is refused when the policy says so", function()
        local _, cookie = login "revoked"
        local client = connect(cookie)
        policies.hello(client, { authmethods = { "cookie" } })
        client:expect_abort("wamp.error.authentication_denied",
          "^cookie: the credentials are not accepted$")
      end)
    end
  end)
end

describe("cookies", function()
  it("expire", function()
    local nexusd = start("true", { max_age = "1s" })
    local function connect(cookie)
      return wamp.connect { transport = "ws", serializer = "json", port = nexusd:port(),
        headers = { Origin = origin, Cookie = cookie } }
    end
    local client = connect()
    policies.login_ticket(client, "alice", "right")
    local cookie = client.frames.headers["set-cookie"]:match("^id=[^;]+")
    local until_when = socket.gettime() + 0.9
    local function answer()
      local again = connect(cookie)
      policies.hello(again, { authmethods = { "cookie" } })
      return again:receive()[1]
    end
    assert.equal(wamp.WELCOME, answer())
    assert.truthy(daemon.eventually(function() return answer() == wamp.ABORT end))
    assert.is_true(socket.gettime() >= until_when)
    wamp.close_all()
    nexusd:stop()
  end)

  it("that no address gives out are noted", function()
    local nexusd = policies.start(policy "true")
    assert.matches("note: policy.authenticate.cookie is of no use: no address gives out cookies",
      nexusd:log(), 1, true)
    nexusd:stop()
  end)
end)

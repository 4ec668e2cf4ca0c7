--- Policies that come with nexusd, met by clients of a router with sockets, as their headers say.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "nexus.testing_core"
local daemon = require "daemon"
local policies = require "policies"
local socket = require "socket"
local wamp = require "wamp"

local users <const> = [[
return {
  users = {
    alice = { role = "user", ticket = "one", attributes = { org = "acme" } },
    bob = { role = "user", ticket = "two", attributes = { org = "beta" } },
    ann = { role = "user", ticket = "three", attributes = { org = "acme" } },
  },
  roles = { user = { { allow = "*", uri = "**" } } },
  attributes = { org = "string" },
}
]]

local KEY <const> = "a secret of some octets, for HS256"

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  assert(pipe:close(), command)
  return (text:gsub("%s+$", ""))
end

describe("a ready-made policy, from outside:", function()
  local nexusd, folder

  local function write(files)
    files["users.lua"] = users
    folder = policies.write(files)
    return folder .. "/users.lua"
  end

  local function start(realm)
    local config = { listen = { "127.0.0.1:0" }, data_folder = folder .. "/data",
      logins = { max_delay = 0 }, realms = { realm1 = realm } }
    nexusd = daemon.start { config = config }
  end

  local function join(authid, ticket)
    local client = policies.connect(nexusd)
    policies.login_ticket(client, authid, ticket)
    client.last_id = 0
    return client
  end

  --- The arguments of the RESULT, or nil and the URI of the ERROR.
  local function call(client, uri, ...)
    client:send { wamp.CALL, client:next_id(), wamp.dict {}, uri, wamp.list { ... } }
    local answer = client:receive()
    if answer[1] == wamp.ERROR then return nil, answer[5] end
    assert.equal(wamp.RESULT, answer[1])
    return answer[4]
  end

  local function subscribe(client, topic)
    client:send { wamp.SUBSCRIBE, client:next_id(), wamp.dict {}, topic }
    assert.equal(wamp.SUBSCRIBED, client:receive()[1])
  end

  after_each(function()
    wamp.close_all()
    if nexusd then nexusd:stop() end
    nexusd = nil
  end)

  it("presence tells those of the same organisation", function()
    start { policy = "presence", settings = { file = write {}, per = "org" } }
    local alice = join("alice", "one")
    subscribe(alice, "presence.joined")
    subscribe(alice, "presence.left")
    join("bob", "two") -- of another organisation: nothing is heard of it
    local ann = join("ann", "three")
    local event = alice:receive()
    assert.same({ wamp.EVENT, "ann", "user" }, { event[1], event[6].authid, event[6].authrole })
    local list = call(alice, "presence.list")[1]
    local names = {}
    for i, who in ipairs(list) do names[i] = who.authid end
    table.sort(names)
    assert.same({ "alice", "ann" }, names)
    ann:send { wamp.GOODBYE, wamp.dict {}, "wamp.close.close_realm" }
    event = alice:receive()
    assert.same({ "ann", "wamp.close.close_realm" }, { event[6].authid, event[6].reason })
  end)

  it("audit notes who calls what", function()
    start { policy = "audit", settings = { file = write {},
      watch = { "com.acme.admin.**" }, arguments = true } }
    local alice, bob = join("alice", "one"), join("bob", "two")
    subscribe(bob, "audit.entry")
    assert.same({ nil, "wamp.error.no_such_procedure" }, { call(alice, "com.acme.admin.reset", 7) })
    local entry = bob:receive()[6]
    assert.same({ "call", "alice", "user", "com.acme.admin.reset" },
      { entry.event, entry.authid, entry.authrole, entry.uri })
    local last = call(bob, "audit.last", 10, "alice")[1]
    assert.same({ "call", "join" }, { last[1].event, last[2].event })
    assert.same(wamp.list { 7 }, last[1].arguments.args)
  end)

  it("jwt lets in who has a token for this realm", function()
    write { key = KEY }
    start { policy = "jwt", secrets = { jwt_key = { file = folder .. "/key" } },
      settings = { alg = "HS256",
      attributes = { org = "string" },
      roles = { user = { { allow = "publish", uri = "com.acme.{session.org}" } } } } }
    local function url(command) return output_of(command .. " | tr '+/' '-_' | tr -d '='") end
    local function token(audience)
      local claims = cjson.encode { sub = "alice", role = "user", aud = audience, org = "acme",
        exp = os.time() + 3600 }
      local body = url [[printf '{"alg":"HS256"}' | base64 -w0]] .. "."
        .. url(("printf '%%s' '%s' | base64 -w0"):format(claims))
      return body .. "." .. url(("printf '%%s' '%s' | openssl dgst -sha256 -hmac '%s' -binary "
        .. "| base64 -w0"):format(body, KEY))
    end
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" } })
    policies.answer(client, "ticket", function() return token "realm1" end)
    local welcome = policies.expect_welcome(client)
    assert.same({ "alice", "user" }, { welcome.authid, welcome.authrole })
    for topic, is_allowed in pairs { ["com.acme.acme"] = true, ["com.acme.beta"] = false } do
      client:send { wamp.PUBLISH, client:next_id(), { acknowledge = true }, topic }
      assert.equal(is_allowed and wamp.PUBLISHED or wamp.ERROR, client:receive()[1])
    end
    client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" } })
    policies.answer(client, "ticket", function() return token "realm2" end)
    assert.equal("wamp.error.authentication_denied", client:receive()[3])
  end)

  it("scram-users makes accounts that can log in", function()
    write { word = "a first password" }
    start { policy = "scram-users", settings = {
      roles = { user = { { allow = "*", uri = "com.acme.**" } },
        admin = { { allow = "*", uri = "**" } } } },
      secrets = { first_password = { file = folder .. "/word" } } }
    local function login(authid, password)
      local client, nonce = policies.connect(nexusd), "cm9wck5HZndFYmVSV2diTkVrcU8="
      policies.hello(client, { authmethods = { "wamp-scram" }, authid = authid,
        authextra = { nonce = nonce } })
      local extra = client:expect { wamp.CHALLENGE, "wamp-scram", wamp.capture(wamp.including {}) }
      local message = ("n=%s,r=%s,r=%s,s=%s,i=%d,c=biws,r=%s"):format(authid, nonce, extra.nonce,
        extra.salt, extra.iterations, extra.nonce)
      local proof = core.scram(password, message, extra.salt, extra.kdf, extra.iterations,
        extra.memory)
      client:send { wamp.AUTHENTICATE, proof, { nonce = extra.nonce } }
      local answer = client:receive()
      client.last_id = 0
      return answer[1] == wamp.WELCOME and client or nil, answer[3]
    end
    -- The first account is made when the policy begins; its key is derived meanwhile.
    local admin = assert(daemon.eventually(function()
      return (login("admin", "a first password"))
    end))
    assert.same({ true }, { call(admin, "users.add", "eve", "her own password", "user")[1] })
    assert.same({ nil, "wamp.error.authentication_denied" }, { login("eve", "another password") })
    local eve = assert(login("eve", "her own password"))
    assert.same({ nil, "wamp.error.not_authorized" }, { call(eve, "users.list") })
    assert.equal(1, call(admin, "users.remove", "eve")[1])
    assert.equal(wamp.GOODBYE, eve:receive()[1])
  end)

  it("webhook sends events, signed, until they are taken", function()
    local server = assert(socket.bind("127.0.0.1", 0))
    server:settimeout(20)
    local _, port = server:getsockname()
    local file = write { word = "a key" }
    start { policy = "webhook", http_hosts = { "127.0.0.1:" .. port },
      secrets = { webhook_key = { file = folder .. "/word" } }, settings = { file = file,
        hooks = { ["com.acme.order.**"] = ("http://127.0.0.1:%d/hook"):format(port) } } }
    local function serve(status)
      local peer = assert(server:accept())
      peer:settimeout(20)
      local request, headers = peer:receive "*l", {}
      for line in function() return peer:receive "*l" end do
        if line == "" then break end
        local name, value = line:match "^(.-): (.*)$"
        headers[name:lower()] = value
      end
      local body = peer:receive(tonumber(headers["content-length"]))
      peer:send(("HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"):format(status))
      peer:close()
      return request, headers, body
    end
    local alice = join("alice", "one")
    alice:send { wamp.PUBLISH, 1, { acknowledge = true }, "com.acme.order.new", { "tea" },
      { n = 2 } }
    assert.equal(wamp.PUBLISHED, alice:receive()[1])
    local _, _, first = serve "500 No"
    local request, headers, body = serve "204 Fine"
    server:close()
    assert.equal(first, body)
    assert.matches("^POST /hook HTTP/1", request)
    local event = cjson.decode(body)
    assert.same({ "com.acme.order.new", { "tea" }, { n = 2 } },
      { event.topic, event.args, event.kwargs })
    local copy = assert(io.open(folder .. "/body", "wb"))
    copy:write(body)
    copy:close()
    assert.equal("sha256=" .. output_of(("openssl dgst -sha256 -hmac 'a key' -r '%s/body'"):format(
      folder)):match "^%x+", headers["x-nexus-signature"])
  end)
end)

-- What policies see of the connection of a login: headers and cookies of the request, TLS.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }

local function all(transport)
  local list = {}
  for _, kind in ipairs{ "headers", "cookies" } do
    for name, value in pairs(transport[kind]) do
      list[#list + 1] = ("%s %s=%s"):format(kind:sub(1, 1), name, value)
    end
  end
  table.sort(list)
  return table.concat(list, "; ")
end

function policy.authenticate.anonymous(hello)
  return { authrole = "guest", extra = { seen = all(hello.transport) } }
end

function policy.admit(session)
  local headers = session.transport.headers
  return not pcall(function() headers.x = 1 end) and headers["x-acme-key"] ~= "wrong"
end

policy.roles.guest = {}
policy.procedures["com.acme.look"] = function(call)
  local transport = call.caller.transport
  return all(transport), transport.tls and transport.tls.version, transport.tls
    and transport.tls.channel_id["tls-exporter"]
end
policy.roles.guest[1] = { allow = "call", uri = "com.acme.**" }

function policy.on_leave(session)
  nexus.log.info("left", { tls = session.transport.tls
    and session.transport.tls.version or "none",
    agent = session.transport.headers["user-agent"] or "none" })
end
return policy
]]

describe("a policy sees of a connection", function()
  local nexusd, seen

  local function start(workers, listen)
    listen.address = listen.address or "127.0.0.1:0"
    nexusd = policies.start(policy, { workers = workers, listen = { listen } })
  end

  local function login(options)
    options.transport = options.transport or "ws"
    options.serializer = "json"
    options.port = nexusd:port()
    local client = wamp.connect(options)
    policies.hello(client)
    local welcome = policies.expect_welcome(client)
    seen = welcome.authextra.seen
    return client
  end

  --- What com.acme.look says of the caller.
  local function look(client)
    client:send { wamp.CALL, client:next_id(), {}, "com.acme.look" }
    local message = client:receive()
    assert.equal(wamp.RESULT, message[1])
    return table.unpack(message[4])
  end

  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  for workers = 1, 2 do
    it(("headers and cookies of its request, with %d workers"):format(workers), function()
      start(workers, { headers = { "user-agent", "x-acme-key", "x-forwarded-for" },
        origins = { "http://127.0.0.1" }, cookie = { name = "acme" } })
      local client = login { headers = {
        ["User-Agent"] = "probe/1", ["X-Acme-Key"] = "k 1", ["X-Forwarded-For"] = "192.0.2.1",
        ["X-Other"] = "no", Authorization = "Basic c2VjcmV0",
        Cookie = "a=1; b=\"two\" ; acme=" .. ("x"):rep(43) .. "; a=3;=4; flag; c=x=y" } }
      assert.equal('c a=1; c b="two"; c c=x=y; h user-agent=probe/1; h x-acme-key=k 1; '
        .. "h x-forwarded-for=192.0.2.1", seen)
      -- and as long as the session is there, and the next one of the same connection
      assert.equal(seen, look(client))
      client:send { wamp.GOODBYE, {}, "wamp.close.normal" }
      client:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
      policies.hello(client)
      assert.equal(seen, policies.expect_welcome(client).authextra.seen)
      assert.equal(seen, look(client))
      client:drop()
      assert(daemon.eventually(function()
        return nexusd:log():find('left.*agent=probe/1')
      end))
    end)
  end

  it("some of them by default, and none where there is no request", function()
    start(1, {})
    login { headers = { ["User-Agent"] = "probe/1", Origin = "http://x.example" } }
    assert.matches("^h host=localhost; h origin=http://x%.example; h user%-agent=probe/1$", seen)
    login { transport = "rawsocket" }
    assert.equal("", seen)
  end)

  it("enough of them to refuse a client", function()
    start(1, { headers = { "x-acme-key" } })
    local client = wamp.connect { transport = "ws", serializer = "json", port = nexusd:port(),
      headers = { ["X-Acme-Key"] = "wrong" } }
    policies.hello(client)
    client:expect { wamp.ABORT, {}, "wamp.error.not_authorized" }
  end)

  it("no more than 4 KiB, each whole or not at all", function()
    start(1, { headers = { "x-long", "x-short" } })
    login { headers = { ["X-Long"] = ("l"):rep(4200), ["X-Short"] = "s", Cookie = "a=1" } }
    assert.equal("c a=1; h x-short=s", seen)
    local big = ("c"):rep(3000)
    login { headers = { ["X-Short"] = ("s"):rep(2000), Cookie = "b=" .. big .. "; a=1" } }
    assert.equal("c a=1; h x-short=" .. ("s"):rep(2000), seen)
  end)

  it("its TLS as long as it is there", function()
    local certificate = daemon.certificate()
    start(2, { address = "tls://127.0.0.1:0", tls = { cert = certificate.cert,
      key = certificate.key } })
    local client = login { tls = true }
    local _, version, exporter = look(client)
    assert.equal("TLSv1.3", version)
    assert.equal(64, #exporter)
    client:drop()
    assert(daemon.eventually(function()
      return nexusd:log():find('left.*tls=TLSv1%.3')
    end))
  end)
end)

describe("session details", function()
  local nexusd

  local function start(realm, listen)
    listen = listen or {}
    listen.address = "127.0.0.1:0"
    nexusd = daemon.start { config = { listen = { listen }, realms = { realm1 = realm } } }
  end

  --- What the meta API says of the transport of a session, which sends these headers.
  local function transport(headers, kind)
    local client = wamp.connect { transport = kind or "ws", serializer = "msgpack",
      port = nexusd:port(), headers = headers }
    client:join("realm1")
    client:send { wamp.CALL, client:next_id(), {}, "wamp.session.get", { client.session } }
    return client:receive()[4][1].transport
  end

  local request = { ["User-Agent"] = "probe/1", ["X-Acme-Key"] = "k", Cookie = "a=1",
    Authorization = "Basic c2VjcmV0" }

  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  it("show no headers that nobody has asked for", function()
    start { policy = "open" }
    assert.is_nil(transport(request).http_headers_received)
  end)

  it("show those of http_headers_received which the address keeps", function()
    start({ policy = "open", http_headers_received = { "user-agent", "x-acme-key", "origin" } },
      { headers = { "user-agent", "host", "origin", "authorization" } })
    assert.same({ ["user-agent"] = "probe/1" }, transport(request).http_headers_received)
    assert.same({}, transport({ ["User-Agent"] = "\xff" }).http_headers_received) -- no text
    assert.is_nil(transport(nil, "rawsocket").http_headers_received)
    assert.matches('realms%["realm1"%]%.http_headers_received: no address keeps "x%-acme%-key"',
      nexusd:log())
  end)

  it("show them where meta_strict is on as well", function()
    start { policy = "open", meta_strict = true, http_headers_received = { "user-agent" } }
    assert.same({ ["user-agent"] = "probe/1" }, transport(request).http_headers_received)
  end)
end)

--- Peers that are slow on purpose, at every step from the first octet to AUTHENTICATE: they go on
-- sending an octet now and then, and are closed all the same; others get in meanwhile.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local socket = require "socket"
local stream = require "stream"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.ticket(hello)
  return { authrole = "user", ticket = "right" }
end
policy.roles.user = {}
return policy
]]

local each = 10 -- of each kind

local PLAIN, TLS, PROXIED = 1, 2, 3

-- At its end its last octet is repeated, or the third value, which may be "".
local kinds = {
  ["first octet"] = { PLAIN, "" },
  ["head of HTTP"] = { PLAIN, "GET /ws HTTP/1.1\r\nX-Slow: x" },
  ["second line of HTTP"] = { PLAIN, "GET /ws HTTP/1.1\r\nHost: localhost\r\nX" },
  ["handshake of RawSocket"] = { PLAIN, "\x7f\xf1\0", "" },
  ["ClientHello"] = { TLS, "\x16\x03\x01\x40\0\x01\0\x3f\xfc\x03\x03x" },
  ["header of a proxy"] = { PROXIED, "PROXY TCP4 192.0.2.7 192.0.2.1 4660 4", "" },
  ["binary header of a proxy"] = { PROXIED, "\r\n\r\n\0\r\nQUIT\n\x21\x11\x7f\xff\x01" },
  ["HTTP within TLS"] = { TLS, "GET /ws HTTP/1.1\r\nX-Slow: x", tls = true },
  ["HELLO in a WebSocket"] = { PLAIN, '[1,"realm1",{"roles":{"caller":{}},"x":"x', ws = true },
  ["HELLO in a RawSocket"] = { PLAIN, '[1,"realm1",{"roles":{"caller":{}},"x":"x', raw = true },
  ["AUTHENTICATE"] = { PLAIN, '[5,"x', ws = true, login = true },
}

describe("peers that are slow on purpose", function()
  local nexusd

  setup(function()
    local cert = daemon.certificate()
    local config = policies.config(policy, { workers = 2, realm = { auth_timeout = "1s" },
      listen = { "127.0.0.1:0", { address = "tls://127.0.0.1:0", tls = { cert = cert.cert,
        key = cert.key } }, { address = "127.0.0.1:0", proxies = { "127.0.0.1" } } } })
    config.limits = { handshake_timeout = "1s", hello_timeout = "1s", close_timeout = "100ms" }
    nexusd = daemon.start { config = config }
  end)

  teardown(function()
    wamp.close_all()
    nexusd:stop()
  end)

  --- The beginning of a message that is far longer than what will come.
  local function beginning(client, text)
    local all = client.frames:message(text .. (" "):rep(60000))
    return all:sub(1, #all - 60000)
  end

  local function open(kind)
    local index, text = kind[1], kind[2]
    if not kind.ws and not kind.raw then
      return assert(stream.open { port = nexusd:port(index), tls = kind.tls }), text
    end
    local client = wamp.connect { transport = kind.ws and "ws" or "rawsocket", serializer = "json",
      port = nexusd:port(index) }
    if kind.login then
      policies.hello(client, { authmethods = { "ticket" }, authid = "slow" })
      client:expect { wamp.CHALLENGE, "ticket", wamp.any }
    end
    return client.stream, beginning(client, text)
  end

  --- One more octet; whether the other side is still there.
  local function drip(peer)
    peer.stream:fill()
    if not peer.stream.at_end then
      peer.at = peer.at + 1
      local octet = peer.text:sub(peer.at, peer.at)
      octet = octet == "" and (peer.last or peer.text:sub(-1)) or octet
      if octet ~= "" then
        peer.stream.sock:send(octet)
      end
    end
    return not peer.stream.at_end
  end

  it("are closed, and keep nobody out", function()
    local slow = {}
    for name, kind in pairs(kinds) do
      for _ = 1, each do
        local bytes, text = open(kind)
        slow[#slow + 1] = { name = name, stream = bytes, text = text, at = 0, last = kind[3] }
      end
    end
    local is_there, rounds = true, 0
    local ends = socket.gettime() + stream.patience
    while is_there do
      is_there = false
      for _, peer in ipairs(slow) do
        is_there = drip(peer) or is_there
      end
      for _, transport in ipairs { "ws", "rawsocket", "wss" } do
        local client = wamp.connect { transport = transport, serializer = "json",
          port = nexusd:port(transport == "wss" and TLS or PLAIN), from = "127.0.0.2" }
        policies.login_ticket(client, "honest", "right")
        client:drop()
      end
      rounds = rounds + 1
      if socket.gettime() > ends then
        for _, peer in ipairs(slow) do
          assert.is_true(peer.stream.at_end, peer.name)
        end
      end
    end
    assert.is_true(rounds > 1)
    for _, peer in ipairs(slow) do
      peer.stream:close()
    end
  end)
end)

--- TLS: versions, what is not TLS on a port for it, both kinds on one port.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local daemon = require "daemon"
local stream = require "stream"
local wamp = require "wamp"

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

conformance.over({ "wss", "rawsocket_tls" }, "TLS", {}, function(peer)
  for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
    it("works with " .. version, function()
      local alice = peer.join(nil, { tls = { protocol = version } })
      assert.equal(version:gsub("tlsv1_", "TLSv1."), (alice.stream.sock:info("protocol")))
      alice:expect_nothing()
    end)
  end

  for _, version in ipairs { "tlsv1", "tlsv1_1" } do
    it("refuses " .. version, function()
      local alice = peer.try_connect { tls = { protocol = version, ciphers = "ALL:@SECLEVEL=0" } }
      assert.is_nil(alice)
    end)
  end

  it("shows the configured certificate", function()
    local alice = peer.connect { tls = { verify = "peer", cafile = daemon.certificate().cert } }
    assert.equal(read_file(daemon.certificate().cert):gsub("%s", ""),
      (alice.stream.sock:getpeercertificate():pem():gsub("%s", "")))
  end)

  it("carries long messages both ways", function()
    local alice = peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    local text = ("long "):rep(200000)
    for i = 1, 3 do
      alice:publish(topic, { i, text }, nil, { exclude_me = false })
      alice:expect_event(subscription, { i, text })
    end
  end)

  it("closes connections that speak something else, and goes on", function()
    local target = conformance.target(peer.router(), peer.transport)
    for _, noise in ipairs {
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\x7f\xf1\0\0\0\0\0\0", ("\0"):rep(100),
      "\x16\x03\x01\xff\xff" .. ("\xff"):rep(100), "\x16\x03\x01\0\4\1\0\0\0",
    } do
      local bytes = assert(stream.open(target))
      bytes:write(noise)
      local answer = bytes:read_all()
      assert.is_truthy(answer)
      assert.is_nil(answer:find("200 OK", 1, true))
      bytes:close()
    end
    peer.join():expect_nothing()
  end)
end)

conformance.with_router("An address where TLS is optional", {
  listen = {
    { address = "tls://127.0.0.1:0", tls = {
      cert = daemon.certificate().cert, key = daemon.certificate().key, optional = true,
    } },
  },
}, function(router)
  for transport, row in pairs(wamp.transports) do
    if not row.unix then
      it("serves " .. transport, function()
        local alice = wamp.connect {
          transport = transport, serializer = "cbor", port = router():port(),
        }
        alice:join("realm1")
        alice:expect_nothing()
      end)
    end
  end
end)

--- TLS: the certificate that belongs to the name that a client asks for.
-- SPDX-License-Identifier: MIT
local certificates = require "certificates"
local conformance = require "conformance"
local wamp = require "wamp"

local ca = certificates.issue "names-CA"
local plain, one, wild = certificates.issue "plain", certificates.issue "one.example.com",
  certificates.issue "wild"
local alice = certificates.issue("names-alice", ca)

local function address(more)
  local tls = { cert = plain.certificate, key = plain.key, certificates = {
    { host = "*.example.com", cert = wild.certificate, key = wild.key },
    { host = "one.Example.com", cert = one.certificate, key = one.key },
  } }
  for k, v in pairs(more) do
    tls[k] = v
  end
  return { address = "tls://127.0.0.1:0", tls = tls }
end

conformance.with_router("TLS with several certificates", {
  listen = {
    address {},
    address { client_ca = ca.certificate, client_certificate = "required", min_version = "1.3" },
  },
}, function(router)
  -- The common name of what the router shows to a client that gets a session.
  local function shown(index, name, parameters)
    local tls = { server_name = name }
    for k, v in pairs(parameters or {}) do
      tls[k] = v
    end
    local peer = assert(wamp.try_connect { transport = "wss", serializer = "json",
      port = router():port(index), tls = tls })
    local subject = peer.stream.sock:getpeercertificate():subject()
    peer:join("realm1")
    peer:drop()
    return subject[1].value
  end

  for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
    it("shows each client the one that it asks for, with " .. version, function()
      for name, expected in pairs {
        ["one.example.com"] = "one.example.com", ["ONE.example.COM"] = "one.example.com",
        ["two.example.com"] = "wild", ["a.two.example.com"] = "plain", ["example.com"] = "plain",
        ["example.org"] = "plain", ["localhost"] = "plain", ["xone.example.com"] = "wild",
      } do
        assert.equal(expected, shown(1, name, { protocol = version }), name)
      end
      assert.equal("plain", shown(1, nil, { protocol = version }))
    end)
  end

  it("has the rules of the address for all of them", function()
    for name, expected in pairs {
      ["one.example.com"] = "one.example.com", ["two.example.com"] = "wild", other = "plain",
    } do
      assert.equal(expected, shown(2, name, { certificate = alice.certificate, key = alice.key }))
      assert.is_false((pcall(shown, 2, name)))
      assert.is_false((pcall(shown, 2, name, { protocol = "tlsv1_2",
        certificate = alice.certificate, key = alice.key })))
    end
  end)
end)

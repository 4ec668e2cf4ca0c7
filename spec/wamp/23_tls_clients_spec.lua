--- TLS: clients that show a certificate.
-- SPDX-License-Identifier: MIT
local certificates = require "certificates"
local conformance = require "conformance"
local daemon = require "daemon"
local wamp = require "wamp"

local issue = certificates.issue
local ca, other_ca = issue "the-CA", issue "another-CA"
local alice, stranger = issue("alice", ca), issue("mallory", other_ca)
local late, early = issue("late", ca, "-days -1"), certificates.issue_later("early", ca)
local own = issue "alice of her own"
local server = certificates.issue_for("server", ca, "extendedKeyUsage=serverAuth")
local client = certificates.issue_for("client", ca, "extendedKeyUsage=clientAuth")
local signed_by_alice = issue("friend", alice)

local function address(client_certificate)
  return { address = "tls://127.0.0.1:0", tls = {
    cert = daemon.certificate().cert, key = daemon.certificate().key,
    client_ca = ca.certificate, client_certificate = client_certificate,
  } }
end

conformance.with_router("TLS with certificates of clients", {
  listen = { address "required", address "optional" },
}, function(router)
  local function join(index, transport, version, who)
    local peer = wamp.try_connect { transport = transport, serializer = "json",
      port = router():port(index),
      tls = { protocol = version, certificate = who and who.certificate, key = who and who.key } }
    if not peer then
      return false
    end
    peer:join("realm1")
    peer:expect_nothing()
    peer:drop()
    return true
  end

  --- Whether a client with that certificate (or none) gets a session. In TLS 1.3 it hears of a
  -- refusal only when it reads.
  local function joins(...)
    local done, is_in = pcall(join, ...)
    return done and is_in
  end

  for _, transport in ipairs { "wss", "rawsocket_tls" } do
    for _, version in ipairs { "tlsv1_2", "tlsv1_3" } do
      describe(("over %s with %s"):format(transport, version), function()
        it("lets in who has one that is good", function()
          assert.is_true(joins(1, transport, version, alice))
          assert.is_true(joins(2, transport, version, alice))
          assert.is_true(joins(1, transport, version, client))
        end)

        it("refuses a bad one, and says why", function()
          for index = 1, 2 do
            for who, why in pairs {
              [stranger] = "unable to get local issuer certificate",
              [late] = "certificate has expired",
              [early] = "certificate is not yet valid",
              [own] = "self-signed certificate",
              [server] = "unsuitable certificate purpose",
              [signed_by_alice] = "unable to get local issuer certificate",
            } do
              local from = #router():log()
              assert.is_false(joins(index, transport, version, who))
              assert.truthy(daemon.eventually(function()
                local log = router():log():sub(from)
                return log:find("tls%-refused") and log:find(why, 1, true)
              end), why)
            end
          end
        end)

        it("refuses none only where one is required", function()
          assert.is_false(joins(1, transport, version))
          assert.is_true(joins(2, transport, version))
        end)
      end)
    end
  end
end)

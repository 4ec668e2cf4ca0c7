--- TLS: which versions and ciphers an address speaks.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local daemon = require "daemon"
local wamp = require "wamp"

local function tls(more)
  local options = { cert = daemon.certificate().cert, key = daemon.certificate().key }
  for k, v in pairs(more) do
    options[k] = v
  end
  return { address = "tls://127.0.0.1:0", tls = options }
end

conformance.with_router("TLS by the rules of an address", {
  listen = {
    tls {},
    tls { min_version = "1.3", ciphersuites = "TLS_CHACHA20_POLY1305_SHA256" },
    tls { max_version = "1.2", ciphers = "ECDHE+AESGCM:!AES128" },
  },
}, function(router)
  local function connect(index, parameters)
    return wamp.try_connect { transport = "wss", serializer = "json", port = router():port(index),
      tls = parameters }
  end

  local function cipher(index, parameters)
    local alice = connect(index, parameters)
    if not alice then
      return nil
    end
    alice:join("realm1")
    local info = alice.stream.sock:info()
    alice:drop()
    return info.protocol, info.cipher
  end

  it("has forward secrecy and authenticated encryption only, unless told otherwise", function()
    assert.equal("TLSv1.3", (cipher(1, {})))
    for _, name in ipairs { "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
      "ECDHE-ECDSA-AES256-SHA", "AES128-SHA", "AECDH-AES128-SHA:@SECLEVEL=0" } do
      assert.is_nil(cipher(1, { protocol = "tlsv1_2", ciphers = name }), name)
    end
    for _, name in ipairs { "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-ECDSA-CHACHA20-POLY1305" } do
      assert.same({ "TLSv1.2", name }, { cipher(1, { protocol = "tlsv1_2", ciphers = name }) })
    end
  end)

  it("has a lowest version, and suites", function()
    assert.is_nil(cipher(2, { protocol = "tlsv1_2" }))
    assert.same({ "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256" }, { cipher(2, {}) })
    assert.is_nil(cipher(2, { ciphersuites = "TLS_AES_128_GCM_SHA256" }))
  end)

  it("has a highest version, and ciphers", function()
    assert.is_nil(cipher(3, { protocol = "tlsv1_3" }))
    assert.same({ "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384" }, { cipher(3, {}) })
    assert.is_nil(cipher(3, { protocol = "tlsv1_2", ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" }))
  end)
end)

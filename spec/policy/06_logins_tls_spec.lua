--- Logins by what TLS proves: certificates of clients, channel binding, the router's own key.
-- SPDX-License-Identifier: MIT
local certificates = require "certificates"
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local ca = certificates.issue "login-CA"
local alice, bob = certificates.issue("alice", ca), certificates.issue("bob", ca)
local carl = certificates.issue("carl", ca)
local key, pubkey = policies.make_key()

local function output_of(command, ...)
  local pipe = assert(io.popen(command:format(...)))
  local text = pipe:read("a")
  assert(pipe:close())
  return (text:gsub("%s+$", ""))
end

local function fingerprint(who, hash)
  return output_of("openssl x509 -in '%s' -noout -fingerprint -%s | sed 's/.*=//'",
    who.certificate, hash)
end

-- the router's own key, of the contract's vectors
local router_seed = "2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40"
local router_pubkey = "e7f162a10bec559afea195e4dce84b69568d5d2cb0963eb446c0685e2b17f2f0"

local policy = ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local pins <const> = { bob = { "%s", "%s" }, carl = { "%s" } }

function policy.authenticate.tls(hello)
  local tls = hello.transport.tls
  local name = tls.common_name
  if name == "alice" then
    return { authrole = "user", extra = { subject = tls.subject, issuer = tls.issuer,
      fingerprint = tls.fingerprint, sha1 = tls.fingerprint_sha1, verified = tls.verified,
      version = tls.version, exporter = tls.channel_id["tls-exporter"] } }
  end
  return pins[name] and { authrole = "user", fingerprints = pins[name] } or nil
end

function policy.admit(session)
  local tls = session.transport.tls
  return session.authmethod ~= "tls" or tls.subject == "CN=" .. session.authid
end

function policy.authenticate.cryptosign(hello)
  return { authrole = "user", pubkeys = "%s", extra = { tls = hello.transport.tls ~= nil } }
end

function policy.authenticate.scram(hello)
  return hello.authid == "sally" and %s or nil
end

policy.roles.user = {}
return policy
]]):format(fingerprint(bob, "sha256"), fingerprint(bob, "sha1"), fingerprint(alice, "sha256"),
  pubkey, policies.scram_record("pencil", "saltsalt", 4096))

local function address(client)
  return { address = "tls://127.0.0.1:0", tls = {
    cert = daemon.certificate().cert, key = daemon.certificate().key,
    client_ca = client and ca.certificate, client_certificate = client } }
end

local function write(name, text)
  local path = daemon.folder() .. "/" .. name
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

describe("a login over TLS", function()
  local nexusd

  setup(function()
    nexusd = policies.start(policy, {
      listen = { address "optional", "127.0.0.1:0" },
      workers = 2,
      logins = { max_delay = 0, router_key_file = write("router.key", router_seed .. "\n") },
    })
  end)

  teardown(function()
    nexusd:stop()
  end)

  after_each(function()
    wamp.close_all()
  end)

  local function connect(options)
    local who = options.who
    return wamp.connect { transport = options.transport or "wss", serializer = "json",
      port = nexusd:port(options.port or 1),
      tls = options.port ~= 2 and { protocol = options.version or "any",
        certificate = who and who.certificate, key = who and who.key } or nil }
  end

  local both = { "tlsv1_2", "tlsv1_3" }

  for _, version in ipairs(both) do
    describe("with " .. version, function()
      for _, transport in ipairs { "wss", "rawsocket_tls" } do
        it("by certificate, over " .. transport, function()
          local client = connect { who = alice, version = version, transport = transport }
          policies.hello(client, { authmethods = { "tls" } })
          local welcome = policies.expect_welcome(client)
          assert.equal("alice", welcome.authid)
          assert.equal("tls", welcome.authmethod)
          assert.equal("policy", welcome.authprovider)
          local extra = welcome.authextra
          assert.equal("CN=alice", extra.subject)
          assert.equal("CN=login-CA", extra.issuer)
          assert.equal(fingerprint(alice, "sha256"):gsub(":", ""):lower(), extra.fingerprint)
          assert.equal(fingerprint(alice, "sha1"):gsub(":", ""):lower(), extra.sha1)
          assert.is_true(extra.verified)
          assert.equal(version == "tlsv1_2" and "TLSv1.2" or "TLSv1.3", extra.version)
          assert.equal(policies.hex(client.stream.sock:exportkeyingmaterial(
            "EXPORTER-Channel-Binding", 32, "")), extra.exporter)
        end)
      end

      it("by a certificate that the record names, and no other", function()
        local client = connect { who = bob, version = version }
        policies.hello(client, { authmethods = { "tls" } })
        assert.equal("bob", policies.expect_welcome(client).authid)
        client = connect { who = carl, version = version }
        policies.hello(client, { authmethods = { "tls" } })
        client:expect_abort("wamp.error.authentication_denied",
          "^tls: the credentials are not accepted$")
      end)

      --- The octets that stand for this end of the connection.
      local function binding(client, kind)
        local sock = client.stream.sock
        if kind == "tls-exporter" then
          return sock:exportkeyingmaterial("EXPORTER-Channel-Binding", 32, "")
        elseif kind == "tls-unique" then
          return sock:getfinished()
        end
        local der = ("openssl x509 -in '%s' -outform DER | openssl dgst -sha256 -binary | xxd -p "
          .. "-c 64"):format(daemon.certificate().cert)
        return (output_of(der):gsub("%x%x", function(pair)
          return string.char(tonumber(pair, 16))
        end))
      end

      local kinds = { ["tls-exporter"] = true, ["tls-unique"] = version == "tlsv1_2" }

      for kind, is_there in pairs(kinds) do
        it("by a key bound to it: " .. kind, function()
          for _, is_bound in ipairs { true, false } do
            local client = connect { version = version }
            policies.hello(client, { authmethods = { "cryptosign" }, authid = "device",
              authextra = { pubkey = pubkey, channel_binding = kind } })
            policies.answer(client, "cryptosign", function(extra)
              assert.equal(is_there and kind or wamp.null, extra.channel_binding)
              local id = binding(client, kind)
              id = is_there and is_bound and (#id == 32 and id or policies.sha256(id))
                or ("\0"):rep(32)
              local at = 0
              return policies.sign_key(key, (extra.challenge:gsub("%x%x", function(pair)
                at = at + 1
                return ("%02x"):format(tonumber(pair, 16) ~ id:byte(at))
              end)))
            end)
            if is_bound or not is_there then
              assert.is_true(policies.expect_welcome(client).authextra.tls)
            else
              client:expect_abort("wamp.error.authentication_denied")
            end
          end
        end)
      end

      kinds["tls-server-end-point"] = true
      for kind, is_there in pairs(kinds) do
        it("by SCRAM bound to it: " .. kind, function()
          for _, try in ipairs { "right", "other octets", "unsaid", "said otherwise" } do
            local client = connect { version = version }
            local nonce = "cm9wck5HZndFYmVSV2diTkVrcU8="
            policies.hello(client, { authmethods = { "wamp-scram" }, authid = "sally",
              authextra = { nonce = nonce, channel_binding = kind } })
            if not is_there then
              client:expect { wamp.ABORT, wamp.including { scram =
                "unsupported-channel-binding-type" }, "wamp.error.authentication_failed" }
              break
            end
            local extra = client:expect { wamp.CHALLENGE, "wamp-scram",
              wamp.capture(wamp.including {}) }
            local octets = binding(client, kind)
            local proof, verifier = policies.sign_scram("sally", "pencil", "saltsalt", nonce,
              extra, try == "unsaid" and "n,," or ("p=%s,,%s"):format(kind,
                try == "other octets" and octets:reverse() or octets))
            client:send { wamp.AUTHENTICATE, proof, { nonce = extra.nonce,
              channel_binding = try == "said otherwise" and wamp.null or kind,
              cbind_data = policies.base64(octets) } }
            if try == "right" then
              assert.equal(verifier, policies.expect_welcome(client).authextra.verifier)
            else
              client:expect { wamp.ABORT, wamp.including { scram = try == "said otherwise" and
                "channel-bindings-dont-match" or "invalid-proof" },
                "wamp.error.authentication_denied" }
            end
          end
        end)
      end

      it("shows the client who the router is, bound as well", function()
        local challenge = ("c0c1c2c3c4c5c6c7"):rep(4)
        for _, kind in ipairs { wamp.null, "tls-exporter" } do
          local client = connect { version = version }
          policies.hello(client, { authmethods = { "cryptosign" }, authid = "device",
            authextra = { pubkey = pubkey, challenge = challenge, channel_binding = kind } })
          local extra = client:expect { wamp.CHALLENGE, "cryptosign",
            wamp.capture(wamp.including {}) }
          assert.equal(router_pubkey, extra.pubkey)
          local expected = challenge
          if kind ~= wamp.null then
            local id, at = binding(client, kind), 0
            expected = challenge:gsub("%x%x", function(pair)
              at = at + 1
              return ("%02x"):format(tonumber(pair, 16) ~ id:byte(at))
            end)
          end
          assert.equal(expected, extra.signature:sub(129))
          assert.is_true(policies.is_signed(router_pubkey, extra.signature))
        end
      end)
    end)
  end

  it("without a certificate goes on with the next method", function()
    for _, client in ipairs { connect {}, connect { port = 2, transport = "ws" } } do
      policies.hello(client, { authmethods = { "tls", "cryptosign" }, authid = "device",
        authextra = { pubkey = pubkey } })
      client:expect { wamp.CHALLENGE, "cryptosign", wamp.any }
      client:drop()
    end
    local client = connect {}
    policies.hello(client, { authmethods = { "tls" } })
    client:expect_abort("wamp.error.authentication_failed", "client certificate")
  end)

  it("has no binding without TLS", function()
    local client = connect { port = 2, transport = "ws" }
    policies.hello(client, { authmethods = { "cryptosign" }, authid = "device",
      authextra = { pubkey = pubkey, channel_binding = "tls-exporter" } })
    policies.answer(client, "cryptosign", function(extra)
      assert.equal(wamp.null, extra.channel_binding)
      return policies.sign_key(key, extra.challenge)
    end)
    assert.is_false(policies.expect_welcome(client).authextra.tls)
    client = connect { port = 2, transport = "ws" }
    policies.hello(client, { authmethods = { "wamp-scram" }, authid = "sally",
      authextra = { nonce = "cm9wck5HZndFYmVSV2diTkVrcU8=", channel_binding = "tls-exporter" } })
    client:expect { wamp.ABORT, wamp.including { scram = "unsupported-channel-binding-type" },
      "wamp.error.authentication_failed" }
  end)
end)

describe("the configuration of logins", function()
  it("can require channel binding", function()
    local nexusd = policies.start(policy, { listen = { address(), "127.0.0.1:0" },
      logins = { max_delay = 0, require_binding = true } })
    local client = wamp.connect { transport = "ws", serializer = "json", port = nexusd:port(2) }
    policies.hello(client, { authmethods = { "cryptosign" }, authid = "device",
      authextra = { pubkey = pubkey, channel_binding = "tls-exporter" } })
    client:expect_abort("wamp.error.authentication_failed", "channel_binding: is required")
    wamp.close_all()
    nexusd:stop()
  end)

  it("can allow tls-unique with TLS 1.3", function()
    for _, allowed in ipairs { true, false } do
      local nexusd = policies.start(policy, { listen = { address() },
        logins = { max_delay = 0, tls_unique_tls13 = allowed } })
      local client = wamp.connect { transport = "wss", serializer = "json", port = nexusd:port(),
        tls = { protocol = "tlsv1_3" } }
      policies.hello(client, { authmethods = { "cryptosign" }, authid = "device",
        authextra = { pubkey = pubkey, channel_binding = "tls-unique" } })
      policies.answer(client, "cryptosign", function(extra)
        assert.equal(allowed and "tls-unique" or wamp.null, extra.channel_binding)
        local id = allowed and policies.sha256(client.stream.sock:getfinished())
          or ("\0"):rep(32)
        local at = 0
        return policies.sign_key(key, (extra.challenge:gsub("%x%x", function(pair)
          at = at + 1
          return ("%02x"):format(tonumber(pair, 16) ~ id:byte(at))
        end)))
      end)
      policies.expect_welcome(client)
      wamp.close_all()
      nexusd:stop()
    end
  end)

  it("can keep to SCRAM as it is specified", function()
    local salt = ("s"):rep(16)
    for _, offered in ipairs { true, false } do
      local nexusd = policies.start(([[return { api = 1, roles = { user = {} },
        authenticate = { scram = function() return %s end } }]]):format(
        policies.scram_record("pencil", salt, 4096)), { logins = { scram_compat = offered } })
      for name, is_there in pairs { scram = offered, ["wamp-scram"] = true } do
        local client = policies.connect(nexusd)
        policies.hello(client, { authmethods = { name }, authid = "joe",
          authextra = { nonce = "cm9wck5HZndFYmVSV2diTkVrcU8=" } })
        if is_there then
          client:expect { wamp.CHALLENGE, name, wamp.any }
        else
          client:expect_abort("wamp.error.no_matching_auth_method")
        end
      end
      wamp.close_all()
      nexusd:stop()
    end
  end)

  it("can tell strangers that they are not known", function()
    local nexusd = policies.start(policy, { logins = { reveal_principal = true } })
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "wamp-scram" }, authid = "nobody",
      authextra = { nonce = "cm9wck5HZndFYmVSV2diTkVrcU8=" } })
    client:expect_abort("wamp.error.no_such_principal")
    wamp.close_all()
    nexusd:stop()
  end)

  it("notes a method that nobody can use", function()
    local nexusd = policies.start(policy)
    assert.matches("note: policy.authenticate.tls is of no use: no address asks for certificates",
      nexusd:log(), 1, true)
    nexusd:stop()
  end)

  --- The salt that a user has who does not exist.
  local function salt_of(nexusd, authid)
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "wamp-scram" }, authid = authid,
      authextra = { nonce = "cm9wck5HZndFYmVSV2diTkVrcU8=" } })
    local extra = client:expect { wamp.CHALLENGE, "wamp-scram", wamp.capture(wamp.including {}) }
    client:drop()
    return extra.salt
  end

  local function salts(logins)
    local nexusd = policies.start(policy, { logins = logins })
    local first, second = salt_of(nexusd, "nobody"), salt_of(nexusd, "noone")
    assert.equal(first, salt_of(nexusd, "nobody"))
    assert.not_equal(first, second)
    nexusd:stop()
    return first
  end

  it("holds a secret, so that salts of nobody survive a restart", function()
    local file = write("secret", ("0123456789abcdef"):rep(2))
    local salt = salts { secret_file = file }
    assert.equal(salt, salts { secret_file = file })
    assert.not_equal(salt, salts { secret_file = write("other", ("x"):rep(40)) })
    assert.not_equal(salts {}, salts {})
  end)

  it("is refused when a secret is none", function()
    local short = write("short", "0123456789\n")
    for option, words in pairs {
      ["secret_file = '" .. short .. "'"] = "logins.secret_file: " .. short
        .. ": found 10 bytes; allowed: 32 or more",
      ["router_key_file = '" .. short .. "'"] = "logins.router_key_file: " .. short
        .. ": found 10 bytes that are no private key; allowed: 64 hex digits",
      ["secret_env = 'NEXUS_SPEC_NOWHERE'"] =
        "logins.secret_env: NEXUS_SPEC_NOWHERE: there is no such variable in the environment",
    } do
      local program = daemon.spawn { flags = "--check-config", config = ([[return {
        listen = { "127.0.0.1:0" }, realms = { realm1 = { policy = "open" } },
        logins = { %s } }]]):format(option) }
      assert.truthy(daemon.eventually(function() return program:code() end))
      assert.equal(78, program:wait())
      assert.equal(words .. "\n", program:log())
    end
  end)
end)

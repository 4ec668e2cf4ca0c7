--- Bad input at each step of each method: fields that are missing, of another type, cut off, too
-- long, of another session, or at the wrong time; and weaker methods offered first.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local wamp = require "wamp"

local key, pubkey = policies.make_key()
local other_key, other_pubkey = policies.make_key()
local nonce = "cm9wck5HZndFYmVSV2diTkVrcU8="

local policy = ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, authmethods = { %%s } }
local user <const> = "user"

function policy.authenticate.ticket(hello)
  return hello.authid == "alice" and { authrole = user, ticket = "right" } or nil
end

function policy.authenticate.wampcra(hello)
  return hello.authid == "alice" and { authrole = user, secret = "right" } or nil
end

function policy.authenticate.scram(hello)
  return hello.authid == "alice" and %s or nil
end

function policy.authenticate.cryptosign(hello)
  return (hello.authid == "alice" or hello.authid == nil) and
    { authrole = user, authid = "alice", pubkeys = "%s" } or nil
end

policy.authenticate.own = {
  challenge = function() return { riddle = "1+1" } end,
  verify = function(hello, signature)
    return signature == "2" and { authrole = user } or nil
  end,
}

policy.roles.user = { { allow = "call", uri = "spec.**" } }
return policy
]]):format(policies.scram_record("right", "saltsalt", 4096), pubkey)

local failed, denied = "wamp.error.authentication_failed", "wamp.error.authentication_denied"
local violation = "wamp.error.protocol_violation"
local long = ("x"):rep(70000)

--- How each method is done right, on any connection.
local right = {
  ticket = { sign = function() return "right" end },
  wampcra = { sign = function(extra) return policies.sign_cra("right", extra.challenge) end },
  ["wamp-scram"] = {
    extra = { nonce = nonce },
    sign = function(extra)
      return (policies.sign_scram("alice", "right", "saltsalt", nonce, extra))
    end,
  },
  scram = {
    extra = { nonce = nonce },
    sign = function(extra)
      return (policies.sign_scram("alice", "right", "saltsalt", nonce, extra, ""))
    end,
  },
  cryptosign = {
    extra = { pubkey = pubkey },
    sign = function(extra) return policies.sign_key(key, extra.challenge) end,
  },
  own = { sign = function() return "2" end },
}

--- HELLO.Details that are wrong for a method; `authextra` false: none. What comes is an ABORT
-- with that reason, whose message has those words.
local hellos = {
  { "ticket", { authid = false }, failed, "ticket: HELLO has no authid" },
  { "ticket", { authid = "" }, failed, "ticket: HELLO has no authid" },
  { "ticket", { authid = wamp.null }, failed, "ticket: HELLO has no authid" },
  { "ticket", { authid = 7 }, violation, "authid" },
  { "ticket", { authid = { "alice" } }, violation, "authid" },
  { "ticket", { authid = ("x"):rep(5000) }, failed, "authid" },
  { "ticket", { authid = long }, "wamp.error.not_authorized", "more bytes" },
  { "ticket", { authmethods = "ticket" }, violation, "authmethods" },
  { "ticket", { authmethods = { ticket = 1 } }, violation, "authmethods" },
  { "ticket", { authmethods = wamp.list { 1, true } }, violation, "authmethods" },
  { "ticket", { authmethods = wamp.list {} }, "wamp.error.authentication_required", "anonymous" },
  { "ticket", { authmethods = { "TICKET", "ticket ", "" } },
    "wamp.error.no_matching_auth_method", "offered" },
  { "ticket", { authextra = "x" }, violation, "authextra" },
  { "ticket", { authrole = 7 }, violation, "authrole" },
  { "wampcra", { authid = false }, failed, "wampcra: HELLO has no authid" },
  { "wamp-scram", { authid = false }, failed, "wamp%-scram: HELLO has no authid" },
  { "wamp-scram", { authextra = false }, failed, "HELLO has no authextra.nonce" },
  { "wamp-scram", { authextra = { nonce = wamp.null } }, failed, "HELLO has no authextra.nonce" },
  { "wamp-scram", { authextra = { nonce = 7 } }, failed, "authextra.nonce" },
  { "wamp-scram", { authextra = { nonce = "" } }, failed, "authextra.nonce" },
  { "wamp-scram", { authextra = { nonce = "AAAA" } }, failed, "authextra.nonce" },
  { "wamp-scram", { authextra = { nonce = nonce:sub(1, -2) } }, failed, "authextra.nonce" },
  { "wamp-scram", { authextra = { nonce = "not base64!=" } }, failed, "authextra.nonce" },
  { "wamp-scram", { authextra = { nonce = ("QUFB"):rep(100) } }, failed, "authextra.nonce" },
  { "wamp-scram", { authextra = { nonce = nonce, channel_binding = 7 } }, failed,
    "channel_binding" },
  { "wamp-scram", { authextra = { nonce = nonce, channel_binding = "tls-nothing" } }, failed,
    "channel_binding" },
  { "scram", { authextra = false }, failed, "HELLO has no authextra.nonce" },
  { "scram", { authextra = { nonce = "#" } }, failed, "authextra.nonce" },
  { "scram", { authid = false }, failed, "scram: HELLO has no authid" },
  { "scram", { authextra = { nonce = 7 } }, failed, "authextra.nonce" },
  { "wampcra", { authid = 7 }, violation, "authid" },
  { "wampcra", { authid = long }, "wamp.error.not_authorized", "more bytes" },
  { "cryptosign", { authid = 7 }, violation, "authid" },
  { "cryptosign", { authextra = { pubkey = wamp.null } }, failed, "authextra.pubkey" },
  { "cryptosign", { authextra = { pubkey = ("0"):rep(5000) } }, failed, "authextra.pubkey" },
  { "cryptosign", { authextra = false }, failed, "HELLO has no authextra.pubkey" },
  { "cryptosign", { authextra = { pubkey = 7 } }, failed, "authextra.pubkey" },
  { "cryptosign", { authextra = { pubkey = "" } }, failed, "authextra.pubkey" },
  { "cryptosign", { authextra = { pubkey = pubkey:sub(1, 62) } }, failed, "authextra.pubkey" },
  { "cryptosign", { authextra = { pubkey = pubkey .. "00" } }, failed, "authextra.pubkey" },
  { "cryptosign", { authextra = { pubkey = ("zz"):rep(32) } }, failed, "authextra.pubkey" },
  { "cryptosign", { authextra = { pubkey = pubkey, challenge = "00" } }, failed,
    "authextra.challenge" },
  { "cryptosign", { authextra = { pubkey = pubkey, challenge = {} } }, failed,
    "authextra.challenge" },
  { "cryptosign", { authextra = { pubkey = pubkey, channel_binding = {} } }, failed,
    "channel_binding" },
}

--- Answers to a CHALLENGE that are wrong for every method: no signature, no message of the kind.
local messages = {
  { { wamp.AUTHENTICATE }, violation },
  { { wamp.AUTHENTICATE, "x" }, violation },
  { { wamp.AUTHENTICATE, "x", wamp.list {} }, violation },
  { { wamp.AUTHENTICATE, "x", {}, 1 }, violation },
  { { wamp.AUTHENTICATE, 7, {} }, violation },
  { { wamp.AUTHENTICATE, wamp.null, {} }, violation },
  { { wamp.AUTHENTICATE, { "x" }, {} }, violation },
  { { wamp.AUTHENTICATE, "x", "y" }, violation },
  { { wamp.AUTHENTICATE, "", {} }, denied },
  { { wamp.AUTHENTICATE, "x", {} }, denied },
  { { wamp.AUTHENTICATE, "\0", {} }, denied },
  { { wamp.AUTHENTICATE, ("x"):rep(5000), {} }, denied },
  { { wamp.AUTHENTICATE, ("A"):rep(60000), {} }, denied },
  { { wamp.AUTHENTICATE, long, {} }, failed },
  -- at the wrong time
  { { wamp.HELLO, "realm1", { roles = wamp.roles() } }, violation },
  { { wamp.GOODBYE, {}, "wamp.close.normal" }, violation },
  { { wamp.CALL, 1, {}, "spec.x" }, violation },
  { { wamp.PUBLISH, 1, {}, "spec.x" }, violation },
  { { wamp.CHALLENGE, "ticket", {} }, violation },
  { { wamp.WELCOME, 1, {} }, violation },
}

--- Ways to spoil what would have been right, by method; they all are credentials that are wrong.
local function cut(signature) return signature:sub(1, -2) end
local function flipped(signature)
  local first = signature:sub(1, 1)
  return (first == "A" and "B" or "A") .. signature:sub(2)
end
local spoilt = {
  ticket = { cut, function(s) return s .. "\0" end, string.upper },
  wampcra = { cut, flipped, function(s) return s .. "=" end, function(s) return s .. s end },
  ["wamp-scram"] = { cut, flipped, function(s) return s:sub(1, 20) .. "=" .. s:sub(22) end },
  scram = { cut, flipped, function(s) return s:sub(1, 20) .. "=" .. s:sub(22) end },
  cryptosign = {
    cut, function(s) return s:sub(1, 126) end, function(s) return s .. "00" end,
    function(s) return s:sub(1, 128) .. ("00"):rep(32) end,
    function(s) return ("00"):rep(64) .. s:sub(129) end,
    function(s) return s:gsub("%x", "z") end,
  },
  own = { function() return "3" end },
}

local function start(authmethods)
  -- gsub, since the text has other percent signs than those of format
  return policies.start((policy:gsub("%%s", function() return authmethods or "" end)),
    { workers = 2 })
end

describe("bad input of a login", function()
  local nexusd

  setup(function()
    nexusd = start('"ticket"')
  end)

  teardown(function()
    nexusd:stop()
  end)

  after_each(function()
    wamp.close_all()
    assert.equal("alice", policies.login_ticket(policies.connect(nexusd), "alice", "right").authid)
    wamp.close_all()
  end)

  local function details_of(method, changes)
    local details = { authmethods = { method }, authid = "alice",
      authextra = right[method].extra }
    for name, value in pairs(changes or {}) do
      details[name] = value or nil
    end
    return details
  end

  local function challenged(method, serializer, changes)
    local client = policies.connect(nexusd, serializer)
    policies.hello(client, details_of(method, changes))
    return client, client:expect { wamp.CHALLENGE, method, wamp.capture(wamp.including {}) }
  end

  local function ends(client, uri)
    client:expect { wamp.ABORT, wamp.including {}, uri }
    client:expect_closed()
  end

  for i, row in ipairs(hellos) do
    local method, changes, uri, words = table.unpack(row)
    it(("in HELLO, %s, row %d: %s"):format(method, i, words), function()
      for _, serializer in ipairs { "json", "msgpack", "cbor" } do
        local client = policies.connect(nexusd, serializer)
        policies.hello(client, details_of(method, changes))
        local said = client:expect { wamp.ABORT, wamp.capture(wamp.including {}), uri }
        assert.matches(words, said.message)
        client:expect_closed()
      end
    end)
  end

  for method in pairs(right) do
    it("in AUTHENTICATE of " .. method, function()
      for i, row in ipairs(messages) do
        local client = challenged(method, ({ "json", "msgpack", "cbor" })[i % 3 + 1])
        client:send(row[1])
        ends(client, row[2])
      end
    end)
  end

  for method, ways in pairs(spoilt) do
    it("in the credential of " .. method, function()
      for _, spoil in ipairs(ways) do
        local client, extra = challenged(method)
        client:send { wamp.AUTHENTICATE, (spoil(right[method].sign(extra))), {} }
        ends(client, denied)
      end
    end)

    it("from another session, and again, by " .. method, function()
      local first, extra = challenged(method)
      local second = challenged(method)
      local signature = right[method].sign(extra)
      local is_proof = method ~= "ticket" and method ~= "own"
      second:send { wamp.AUTHENTICATE, signature, {} }
      if is_proof then
        ends(second, denied)
      else
        policies.expect_welcome(second)
      end
      first:send { wamp.AUTHENTICATE, signature, {} }
      policies.expect_welcome(first)
      first:send { wamp.AUTHENTICATE, signature, {} }
      first:expect_violation("AUTHENTICATE")
    end)
  end

  it("that is longer than anything is before there is a session", function()
    for method in pairs(right) do
      local client = challenged(method)
      client:send { wamp.AUTHENTICATE, ("x"):rep(200000), {} }
      client:expect_closed(1009)
    end
    local client = policies.connect(nexusd)
    policies.hello(client, details_of("ticket", { authextra = { x = ("x"):rep(200000) } }))
    client:expect_closed(1009)
  end)

  it("in what SCRAM repeats", function()
    for _, wrong in ipairs { "AAAA", "", 7, true, wamp.list { "AAAA" }, ("A"):rep(5000) } do
      for _, name in ipairs { "nonce", "channel_binding", "cbind_data" } do
        local client, extra = challenged "wamp-scram"
        client:send { wamp.AUTHENTICATE, right["wamp-scram"].sign(extra), { [name] = wrong } }
        ends(client, denied)
      end
    end
    -- what is not said is as it was
    local client, extra = challenged "wamp-scram"
    client:send { wamp.AUTHENTICATE, right["wamp-scram"].sign(extra), { other = 1 } }
    policies.expect_welcome(client)
  end)

  it("of a key that is not the user's", function()
    local client, extra = challenged("cryptosign", "json",
      { authextra = { pubkey = other_pubkey } })
    client:send { wamp.AUTHENTICATE, policies.sign_key(other_key, extra.challenge), {} }
    ends(client, denied)
    -- nor does the right key open another name
    client, extra = challenged("cryptosign", "json", { authid = "bob" })
    client:send { wamp.AUTHENTICATE, policies.sign_key(key, extra.challenge), {} }
    ends(client, denied)
  end)

  it("before HELLO and after the end", function()
    local client = policies.connect(nexusd)
    client:send { wamp.AUTHENTICATE, "right", {} }
    client:expect_violation("AUTHENTICATE")
    client = challenged "ticket"
    client:send { wamp.ABORT, {}, "wamp.error.cannot_authenticate" }
    client:expect_closed()
    client = policies.connect(nexusd)
    policies.login_ticket(client, "alice", "right")
    client:send { wamp.GOODBYE, {}, "wamp.close.normal" }
    client:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
    client:send { wamp.AUTHENTICATE, "right", {} }
    client:expect_violation("AUTHENTICATE")
  end)
end)

describe("the order of methods", function()
  local function method_of(nexusd, authmethods)
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = authmethods, authid = "alice",
      authextra = { nonce = nonce, pubkey = pubkey } })
    local message = client:receive()
    client:drop()
    return message[1] == wamp.CHALLENGE and message[2] or message[3]
  end

  local all = { "own", "ticket", "wampcra", "wamp-scram", "cryptosign" }

  it("is the client's without policy.authmethods", function()
    local nexusd = start()
    assert.equal("own", method_of(nexusd, all))
    assert.equal("ticket", method_of(nexusd, { "nothing", "ticket", "cryptosign" }))
    nexusd:stop()
  end)

  it("is the policy's with it: weaker ones first gain nothing", function()
    local nexusd = start '"cryptosign", "scram", "wampcra"'
    assert.equal("cryptosign", method_of(nexusd, all))
    assert.equal("cryptosign", method_of(nexusd, { "anonymous", "ticket", "cryptosign" }))
    assert.equal("wamp-scram", method_of(nexusd, { "ticket", "wampcra", "wamp-scram" }))
    assert.equal("wampcra", method_of(nexusd, { "ticket", "wampcra", "own" }))
    -- of those that it does not name the client's first one is taken
    assert.equal("own", method_of(nexusd, { "own", "ticket" }))
    assert.equal("ticket", method_of(nexusd, { "ticket", "own" }))
    -- who can do nothing better is not turned down, unless the policy has no such method
    assert.equal("ticket", method_of(nexusd, { "ticket" }))
    assert.equal("wamp.error.authentication_required", method_of(nexusd, { "anonymous" }))
    assert.equal("wamp.error.no_matching_auth_method", method_of(nexusd, { "oauth2" }))
    nexusd:stop()
  end)
end)

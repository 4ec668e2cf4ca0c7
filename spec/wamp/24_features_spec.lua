--- Announced features whose corners other specs look into, each under its name, with a real router.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

local passthru = { payload_passthru_mode = true }
local transparent = { payload_transparency = true }

local function everywhere(features)
  return { roles = wamp.roles {
    publisher = features, subscriber = features, caller = features, callee = features } }
end

--- The registrations of the protocol's own table, and which of them each call goes to.
local registrations = {
  { "a1.b2.c3.d4.e55" }, { "a1.b2.c3", "prefix" }, { "a1.b2.c3.d4", "prefix" },
  { "a1.b2..d4.e5", "wildcard" }, { "a1.b2.c33..e5", "wildcard" },
  { "a1.b2..d4.e5..g7", "wildcard" }, { "a1.b2..d4..f6.g7", "wildcard" },
}
local calls = {
  ["a1.b2.c3.d4.e55"] = 1, ["a1.b2.c3.d98.e74"] = 2, ["a1.b2.c3.d4.e325"] = 3,
  ["a1.b2.c55.d4.e5"] = 4, ["a1.b2.c33.d4.e5"] = 5, ["a1.b2.c88.d4.e5.f6.g7"] = 6,
}

conformance.everywhere("The feature", { realm = { trustlevel = 3 } }, function(peer)
  it("pattern_based_registration", function()
    local alice, bob = peer.join(), peer.join()
    local base, ids = peer.uri() .. ".", {}
    for i, row in ipairs(registrations) do
      ids[i] = alice:register(base .. row[1], { match = row[2] })
    end
    for uri, i in pairs(calls) do
      bob:call(base .. uri, { uri })
      alice:expect_invocation(ids[i], { uri }, nil, { procedure = i ~= 1 and base .. uri or nil })
    end
    local request = bob:call(base .. "a2.b2.c2.d2.e2")
    bob:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
  end)

  it("pattern_based_subscription", function()
    local alice, bob = peer.join(), peer.join()
    local base = peer.uri()
    local topic = base .. ".x.y"
    local exact = alice:subscribe(topic)
    local prefix = alice:subscribe(base, { match = "prefix" })
    local wildcard = alice:subscribe(base .. "..y", { match = "wildcard" })
    local publication = bob:publish(topic, { 1 }, nil, { acknowledge = true })
    alice:expect { wamp.EVENT, exact, publication, {}, { 1 } }
    alice:expect { wamp.EVENT, prefix, publication, { topic = topic }, { 1 } }
    alice:expect { wamp.EVENT, wildcard, publication, { topic = topic }, { 1 } }
    alice:expect_nothing()
  end)

  it("subscriber_blackwhite_listing", function()
    local alice, bob, carol = peer.join { team = "one" }, peer.join { team = "two" }, peer.join()
    local topic = peer.uri()
    local id = alice:subscribe(topic)
    bob:subscribe(topic)
    local authid, nobody = alice.welcome.authid, wamp.list {}
    for i, row in ipairs {
      { "a", { eligible = { alice.session } } }, { "b", { exclude = { alice.session } } },
      { "a", { eligible_authid = { authid } } }, { "b", { exclude_authid = { authid } } },
      { "ab", { eligible_authrole = { "anonymous" } } },
      { "", { exclude_authrole = { "anonymous" } } },
      { "", { eligible = nobody } }, { "", { eligible_authid = nobody } },
      { "", { eligible_authrole = nobody } }, { "ab", { exclude = nobody } },
      { "ab", { exclude_authid = nobody } }, { "ab", { exclude_authrole = nobody } },
      { "a", { eligible_team = { "one" } } }, { "b", { exclude_team = { "one" } } },
    } do
      carol:publish(topic, { i }, nil, row[2])
      for name, subscriber in pairs { a = alice, b = bob } do
        if row[1]:find(name) then
          subscriber:expect_event(id, { i })
        end
      end
    end
    carol:publish(topic, { "end" })
    alice:expect_event(id, { "end" })
    bob:expect_event(id, { "end" })
  end)

  it("publisher_exclusion", function()
    local alice = peer.join()
    local topic = peer.uri()
    local id = alice:subscribe(topic)
    alice:publish(topic, { 1 })
    alice:publish(topic, { 2 }, nil, { exclude_me = true })
    alice:publish(topic, { 3 }, nil, { exclude_me = false })
    alice:expect_event(id, { 3 })
    alice:expect_nothing()
  end)

  it("publication_trustlevels", function()
    local alice, bob, carol = peer.join(everywhere { publication_trustlevels = true }),
      peer.join(), peer.join()
    local topic = peer.uri()
    local id = alice:subscribe(topic)
    bob:subscribe(topic)
    carol:publish(topic)
    alice:expect_event(id, nil, nil, { trustlevel = 3 })
    bob:expect_event(id)
  end)

  it("payload_passthru_mode", function()
    local alice, bob, carol = peer.join(everywhere(passthru)), peer.join(everywhere(passthru)),
      peer.join()
    local uri, secret = peer.uri(), { wamp.binary "\1\2\255" }
    local ppt = { ppt_scheme = "x_spec", ppt_serializer = "cbor", ppt_cipher = "x",
      ppt_keyid = "k" }
    local topic, id = alice:subscribe(uri), alice:register(uri)
    bob:publish(uri, secret, nil, ppt)
    alice:expect_event(topic, secret, nil, ppt)
    local request = bob:call(uri, secret, nil, ppt)
    alice:yield(alice:expect_invocation(id, secret, nil, ppt), secret, nil, ppt)
    bob:expect_result(request, secret, nil, ppt)
    request = bob:call(uri)
    alice:send { wamp.ERROR, wamp.INVOCATION, alice:expect_invocation(id), ppt, "com.error",
      secret }
    bob:expect { wamp.ERROR, wamp.CALL, request, ppt, "com.error", secret }
    local other = peer.uri()
    carol:register(other)
    request = bob:call(other, secret, nil, ppt)
    bob:expect_error(wamp.CALL, request, "wamp.error.feature_not_supported")
    carol:expect_nothing()
  end)

  it("payload_transparency", function()
    local alice, bob, carol = peer.join(everywhere(transparent)),
      peer.join(everywhere(transparent)), peer.join()
    local uri, raw = peer.uri(), wamp.binary "\1\2\255"
    local enc = { enc_algo = "cryptobox", enc_serializer = "cbor", enc_key = "k" }
    local topic, id = alice:subscribe(uri), alice:register(uri)
    carol:subscribe(uri)
    bob:send { wamp.PUBLISH, bob:next_id(), enc, uri, raw }
    alice:expect { wamp.EVENT, topic, wamp.id, enc, raw }
    carol:expect { wamp.EVENT, topic, wamp.id, enc, { raw } }
    local request = bob:next_id()
    bob:send { wamp.CALL, request, enc, uri, raw }
    alice:send { wamp.YIELD, alice:expect { wamp.INVOCATION, wamp.id, id, enc, raw }, enc, raw }
    bob:expect { wamp.RESULT, request, enc, raw }
  end)
end)

--- URIs: which ones an operation takes, and whose the namespace "wamp" is.
-- SPDX-License-Identifier: MIT
local core = require "core"

-- URI; whether it is good for exact, prefix and wildcard use; the same where URIs are strict.
local uris = {
  { "a", "epw", "epw" },
  { "com.myapp.topic1", "epw", "epw" },
  { "com.my_app.0", "epw", "epw" },
  { "com.myapp.Topic-1", "epw", "" },
  { "com.müller.x", "epw", "" },
  { "com.日本.🙂", "epw", "" },
  { "com.myapp.", "pw", "pw" },
  { "com..topic", "w", "w" },
  { "this.is.a..", "w", "w" },
  { "...", "w", "w" },
  { ".com.myapp", "w", "w" },
  { "", "pw", "pw" },
  { "com.my app", "", "" },
  { "com.my#app", "", "" },
  { "#", "", "" },
  { "com.x\n", "", "" },
  { "com.x\t", "", "" },
  { " com.x", "", "" },
  { "com.x\0", "", "" },
  { "\0com.x", "", "", not_in_json = true },
  { "com.\u{a0}x", "", "" },
  { "com.\u{85}x", "", "" },
  { "com.\u{1680}x", "", "" },
  { "com.\u{2003}x", "", "" },
  { "com.\u{2028}x", "", "" },
  { "com.\u{202f}x", "", "" },
  { "com.\u{205f}x", "", "" },
  { "com.\u{3000}x", "", "" },
  { "com.\u{1c}x", "", "" },
  { ("x"):rep(4096), "epw", "epw" },
  { ("x"):rep(4097), "", "" },
  { ("a."):rep(63) .. "a", "epw", "epw" },
  { ("a."):rep(64) .. "a", "", "" },
}

local letter = { exact = "e", prefix = "p", wildcard = "w" }

core.describe("A URI", function(router, codec)
  local function expect(peer, message, done, is_good)
    local expected = is_good and { done, core.any, core.rest }
      or core.failure(message[1], message[2], "wamp.error.invalid_uri")
    assert.actions({ { peer, expected } }, core.without_meta(peer:send(message)))
  end

  for _, row in ipairs(uris) do
    local uri, loose, strict = table.unpack(row)
    local function each(body)
      for _, is_strict in ipairs { false, true } do
        local peer = router { strict_uris = is_strict }:join()
        for match, c in pairs(letter) do
          body(peer, match, (is_strict and strict or loose):find(c) ~= nil)
        end
      end
    end

    if not (row.not_in_json and codec == "json") then
      local name = ("%q"):format(#uri > 40 and (#uri .. " bytes") or uri)

      it(name .. " is accepted by SUBSCRIBE and REGISTER as its match policy allows", function()
        each(function(peer, match, is_good)
          expect(peer, { core.SUBSCRIBE, 1, { match = match }, uri }, core.SUBSCRIBED, is_good)
          expect(peer, { core.REGISTER, 2, { match = match }, uri }, core.REGISTERED, is_good)
        end)
      end)

      it(name .. " is accepted by PUBLISH and CALL as a whole URI", function()
        each(function(peer, match, is_good)
          if match == "exact" then
            expect(peer, { core.PUBLISH, 1, { acknowledge = true }, uri }, core.PUBLISHED, is_good)
            assert.actions({}, peer:send { core.PUBLISH, 2, {}, uri })
            assert.actions({ { peer, core.failure(core.CALL, 3,
              "wamp.error." .. (is_good and "no_such_procedure" or "invalid_uri")) } },
              peer:send { core.CALL, 3, {}, uri })
          end
        end)
      end)
    end
  end

  it("that is not valid leaves nothing behind", function()
    local r = router()
    local alice = r:join()
    alice:send { core.SUBSCRIBE, 1, {}, "com..x" }
    alice:send { core.REGISTER, 2, {}, "com..x" }
    alice:publish "com..x"
    local counters = r:counters()
    assert.same({ 0, 0, 0 },
      { counters.subscriptions, counters.registrations, counters.publications })
  end)

  it("of a callee's ERROR may be any text", function()
    for _, uri in ipairs { "", "not a uri", "com..x", "#", "Division by zero!" } do
      local r = router()
      local alice, bob = r:join(), r:join()
      alice:register "com.x"
      bob:call "com.x"
      assert.actions({ { bob, { core.ERROR, core.CALL, 1, {}, uri } } }, alice:refuse(1, uri))
    end
  end)

  it("is compared byte by byte", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:subscribe "com.müller"
    alice:subscribe "com.X"
    assert.actions({}, bob:publish "com.mu\u{308}ller")
    assert.actions({}, bob:publish "com.x")
    assert.equal(1, #bob:publish "com.müller")
  end)
end)

local reserved = {
  { "wamp", "exact" }, { "wamp.", "prefix" }, { "wamp", "prefix" }, { "wamp.x", "exact" },
  { "wamp.session.count", "exact" }, { "wamp.sess", "prefix" }, { "wamp..count", "wildcard" },
  { "wamp.x", "wildcard" }, { "wamp", "wildcard" }, { "wamp.", "wildcard" },
}

local free = {
  { "wampx.foo", "exact" }, { "Wamp.foo", "exact" }, { "com.wamp", "exact" }, { "wa", "prefix" },
  { "", "prefix" }, { "", "wildcard" }, { ".session.count", "wildcard" }, { "wampx", "prefix" },
  { "..", "wildcard" }, { "wampx.", "wildcard" },
}

core.describe("The namespace wamp", function(router)
  for _, row in ipairs(reserved) do
    local uri, match = row[1], row[2]

    it(("is closed for REGISTER %q (%s)"):format(uri, match), function()
      local alice = router():join()
      assert.actions({ { alice, core.failure(core.REGISTER, 1, "wamp.error.invalid_uri") } },
        alice:send { core.REGISTER, 1, { match = match }, uri })
    end)

    it(("is open for SUBSCRIBE %q (%s)"):format(uri, match), function()
      router():join():subscribe(uri, { match = match })
    end)
  end

  for _, row in ipairs(free) do
    it(("does not hold %q (%s)"):format(row[1], row[2]), function()
      local alice = router():join()
      alice:register(row[1], { match = row[2] })
    end)
  end

  for _, uri in ipairs { "wamp", "wamp.x", "wamp.session.on_join" } do
    it("is closed for PUBLISH to " .. uri, function()
      local r = router()
      local alice, bob = r:join(), r:join()
      bob:subscribe(uri)
      bob:subscribe("", { match = "prefix" })
      assert.actions({ { alice, core.failure(core.PUBLISH, 1, "wamp.error.invalid_uri") } },
        alice:publish(uri, nil, nil, { acknowledge = true }))
      assert.actions({}, alice:publish(uri))
      assert.equal(0, r:counters().publications)
    end)
  end

  it("is open for PUBLISH to wampx.foo", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    bob:subscribe "wampx.foo"
    assert.equal(1, #alice:publish "wampx.foo")
  end)

  it("is never answered by a pattern of a client", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    alice:register("", { match = "prefix" })
    alice:register("wa", { match = "prefix" })
    alice:register(".session.nothing", { match = "wildcard" })
    for _, uri in ipairs { "wamp", "wamp.x", "wamp.session.nothing" } do
      assert.actions({ { bob, core.failure(core.CALL, bob.last_request + 1,
        "wamp.error.no_such_procedure") } }, bob:call(uri))
    end
    assert.is_truthy(alice:first(bob:call "wampx.y", core.INVOCATION))
  end)
end)

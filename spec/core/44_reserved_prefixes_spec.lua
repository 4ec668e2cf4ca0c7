--- Names that applications may not give: `wamp` and what the realm reserves besides.
-- SPDX-License-Identifier: MIT
local core = require "core"

local CALL, PUBLISH, REGISTER = core.CALL, core.PUBLISH, core.REGISTER

-- How a realm is configured; prefixes that are reserved there, and some that are not.
local realms = {
  { "by default", nil, { "wamp" }, { "house" } },
  { "as a list of two", { "wamp", "nexus" }, { "wamp", "nexus" }, { "house" } },
  { "as a list of one", { "wamp" }, { "wamp" }, { "nexus", "house" } },
  { "as a list of three", { "wamp", "house", "büro" }, { "wamp", "house", "büro" }, { "nexus" } },
}

core.describe("Reserved prefixes", function(router)
  for _, row in ipairs(realms) do
    local how, list, reserved, free = table.unpack(row)

    local function realm()
      return router { reserved_prefixes = list }
    end

    local function each(prefixes, body)
      for _, prefix in ipairs(prefixes) do
        body(prefix)
      end
    end

    describe(how .. ":", function()
      each(reserved, function(prefix)
        for _, case in ipairs {
          { prefix }, { prefix .. ".x" }, { prefix .. ".session.count" },
          { prefix, "prefix" }, { prefix .. ".", "prefix" }, { prefix .. ".x", "prefix" },
          { prefix .. ".x.", "prefix" }, { prefix, "wildcard" }, { prefix .. ".", "wildcard" },
          { prefix .. "..", "wildcard" }, { prefix .. "..x", "wildcard" },
          { prefix .. ".x", "wildcard" },
        } do
          it(("%q may not be registered (%s)"):format(case[1], case[2] or "exact"), function()
            local r = realm()
            local alice = r:join()
            assert.actions({ { alice, core.failure(REGISTER, 1, "wamp.error.invalid_uri") } },
              alice:send { REGISTER, 1, { match = case[2] }, case[1] })
            assert.equal(0, r:counters().registrations)
          end)
        end

        it(prefix .. " may not be published to: an error, or silence", function()
          local r = realm()
          local alice, bob = r:join(), r:join()
          bob:subscribe(prefix)
          bob:subscribe(prefix .. ".x.y")
          for i, topic in ipairs { prefix, prefix .. ".x.y" } do
            local refused = core.failure(PUBLISH, 2 * i - 1, "wamp.error.invalid_uri")
            assert.actions({ { alice, refused } },
              alice:publish(topic, { 1 }, nil, { acknowledge = true }))
            assert.actions({}, alice:publish(topic, { 1 }))
          end
        end)

        it(prefix .. " may not be in a testament", function()
          local r = realm()
          local alice, bob = r:join(), r:join()
          bob:subscribe(prefix .. ".x")
          for i, topic in ipairs { prefix, prefix .. ".x" } do
            assert.actions({ { alice, core.failure(CALL, i, "wamp.error.invalid_uri") } },
              alice:call("wamp.session.add_testament", { topic, core.list {}, {} }))
          end
          assert.actions({}, alice:drop())
        end)

        it(prefix .. " may be subscribed to, whatever the match", function()
          local alice = realm():join()
          for _, case in ipairs { { prefix }, { prefix .. ".x" }, { prefix, "prefix" },
            { prefix .. ".", "prefix" }, { prefix .. "..x", "wildcard" } } do
            local id = alice:subscribe(case[1], { match = case[2] })
            assert.actions({ { alice, { core.UNSUBSCRIBED, alice.last_request + 1 } } },
              alice:unsubscribe(id))
          end
        end)

        it("subscriptions to " .. prefix .. " are not told of", function()
          local r = realm()
          local alice, bob = r:join(), r:join()
          bob:subscribe("wamp.subscription.", { match = "prefix" })
          for _, uri in ipairs { prefix, prefix .. ".x" } do
            local actions = alice:send { core.SUBSCRIBE, alice:next_request(), {}, uri }
            assert.equal(1, #actions)
            assert.equal(1, #alice:unsubscribe(actions[1][2][3]))
          end
        end)

        it(prefix .. " may be called: there is no such procedure, whatever is registered",
          function()
            local r = realm()
            local alice, bob = r:join(), r:join()
            alice:register("", { match = "prefix" })
            alice:register(prefix:sub(1, 1), { match = "prefix" })
            alice:register(".x", { match = "wildcard" })
            alice:register("..x", { match = "wildcard" })
            for i, last in ipairs { "", ".x", ".y.x", ".session" } do
              assert.actions({ { bob, core.failure(CALL, i, "wamp.error.no_such_procedure") } },
                bob:call(prefix .. last, { 1 }))
            end
          end)

        it(prefix .. " begins no other name", function()
          local r = realm()
          local alice, bob = r:join(), r:join()
          for _, name in ipairs { prefix .. "x", prefix .. "x.y", prefix .. "-1.x", "x." .. prefix,
            prefix:upper() .. ".x", prefix:sub(1, -2) .. ".x" } do
            local registration = alice:register(name)
            local subscription = alice:subscribe(name)
            assert.actions({ { alice, { core.EVENT, subscription, core.id, {} } } },
              bob:publish(name))
            assert.actions({ { alice, { core.INVOCATION, core.id, registration, {} } } },
              bob:call(name))
          end
        end)

        it(prefix .. " is not matched by patterns that merely cover it", function()
          local r = realm()
          local alice, bob = r:join(), r:join()
          local id = alice:register("", { match = "prefix" })
          assert.actions({ { bob, core.failure(CALL, 1, "wamp.error.no_such_procedure") } },
            bob:call(prefix .. ".x"))
          assert.actions({ { alice, { core.INVOCATION, 1, id, { procedure = prefix .. "x" } } } },
            bob:call(prefix .. "x"))
        end)
      end)

      each(free, function(prefix)
        it(prefix .. " is a name like any other", function()
          local r = realm()
          local alice, bob = r:join(), r:join()
          local name = prefix .. ".x"
          local registration = alice:register(name)
          alice:register(prefix .. ".", { match = "prefix" })
          alice:register(prefix .. "..x", { match = "wildcard" })
          local subscription = alice:subscribe(name)
          assert.actions({ { bob, { core.PUBLISHED, 1, core.id } },
            { alice, { core.EVENT, subscription, core.id, {} } } },
            bob:publish(name, nil, nil, { acknowledge = true }))
          assert.actions({ { alice, { core.INVOCATION, 1, registration, {} } } }, bob:call(name))
          bob:call("wamp.session.add_testament", { name, { "gone" } })
          local gone = alice:first(bob:drop(), core.EVENT)
          assert.same({ "gone" }, gone[5])
        end)
      end)

      it("the procedures of the router are called, not those of applications", function()
        local r = realm()
        local alice, bob = r:join(), r:join()
        alice:register("", { match = "prefix" })
        alice:register("wa", { match = "prefix" })
        alice:register(".session.count", { match = "wildcard" })
        alice:register("..", { match = "wildcard" })
        assert.actions({ { bob, { core.RESULT, 1, {}, { 2 } } } }, bob:call "wamp.session.count")
        assert.actions({ { bob, core.failure(CALL, 2, "wamp.error.no_such_procedure") } },
          bob:call "wamp.session.county")
      end)

      it("pattern subscriptions receive the meta events that they match", function()
        local r = realm()
        local alice = r:join()
        local ids = {}
        for i, case in ipairs { { "", "prefix" }, { "wamp.session", "prefix" },
          { "..", "wildcard" }, { ".session.on_join", "wildcard" } } do
          ids[i] = alice:subscribe(case[1], { match = case[2] })
        end
        local bob = r:open()
        local got = {}
        for _, message in ipairs(alice:messages(bob:hello())) do
          assert.equal("wamp.session.on_join", message[4].topic)
          assert.equal(bob.session, message[5][1].session)
          got[#got + 1] = message[2]
        end
        table.sort(ids)
        table.sort(got)
        assert.same(ids, got)
      end)
    end)
  end
end)

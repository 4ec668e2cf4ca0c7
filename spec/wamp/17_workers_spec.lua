--- Two workers, realms at home on both, peers spread over both: nothing that matters is different.
--
-- The kernel deals connections out, so each scene has enough of them that both workers get some.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

-- Homes are given in turn: of two realms made one after the other, each worker has one.
conformance.over_mixed("With two workers", { workers = 2 }, function(peer)
  local function crowd(count, details)
    local all = {}
    for i = 1, count do
      all[i] = peer.join(details)
    end
    return all
  end

  for home = 1, 2 do
    local function scene(count, details)
      peer.fresh_realm()
      if home == 2 then
        peer.join()
        peer.fresh_realm()
      end
      return crowd(count, details)
    end

    describe(("a realm at home on worker %d"):format(home), function()
      it("serves calls between all its peers", function()
        local all = scene(10)
        local registrations, procedures = {}, {}
        for i, callee in ipairs(all) do
          procedures[i] = peer.uri()
          registrations[i] = callee:register(procedures[i])
        end
        for i, callee in ipairs(all) do
          local caller = all[i % #all + 1]
          local request = caller:call(procedures[i], { i, "é", 1.0 }, { k = i })
          local invocation = callee:expect_invocation(registrations[i], { i, "é", 1.0 }, { k = i })
          callee:yield(invocation, { -i })
          caller:expect_result(request, { -i })
          request = caller:call(procedures[i])
          invocation = callee:expect_invocation(registrations[i])
          callee:send { wamp.ERROR, wamp.INVOCATION, invocation, {}, "com.error", { i } }
          caller:expect { wamp.ERROR, wamp.CALL, request, {}, "com.error", { i } }
        end
      end)

      it("delivers events to all, each publisher's in order", function()
        local all = scene(8)
        local topic = peer.uri()
        for _, subscriber in ipairs(all) do
          subscriber:subscribe(topic)
        end
        for from = 1, 100, 20 do
          for number, publisher in ipairs(all) do
            local messages = {}
            for i = from, from + 19 do
              messages[#messages + 1] = { wamp.PUBLISH, i, {}, topic, { number, i } }
            end
            publisher:send_all(messages)
          end
        end
        for number, subscriber in ipairs(all) do
          local next_of = {}
          for _ = 1, 100 * (#all - 1) do
            local args = subscriber:expect { wamp.EVENT, wamp.any, wamp.any, {}, wamp.capture() }
            assert.not_equal(number, args[1])
            assert.equal((next_of[args[1]] or 0) + 1, args[2])
            next_of[args[1]] = args[2]
          end
        end
        for _, subscriber in ipairs(all) do
          subscriber:expect_nothing()
        end
      end)

      it("keeps the order of one caller's calls and of its results", function()
        local all = scene(6)
        local callee = table.remove(all)
        local procedure = peer.uri()
        local registration = callee:register(procedure)
        for _, caller in ipairs(all) do
          local calls = {}
          for i = 1, 100 do
            calls[i] = { wamp.CALL, i, {}, procedure, { i } }
          end
          caller:send_all(calls)
          for i = 1, 100 do
            callee:yield(callee:expect_invocation(registration, { i }), { i })
          end
          for i = 1, 100 do
            caller:expect_result(i, { i })
          end
        end
      end)

      it("queues PUBLISHED before the own event, and everything before GOODBYE", function()
        for _, alice in ipairs(scene(6)) do
          local topic = peer.uri()
          alice:send_all {
            { wamp.SUBSCRIBE, 1, {}, topic },
            { wamp.PUBLISH, 2, { acknowledge = true, exclude_me = false }, topic, { 1 } },
            { wamp.GOODBYE, {}, "wamp.close.close_realm" },
            { wamp.HELLO, peer.realm, { roles = wamp.roles() } },
            { wamp.SUBSCRIBE, 1, {}, topic },
          }
          local subscription = alice:expect { wamp.SUBSCRIBED, 1, wamp.id }
          local publication = alice:expect { wamp.PUBLISHED, 2, wamp.id }
          assert.equal(publication, alice:expect_event(subscription, { 1 }))
          alice:expect { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
          alice:expect { wamp.WELCOME, wamp.id, wamp.any }
          alice:expect { wamp.SUBSCRIBED, 1, wamp.id }
        end
      end)

      it("notices when peers leave, in every way", function()
        local all = scene(9, { roles = wamp.roles { callee = { call_canceling = true } } })
        local stays = table.remove(all)
        local leave = {
          function(connection) connection:goodbye() end,
          function(connection) connection:drop() end,
          function(connection)
            connection:send { 7 }
            connection:expect_violation()
          end,
          function(connection)
            connection:send { wamp.ABORT, {}, "wamp.error.whatever" }
            connection:expect_closed()
          end,
        }
        for i, connection in ipairs(all) do
          local mine, its = peer.uri(), peer.uri()
          local my_registration = stays:register(mine)
          local its_registration = connection:register(its)
          connection:call(mine)
          local invocation = stays:expect_invocation(my_registration)
          local request = stays:call(its)
          connection:expect_invocation(its_registration)
          leave[i % #leave + 1](connection)
          stays:expect_all {
            { wamp.ERROR, wamp.CALL, request, {}, "wamp.error.canceled", wamp.rest },
            { wamp.INTERRUPT, invocation, wamp.any },
          }
          stays:yield(invocation)
          stays:expect_nothing()
        end
      end)

      it("processes nothing of a peer after its violation", function()
        local all = scene(6)
        local reader = table.remove(all)
        local topic = peer.uri()
        reader:subscribe(topic)
        for _, alice in ipairs(all) do
          alice:send_all { { wamp.SUBSCRIBE, 0, {}, topic }, { wamp.PUBLISH, 2, {}, topic } }
          alice:expect_violation()
        end
        reader:expect_nothing()
      end)

      it("lets peers move to another realm and back", function()
        local realm = (scene(1)[1]).welcome.realm
        for _, alice in ipairs(crowd(6)) do
          for _ = 1, 3 do
            alice:goodbye()
            alice:join(peer.fresh_realm())
            local subscription = alice:subscribe("com.x")
            alice:publish("com.x", { 1 }, nil, { exclude_me = false })
            alice:expect_event(subscription, { 1 })
            alice:goodbye()
            alice:join(realm)
          end
        end
      end)
    end)
  end

  it("session ids are unique, and counters of both are summed", function()
    peer.fresh_realm()
    local before = peer.router():status()
    local seen = {}
    for _, connection in ipairs(crowd(20)) do
      assert.is_nil(seen[connection.session])
      seen[connection.session] = true
      connection:expect_nothing()
    end
    local after = peer.router():status()
    assert.equal(2, after.workers)
    assert.is_true(after.accepted - before.accepted >= 20)
    assert.equal(20, after.joins - before.joins)
  end)
end)

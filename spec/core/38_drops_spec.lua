--- Events that were dropped are told once a second, to who listens to nexus.session.on_drops.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"

local list = core.list
local on_drops = "nexus.session.on_drops"

core.describe("nexus.session.on_drops", function(router)
  local function scene()
    local r = router()
    return meta.watch(r, { on_drops }), r:join(), r:join(), r
  end

  --- One event with these counts, { [session id] = count }, in any order.
  local function assert_told(counts, watcher, actions)
    local heard = meta.heard(watcher, actions)
    assert.equal(1, #heard)
    assert.equal(2, #heard[1])
    assert.equal(on_drops, heard[1][1])
    local left = 0
    for _ in pairs(counts) do
      left = left + 1
    end
    assert.equal(left, #heard[1][2])
    for _, entry in ipairs(heard[1][2]) do
      assert.like({ session = core.id, dropped = counts[entry.session] or "nobody" }, entry)
    end
  end

  it("tells within a second who lost how many", function()
    local watcher, alice, _, r = scene()
    assert.heard({}, watcher, alice:dropped(3))
    assert.is_true(r:wakes_in() <= 1000)
    assert.heard({ { on_drops, list { { session = alice.session, dropped = 3 } } } }, watcher,
      r:advance(1000))
  end)

  it("puts what happens within a second into one event", function()
    local watcher, alice, bob, r = scene()
    alice:dropped(3)
    assert.heard({}, watcher, r:advance(100))
    bob:dropped(5)
    alice:dropped(4)
    assert_told({ [alice.session] = 7, [bob.session] = 5 }, watcher, r:advance(1000))
    assert.heard({}, watcher, r:advance(10000))
  end)

  it("comes at most once a second, and counts what is new", function()
    local watcher, alice, _, r = scene()
    local total, events = 0, 0
    for _ = 1, 50 do
      alice:dropped(2)
      for _, event in ipairs(meta.heard(watcher, r:advance(100))) do
        total, events = total + event[2][1].dropped, events + 1
      end
    end
    for _, event in ipairs(meta.heard(watcher, r:advance(1000))) do
      total, events = total + event[2][1].dropped, events + 1
    end
    assert.equal(100, total)
    assert.is_true(events >= 4 and events <= 6, events)
  end)

  it("wakes nobody when nothing was dropped", function()
    local watcher, alice, _, r = scene()
    assert.is_nil(r:wakes_in())
    alice:dropped(1)
    assert_told({ [alice.session] = 1 }, watcher, r:advance(1000))
    r:advance(1000)
    assert.is_nil(r:wakes_in())
  end)

  it("tells nobody when nobody listens, but counts", function()
    local r = router()
    local alice = r:join()
    alice:dropped(3)
    assert.actions({}, r:advance(5000))
    assert.equal(3, r:counters().dropped)
    local watcher = meta.watch(r, { on_drops })
    assert.heard({}, watcher, r:advance(5000))
    alice:dropped(2)
    assert_told({ [alice.session] = 2 }, watcher, r:advance(1000))
    assert.equal(5, r:counters().dropped)
  end)

  it("reaches pattern subscriptions with its topic, and who lost events", function()
    local r = router()
    local alice = r:join()
    local id = alice:subscribe("nexus.", { match = "prefix" })
    alice:dropped(1)
    assert.actions({ { alice, { core.EVENT, id, core.id, { topic = on_drops },
      { list { { session = alice.session, dropped = 1 } } } } } }, r:advance(1000))
  end)

  it("tells of those who have left in the meantime, too", function()
    local watcher, alice, bob, r = scene()
    alice:dropped(1)
    bob:dropped(2)
    alice:drop()
    assert_told({ [alice.session] = 1, [bob.session] = 2 }, watcher, r:advance(1000))
    bob:dropped(1)
    bob:send { core.GOODBYE, {}, "wamp.close.normal" }
    assert_told({ [bob.session] = 1 }, watcher, r:advance(1000))
    assert.heard({}, watcher, r:advance(2000))
  end)

  it("is not about peers without a session", function()
    local watcher, alice, _, r = scene()
    alice:send { core.GOODBYE, {}, "wamp.close.normal" }
    alice:dropped(2)
    r:open():dropped(1)
    assert.heard({}, watcher, r:advance(2000))
  end)

  it("ends with the realm", function()
    local _, alice, _, r = scene()
    alice:dropped(2)
    r:close_realm()
    for _, action in ipairs(r:advance(2000)) do
      assert.is_nil(action[2])
    end
  end)

  it("cannot be published by clients", function()
    local watcher, alice = scene()
    assert.actions({ { alice, core.failure(core.PUBLISH, 1, meta.invalid_uri) } },
      alice:publish(on_drops, { list {} }, nil, { acknowledge = true }))
    assert.heard({}, watcher, alice:publish(on_drops, { list {} }))
  end)
end)

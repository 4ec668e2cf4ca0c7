--- Whoever listens to nexus.session.on_drops hears which sessions lost events, and how many.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local daemon = require "daemon"
local socket = require "socket"
local wamp = require "wamp"

local BLOCK = ("x"):rep(10000)
local BATCH = 20 -- fits into the queue of a peer that reads
local ENOUGH = 100
local TOPIC = "nexus.session.on_drops"

local function queue(overflow)
  return {
    policy = "open",
    queue = { messages = 50, bytes = "1MiB", hard_bytes = "2MiB", overflow = overflow },
  }
end

local changes = {
  realms = {
    realm1 = { policy = "open" },
    drop_newest = queue("drop_newest"),
    drop_oldest = queue("drop_oldest"),
    conflate = queue("conflate"),
  },
}

--- All events that were lost so far, by any policy.
local function lost(router)
  local status = router:status()
  return status.dropped_newest + status.dropped_oldest + status.conflated
end

--- Publishes in batches that `reader` takes at once, until enough was lost. Returns how many
-- events there were.
local function flood(router, publisher, topic, reader, enough)
  local before, count = lost(router), 0
  repeat
    for _ = 1, BATCH do
      count = count + 1
      publisher:publish_surely(topic, { count, BLOCK })
    end
    for i = count - BATCH + 1, count do
      reader:expect { wamp.EVENT, wamp.any, wamp.any, wamp.any, { i, BLOCK } }
    end
    assert.is_true(count < 20000, "nothing was ever dropped")
  until lost(router) >= before + (enough or ENOUGH)
  return count
end

--- How many events wait for a connection that reads again.
local function drain(connection)
  local request, count = connection:next_id(), 0
  connection:send { wamp.CALL, request, {}, "spec.fence.nobody.home" }
  while assert(connection:receive())[1] == wamp.EVENT do
    count = count + 1
  end
  return count
end

--- Waits for reports until they name `expected` lost events (a table by session id).
local function expect_drops(listener, subscription, expected)
  local heard = {}
  local function is_all()
    for session, count in pairs(expected) do
      if heard[session] ~= count then
        return false
      end
    end
    return true
  end
  repeat
    local list = listener:expect { wamp.EVENT, subscription, wamp.any, wamp.any,
      { wamp.capture() } }
    assert.is_true(#list > 0)
    for _, entry in ipairs(list) do
      local session = entry.session
      assert.is_true(entry.dropped > 0)
      assert.is_truthy(expected[session], "a session that lost nothing is named")
      heard[session] = (heard[session] or 0) + entry.dropped
      assert.is_true(heard[session] <= expected[session], "more than was lost is reported")
      entry.session, entry.dropped = nil, nil
      assert.is_nil(next(entry))
    end
  until is_all()
end

local function scene(peer, realm)
  peer.realm = realm
  local listener = peer.join()
  return {
    listener = listener,
    subscription = listener:subscribe(TOPIC),
    topic = peer.uri(),
    reader = peer.join(),
    publisher = peer.join(),
  }
end

local function join_deaf(peer, stage)
  local deaf = peer.join(nil, { receive_buffer = 4096 })
  deaf:subscribe(stage.topic)
  deaf.stream.is_deaf = true
  return deaf
end

--- What a subscriber misses when it reads again is what was reported.
local function expect_exact(peer, overflow)
  local stage = scene(peer, overflow)
  local deaf = join_deaf(peer, stage)
  stage.reader:subscribe(stage.topic)
  local count = flood(peer.router(), stage.publisher, stage.topic, stage.reader)
  deaf.stream.is_deaf = false
  local missing = count - drain(deaf)
  assert.is_true(missing >= ENOUGH)
  expect_drops(stage.listener, stage.subscription, { [deaf.session] = missing })
  stage.listener:expect_nothing()
end

conformance.over_mixed("Lost events", changes, function(peer)
  it("are told to the last one", function()
    expect_exact(peer, "drop_newest")
  end)
end)

conformance.with_router("The report of lost events", changes, function(get)
  local peer = conformance.peer(get, "rawsocket", "json")

  it("counts the oldest ones, with drop_oldest", function()
    expect_exact(peer, "drop_oldest")
  end)

  it("counts those that newer ones replaced, with conflate", function()
    expect_exact(peer, "conflate")
  end)

  it("names each session with a count of its own, and not those that lost nothing", function()
    local stage = scene(peer, "drop_newest")
    local one, two = join_deaf(peer, stage), join_deaf(peer, stage)
    stage.reader:subscribe(stage.topic)
    local count = flood(get(), stage.publisher, stage.topic, stage.reader, 2 * ENOUGH)
    one.stream.is_deaf, two.stream.is_deaf = false, false
    local expected = {}
    for _, deaf in ipairs { one, two } do
      local missing = count - drain(deaf)
      expected[deaf.session] = missing > 0 and missing or nil
    end
    assert.is_truthy(next(expected))
    expect_drops(stage.listener, stage.subscription, expected)
    stage.listener:expect_nothing()
  end)

  it("comes about once a second, however long it goes on", function()
    local stage = scene(peer, "drop_oldest")
    local deaf = join_deaf(peer, stage)
    stage.reader:subscribe(stage.topic)
    local before, ends = lost(get()), socket.gettime() + 4
    repeat
      flood(get(), stage.publisher, stage.topic, stage.reader, 1)
    until socket.gettime() > ends
    local missing = lost(get()) - before
    local heard, count = 0, 0
    repeat
      local list = stage.listener:expect { wamp.EVENT, stage.subscription, wamp.any, wamp.any,
        { wamp.capture() } }
      assert.equal(1, #list)
      assert.equal(deaf.session, list[1].session)
      heard, count = heard + list[1].dropped, count + 1
    until heard >= missing
    assert.equal(missing, heard)
    -- Some time passes before a first event is lost, and a busy machine may be late.
    assert.is_true(count >= 2 and count <= 6, ("%d reports"):format(count))
  end)

  it("comes for a session that is gone already", function()
    for _, leave in ipairs { wamp.Connection.drop, function(deaf)
      deaf:send { wamp.GOODBYE, {}, "wamp.close.close_realm" }
    end } do
      local stage = scene(peer, "drop_newest")
      local deaf = join_deaf(peer, stage)
      stage.reader:subscribe(stage.topic)
      local before = lost(get())
      flood(get(), stage.publisher, stage.topic, stage.reader)
      local missing = lost(get()) - before
      leave(deaf)
      expect_drops(stage.listener, stage.subscription, { [deaf.session] = missing })
      stage.listener:expect_nothing()
    end
  end)

  it("stays in the realm of the session", function()
    local other = scene(peer, "drop_oldest")
    local stage = scene(peer, "drop_newest")
    local deaf = join_deaf(peer, stage)
    stage.reader:subscribe(stage.topic)
    local before = lost(get())
    flood(get(), stage.publisher, stage.topic, stage.reader)
    expect_drops(stage.listener, stage.subscription, { [deaf.session] = lost(get()) - before })
    other.listener:expect_nothing()
  end)

  it("agrees with the sums on the status page", function()
    assert.is_truthy(daemon.eventually(function()
      local status = get():status()
      return status.dropped > 0 and status.dropped == lost(get()) + status.mail_dropped
    end))
  end)
end)

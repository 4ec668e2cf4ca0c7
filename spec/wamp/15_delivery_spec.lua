--- Who is slow harms himself and nobody else: order, bounds, exact counts of what was dropped.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local daemon = require "daemon"
local wamp = require "wamp"

local BLOCK = ("x"):rep(10000)
local BATCH = 20 -- fits into the queue of a peer that reads

local function queue(overflow)
  return {
    policy = "open",
    queue = { messages = 50, bytes = "1MiB", hard_bytes = "2MiB", overflow = overflow },
  }
end

-- What was freed stays for a while with a sanitizer; memory is to be bounded there, too.
local sanitizer = os.getenv("ASAN_OPTIONS") or "exitcode=99"
local changes = {
  environment = ("ASAN_OPTIONS=%s:quarantine_size_mb=4"):format(sanitizer),
  realms = {
    realm1 = { policy = "open" },
    drop_newest = queue("drop_newest"),
    drop_oldest = queue("drop_oldest"),
    conflate = queue("conflate"),
    disconnect = queue("disconnect"),
  },
}

conformance.over_mixed("Publishers", changes, function(peer)
  it("do not wait for each other: half a message of one holds nobody up", function()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    local octets = bob.frames:message(peer.codec.encode {
      wamp.PUBLISH, 1, {}, topic, { "bob", BLOCK } })
    bob:send_octets(octets:sub(1, 5000))
    for i = 1, 10 do
      carol:publish(topic, { "carol", i })
      alice:expect_event(subscription, { "carol", i })
    end
    bob:send_octets(octets:sub(5001))
    alice:expect_event(subscription, { "bob", BLOCK })
  end)

  it("are served although one of them does not read its answers", function()
    local alice, bob, carol = peer.join(), peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob.stream.is_deaf = true
    for i = 1, 500 do
      bob:send { wamp.PUBLISH, i, { acknowledge = true }, topic, { "bob", i } }
      if i % 50 == 0 then
        carol:publish(topic, { "carol", i })
      end
    end
    local last = { bob = 0, carol = 0 }
    local function expect_until(name, number)
      while last[name] < number do
        local args = alice:expect { wamp.EVENT, subscription, wamp.any, {}, wamp.capture() }
        assert.is_true(args[2] > last[args[1]])
        last[args[1]] = args[2]
      end
    end
    expect_until("carol", 500)
    for i = 1, 500 do
      bob:expect { wamp.PUBLISHED, i, wamp.id }
    end
    expect_until("bob", 500)
  end)

  it("keep their order at every subscriber: two and two, 500 each", function()
    local alice, bob, carol, dave = peer.join(), peer.join(), peer.join(), peer.join()
    local one, two = peer.uri(), peer.uri()
    for _, subscriber in ipairs { alice, bob } do
      subscriber:subscribe(one)
      subscriber:subscribe(two)
    end
    for from = 1, 500, 50 do
      for name, publisher in pairs { carol = carol, dave = dave } do
        local messages = {}
        for i = from, from + 49 do
          messages[#messages + 1] = { wamp.PUBLISH, i, {}, i % 2 == 0 and one or two, { name, i } }
        end
        publisher:send_all(messages)
      end
    end
    for _, subscriber in ipairs { alice, bob } do
      local next_of = { carol = 1, dave = 1 }
      for _ = 1, 1000 do
        local args = subscriber:expect { wamp.EVENT, wamp.any, wamp.any, {}, wamp.capture() }
        assert.equal(next_of[args[1]], args[2])
        next_of[args[1]] = args[2] + 1
      end
      subscriber:expect_nothing()
    end
  end)
end)

--- Publishes numbered blocks, in batches that `reader` takes at once, until `is_enough` says so.
-- Returns how many there were.
local function flood(publisher, topics, reader, is_enough)
  local count = 0
  repeat
    for _ = 1, BATCH do
      count = count + 1
      publisher:publish_surely(topics[count % #topics + 1], { count, BLOCK })
    end
    for i = count - BATCH + 1, count do
      local number = reader:expect { wamp.EVENT, wamp.any, wamp.any, wamp.any,
        { wamp.capture(), BLOCK } }
      assert.equal(i, number)
    end
    assert.is_true(count < 20000, "nothing was ever dropped")
  until is_enough(count)
  return count
end

--- Everything that waits for a connection: the first arguments of events, behind them a fence.
local function drain(connection)
  local numbers, topics = {}, {}
  local request = connection:next_id()
  connection:send { wamp.CALL, request, {}, "spec.fence.nobody.home" }
  while true do
    local message = assert(connection:receive())
    if message[1] == wamp.ERROR then
      return numbers, topics
    end
    numbers[#numbers + 1] = message[5][1]
    topics[#topics + 1] = message[2]
  end
end

conformance.over_mixed("A subscriber that does not read", changes, function(peer)
  local function scene(realm, topic_count)
    peer.realm = realm
    local deaf = peer.join(nil, { receive_buffer = 4096 })
    local reader, publisher = peer.join(), peer.join()
    local topics, subscriptions = {}, {}
    for i = 1, topic_count do
      topics[i] = peer.uri()
      subscriptions[i] = deaf:subscribe(topics[i])
      reader:subscribe(topics[i])
    end
    deaf.stream.is_deaf = true
    return deaf, reader, publisher, topics, subscriptions
  end

  it("loses the newest events with drop_newest, counted exactly; memory stays", function()
    local router = peer.router()
    local deaf, reader, publisher, topics = scene("drop_newest", 1)
    local before, rss = router:status().dropped_newest, router:rss()
    local count = flood(publisher, topics, reader, function()
      return router:status().dropped_newest >= before + 200
    end)
    assert.is_true(router:rss() - rss < 64 * 1024, "memory is not bounded")
    deaf.stream.is_deaf = false
    local numbers = drain(deaf)
    local dropped = router:status().dropped_newest - before
    assert.equal(count, #numbers + dropped)
    for i = 2, #numbers do
      assert.is_true(numbers[i] > numbers[i - 1])
    end
    publisher:publish_surely(topics[1], { "again" })
    assert.same({ "again" }, (drain(deaf)))
  end)

  it("loses the oldest events with drop_oldest, counted exactly", function()
    local router = peer.router()
    local deaf, reader, publisher, topics = scene("drop_oldest", 1)
    local before = router:status().dropped_oldest
    local count = flood(publisher, topics, reader, function()
      return router:status().dropped_oldest >= before + 200
    end)
    deaf.stream.is_deaf = false
    local numbers = drain(deaf)
    assert.equal(count, #numbers + router:status().dropped_oldest - before)
    for i = count - 40, count do
      assert.equal(i, numbers[#numbers - (count - i)])
    end
  end)

  it("keeps the latest of each topic with conflate", function()
    local router = peer.router()
    local deaf, reader, publisher, topics, subscriptions = scene("conflate", 3)
    local before = router:status()
    local count = flood(publisher, topics, reader, function()
      return router:status().conflated >= before.conflated + 200
    end)
    deaf.stream.is_deaf = false
    local numbers, of_topic = drain(deaf)
    local after = router:status()
    assert.equal(count, #numbers + after.conflated - before.conflated
      + after.dropped_oldest - before.dropped_oldest)
    local last = {}
    for i, number in ipairs(numbers) do
      last[of_topic[i]] = number
    end
    for i = count - 2, count do
      assert.equal(i, last[subscriptions[i % 3 + 1]])
    end
  end)

  it("is closed with disconnect, and only it", function()
    local router = peer.router()
    local deaf, reader, publisher, topics = scene("disconnect", 1)
    local before = router:status().slow_closed
    flood(publisher, topics, reader, function()
      return router:status().slow_closed > before
    end)
    assert.equal(before + 1, router:status().slow_closed)
    deaf.stream.is_deaf = false
    local message
    repeat
      message = deaf:receive()
    until not message
    reader:expect_nothing()
    publisher:expect_nothing()
  end)

  it("still gets every answer that fits behind the events", function()
    peer.realm = "drop_newest"
    local alice = peer.join()
    local topic = peer.uri()
    alice:subscribe(topic)
    local messages = {}
    for i = 1, 200 do
      messages[i] = { wamp.PUBLISH, i, { acknowledge = true, exclude_me = false }, topic, { i } }
    end
    alice:send_all(messages)
    local acknowledged = 0
    while acknowledged < 200 do
      local message = assert(alice:receive())
      if message[1] == wamp.PUBLISHED then
        acknowledged = acknowledged + 1
        assert.equal(acknowledged, message[2])
      end
    end
  end)
end)

conformance.with_router("A subscriber whose process is stopped", changes, function(get)
  it("costs bounded memory, and gets the rest when it goes on", function()
    local router = get()
    local peer = conformance.peer(get, "rawsocket", "json")
    peer.realm = "drop_newest"
    local topic = peer.uri()
    local process = daemon.start_lua("spec/support/subscriber.lua", router:port(), peer.realm,
      topic)
    local reader, publisher = peer.join(), peer.join()
    reader:subscribe(topic)
    process:signal("STOP")
    local before, rss = router:status().dropped_newest, router:rss()
    local count = flood(publisher, { topic }, reader, function()
      return router:status().dropped_newest >= before + 200
    end)
    assert.is_true(router:rss() - rss < 64 * 1024, "memory is not bounded")
    process:signal("CONT")
    -- Its queue is written out before the router ends; no event is dropped after the last count.
    local dropped = router:status().dropped_newest - before
    reader:drop()
    publisher:drop()
    router:stop()
    process:finish()
    local received = tonumber(process:out():match("^(%d+)"))
    assert.equal(count, received + dropped)
  end)
end)

conformance.over_mixed("A callee that does not read", changes, function(peer)
  it("makes its callers get network_failure at once, counted, and nobody waits", function()
    local router = peer.router()
    peer.realm = "drop_newest"
    local deaf = peer.join(nil, { receive_buffer = 4096 })
    local caller = peer.join()
    local procedure = peer.uri()
    local registration = deaf:register(procedure)
    deaf.stream.is_deaf = true
    local before = router:status().refused_invocations
    local failed, is_failed, count = 0, {}, 0
    local function note_failure(request, uri)
      assert.equal("wamp.error.network_failure", uri)
      failed, is_failed[request] = failed + 1, true
    end
    repeat
      count = count + 1
      assert.equal(count, caller:call(procedure, { count, BLOCK }))
      caller:send { wamp.CALL, 1 << 40, {}, "spec.fence.nobody.home" }
      local request, uri
      repeat
        request, uri = caller:expect { wamp.ERROR, wamp.CALL, wamp.id, {}, wamp.capture(),
          wamp.rest }
        if request ~= 1 << 40 then
          note_failure(request, uri)
        end
      until request == 1 << 40
      assert.is_true(count < 20000, "the queue has no end")
    until failed >= 20
    deaf.stream.is_deaf = false
    local invocations = deaf:next_id()
    deaf:send { wamp.CALL, invocations, {}, "spec.fence.nobody.home" }
    local message = deaf:receive()
    while message[1] == wamp.INVOCATION do
      assert.equal(registration, message[3])
      deaf:yield(message[2], { message[5][1] })
      message = deaf:receive()
    end
    -- Each call gets one answer: a result if it was delivered, an error if not.
    local answers = failed
    while answers < count do
      message = assert(caller:receive())
      local request = message[1] == wamp.RESULT and message[2] or message[3]
      assert.is_nil(is_failed[request])
      if message[1] == wamp.RESULT then
        assert.equal(request, message[4][1])
        is_failed[request] = false
      else
        note_failure(request, message[5])
      end
      answers = answers + 1
    end
    caller:expect_nothing()
    assert.equal(before + failed, router:status().refused_invocations)
  end)
end)

conformance.over_mixed("A caller that does not read", changes, function(peer)
  it("does not stall its callee, and costs bounded memory", function()
    local router = peer.router()
    peer.realm = "drop_newest"
    local callee, other = peer.join(), peer.join()
    local deaf = peer.join(nil, { receive_buffer = 4096 })
    local procedure = peer.uri()
    local registration = callee:register(procedure)
    local rss, closed_before = router:rss(), router:status().slow_closed
    local answer = { BLOCK:rep(10) }
    local unwritten = ""

    -- Calls of the deaf one, as many as the router takes: it may stop reading, or close him.
    local function call_deafly()
      for _ = 1, unwritten == "" and 10 or 0 do
        unwritten = unwritten .. deaf.frames:message(peer.codec.encode(wamp.list {
          wamp.CALL, deaf:next_id(), {}, procedure, { "deaf" } }))
      end
      unwritten = unwritten:sub((deaf.stream:write_some(unwritten) or 0) + 1)
    end

    for _ = 1, 60 do
      call_deafly()
      local request = other:call(procedure, { "other" })
      local who
      repeat
        local invocation
        invocation, who = callee:expect { wamp.INVOCATION, wamp.id, registration, {},
          { wamp.capture() } }
        callee:yield(invocation, who == "other" and { 1 } or answer)
      until who == "other"
      other:expect_result(request, { 1 })
    end
    assert.is_true(router:rss() - rss < 64 * 1024, "memory is not bounded")

    -- What he gets when he reads: results in order, and errors for calls that came in such a
    -- heap, once he was read again, that the callee's queue had no room.
    local last, message = 0, deaf:receive(0)
    while message do
      if message[1] == wamp.RESULT then
        assert.is_true(message[2] > last)
        last = message[2]
      else
        assert.equal("wamp.error.network_failure", message[5])
      end
      message = deaf:receive(0)
    end
    assert.is_true(last > 0)
    assert.is_true(router:status().slow_closed - closed_before <= 1)
  end)
end)

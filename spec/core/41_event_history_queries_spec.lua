--- event_history: the keyword arguments of get_events, page by page; the log as a subscription.
-- SPDX-License-Identifier: MIT
local core = require "core"
local history = require "history"
local value = require "value"

local RESULT = core.RESULT
local get_events = "wamp.subscription.get_events"
local start = 1700000000000 -- where the clock of a router begins

local function ask(peer, id, query, ...)
  local all = {}
  for k, v in pairs(query or {}) do
    all[k] = type(v) == "number" and k:find "_time$" and history.timestamp(v) or v
  end
  local message = peer:messages(peer:call(get_events, { id, ... }, all))[1]
  assert.equal(RESULT, message[1], core.show(message))
  return message[4], message[5]
end

local function publications(events)
  local ids = {}
  for i, event in ipairs(events) do
    ids[i] = event.publication
  end
  return ids
end

local function meta(peer, name, ...)
  return peer:messages(peer:call("wamp.subscription." .. name, { ... }))[1]
end

local function lookup(peer, uri, match)
  return meta(peer, "lookup", uri, { match = match })[4][1]
end

--- A small generator of numbers, the same in every run.
local function dice(seed)
  local state = seed
  return function(most)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) % most + 1
  end
end

core.describe("An answer of get_events", function(router)
  it("has 16 MiB of events at most, and says that there are more", function()
    local r = router { event_history = { { uri = "com.x" } } }
    local alice, bob = r:join(), r:join()
    local id, all, got = lookup(bob, "com.x"), {}, {}
    for i = 1, 20 do
      local actions = alice:publish("com.x", { ("x"):rep(1000000) }, nil, { acknowledge = true })
      all[i] = alice:messages(actions)[1][3]
    end
    local events, rest = ask(bob, id)
    assert.equal(16, #events)
    assert.is_true(rest.more)
    for _, publication in ipairs(publications(events)) do
      got[#got + 1] = publication
    end
    events, rest = ask(bob, id, { after_publication = got[16] })
    assert.is_false(rest.more)
    for _, publication in ipairs(publications(events)) do
      got[#got + 1] = publication
    end
    assert.same(all, got)
  end)

  it("has an event that is longer than that, alone", function()
    local r = router { event_history = { { uri = "com.x" } } }
    local alice, bob = r:join(), r:join()
    alice:publish("com.x", { ("x"):rep(17000000) })
    alice:publish("com.x", { 2 })
    local events, rest = ask(bob, lookup(bob, "com.x"))
    assert.equal(1, #events)
    assert.is_true(rest.more)
  end)
end)

core.describe("get_events", function(router)
  --- A log of `count` events on the topics com.1, com.2, com.3, each some time after the other,
  -- beside the model of it.
  local function filled(count, limits, step)
    local r = router {
      event_history = { { uri = "com.", match = "prefix", limit = limits and limits.limit } },
      history_max_result = limits and limits.max_result,
    }
    local alice, bob = r:join(), r:join()
    local id, log, wall = lookup(bob, "com.", "prefix"), history.new(limits), start
    for i = 1, count do
      local topic = "com." .. (i % 3 + 1)
      local message = alice:messages(alice:publish(topic, { i }, nil, { acknowledge = true }))[1]
      log:add { publication = message[3], wall = wall, topic = topic, number = i }
      local ms = step and step(i) or 10
      r:advance(ms)
      wall = wall + ms
    end
    return { r = r, alice = alice, bob = bob, id = id, log = log }
  end

  local function check(s, query, words)
    local events, kwargs = ask(s.bob, s.id, query)
    local expected, expected_kwargs = s.log:query(query)
    assert.same(expected, publications(events), words)
    assert.is_true(value.same(expected_kwargs, kwargs), core.show(kwargs) .. (words or ""))
    return events, kwargs
  end

  it("reverse gives the newest first", function()
    local s = filled(5)
    local events = check(s, { reverse = true })
    assert.equal(5, events[1].args[1])
    check(s, { reverse = false })
  end)

  it("limit keeps the first ones of the order asked for", function()
    local s = filled(5)
    for limit = 1, 7 do
      local _, kwargs = check(s, { limit = limit })
      assert.equal(limit < 5, kwargs.more)
      check(s, { limit = limit, reverse = true })
    end
  end)

  it("limit may be the second argument", function()
    local s = filled(5)
    local events, kwargs = ask(s.bob, s.id, { reverse = true }, 2)
    assert.same((s.log:query { reverse = true, limit = 2 }), publications(events))
    assert.is_true(kwargs.more)
    events, kwargs = ask(s.bob, s.id, nil, 5)
    assert.equal(5, #events)
    assert.is_false(kwargs.more)
  end)

  for _, key in ipairs { "from_time", "after_time", "until_time", "before_time" } do
    it(key .. " includes or excludes its very millisecond", function()
      local s = filled(5)
      for _, wall in ipairs { start - 1, start, start + 1, start + 19, start + 20, start + 21,
        start + 40, start + 41 } do
        check(s, { [key] = wall }, tostring(wall))
        check(s, { [key] = wall, reverse = true, limit = 2 })
      end
    end)

    it(key .. " may be any time of RFC 3339", function()
      local s = filled(5)
      local expected = (s.log:query { [key] = start + 20 })
      for _, text in ipairs { "2023-11-14T22:13:20.020Z", "2023-11-14T22:13:20.02Z",
        "2023-11-14T22:13:20.020000Z", "2023-11-14T22:13:20.020000000Z",
        "2023-11-14T22:13:20.020+00:00", "2023-11-14T22:13:20.020-00:00",
        "2023-11-14T23:13:20.020+01:00", "2023-11-15T04:00:20.02+05:47",
        "2023-11-14T14:13:20.02-08:00", "2023-11-14t22:13:20.02z",
        "2023-11-15T22:12:20.02+23:59" } do
        assert.same(expected, publications((ask(s.bob, s.id, { [key] = text }))), text)
      end
    end)
  end

  it("times between two milliseconds are what they are", function()
    local s = filled(1)
    local between = "2023-11-14T22:13:20.0005Z"
    for key, count in pairs { from_time = 0, after_time = 0, until_time = 1, before_time = 1 } do
      assert.equal(count, #(ask(s.bob, s.id, { [key] = between })), key)
    end
  end)

  it("times without a fraction are whole seconds", function()
    local s = filled(3, nil, function() return 500 end)
    assert.equal(2, #(ask(s.bob, s.id, { after_time = "2023-11-14T22:13:20Z" })))
    assert.equal(1, #(ask(s.bob, s.id, { from_time = "2023-11-14T22:13:21Z" })))
  end)

  it("times may lie far away", function()
    local s = filled(3)
    for _, text in ipairs { "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
      "0001-01-01T00:00:00Z", "1600-02-29T12:00:00+12:00" } do
      assert.equal(3, #(ask(s.bob, s.id, { from_time = text, after_time = text })), text)
      assert.equal(0, #(ask(s.bob, s.id, { until_time = text })), text)
      assert.equal(0, #(ask(s.bob, s.id, { before_time = text })), text)
    end
    for _, text in ipairs { "2024-02-29T00:00:00Z", "9999-12-31T23:59:59.999Z",
      "2023-11-14T22:13:59Z" } do
      assert.equal(3, #(ask(s.bob, s.id, { until_time = text, before_time = text })), text)
      assert.equal(0, #(ask(s.bob, s.id, { from_time = text })), text)
      assert.equal(0, #(ask(s.bob, s.id, { after_time = text })), text)
    end
  end)

  it("finds all events of one millisecond, in their order", function()
    local s = filled(9, nil, function(i) return i % 3 == 0 and 5 or 0 end)
    for _, key in ipairs { "from_time", "after_time", "until_time", "before_time" } do
      for wall = start - 1, start + 11 do
        check(s, { [key] = wall })
      end
    end
  end)

  it("finds events by their own time when the clock was set back in between", function()
    local s = filled(4)
    for i = 1, 4 do
      local wall = start - 1000 + 40 * i
      s.r:set_wall(wall)
      local message = s.alice:messages(s.alice:publish("com.1", nil, nil, { acknowledge = true }))
      s.log:add { publication = message[1][3], wall = wall, topic = "com.1" }
    end
    for _, wall in ipairs { start - 1000, start - 920, start - 900, start, start + 20 } do
      for _, key in ipairs { "from_time", "after_time", "until_time", "before_time" } do
        check(s, { [key] = wall })
        check(s, { [key] = wall, reverse = true, limit = 3 })
      end
    end
  end)

  it("topic leaves the others out", function()
    local s = filled(10)
    for i = 1, 3 do
      local events = check(s, { topic = "com." .. i })
      for _, event in ipairs(events) do
        assert.equal("com." .. i, event.details.topic)
      end
      check(s, { topic = "com." .. i, limit = 2, reverse = true })
    end
    check(s, { topic = "com.nobody" })
    check(s, { topic = "com." })
  end)

  it("topic of an exact log is its topic, or nothing matches", function()
    local r = router { event_history = { { uri = "com.x" } } }
    local alice = r:join()
    local id = lookup(alice, "com.x")
    alice:publish "com.x"
    assert.equal(1, #(ask(alice, id, { topic = "com.x" })))
    assert.equal(0, #(ask(alice, id, { topic = "com.y" })))
  end)

  local positions = { "from_publication", "after_publication", "until_publication",
    "before_publication" }

  for _, key in ipairs(positions) do
    it(key .. " compares positions, not numbers", function()
      local s = filled(8)
      for _, entry in ipairs(s.log.entries) do
        check(s, { [key] = entry.publication })
        check(s, { [key] = entry.publication, reverse = true })
        check(s, { [key] = entry.publication, limit = 2 })
        check(s, { [key] = entry.publication, limit = 2, reverse = true, topic = "com.2" })
      end
    end)

    it(key .. " that is not in the log: nothing, or no bound", function()
      local s = filled(4, { limit = 3 })
      local is_lower = key:find "^from" or key:find "^after"
      for _, unknown in ipairs { 1, 1 << 53, s.log.entries[1].publication ~ 1 } do
        local events = check(s, { [key] = unknown })
        assert.equal(is_lower and 0 or 3, #events)
      end
    end)
  end

  it("ids may be written as floats, as JavaScript does", function()
    local s = filled(5)
    local ids = publications((ask(s.bob, s.id)))
    assert.same({ ids[3], ids[4], ids[5] }, publications((ask(s.bob, s.id + 0.0,
      { after_publication = ids[2] + 0.0 }))))
    assert.same({ ids[1] }, publications((ask(s.bob, s.id, { limit = 1.0 }))))
  end)

  it("a publication that the log has dropped is unknown", function()
    local s = filled(3, { limit = 3 })
    local dropped = s.log.entries[1].publication
    check(s, { after_publication = dropped })
    local message = s.alice:messages(s.alice:publish("com.1", { 4 }, nil, { acknowledge = true }))
    s.log:add { publication = message[1][3], wall = start + 30, topic = "com.1" }
    for _, key in ipairs(positions) do
      check(s, { [key] = dropped })
    end
  end)

  it("takes all its conditions together", function()
    local s = filled(12)
    local entries = s.log.entries
    local query = { from_time = start, after_time = start, until_time = start + 110,
      before_time = start + 110, from_publication = entries[2].publication,
      after_publication = entries[2].publication, until_publication = entries[11].publication,
      before_publication = entries[11].publication, topic = "com.1", reverse = true, limit = 2 }
    local events, kwargs = check(s, query)
    assert.same({ entries[9].publication, entries[6].publication }, publications(events))
    assert.is_true(kwargs.more) -- the third
    check(s, { from_time = start + 50, until_time = start + 40 })
    check(s, { after_publication = entries[7].publication,
      before_publication = entries[8].publication })
  end)

  for seed = 1, 4 do
    it(("answers any question as a plain list would (seed %d)"):format(seed), function()
      local roll = dice(seed)
      local s = filled(40, { limit = 30, max_result = 20 }, function() return roll(4) - 1 end)
      local function instant()
        return s.log.entries[roll(30)].wall + roll(3) - 2
      end
      local function publication()
        return roll(12) == 1 and roll(1000) or s.log.entries[roll(30)].publication
      end
      local makers = { limit = function() return roll(25) end,
        reverse = function() return roll(2) == 1 end,
        topic = function() return "com." .. roll(4) end }
      for _, key in ipairs { "from", "after", "until", "before" } do
        makers[key .. "_time"], makers[key .. "_publication"] = instant, publication
      end
      local keys = {}
      for key in pairs(makers) do
        keys[#keys + 1] = key
      end
      table.sort(keys)
      for _ = 1, 150 do
        local query = {}
        for _ = 1, roll(4) do
          local key = keys[roll(#keys)]
          query[key] = makers[key]()
        end
        check(s, query, core.show(query))
      end
    end)
  end

  --- Asks for page after page until there is no more.
  local function walk(s, query, key)
    local all, pages = {}, 0
    repeat
      local events, kwargs = ask(s.bob, s.id, query)
      assert.is_true(#events <= query.limit)
      for _, event in ipairs(events) do
        all[#all + 1] = event.publication
      end
      pages = pages + 1
      query[key] = all[#all]
    until not kwargs.more or pages > 100
    return all, pages
  end

  for _, size in ipairs { 1, 7, 24, 25, 26 } do
    it(("in pages of %d walks through a whole log, forwards and backwards"):format(size), function()
      local s = filled(25)
      local expected, reversed = s.log:query {}, s.log:query { reverse = true }
      local all, pages = walk(s, { limit = size }, "after_publication")
      assert.same(expected, all)
      assert.equal(math.ceil(25 / size), pages)
      assert.same(reversed, (walk(s, { limit = size, reverse = true }, "before_publication")))
    end)

    it(("in pages of %d walks through one topic of a pattern log"):format(size), function()
      local s = filled(50)
      assert.same((s.log:query { topic = "com.2" }),
        (walk(s, { limit = size, topic = "com.2" }, "after_publication")))
      assert.same((s.log:query { topic = "com.2", reverse = true }),
        (walk(s, { limit = size, topic = "com.2", reverse = true }, "before_publication")))
    end)
  end

  it("pages forwards reach what was published meanwhile, pages backwards do not", function()
    local s = filled(6)
    local first = ask(s.bob, s.id, { limit = 4 })
    local last = ask(s.bob, s.id, { limit = 4, reverse = true })
    s.alice:publish("com.1", { 7 })
    local next_page = ask(s.bob, s.id, { limit = 4, after_publication = first[4].publication })
    assert.same({ 5, 6, 7 }, { next_page[1].args[1], next_page[2].args[1], next_page[3].args[1] })
    local before = ask(s.bob, s.id, { limit = 4, reverse = true,
      before_publication = last[4].publication })
    assert.equal(2, #before)
    assert.same({ 2, 1 }, { before[1].args[1], before[2].args[1] })
  end)
end)

core.describe("The subscription of a log", function(router)
  local patterns = { exact = "com.x", prefix = "com.", wildcard = "com." }

  local function scene()
    local entries = {}
    for _, match in ipairs { "exact", "prefix", "wildcard" } do
      entries[#entries + 1] = { uri = patterns[match], match = match }
    end
    local r = router { event_history = entries }
    local bob = r:join()
    local ids = {}
    for match, uri in pairs(patterns) do
      ids[match] = lookup(bob, uri, match)
    end
    return r, bob, ids
  end

  it("is visible in list, lookup, match and get, without subscribers", function()
    local _, bob, ids = scene()
    assert.same({ exact = { ids.exact }, prefix = { ids.prefix }, wildcard = { ids.wildcard } },
      meta(bob, "list")[4][1])
    assert.same({ ids.exact, ids.prefix, ids.wildcard }, meta(bob, "match", "com.x")[4][1])
    assert.same({ ids.prefix }, meta(bob, "match", "com.x.y")[4][1])
    for match, uri in pairs(patterns) do
      assert.is_true(math.type(ids[match]) == "integer")
      assert.is_true(value.same({ id = ids[match], uri = uri, match = match,
        created = history.timestamp(start) }, meta(bob, "get", ids[match])[4][1]))
      assert.equal(0, meta(bob, "count_subscribers", ids[match])[4][1])
      assert.same({}, meta(bob, "list_subscribers", ids[match])[4][1])
    end
  end)

  it("is the one that subscribers get, again and again", function()
    local r, bob, ids = scene()
    for _ = 1, 3 do
      for match, uri in pairs(patterns) do
        local alice = r:join()
        assert.equal(ids[match], alice:subscribe(uri, { match = match }))
        assert.equal(1, meta(bob, "count_subscribers", ids[match])[4][1])
        assert.same({ alice.session }, meta(bob, "list_subscribers", ids[match])[4][1])
        alice:unsubscribe(ids[match])
        assert.equal(0, meta(bob, "count_subscribers", ids[match])[4][1])
        alice:subscribe(uri, { match = match })
        alice:drop()
        assert.equal(ids[match], lookup(bob, uri, match))
      end
    end
  end)

  it("is neither created nor deleted for those who watch", function()
    local r, bob, ids = scene()
    local watch = bob:subscribe("wamp.subscription.", { match = "prefix" })
    local alice = r:join()
    local function told(actions)
      local names = {}
      for _, message in ipairs(bob:messages(actions)) do
        assert.equal(watch, message[2])
        names[#names + 1] = message[4].topic:match "[%w_]+$"
        assert.same({ alice.session, ids.exact }, message[5])
      end
      return names
    end
    assert.same({ "on_subscribe" }, told(alice:send { core.SUBSCRIBE, 1, {}, "com.x" }))
    assert.same({ "on_unsubscribe" }, told(alice:unsubscribe(ids.exact)))
    alice:subscribe "com.x"
    assert.same({ "on_unsubscribe" }, told(alice:drop()))
  end)

  it("keeps its events when the last subscriber leaves", function()
    local r, bob, ids = scene()
    local alice = r:join()
    alice:subscribe "com.x"
    bob:publish("com.x", { 1 })
    alice:drop()
    bob:publish("com.x", { 2 })
    assert.equal(2, #(ask(bob, ids.exact)))
  end)

  it("stays when its subscribers are removed", function()
    local r = router { event_history = { { uri = "com.x" } }, anonymous_admin = true }
    local alice, bob = r:join(), r:join()
    local id = alice:subscribe "com.x"
    bob:publish("com.x", { 1 })
    assert.equal(RESULT, meta(bob, "remove_subscriber", id, alice.session)[1])
    assert.equal(id, lookup(bob, "com.x"))
    assert.equal(0, meta(bob, "count_subscribers", id)[4][1])
    assert.equal(1, #(ask(bob, id)))
  end)

  it("is independent of what is retained, and of other logs", function()
    local r = router { event_history = { { uri = "com.x", limit = 1 },
      { uri = "com.", match = "prefix", limit = 2 }, { uri = "..", match = "wildcard" } } }
    local alice, bob = r:join(), r:join()
    local exact, prefix = lookup(bob, "com.x"), lookup(bob, "com.", "prefix")
    for i = 1, 4 do
      alice:publish("com.x", { i, ("x"):rep(100) }, nil, { retain = i == 2, rkey = "k" })
    end
    assert.same({ 4 }, { ask(bob, exact)[1].args[1] })
    assert.same({ 3, 4 }, { ask(bob, prefix)[1].args[1], ask(bob, prefix)[2].args[1] })
    local function retained()
      local actions = r:join():send { core.SUBSCRIBE, 1, { get_retained = true }, "com.x" }
      return actions[2] and actions[2][2][5][1]
    end
    assert.equal(2, retained())
    alice:publish("com.x", nil, nil, { retain = true })
    assert.is_nil(retained())
    assert.is_nil(ask(bob, exact)[1].args)
    assert.equal(4, ask(bob, prefix)[1].args[1])
  end)

  it("is no subscription of the session that asks", function()
    local _, bob, ids = scene()
    assert.actions({ { bob, core.failure(core.UNSUBSCRIBE, bob.last_request + 1,
      "wamp.error.no_such_subscription") } }, bob:unsubscribe(ids.exact))
    assert.equal(0, #(ask(bob, ids.exact)))
  end)
end)

for _, from in ipairs(core.codec_names) do
  for _, to in ipairs(core.codec_names) do
    describe(("History written in %s and read in %s"):format(from, to), function()
      it("is what was published", function()
        local r = core.router { event_history = { { uri = "com.x" } } }
        local alice, bob = r:join(nil, { codec = from }), r:join(nil, { codec = to })
        local args = core.list { 1, -1, 1.5, "müller \0\n\"", core.null, true, core.list {},
          core.list { core.list { 1 << 53 } }, core.binary "\0\1\xff", math.mininteger,
          value.dict { a = value.dict {}, ["b c"] = core.list { core.null } } }
        local kwargs = { key = 1, ["a key"] = core.binary "\xfe", [""] = "" }
        local options = { transaction_hash = "\n\"ü", enc_key = "", disclose_me = true }
        alice:publish("com.x", args, kwargs, options)
        local id = lookup(bob, "com.x")
        local event = ask(bob, id)[1]
        assert.is_true(value.same(args, event.args), core.show(event.args))
        assert.is_true(value.same(value.dict(kwargs), event.kwargs), core.show(event.kwargs))
        assert.is_true(value.same({ publisher = alice.session, transaction_hash = "\n\"ü",
          publisher_authid = alice.welcome.authid, publisher_authrole = "anonymous",
          enc_key = "" }, event.details), core.show(event.details))
      end)
    end)
  end
end

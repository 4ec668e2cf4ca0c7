--- The programs in examples/policies: each shows features together, as policies use them.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local testing = require "nexus.testing"
local wamp = require "wamp"

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  assert(pipe:close(), command)
  return text
end

--- What is stored for the password "wonder".
local function stored(method, pattern)
  local text = output_of(("printf wonder | %s passwd --stdin --user a --method %s --kdf pbkdf2 "
    .. "--iterations %d"):format(os.getenv "NEXUSD", method, method == "scram" and 4096 or 1000))
  return text:match(pattern)
end

local ticket_hash <const> = stored("ticket", 'ticket_hash = "([^"]+)"')

describe("the program", function()
  local router

  local function open(name, more)
    local options = { policy = ("examples/policies/%s.lua"):format(name) }
    for key, value in pairs(more or {}) do options[key] = value end
    router = testing.router(options)
    return router
  end

  after_each(function()
    if router then router:close() end
    router = nil
  end)

  local function expect_error(uri, session, ...)
    local ok, failure = session:try_call(...)
    assert.is_false(ok)
    assert.equal(uri, failure.uri)
    return failure
  end

  describe("library", function()
    local readers <const> = {
      { "17", "reader", 0 }, { "18", "reader", 1 }, { "1", "librarian", 0 },
    }

    it("takes tickets from a database, lets visitors look, and bans", function()
      local db = open "library":sqlite "readers.db"
      db:exec "CREATE TABLE readers (card, kind, branch, ticket_hash, lapsed)"
      for _, row in ipairs(readers) do
        db:exec("INSERT INTO readers VALUES (?, ?, 'north', ?, ?)", row[1], row[2], ticket_hash,
          row[3])
      end
      local reader = router:join { authid = "17", ticket = "wonder" }
      local librarian = router:join { authid = "1", ticket = "wonder" }
      local _, failure = router:try_join { authid = "18", ticket = "wonder" }
      assert.equal("the card has lapsed", failure.message)
      assert.is_nil((router:try_join { authid = "99", ticket = "wonder" }))
      local visitor = router:join { method = "anonymous", peer = "tcp4:127.0.0.1:4711" }
      assert.is_nil((router:try_join { method = "anonymous", peer = "tcp4:192.0.2.1:4711" }))
      assert.truthy(visitor:try_subscribe("com.library.news.today", print))
      assert.is_nil((visitor:try_subscribe("com.library.other", print)))
      assert.equal(1, router:metric("visits", { kind = "visitor" }))
      expect_error("wamp.error.not_authorized", reader, "com.library.desk.ban", "1")
      assert.equal(1, librarian:call("com.library.desk.ban", "17", "noise", 2))
      router:run()
      assert.equal("com.library.close.banned", reader.reason)
      _, failure = router:try_join { authid = "17", ticket = "wonder" }
      assert.equal("noise", failure.message)
      router:advance(2 * 86400 + 1)
      assert.truthy(router:join { authid = "17", ticket = "wonder" })
      db:exec("INSERT INTO readers VALUES ('2', 'reader', NULL, ?, NULL)", ticket_hash)
      local nowhere = router:join { authid = "2", ticket = "wonder" }
      assert.equal("reader", nowhere.authrole)
      assert.truthy(nowhere:try_subscribe("com.library.news.today", print))
    end)

    it("does the same in a router with sockets", function()
      local data = daemon.folder() .. "/library"
      assert(os.execute("mkdir -p " .. data))
      local script = io.popen("python3 -", "w")
      script:write(([[
import sqlite3
db = sqlite3.connect("%s/readers.db")
db.execute("CREATE TABLE readers (card, kind, branch, ticket_hash, lapsed)")
db.execute("INSERT INTO readers VALUES ('17', 'reader', 'north', ?, 0)", ["%s"])
db.execute("INSERT INTO readers VALUES ('1', 'librarian', 'north', ?, 0)", ["%s"])
db.commit()
]]):format(data, ticket_hash, ticket_hash))
      assert(script:close())
      local here = output_of "pwd":gsub("\n", "")
      local nexusd <close> = setmetatable({ daemon = daemon.start { config = {
        listen = { "127.0.0.1:0" }, data_folder = data, logins = { max_delay = 0 },
        realms = { realm1 = { policy = here .. "/examples/policies/library.lua" } },
      } } }, { __close = function(self)
        wamp.close_all()
        self.daemon:stop()
      end })
      local reader, librarian = policies.connect(nexusd.daemon), policies.connect(nexusd.daemon)
      policies.login_ticket(reader, "17", "wonder")
      policies.login_ticket(librarian, "1", "wonder")
      reader:send { wamp.CALL, 1, wamp.dict {}, "com.library.desk.ban", { "1" } }
      assert.equal("wamp.error.not_authorized", reader:receive()[5])
      librarian:send { wamp.CALL, 1, wamp.dict {}, "com.library.desk.ban", { "17", "noise" } }
      assert.same({ 1 }, librarian:receive()[4])
      local goodbye = reader:receive()
      assert.equal(wamp.GOODBYE, goodbye[1])
      assert.equal("com.library.close.banned", goodbye[3])
      local again = policies.connect(nexusd.daemon)
      policies.try_ticket(again, "17", "wonder")
      local abort = again:receive()
      assert.equal(wamp.ABORT, abort[1])
      assert.equal("noise", abort[2].message)
    end)
  end)

  it("tickets makes members", function()
    open "tickets":kv "members":set("chair", { authrole = "board", ticket_hash = ticket_hash })
    local chair = router:join { authid = "chair", ticket = "wonder" }
    local ticket = chair:call("com.club.board.invite", "ann")
    local member = router:join { authid = "ann", ticket = ticket }
    assert.equal("member", member.authrole)
    local failure = expect_error("com.club.error.is_member", chair, "com.club.board.invite", "ann")
    assert.same({ "ann" }, failure.args)
    expect_error("wamp.error.not_authorized", member, "com.club.board.invite", "bob")
    assert.is_nil((router:try_join { authid = "bob", ticket = "wonder" }))
  end)

  it("parcels asks whose they are, once in a while", function()
    local db = open "parcels":sqlite "staff.db"
    db:exec("CREATE TABLE staff (name, role, town, kdf, salt, iterations, memory, stored_key, "
      .. "server_key)")
    local text = stored("scram", "scram = (%b{})")
    local function field(name) return text:match(name .. ' = "?([^",]+)"?') end
    db:exec("INSERT INTO staff VALUES ('anna', 'receiver', 'ulm', ?, ?, ?, NULL, ?, ?)",
      field "kdf", field "salt", math.tointeger(field "iterations"), field "stored_key",
      field "server_key")
    local anna = router:join { authid = "anna", password = "wonder" }
    assert.is_nil((router:try_join { authid = "anna", password = "wander" }))
    local office = router:session { authrole = "office", authid = "office" }
    local other = router:session { authrole = "receiver", authid = "bert", town = "ulm" }
    local asked, details = 0, nil
    office:register("com.post.parcel.receiver", function()
      asked = asked + 1
      return "anna"
    end)
    office:register("com.post.parcel.7.where", function(call)
      details = call.details
      return "here"
    end)
    office:register("com.post.parcel.7.slow", function() return testing.later end)
    assert.equal("here", anna:call "com.post.parcel.7.where")
    assert.equal(anna.id, details.caller)
    local failure = expect_error("com.post.error.not_yours", other, "com.post.parcel.7.where")
    assert.equal("7", failure.kwargs.number)
    assert.equal("here", anna:call "com.post.parcel.7.where")
    assert.equal(1, asked)
    local before = router:elapsed()
    expect_error("wamp.error.timeout", anna, "com.post.parcel.7.slow")
    assert.equal(5, router:elapsed() - before)
    local driver = router:session { authrole = "driver", authid = "dora" }
    assert.equal("here", driver:call "com.post.parcel.7.where")
    assert.equal(driver.id, details.caller)
    expect_error("wamp.error.not_authorized", driver, "com.post.parcel.7.destroy")
    assert.truthy(anna:try_subscribe("com.post.parcel.7.moves", print))
    assert.is_nil((other:try_subscribe("com.post.parcel.7.moves", print)))
  end)

  it("stations keeps events with their owner, and lets bad warnings further", function()
    local key <const> = ("00"):rep(32)
    open "stations":kv "stations":set("s1", { keys = { testing.public_key(key) }, owner = "north",
      groups = { "a" }, rank = 3 })
    local s1 = router:join { authid = "s1", key = key }
    local seen = {}
    for name, is in pairs {
      north = { owner = "north", groups = { "a" }, rank = 1 },
      visitor = { owner = "north", groups = { "visitors" }, rank = 1 },
      south = { owner = "south", groups = { "a" }, rank = 9 },
      chief = { owner = "state", groups = {}, rank = 9 },
      clerk = { owner = "state", groups = {}, rank = 1 },
    } do
      local session = router:session { authrole = "station", authid = name, owner = is.owner,
        groups = testing.list(is.groups), rank = is.rank }
      for _, topic in ipairs { "com.weather.measured.rain", "com.weather.warning.storm.sea" } do
        session:subscribe(topic, function() seen[#seen + 1] = name end)
      end
    end
    local function who_gets(topic, level)
      seen = {}
      s1:publish(topic, {}, { level = level }, { acknowledge = true })
      router:run()
      table.sort(seen)
      return table.concat(seen, " ")
    end
    assert.equal("north visitor", who_gets("com.weather.measured.rain"))
    assert.equal("north", who_gets("com.weather.warning.storm.sea", 1))
    assert.equal("chief north visitor", who_gets("com.weather.warning.storm.sea", 5))
    assert.is_nil((s1:try_subscribe("com.weather", print, { match = "prefix" })))
  end)

  it("quota counts what may be done", function()
    local keys = open "quota":kv "keys"
    keys:set("c", { role = "customer", secret = "k", tariff = "small" })
    keys:set("s", { role = "server", secret = "k", tariff = "large" })
    local customer = router:join { authid = "c", secret = "k" }
    local server = router:join { authid = "s", secret = "k" }
    server:register("com.maps.find", function() return "there" end)
    for _ = 1, 4 do assert.equal("there", customer:call "com.maps.find") end
    local failure = expect_error("com.maps.error.spent", customer, "com.maps.find")
    assert.is_true(failure.kwargs.retry_after > 0)
    router:advance(failure.kwargs.retry_after)
    assert.equal("there", customer:call "com.maps.find")
    for _ = 1, 6 do assert.equal("there", server:call "com.maps.find") end
    assert.is_true(server:call("com.maps.quota.spend", "x", "large", 80))
    failure = expect_error("com.maps.error.spent", server, "com.maps.quota.spend", "x", "large")
    assert.same({ "x" }, failure.args)
    assert.is_true(failure.kwargs.retry_after > 0)
    expect_error("wamp.error.invalid_argument", server, "com.maps.quota.spend", "x", "gold")
    expect_error("wamp.error.not_authorized", customer, "com.maps.quota.spend", "x", "small")
    local refused
    for _ = 1, 13 do
      local _, why = router:try_join { authid = "c", secret = "k" }
      refused = why or refused
    end
    assert.equal("nexus.error.rate_limited", refused.uri)
  end)

  describe("archive", function()
    local program

    before_each(function()
      local db = open("archive", { settings = { weather_url = "http://weather/" } })
        :sqlite "archive.db"
      db:exec "CREATE TABLE points (series, at, value)"
      for i = 1, 250 do db:exec("INSERT INTO points VALUES ('rain', ?, ?)", i, i * 0.5) end
      program = router:join { method = "tls", tls = { subject = "reports" } }
    end)

    it("sends portions, and says how many", function()
      local portions = {}
      local result = program:call { "com.archive.read", args = { "rain" },
        on_progress = function(portion, before) portions[#portions + 1] = { #portion, before } end }
      assert.same({ { 100, 0 }, { 100, 100 }, { 50, 200 } }, portions)
      assert.equal(250, result.args[1])
      assert.equal("rain", result.kwargs.series)
      assert.equal(0, router:metric "archive_reads")
    end)

    it("tidies up when it is cancelled", function()
      local pending = program:start_call { "com.archive.read", args = { "rain" },
        on_progress = function() end }
      pending:cancel "kill"
      assert.equal("wamp.error.canceled", pending:error().uri)
      assert.equal(0, router:metric "archive_reads")
    end)

    it("adds what comes in portions", function()
      for i, numbers in ipairs { { 1, 2 }, { 3 }, { 4 } } do
        program:send { wamp.CALL, 1000, testing.dict { progress = i < 3 }, "com.archive.total",
          testing.list(numbers) }
      end
      router:run()
      local last = program.received[#program.received]
      assert.same({ wamp.RESULT, 1000, 10 }, { last[1], last[2], last[4][1] })
      assert.equal(3, program:call("com.archive.total", 1, 2))
    end)

    it("asks two at once, with a deadline", function()
      router:answer_http("GET http://weather/", { status = 200, body = '["rain"]' })
      local of = program:register("com.archive.of", function(call) return { call.args[1] } end)
      local result = program:call { "com.archive.about" }
      assert.same({ { program.authid }, { "rain" } },
        { result.kwargs.mine, result.kwargs.weather })
      of:remove()
      program:register("com.archive.of", function() return testing.later end)
      local before = router:elapsed()
      assert.is_false((program:try_call "com.archive.about"))
      assert.equal(3, router:elapsed() - before)
    end)
  end)
end)

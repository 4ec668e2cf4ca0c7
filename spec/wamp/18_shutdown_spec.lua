--- SIGTERM and SIGINT: everybody is told, everything is written, the exit code is 0.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local daemon = require "daemon"
local stream = require "stream"
local wamp = require "wamp"

describe("A router that is told to stop", function()
  after_each(wamp.close_all)

  --- One peer of each kind on a router of its own.
  local function everybody(changes)
    local nexusd = conformance.start(changes or {})
    local all = {}
    for _, transport in ipairs(conformance.transports) do
      for _, serializer in ipairs(conformance.serializers) do
        local peer = conformance.peer(function() return nexusd end, transport, serializer)
        all[#all + 1] = peer.join()
      end
    end
    return nexusd, all
  end

  local function expect_farewell(connection)
    connection:expect { wamp.GOODBYE, wamp.any, "wamp.close.system_shutdown" }
  end

  for _, name in ipairs { "TERM", "INT" } do
    it(("by SIG%s says GOODBYE to all, closes when they answer, and ends with 0"):format(name),
      function()
        local nexusd, all = everybody()
        nexusd:signal(name)
        for _, connection in ipairs(all) do
          expect_farewell(connection)
          connection:send { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
          connection:expect_closed(1001)
        end
        nexusd:stop()
      end)
  end

  it("writes out what was queued before", function()
    local nexusd, all = everybody()
    local publisher = table.remove(all)
    local subscription
    for _, connection in ipairs(all) do
      subscription = connection:subscribe("com.x")
    end
    local text = ("x"):rep(100000)
    for i = 1, 10 do
      publisher:publish_surely("com.x", { i, text })
    end
    nexusd:signal("TERM")
    for _, connection in ipairs(all) do
      for i = 1, 10 do
        connection:expect_event(subscription, { i, text })
      end
      expect_farewell(connection)
      connection:send { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
      connection:expect_closed(1001)
    end
    publisher:drop()
    nexusd:stop()
  end)

  it("sends nothing after GOODBYE, and ignores what still comes", function()
    local nexusd, all = everybody()
    nexusd:signal("TERM")
    for _, connection in ipairs(all) do
      expect_farewell(connection)
      connection:send_all {
        { wamp.CALL, 1, {}, "com.x" },
        { wamp.SUBSCRIBE, 2, {}, "com.x" },
        { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" },
      }
      connection:expect_closed(1001)
    end
    nexusd:stop()
  end)

  it("takes no new connections, and closes those without a session", function()
    local nexusd, all = everybody()
    local idle = {}
    for i, transport in ipairs(conformance.transports) do
      idle[i] = conformance.peer(function() return nexusd end, transport, "cbor").connect()
    end
    nexusd:signal("TERM")
    for _, connection in ipairs(idle) do
      connection:expect_closed(1001)
    end
    expect_farewell(all[1])
    for _, transport in ipairs(conformance.transports) do
      assert.is_nil((stream.open(conformance.target(nexusd, transport))))
    end
    wamp.close_all()
    nexusd:stop()
  end)

  for workers = 1, 2 do
    it(("with %d workers waits no longer than the grace time for an answer"):format(workers),
      function()
        local nexusd = everybody { workers = workers, shutdown_grace = "100ms" }
        nexusd:signal("TERM")
        nexusd:stop()
      end)
  end

  it("does not wait for peers that do not read", function()
    local nexusd = conformance.start { shutdown_grace = "100ms" }
    local peer = conformance.peer(function() return nexusd end, "ws", "json")
    local deaf, publisher = peer.join(nil, { receive_buffer = 4096 }), peer.join()
    deaf:subscribe("com.x")
    local text = ("x"):rep(1000000)
    for _ = 1, 20 do
      publisher:publish_surely("com.x", { text })
    end
    nexusd:signal("TERM")
    nexusd:stop()
  end)

  it("removes its socket file, and takes over one that was left behind", function()
    local path = daemon.folder() .. "/left.sock"
    local options = { listen = { { address = "unix:" .. path } } }
    local nexusd = conformance.start(options)
    nexusd:kill()
    assert.is_truthy(io.popen("ls " .. path .. " 2>/dev/null"):read("l"))
    nexusd = conformance.start(options)
    local alice = wamp.connect { transport = "unix", serializer = "json", path = path }
    alice:join("realm1")
    alice:drop()
    nexusd:stop()
    assert.is_nil(io.popen("ls " .. path .. " 2>/dev/null"):read("l"))
  end)

  it("does so with two workers, too", function()
    local nexusd, all = everybody { workers = 2 }
    nexusd:signal("TERM")
    for _, connection in ipairs(all) do
      expect_farewell(connection)
      connection:send { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
      connection:expect_closed(1001)
    end
    nexusd:stop()
  end)
end)

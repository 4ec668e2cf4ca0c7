--- Runs one suite over every transport and serializer, with one router for all of it.
--
--   conformance.everywhere("SUBSCRIBE", {}, function(peer)
--     it("is answered by SUBSCRIBED", function()
--       local alice = peer.join()
--       ...
--
-- A `peer` makes connections of one kind; peer.uri() makes names that no other test uses, and
-- peer.fresh_realm() moves the test to a realm of its own.
-- SPDX-License-Identifier: MIT
local busted = require "busted"
local daemon = require "daemon"
local wamp = require "wamp"

local conformance = {}

conformance.transports = { "ws", "rawsocket", "unix", "wss", "rawsocket_tls" }
conformance.serializers = { "json", "msgpack", "cbor" }

local TCP, TLS, UNIX = 1, 2, 3
local sockets = 0
local listener_of = { ws = TCP, rawsocket = TCP, unix = UNIX, wss = TLS, rawsocket_tls = TLS }

--- The configuration that the specs run on: three addresses, realm1, any other realm on demand.
-- `changes` replaces entries at the top; `address`, `realm` and `limits` add to each address, to
-- each realm, and to the limits. Nothing may time out that the spec does not want to.
function conformance.config(changes)
  local certificate = daemon.certificate()
  sockets = sockets + 1
  local config = {
    workers = tonumber(os.getenv("NEXUS_WORKERS") or "1"),
    listen = {
      { address = "127.0.0.1:0" },
      { address = "tls://127.0.0.1:0", tls = certificate },
      { address = ("unix:%s/%d.sock"):format(daemon.folder(), sockets) },
    },
    realms = { realm1 = { policy = "open" } },
    realm_template = { policy = "open" },
    max_realms = 1000000,
    limits = { hello_timeout = "60s", rejoin_timeout = "60s", ping_interval = 0 },
  }
  local added = { address = config.listen, realm = { config.realms.realm1, config.realm_template },
    limits = { config.limits } }
  for k, v in pairs(changes) do
    if not added[k] and k ~= "environment" then
      config[k] = v or nil
    end
  end
  for name, tables in pairs(added) do
    for _, into in ipairs(tables) do
      for k, v in pairs(changes[name] or {}) do
        into[k] = v
      end
    end
  end
  return config
end

--- Starts a router with that configuration.
function conformance.start(changes)
  return daemon.start {
    config = conformance.config(changes), environment = changes.environment,
  }
end

--- How to reach a running router over one transport.
function conformance.target(nexusd, transport)
  local index = listener_of[transport]
  if index == UNIX then
    return { path = (nexusd:address(UNIX):gsub("^unix:", "")) }
  end
  return { port = nexusd:port(index) }
end

local names = 0

--- Makes a peer of one kind; `get` returns the running router.
function conformance.peer(get, transport, serializer)
  local peer = { transport = transport, serializer = serializer, realm = "realm1" }
  peer.is_websocket = wamp.transports[transport].frames == "websocket"
  peer.codec = wamp.serializers[serializer]

  function peer.options(options)
    local all = conformance.target(get(), transport)
    all.transport, all.serializer = transport, serializer
    for k, v in pairs(options or {}) do
      all[k] = v
    end
    return all
  end

  function peer.connect(options)
    return wamp.connect(peer.options(options))
  end

  function peer.try_connect(options)
    return wamp.try_connect(peer.options(options))
  end

  function peer.join(details, options)
    local connection = peer.connect(options)
    connection:join(peer.realm, details)
    return connection
  end

  function peer.uri(last)
    names = names + 1
    return ("spec.n%d.%s"):format(names, last or "x")
  end

  function peer.fresh_realm()
    names = names + 1
    peer.realm = ("spec.realm%d"):format(names)
    return peer.realm
  end

  function peer.router()
    return get()
  end

  return peer
end

--- A describe block with a router for all that is in it; `body` gets a function that returns it.
function conformance.with_router(name, changes, body)
  busted.describe(name, function()
    local nexusd
    busted.setup(function()
      nexusd = conformance.start(changes)
    end)
    busted.teardown(function()
      wamp.close_all()
      if nexusd then
        nexusd:stop()
      end
    end)
    busted.after_each(wamp.close_all)
    body(function() return nexusd end)
  end)
end

--- Each transport and each serializer, but not each pair: for specs that move much.
conformance.mixed = {
  { "ws", "json" }, { "rawsocket", "msgpack" }, { "unix", "cbor" }, { "wss", "msgpack" },
  { "rawsocket_tls", "json" },
}

function conformance.over_mixed(name, changes, suite)
  conformance.with_router(name, changes, function(get)
    for _, pair in ipairs(conformance.mixed) do
      busted.describe(("over %s with %s:"):format(pair[1], pair[2]), function()
        suite(conformance.peer(get, pair[1], pair[2]))
      end)
    end
  end)
end

--- The suite over the given transports (default: all) with each serializer.
function conformance.over(transports, name, changes, suite)
  conformance.with_router(name, changes, function(get)
    for _, transport in ipairs(transports) do
      for _, serializer in ipairs(conformance.serializers) do
        busted.describe(("over %s with %s:"):format(transport, serializer), function()
          suite(conformance.peer(get, transport, serializer))
        end)
      end
    end
  end)
end

function conformance.everywhere(name, changes, suite)
  conformance.over(conformance.transports, name, changes, suite)
end

return conformance

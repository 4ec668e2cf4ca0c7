-- The router that the clients are tested against; `run` says where in the environment.
-- SPDX-License-Identifier: MIT
-- luacheck: read_globals env
local kept = {
  { uri = "history", match = "prefix" },
  { uri = "brief.history", limit = 3 },
}

return {
  listen = { "127.0.0.1:0", "unix:" .. env "NEXUS_UNIX" },
  workers = tonumber(env "NEXUS_WORKERS"),
  -- the RawSocket of Autobahn|Python hangs up on a PING
  limits = { ping_interval = "10m" },
  realms = {
    -- as a router is that nobody has configured
    interop = { policy = "open" },
    -- everything that has to be switched on
    features = {
      policy = "open", anonymous_admin = true, enable_modify_details = true, trustlevel = 3,
      event_history = kept,
    },
    -- for tests that count sessions, or end them
    killing = { policy = "open", anonymous_admin = true },
    -- for clients that have got used to that router
    crossbar = {
      policy = "open", compat = "crossbar", anonymous_admin = true, event_history = kept,
      disclose_caller = "always", disclose_publisher = "always",
    },
  },
}

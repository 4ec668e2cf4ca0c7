-- The router that clients log in to, by every method that they have; `prepare` made the files.
-- SPDX-License-Identifier: MIT
-- luacheck: read_globals env
local folder = env "NEXUS_LOGINS"

local function tls(version)
  return {
    address = "tls://127.0.0.1:0", origins = { "https://app.example.com" },
    cookie = { name = "nexus" },
    tls = { cert = folder .. "/server.pem", key = folder .. "/server.key", min_version = version,
      max_version = version, client_ca = folder .. "/ca.pem", client_certificate = "optional" },
  }
end

return {
  listen = {
    { address = "127.0.0.1:0", origins = { "https://app.example.com" },
      cookie = { name = "nexus" } },
    tls "1.2", tls "1.3", "unix:" .. env "NEXUS_UNIX",
  },
  workers = tonumber(env "NEXUS_WORKERS"),
  limits = { ping_interval = "10m" },
  logins = { router_key_file = folder .. "/router.key", max_delay = 0 },
  realms = { interop = { policy = folder .. "/policy.lua" } },
}

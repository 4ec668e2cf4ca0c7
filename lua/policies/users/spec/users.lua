-- Users for the spec beside; the tickets are "wonder" and "builder".
return {
  attributes = { org = "string" },
  anonymous = "guest",
  users = {
    alice = {
      role = "admin", ticket = "wonder", attributes = { org = "acme" },
      wampcra = { secret = "wonder" },
    },
    bob = {
      role = "user", attributes = { org = "beta" },
      pubkeys = { "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29" },
      fingerprints = {},
    },
    carol = { role = "user", ticket = "song", disabled = "ask the office" },
  },
  roles = {
    guest = { { allow = "subscribe", uri = "com.acme.news.**" } },
    user = { inherit = "guest", { allow = "publish", uri = "com.acme.org.{session.org}.**" } },
    admin = { { allow = "*", uri = "com.acme.**" } },
  },
}

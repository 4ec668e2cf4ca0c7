return {
  users = {
    root = { role = "admin", ticket = "r" },
    alice = { role = "user", ticket = "a" },
  },
  roles = {
    user = { { allow = "*", uri = "com.acme.**" } },
    admin = { inherit = "user", { allow = "*", uri = "audit.**" } },
  },
}

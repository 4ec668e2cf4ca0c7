return {
  users = { root = { role = "admin", ticket = "r" }, eve = { role = "user", ticket = "e" } },
  roles = { user = { { allow = "*", uri = "com.acme.**" } },
            admin = { { allow = "call", uri = "tenants.**" } } },
}

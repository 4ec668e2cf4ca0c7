local nobody <const> = {}
return {
  attributes = { org = "string" },
  users = {
    alice = { role = "user", ticket = "a", attributes = { org = "acme" } },
    anna = { role = "user", ticket = "a", attributes = { org = "acme" } },
    bob = { role = "user", ticket = "b", attributes = { org = "beta" } },
    noname = { role = "user", ticket = "n", attributes = nobody },
  },
  roles = { user = { { allow = "call subscribe", uri = "presence.**" } } },
}

return {
  anonymous = "user",
  users = {},
  roles = { user = { { allow = "*", uri = "com.acme.**" },
                     { allow = "subscribe", uri = "webhook.**" } } },
}

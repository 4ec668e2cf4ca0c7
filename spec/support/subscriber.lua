--- A subscriber in a process of its own, for specs that stop a whole process.
--
--   lua5.4 subscriber.lua PORT REALM TOPIC
--
-- Says "ready" on standard error when it has subscribed, counts events until the session or the
-- connection ends, then writes the count and the last argument.
-- SPDX-License-Identifier: MIT
local wamp = require "wamp"

local port, realm, topic = table.unpack(arg)
local connection = wamp.connect {
  transport = "ws", serializer = "json", port = tonumber(port), receive_buffer = 4096,
}
connection:join(realm)
connection:subscribe(topic)
io.stderr:write("ready\n")

local count, last = 0, nil
while true do
  local message = connection:receive()
  if not message or message[1] == wamp.GOODBYE then
    break
  end
  assert(message[1] == wamp.EVENT)
  count, last = count + 1, message[5][1]
end
print(count, last)
